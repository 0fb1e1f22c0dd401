//! What an adoption by a person plans, and what it will not do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use cni_steward::adopt::{Plan, State, Stored, Wish, plan, resumes};
use cni_steward::policy::pattern::Pattern;
use cni_steward::policy::rules::Mode;
use cni_steward::policy::{Kind, Policy, Target};
use cni_steward::undo::{After, Mark, Metadata, Place, Saved, Undo};
use jiff::Timestamp;
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
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
    let image = "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.22.4-eksbuild.1";
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
        "name": "aws-node", "namespace": "kube-system", "uid": "u", "resourceVersion": "41",
        "creationTimestamp": "2026-01-01T11:00:00Z",
        "labels": {"app.kubernetes.io/managed-by": "Helm", "k8s-app": "aws-node"},
        "managedFields": [entry("eks", "Apply", "2026-01-01T11:00:00Z", &fields)]},
        "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}},
                 "template": {"spec": {"containers": [{"name": "aws-node", "image": image}]}}}})
}

fn look(object: &Value, policy: &Policy, absorb: &[&str], addon_absent: bool) -> Plan {
    let text = object.to_string();
    let target = Target { kind: Kind::DaemonSet, namespace: "kube-system", name: "aws-node" };
    let absent = Target { kind: Kind::ConfigMap, namespace: "kube-system", name: "amazon-vpc-cni" };
    let absorb: Vec<Pattern> = absorb.iter().map(|&glob| Pattern::new(glob)).collect();
    let stored = [Stored { target: absent, text: None }, Stored { target, text: Some(&text) }];
    plan(&stored, &Wish { policy, absorb: &absorb, addon_absent }, now())
}

