//! `purge` on real API servers: what goes and in which order, what stays, what forbids it, and that `--undo` brings all back.
//!
//! There are no controllers here: nodes and Pods are written by the test, and it plays the garbage collector.

pub(crate) mod ground;
mod killed;
mod refused;
mod undone;

use serde_json::json;

use crate::scene::NEW;
use crate::support::control_plane::{User, Version};
use crate::support::fixtures::OBJECTS;
use crate::support::remains::{limits, off_limits};
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, Etcd, Kubectl};
use ground::{Ground, SETTINGS, said};

const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];

pub(crate) fn cases() -> Vec<Case> {
    let own = [
        Case {
            name: "purge::all_of_it_goes_nothing_off_limits_does_and_undo_brings_it_back_on_1_36",
            needs: NEW,
            run: || there_and_back(Version::V1_36),
        },
        Case {
            name: "purge::all_of_it_goes_nothing_off_limits_does_and_undo_brings_it_back_on_1_24",
            needs: OLD,
            run: || there_and_back(Version::V1_24),
        },
        Case { name: "purge::what_somebody_else_needs_is_kept_and_says_why", needs: NEW, run: kept },
        Case {
            name: "purge::the_plan_writes_nothing_and_says_all_for_people_and_scripts",
            needs: NEW,
            run: planned,
        },
        Case {
            name: "purge::a_status_that_changes_all_the_time_stops_nothing",
            needs: NEW,
            run: busy_status,
        },
        Case { name: "purge::a_parked_workload_under_cilium_goes", needs: NEW, run: parked },
        Case {
            name: "purge::half_an_installation_goes_without_a_word_about_the_rest",
            needs: NEW,
            run: half,
        },
    ];
    [&own[..], refused::CASES, killed::CASES, undone::CASES].concat()
}

fn there_and_back(version: Version) {
    let ground = Ground::with_eks(version);
    ground.nodes(&["a", "b"]);
    ground.runs("cilium", &["a", "b"]);
    off_limits(&ground.plane);
    ground.pods_of_the_workload(&["a", "b"]);
    let untouched = limits(&ground.plane);
    let before = ground.objects();
    assert_eq!(before.len(), OBJECTS.len());
    let _collector = ground.collector();

    let undo = ground.file("undo");
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &undo]);
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(ground.names(), Vec::<String>::new(), "{done}");
    assert_eq!(ground.pods("k8s-app=aws-node"), 0, "{done}");
    assert_eq!(limits(&ground.plane), untouched, "expected nothing off limits to be touched");
    let order = [
        "DaemonSet kube-system/aws-node",
        "ClusterRoleBinding aws-node",
        "ClusterRole aws-node",
        "ServiceAccount kube-system/aws-node",
        "ConfigMap kube-system/amazon-vpc-cni",
        "CustomResourceDefinition eniconfigs.crd.k8s.amazonaws.com",
    ];
    let places: Vec<_> = order.iter().map(|object| done.stderr.find(&format!("{object} is gone"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {done}");
    for words in ["mode: Block", "--undo", "AWS-SNAT-CHAIN"] {
        assert!(said(&done).contains(words), "expected {words:?} in {done}");
    }

    let again = ground.purge(&["--yes"]);
    assert_eq!((again.code, said(&again).contains("nothing of the VPC CNI is left")), (0, true), "{again}");

    let back = ground.purge(&["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 0, "{back}");
    ground.assert_back(&before);
    let twice = ground.plane.assert_writes_nothing(|| ground.purge(&["--undo", &undo, "--yes"]));
    assert_eq!(twice.code, 0, "{twice}");
    assert_eq!(limits(&ground.plane), untouched, "expected nothing off limits to be touched");
}

fn kept() {
    let ground = Ground::with_eks(Version::V1_36);
    off_limits(&ground.plane);
    ground.node(&json!({"name": "w", "labels": {"kubernetes.io/os": "windows"}}), &json!({}));
    ground.apply(&json!({
        "apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "kind": "ENIConfig", "metadata": {"name": "eu-west-1a"},
        "spec": {"subnet": "subnet-1"},
    }));
    let _collector = ground.collector();
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &ground.file("undo")]);
    assert_eq!(done.code, 0, "{done}");
    for words in ["1 ENIConfig would be deleted with it", "1 Windows node gets its addresses by it"] {
        assert!(said(&done).contains(words), "expected {words:?} in {done}");
    }
    assert_eq!(ground.names(), ["CustomResourceDefinition", "ConfigMap"], "{done}");

    // One reason less, and another one takes its place.
    ground.plane.kubectl(User::Admin, &["delete", "node", "w"]).ok();
    ground.plane.kubectl(User::Admin, &["delete", "eniconfig", "eu-west-1a"]).ok();
    ground.apply(&json!({
        "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy",
        "metadata": {"name": "db", "namespace": "default"},
    }));
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &ground.file("undo-2")]);
    assert!(said(&done).contains("1 SecurityGroupPolicy has"), "{done}");
    assert_eq!((done.code, ground.names()), (0, vec!["ConfigMap".to_owned()]), "{done}");

    ground.plane.kubectl(User::Admin, &["delete", "securitygrouppolicy", "db"]).ok();
    let ipam = r#"{"data":{"enable-windows-ipam":"true"}}"#;
    ground
        .plane
        .kubectl(User::Admin, &["-n", "kube-system", "patch", "configmap", SETTINGS, "-p", ipam])
        .ok();
    let done = ground.purge(&["--yes", "--managed-addon-absent"]);
    assert!(said(&done).contains("enable-windows-ipam: \"true\""), "{done}");
    assert_eq!((done.code, ground.names()), (0, vec!["ConfigMap".to_owned()]), "{done}");
}

