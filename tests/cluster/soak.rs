//! Mixed load with faults for an hour (`make soak`) or for two minutes (CI): nothing fails but what must, and memory and
//! descriptors stay where they are.
//!
//! The load comes in rounds that are alike. After each there is a moment without any, and only there memory and descriptors are
//! read for the slope: in the middle of a round they say what is being done, not what is left over. The first third of the
//! rounds is warm-up. Each kind of load and fault is counted where it took effect, and none may be missing.

mod faults;
mod peers;
mod reading;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::scene::NEW_HELM_4;
use crate::support::control_plane::{Helm, User, Version};
use crate::support::fixtures;
use crate::support::http::Client;
use crate::support::load::Load;
use crate::support::slope::slope;
use crate::support::suite::Case;
use crate::support::watchdog::Background;
use crate::trust::{Scene, counted};
use reading::Readings;

/// Writes a second through the API server, beside all else: what two cores do without falling behind.
const RATE: u64 = 40;
/// Rounds, however long they take: each fault comes at least once, and six readings are left after the warm-up.
const LEAST: u32 = 8;
/// The load of one round. Longer than what a slow peer is given (10 s).
const ROUND: Duration = Duration::from_secs(11);

/// How many minutes the load goes on.
const MINUTES: &str = "CNI_STEWARD_SOAK_MINUTES";

/// The load itself only when somebody says how long.
pub(crate) fn cases() -> Vec<Case> {
    let told = Case { name: "soak::a_leak_is_told_from_noise", needs: &[], run: a_leak_is_told_from_noise };
    let load = Case {
        name: "soak::memory_and_descriptors_stay_flat_under_mixed_load_with_faults",
        needs: NEW_HELM_4,
        run: soak,
    };
    if std::env::var_os(MINUTES).is_some() { vec![told, load] } else { vec![told] }
}

/// What happened, and what should not have.
#[derive(Debug, Clone, Default)]
struct Tally(Arc<Mutex<Counted>>);

#[derive(Debug, Clone, Default)]
struct Counted {
    counts: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

impl Tally {
    fn count(&self, what: &'static str, times: u64) {
        *self.0.lock().unwrap().counts.entry(what).or_default() += times;
    }

    fn failed(&self, what: impl Into<String>) {
        self.0.lock().unwrap().failures.push(what.into());
    }

    /// Counts what went well, and keeps what did not.
    fn expect(&self, what: &'static str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.count(what, 1),
            Err(problem) => self.failed(format!("{what}: {problem}")),
        }
    }

    fn of(&self, what: &str) -> u64 {
        self.0.lock().unwrap().counts.get(what).copied().unwrap_or_default()
    }
}

/// What has to have happened, each as often as this at least.
const EXPECTED: [(&str, u64); 30] = [
    ("writes through the API server", 100),
    ("applies by eks", 2),
    ("writes by kubectl", 2),
    ("helm upgrades", 2),
    ("direct reviews of 2 kB", 10),
    ("direct reviews of 24 kB", 10),
    ("direct reviews of 250 kB", 4),
    ("direct reviews of 2 MB", 2),
    ("direct reviews of 6 MB", 2),
    ("floods of paths, 2 MB", 2),
    ("floods of paths, 6 MB", 2),
    ("slow handshakes cut off", 2),
    ("slow heads cut off", 2),
    ("slow bodies cut off", 2),
    ("plain HTTP told so", 2),
    ("garbage instead of a handshake", 2),
    ("bodies that are no review: 400", 2),
    ("wrong types: 415", 2),
    ("too large: 413", 2),
    ("unknown paths: 404", 2),
    ("connections opened and dropped", 100),
    ("strangers sent away when it was full", 20),
    ("policies taken", 2),
    ("policies refused", 2),
    ("new authorities in force", 2),
    ("leaves looked at, all of them trusted", 2),
    ("API server hung", 1),
    ("API server restarted", 1),
    ("answered while the API server hung", 1),
    ("metrics read", 20),
];

/// Asked once more, since the connection was closed.
const AGAIN: &str = "asked again on a new connection";

/// What is logged of a policy that is refused, as it has to be.
const REFUSED: &str = "a changed file cannot be used";

/// All that a round needs.
struct Soak {
    scene: Scene,
    steward: Background,
    tally: Tally,
    /// What the API server let pass uncalled until it was restarted last.
    passed_before: u64,
    /// What its count stood at when we began, or it came again.
    passed_at_start: u64,
}

