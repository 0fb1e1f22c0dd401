//! Bad input, what happens in between, and the undo where something stands in its way.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::ground::{Beside, Ground, said};
use crate::scene::NEW;
use crate::support::control_plane::{User, Version};
use crate::support::fixtures;
use crate::support::remains::lasting;
use crate::support::steward::{BINARY, Steward};
use crate::support::suite::Case;
use crate::support::watchdog::Background;
use crate::support::{tail, until};

pub(crate) const CASES: &[Case] = &[
    Case { name: "purge::undo_brings_it_back_under_a_block_policy_too", needs: NEW, run: under_block },
    Case {
        name: "purge::an_object_that_something_holds_is_named_and_nothing_after_it_goes",
        needs: NEW,
        run: held,
    },
    Case { name: "purge::what_is_being_deleted_already_is_waited_for", needs: NEW, run: going },
    Case { name: "purge::what_somebody_creates_again_at_once_is_told_with_his_name", needs: NEW, run: again },
    Case { name: "purge::what_was_changed_since_the_plan_is_left", needs: NEW, run: changed },
    Case {
        name: "purge::an_undo_file_of_another_cluster_or_a_damaged_one_is_not_used",
        needs: NEW,
        run: other_files,
    },
    Case {
        name: "purge::undo_touches_nothing_that_somebody_else_made_meanwhile",
        needs: NEW,
        run: meanwhile,
    },
    Case {
        name: "purge::ctrl_c_while_it_waits_stops_it_and_says_how_to_go_on",
        needs: NEW,
        run: interrupted,
    },
    Case {
        name: "purge::bad_arguments_are_told_and_nothing_is_asked_of_the_cluster",
        needs: NEW,
        run: arguments,
    },
];

const DONE: [&str; 2] = ["--yes", "--managed-addon-absent"];

fn purged(ground: &Ground) -> String {
    let undo = ground.file("undo");
    let _collector = ground.collector();
    let done = ground.purge(&[&DONE[..], &["--undo-file", &undo]].concat());
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    undo
}

fn under_block() {
    let ground = Ground::with_eks(Version::V1_36);
    let before = ground.objects();
    let undo = purged(&ground);
    let steward = Steward::start("mode: Block");
    steward.register(&ground.plane);
    let blocked = ground.plane.eks_apply(fixtures::EKS_APPLY);
    assert!(blocked.refused().contains("cni-steward.dev"), "{blocked}");
    ground.plane.kubectl(User::Admin, &["delete", "-f", fixtures::EKS_APPLY, "--ignore-not-found"]).ok();
    let back = ground.purge(&["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 0, "{back}");
    ground.assert_back(&before);
    assert!(said(&back).contains("cni-steward.dev/allow-until"), "expected the pause to be told: {back}");
}

fn held() {
    let ground = Ground::with_eks(Version::V1_36);
    let finalizer = |list: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{list}}}}}"#);
        let args = ["-n", "kube-system", "patch", "serviceaccount", "aws-node", "--type=merge", "-p", &patch];
        ground.plane.kubectl(User::Admin, &args).ok();
    };
    finalizer(r#"["example.org/hold"]"#);
    let _collector = ground.collector();
    let stuck = ground.purge(&[&DONE[..], &["--wait", "2s", "--undo-file", &ground.file("undo")]].concat());
    assert_eq!(stuck.code, 1, "{stuck}");
    for words in
        ["ServiceAccount kube-system/aws-node is not gone after 2s", "example.org/hold", "Run purge again"]
    {
        assert!(said(&stuck).contains(words), "expected {words:?} in {stuck}");
    }
    assert_eq!(ground.names(), ["CustomResourceDefinition", "ServiceAccount", "ConfigMap"], "{stuck}");
    finalizer("null");
    let done = ground.purge(&[&DONE[..], &["--undo-file", &ground.file("undo-2")]].concat());
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");

    // A Pod on a dead node holds the workload, and then nothing may go.
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["dead"]);
    ground.pods_of_the_workload(&["dead"]);
    let args = ["--accept-network-loss", "1", "--wait", "2s", "--undo-file", &ground.file("undo")];
    let stuck = ground.purge(&[&DONE[..], &args].concat());
    assert_eq!((stuck.code, ground.names().len()), (1, 6), "{stuck}");
    for words in ["1 of its Pods is left, aws-node-dead on node dead", "--force --grace-period=0"] {
        assert!(said(&stuck).contains(words), "expected {words:?} in {stuck}");
    }
}

fn going() {
    let ground = Ground::with_eks(Version::V1_36);
    let before = ground.objects();
    let delete =
        ["delete", "daemonset", "aws-node", "-n", "kube-system", "--cascade=foreground", "--wait=false"];
    ground.plane.kubectl(User::Joe, &delete).ok();
    let undo = ground.file("undo");
    let _collector = ground.collector_after(&undo);
    let done = ground.purge(&[&DONE[..], &["--undo-file", &undo]].concat());
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    assert!(said(&done).contains("is being deleted already and is waited for"), "{done}");
    let back = ground.purge(&["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 0, "{back}");
    assert_eq!(ground.names().len(), before.len(), "{back}");
}

fn again() {
    let ground = Ground::with_eks(Version::V1_36);
    let _collector = ground.collector();
    let api = ground.plane.client(User::Admin).as_program("runbook");
    let _runbook = Beside::start(move || {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": {"a": "b"}},
        });
        drop(api.post("/api/v1/namespaces/kube-system/serviceaccounts", &account));
    });
    let told = ground.purge(&[&DONE[..], &["--undo-file", &ground.file("undo")]].concat());
    assert_eq!(told.code, 1, "{told}");
    let words = "ServiceAccount kube-system/aws-node was created again at once, by manager runbook";
    assert!(said(&told).contains(words), "expected {words:?} in {told}");
}

