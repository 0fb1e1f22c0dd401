//! When to stop: a path that is changed back three times in ten minutes is somebody else's too, and writing on would only
//! load the cluster and hide the other writer. Pure; time is passed in, by a clock that no NTP step moves.
//!
//! It resumes by itself once nobody has touched the path for ten minutes. Changed back again after that, it stops at once, and
//! twice as long each time, up to an hour.

use std::collections::BTreeMap;
use std::time::Duration;

use super::wanted::Wanted;

/// So often changed back …
const BACKS: usize = 3;
/// … in this time.
const WINDOW: Duration = Duration::from_mins(10);
const LONGEST_QUIET: Duration = Duration::from_hours(1);

/// A repair that has just been given up for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// The path.
    pub path: String,
    /// The field manager that changes it back.
    pub by: String,
    /// How often it did in the last ten minutes.
    pub backs: usize,
    /// For how long after its last write nothing is repaired.
    pub quiet: Duration,
}

#[derive(Debug, Default)]
struct History {
    /// We wrote it last, as far as we have seen.
    ours: bool,
    repaired: Duration,
    backs: Vec<Duration>,
    stopped: Option<Duration>,
    quiet: Duration,
    trace: String,
}

/// What happened to every path that was repaired lately, by target and path.
#[derive(Debug, Default)]
pub struct Contests(BTreeMap<(String, String), History>);

impl Contests {
    /// A stored object was looked at, and these of its paths are not as they should be. Gives the contests that begin now.
    pub fn seen(&mut self, target: &str, wanted: &[Wanted], now: Duration) -> Vec<Contest> {
        let mut begun = Vec::new();
        for want in wanted {
            let history = self.0.entry((target.to_owned(), want.path.clone())).or_default();
            if let Some(backs) = history.wanted(want, now) {
                let (path, by, quiet) = (want.path.clone(), want.by.clone(), history.quiet);
                begun.push(Contest { path, by, backs, quiet });
            }
        }
        self.0.retain(|(of, path), history| {
            of != target || wanted.iter().any(|want| want.path == *path) || !history.is_over(now)
        });
        begun
    }

    /// We have written these paths.
    pub fn repaired(&mut self, target: &str, paths: &[String], now: Duration) {
        for path in paths {
            let history = self.0.entry((target.to_owned(), path.clone())).or_default();
            history.ours = true;
            history.repaired = now;
        }
    }

    /// The paths of a target that are not to be repaired now.
    pub fn stopped(&self, target: &str) -> Vec<String> {
        let stopped = self.0.iter().filter(|((of, _), history)| of == target && history.stopped.is_some());
        stopped.map(|((_, path), _)| path.clone()).collect()
    }

    /// How many paths of a target are not to be repaired now.
    pub fn count(&self, target: &str) -> usize {
        self.stopped(target).len()
    }
}

impl History {
    /// The path is not as it should be; says how often it was changed back, if that is once too often.
    fn wanted(&mut self, want: &Wanted, now: Duration) -> Option<usize> {
        if let Some(until) = self.stopped {
            if self.trace != want.trace {
                self.trace.clone_from(&want.trace);
                self.stopped = Some(now + self.quiet);
            } else if now >= until {
                self.stopped = None;
                self.backs.clear();
            }
            return None;
        }
        self.trace.clone_from(&want.trace);
        if !std::mem::take(&mut self.ours) {
            return None;
        }
        if !self.quiet.is_zero() && now >= self.repaired + WINDOW {
            self.quiet = Duration::ZERO;
        }
        self.backs.push(now);
        self.backs.retain(|back| now < *back + WINDOW);
        let before = !self.quiet.is_zero();
        if self.backs.len() < BACKS && !before {
            return None;
        }
        self.quiet = if before { (self.quiet * 2).min(LONGEST_QUIET) } else { WINDOW };
        self.stopped = Some(now + self.quiet);
        Some(self.backs.len())
    }

    /// Nothing about it matters any more.
    fn is_over(&self, now: Duration) -> bool {
        self.stopped.is_none_or(|until| now >= until) && now >= self.repaired + WINDOW
    }
}

#[cfg(test)]
mod tests;
