//! Who is connected, and who goes when there is no room.
//!
//! First a stranger, who has never asked anything to the end. Of these first whoever has kept us waiting: without a
//! handshake, then silent after one (so does a reserve that Go's client opens), then with a request that has been
//! arriving for longer than a review takes to arrive, or else 128 slow senders would keep everybody out for as long as
//! a body may take. Only then a stranger who has just come: he may be about to ask. Last whoever of the others has been
//! idle longest. A review that arrives as reviews do is never given up for another.
//!
//! While less than a quarter are strangers, one who has just come goes last of all: in a house full of idle connections
//! newcomers would else put each other out before any could ask. Where they are more, who has asked before is kept: a flood
//! of newcomers would else empty the API server's pool.
//!
//! Nobody can know that no request is on its way on an idle connection, but what has arrived can be seen: whoever could
//! ask is asked to leave, looks once more, and answers what has come. Meanwhile his seat is free.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id};

use crate::telemetry::clock::Stopwatch;

/// So many may be leaving at a time, beside those who have seats.
const LEAVING: usize = 16;
/// Who has been leaving for longer is cut off when others have to go: many times what a look takes.
const GOODBYE: Duration = Duration::from_millis(20);
/// A stranger who has just come is spared as long as strangers are fewer than one in so many.
const FEW: usize = 4;

/// What one connection is doing. Written by the connection, read by the accept loop.
#[derive(Debug)]
pub struct Seat {
    begin: Stopwatch,
    served: AtomicU64,
    busy: AtomicBool,
    /// Since when it has been busy or idle, in microseconds after `begin`.
    since: AtomicU64,
    /// It could ask by now: its handshake is over.
    greeted: AtomicBool,
    leaving: AtomicBool,
    asked_to_leave: Notify,
}

/// How well a connection can be spared, what counts most first, and how long it has been as it is: the greatest goes.
type Spare = ([bool; 4], Duration);

