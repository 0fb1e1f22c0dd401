//! What must hold for any review whatever, well-formed or damaged: each law of the design as a property.
//!
//! The laws themselves are in `support/laws`, where fuzzing (`fuzz/`) finds them too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails this way"
)]

use cni_steward::admission::Answer;
use cni_steward::policy::rules::ManagedAddon;
use cni_steward::policy::{Kind, Policy, Target};
use cni_steward::reconcile::plan::{State, plan};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

#[path = "support/laws/growth.rs"]
mod growth;
#[path = "support/laws/review.rs"]
mod laws;

use laws::{ANNOTATIONS, LABELS, POLICIES, ask, patch_of, rest};

fn lawful<'a>(body: &'a [u8], policy: &Policy) -> Result<Answer<'a>, TestCaseError> {
    laws::lawful(body, policy).map_err(TestCaseError::fail)
}

fn manager() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(vec!["eks", "helm", "kubectl-edit", "kubectl-client-side-apply", "argocd-controller", "other"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z]{127,130}",
    ]
}

fn fields() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        6 => select(vec![
            "f:metadata", "f:labels", "f:annotations", "f:spec", "f:app.kubernetes.io/managed-by",
            "f:meta.helm.sh/release-name", "f:cni-steward.dev/installed-by", ".", r#"k:{"name":"a"}"#,
            r#"k:{"b":1.0,"a":80}"#, r#"v:"x""#, "i:3",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,6}".prop_map(|text| format!("f:{text}")),
        1 => select(vec!["x:future", "nonsense", "k:{", ""]).prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![12 => Just(json!({})), 1 => Just(Value::Null), 1 => Just(json!(7))];
    leaf.prop_recursive(5, 24, 4, move |inner| {
        prop::collection::vec((name.clone(), inner), 0..4)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
    })
}

fn entry() -> impl Strategy<Value = Value> {
    let known = (
        manager(),
        select(vec!["Apply", "Apply", "Update"]),
        select(vec!["apps/v1", "apps/v1", "apps/v1", "v1", ""]),
        select(vec![None, Some("2025-05-05T00:00:00Z"), Some("2026-01-01T00:00:00Z"), Some("soon")]),
        fields(),
        select(vec![None, None, None, Some("status")]),
    )
        .prop_map(|(manager, operation, version, time, fields, subresource)| {
            let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": version,
                "fieldsType": "FieldsV1", "fieldsV1": fields});
            if let Some(time) = time {
                entry["time"] = json!(time);
            }
            if let Some(subresource) = subresource {
                entry["subresource"] = json!(subresource);
            }
            entry
        });
    prop_oneof![
        12 => known,
        1 => select(vec![json!({}), json!(null), json!(7), json!([]), json!({"manager": "eks", "new": true})]),
    ]
}

fn pairs(keys: [&'static str; 3]) -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => select(keys.to_vec()).prop_map(str::to_owned), 1 => "[a-z~/]{1,4}"];
    let value = select(vec!["Helm", "aws-vpc-cni", "kube-system", "eks", "true", "", "another"])
        .prop_map(|text| json!(text));
    prop_oneof![
        8 => prop::collection::vec((key, value), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        1 => Just(Value::Null),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    (pairs(LABELS), pairs(ANNOTATIONS), prop::collection::vec(entry(), 0..5), 0..8_u8).prop_map(
        |(labels, annotations, list, absent)| {
            let mut object = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
                "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": labels,
                    "annotations": annotations, "managedFields": list},
                "spec": {"template": {"spec": {"containers": [{"name": "aws-node", "image": "cni:v1"}]}}}});
            let metadata = object["metadata"].as_object_mut().unwrap();
            for (bit, key) in ["labels", "annotations", "managedFields"].into_iter().enumerate() {
                if absent == u8::try_from(bit).unwrap() {
                    metadata.remove(key);
                }
            }
            object
        },
    )
}

