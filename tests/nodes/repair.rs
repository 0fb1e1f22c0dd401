//! `helm install` with hardly a value on a cluster whose VPC CNI EKS has written already: no webhook saw that, the leader does.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cell::report;
use crate::cluster::{NEEDS, PATIENCE};
use crate::scene::assert_stamped_and_owned;
use crate::stage::Stage;
use crate::support::control_plane::Helm;
use crate::support::fixtures::{self, OBJECTS};
use crate::support::suite::Case;
use crate::support::until;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "repair::what_eks_wrote_before_us_is_adopted_within_ten_seconds_of_leadership_and_helm_4_installs_it",
        needs: NEEDS,
        run: adopted,
    },
    Case {
        name: "repair::what_may_be_the_managed_add_on_s_is_reported_and_not_changed_by_a_byte",
        needs: NEEDS,
        run: held_back,
    },
];

/// What a person waits at most, from the moment one replica leads.
const SOON: Duration = Duration::from_secs(10);

/// What a replica may have in memory with 64 connections open, in MB; here are a few.
const LARGEST: f64 = 14.0;

fn adopted() {
    let stage = Stage::bare(Helm::V4);
    let plane = &stage.cluster.plane;
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    stage.helm_bare("install", "policy.mode=Adopt,policy.managedAddon=Absent");
    let leads = led(&stage);
    let took = until("all targets were the owner's", PATIENCE, || {
        OBJECTS.iter().all(|(kind, name)| is_owned(&plane.get(kind, name))).then(|| leads.elapsed())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));
    report(&format!("adopted {took:.1?} after one replica led"));
    assert!(took <= SOON, "expected all to be adopted within {SOON:?} of leadership, it took {took:?}");
    for (kind, name) in OBJECTS {
        assert_stamped_and_owned(&plane.get(kind, name));
    }
    let words = ["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    plane.helm(Helm::V4, &words).ok();

    // From here on the API server calls us, with a certificate that nobody brought.
    stage.await_ready();
    let before = stage.counted();
    until("the API server called the webhook", PATIENCE, || {
        stage.create_a_target();
        (stage.counted().answered > before.answered).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));
    // What the kubelet mounted is what Helm sent to the API server.
    until("both said that the webhook configuration is as rendered", PATIENCE, || {
        let pages = Stage::verbose();
        let said = |page: &&String| page.contains("webhook: the webhook configuration is as rendered\n");
        (pages.iter().filter(said).count() == 2).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", Stage::verbose().join("---\n")));
    let resident = Stage::resident();
    report(&format!("RSS of each replica, MB: {resident:.1?}"));
    assert!(
        resident.len() == 2 && resident.iter().all(|megabytes| *megabytes <= LARGEST),
        "expected two replicas of {LARGEST} MB at most, got {resident:?}"
    );
}

fn held_back() {
    let stage = Stage::bare(Helm::V4);
    let plane = &stage.cluster.plane;
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let before: Vec<Value> = OBJECTS.iter().map(|(kind, name)| stored(plane.get(kind, name))).collect();
    stage.helm_bare("install", "policy.mode=Adopt");
    led(&stage);
    until("the leader said of all six that they are held back", PATIENCE, || {
        let held =
            |page: &String| page.lines().filter(|line| line.contains("state=\"held-back\"} 1")).count();
        Stage::pages().iter().any(|page| held(page) == OBJECTS.len()).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}\n{}", Stage::pages().join("\n---\n"), stage.cluster.logs()));
    until("an Event told a person", PATIENCE, || {
        let events = stage.cluster.kubectl(&["get", "events.events.k8s.io", "-A", "-o", "json"]);
        events.ok().contains("\"HeldBack\"").then_some(())
    })
    .unwrap();
    let after: Vec<Value> = OBJECTS.iter().map(|(kind, name)| stored(plane.get(kind, name))).collect();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "expected not a byte of it to change");
    }
}

/// Waits until some replica holds the Lease; gives the moment.
fn led(stage: &Stage) -> Instant {
    until("a replica led", PATIENCE, || {
        let lease = stage.cluster.plane.find("Lease", "cni-steward")?;
        lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty())?;
        Some(Instant::now())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()))
}

pub(crate) fn is_owned(object: &Value) -> bool {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    !entries.iter().any(|entry| entry["manager"] == "eks")
        && entries.iter().any(|entry| entry["manager"] == "helm" && entry["operation"] == "Apply")
}

/// Without what controllers and the API server say about its state.
fn stored(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        entries.retain(|entry| entry["subresource"].is_null());
    }
    object
}
