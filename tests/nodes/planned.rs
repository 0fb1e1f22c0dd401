//! Whatever a person plans to do with a cluster, no review is lost: not at the client, and not silently by failing open.

use std::path::Path;
use std::time::Instant;

use crate::cell::report;
use crate::cluster::{NEEDS, PATIENCE};
use crate::stage::{Counted, OURS, Stage};
use crate::support::control_plane::Helm;
use crate::support::load::Load;
use crate::support::suite::Case;
use crate::support::{fixtures, until, watchdog};

pub(crate) const CASES: &[Case] = &[Case {
    name: "planned::no_review_is_lost_through_sigterm_roll_out_drain_a_new_certificate_and_a_new_policy",
    needs: NEEDS,
    run: no_review_is_lost,
}];

/// Reviews a second; the issue asks for 200.
const RATE: u64 = 240;
/// The full size.
const FULL: u64 = 10_000;
const EXPIRY: &str = "cni_steward_certificate_expiry_timestamp_seconds";

type Event = (&'static str, fn(&Stage));

const EVENTS: [Event; 7] = [
    ("nothing", |_| ()),
    ("SIGTERM of a replica", terminate),
    ("a replica deleted", delete),
    ("roll-out", roll_out),
    ("node drain", drain),
    ("certificate swap", swap_certificate),
    ("policy reload", reload_policy),
];

fn no_review_is_lost() {
    let wanted = Load::wanted(FULL);
    let stage = Stage::set(Helm::V4);
    stage.install("Adopt");
    stage.cluster.plane.eks_apply(fixtures::EKS_APPLY).ok();
    stage.await_ready();

    let start = stage.counted();
    let load = Load::start(&stage.cluster.plane, RATE);
    let mut lost: Vec<(&str, Counted)> = Vec::new();
    let events = EVENTS.len() as u64;
    for (number, (name, happens)) in (1..).zip(EVENTS) {
        let (before, began) = (stage.counted(), Instant::now());
        happens(&stage);
        stage.await_ready();
        // An even share of the reviews comes during and after each event.
        load.await_sent(wanted * number / events);
        let counted = stage.counted().since(before);
        report(&format!(
            "{name}: {:.1?}, {} reviews answered, slowest write {:.1?}, {} failed open, {} calls failed",
            began.elapsed(),
            counted.answered,
            load.slowest(),
            counted.failed_open,
            counted.failed
        ));
        lost.push((name, counted));
    }
    load.await_sent(wanted);
    let seen = load.stop();
    let counted = stage.counted().since(start);
    report(&format!(
        "in all: {} writes in {:.1?} ({:.0} a second), {} failed; {} reviews answered, {} failed open, {} calls failed",
        seen.answered,
        seen.took,
        seen.rate(),
        seen.failed.len(),
        counted.answered,
        counted.failed_open,
        counted.failed
    ));
    assert!(seen.failed.is_empty(), "expected no write to fail, got {:#?}", seen.failed);
    assert_eq!(
        (counted.failed_open, counted.failed),
        (0, 0),
        "failed open and failed, event by event: {lost:#?}"
    );
    assert!(
        counted.answered >= wanted,
        "expected {wanted} answers, the API server counted {}",
        counted.answered
    );
    // The smoke size shows that none is lost; how fast, only the full size, on a machine that does nothing else.
    if wanted >= FULL {
        assert!(seen.rate() >= 200.0, "expected 200 reviews a second, got {:.0}", seen.rate());
    }
}

/// The program in the container gets a signal that nobody announced, and the kubelet starts it again.
fn terminate(stage: &Stage) {
    let restarts = |stage: &Stage| stage.replicas().iter().map(|replica| replica.1).sum::<u64>();
    let before = restarts(stage);
    let ours = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (std::fs::read_link(entry.path().join("exe")).ok()? == Path::new("/cni-steward")).then_some(pid)
    });
    watchdog::signal(ours.min().expect("a replica"), "TERM");
    until("the replica had been started again", PATIENCE, || (restarts(stage) > before).then_some(()))
        .unwrap();
}

fn delete(stage: &Stage) {
    let (name, _) = &stage.replicas()[0];
    stage.cluster.kubectl(&["delete", "pod", "-n", "kube-system", name]).ok();
}

fn roll_out(stage: &Stage) {
    let before = stage.replicas();
    for verb in ["restart", "status"] {
        stage.cluster.kubectl(&["rollout", verb, "deployment/cni-steward", "-n", "kube-system"]).ok();
    }
    // The roll-out is over when the new ones serve; an old one may still be leaving.
    until("only new replicas were there", PATIENCE, || {
        stage.replicas().iter().all(|replica| !before.contains(replica)).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {:?}, before {before:?}", stage.replicas()));
}

fn drain(stage: &Stage) {
    stage
        .cluster
        .kubectl(&["drain", "node2", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=3m"])
        .ok();
    stage.cluster.await_list("the other node had the only running replica", OURS, |pods| {
        let mut nodes = pods.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str());
        (nodes.next() == Some("node1") && nodes.next().is_none()).then_some(())
    });
    stage.cluster.kubectl(&["uncordon", "node2"]).ok();
}

fn swap_certificate(stage: &Stage) {
    let before = Stage::numbers(EXPIRY);
    stage.bring_certificate(&["--days", "100"]);
    Stage::await_pages("both replicas served the new certificate", |page| {
        let line = page.lines().find(|line| line.starts_with(EXPIRY)).unwrap_or_default();
        line.rsplit(' ').next().is_some_and(|value| !before.iter().any(|old| old == value))
    });
}

fn reload_policy(stage: &Stage) {
    for mode in ["Observe", "Adopt"] {
        stage.helm("upgrade", mode);
        Stage::await_pages("both replicas reported the new policy", |page| {
            page.contains(&format!("mode=\"{mode}\""))
        });
    }
}
