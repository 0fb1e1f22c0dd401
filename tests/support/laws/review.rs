//! The laws of a review's answer, whatever the review: for properties (`tests/laws.rs`) and for fuzzing (`fuzz/`).
//!
//! The patch is applied by the json-patch crate, and what may change is spelt out here once more, so that neither is the
//! program's own word.

use std::collections::BTreeMap;

use base64::Engine as _;
use cni_steward::admission::{Answer, answer};
use cni_steward::policy::Policy;
use serde_json::Value;
use serde_json::value::RawValue;

/// The labels that may change.
pub(crate) const LABELS: [&str; 3] =
    ["app.kubernetes.io/managed-by", "cni-steward.dev/installed-by", "aws.cluster.x-k8s.io/prevent-deletion"];
/// The annotations that may change.
pub(crate) const ANNOTATIONS: [&str; 3] =
    ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "cni-steward.dev/managed-addon"];

/// Policies that differ in what they do to a review.
pub(crate) const POLICIES: [&str; 9] = [
    "mode: Adopt",
    "mode: Adopt\nfields: Stamp",
    "mode: Adopt\nabsorb: ['*']\nmanagedAddon: Absent",
    "mode: Adopt\nabsorb: [eks, 'kubectl*']",
    "mode: Adopt\nowner: {manager: argocd-controller}",
    "mode: Adopt\nexempt: {usernames: []}\nclusterApi: Leave",
    "mode: Block\nclusterApi: Protect",
    "mode: Block\nclusterApi: Release",
    "mode: Observe",
];

/// Answers at a time that is always the same.
pub(crate) fn ask<'a>(body: &'a [u8], policy: &Policy) -> Answer<'a> {
    answer(body, policy, "2026-01-01T12:00:00.7Z".parse().unwrap())
}

/// The patch of an answer.
pub(crate) fn patch_of(answer: &Answer<'_>, body: &[u8]) -> Option<json_patch::Patch> {
    let review: Value = serde_json::from_slice(&answer.body.whole(body)).expect("an answer is JSON");
    let patch = review["response"]["patch"].as_str()?;
    let patch = base64::engine::general_purpose::STANDARD.decode(patch).expect("a patch is base64");
    Some(serde_json::from_slice(&patch).expect("a patch is JSON"))
}

/// The object without everything that may ever change; a map that then is empty counts as absent.
pub(crate) fn rest(object: &Value) -> Value {
    let mut rest = object.clone();
    if let Some(metadata) = rest.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        for (map, keys) in [("labels", LABELS), ("annotations", ANNOTATIONS)] {
            let Some(pairs) = metadata.get_mut(map) else { continue };
            if let Some(pairs) = pairs.as_object_mut() {
                for key in keys {
                    pairs.remove(key);
                }
            }
            if pairs.is_null() || pairs.as_object().is_some_and(serde_json::Map::is_empty) {
                metadata.remove(map);
            }
        }
    }
    rest
}

/// The object under review as it is written in the body.
fn written(body: &[u8]) -> Option<&str> {
    ["request", "object"].into_iter().try_fold(std::str::from_utf8(body).ok()?, |text, key| {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        fields.get(key).map(|value| value.get())
    })
}

/// Asks about a body and holds the answer to every law that holds for any body; says which one is broken.
pub(crate) fn lawful<'a>(body: &'a [u8], policy: &Policy) -> Result<Answer<'a>, String> {
    let said = ask(body, policy);
    if !matches!(said.status, 200 | 400) {
        return Err(format!("status {}", said.status));
    }
    if said.body != ask(body, policy).body {
        return Err("the same bytes, another answer".to_owned());
    }
    for warning in &said.record.warnings {
        if warning.chars().count() > 120 || warning.contains(char::is_control) {
            return Err(format!("no client shows this warning whole: {warning:?}"));
        }
    }
    // What this test's own reader cannot hold (1e400, half a surrogate pair, more than 128 levels) cannot be patched here.
    let Ok(review) = serde_json::from_slice::<Value>(body) else { return Ok(said) };
    let Some(patch) = patch_of(&said, body) else { return Ok(said) };
    let before = &review["request"]["object"];
    let mut after = before.clone();
    if let Err(error) = json_patch::patch(&mut after, &patch) {
        return Err(format!("{patch:?} does not apply: {error}"));
    }
    if rest(before) != rest(&after) {
        return Err(format!("outside the catalogue: {before} became {after}"));
    }
    let list = |object: &Value| object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    if !list(before).is_empty() && list(&after).is_empty() {
        return Err("the list was emptied".to_owned());
    }
    // A key that stands twice is one key once this reader has read it: the second look would be at another object.
    if written(body) != Some(&before.to_string()) {
        return Ok(said);
    }
    let mut again = review.clone();
    again["request"]["object"] = after.clone();
    let again = again.to_string();
    match patch_of(&ask(again.as_bytes(), policy), again.as_bytes()) {
        None => Ok(said),
        Some(patch) => {
            Err(format!("a second look changes it again: {before} became {after}, then {patch:?}"))
        }
    }
}
