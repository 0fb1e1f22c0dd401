//! Random sequences of writes by EKS, Helm and kubectl on a real API server, through our real server.
//!
//! `CNI_STEWARD_SEQUENCES` says how many (10 without it, on 1.36 only), `CNI_STEWARD_SEED` which ones, and
//! `CNI_STEWARD_SEQUENCE` picks one by its number. A failure prints its seed, its number and the steps so far.

mod check;
mod eks;
mod kubectl;
mod plan;
mod play;
mod release;
mod things;

use crate::pairs::number;
use crate::support::control_plane::{ControlPlane, Version};
use crate::support::steward::Steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{ApiServer124, ApiServer136, Etcd, Helm3, Helm4, Kubectl};
use plan::{Plan, Rules};
use play::{Counts, Play};

const SEQUENCES: &str = "CNI_STEWARD_SEQUENCES";

/// Those on 1.24 only when somebody asks for a number of them.
pub(crate) fn cases() -> Vec<Case> {
    let new = Case {
        name: "sequences::random_writes_end_as_foretold_and_owned_1_36",
        needs: &[ApiServer136, Etcd, Kubectl, Helm3, Helm4],
        run: || play(Version::V1_36),
    };
    let old = Case {
        name: "sequences::random_writes_end_as_foretold_and_owned_1_24",
        needs: &[ApiServer124, Etcd, Kubectl, Helm3, Helm4],
        run: || play(Version::V1_24),
    };
    if std::env::var_os(SEQUENCES).is_some() { vec![new, old] } else { vec![new] }
}

fn play(version: Version) {
    let (count, seed) = (number(SEQUENCES, 10), number("CNI_STEWARD_SEED", 7));
    let only = number("CNI_STEWARD_SEQUENCE", u64::MAX);
    let plane = ControlPlane::start(version);
    let mut counts = Counts::new();
    let mut all: Vec<u64> = (0..count).filter(|number| only == u64::MAX || *number == only).collect();
    // One server for each policy, one after the other.
    all.sort_by_key(|number| (Rules::of(*number), *number));
    for group in all.chunk_by(|a, b| Rules::of(*a) == Rules::of(*b)) {
        let steward = Steward::start(&Rules::of(group[0]).policy());
        steward.register(&plane);
        for &number in group {
            let Plan { rules, steps } = Plan::draw(seed, number);
            let mut trail = Trail { version, seed, number, rules, steps: Vec::new() };
            let mut play = Play::new(&plane, rules, &mut counts);
            for step in &steps {
                trail.steps.push(step.to_string());
                play.step(step);
            }
            play.clean();
        }
    }
    eprintln!("{} sequences of seed {seed} on {}: {counts:#?}", all.len(), version.minor());
    for end in EXPECTED {
        assert!(
            count < 10 || only != u64::MAX || counts.contains_key(end),
            "no sequence had: {end}; {counts:#?}"
        );
    }
}

/// What ten sequences come upon, or they prove little.
const EXPECTED: [&str; 9] = [
    "server-side Accepts",
    "server-side Conflicts",
    "client-side Accepts",
    "server-side values gone with the chart's",
    "client-side values gone with the chart's",
    "client-side values left over",
    "repeated eks applies",
    "repeated upgrades",
    "rollbacks",
];

/// The way so far, told when something on it fails.
struct Trail {
    version: Version,
    seed: u64,
    number: u64,
    rules: Rules,
    steps: Vec<String>,
}

impl Drop for Trail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { version, seed, number, rules, steps } = self;
            eprintln!(
                "failed on {} with CNI_STEWARD_SEED={seed} {SEQUENCES}={} CNI_STEWARD_SEQUENCE={number}, {rules:?}, after\n  {}",
                version.minor(),
                *number + 1,
                steps.join("\n  ")
            );
        }
    }
}
