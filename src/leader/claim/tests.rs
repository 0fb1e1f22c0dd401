use super::*;
use crate::cluster::request::LEADERS_WRITE;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn record(version: u32, holder: Option<&str>) -> Record {
    Record {
        version: version.to_string(),
        holder: holder.map(str::to_owned),
        good_for: Some(GOOD_FOR),
        renewed: format!("{holder:?} {version}"),
        transitions: 0,
    }
}

#[test]
fn no_write_of_a_leader_ends_after_somebody_else_can_begin() {
    assert!(SURE + LEADERS_WRITE <= GOOD_FOR);
    assert!(RENEW_EVERY * 3 < SURE);
}

#[test]
fn a_missing_lease_is_created_and_a_free_one_taken() {
    let mut view = View::new("a");
    view.saw(None, seconds(0));
    assert_eq!(view.next(seconds(0)), Step::Create);
    view.saw(Some(record(1, None)), seconds(0));
    assert_eq!(view.next(seconds(0)), Step::Take { over: record(1, None) });
}

#[test]
fn ours_is_renewed_until_somebody_writes_over_it() {
    let mut view = View::new("a");
    view.wrote(record(2, Some("a")), seconds(0));
    assert!(matches!(view.next(seconds(100)), Step::Renew { .. }), "time alone takes nothing from us");
    assert!(!view.saw(Some(record(2, Some("a"))), seconds(1)));
    assert!(view.saw(Some(record(3, Some("b"))), seconds(2)), "lost");
    assert_eq!(view.next(seconds(2)), Step::Wait(LOOK_EVERY));
    assert!(!view.saw(Some(record(3, Some("b"))), seconds(3)), "lost only once");
}

#[test]
fn ours_stays_ours_when_somebody_touches_the_lease_and_not_when_a_namesake_renews_it() {
    let mut view = View::new("a");
    view.wrote(record(2, Some("a")), seconds(0));
    let touched = Record { version: "3".into(), ..record(2, Some("a")) };
    assert!(!view.saw(Some(touched.clone()), seconds(1)), "a label, say");
    assert_eq!(view.next(seconds(1)), Step::Renew { over: touched });
    assert!(view.saw(Some(record(4, Some("a"))), seconds(2)), "its time is none of ours");
    assert!(view.has_namesake());
}

#[test]
fn a_holder_that_keeps_writing_is_waited_for_and_one_that_stands_still_is_not() {
    let mut view = View::new("a");
    for second in 0..60 {
        view.saw(Some(record(u32::try_from(second).unwrap(), Some("b"))), seconds(second));
        assert!(matches!(view.next(seconds(second)), Step::Wait(_)), "at {second} s");
    }
    assert_eq!(view.next(seconds(73)), Step::Wait(seconds(1)));
    assert_eq!(view.next(seconds(74)), Step::Take { over: record(59, Some("b")) });
}

#[test]
fn seeing_the_same_again_does_not_prolong_it() {
    let mut view = View::new("a");
    for second in [0, 5, 10, 15] {
        view.saw(Some(record(1, Some("b"))), seconds(second));
    }
    assert!(matches!(view.next(seconds(15)), Step::Take { .. }));
}

#[test]
fn a_record_that_says_forever_or_never_is_not_believed() {
    for (says, taken_at) in [(seconds(1 << 30), 60), (Duration::ZERO, 1), (seconds(5), 5)] {
        let mut view = View::new("a");
        view.saw(Some(Record { good_for: Some(says), ..record(1, Some("b")) }), seconds(0));
        assert!(matches!(view.next(seconds(taken_at - 1)), Step::Wait(_)), "{says:?}");
        assert!(matches!(view.next(seconds(taken_at)), Step::Take { .. }), "{says:?}");
    }
}

#[test]
fn a_restarted_replica_takes_what_has_its_name_at_once() {
    let mut view = View::new("a");
    view.saw(Some(record(7, Some("a"))), seconds(0));
    assert!(matches!(view.next(seconds(0)), Step::Take { .. }));
}

#[test]
fn two_of_one_name_do_not_take_it_from_each_other_in_turn() {
    let mut view = View::new("a");
    view.wrote(record(1, Some("a")), seconds(0));
    assert!(view.saw(Some(record(2, Some("a"))), seconds(3)), "it is not what we wrote");
    assert!(view.has_namesake());
    assert_eq!(view.next(seconds(3)), Step::Wait(LOOK_EVERY));
    assert!(matches!(view.next(seconds(18)), Step::Take { .. }), "the namesake is gone");
}

#[test]
fn a_renewal_whose_answer_was_lost_is_known_again() {
    let mut view = View::new("a");
    view.wrote(record(1, Some("a")), seconds(0));
    let stored = record(2, Some("a"));
    view.trying(&stored.renewed);
    assert!(!view.saw(Some(stored), seconds(3)));
    assert!(matches!(view.next(seconds(3)), Step::Renew { .. }));
}