fn changed() {
    let ground = Ground::with_eks(Version::V1_36);
    let api = ground.plane.client(User::Admin).as_program("colleague");
    let mut count = 0;
    let _colleague = Beside::start(move || {
        count += 1;
        let change = json!({"metadata": {"annotations": {"example.org/count": count.to_string()}}});
        let path = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node";
        drop(api.patch(path, "application/merge-patch+json", &change));
    });
    let told = ground.purge(&[&DONE[..], &["--undo-file", &ground.file("undo")]].concat());
    assert_eq!((told.code, ground.names().len()), (1, 6), "{told}");
    assert!(
        told.stderr
            .contains("DaemonSet kube-system/aws-node was changed since the plan, by manager colleague"),
        "{told}"
    );
}

fn other_files() {
    let here = Ground::with_eks(Version::V1_36);
    let undo = purged(&here);
    let there = Ground::bare(Version::V1_36);
    let refused = there.plane.assert_writes_nothing(|| there.purge(&["--undo", &undo, "--yes"]));
    assert_ne!(refused.code, 0, "{refused}");
    assert!(said(&refused).contains("another cluster"), "{refused}");

    let text = std::fs::read_to_string(&undo).unwrap();
    for (name, damaged) in [
        ("truncated", text[..text.len() / 2].to_owned()),
        ("edited", text.replacen("aws-node", "aws-nodes", 1)),
        ("empty", String::new()),
        ("another", "{}".to_owned()),
    ] {
        let file = here.file(name);
        std::fs::write(&file, damaged).unwrap();
        let refused = here.plane.assert_writes_nothing(|| here.purge(&["--undo", &file, "--yes"]));
        assert_eq!(refused.code, 2, "{name}: {refused}");
        assert!(said(&refused).contains(&file), "expected the file to be named: {refused}");
    }
    let missing = here.purge(&["--undo", "/nowhere/at/all", "--yes"]);
    assert_eq!((missing.code, said(&missing).contains("/nowhere/at/all")), (2, true), "{missing}");
}

fn meanwhile() {
    let ground = Ground::with_eks(Version::V1_36);
    let before = ground.objects();
    let undo = purged(&ground);
    ground.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "aws-node"}, "rules": [],
    }));
    let theirs = ground.plane.get("ClusterRole", "aws-node");
    let back = ground.purge(&["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 1, "{back}");
    assert!(said(&back).contains("ClusterRole aws-node") && said(&back).contains("not touched"), "{back}");
    assert_eq!(ground.plane.get("ClusterRole", "aws-node"), theirs);
    let others: Vec<Value> =
        before.iter().filter(|object| object["kind"] != "ClusterRole").map(lasting).collect();
    let now: Vec<Value> =
        ground.objects().iter().filter(|object| object["kind"] != "ClusterRole").map(lasting).collect();
    assert_eq!(now, others, "{back}");
}

fn interrupted() {
    let ground = Ground::with_eks(Version::V1_36);
    let (undo, kubeconfig) = (ground.file("undo"), ground.plane.kubeconfig(User::Joe).display().to_string());
    let args = [&["purge", "--kubeconfig", &kubeconfig], &DONE[..], &["--undo-file", &undo]].concat();
    let log = ground.plane.folder().join("purge.log");
    // Nobody collects the workload, so it waits.
    let mut process = Background::start(Path::new(BINARY), &args, &log);
    let waits = || tail(&log, 100).contains("waiting: ").then_some(());
    until("it waited", Duration::from_secs(20), waits).unwrap_or_else(|e| panic!("{e}\n{}", tail(&log, 100)));
    process.signal("INT");
    let status = until("it ended", Duration::from_secs(20), || process.ended()).unwrap();
    let log = tail(&log, 100);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("gone: nothing. Run purge again") && log.contains(&undo), "{log}");
    assert_eq!(ground.names().len(), 6, "{log}");
}

fn arguments() {
    let ground = Ground::with_eks(Version::V1_36);
    for (args, says) in [
        (&["--plan", "--yes"][..], "cannot be used with"),
        (&["--accept-network-loss", "many"], "--accept-network-loss"),
        (&["--undo", "x", "--undo-file", "y"], "cannot be used with"),
        (&["--policy", "/nowhere/policy.yaml"], "/nowhere/policy.yaml"),
        (&["--wait", "soon"], "--wait"),
    ] {
        let refused = ground.plane.assert_writes_nothing(|| ground.purge(args));
        assert_eq!(refused.code, 2, "{args:?}: {refused}");
        assert!(said(&refused).contains(says), "{args:?}: expected {says:?} in {refused}");
    }
    // No undo file, no deletion.
    let taken = ground.file("taken");
    std::fs::write(&taken, "mine").unwrap();
    for file in ["/nowhere/undo", &taken] {
        let args = [&DONE[..], &["--undo-file", file]].concat();
        let refused = ground.plane.assert_writes_nothing(|| ground.purge(&args));
        assert_eq!((refused.code, said(&refused).contains(file)), (2, true), "{refused}");
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
    // Nobody is there to be asked.
    let asked = ground.plane.assert_writes_nothing(|| {
        ground.purge(&["--managed-addon-absent", "--undo-file", &ground.file("undo")])
    });
    assert_ne!(asked.code, 0, "{asked}");
    assert!(said(&asked).contains("--yes"), "{asked}");
}
