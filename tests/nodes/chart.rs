//! From `helm install` on a cluster that has no network yet to `helm uninstall`, with both Helms.

use crate::cell::report;
use crate::cluster::{NEEDS, PATIENCE};
use crate::scene::assert_stamped_and_owned;
use crate::stage::Stage;
use crate::support::control_plane::{Helm, difference};
use crate::support::fixtures;
use crate::support::load::Load;
use crate::support::suite::Case;
use crate::support::until;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "chart::helm_4_installs_us_before_the_cni_upgrades_the_policy_and_leaves_nothing_behind",
        needs: NEEDS,
        run: || life(Helm::V4),
    },
    Case {
        name: "chart::helm_3_installs_us_before_the_cni_upgrades_the_policy_and_leaves_nothing_behind",
        needs: NEEDS,
        run: || life(Helm::V3),
    },
];

fn life(helm: Helm) {
    let stage = Stage::set(helm);
    let before = stage.cluster.plane.etcd_state();
    stage.install("Adopt");

    // The webhook is reached through its Service, on a cluster without kube-proxy and DNS.
    stage.cluster.plane.eks_apply(fixtures::EKS_APPLY).ok();
    assert_owned(&stage);
    let words = ["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    stage.cluster.plane.helm(helm, &words).ok();
    assert_owned(&stage);

    another_policy(&stage);
    away(&stage, helm);

    let after = stage.cluster.plane.etcd_state();
    let left = difference(&before, &after);
    let ours: Vec<&str> =
        left.lines().filter(|line| line.contains("created") && line.contains("steward")).collect();
    assert!(ours.is_empty(), "expected nothing of ours to be left, got {ours:#?}");
}

#[track_caller]
fn assert_owned(stage: &Stage) {
    for (kind, name) in fixtures::OBJECTS {
        assert_stamped_and_owned(&stage.cluster.plane.get(kind, name));
    }
}

/// `helm upgrade` with another policy is in force in both replicas, and none of them was restarted.
fn another_policy(stage: &Stage) {
    let exists = stage.create_a_target();
    assert!(exists.refused().contains("already exists"), "{exists}");
    let replicas = stage.replicas();
    stage.helm("upgrade", "Block");
    Stage::await_pages("both replicas reported the new policy", |page| page.contains(r#"mode="Block""#));
    let refused = stage.create_a_target();
    assert!(refused.refused().contains("cni-steward.dev"), "expected our webhook to refuse: {refused}");
    assert_eq!(stage.replicas(), replicas, "expected no replica to be restarted or replaced");
    stage.helm("upgrade", "Adopt");
    Stage::await_pages("both replicas reported the old policy", |page| page.contains(r#"mode="Adopt""#));
}

/// `helm uninstall` while somebody writes the targets all the time.
fn away(stage: &Stage, helm: Helm) {
    let before = stage.counted();
    let load = Load::start(&stage.cluster.plane, 50);
    load.await_sent(50);
    stage.uninstall();
    until("our pods were gone", PATIENCE, || stage.replicas().is_empty().then_some(())).unwrap();
    load.await_sent(load.sent() + 50);
    let slowest = load.slowest();
    let seen = load.stop();
    let counted = stage.counted().since(before);
    report(&format!(
        "uninstall with {helm:?}: {} writes, {} failed, slowest {:.1?}; {} reviews answered, {} failed open",
        seen.answered,
        seen.failed.len(),
        slowest,
        counted.answered,
        counted.failed_open
    ));
    assert!(seen.failed.is_empty(), "expected every write to succeed, got {:#?}", seen.failed);
    if helm == Helm::V4 {
        // It deletes the webhook configuration first; Helm 3 deletes it last.
        assert_eq!(counted.failed_open, 0, "failed open during helm uninstall");
    }
}
