//! What `status` says of a cluster, from values: the verdict, each code, and the JSON that scripts rely on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/schema.rs"]
mod check;
mod codes;
mod schema;
mod world;

use cni_steward::cluster::inventory::{Chained, Compute, Inventory, Presence};
use cni_steward::findings::{Certainty, Code, Owner, Report};
use cni_steward::policy::Kind;
use serde_json::json;
use world::{STAMPED, annotate, change, eks, entry, install, network, now, record, remove, stamp, unseen};

#[track_caller]
fn expect(live: &Inventory, owner: Owner, certainty: Certainty, words: &[&str]) -> Report {
    let report = Report::of(live, now());
    let verdict = &report.verdict;
    assert_eq!((verdict.owner, verdict.certainty), (owner, certainty), "{verdict:#?}");
    for word in words {
        assert!(verdict.sentence.contains(word), "expected {word:?} in {:?}", verdict.sentence);
    }
    report
}

#[test]
fn eks_owns_what_it_made_and_only_aws_knows_more() {
    let mut live = eks();
    expect(&live, Owner::Eks, Certainty::Likely, &["aws-vpc-cni-1.23.1", "only AWS can tell"]);
    world::install(&mut live, "mode: Adopt\nmanagedAddon: Absent");
    expect(&live, Owner::Eks, Certainty::Certain, &["EKS installed"]);
}

#[test]
fn the_managed_add_on_is_known_by_its_mark_alone() {
    let mut live = eks();
    annotate(&mut live, &STAMPED, "cni-steward.dev/managed-addon", "true");
    expect(&live, Owner::EksAddon, Certainty::Certain, &["managed add-on owns"]);
}

#[test]
fn stamps_alone_are_a_claim_and_a_record_makes_it_helms() {
    let mut live = eks();
    stamp(&mut live, &STAMPED, "aws-vpc-cni");
    expect(&live, Owner::Stamped, Certainty::Likely, &["kube-system/aws-vpc-cni claims", "no record"]);
    unseen(&mut live, "secrets", Some("kube-system"));
    expect(&live, Owner::Stamped, Certainty::Unsure, &["could not be seen"]);
    record(&mut live, "aws-vpc-cni", "deployed");
    expect(&live, Owner::Helm, Certainty::Certain, &["The Helm release kube-system/aws-vpc-cni owns"]);
}

/// The chart's own selector cannot be changed to EKS's, nor the other way.
#[test]
fn the_command_that_makes_a_record_renders_the_selector_that_is_stored() {
    for (labels, flag) in
        [(json!({"k8s-app": "aws-node"}), true), (json!({"app.kubernetes.io/name": "aws-node"}), false)]
    {
        let mut live = eks();
        stamp(&mut live, &STAMPED, "aws-vpc-cni");
        change(&mut live, &[Kind::DaemonSet], |object| {
            object["spec"]["selector"] = json!({"matchLabels": labels});
        });
        let report = Report::of(&live, now());
        let next = &report.findings.iter().find(|finding| finding.code == Code::NoRelease).unwrap().next;
        assert_eq!(next.contains("originalMatchLabels=true"), flag, "{next}");
    }
}

#[test]
fn what_to_do_fits_the_mode_and_the_namespace() {
    let next = |live: &Inventory, code: Code| {
        let report = Report::of(live, now());
        report.findings.into_iter().find(|finding| finding.code == code).map(|finding| finding.next)
    };
    let mut live = eks();
    change(&mut live, &[Kind::DaemonSet], |object| object["metadata"]["labels"]["x"] = json!(1));
    let command = "kubectl get daemonsets.apps aws-node -n kube-system -o json";
    assert_eq!(next(&live, Code::Odd).as_deref(), Some(command));
    let mut live = eks();
    install(&mut live, "mode: Block\nmanagedAddon: Absent\nclusterApi: Protect");
    let command = "kubectl logs -n kube-system deployment/cni-steward";
    assert_eq!(next(&live, Code::NotAsPolicy).as_deref(), Some(command));
}

