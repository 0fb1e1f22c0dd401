//! Who is connected, and who goes when there is no room: the connection that has been idle longest, and among those
//! first the ones that never asked anything. A connection with a request in flight is never closed for another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, Id};

use crate::telemetry::clock::Stopwatch;

/// What one connection is doing. Written by the connection, read by the accept loop.
#[derive(Debug)]
pub struct Seat {
    since: Stopwatch,
    served: AtomicU64,
    /// Microseconds after `since`, or [`BUSY`].
    idle_from: AtomicU64,
}

const BUSY: u64 = u64::MAX;

impl Seat {
    /// A connection that was just taken.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Stopwatch::start(),
            served: AtomicU64::new(0),
            idle_from: AtomicU64::new(0),
        })
    }

    /// Marks a request as in flight until the guard is dropped.
    pub fn serve(self: &Arc<Self>) -> InFlight {
        self.idle_from.store(BUSY, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// True while a request is in flight.
    pub fn is_busy(&self) -> bool {
        self.idle_from.load(Ordering::Relaxed) == BUSY
    }

    /// True until the first request was answered.
    pub fn is_fresh(&self) -> bool {
        self.served.load(Ordering::Relaxed) == 0
    }

    /// How long nothing was asked; `None` while a request is in flight.
    fn idle(&self) -> Option<Duration> {
        let from = self.idle_from.load(Ordering::Relaxed);
        (from != BUSY).then(|| {
            self.since
                .elapsed()
                .saturating_sub(Duration::from_micros(from))
        })
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct InFlight(Arc<Seat>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.served.fetch_add(1, Ordering::Relaxed);
        let now = u64::try_from(self.0.since.elapsed().as_micros()).unwrap_or(BUSY - 1);
        self.0.idle_from.store(now, Ordering::Relaxed);
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
        self.taken
            .values()
            .filter(|(seat, _)| seat.is_busy())
            .count()
    }

    /// Closes the connection that can best be spared; `false` when all have a request in flight.
    pub fn spare_one(&mut self) -> bool {
        let spared = self
            .taken
            .iter()
            .filter_map(|(id, (seat, _))| Some(((seat.is_fresh(), seat.idle()?), *id)))
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
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_stranger_goes_first_and_nobody_in_flight() {
        let mut seats = Seats::default();
        let mut sit = || {
            let seat = Seat::new();
            let task = tokio::spawn(std::future::pending::<()>());
            seats.take(Arc::clone(&seat), task.abort_handle());
            (seat, task)
        };
        let (known, known_task) = sit();
        drop(known.serve());
        let (_stranger, stranger_task) = sit();
        let (asking, asking_task) = sit();
        let asked = asking.serve();

        assert!(seats.spare_one());
        assert!(stranger_task.await.unwrap_err().is_cancelled());
        assert!(seats.spare_one());
        assert!(known_task.await.unwrap_err().is_cancelled());
        assert!(!seats.spare_one(), "the only one left is in flight");
        assert!(!asking_task.is_finished());
        drop(asked);
        assert!(seats.spare_one());
    }
}
