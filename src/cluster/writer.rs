//! The right to change something in a cluster, as a value.
//!
//! Every function that writes takes a [`Writer`]. There are two ways to one: holding the lease, for as long as it is
//! surely held, and a person's command. `tests/rooms.rs` sees to it that only `leader` and `cli` make one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::telemetry::clock::{self, Stopwatch};

/// Who may write, and why.
#[derive(Debug, Clone)]
pub enum Writer {
    /// This replica holds the lease.
    Leading(Leading),
    /// A person ran a command and saw what it would do.
    Operator(Operator),
}

impl Writer {
    /// Whether the right holds at this moment. Asked right before each write.
    pub fn is_current(&self) -> bool {
        match self {
            Self::Leading(leading) => leading.is_current(),
            Self::Operator(_) => true,
        }
    }

    /// Begins a write, if the right holds at this moment.
    pub(super) fn begin_write(&self) -> Option<Writing> {
        match self {
            Self::Leading(leading) => {
                // Taken before the question: whoever ends the term and then waits sees this write or refuses it.
                let writing = Arc::clone(&leading.0.writing).try_read_owned().ok()?;
                leading.is_current().then_some(Writing { _leading: Some(writing) })
            }
            Self::Operator(_) => Some(Writing { _leading: None }),
        }
    }

    /// For a command that a person ran. Made by `cli` only.
    pub fn operator() -> Self {
        Self::Operator(Operator(()))
    }
}

/// A person's command. Made by `cli` only.
#[derive(Debug, Clone)]
pub struct Operator(());

/// One term of leadership. All copies end together.
#[derive(Clone)]
pub struct Leading(Arc<Term>);

struct Term {
    begun: Stopwatch,
    /// Milliseconds after `begun` until which nobody else can have taken the lease.
    sure_until: AtomicU64,
    /// The same by the wall clock, in milliseconds since 1970: the other clock stands still while a machine sleeps. A
    /// step of the wall clock can only end a right early, until the next renewal.
    sure_until_wall: AtomicI64,
    over: AtomicBool,
    /// Held by each write while it is under way.
    writing: Arc<RwLock<()>>,
}

/// A write that is under way.
#[derive(Debug)]
pub(super) struct Writing {
    _leading: Option<OwnedRwLockReadGuard<()>>,
}

impl Leading {
    /// A term that begins when its first request is sent, and gives no right before that is answered. Made by `leader`
    /// only.
    pub(crate) fn begin(sent: Stopwatch) -> Self {
        Self(Arc::new(Term {
            begun: sent,
            sure_until: AtomicU64::new(0),
            sure_until_wall: AtomicI64::new(0),
            over: AtomicBool::new(false),
            writing: Arc::default(),
        }))
    }

    /// The lease was renewed by a request that was sent at `sent`, by the wall clock at `sent_at`: it is surely ours for
    /// `sure` from then on.
    pub(crate) fn renewed(&self, sent: Stopwatch, sent_at: Timestamp, sure: Duration) {
        let until = self.0.begun.until(sent).saturating_add(sure);
        let wall = sent_at.as_millisecond().saturating_add_unsigned(millis(sure));
        self.0.sure_until_wall.store(wall, Ordering::Release);
        self.0.sure_until.store(millis(until), Ordering::Release);
    }

    /// The term is over, for good.
    pub(crate) fn end(&self) {
        self.0.over.store(true, Ordering::Release);
    }

    /// Waits until no write of this term is under way. After [`Self::end`] none can begin.
    pub(crate) async fn quiet(&self) {
        drop(self.0.writing.write().await);
    }

    /// Whether the lease is surely ours at this moment.
    pub fn is_current(&self) -> bool {
        !self.0.over.load(Ordering::Acquire)
            && millis(self.0.begun.elapsed()) < self.0.sure_until.load(Ordering::Acquire)
            && clock::now().as_millisecond() < self.0.sure_until_wall.load(Ordering::Acquire)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Leading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leading").field("current", &self.is_current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_term_is_quiet_when_its_last_write_is_over() {
        let leading = Leading::begin(Stopwatch::start());
        leading.renewed(Stopwatch::start(), clock::now(), Duration::from_mins(1));
        let writer = Writer::Leading(leading.clone());
        let write = writer.begin_write().unwrap();
        leading.end();
        assert!(writer.begin_write().is_none(), "after the end none begins");
        let quiet = leading.quiet();
        tokio::pin!(quiet);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), &mut quiet).await.is_err(),
            "one is under way"
        );
        drop(write);
        quiet.await;
    }

    #[test]
    fn a_term_gives_a_right_only_while_it_is_renewed() {
        let leading = Leading::begin(Stopwatch::start());
        let copy = Writer::Leading(leading.clone());
        assert!(!copy.is_current(), "never renewed");
        leading.renewed(Stopwatch::start(), clock::now(), Duration::from_mins(1));
        assert!(copy.is_current());
        leading.renewed(Stopwatch::start(), clock::now(), Duration::ZERO);
        assert!(!copy.is_current(), "the time is up");
        leading.renewed(Stopwatch::start(), clock::now(), Duration::from_mins(1));
        let slept = clock::now() - Duration::from_secs(61);
        leading.renewed(Stopwatch::start(), slept, Duration::from_mins(1));
        assert!(!copy.is_current(), "the machine slept, and only the wall clock knows");
        leading.renewed(Stopwatch::start(), clock::now(), Duration::from_mins(1));
        leading.end();
        assert!(!copy.is_current(), "over");
        leading.renewed(Stopwatch::start(), clock::now(), Duration::from_mins(1));
        assert!(!copy.is_current(), "over for good");
    }
}
