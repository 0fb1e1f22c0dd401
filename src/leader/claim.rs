//! What to do about the Lease, from what was seen of it and when.
//!
//! Clocks of machines differ, so the times in the Lease are never compared with a clock of ours. A holder is alive while
//! the record keeps changing; it is dead when the record has stood still, as we saw it on our own monotonic clock, for as
//! long as it says that it is good. Every write carries the version that was read, so of two who take it one fails.
//!
//! A leader is sure of its lease for [`SURE`] from the moment it sent its last renewal. A write of a leader that starts
//! within that time is over [`LEADERS_WRITE`](crate::cluster::request::LEADERS_WRITE) later, and that is not after
//! anybody else can have begun: `SURE + LEADERS_WRITE <= GOOD_FOR`.

use std::time::Duration;

/// How long a record that stands still is good.
pub const GOOD_FOR: Duration = Duration::from_secs(15);
/// How long after sending its last renewal a leader may write.
pub const SURE: Duration = Duration::from_secs(10);
/// How often a leader renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often the others look.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many unanswered writes are remembered: more than a leader sends while it is sure.
const TRIES: usize = 8;
/// Whatever a record says: nobody waits longer, or takes it sooner.
const BELIEVED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What a Lease says. Two records are equal when nothing was written in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `metadata.resourceVersion`.
    pub version: String,
    /// Who holds it; nobody after it was handed over.
    pub holder: Option<String>,
    /// How long it is good without renewal, as the holder says.
    pub good_for: Option<Duration>,
    /// When it was written, by the holder's clock: never compared with ours, but known again by who wrote it.
    pub renewed: String,
    /// How often it went to somebody else.
    pub transitions: i32,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is none: create it, with us as the holder.
    Create,
    /// It is nobody's, ours from before, or its holder is gone: write us into it, over this version.
    Take {
        /// The record that is replaced.
        over: Record,
    },
    /// It is ours: write the time, over this version.
    Renew {
        /// The record that is replaced.
        over: Record,
    },
    /// Somebody else has it: look again when this time has passed.
    Wait(Duration),
}

/// The Lease as one replica has seen it. `now` is time on its own monotonic clock.
#[derive(Debug, Clone)]
pub struct View {
    identity: String,
    seen: Option<Record>,
    changed: Duration,
    /// The version that we wrote last, while we lead.
    ours: Option<String>,
    /// The time in our last write that was answered: with it a record is ours still, whoever else has touched it.
    answered: String,
    /// The times in our writes since the last that was answered. Any of them may have been stored without our being told, the
    /// first as well as the last: an API server that stood still takes one of them when it goes on.
    tried: Vec<String>,
    /// Somebody else goes by our name: what has our name on it is not ours then.
    namesake: bool,
}

impl View {
    /// Nothing was seen yet.
    pub fn new(identity: &str) -> Self {
        Self {
            identity: identity.to_owned(),
            seen: None,
            changed: Duration::ZERO,
            ours: None,
            answered: String::new(),
            tried: Vec::new(),
            namesake: false,
        }
    }

    /// What was read. Gives whether this ends our term: somebody wrote over what we had written.
    pub fn saw(&mut self, record: Option<Record>, now: Duration) -> bool {
        if let Some(record) = &record
            && self.ours.is_some()
            && self.has_our_name(record)
            && (record.renewed == self.answered || self.tried.contains(&record.renewed))
        {
            self.ours = Some(record.version.clone());
        }
        let lost = self.ours.is_some() && record.as_ref().map(|record| &record.version) != self.ours.as_ref();
        if lost {
            self.namesake = record.as_ref().is_some_and(|record| self.has_our_name(record));
            self.ours = None;
        }
        if self.seen != record {
            self.changed = now;
            self.seen = record;
        }
        lost
    }

    /// We are about to write this time.
    pub fn trying(&mut self, renewed: &str) {
        if self.tried.len() >= TRIES {
            self.tried.remove(0);
        }
        self.tried.push(renewed.to_owned());
    }

    /// Our own write was stored, as this.
    pub fn wrote(&mut self, record: Record, now: Duration) {
        self.ours = Some(record.version.clone()).filter(|_| self.has_our_name(&record));
        self.tried.clear();
        record.renewed.clone_into(&mut self.answered);
        self.namesake = false;
        self.changed = now;
        self.seen = Some(record);
    }

    /// Our time is up: whatever the Lease says, we do not lead.
    pub fn gave_up(&mut self) {
        self.ours = None;
    }

    /// Somebody else goes by our name.
    pub fn has_namesake(&self) -> bool {
        self.namesake
    }

    /// Who holds it, as last seen.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.holder.as_deref()
    }

    /// What to do now.
    pub fn next(&self, now: Duration) -> Step {
        let Some(record) = &self.seen else { return Step::Create };
        if self.ours.as_ref() == Some(&record.version) {
            return Step::Renew { over: record.clone() };
        }
        let free = record.holder.is_none() || (self.has_our_name(record) && !self.namesake);
        let (shortest, longest) = BELIEVED;
        let good_for = record.good_for.unwrap_or(GOOD_FOR).clamp(shortest, longest);
        let left = (self.changed + good_for).saturating_sub(now);
        if free || left.is_zero() {
            return Step::Take { over: record.clone() };
        }
        Step::Wait(left.min(LOOK_EVERY))
    }

    fn has_our_name(&self, record: &Record) -> bool {
        record.holder.as_ref() == Some(&self.identity)
    }
}

#[cfg(test)]
mod tests;
