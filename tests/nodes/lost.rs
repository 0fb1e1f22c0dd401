//! What nobody has planned: a node that vanishes with all that runs on it, and replicas that are taken away.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cell::report;
use crate::cluster::{NEEDS, PATIENCE};
use crate::purge::nodes_are_ready;
use crate::repair::is_owned;
use crate::stage::{OURS, Stage};
use crate::support::control_plane::{Helm, User};
use crate::support::fixtures::{self, OBJECTS};
use crate::support::load::Load;
use crate::support::suite::Case;
use crate::support::{Output, until};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "lost::fault_51_a_node_that_vanishes_costs_no_write_and_what_it_missed_is_repaired",
        needs: NEEDS,
        run: vanishes,
    },
    Case {
        name: "lost::fault_51_only_one_replica_is_evicted_and_with_both_gone_writes_go_on",
        needs: NEEDS,
        run: evicted,
    },
];

/// Writes a second.
const RATE: u64 = 40;
/// The configuration's timeout, and what a busy machine adds.
const IN_TIME: Duration = Duration::from_secs(3 + 7);

/// Nodes with a network, so that one that is lost is noticed; two replicas that have adopted what EKS wrote, and are called.
fn settled() -> Stage {
    let stage = Stage::bare(Helm::V4);
    stage.cluster.bring_network();
    nodes_are_ready(&stage);
    stage.cluster.plane.eks_apply(fixtures::EKS_APPLY).ok();
    stage.helm_bare("install", "policy.mode=Adopt,policy.managedAddon=Absent");
    stage.await_ready();
    await_owned(&stage);
    let before = stage.counted();
    until("the API server called the webhook", PATIENCE, || {
        stage.create_a_target();
        (stage.counted().answered > before.answered).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));
    stage
}

#[track_caller]
fn await_owned(stage: &Stage) {
    until("all targets were the owner's", PATIENCE, || {
        OBJECTS.iter().all(|(kind, name)| is_owned(&stage.cluster.plane.get(kind, name))).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}\n{}", Stage::pages().join("\n---\n"), stage.cluster.logs()));
}

/// Pulls the plug of the second node's network, or puts it back.
fn plug(state: &str) {
    let mut command = Command::new("ip");
    command.args(["link", "set", "to2", state]);
    Output::of(command, None).ok();
}

/// The addresses at which the Service says that we answer.
fn endpoints(stage: &Stage) -> usize {
    let ours = ("endpointslices", "kube-system", "kubernetes.io/service-name=cni-steward");
    let slices = stage.cluster.list(ours.0, ours.1, ours.2);
    let all = slices.iter().filter_map(|slice| slice["endpoints"].as_array()).flatten();
    all.filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
}

#[track_caller]
fn await_endpoints(stage: &Stage, number: usize) {
    until(&format!("the Service had {number} endpoints"), PATIENCE, || {
        (endpoints(stage) == number).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));
}

fn vanishes() {
    let stage = settled();
    await_endpoints(&stage, 2);
    let start = stage.counted();
    let load = Load::start(&stage.cluster.plane, RATE);
    load.await_sent(200);
    assert_eq!(stage.counted().since(start).failed_open, 0, "before anything was lost");
    load.slowest();

    plug("down");
    // Stored, and perhaps unseen.
    stage.cluster.plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    await_endpoints(&stage, 1);
    // What was under way to the lost node runs out.
    let mut open = stage.counted().failed_open;
    until("no review failed open any more", PATIENCE, || {
        let before = load.sent();
        load.await_sent(before + 200);
        let now = stage.counted().failed_open;
        (std::mem::replace(&mut open, now) == now).then_some(())
    })
    .unwrap();
    let (lost, slowest) = (stage.counted().since(start), load.slowest());
    await_owned(&stage);

    plug("up");
    stage.await_ready();
    await_endpoints(&stage, 2);
    let seen = load.stop();
    report(&format!(
        "{} writes, {} failed, the slowest took {slowest:.1?}; {} reviews answered while node 2 was lost, {} failed open",
        seen.answered,
        seen.failed.len(),
        lost.answered,
        lost.failed_open
    ));
    assert!(seen.failed.is_empty(), "expected no write to fail, got {:#?}", seen.failed);
    assert!(slowest < IN_TIME, "a write took {slowest:?}");
}

fn evict(stage: &Stage, pod: &str) -> (u16, Value) {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "kube-system"},
    });
    let path = format!("/api/v1/namespaces/kube-system/pods/{pod}/eviction");
    let reply = stage.cluster.plane.client(User::Admin).post(&path, &eviction).unwrap();
    (reply.status, reply.json())
}

fn evicted() {
    let stage = settled();
    until("the budget knew both replicas", PATIENCE, || {
        let budget = stage.cluster.plane.get("PodDisruptionBudget", "cni-steward");
        (budget["status"]["disruptionsAllowed"] == 1).then_some(())
    })
    .unwrap();
    let names: Vec<String> = stage.replicas().into_iter().map(|replica| replica.0).collect();
    assert_eq!(evict(&stage, &names[0]).0, 201);
    let (status, said) = evict(&stage, &names[1]);
    assert_eq!(status, 429, "expected the budget to keep the second: {said}");
    until("another replica had come", PATIENCE, || {
        stage.replicas().iter().all(|(name, _)| *name != names[0]).then_some(())
    })
    .unwrap();
    stage.await_ready();

    let load = Load::start(&stage.cluster.plane, RATE);
    load.await_sent(100);
    let which = ["delete", "pods", "-n", OURS.1, "-l", OURS.2, "--force", "--grace-period=0"];
    stage.cluster.kubectl(&which).ok();
    stage.cluster.plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    stage.await_ready();
    await_owned(&stage);
    load.await_sent(load.sent() + 100);
    let slowest = load.slowest();
    let seen = load.stop();
    report(&format!(
        "both gone: {} writes, {} failed, slowest {slowest:.1?}",
        seen.answered,
        seen.failed.len()
    ));
    assert!(seen.failed.is_empty(), "expected no write to fail, got {:#?}", seen.failed);
    assert!(slowest < IN_TIME, "a write took {slowest:?}");
}
