//! What the reconciler plans for a stored object: the same verdict as admission, less where a person has to speak first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use cni_steward::policy::{Kind, Policy, Reason, Target};
use cni_steward::reconcile::plan::{Plan, State, plan};
use jiff::Timestamp;
use serde_json::{Value, json};

const ADOPT: &str = "mode: Adopt\nmanagedAddon: Absent";
const UNKNOWN: &str = "mode: Adopt";

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse("policy.yaml", text).unwrap()
}

fn entry(manager: &str, operation: &str, time: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": time,
           "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// The DaemonSet as EKS's bootstrap stored it.
fn bootstrapped() -> Value {
    let fields = json!({
        "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}, "f:k8s-app": {}}},
        "f:spec": {"f:template": {}},
    });
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
        "name": "aws-node", "namespace": "kube-system", "resourceVersion": "41",
        "creationTimestamp": "2026-01-01T11:00:00Z",
        "labels": {"app.kubernetes.io/managed-by": "Helm", "k8s-app": "aws-node"},
        "managedFields": [entry("eks", "Apply", "2026-01-01T11:00:00Z", &fields)]},
        "spec": {"template": {"spec": {}}}})
}

fn target() -> Target<'static> {
    Target { kind: Kind::DaemonSet, namespace: "kube-system", name: "aws-node" }
}

fn look(object: &Value, policy_text: &str) -> Plan {
    plan(target(), &object.to_string(), &policy(policy_text), &|_| false, now())
}

/// The object with the planned patch applied, its version raised, as if tracking did not exist.
#[track_caller]
fn written(object: &Value, plan: &Plan) -> Value {
    let step = plan.step.as_ref().unwrap_or_else(|| panic!("expected a write: {plan:?}"));
    let patch: json_patch::Patch = serde_json::from_str(&step.patch).unwrap();
    let first = serde_json::to_value(&patch.0[0]).unwrap();
    let lock = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": plan.version});
    assert_eq!(first, lock, "every write carries the version it was planned for");
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).unwrap();
    object["metadata"]["resourceVersion"] = json!("42");
    object
}

/// What the API server makes of the first write: the changed paths are the patcher's and leave the owner's entry.
fn tracked(mut object: Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array_mut().unwrap();
    for entry in entries.iter_mut() {
        let annotations = entry["fieldsV1"]["f:metadata"]["f:annotations"].as_object_mut();
        annotations.into_iter().for_each(serde_json::Map::clear);
    }
    entries.push(entry(
        "cni-steward",
        "Update",
        "2026-01-01T12:00:00Z",
        &json!({"f:metadata": {
            "f:annotations": {".": {}, "f:meta.helm.sh/release-name": {}, "f:meta.helm.sh/release-namespace": {}},
            "f:labels": {"f:cni-steward.dev/installed-by": {}, "f:aws.cluster.x-k8s.io/prevent-deletion": {}},
        }}),
    ));
    object
}

fn managers(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    entries.iter().map(|entry| entry["manager"].as_str().unwrap()).collect()
}

#[test]
fn a_bootstrap_that_admission_missed_is_repaired_in_two_writes() {
    let stored = bootstrapped();
    let first = look(&stored, ADOPT);
    assert_eq!((first.state, first.writer.as_str()), (State::Repairing, "eks"), "{first:?}");
    assert!(first.step.as_ref().unwrap().first);
    let paths: Vec<&str> = first.wanted.iter().map(|want| want.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            ".metadata.annotations.meta.helm.sh/release-name",
            ".metadata.annotations.meta.helm.sh/release-namespace",
            ".metadata.labels.cni-steward.dev/installed-by",
            ".metadata.labels.aws.cluster.x-k8s.io/prevent-deletion",
            ".metadata.managedFields of eks",
        ]
    );
    let half = tracked(written(&stored, &first));
    assert_eq!(half["spec"], stored["spec"]);
    assert_eq!(half["metadata"]["labels"]["cni-steward.dev/installed-by"], "eks");

    // Here the program may have been killed: another one sees the half-written object only.
    let second = look(&half, ADOPT);
    assert_eq!((second.state, second.wanted.as_slice()), (State::Repairing, [].as_slice()), "{second:?}");
    assert!(!second.step.as_ref().unwrap().first);
    let whole = written(&half, &second);
    assert_eq!(managers(&whole), ["helm"]);
    let fields = &whole["metadata"]["managedFields"][0]["fieldsV1"];
    assert!(fields["f:metadata"]["f:annotations"]["f:meta.helm.sh/release-name"].is_object(), "{fields}");
    assert!(fields["f:spec"]["f:template"].is_object(), "what eks held is helm's: {fields}");

    let third = look(&whole, ADOPT);
    assert_eq!((third.state, third.step), (State::InOrder, None), "{}", third.message);
}