fn planned() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a"]);
    ground.runs("cilium", &["a"]);
    let undo = ground.file("undo");
    let plan = ground
        .plane
        .assert_writes_nothing(|| ground.purge(&["--plan", "--managed-addon-absent", "--undo-file", &undo]));
    assert_eq!(plan.code, 0, "{plan}");
    for words in
        ["1. DaemonSet kube-system/aws-node", "6. CustomResourceDefinition", "never touched", "Cilium"]
    {
        assert!(said(&plan).contains(words), "expected {words:?} in {plan}");
    }
    assert!(!std::path::Path::new(&undo).exists(), "expected no undo file of a plan");

    let plan = ground.purge(&["--plan", "-o", "json"]);
    assert_eq!(plan.code, 1, "{plan}");
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(
        (&plan["apiVersion"], &plan["kind"]),
        (&json!("cni-steward.dev/v1alpha1"), &json!("PurgePlan")),
        "{plan}"
    );
    assert_eq!(plan["delete"].as_array().unwrap().len(), 6, "{plan}");
    assert_eq!(plan["delete"][0]["kind"], "DaemonSet", "{plan}");
    assert_eq!(plan["refusals"][0]["code"], "managed-addon", "{plan}");
    let next = plan["refusals"][0]["next"][0].as_str().unwrap();
    assert!(next.starts_with("aws eks describe-addon --cluster-name example --addon-name vpc-cni"), "{next}");
}

fn busy_status() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a"]);
    ground.runs("cilium", &["a"]);
    let _collector = ground.collector();
    let _controller = ground.busy_controller();
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &ground.file("undo")]);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
}

fn parked() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a"]);
    ground.runs("cilium", &["a"]);
    let patch = r#"{"spec":{"template":{"spec":{"nodeSelector":{"io.cilium/aws-node-enabled":"true"}}}}}"#;
    ground
        .plane
        .kubectl(User::Joe, &["-n", "kube-system", "patch", "daemonset", "aws-node", "-p", patch])
        .ok();
    let _collector = ground.collector();
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &ground.file("undo")]);
    assert!(said(&done).contains("parked"), "{done}");
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
}

fn half() {
    let ground = Ground::with_eks(Version::V1_36);
    for object in ["daemonset/aws-node", "clusterrole/aws-node"] {
        ground.plane.kubectl(User::Admin, &["-n", "kube-system", "delete", object]).ok();
    }
    // Nobody can lose a network that is gone already.
    ground.nodes(&["a"]);
    let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &ground.file("undo")]);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    assert!(!said(&done).contains("ClusterRole aws-node"), "{done}");
}
