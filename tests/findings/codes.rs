//! Each code is reached by a cluster, means what it says, and is explained on a page.

use std::collections::BTreeSet;

use cni_steward::cluster::inventory::{Fight, FluxRelease, Inventory, PolicySource, Presence};
use cni_steward::findings::{Code, Report, Severity};
use cni_steward::policy::Kind;
use serde_json::json;

use crate::world::{
    STAMPED, annotate, change, eks, entry, install, network, now, record, remove, stamp, unseen,
};

const ADOPT: &str = "mode: Adopt\nmanagedAddon: Absent";

/// What makes of EKS's fresh cluster one with this finding, and a word of its message.
#[expect(clippy::too_many_lines, reason = "a table: one short arm for each code")]
fn reach(code: Code, live: &mut Inventory) -> &'static str {
    match code {
        Code::Incomplete => {
            remove(live, &[Kind::ServiceAccount, Kind::ClusterRole], || Presence::Absent);
            "missing: ServiceAccount, ClusterRole aws-node"
        }
        Code::TwoStamps => {
            stamp(live, &STAMPED, "aws-vpc-cni");
            stamp(live, &[Kind::ClusterRole], "cni");
            "kube-system/cni claims ClusterRole aws-node"
        }
        Code::TwoReleases => {
            stamp(live, &STAMPED, "aws-vpc-cni");
            record(live, "aws-vpc-cni", "deployed");
            record(live, "cni", "deployed");
            "2 releases"
        }
        Code::HalfStamped => {
            annotate(live, &[Kind::DaemonSet], "meta.helm.sh/release-name", "aws-vpc-cni");
            "not all three"
        }
        Code::NoRelease => {
            stamp(live, &STAMPED, "aws-vpc-cni");
            "no record"
        }
        Code::Unclaimed => "no release claims",
        Code::Fight => {
            change(live, &[Kind::DaemonSet], |object| {
                object["metadata"]["managedFields"] = json!([
                    entry("helm", "Apply", "2026-01-01T11:30:00Z"),
                    entry("eks", "Apply", "2026-01-01T11:45:00Z"),
                ]);
            });
            "helm and eks write"
        }
        Code::AddonContradicted => {
            annotate(live, &STAMPED, "cni-steward.dev/managed-addon", "true");
            stamp(live, &STAMPED, "aws-vpc-cni");
            "a release claims what the EKS managed add-on writes"
        }
        Code::ManagedAddon => {
            annotate(live, &STAMPED, "cni-steward.dev/managed-addon", "true");
            "until a person runs adopt"
        }
        Code::Paused => {
            annotate(live, &[Kind::DaemonSet], "cni-steward.dev/allow-until", "2026-01-01T13:00:00Z");
            "paused until 2026-01-01T13:00:00Z"
        }
        Code::BadPause => {
            annotate(live, &[Kind::DaemonSet], "cni-steward.dev/allow-until", "tomorrow");
            "\"tomorrow\" does not count"
        }
        Code::Deleting => {
            change(live, &[Kind::CustomResourceDefinition], |object| {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T11:50:00Z");
                object["metadata"]["finalizers"] = json!(["customresourcecleanup.apiextensions.k8s.io"]);
            });
            "waits for customresourcecleanup"
        }
        Code::Foreign => {
            change(live, &[Kind::DaemonSet], |object| {
                object["metadata"]["labels"] = json!({});
                object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.com/x:1");
            });
            "example.com/x:1"
        }
        Code::NoNetwork => {
            live.nodes.iter_mut().for_each(|node| node.vpc_cni = false);
            "2 schedulable nodes have no network"
        }
        Code::TwoNetworks => {
            network(live, "Cilium", &["a"]);
            "both run on 1 node: a"
        }
        Code::NotReady => {
            change(live, &[Kind::DaemonSet], |object| object["status"]["numberReady"] = json!(1));
            "ready on 1 of 2"
        }
        Code::PartlyProtected => {
            change(live, &[Kind::DaemonSet], |object| {
                object["metadata"]["labels"]["aws.cluster.x-k8s.io/prevent-deletion"] = json!("");
            });
            "would be deleted by Cluster API"
        }
        Code::Released => {
            change(live, &[Kind::DaemonSet], |object| {
                object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("eks");
            });
            "a Cluster API before 2.6"
        }
        Code::ReleaseUnwell => {
            record(live, "aws-vpc-cni", "pending-upgrade");
            "revision 3 is pending-upgrade"
        }
        Code::Odd => {
            change(live, &[Kind::DaemonSet], |object| object["metadata"]["labels"]["x"] = json!(1));
            "a string was expected"
        }
        Code::NotAsPolicy => {
            install(live, ADOPT);
            "stamp it for release kube-system/aws-vpc-cni"
        }
        Code::HeldBack => {
            install(live, "mode: Adopt");
            "describe-addon"
        }
        Code::NoWebhook => {
            install(live, "mode: Observe");
            live.webhooks.clear();
            "no webhook configuration leads to it"
        }
        Code::Untrusted => {
            install(live, "mode: Observe");
            live.webhooks[0].entries[0].ca_bundle = false;
            "no caBundle"
        }
        Code::NobodyServes => {
            install(live, "mode: Observe");
            live.installations[0].rollout = None;
            live.installations[0].missing = true;
            "no such Deployment"
        }
        Code::NoLeader => {
            install(live, "mode: Observe");
            live.installations[0].leader.as_mut().unwrap().1 = "2026-01-01T11:00:00Z".into();
            "leads"
        }
        Code::BrokenPolicy => {
            live.policy_from = PolicySource::Broken("line 3: unknown key".into());
            "line 3: unknown key"
        }
        Code::FailsClosed => {
            install(live, "mode: Observe");
            live.webhooks[0].entries[0].failure_policy = "Fail".into();
            "failurePolicy Fail"
        }
        Code::Unseen => {
            unseen(live, "nodes", None);
            "cannot list nodes: forbidden"
        }
        Code::SkipCrds => {
            change(live, &[Kind::DaemonSet], |object| {
                object["metadata"]["labels"]["helm.sh/chart"] = json!("aws-vpc-cni-1.16.2");
            });
            "chart 1.16.2 brings"
        }
        Code::SharedFields => {
            stamp(live, &STAMPED, "aws-vpc-cni");
            record(live, "aws-vpc-cni", "deployed");
            "eks holds fields"
        }
    }
}