fn adopt(object: &Value) -> Plan {
    look(object, &Policy::with_mode(Mode::Adopt), &[], false)
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

#[test]
fn a_bootstrap_is_adopted_in_two_writes_and_what_is_absent_is_said() {
    let seen = adopt(&bootstrapped());
    assert_eq!(codes(&seen), Vec::<&str>::new());
    let [absent, object] = seen.objects.as_slice() else { panic!("{seen:?}") };
    assert_eq!((absent.state, absent.writes()), (State::Absent, 0));
    assert_eq!((object.state, object.writes()), (State::ToAdopt, 2));
    let keys: Vec<(&str, Option<&str>)> =
        object.edits.iter().map(|edit| (edit.key, edit.to.as_deref())).collect();
    assert_eq!(
        keys,
        [
            ("meta.helm.sh/release-name", Some("aws-vpc-cni")),
            ("meta.helm.sh/release-namespace", Some("kube-system")),
            ("cni-steward.dev/installed-by", Some("eks")),
            ("aws.cluster.x-k8s.io/prevent-deletion", Some("true")),
        ]
    );
    assert_eq!((object.moved[0].manager.as_str(), object.moved[0].paths), ("eks", 3));
    assert_eq!(object.after.annotations["meta.helm.sh/release-name"], "aws-vpc-cni");
    assert!(object.fields.iter().all(|change| change.to == ["helm/Apply"]), "{:?}", object.fields);
    assert_eq!(seen.original_match_labels, Some(true));
    assert!(seen.notes[0].contains("aws eks describe-addon"), "{:?}", seen.notes);
    let sure = look(&bootstrapped(), &Policy::with_mode(Mode::Adopt), &[], true);
    assert_eq!(sure.notes, Vec::<String>::new());
}

#[test]
fn what_an_adoption_leaves_is_adopted() {
    let first = adopt(&bootstrapped());
    let mut object = bootstrapped();
    first.objects[1].after.put(&mut object);
    let second = adopt(&object);
    assert_eq!((second.objects[1].state, second.objects[1].writes()), (State::Adopted, 0));
    assert_eq!(second.changes().count(), 0);
}

#[test]
fn the_mode_and_the_exempt_do_not_bind_a_person_but_block_does() {
    for (text, refused) in [
        ("mode: Observe", vec![]),
        ("mode: Adopt\nexempt: {managers: ['*'], usernames: ['*']}", vec![]),
        ("mode: Block", vec!["mode-block"]),
        ("mode: Block\nclusterApi: Release", vec!["mode-block", "cluster-api-release"]),
    ] {
        let policy = Policy::parse("policy.yaml", text).unwrap();
        let seen = look(&bootstrapped(), &policy, &[], false);
        assert_eq!(codes(&seen), refused, "{text}");
        if refused.is_empty() {
            assert_eq!(seen.objects[1].moved[0].manager, "eks", "{text}");
        }
    }
}

#[test]
fn signs_of_the_managed_add_on_need_a_persons_word_which_takes_its_mark_off() {
    let mut marked = bootstrapped();
    marked["metadata"]["annotations"] = json!({"cni-steward.dev/managed-addon": "true"});
    let mut labelled = bootstrapped();
    labelled["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("EKS");
    let mut late = bootstrapped();
    late["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T11:10:01Z");
    for object in [&marked, &labelled, &late] {
        let seen = adopt(object);
        assert_eq!(codes(&seen), ["managed-addon"], "{object}");
        assert!(seen.refusals[0].next.contains("aws eks describe-addon"), "{:?}", seen.refusals);
        let seen = look(object, &Policy::with_mode(Mode::Adopt), &[], true);
        assert_eq!(codes(&seen), Vec::<&str>::new());
    }
    let policy = Policy::parse("policy.yaml", "mode: Adopt\nmanagedAddon: Absent").unwrap();
    let seen = look(&marked, &policy, &[], false);
    let edits = &seen.objects[1].edits;
    let mark = edits.iter().find(|edit| edit.key == "cni-steward.dev/managed-addon").unwrap();
    assert_eq!((mark.from.as_deref(), &mark.to), (Some("true"), &None));
    assert!(!seen.objects[1].after.annotations.contains_key("cni-steward.dev/managed-addon"));
    let mut early = bootstrapped();
    early["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T11:10:00Z");
    assert_eq!(codes(&adopt(&early)), Vec::<&str>::new());
}

#[test]
fn further_managers_keep_their_fields_until_they_are_named() {
    let mut object = bootstrapped();
    let env = json!({"f:spec": {"f:template": {}, "f:updateStrategy": {}}});
    let entries = object["metadata"]["managedFields"].as_array_mut().unwrap();
    entries.push(entry("kubectl-set", "Update", "2026-01-01T11:30:00Z", &env));
    entries.push(entry("kube-controller-manager", "Update", "2026-01-01T11:30:00Z", &env));
    let seen = adopt(&object);
    let offers: Vec<(&str, usize)> =
        seen.offers.iter().map(|offer| (offer.manager.as_str(), offer.paths)).collect();
    assert_eq!(offers, [("kubectl-set", 2)]);
    let seen = look(&object, &Policy::with_mode(Mode::Adopt), &["kubectl-*"], false);
    assert_eq!(seen.offers, []);
    assert_eq!(seen.objects[1].moved.len(), 2);
}

/// Between the two writes: the API server has recorded the keys as ours and taken them from the owner.
fn half(object: &Value, plan: &Plan) -> Value {
    let mut half = object.clone();
    plan.objects[1].after.put(&mut half);
    let keys = json!({"f:metadata": {
        "f:annotations": {".": {}, "f:meta.helm.sh/release-name": {}, "f:meta.helm.sh/release-namespace": {}},
        "f:labels": {"f:cni-steward.dev/installed-by": {}, "f:aws.cluster.x-k8s.io/prevent-deletion": {}},
    }});
    let entries = half["metadata"]["managedFields"].as_array_mut().unwrap();
    entries[0]["fieldsV1"]["f:metadata"].as_object_mut().unwrap().remove("f:annotations");
    entries.push(entry("cni-steward", "Update", "2026-01-01T12:00:00Z", &keys));
    half["metadata"]["resourceVersion"] = json!("42");
    half
}

fn whole(object: &Value, plan: &Plan) -> Value {
    let mut whole = object.clone();
    plan.objects[1].after.put(&mut whole);
    // Of the second write, whenever that was.
    whole["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T12:00:07Z");
    whole["metadata"]["resourceVersion"] = json!("43");
    whole
}

/// Helm 4 would prune the labels.
#[test]
fn an_absorb_of_everybody_does_not_make_our_own_labels_the_owner_s() {
    let policy = Policy::with_mode(Mode::Adopt);
    let first = look(&bootstrapped(), &policy, &["*"], false);
    let second = look(&half(&bootstrapped(), &first), &policy, &["*"], false);
    assert_eq!(second.objects[1].moved, []);
    let list: Value = serde_json::from_str(&second.objects[1].after.managed_fields).unwrap();
    let planned: Value = serde_json::from_str(&first.objects[1].after.managed_fields).unwrap();
    assert_eq!(list[0]["fieldsV1"], planned[0]["fieldsV1"], "as planned before the first write");
    assert_eq!(list.as_array().unwrap().len(), 1);
}

/// The object after a write of somebody else.
fn edited(mut object: Value) -> Value {
    let fields = json!({"f:spec": {"f:updateStrategy": {}}});
    let entries = object["metadata"]["managedFields"].as_array_mut().unwrap();
    entries.push(entry("kubectl-edit", "Update", "2026-01-01T12:00:03Z", &fields));
    object["metadata"]["resourceVersion"] = json!("44");
    object
}

fn with_status(mut object: Value) -> Value {
    let mut status = entry("kubelet", "Update", "2026-01-01T12:00:03Z", &json!({"f:status": {}}));
    status["subresource"] = json!("status");
    object["metadata"]["managedFields"].as_array_mut().unwrap().push(status);
    object["metadata"]["resourceVersion"] = json!("44");
    object
}

fn holds_for(plan: &Plan, object: &Value) -> bool {
    plan.objects[1].holds_for(&Metadata::of(&object.to_string()).unwrap())
}

#[test]
fn a_conflict_is_planned_anew_only_after_a_status_or_a_write_of_our_own() {
    let first = adopt(&bootstrapped());
    let half = half(&bootstrapped(), &first);
    for ours in [with_status(bootstrapped()), half.clone(), with_status(half.clone())] {
        assert!(holds_for(&first, &ours), "{ours}");
    }
    for theirs in [edited(bootstrapped()), edited(half.clone())] {
        assert!(!holds_for(&first, &theirs), "{theirs}");
    }
    // Neither the second write nor one for an entry that came back changes a key.
    let adopted = whole(&bootstrapped(), &first);
    let mut back = adopted.clone();
    let eks = entry("eks", "Apply", "2026-01-01T12:30:00Z", &json!({"f:spec": {"f:template": {}}}));
    back["metadata"]["managedFields"].as_array_mut().unwrap().push(eks);
    for object in [half, back] {
        let plan = adopt(&object);
        assert_eq!(plan.objects[1].edits, []);
        let written = whole(&object, &plan);
        assert!(holds_for(&plan, &with_status(object.clone())) && holds_for(&plan, &written), "{object}");
        for theirs in [edited(object.clone()), edited(written)] {
            assert!(!holds_for(&plan, &theirs), "{theirs}");
        }
    }
}

/// The undo file of a run that was cut off.
fn cut_off(object: &Value, plan: &Plan, marks: Vec<Mark>) -> Undo {
    let saved = Saved {
        api_version: "apps/v1".into(),
        kind: "DaemonSet".into(),
        namespace: "kube-system".into(),
        name: "aws-node".into(),
        before: object.to_string(),
        after: After::Changed(plan.objects[1].after.clone()),
    };
    let cluster = Place { uid: "c".into(), url: "https://a:443".into() };
    let (command, policy, made_at) = ("adopt".into(), "0123456789ab".into(), now());
    let undo = Undo { command, made_at, policy, cluster, objects: vec![saved], marks: Vec::new() };
    Undo { marks, ..Undo::parse("f", &undo.text()).unwrap() }
}

#[test]
fn a_run_goes_on_with_one_that_was_cut_off_only_where_that_one_stood_and_to_the_same_end() {
    let first = adopt(&bootstrapped());
    let half = half(&bootstrapped(), &first);
    let adopted = whole(&bootstrapped(), &first);
    let undo = cut_off(&bootstrapped(), &first, Vec::new());
    let policy = Policy::with_mode(Mode::Adopt);
    for stands in [&bootstrapped(), &with_status(bootstrapped()), &half, &adopted] {
        assert!(resumes(&undo, &adopt(stands)), "{stands}");
        let mut anew = stands.clone();
        anew["metadata"]["uid"] = json!("another");
        assert!(!resumes(&undo, &adopt(&anew)), "{anew}");
    }
    for theirs in [edited(bootstrapped()), edited(half.clone()), edited(adopted.clone())] {
        assert!(!resumes(&undo, &adopt(&theirs)), "{theirs}");
    }

    // Another end: more is absorbed, or another policy.
    let together = edited(bootstrapped());
    let undo = cut_off(&together, &look(&together, &policy, &[], false), Vec::new());
    assert!(resumes(&undo, &look(&together, &policy, &[], false)));
    assert!(!resumes(&undo, &look(&together, &policy, &["kubectl-*"], false)));
    let other = Policy::parse("policy.yaml", "mode: Adopt\nclusterApi: Leave").unwrap();
    assert!(!resumes(&undo, &look(&together, &other, &[], false)));

    // A file that saved another object does not undo this one.
    let mut elsewhere = cut_off(&bootstrapped(), &first, Vec::new());
    elsewhere.objects[0].name = "other".into();
    assert!(!resumes(&elsewhere, &first));
    elsewhere.objects.clear();
    assert!(!resumes(&elsewhere, &first));
    assert!(resumes(&elsewhere, &adopt(&adopted)), "nothing is left to write");
}

/// As when another webhook takes a label away in the very request that brings it.
#[test]
fn what_a_write_of_the_run_was_answered_with_is_where_it_stood() {
    let first = adopt(&bootstrapped());
    let mut answered = half(&bootstrapped(), &first);
    answered["metadata"]["labels"].as_object_mut().unwrap().remove("aws.cluster.x-k8s.io/prevent-deletion");
    let left = Metadata::of(&answered.to_string()).unwrap();
    for (marks, goes_on) in
        [(vec![], false), (vec![Mark::Wrote(1, left.clone())], false), (vec![Mark::Wrote(0, left)], true)]
    {
        let undo = cut_off(&bootstrapped(), &first, marks);
        assert_eq!(resumes(&undo, &adopt(&answered)), goes_on, "{:?}", undo.marks);
    }
}

#[test]
fn what_speaks_against_it_is_said_with_what_helps() {
    let with = |parent: &str, key: &str, value: Value| {
        let mut object = bootstrapped();
        object.pointer_mut(parent).unwrap()[key] = value;
        object
    };
    let stamped = json!({"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "net"});
    let paused = json!({"cni-steward.dev/allow-until": "2026-01-01T12:30:00Z"});
    let image = json!([{"name": "aws-node", "image": "example.com/mine:1"}]);
    for (object, code, words) in [
        (with("/metadata", "annotations", stamped), "other-release", "--release NAMESPACE/NAME"),
        (with("/metadata", "annotations", paused), "paused", "allow-until-"),
        (
            with("/metadata", "deletionTimestamp", json!("2026-01-01T12:00:00Z")),
            "being-deleted",
            "kubectl wait",
        ),
        (
            with("/spec/template/spec", "containers", image),
            "foreign-daemonset",
            "kubectl get daemonsets.apps/aws-node",
        ),
        (
            with("/metadata/labels", "helm.toolkit.fluxcd.io/name", json!("net")),
            "other-owner",
            "--owner flux",
        ),
        (
            with(
                "/metadata",
                "annotations",
                json!({"argocd.argoproj.io/tracking-id": "net:apps/DaemonSet:x"}),
            ),
            "other-owner",
            "--owner argocd",
        ),
        (with("/metadata", "annotations", json!(["odd"])), "odd-object", "kubectl get"),
    ] {
        let seen = adopt(&object);
        assert_eq!(codes(&seen), [code], "{object}");
        assert!(seen.refusals.iter().all(|refusal| refusal.next.contains(words)), "{:?}", seen.refusals);
    }
    let seen =
        plan(&[], &Wish { policy: &Policy::with_mode(Mode::Adopt), absorb: &[], addon_absent: false }, now());
    assert_eq!(codes(&seen), ["nothing-here"]);
}

#[test]
fn an_object_of_the_chart_whatever_its_registry_is_aws_s() {
    let mut mirrored = bootstrapped();
    mirrored["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example.com/cni:1");
    assert_eq!(codes(&adopt(&mirrored)), ["foreign-daemonset"]);
    mirrored["metadata"]["labels"]["helm.sh/chart"] = json!("aws-vpc-cni-1.22.4");
    assert_eq!(codes(&adopt(&mirrored)), Vec::<&str>::new());
}
