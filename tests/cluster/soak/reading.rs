//! Memory and descriptors of our server, and what their slope says.

use std::time::{Duration, Instant};

use crate::support::http::Client;
use crate::support::slope::slope;
use crate::trust::counted;

/// What may grow, in KiB of memory and in descriptors.
const BOUNDS: [(&str, Bound); 2] = [
    // An hour's would last for a day of this load, which is some hundred times what a cluster asks, between what the server has idle
    // (6 MB) and what it may never have (32 MB).
    ("KiB of memory", Bound { an_hour: 1024.0, a_run: 2048.0 }),
    ("descriptors", Bound { an_hour: 4.0, a_run: 4.0 }),
];
/// From this on growth has to be excluded. What a shorter run proves may be a heap that has not found its size yet: an hour's bound is
/// 25 KiB in a minute and a half.
const LONG: Duration = Duration::from_mins(30);
/// RSS never to be exceeded, in KiB. Held for the binary as it is in the image, which `CNI_STEWARD_BINARY` names.
const MOST: u64 = 32_000_000 / 1024;
/// Descriptors never to be exceeded: 128 connections at each of two doors, and what the program has besides.
const MOST_DESCRIPTORS: usize = 300;

/// Growth that is let pass.
struct Bound {
    /// In a long run, at the upper end of the slope's interval.
    an_hour: f64,
    /// In a short one, in all its readings together, at the lower end.
    a_run: f64,
}

/// What was read until now.
#[derive(Debug)]
pub(super) struct Readings {
    pid: u32,
    begin: Instant,
    /// Hours, KiB of memory that is no file's, descriptors that are no connection's.
    rest: Vec<(f64, u64, u64)>,
    most: u64,
    most_descriptors: usize,
}

impl Readings {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, begin: Instant::now(), rest: Vec::new(), most: 0, most_descriptors: 0 }
    }

    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let found = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')).unwrap();
        found.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    /// One look while there is load.
    pub(super) fn under_load(&mut self) {
        self.most = self.most.max(self.memory("VmRSS"));
        self.most_descriptors = self.most_descriptors.max(self.descriptors());
    }

    /// A moment without load: what is seen in two seconds, of memory the least and of descriptors the middle. How many connections
    /// API servers keep is theirs to say, and they are as many as the server says there are.
    pub(super) fn at_rest(&mut self, telemetry: &Client) {
        let (mut memory, mut descriptors) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(200));
            memory.push(self.memory("RssAnon"));
            let open = counted(&telemetry.get("/metrics").unwrap().text(), "cni_steward_connections", "");
            descriptors.push((self.descriptors() as u64).saturating_sub(open));
        }
        descriptors.sort_unstable();
        let hours = self.begin.elapsed().as_secs_f64() / 3600.0;
        self.rest.push((hours, memory.into_iter().min().unwrap(), descriptors[5]));
    }

    /// For people.
    pub(super) fn last(&self) -> String {
        let (_, memory, descriptors) = self.rest.last().copied().unwrap_or_default();
        format!(
            "at rest {memory} KiB and {descriptors} descriptors beside connections, at most {} KiB RSS and {} descriptors",
            self.most, self.most_descriptors
        )
    }

    /// What is wrong with them.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(super) fn judge(&self, took: Duration) -> Vec<String> {
        let warm = &self.rest[self.rest.len() / 3..];
        let memory: Vec<_> = warm.iter().map(|(at, memory, _)| (*at, *memory as f64)).collect();
        let descriptors: Vec<_> = warm.iter().map(|(at, _, count)| (*at, *count as f64)).collect();
        let mut problems = Vec::new();
        let hours = warm.last().map_or(0.0, |last| last.0) - warm.first().map_or(0.0, |first| first.0);
        for ((what, bound), readings) in BOUNDS.into_iter().zip([memory, descriptors]) {
            let Some(found) = slope(&readings) else {
                problems.push(format!("{what}: only {} readings", readings.len()));
                continue;
            };
            let said = format!(
                "{what} grow by {:.1} an hour (with 95 % confidence each: above {:.1}, below {:.1})",
                found.per_hour, found.low, found.high
            );
            println!("{said}; {} readings", readings.len());
            let (grew, most, time) = if took >= LONG {
                (found.high, bound.an_hour, "an hour")
            } else {
                (found.low * hours, bound.a_run, "in this run")
            };
            if grew > most {
                problems.push(format!(
                    "{said}, expected at most {most} {time}; at rest there were {:?}",
                    self.rest
                ));
            }
        }
        if std::env::var_os("CNI_STEWARD_BINARY").is_some() && self.most > MOST {
            problems.push(format!("RSS: expected at most {MOST} KiB, seen {}", self.most));
        }
        if self.most_descriptors > MOST_DESCRIPTORS {
            let seen = self.most_descriptors;
            problems.push(format!("descriptors: expected at most {MOST_DESCRIPTORS}, seen {seen}"));
        }
        problems
    }
}
