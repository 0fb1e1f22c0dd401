//! Whatever stands between us and the API server: a bad line, a restart, a sleep, another of us.

use std::time::Duration;

use serde_json::Value;

use super::{
    ABSENT, MANAGED_BY, after_eks, assert_repaired, await_state, eventually, keeper, keeper_at, kubectl,
    objects, sum,
};
use crate::scene::{annotation, label, owners};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures;
use crate::support::line::{Line, Weather};
use crate::support::steward::Steward;

const WRITES: &str = "cni_steward_repair_writes_total";

fn leads(steward: &Steward) -> bool {
    steward.metrics().lines().any(|line| line == "cni_steward_leading 1")
}

#[track_caller]
fn await_leading(steward: &Steward, leading: bool) {
    eventually(steward, &format!("it led: {leading}"), || (leads(steward) == leading).then_some(()));
}

/// Takes the stamp away that is easiest to see, and waits until it is back.
#[track_caller]
fn spoil_and_await(plane: &ControlPlane, steward: &Steward) {
    kubectl(plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    await_the_stamp(plane, steward);
}

#[track_caller]
fn await_the_stamp(plane: &ControlPlane, steward: &Steward) {
    eventually(steward, "the DaemonSet was repaired", || {
        (label(&plane.get("DaemonSet", "aws-node"), MANAGED_BY) == Some("Helm")).then_some(())
    });
}

/// A process that is stopped is like a machine that sleeps: when it wakes, somebody else leads, and it may not know yet.
pub(super) fn frozen() {
    let plane = ControlPlane::start(Version::V1_36);
    let admin = plane.kubeconfig(User::Admin);
    let first = keeper_at(&admin, ABSENT, &["--identity=first"]);
    await_leading(&first, true);
    let mut second = keeper_at(&admin, "mode: Observe", &["--identity=second"]);
    first.process().signal("STOP");
    await_leading(&second, true);
    // Only the first would write this.
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let before = objects(&plane);
    first.process().signal("CONT");
    await_leading(&first, false);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(objects(&plane), before, "{}", first.log_lines().join("\n"));
    assert_eq!(sum(&first, WRITES), 0);
    assert!(leads(&second));
    // It is the first's to do as soon as it leads again.
    second.process().signal("TERM");
    eventually(&first, "the second had ended", || second.process_mut().ended());
    await_state(&first, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);
}

pub(super) fn unreliable() {
    let plane = after_eks(Version::V1_36);
    let line = Line::to(plane.port(), Weather::Foul);
    let through = plane.kubeconfig_through(line.port());
    let steward = keeper_at(&through, ABSENT, &["--request-timeout=2s"]);
    await_state(&steward, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);

    line.turn(Weather::Cut);
    await_leading(&steward, false);
    kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    let review: Value = serde_json::from_str(include_str!("../../../examples/review.json")).unwrap();
    assert_eq!(steward.client().get("/readyz").unwrap().status, 200);
    assert_eq!(steward.client().post("/mutate", &review).unwrap().status, 200);
    // The Lease, seven targets, and who looks after each: none asks in a loop.
    let before = line.connections();
    std::thread::sleep(Duration::from_secs(5));
    let asked = line.connections() - before;
    assert!(asked < 60, "asked {asked} times in five seconds");

    line.turn(Weather::Fair);
    await_the_stamp(&plane, &steward);
    line.turn(Weather::Slow(Duration::from_millis(300)));
    spoil_and_await(&plane, &steward);
    assert!(leads(&steward), "slow is no reason to stop leading");
}

pub(super) fn restarted() {
    let mut plane = after_eks(Version::V1_36);
    let steward = keeper(&plane, ABSENT);
    await_state(&steward, "in-order", 6);
    for _ in 0..2 {
        plane.stop_server();
        await_leading(&steward, false);
        assert_eq!(steward.client().get("/readyz").unwrap().status, 200);
        plane.start_server_again();
        spoil_and_await(&plane, &steward);
        await_leading(&steward, true);
    }
    await_state(&steward, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);
}

/// Each leads its own installation, and the webhooks of both are asked about every write.
pub(super) fn two_of_us() {
    let other = format!("{ABSENT}\nowner: {{release: {{name: other, namespace: kube-system}}}}");
    let plane = after_eks(Version::V1_36);
    let first = keeper(&plane, ABSENT);
    await_state(&first, "in-order", 6);
    let second = keeper_at(&plane.kubeconfig(User::Admin), &other, &["--instance=kube-system/another"]);
    await_leading(&second, true);
    for (steward, name) in [(&first, "cni-steward"), (&second, "another")] {
        let manifest =
            steward.webhook_manifest(&plane).replacen("name: cni-steward\n", &format!("name: {name}\n"), 1);
        plane.kubectl_stdin(User::Admin, &["apply", "--server-side", "-f", "-"], &manifest).ok();
    }
    eventually(&second, "both webhooks were asked", || {
        kubectl(&plane, "annotate ds aws-node touched=yes --overwrite");
        kubectl(&plane, "annotate ds aws-node touched-");
        let asked = |steward| sum(steward, "cni_steward_reviews_total") > 0;
        (asked(&first) && asked(&second)).then_some(())
    });
    plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    let at_rest = eventually(&second, "nothing was written for three seconds", || {
        let before = objects(&plane);
        std::thread::sleep(Duration::from_secs(3));
        (objects(&plane) == before).then_some(before)
    });
    for object in &at_rest {
        let kind = object["kind"].as_str().unwrap();
        assert!(owners(object).contains(&"helm/Apply".to_owned()), "{kind}: {:?}", owners(object));
        if kind != "CustomResourceDefinition" {
            assert_eq!(
                annotation(object, "meta.helm.sh/release-name"),
                Some("aws-vpc-cni"),
                "{kind}: who came first"
            );
            assert_eq!(label(object, MANAGED_BY), Some("Helm"), "{kind}");
        }
    }
    let contests = sum(&first, "cni_steward_contests_total") + sum(&second, "cni_steward_contests_total");
    assert_eq!(contests, 0, "they never even disagreed");
}