/// Helm 4 prunes what its entry holds and the chart does not render.
#[test]
fn whoever_is_absorbed_our_own_labels_never_become_the_owner_s() {
    let all = "mode: Adopt\nmanagedAddon: Absent\nabsorb: ['*']";
    let stored = bootstrapped();
    let half = tracked(written(&stored, &look(&stored, all)));
    let second = look(&half, all);
    assert_eq!((second.state, second.wanted.as_slice()), (State::Repairing, [].as_slice()), "{second:?}");
    let whole = written(&half, &second);
    assert_eq!(managers(&whole), ["helm"], "and nobody else's");
    let labels = &whole["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"];
    assert_eq!(labels, &json!({"f:app.kubernetes.io/managed-by": {}, "f:k8s-app": {}}));
    assert_eq!(whole["metadata"]["labels"]["aws.cluster.x-k8s.io/prevent-deletion"], "true");
}

#[test]
fn what_may_be_the_managed_add_on_s_is_told_and_left() {
    for text in [UNKNOWN, "mode: Adopt\nclusterApi: Protect", "mode: Adopt\nfields: Stamp"] {
        let seen = look(&bootstrapped(), text);
        assert_eq!((seen.state, &seen.step), (State::HeldBack, &None), "{text}: {seen:?}");
        assert!(seen.message.contains("managedAddon: Absent"), "{}", seen.message);
        assert!(seen.wanted.is_empty());
    }
}

#[test]
fn an_entry_of_eks_that_came_back_to_an_adopted_object_is_held_back_too() {
    let mut adopted = written(&bootstrapped(), &look(&bootstrapped(), ADOPT));
    assert_eq!(look(&adopted, UNKNOWN).state, State::InOrder);
    let back = entry("eks", "Apply", "2026-01-01T12:00:00Z", &json!({"f:spec": {"f:template": {}}}));
    adopted["metadata"]["managedFields"].as_array_mut().unwrap().push(back);
    assert_eq!(look(&adopted, UNKNOWN).state, State::HeldBack);
    let seen = look(&adopted, ADOPT);
    assert_eq!(seen.state, State::Repairing);
    assert_eq!(managers(&written(&adopted, &seen)), ["helm"]);
}

#[test]
fn what_surely_is_not_the_add_on_s_is_repaired_without_a_statement() {
    let mut adopted = written(&bootstrapped(), &look(&bootstrapped(), ADOPT));
    adopted["metadata"]["annotations"].as_object_mut().unwrap().remove("meta.helm.sh/release-name");
    let seen = look(&adopted, UNKNOWN);
    assert_eq!(seen.state, State::Repairing);
    assert_eq!(
        written(&adopted, &seen)["metadata"]["annotations"]["meta.helm.sh/release-name"],
        "aws-vpc-cni"
    );
}

#[test]
fn cluster_api_gets_live_objects_changed_in_block_and_nothing_else_is() {
    for (text, key, value) in [
        ("mode: Block\nclusterApi: Protect", "aws.cluster.x-k8s.io/prevent-deletion", "true"),
        ("mode: Block\nclusterApi: Release", "app.kubernetes.io/managed-by", "eks"),
        (
            "mode: Adopt\nowner: {manager: argocd-controller}\nclusterApi: Release",
            "app.kubernetes.io/managed-by",
            "eks",
        ),
    ] {
        let stored = bootstrapped();
        let mut whole = written(&stored, &look(&stored, text));
        assert_eq!(whole["metadata"]["labels"][key], value, "{text}");
        whole["metadata"]["labels"] = stored["metadata"]["labels"].clone();
        whole["metadata"]["resourceVersion"] = json!("41");
        assert_eq!(whole, stored, "{text}: nothing else");
    }
    assert_eq!(look(&bootstrapped(), "mode: Block").state, State::InOrder);
}

#[test]
fn observe_never_writes() {
    for text in ["mode: Observe", "mode: Observe\nmanagedAddon: Absent\nclusterApi: Protect"] {
        let seen = look(&bootstrapped(), text);
        assert_eq!((seen.state, seen.step), (State::Observed, None), "{text}");
        let half = tracked(written(&bootstrapped(), &look(&bootstrapped(), ADOPT)));
        assert_eq!(look(&half, text).step, None, "{text}: not even to end a repair");
    }
}

