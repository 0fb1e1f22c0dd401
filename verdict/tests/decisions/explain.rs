//! `review --explain`: the rules in their order, and the one that decided, for every reason there is.

use cni_steward_verdict::admission::{Judged, Received};
use cni_steward_verdict::policy::decide::explain::{Step, explain};
use cni_steward_verdict::policy::{Policy, Reason};
use serde_json::{Value, json};

use super::write::{Write, adopt, daemon_set, now, policy, target};

fn steps(write: &Write, policy: &Policy) -> (Reason, Vec<Step>) {
    let body = write.review.to_string();
    let received = Received::read(body.as_bytes(), policy).unwrap();
    let subject = received.subject(policy).unwrap();
    let Judged::Decided(_, decision) = received.judge(policy, now()) else { panic!("expected a decision") };
    (decision.reason, explain(&subject, policy, now(), &decision))
}

fn annotated(key: &str, value: &str) -> Value {
    let mut object = daemon_set();
    object["metadata"]["annotations"][key] = json!(value);
    object
}

fn stamped(release: &str) -> Value {
    let mut object = annotated("meta.helm.sh/release-name", release);
    object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!("kube-system");
    object
}

fn parked() -> Value {
    let mut object = daemon_set();
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"io.cilium/aws-node-enabled": "true"});
    object
}

#[test]
fn the_rule_that_decided_is_the_last_one_and_names_what_it_found() {
    let block = || policy("mode: Block");
    let protect = || policy("mode: Block\nclusterApi: Protect");
    let full = annotated("x", &"y".repeat(256 * 1024));
    let in_order = Write::create(&target("CustomResourceDefinition")).manager("kubectl");
    let untouched = policy("mode: Adopt\nabsorb: [nobody]");
    let cases = [
        (Write::create(&daemon_set()), adopt(), Reason::Adopted, "changes", "as listed above"),
        (in_order, untouched, Reason::InOrder, "changes", "as the policy wants it"),
        (
            Write::update(&daemon_set(), &daemon_set()),
            protect(),
            Reason::ClusterApi,
            "changes",
            "1 label or annotation",
        ),
        (
            Write::create(&daemon_set()).addon(),
            adopt(),
            Reason::ManagedAddonMarked,
            "exempt",
            "exempt.usernames has",
        ),
        (
            Write::create(&daemon_set()).manager("velero"),
            policy("mode: Adopt\nexempt: {managers: [velero]}"),
            Reason::Exempt,
            "exempt",
            "exempt.managers has velero",
        ),
        (
            Write::create(&annotated("cni-steward.dev/allow-until", "2026-01-01T12:30:00Z")),
            adopt(),
            Reason::Paused,
            "pause",
            "holds until 2026-01-01T12:30:00Z",
        ),
        (
            Write::create(&annotated("cni-steward.dev/managed-addon", "true")),
            adopt(),
            Reason::ManagedAddon,
            "managed add-on",
            "the managed add-on owns it",
        ),
        (Write::create(&stamped("cni")), adopt(), Reason::OtherRelease, "claim", "release kube-system/cni"),
        (Write::create(&full), adopt(), Reason::AnnotationsFull, "changes", "no room"),
        (Write::create(&parked()), block(), Reason::Parked, "block", "a CREATE of one of the core four"),
        (Write::create(&daemon_set()), policy("mode: Observe"), Reason::Observed, "changes", "Adopt would"),
        (Write::create(&daemon_set()), block(), Reason::Blocked, "block", "a CREATE of one of the core four"),
    ];
    for (write, policy, reason, rule, word) in cases {
        let (decided, steps) = steps(&write, &policy);
        assert_eq!(decided, reason, "{steps:#?}");
        let last = steps.last().unwrap();
        assert_eq!((last.rule, last.decides), (rule, true), "{reason:?}: {steps:#?}");
        assert!(last.found.contains(word), "expected {word:?} in {:?}", last.found);
        assert_eq!(steps.iter().filter(|step| step.decides).count(), 1, "{steps:#?}");
    }
}

#[test]
fn it_is_said_how_the_writer_is_known() {
    let found = |write: &Write| steps(write, &adopt()).1[1].found.clone();
    let told = found(&Write::create(&daemon_set()));
    assert!(told.starts_with("EKS, or somebody") && told.contains("names field manager eks"), "{told}");
    let inferred = found(&Write::create(&daemon_set()).manager(""));
    assert!(inferred.contains("made or touched the entry of eks"), "{inferred}");
    let addon = found(&Write::create(&daemon_set()).addon());
    assert!(addon.contains("because the user is eks:addon-manager"), "{addon}");
    let mut bare = daemon_set();
    bare["metadata"].as_object_mut().unwrap().remove("managedFields");
    let unknown = found(&Write::create(&bare).manager(""));
    assert!(unknown.contains("no single entry of managedFields tells one"), "{unknown}");
}

#[test]
fn each_rule_says_what_it_looked_at() {
    let found = |write: &Write, policy: &Policy, rule: &str| {
        let steps = steps(write, policy).1;
        steps
            .iter()
            .find(|step| step.rule == rule)
            .unwrap_or_else(|| panic!("no {rule}: {steps:#?}"))
            .found
            .clone()
    };
    let (create, adopt) = (Write::create(&daemon_set()), adopt());
    let of_group = policy("mode: Adopt\nexempt: {groups: ['system:mast*']}");
    let paused = |until: &str| Write::create(&annotated("cni-steward.dev/allow-until", until));
    let argo = policy("mode: Adopt\nowner: {manager: argocd-controller, release: null}");
    let moved = Write::update(&stamped("cni"), &stamped("aws-vpc-cni"));
    for (write, policy, rule, expected) in [
        (create.clone(), &of_group, "exempt", "exempt.groups has system:masters"),
        (create.clone().manager("helm"), &adopt, "writer", "the policy's owner"),
        (create.clone().manager("cni-steward"), &adopt, "writer", "ourselves"),
        (create.clone().manager("joe"), &adopt, "writer", "somebody else"),
        (paused("soon"), &adopt, "pause", "is not an RFC 3339 time"),
        (paused("2026-01-03T12:00:00Z"), &adopt, "pause", "more than 24 h ahead"),
        (paused("2026-01-01T11:00:00Z"), &adopt, "pause", "is over"),
        (create.clone(), &argo, "claim", "the policy names no release"),
        (moved, &adopt, "claim", "before this write they named release kube-system/cni"),
    ] {
        let found = found(&write, policy, rule);
        assert!(found.contains(expected), "{rule}: expected {expected:?} in {found:?}");
    }
}
