use super::*;

const PATH: &str = ".metadata.labels.a";

fn want(trace: &str) -> Vec<Wanted> {
    vec![Wanted { path: PATH.into(), by: "argocd-controller".into(), trace: trace.into() }]
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Contests {
    fn stops(&self, target: &str, path: &str) -> bool {
        self.stopped(target).iter().any(|stopped| stopped == path)
    }
}

/// Somebody changes the path back, and we repair it, if we still do.
fn round(contests: &mut Contests, now: u64) -> Vec<Contest> {
    let begun = contests.seen("t", &want(&format!("at {now}")), at(now));
    if !contests.stops("t", PATH) {
        contests.repaired("t", &[PATH.into()], at(now));
        contests.seen("t", &[], at(now));
    }
    begun
}

#[test]
fn the_third_time_back_in_ten_minutes_stops_and_names_the_other_writer() {
    let mut contests = Contests::default();
    for now in [0, 60, 120] {
        assert_eq!(round(&mut contests, now), [], "at {now}");
    }
    let begun = round(&mut contests, 180);
    let expected = Contest { path: PATH.into(), by: "argocd-controller".into(), backs: 3, quiet: at(600) };
    assert_eq!(begun, [expected]);
    assert!(contests.stops("t", PATH));
    assert_eq!(contests.count("t"), 1);
    assert!(!contests.stops("t", ".metadata.labels.b"), "another path goes on");
    assert!(!contests.stops("u", PATH), "another target goes on");
}

#[test]
fn slower_than_that_is_repaired_for_ever() {
    let mut contests = Contests::default();
    for turn in 0..1000 {
        assert_eq!(round(&mut contests, turn * 301), [], "turn {turn}");
    }
}

#[test]
fn the_same_unrepaired_state_seen_often_is_no_contest() {
    let mut contests = Contests::default();
    for now in 0..100 {
        assert_eq!(contests.seen("t", &want("x"), at(now)), [], "at {now}");
    }
    assert!(!contests.stops("t", PATH));
}

fn stopped() -> Contests {
    let mut contests = Contests::default();
    for now in [0, 60, 120, 180] {
        round(&mut contests, now);
    }
    assert!(contests.stops("t", PATH));
    contests
}

#[test]
fn it_resumes_once_the_other_has_been_quiet_for_ten_minutes() {
    let mut contests = stopped();
    contests.seen("t", &want("at 180"), at(779));
    assert!(contests.stops("t", PATH));
    contests.seen("t", &want("at 180"), at(780));
    assert!(!contests.stops("t", PATH));
    assert_eq!(contests.count("t"), 0);
}

#[test]
fn who_goes_on_writing_is_not_quiet() {
    let mut contests = stopped();
    contests.seen("t", &want("written again"), at(700));
    contests.seen("t", &want("written again"), at(1299));
    assert!(contests.stops("t", PATH), "only 599 s after the last write");
    contests.seen("t", &want("written again"), at(1300));
    assert!(!contests.stops("t", PATH));
}

#[test]
fn changed_back_again_after_that_it_stops_at_once_and_longer() {
    let mut contests = stopped();
    let mut now = 780;
    for quiet in [1200, 2400, 3600, 3600] {
        assert_eq!(round(&mut contests, now), [], "the trace changed once more");
        let resumed = contests.seen("t", &want(&format!("at {now}")), at(now + 4000));
        assert_eq!(resumed, []);
        assert!(!contests.stops("t", PATH));
        contests.repaired("t", &[PATH.into()], at(now + 4000));
        let begun = contests.seen("t", &want("again"), at(now + 4010));
        assert_eq!(begun.iter().map(|contest| contest.quiet).collect::<Vec<_>>(), [at(quiet)]);
        now += 10_000;
    }
}

#[test]
fn a_repair_that_holds_for_ten_minutes_is_forgotten() {
    let mut contests = stopped();
    contests.seen("t", &want("at 180"), at(780));
    contests.repaired("t", &[PATH.into()], at(780));
    contests.seen("t", &[], at(781));
    contests.seen("t", &[], at(1380));
    assert!(contests.0.is_empty(), "{contests:?}");
    for now in [1400, 1401, 1402] {
        assert_eq!(round(&mut contests, now), []);
    }
    assert_eq!(round(&mut contests, 1403).len(), 1);
}