impl Seat {
    /// A connection that was just taken.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            begin: Stopwatch::start(),
            served: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            since: AtomicU64::new(0),
            greeted: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            asked_to_leave: Notify::new(),
        })
    }

    /// The handshake is over, or there is none.
    pub fn greet(&self) {
        self.greeted.store(true, Ordering::Relaxed);
    }

    /// Waits until this connection should make room.
    pub async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// True once it should make room.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    fn ask_to_leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.asked_to_leave.notify_one();
    }

    /// Who is leaving takes no seat, unless there is a request to answer yet.
    fn takes_one(&self) -> bool {
        self.is_busy() || !self.is_leaving()
    }

    /// When it was taken.
    pub fn begin(&self) -> Stopwatch {
        self.begin
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

    /// How well this connection can be spared `now`, where strangers are `few` or not; `None` when it cannot.
    fn spare(&self, now: Stopwatch, lag: Duration, few: bool) -> Option<Spare> {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        let lasting = self.begin.until(now).saturating_sub(since);
        let (idle, waited_for) = (!self.is_busy(), lasting > lag);
        if few && idle && self.is_fresh() && !waited_for {
            return Some(([false; 4], lasting));
        }
        (idle || waited_for).then(|| ([self.is_fresh(), waited_for, !self.has_greeted(), idle], lasting))
    }

    fn has_greeted(&self) -> bool {
        self.greeted.load(Ordering::Relaxed)
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
    open: HashMap<Id, (Arc<Seat>, AbortHandle)>,
    /// Who was asked to leave, and when, the first one first.
    leaving: VecDeque<(Id, Stopwatch)>,
}

impl Seats {
    /// Seats a connection.
    pub fn take(&mut self, seat: Arc<Seat>, task: AbortHandle) {
        self.open.insert(task.id(), (seat, task));
    }

    /// The connection has ended.
    pub fn leave(&mut self, id: Id) {
        self.open.remove(&id);
        self.leaving.retain(|(leaving, _)| *leaving != id);
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Seats that are taken.
    pub fn taken(&self) -> usize {
        self.open.values().filter(|(seat, _)| seat.takes_one()).count()
    }

    /// Connections with a request in flight.
    pub fn busy(&self) -> usize {
        self.open.values().filter(|(seat, _)| seat.is_busy()).count()
    }

    /// Frees the seat of the connection that can best be spared; `false` when all have a request in flight, and none for
    /// longer than `lag`, or when enough are leaving already.
    pub fn spare_one(&mut self, lag: Duration) -> bool {
        // One moment for all: who is looked at later would seem to have been idle longer.
        let now = Stopwatch::start();
        let seated = || self.open.iter().filter(|(_, (seat, _))| seat.takes_one());
        let strangers = seated().filter(|(_, (seat, _))| seat.is_fresh()).count();
        let few = strangers * FEW < self.taken();
        let spared = seated()
            .filter_map(|(id, (seat, _))| Some((seat.spare(now, lag, few)?, *id, seat)))
            .max_by_key(|(spare, id, _)| (*spare, *id));
        let Some((_, id, seat)) = spared else { return false };
        let seat = Arc::clone(seat);
        if seat.is_busy() || !seat.has_greeted() {
            self.cut_off(id);
            return true;
        }
        if self.leaving.len() >= LEAVING
            && let Some((first, asked)) = self.leaving.front().copied()
        {
            if asked.until(now) < GOODBYE {
                return false;
            }
            self.leaving.pop_front();
            if self.open.get(&first).is_some_and(|(seat, _)| !seat.is_busy()) {
                self.cut_off(first);
            }
        }
        seat.ask_to_leave();
        self.leaving.push_back((id, now));
        true
    }

    fn cut_off(&mut self, id: Id) {
        if let Some((_, task)) = self.open.remove(&id) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LAG: Duration = Duration::from_millis(50);

    /// How a connection went.
    #[derive(Debug, PartialEq)]
    enum Went {
        Asked,
        CutOff,
    }

    struct Guest {
        seat: Arc<Seat>,
        task: JoinHandle<()>,
    }

    impl Guest {
        /// Leaves when asked to.
        fn before_handshake(seats: &mut Seats) -> Self {
            let seat = Seat::new();
            let asked = Arc::clone(&seat);
            let task = tokio::spawn(async move { asked.asked_to_leave().await });
            seats.take(Arc::clone(&seat), task.abort_handle());
            Self { seat, task }
        }

        fn stranger(seats: &mut Seats) -> Self {
            let guest = Self::before_handshake(seats);
            guest.seat.greet();
            guest
        }

        fn known(seats: &mut Seats) -> Self {
            let guest = Self::stranger(seats);
            drop(guest.seat.serve());
            guest
        }

        /// Hears that it should leave, and stays.
        fn deaf(seats: &mut Seats) -> Self {
            let seat = Seat::new();
            let task = tokio::spawn(std::future::pending());
            seats.take(Arc::clone(&seat), task.abort_handle());
            seat.greet();
            Self { seat, task }
        }

        async fn goes(self) -> Went {
            match timeout(Duration::from_secs(5), self.task).await.expect("the connection goes") {
                Ok(()) => Went::Asked,
                Err(error) if error.is_cancelled() => Went::CutOff,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn strangers_go_before_those_who_have_asked_and_nobody_in_flight() {
        let mut seats = Seats::default();
        let known = Guest::known(&mut seats);
        let asking = Guest::stranger(&mut seats);
        let _asked = asking.seat.serve();
        let first = Guest::stranger(&mut seats);
        let second = Guest::stranger(&mut seats);
        let silent = Guest::before_handshake(&mut seats);

        for (guest, how) in
            [(silent, Went::CutOff), (first, Went::Asked), (second, Went::Asked), (known, Went::Asked)]
        {
            assert!(seats.spare_one(LAG));
            assert_eq!(guest.goes().await, how);
        }
        assert!(!seats.spare_one(LAG), "the only one left is in flight");
        assert!(!asking.task.is_finished());
    }

    #[tokio::test]
    async fn whoever_keeps_us_waiting_goes_before_a_stranger_who_has_just_come() {
        let mut seats = Seats::default();
        let known = Guest::known(&mut seats);
        let dribbling = Guest::stranger(&mut seats);
        let _asked = dribbling.seat.serve();
        let reserve = Guest::stranger(&mut seats);
        let silent = Guest::before_handshake(&mut seats);
        sleep(LAG * 2).await;
        let brisk = Guest::stranger(&mut seats);
        let _brisk = brisk.seat.serve();
        let new = Guest::before_handshake(&mut seats);

        for (guest, how) in [
            (silent, Went::CutOff),
            (reserve, Went::Asked),
            (dribbling, Went::CutOff),
            (new, Went::CutOff),
            (known, Went::Asked),
        ] {
            assert!(seats.spare_one(LAG));
            assert_eq!(guest.goes().await, how);
        }
        assert!(!seats.spare_one(LAG) && !brisk.task.is_finished());
    }

    #[tokio::test]
    async fn where_strangers_are_few_one_who_has_just_come_stays_and_the_idle_go() {
        let mut seats = Seats::default();
        let known: Vec<_> = (0..8).map(|_| Guest::known(&mut seats)).collect();
        let reserve = Guest::stranger(&mut seats);
        sleep(LAG * 2).await;
        let lively = Guest::known(&mut seats);
        let new = [Guest::before_handshake(&mut seats), Guest::stranger(&mut seats)];
        // Three strangers of twelve are a quarter.
        assert!(seats.spare_one(LAG));
        assert_eq!(reserve.goes().await, Went::Asked);
        for known in known {
            assert!(seats.spare_one(LAG));
            assert_eq!(known.goes().await, Went::Asked);
            // Its seat is taken by somebody who asks.
            let asking = Guest::known(&mut seats);
            std::mem::forget(asking.seat.serve());
        }
        assert!(seats.spare_one(LAG));
        assert_eq!(lively.goes().await, Went::Asked);
        assert!(new.iter().all(|guest| !guest.task.is_finished()));
    }

    #[tokio::test]
    async fn who_is_leaving_takes_no_seat_unless_a_request_has_come_and_is_not_asked_twice() {
        let mut seats = Seats::default();
        let guest = Guest::deaf(&mut seats);
        assert!(seats.spare_one(LAG));
        assert_eq!((seats.open(), seats.taken()), (1, 0));
        assert!(!seats.spare_one(LAG), "there is nobody else");

        let asked = guest.seat.serve();
        assert_eq!((seats.open(), seats.taken()), (1, 1));
        assert!(!seats.spare_one(LAG), "it is in flight");
        sleep(LAG * 2).await;
        assert!(seats.spare_one(LAG), "it takes too long");
        assert_eq!(guest.goes().await, Went::CutOff);
        drop(asked);
        assert_eq!((seats.open(), seats.taken()), (0, 0));
    }

    #[tokio::test]
    async fn only_so_many_are_leaving_at_a_time_and_no_review_of_theirs_is_cut_off() {
        let mut seats = Seats::default();
        let mut guests: Vec<_> = (0..LEAVING + 2).map(|_| Guest::deaf(&mut seats)).collect();
        for _ in 0..LEAVING {
            assert!(seats.spare_one(LAG));
        }
        assert_eq!((seats.open(), seats.taken()), (LEAVING + 2, 2));
        assert!(!seats.spare_one(LAG), "they have had no time to look");
        let _asked = guests[0].seat.serve();
        sleep(GOODBYE * 2).await;
        for _ in 0..2 {
            assert!(seats.spare_one(LAG));
        }
        assert_eq!(guests.remove(1).goes().await, Went::CutOff);
        assert!(guests.iter().all(|guest| !guest.task.is_finished()));
        assert_eq!((seats.open(), seats.taken()), (LEAVING + 1, 1));
    }
}