#[test]
fn what_is_not_ours_to_judge_is_left() {
    let mut paused = bootstrapped();
    paused["metadata"]["annotations"] = json!({"cni-steward.dev/allow-until": "2026-01-01T13:00:00Z"});
    let mut marked = bootstrapped();
    marked["metadata"]["annotations"] = json!({"cni-steward.dev/managed-addon": "true"});
    let mut foreign = bootstrapped();
    foreign["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "kube-system"});
    for (object, text, reason) in [
        (&paused, ADOPT, Reason::Paused),
        (&marked, ADOPT, Reason::ManagedAddon),
        (&foreign, ADOPT, Reason::OtherRelease),
        (&bootstrapped(), "mode: Adopt\nmanagedAddon: Absent\nexempt: {managers: ['e*']}", Reason::Exempt),
        (&paused, "mode: Block\nclusterApi: Release", Reason::Paused),
        (&marked, "mode: Block\nclusterApi: Release", Reason::ManagedAddon),
    ] {
        let seen = look(object, text);
        assert_eq!((seen.state, seen.step), (State::Left(reason), None), "{text}");
    }
}

#[test]
fn an_object_that_is_being_deleted_is_let_go() {
    let mut going = bootstrapped();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    let seen = look(&going, ADOPT);
    assert_eq!((seen.state, seen.step), (State::Going, None));
}

#[test]
fn an_object_that_is_not_understood_is_not_changed() {
    let mut twice = bootstrapped().to_string();
    twice.insert_str(1, "\"metadata\":{},");
    for text in ["", "null", "[]", "{", r#"{"metadata":{}}"#, r#"{"apiVersion":"v1","metadata":{}}"#, &twice]
    {
        let seen = plan(target(), text, &policy(ADOPT), &|_| false, now());
        assert_eq!((seen.state, seen.step), (State::Odd, None), "{text}");
    }
}

#[test]
fn an_object_without_ownership_gets_stamps_in_one_write_and_no_entry() {
    let mut stripped = bootstrapped();
    stripped["metadata"].as_object_mut().unwrap().remove("managedFields");
    let whole = written(&stripped, &look(&stripped, UNKNOWN));
    assert_eq!(whole["metadata"]["managedFields"], Value::Null);
    assert_eq!(look(&whole, UNKNOWN).state, State::InOrder);
}

#[test]
fn a_contested_path_is_left_and_the_others_are_repaired() {
    let stored = bootstrapped();
    let stops = |path: &str| path.ends_with("prevent-deletion");
    let seen = plan(target(), &stored.to_string(), &policy(ADOPT), &stops, now());
    assert_eq!(seen.state, State::Repairing);
    let whole = written(&stored, &seen);
    assert_eq!(whole["metadata"]["labels"]["aws.cluster.x-k8s.io/prevent-deletion"], Value::Null);
    assert_eq!(managers(&whole), ["helm"]);
    let rest = plan(target(), &whole.to_string(), &policy(ADOPT), &stops, now());
    assert_eq!((rest.state, rest.step), (State::Contested, None));
    assert_eq!(rest.wanted.len(), 1, "still told");

    let stamp = |path: &str| path.ends_with("release-name");
    let seen = plan(target(), &stored.to_string(), &policy(ADOPT), &stamp, now());
    let whole = written(&stored, &seen);
    assert_eq!(managers(&whole), ["eks"], "who holds a stamp goes with its value");
    assert_eq!(whole["metadata"]["annotations"]["meta.helm.sh/release-name"], Value::Null);
}

#[test]
fn a_contest_names_who_holds_the_path_now() {
    let mut stored = written(&bootstrapped(), &look(&bootstrapped(), ADOPT));
    stored["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("me");
    let label = json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}});
    let entries = stored["metadata"]["managedFields"].as_array_mut().unwrap();
    entries.push(entry("flux", "Apply", "2026-01-01T11:30:00Z", &label));
    entries.push(entry("kubectl-edit", "Update", "2026-01-01T11:40:00Z", &json!({"f:spec": {}})));
    let seen = look(&stored, ADOPT);
    assert_eq!(seen.writer, "kubectl-edit");
    assert_eq!(seen.wanted.iter().map(|want| want.by.as_str()).collect::<Vec<_>>(), ["flux"]);
    let whole = written(&stored, &seen);
    assert_eq!(managers(&whole), ["helm", "kubectl-edit"], "an entry of the stamp alone goes with it");
}
