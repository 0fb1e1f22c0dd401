//! The only place that reads the clock; every other room takes `now` as a value, so that tests choose it.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The wall clock, for certificates and pauses.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Measures how long something took on the monotonic clock, which no NTP step moves.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Time from the start to that of a later one, so that many are compared at one moment.
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_duration_since(self.0)
    }
}