#[test]
fn the_first_of_several_unanswered_renewals_is_known_again_too() {
    let mut view = View::new("a");
    view.wrote(record(1, Some("a")), seconds(0));
    let stored = record(2, Some("a"));
    view.trying(&stored.renewed);
    view.trying("refused: the first was stored in the meantime");
    assert!(!view.saw(Some(stored), seconds(6)), "it is ours");
    assert!(!view.has_namesake());
    view.wrote(record(3, Some("a")), seconds(7));
    assert!(
        view.saw(Some(Record { version: "4".into(), ..record(2, Some("a")) }), seconds(8)),
        "long answered"
    );
}

#[test]
fn of_many_unanswered_renewals_the_last_eight_are_known_again() {
    for (stored, known) in [(1, false), (2, true), (9, true)] {
        let mut view = View::new("a");
        view.wrote(record(0, Some("a")), seconds(0));
        for renewal in 1..=9 {
            view.trying(&record(renewal, Some("a")).renewed);
        }
        assert_eq!(view.saw(Some(record(stored, Some("a"))), seconds(6)), !known, "renewal {stored}");
    }
}

#[test]
fn a_lease_that_vanished_under_its_leader_is_lost_and_created_anew() {
    let mut view = View::new("a");
    view.wrote(record(1, Some("a")), seconds(0));
    assert!(view.saw(None, seconds(1)));
    assert_eq!(view.next(seconds(1)), Step::Create);
}

/// Replicas with clocks of their own, pauses and failing requests: at no time do two of them believe that they may write.
#[test]
fn never_do_two_lead() {
    for seed in 0..300 {
        World::new(seed).run();
    }
}

struct World {
    random: u64,
    stored: Option<Record>,
    versions: u32,
    replicas: Vec<Replica>,
}

/// What a replica read, and has not acted on yet.
struct Reading(Option<Record>);

struct Replica {
    view: View,
    /// Added to the world's time: machines did not start together.
    skew: Duration,
    sure_until: Duration,
    next: Duration,
    read: Option<Reading>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            stored: None,
            versions: 0,
            replicas: Vec::new(),
        };
        for name in ["a", "b", "c"] {
            let skew = seconds(world.draw(600));
            let next = Duration::from_millis(world.draw(3000));
            let (view, sure_until) = (View::new(name), Duration::ZERO);
            world.replicas.push(Replica { view, skew, sure_until, next, read: None });
        }
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn run(&mut self) {
        let mut led = 0;
        for millis in (0..180_000).step_by(50) {
            let now = Duration::from_millis(millis);
            for index in 0..self.replicas.len() {
                if self.replicas[index].next <= now {
                    self.turn(index, now);
                }
            }
            let sure = self.replicas.iter().filter(|replica| now < replica.sure_until).count();
            assert!(sure <= 1, "{sure} replicas lead at {now:?}");
            led += sure;
        }
        assert!(led > 0, "nobody ever led");
    }

    /// A replica reads, and acts on what it read a while later.
    fn turn(&mut self, index: usize, now: Duration) {
        let fails = self.draw(4) == 0;
        let mut pause = Duration::from_millis(50 + self.draw(400));
        // Sometimes a machine stands still, or cannot reach the API server, for long.
        if self.draw(60) == 0 {
            pause = seconds(1 + self.draw(40));
        }
        let stored = self.stored.clone();
        let replica = &mut self.replicas[index];
        replica.next = now + pause;
        if now >= replica.sure_until && replica.sure_until > Duration::ZERO {
            replica.view.gave_up();
            replica.sure_until = Duration::ZERO;
        }
        if fails {
            replica.read = None;
            return;
        }
        let Some(Reading(read)) = replica.read.take() else {
            replica.read = Some(Reading(stored));
            return;
        };
        if replica.view.saw(read, now + replica.skew) {
            replica.sure_until = Duration::ZERO;
        }
        let over = match replica.view.next(now + replica.skew) {
            Step::Create => None,
            Step::Take { over } | Step::Renew { over } => Some(over),
            Step::Wait(_) => return,
        };
        if over.map(|record| record.version) != stored.map(|record| record.version) {
            return; // A conflict.
        }
        self.versions += 1;
        let mine = record(self.versions, Some(&replica.view.identity));
        self.stored = Some(mine.clone());
        replica.view.trying(&mine.renewed);
        // Stored, but the answer may be lost.
        if self.versions.is_multiple_of(7) {
            return;
        }
        replica.view.wrote(mine, now + replica.skew);
        replica.sure_until = now + SURE;
    }
}
