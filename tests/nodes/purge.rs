//! `purge` on two real nodes: refused while the VPC CNI is all they have; done, and undone, once another network gives their Pods
//! addresses. Kubelets, controllers, garbage collector and our webhook in mode Block are real; the other network is the
//! `bridge` plugin, and a `DaemonSet` of the name of one that is known.

use serde_json::{Value, json};

use crate::cluster::{NEEDS, PATIENCE, PAUSE};
use crate::stage::Stage;
use crate::support::control_plane::{Helm, User};
use crate::support::fixtures::{self, OBJECTS};
use crate::support::remains::{lasting, limits, off_limits};
use crate::support::suite::Case;
use crate::support::{Output, steward, until};

pub(crate) const CASES: &[Case] = &[Case {
    name: "purge::refused_without_another_network_done_with_one_and_brought_back_under_block",
    needs: NEEDS,
    run: there_and_back,
}];

const WORKLOAD: (&str, &str, &str) = ("pods", "kube-system", "k8s-app=aws-node");
const STAND_IN: (&str, &str, &str) = ("pods", "kube-system", "app=kindnet");

fn there_and_back() {
    let stage = Stage::bare(Helm::V4);
    let plane = &stage.cluster.plane;
    off_limits(plane);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    // The real one needs AWS; its Pods are what matters here.
    let pod = json!([
        {"op": "remove", "path": "/spec/template/spec/initContainers"},
        {"op": "replace", "path": "/spec/template/spec/containers", "value": [
            {"name": "aws-node", "image": PAUSE, "imagePullPolicy": "Never"},
        ]},
    ]);
    let patch =
        ["patch", "daemonset", "aws-node", "-n", "kube-system", "--type=json", "-p", &pod.to_string()];
    stage.cluster.kubectl(&patch).ok();
    on_both(&stage, WORKLOAD);

    let refused = purge(&stage, &["--yes", "--managed-addon-absent"]);
    assert_eq!(refused.code, 1, "{refused}");
    let words = "2 schedulable nodes have no other network that is ready: node1, node2";
    assert!(refused.stdout.contains(words), "{refused}");

    stage.cluster.bring_network();
    stage.cluster.plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &stand_in().to_string()).ok();
    on_both(&stage, STAND_IN);
    nodes_are_ready(&stage);
    stage.helm_bare("install", "policy.mode=Block");
    stage.await_ready();
    until("re-creation was refused", PATIENCE, || {
        let tried = stage.cluster.kubectl(&[
            "create",
            "clusterrole",
            "aws-node",
            "--verb=get",
            "--resource=pods",
            "--dry-run=server",
        ]);
        tried.stderr.contains("cni-steward.dev").then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));

    let before = objects(&stage);
    let untouched = limits(plane);
    let undo = plane.folder().join("undo").display().to_string();
    let done = purge(&stage, &["--yes", "--managed-addon-absent", "--undo-file", &undo]);
    assert_eq!(done.code, 0, "{done}\n{}", stage.cluster.logs());
    assert_eq!(objects(&stage), Vec::<Value>::new(), "{done}");
    let list = stage.cluster.list(WORKLOAD.0, WORKLOAD.1, WORKLOAD.2);
    assert!(list.is_empty(), "expected no Pod of it to be left, got {}: {done}", list.len());
    assert_eq!(limits(plane), untouched, "expected nothing off limits to be touched");
    assert!(done.stdout.contains("Your policy (mode: Block) keeps it away"), "{done}");
    nodes_are_ready(&stage);
    let again = plane.eks_apply(fixtures::EKS_APPLY);
    assert!(again.refused().contains("cni-steward.dev"), "expected our webhook to refuse: {again}");
    for object in ["configmap/amazon-vpc-cni", "crd/eniconfigs.crd.k8s.amazonaws.com"] {
        stage.cluster.kubectl(&["delete", object, "-n", "kube-system"]).ok();
    }

    let back = purge(&stage, &["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 0, "{back}\n{}", stage.cluster.logs());
    let after = objects(&stage);
    assert_eq!(after.len(), before.len(), "{back}");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(lasting(before), lasting(after));
    }
    on_both(&stage, WORKLOAD);
    assert_eq!(limits(plane), untouched, "expected nothing off limits to be touched");
}

fn purge(stage: &Stage, args: &[&str]) -> Output {
    let kubeconfig = stage.cluster.plane.kubeconfig(User::Joe).display().to_string();
    steward::run(&[&["purge", "--kubeconfig", &kubeconfig], args].concat())
}

fn objects(stage: &Stage) -> Vec<Value> {
    OBJECTS.iter().filter_map(|(kind, name)| stage.cluster.plane.find(kind, name)).collect()
}

/// Counts as another network by its name.
fn stand_in() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kindnet", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "kindnet"}},
            "template": {"metadata": {"labels": {"app": "kindnet"}}, "spec": {
                "hostNetwork": true, "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "kindnet-cni", "image": PAUSE, "imagePullPolicy": "Never"}],
            }},
        },
    })
}

/// Waits for a ready Pod on each node.
#[track_caller]
fn on_both(stage: &Stage, which: (&str, &str, &str)) {
    stage.cluster.await_list(&format!("a Pod of {} was ready on each node", which.2), which, |pods| {
        let ready = pods.iter().filter(|pod| {
            pod["metadata"]["deletionTimestamp"].is_null()
                && pod["status"]["containerStatuses"][0]["ready"] == true
        });
        (ready.count() == 2).then_some(())
    });
}

#[track_caller]
pub(crate) fn nodes_are_ready(stage: &Stage) {
    until("both nodes were ready", PATIENCE, || {
        let ready = |node: &str| {
            let node = stage.cluster.plane.get("node", node);
            let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        ["node1", "node2"].iter().all(|node| ready(node)).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", stage.cluster.logs()));
}