fn review() -> impl Strategy<Value = Value> {
    let user = select(vec!["admin", "eks:addon-manager", "eks:cluster-bootstrap"]);
    let named = prop_oneof![5 => manager().prop_map(Some), 1 => Just(None)];
    (object(), prop::option::of(object()), user, named, any::<bool>()).prop_map(
        |(object, old, user, manager, same)| {
            let old = old.map(|old| if same { object.clone() } else { old });
            let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
            "uid": "7f0c", "kind": {"group": "apps", "version": "v1", "kind": "DaemonSet"},
            "resource": {"group": "apps", "version": "v1", "resource": "daemonsets"},
            "name": "aws-node", "namespace": "kube-system", "operation": operation,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": object, "oldObject": old, "dryRun": false,
            "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": manager}}})
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    select(POLICIES.to_vec()).prop_map(|text| Policy::parse("policy.yaml", text).unwrap())
}

/// What the API server records of a repair's first write: its labels and annotations as the patcher's.
fn tracked(object: &mut Value, paths: &[String]) {
    let mut fields = json!({"f:metadata": {}});
    for path in paths {
        let Some((map, key)) = path.strip_prefix(".metadata.").and_then(|path| path.split_once('.')) else {
            continue;
        };
        fields["f:metadata"][format!("f:{map}")][format!("f:{key}")] = json!({});
    }
    let entry = json!({"manager": "cni-steward", "operation": "Update", "apiVersion": "apps/v1",
        "time": "2026-01-01T12:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields});
    // Without a list nothing is tracked.
    if let Some(list) = object["metadata"]["managedFields"].as_array_mut().filter(|list| !list.is_empty()) {
        list.push(entry);
    }
}

/// One way to spoil a text.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index),
    Insert(Index, u8),
    /// The value after some colon becomes this text.
    Swap(Index, &'static str),
    /// What stands between two commas stands there twice.
    Twice(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        at().prop_map(Damage::Cut),
        at().prop_map(Damage::Drop),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        (at(), select(vec!["null", "[]", "{}", "7", "\"\"", "true", "1e400", "\"\\ud800\""]))
            .prop_map(|(at, text)| Damage::Swap(at, text)),
        at().prop_map(Damage::Twice),
    ]
}

fn spoil(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let places = |byte: u8| bytes.iter().enumerate().filter(move |(_, b)| **b == byte).map(|(at, _)| at);
    match damage {
        Damage::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Drop(at) => drop(bytes.remove(at.index(bytes.len()))),
        Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Damage::Swap(at, text) => {
            let colons: Vec<usize> = places(b':').collect();
            if colons.is_empty() {
                return;
            }
            let from = colons[at.index(colons.len())] + 1;
            let tail = bytes[from..].to_vec();
            let mut values = serde_json::Deserializer::from_slice(&tail).into_iter::<serde::de::IgnoredAny>();
            if matches!(values.next(), Some(Ok(_))) {
                bytes.splice(from..from + values.byte_offset(), text.bytes());
            }
        }
        Damage::Twice(at) => {
            let commas: Vec<usize> = places(b',').collect();
            if commas.len() < 2 {
                return;
            }
            let first = at.index(commas.len() - 1);
            let part = bytes[commas[first]..commas[first + 1]].to_vec();
            bytes.splice(commas[first]..commas[first], part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_review_is_answered_by_a_patch_that_applies_once_and_stays_in_the_catalogue(review in review(), policy in policy()) {
        let body = review.to_string();
        let said = lawful(body.as_bytes(), &policy)?;
        prop_assert_eq!(said.status, 200);
    }

    #[test]
    fn entries_that_are_not_understood_pass_byte_for_byte(review in review(), policy in policy()) {
        let mut review = review;
        let strange = [json!({"manager": "eks", "operation": "Merge", "apiVersion": "apps/v1", "fieldsType": "FieldsV2", "fieldsV1": {"a": 1.50}}),
            json!({"manager": "eks", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {"bad": {}}})];
        let Some(list) = review["request"]["object"]["metadata"]["managedFields"].as_array_mut() else { return Ok(()) };
        list.extend(strange.clone());
        let body = review.to_string();
        let said = lawful(body.as_bytes(), &policy)?;
        if let Some(patch) = patch_of(&said, body.as_bytes()) {
            let mut object = review["request"]["object"].clone();
            json_patch::patch(&mut object, &patch).unwrap();
            let after = object["metadata"]["managedFields"].to_string();
            for entry in &strange {
                prop_assert!(after.contains(&entry.to_string()), "{entry} is not in {after}");
            }
        }
    }

    #[test]
    fn any_stored_object_is_repaired_by_patches_that_apply_stay_in_the_catalogue_and_come_to_an_end(
        object in object(), policy in policy(), absent in any::<bool>(), ours in any::<bool>(),
    ) {
        let mut policy = policy;
        if absent {
            policy.managed_addon = ManagedAddon::Absent;
        }
        let mut stored = object;
        stored["metadata"]["resourceVersion"] = json!("1");
        if ours && let Some(Value::Object(first)) = stored["metadata"]["managedFields"].get_mut(0) {
            first.insert("manager".to_owned(), json!("cni-steward"));
        }
        let before = stored.clone();
        let target = Target { kind: Kind::DaemonSet, namespace: "kube-system", name: "aws-node" };
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let mut writes = 0;
        loop {
            let text = stored.to_string();
            let planned = plan(target, &text, &policy, &|_| false, now);
            prop_assert_eq!(&planned, &plan(target, &text, &policy, &|_| false, now));
            let quiet = matches!(planned.state, State::Observed | State::Left(_) | State::Odd | State::InOrder);
            prop_assert!(!quiet || planned.step.is_none(), "{planned:?}");
            prop_assert!(planned.state != State::Repairing || planned.step.is_some(), "{planned:?}");
            let Some(step) = planned.step else { break };
            writes += 1;
            prop_assert!(writes <= 2, "a third write: {step:?} of {stored}");
            let patch: json_patch::Patch = serde_json::from_str(&step.patch).unwrap();
            if let Err(error) = json_patch::patch(&mut stored, &patch) {
                return Err(TestCaseError::fail(format!("{patch:?} does not apply: {error}")));
            }
            if step.first {
                tracked(&mut stored, &step.paths);
            }
        }
        prop_assert_eq!(rest(&before), rest(&stored), "outside the catalogue");
        let list = |object: &Value| object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        prop_assert!(list(&before).is_empty() || !list(&stored).is_empty(), "the list was emptied");
    }

    #[test]
    fn a_damaged_review_is_refused_with_a_reason_or_answered_lawfully(
        review in review(), policy in policy(), damage in prop::collection::vec(damage(), 1..4),
    ) {
        let mut body = review.to_string().into_bytes();
        for damage in &damage {
            spoil(&mut body, damage);
        }
        let said = lawful(&body, &policy)?;
        prop_assert!(said.status == 200 || !said.record.message.is_empty());
    }
}

/// An object whose list is `list`, as `eks` creates it.
fn with_list(list: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7f0c","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"CREATE","userInfo":{{"username":"admin"}},"object":{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","managedFields":{list}}}}},"oldObject":null,"options":{{"fieldManager":"eks"}}}}}}"#
    )
}

fn text_of(manager: &str, fields: &str) -> String {
    format!(
        r#"{{"manager":"{manager}","operation":"Update","apiVersion":"apps/v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
    )
}

#[test]
fn deep_nesting_costs_neither_the_stack_nor_a_wrong_answer() {
    let policy = Policy::parse("policy.yaml", POLICIES[0]).unwrap();
    for depth in [100, 256, 257, 5_000, 200_000] {
        let deep = r#"{"f:a":"#.repeat(depth) + "{}" + &"}".repeat(depth);
        let lists = "[".repeat(depth) + &"]".repeat(depth);
        for list in [
            format!("[{},{}]", text_of("eks", &deep), text_of("helm", "{}")),
            format!("[{},{}]", text_of("other", &deep), text_of("eks", r#"{"f:spec":{}}"#)),
            format!("[{lists}]"),
            lists.clone(),
        ] {
            let body = with_list(&list);
            let said = ask(body.as_bytes(), &policy);
            assert!(matches!(said.status, 200 | 400), "depth {depth}: status {}", said.status);
        }
    }
}

#[test]
fn a_huge_list_moves_whole_and_the_answer_grows_with_what_changes_only() {
    let policy = Policy::parse("policy.yaml", POLICIES[0]).unwrap();
    let size = |ours: usize, others: usize| {
        let fields = |index: usize| {
            format!(r#"{{"f:spec":{{"k:{{\"name\":\"n{index}\"}}":{{".":{{}},"f:value":{{}}}}}}}}"#)
        };
        let entry = |index: usize| {
            let manager = if index < ours { "eks".to_owned() } else { format!("client-{index}") };
            text_of(&manager, &fields(index))
        };
        let entries: Vec<String> = (0..ours + others).map(entry).collect();
        let body = with_list(&format!("[{}]", entries.join(",")));
        let said = ask(body.as_bytes(), &policy);
        assert_eq!((said.status, said.record.verdict), (200, "amend"), "{}", said.record.message);
        let patch = patch_of(&said, body.as_bytes()).unwrap();
        let text = serde_json::to_string(&patch).unwrap();
        let seen = (text.matches("\\\"name\\\"").count(), text.matches("\"manager\":\"helm\"").count());
        assert_eq!(seen, (ours + others, 1), "every path once, in one entry of the owner");
        text.len()
    };
    let (small, large) = (size(500, 500), size(4_000, 4_000));
    assert!(large < small * 9, "eight times the list: {small} bytes became {large}");
}

/// An UPDATE from one list to another by whom no field manager is told; a label that the second names was overwritten.
fn update(list: &[String], old: &[String]) -> String {
    let object = |managed_by: &str, list: &[String]| {
        format!(
            r#"{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","labels":{{"app.kubernetes.io/managed-by":"{managed_by}"}},"managedFields":[{}]}}}}"#,
            list.join(",")
        )
    };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7f0c","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"UPDATE","userInfo":{{"username":"admin"}},"object":{},"oldObject":{}}}}}"#,
        object("eks", list),
        object("Helm", old)
    )
}

#[rstest::rstest]
#[case::nobody_wrote("{}", "{}", 1_000)]
#[case::all_hold_the_stamp_that_was_overwritten(STAMP, r#"{"f:spec":{}}"#, 500)]
fn two_lists_of_many_managers_cost_no_more_than_their_length(
    #[case] fields: &str,
    #[case] before: &str,
    #[case] managers: usize,
) {
    let policy = Policy::parse("policy.yaml", POLICIES[0]).unwrap();
    let review = |managers: usize| {
        let entry = |index: usize, fields: &str| text_of(&format!("client-{index}"), fields);
        let list: Vec<String> = (0..managers).map(|index| entry(index, fields)).collect();
        let old: Vec<String> = (0..managers).rev().map(|index| entry(index, before)).collect();
        update(&list, &old)
    };
    let (small, large) = (review(managers), review(managers * growth::TIMES));
    let costs = growth::excess(&small, &large, |body| {
        let said = ask(body.as_bytes(), &policy);
        assert_eq!((said.status, said.record.verdict), (200, "amend"), "{}", said.record.message);
    });
    assert_eq!(costs, None, "nanoseconds for eight times {managers} managers, and for all of them at once");
}

const STAMP: &str = r#"{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}},"f:spec":{}}"#;

/// Entries that are the same but for their paths are compared with one that is long.
#[test]
fn many_entries_beside_a_long_one_cost_no_more_than_their_length() {
    let policy = Policy::parse("policy.yaml", POLICIES[0]).unwrap();
    let review = |entries: usize| {
        let list = vec![text_of("client", STAMP); entries];
        let paths: Vec<String> = (0..entries * 4).map(|index| format!(r#""f:{index}": {{}}"#)).collect();
        update(&list, &[text_of("client", &format!(r#"{{"f:metadata":{{{}}}}}"#, paths.join(",")))])
    };
    let (small, large) = (review(200), review(200 * growth::TIMES));
    let costs = growth::excess(&small, &large, |body| {
        let said = ask(body.as_bytes(), &policy);
        assert_eq!((said.status, said.record.verdict), (200, "amend"), "{}", said.record.message);
    });
    assert_eq!(costs, None, "nanoseconds for eight times 200 entries, and for all of them at once");
}
