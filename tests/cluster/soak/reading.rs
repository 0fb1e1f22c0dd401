//! Memory and descriptors of our server, and what their slope says.

use std::time::{Duration, Instant};

use crate::support::slope::slope;

/// Growth that is let pass, in KiB of memory an hour. Between what the server has idle (6 MB) and what it may never have (32 MB) it
/// would last for a day of this load, which is some hundred times what a cluster asks.
const MEMORY: f64 = 1024.0;
/// And in descriptors an hour.
const DESCRIPTORS: f64 = 4.0;
/// From this on the interval is narrow enough that growth beyond the bounds has to be excluded, not only unproven.
const LONG: Duration = Duration::from_mins(30);
/// RSS never to be exceeded, in KiB. Held for the binary as it is in the image, which `CNI_STEWARD_BINARY` names.
const MOST: u64 = 32_000_000 / 1024;
/// Descriptors never to be exceeded: 128 connections at each of two doors, and what the program has besides.
const MOST_DESCRIPTORS: usize = 300;

/// What was read until now.
#[derive(Debug)]
pub(super) struct Readings {
    pid: u32,
    begin: Instant,
    /// Hours, KiB of memory that is no file's, descriptors.
    rest: Vec<(f64, u64, usize)>,
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

    /// A moment without load: the least of what is seen in two seconds.
    pub(super) fn at_rest(&mut self) {
        let looks = (0..10).map(|_| {
            std::thread::sleep(Duration::from_millis(200));
            (self.memory("RssAnon"), self.descriptors())
        });
        let looks: Vec<_> = looks.collect();
        let memory = looks.iter().map(|look| look.0).min().unwrap();
        let descriptors = looks.iter().map(|look| look.1).min().unwrap();
        self.rest.push((self.begin.elapsed().as_secs_f64() / 3600.0, memory, descriptors));
    }

    /// For people.
    pub(super) fn last(&self) -> String {
        let (_, memory, descriptors) = self.rest.last().copied().unwrap_or_default();
        format!(
            "at rest {memory} KiB and {descriptors} descriptors, at most {} KiB RSS and {} descriptors",
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
        for (what, readings, bound) in
            [("KiB of memory", memory, MEMORY), ("descriptors", descriptors, DESCRIPTORS)]
        {
            let Some(found) = slope(&readings) else {
                problems.push(format!("{what}: only {} readings", readings.len()));
                continue;
            };
            let said = format!(
                "{what} grow by {:.1} an hour (with 95 % confidence each: above {:.1}, below {:.1})",
                found.per_hour, found.low, found.high
            );
            println!("{said}; {} readings, bound {bound}", readings.len());
            if found.low > bound || (took >= LONG && found.high > bound) {
                problems
                    .push(format!("{said}, expected at most {bound}; at rest there were {:?}", self.rest));
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
