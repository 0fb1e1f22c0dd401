//! Who is connected, and who goes when there is no room.
//!
//! First a stranger, who has never asked anything to the end: one who is silent, then one whose request has been
//! arriving for longer than a review takes to arrive, or else 128 slow senders would keep everybody out for as long as
//! a body may take. Then whoever of the others has been idle longest. A review that arrives as reviews do is never
//! given up for another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, Id};

use crate::telemetry::clock::Stopwatch;

/// What one connection is doing. Written by the connection, read by the accept loop.
#[derive(Debug)]
pub struct Seat {
    begin: Stopwatch,
    served: AtomicU64,
    busy: AtomicBool,
    /// Since when it has been busy or idle, in microseconds after `begin`.
    since: AtomicU64,
}

impl Seat {
    /// A connection that was just taken.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            begin: Stopwatch::start(),
            served: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            since: AtomicU64::new(0),
        })
    }

    /// Marks a request as in flight until the guard is dropped.
    pub fn serve(self: &Arc<Self>) -> InFlight {
        self.turn(true);
        InFlight(Arc::clone(self))
    }

    /// True while a request is in flight.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Requests answered.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// True until the first request was answered.
    pub fn is_fresh(&self) -> bool {
        self.served() == 0
    }

    fn turn(&self, busy: bool) {
        let now = u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// How well this connection can be spared `now`; `None` when it cannot.
    fn spare(&self, now: Stopwatch, lag: Duration) -> Option<(bool, bool, Duration)> {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        let lasting = self.begin.until(now).saturating_sub(since);
        let idle = !self.is_busy();
        (idle || lasting > lag).then_some((self.is_fresh(), idle, lasting))
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct InFlight(Arc<Seat>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.served.fetch_add(1, Ordering::Relaxed);
        self.0.turn(false);
    }
}

/// All connections of one listener; owned by its accept loop, so nothing is locked.
#[derive(Debug, Default)]
pub struct Seats {
    taken: HashMap<Id, (Arc<Seat>, AbortHandle)>,
}

impl Seats {
    /// Seats a connection.
    pub fn take(&mut self, seat: Arc<Seat>, task: AbortHandle) {
        self.taken.insert(task.id(), (seat, task));
    }

    /// The connection has ended.
    pub fn leave(&mut self, id: Id) {
        self.taken.remove(&id);
    }

    /// Open connections.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// True when nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Connections with a request in flight.
    pub fn busy(&self) -> usize {
        self.taken.values().filter(|(seat, _)| seat.is_busy()).count()
    }

    /// Closes the connection that can best be spared; `false` when all have a request in flight, and none for longer
    /// than `lag`.
    pub fn spare_one(&mut self, lag: Duration) -> bool {
        // One moment for all: who is looked at later would seem to have been idle longer.
        let now = Stopwatch::start();
        let spared = self
            .taken
            .iter()
            .filter_map(|(id, (seat, _))| Some((seat.spare(now, lag)?, *id)))
            .max()
            .and_then(|(_, id)| self.taken.remove(&id));
        if let Some((_, task)) = &spared {
            task.abort();
        }
        spared.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LAG: Duration = Duration::from_millis(50);

    fn sit(seats: &mut Seats) -> (Arc<Seat>, JoinHandle<()>) {
        let seat = Seat::new();
        let task = tokio::spawn(std::future::pending::<()>());
        seats.take(Arc::clone(&seat), task.abort_handle());
        (seat, task)
    }

    async fn gone(task: JoinHandle<()>) -> bool {
        timeout(Duration::from_secs(5), task).await.expect("the connection goes").unwrap_err().is_cancelled()
    }

    #[tokio::test]
    async fn the_longest_idle_stranger_goes_first_and_nobody_in_flight() {
        let mut seats = Seats::default();
        let (known, known_task) = sit(&mut seats);
        drop(known.serve());
        let (_first, first_task) = sit(&mut seats);
        let (_second, second_task) = sit(&mut seats);
        let (asking, asking_task) = sit(&mut seats);
        let asked = asking.serve();

        for task in [first_task, second_task, known_task] {
            assert!(seats.spare_one(LAG));
            assert!(gone(task).await);
        }
        assert!(!seats.spare_one(LAG), "the only one left is in flight");
        assert!(!asking_task.is_finished());
        drop(asked);
        assert!(seats.spare_one(LAG));
    }

    #[tokio::test]
    async fn who_asks_too_slowly_goes_before_who_has_asked_before() {
        let mut seats = Seats::default();
        let (known, known_task) = sit(&mut seats);
        drop(known.serve());
        let (dribbling, dribbling_task) = sit(&mut seats);
        let _asked = dribbling.serve();
        sleep(LAG * 2).await;
        let (brisk, brisk_task) = sit(&mut seats);
        let _brisk = brisk.serve();
        assert!(seats.spare_one(LAG));
        assert!(gone(dribbling_task).await);
        assert!(seats.spare_one(LAG));
        assert!(gone(known_task).await);
        assert!(!seats.spare_one(LAG) && !brisk_task.is_finished());
    }
}
