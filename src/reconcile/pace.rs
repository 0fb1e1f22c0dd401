//! How fast may be written: a budget over all targets, and growing pauses after a failure. Pure; time is passed in.

use std::time::Duration;

/// Twice what a whole bootstrap takes: seven targets, two writes each.
const MOST: u32 = 28;
const REFILL: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// So many writes at once, then one every five seconds.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    filled: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST, filled: Duration::ZERO }
    }
}

impl Budget {
    /// Takes one write, if one is left.
    pub fn take(&mut self, now: Duration) -> bool {
        while self.left < MOST && now >= self.filled + REFILL {
            self.left += 1;
            self.filled += REFILL;
        }
        if self.left == MOST {
            self.filled = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// Pauses after failures: one second, then twice as long each time, at most a minute.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    until: Duration,
}

impl Backoff {
    /// Another failure; the API server may have said how long to wait.
    pub fn failed(&mut self, now: Duration, asked: Option<Duration>) {
        let grown = FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        self.until = now + asked.unwrap_or(grown).min(LONGEST_PAUSE);
    }

    /// All is well again.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Whether it is not time yet.
    pub fn pauses(&self, now: Duration) -> bool {
        now < self.until
    }

    /// Whether the last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_bootstrap_fits_at_once_and_then_one_write_every_five_seconds() {
        let mut budget = Budget::default();
        let start = at(1000);
        assert_eq!((0..100).filter(|_| budget.take(start)).count(), 28);
        assert!(!budget.take(at(1004)));
        assert!(budget.take(at(1005)));
        assert!(!budget.take(at(1006)));
        assert_eq!((0..100).filter(|_| budget.take(at(1030))).count(), 5);
        assert_eq!((0..100).filter(|_| budget.take(at(9000))).count(), 28);
    }

    #[test]
    fn pauses_grow_to_a_minute_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            backoff.failed(at(100), None);
            assert!(backoff.pauses(at(99 + pause) + Duration::from_millis(999)), "{pause}");
            assert!(!backoff.pauses(at(100 + pause)), "{pause}");
        }
        backoff.failed(at(100), Some(at(7)));
        assert!(backoff.pauses(at(106)) && !backoff.pauses(at(107)));
        assert!(backoff.is_failing());
        backoff.succeeded();
        assert!(!backoff.pauses(at(100)) && !backoff.is_failing());
    }
}