fn soak() {
    let minutes: f64 = std::env::var_os(MINUTES).unwrap().to_str().unwrap().parse().unwrap();
    let wanted = Duration::from_secs_f64(minutes * 60.0);
    let scene = Scene::new(Version::V1_36);
    scene.plane.eks_apply(fixtures::EKS_APPLY).ok();
    let steward = scene.start("");
    scene.await_trust("from nothing");
    let chart =
        ["upgrade", "--install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    scene.plane.eks_apply(fixtures::EKS_APPLY).ok();
    scene.plane.helm(Helm::V4, &chart).ok();
    let mut soak = Soak {
        passed_before: 0,
        passed_at_start: scene.passed_uncalled(),
        scene,
        steward,
        tally: Tally::default(),
    };
    let begin = Instant::now();
    let mut readings = Readings::new(soak.steward.pid());
    let mut round = 0;
    while begin.elapsed() < wanted || round < LEAST {
        round += 1;
        soak.round(round, &mut readings);
        readings.at_rest(&soak.telemetry());
        println!("{:.1} min: {}", begin.elapsed().as_secs_f64() / 60.0, readings.last());
    }
    soak.judge(round, begin.elapsed(), &readings);
}

impl Soak {
    fn telemetry(&self) -> Client {
        Client::plain(self.scene.telemetry())
    }

    fn metric(&self, name: &str, text: &str) -> u64 {
        counted(&self.telemetry().get("/metrics").unwrap().text(), name, text)
    }

    /// How many writes of targets the API server let pass without us since we began.
    fn passed(&self) -> u64 {
        self.passed_before + self.scene.passed_uncalled() - self.passed_at_start
    }

    fn round(&mut self, round: u32, readings: &mut Readings) {
        let over = Arc::new(AtomicBool::new(false));
        let begin = Instant::now();
        let peers = peers::start(&self.scene, &self.tally, &over);
        let load = Load::start(&self.scene.plane, RATE);
        self.people(round);
        faults::policy(self, round);
        if round % 5 == 1 {
            faults::authority(self);
        }
        readings.under_load();
        while begin.elapsed() < ROUND {
            std::thread::sleep(Duration::from_millis(200));
            readings.under_load();
        }
        let seen = load.stop();
        self.tally.count("writes through the API server", seen.answered);
        for problem in seen.failed {
            self.tally.failed(problem);
        }
        match round % 5 {
            2 => faults::hang(self),
            4 => faults::restart(self),
            _ => {}
        }
        over.store(true, Ordering::Relaxed);
        for peer in peers {
            peer.join().unwrap();
        }
    }

    /// What EKS, people and Helm do.
    fn people(&self, round: u32) {
        let done = |what, output: crate::support::Output| {
            let outcome = if output.code == 0 { Ok(()) } else { Err(output.to_string()) };
            self.tally.expect(what, outcome);
        };
        let plane = &self.scene.plane;
        let manifest = if round.is_multiple_of(2) { fixtures::EKS_APPLY } else { fixtures::EKS_APPLY_NEXT };
        done("applies by eks", plane.eks_apply(manifest));
        let note = format!("example.org/round={round}");
        let annotate = ["-n", "kube-system", "annotate", "--overwrite", "daemonset", "aws-node", &note];
        done("writes by kubectl", plane.kubectl(User::Joe, &annotate));
        let chart = ["upgrade", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
        done("helm upgrades", plane.helm(Helm::V4, &chart));
    }

    fn judge(&self, rounds: u32, took: Duration, readings: &Readings) {
        let hour = took.as_secs_f64() / 3600.0;
        let reviews = self.metric("cni_steward_reviews_total", "");
        println!("{rounds} rounds in {:.1} min, {reviews} reviews; {}", hour * 60.0, readings.last());
        let Counted { counts, failures } = self.tally.0.lock().unwrap().clone();
        for (what, count) in &counts {
            println!("  {count:>8}  {what}");
        }
        let mut problems = failures;
        for (what, least) in EXPECTED {
            let seen = self.tally.of(what);
            if seen < least {
                problems.push(format!("{what}: expected {least} at least, seen {seen}"));
            }
        }
        // Each round has one full house, and whoever asks then is mostly not the longest idle.
        let (again, most) = (self.tally.of(AGAIN), 3 * u64::from(rounds));
        if again > most {
            problems.push(format!("{AGAIN}: expected {most} times at most, seen {again}"));
        }
        let passed = self.passed();
        if passed > 0 {
            problems.push(format!("the API server let {passed} writes of targets pass without us"));
        }
        for (metric, text, expected) in [
            ("cni_steward_panics_total", "", 0),
            ("cni_steward_log_lines_dropped_total", "", 0),
            ("cni_steward_reviews_in_flight", "", 0),
        ] {
            let seen = self.metric(metric, text);
            if seen != expected {
                problems.push(format!("{metric}: expected {expected}, seen {seen}"));
            }
        }
        let page = self.telemetry().get("/metrics").unwrap().text();
        let ended =
            page.lines().filter(|line| line.starts_with("cni_steward_loop_running{") && line.ends_with(" 0"));
        problems.extend(ended.map(|line| format!("a loop has ended: {line}")));
        problems.extend(self.scene.errors_but(REFUSED).into_iter().map(|line| format!("logged: {line}")));
        problems.extend(readings.judge(took));
        if !problems.is_empty() {
            self.scene.fail(&format!("{} problems:\n{}", problems.len(), problems.join("\n")));
        }
    }
}

/// Synthetic readings: with a leak the slope is proven, without one it is not, however much they go up and down.
fn a_leak_is_told_from_noise() {
    let readings = |leak: f64| -> Vec<(f64, f64)> {
        let noise = |at: u32| f64::from((at * 7919 + 13) % 101) - 50.0;
        (0..40).map(|at| (f64::from(at) / 300.0, 5000.0 + noise(at) + leak * f64::from(at))).collect()
    };
    let flat = slope(&readings(0.0)).unwrap();
    assert!(flat.low < 0.0 && flat.high > 0.0, "expected no slope of noise, seen {flat:?}");
    // 10 KiB a round of 12 s are 3000 KiB an hour.
    let leak = slope(&readings(10.0)).unwrap();
    assert!(leak.low < 3000.0 && 3000.0 < leak.high && leak.low > 2000.0, "expected 3000, seen {leak:?}");
}