#[test]
fn each_code_is_reached_and_says_what_it_found_and_what_is_next() {
    for code in Code::all() {
        let mut live = eks();
        let word = reach(code, &mut live);
        let report = Report::of(&live, now());
        let found = report.findings.iter().find(|finding| finding.code == code);
        let found = found.unwrap_or_else(|| panic!("expected {} ({code:?}), got {report:#?}", code.id()));
        assert!(found.message.contains(word), "expected {word:?} in {:?}", found.message);
        assert!(!found.next.is_empty(), "{}", code.id());
    }
}

#[test]
fn eks_s_fresh_cluster_has_nothing_but_a_note() {
    let report = Report::of(&eks(), now());
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::Unclaimed], "{report:#?}");
    assert!(!report.has_problem());
}

#[test]
fn the_worst_comes_first_and_a_problem_counts() {
    let mut live = eks();
    reach(Code::Unseen, &mut live);
    reach(Code::Incomplete, &mut live);
    let report = Report::of(&live, now());
    let severities: Vec<_> = report.findings.iter().map(|finding| finding.code.severity()).collect();
    assert!(severities.is_sorted() && severities[0] == Severity::Problem, "{severities:?}");
    assert!(report.has_problem());
}

#[test]
fn each_missing_right_is_a_finding_and_the_rest_is_told_all_the_same() {
    let resources = [
        ("secrets", Some("kube-system")),
        ("nodes", None),
        ("pods", Some("kube-system")),
        ("daemonsets.apps", None),
        ("deployments.apps", None),
        ("leases.coordination.k8s.io", Some("kube-system")),
        ("mutatingwebhookconfigurations.admissionregistration.k8s.io", None),
        ("helmreleases.helm.toolkit.fluxcd.io", None),
        ("events", Some("kube-system")),
    ];
    for (resource, namespace) in resources {
        let mut live = eks();
        unseen(&mut live, resource, namespace);
        let report = Report::of(&live, now());
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::Unseen, Code::Unclaimed], "{resource}");
        let next = &report.findings[0].next;
        assert!(next.starts_with(&format!("kubectl auth can-i list {resource}")), "{next}");
    }
}

#[test]
fn an_event_about_a_contest_is_a_fight_for_an_hour() {
    let mut live = eks();
    live.fights.push(Fight {
        object: "DaemonSet aws-node".into(),
        note: "kubectl changes it back".into(),
        when: "2026-01-01T11:30:00Z".into(),
    });
    assert!(Report::of(&live, now()).has_problem());
    live.fights[0].when = "2026-01-01T10:30:00Z".into();
    assert!(!Report::of(&live, now()).has_problem());
}

#[test]
fn a_suspended_release_of_flux_is_told() {
    let mut live = eks();
    live.flux.push(FluxRelease {
        namespace: "flux-system".into(),
        name: "cni".into(),
        release: ("kube-system".into(), "aws-vpc-cni".into()),
        suspended: true,
        ready: Some(true),
    });
    let report = Report::of(&live, now());
    let finding = report.findings.iter().find(|finding| finding.code == Code::ReleaseUnwell).unwrap();
    assert!(finding.message.contains("flux-system/cni is suspended"), "{}", finding.message);
}

/// The page explains each code under a heading of its own: what it means, how to see it, what to do.
#[test]
fn each_code_has_its_section_on_the_page() {
    let page = include_str!("../../docs/codes.md");
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let headed: BTreeSet<&str> =
        sections.iter().filter(|section| section.starts_with("CS")).map(|section| &section[..5]).collect();
    let codes: BTreeSet<&str> = Code::all().map(Code::id).collect();
    assert_eq!(headed, codes);
    for section in sections.iter().filter(|section| section.starts_with("CS")) {
        let code = Code::all().find(|code| section.starts_with(code.id())).unwrap();
        let heading = section.lines().next().unwrap();
        assert!(heading.ends_with(&format!("({})", code.severity().name())), "{heading}");
        for part in ["**See it:**", "**Do:**"] {
            assert!(section.contains(part), "expected {part} in {heading}");
        }
    }
}