#[test]
fn two_releases_are_a_dispute_that_names_both() {
    let mut live = eks();
    stamp(&mut live, &STAMPED, "aws-vpc-cni");
    stamp(&mut live, &[Kind::ClusterRole], "cni");
    let report = expect(
        &live,
        Owner::Disputed,
        Certainty::Certain,
        &["release kube-system/cni) ClusterRole aws-node"],
    );
    assert_eq!(report.verdict.release, None);
}

#[test]
fn a_foreign_daemon_set_is_not_the_vpc_cni() {
    let mut live = eks();
    change(&mut live, &[Kind::DaemonSet], |object| {
        object["metadata"]["labels"] = json!({"app": "x"});
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.com/x:1");
    });
    expect(&live, Owner::Foreign, Certainty::Certain, &["is not the VPC CNI"]);
    // A mirror keeps the image's name, a fork the chart's label.
    for image in ["mirror.example.com/eks/amazon-k8s-cni:v1.19.0", "example.com/cni:1"] {
        let mut live = eks();
        change(&mut live, &[Kind::DaemonSet], |object| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        });
        expect(&live, Owner::Eks, Certainty::Likely, &[]);
    }
}

#[test]
fn nothing_is_not_the_same_as_nothing_seen() {
    let mut live = eks();
    remove(&mut live, &Kind::ALL, || Presence::Absent);
    expect(&live, Owner::None, Certainty::Certain, &["no VPC CNI"]);
    remove(&mut live, &[Kind::DaemonSet], || Presence::Unseen);
    expect(&live, Owner::Unknown, Certainty::Unsure, &["could not be seen"]);
}

#[test]
fn a_writer_without_a_claim_contradicts_nobody() {
    // Before 2024 EKS used kubectl, and only the workload's images tell.
    let mut live = eks();
    change(&mut live, &STAMPED, |object| {
        object["metadata"]["labels"] = json!({});
        object["metadata"]["managedFields"] =
            json!([entry("kubectl-client-side-apply", "Update", "2026-01-01T11:00:00Z")]);
    });
    expect(&live, Owner::Eks, Certainty::Likely, &["EKS owns"]);
}

#[test]
fn a_network_behind_the_vpc_cni_serves_no_node() {
    let mut live = eks();
    let cilium = network(&mut live, "Cilium", &["a"]);
    let names = |live: &Inventory| {
        live.nodes_without_other_network().iter().map(|node| node.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&live), ["b"]);
    for chained in [Chained::Elsewhere, Chained::PolicyOnly, Chained::Chaining] {
        live.networks[cilium].chained = Some(chained);
        assert_eq!(names(&live), ["a", "b"]);
    }
    live.nodes[0].compute = Compute::Fargate;
    live.nodes[1].schedulable = false;
    assert_eq!(names(&live), Vec::<String>::new(), "neither needs a network from a DaemonSet now");
}

#[test]
fn where_the_network_of_a_node_is_said_elsewhere_nobody_says_that_it_has_none() {
    let mut live = eks();
    live.nodes.iter_mut().for_each(|node| node.vpc_cni = false);
    let cilium = network(&mut live, "Cilium", &["a", "b"]);
    let has_none = |live: &Inventory| {
        let report = Report::of(live, now());
        report.findings.iter().any(|finding| finding.code.id() == "CS014")
    };
    live.networks[cilium].chained = Some(Chained::Chaining);
    assert!(has_none(&live));
    live.networks[cilium].chained = Some(Chained::Elsewhere);
    assert!(!has_none(&live));
}

#[test]
fn helm_by_terraform_is_helm_and_two_that_are_not_write_in_turn() {
    let written_by = |second: &str| {
        let mut live = eks();
        stamp(&mut live, &STAMPED, "aws-vpc-cni");
        change(&mut live, &STAMPED, |object| {
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T10:00:00Z");
            object["metadata"]["managedFields"] = json!([
                entry("helm", "Apply", "2026-01-01T11:00:00Z"),
                entry(second, "Apply", "2026-01-01T11:30:00Z"),
            ]);
        });
        Report::of(&live, now()).verdict.owner
    };
    assert_eq!(written_by("terraform-provider-helm_v3.1.1_x5"), Owner::Stamped);
    assert_eq!(written_by("terraform-provider-kubernetes_v2.38.0_x5"), Owner::Disputed);
}
