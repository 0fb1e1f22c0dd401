//! Bringing back what was removed: what to create from a saved object, and how its field owners return.
//!
//! Two writes each, because the API server makes whoever creates an object the owner of all of it: the object with a live pause,
//! so that no policy of ours refuses or amends it; then `managedFields` alone, which is stored as sent. What lies between the two
//! is recognised by its one entry of ours, so a run that died there is finished by the next.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::saved::{is_going, metadata, text};
use crate::cluster::Patch;
use crate::policy::change::ALLOW_UNTIL;
use crate::policy::writer::STEWARD;

/// What `metadata` holds of one life of an object: the API server gives it anew.
const OF_ONE_LIFE: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generateName",
];

/// Finalizers that a deletion puts on, which would end the new object as it ended the old one.
const OF_A_DELETION: [&str; 3] =
    ["foregroundDeletion", "orphan", "customresourcecleanup.apiextensions.k8s.io"];

/// What to do so that a saved object is there again.
#[derive(Debug, Clone, PartialEq)]
pub enum Restore {
    /// Create this, then give it its owners back.
    Create(Value),
    /// An earlier run created it; its owners are still missing.
    Finish,
    /// It is there, as it was saved.
    There,
    /// There is another one of that name, which is not touched.
    Other,
    /// It is still being deleted.
    Going,
}

/// What to do about one saved object, given how it stands now. The pause lasts until `until`.
pub fn restore(saved: &Value, live: Option<&Value>, until: Timestamp) -> Restore {
    match live {
        None => Restore::Create(body(saved, until)),
        Some(live) if is_going(live) => Restore::Going,
        Some(live) if half_done(live) => Restore::Finish,
        Some(live) if content(live) == content(saved) => Restore::There,
        Some(_) => Restore::Other,
    }
}

/// A JSON patch that gives the object, if it is still at `version`, the field owners that were saved.
///
/// Where there were none, `[{}]` is how the API server is told that there shall be none.
pub fn owners(saved: &Value, version: &str) -> Value {
    let entries = metadata(saved, "managedFields")
        .filter(|entries| entries.as_array().is_some_and(|all| !all.is_empty()));
    json!([
        Patch::at(version),
        {"op": "replace", "path": "/metadata/managedFields", "value": entries.cloned().unwrap_or_else(|| json!([{}]))},
    ])
}

/// The object as it is to be created.
fn body(saved: &Value, until: Timestamp) -> Value {
    let mut object = saved.clone();
    let Some(fields) = object.as_object_mut() else { return object };
    fields.remove("status");
    let Some(meta) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return object };
    for key in OF_ONE_LIFE {
        meta.shift_remove(key);
    }
    without_finalizers_of_a_deletion(meta);
    let annotations = meta.entry("annotations").or_insert_with(|| json!({}));
    if !annotations.is_object() {
        *annotations = json!({});
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(ALLOW_UNTIL.to_owned(), until.to_string().into());
    }
    object
}

fn without_finalizers_of_a_deletion(meta: &mut Map<String, Value>) {
    let Some(finalizers) = meta.get_mut("finalizers").and_then(Value::as_array_mut) else { return };
    finalizers.retain(|name| !name.as_str().is_some_and(|name| OF_A_DELETION.contains(&name)));
    if finalizers.is_empty() {
        meta.shift_remove("finalizers");
    }
}

/// Made by an undo of ours that died before the second write: everything but the status is ours.
fn half_done(live: &Value) -> bool {
    let entries = metadata(live, "managedFields").and_then(Value::as_array);
    let mut roots =
        entries.into_iter().flatten().filter(|entry| entry.get("subresource").is_none_or(Value::is_null));
    let ours =
        |entry: &Value| text(entry, &["manager"]) == STEWARD && text(entry, &["operation"]) == "Update";
    roots.next().is_some_and(ours) && roots.next().is_none()
}

/// What of an object was made by people: no status, nothing of its present life, and not our pause.
fn content(object: &Value) -> Value {
    let mut object = body(object, Timestamp::UNIX_EPOCH);
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(ALLOW_UNTIL);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: &str = "2026-01-01T13:00:00Z";

    fn until() -> Timestamp {
        UNTIL.parse().unwrap()
    }

    fn saved() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {
                "name": "aws-node", "namespace": "kube-system", "uid": "u", "resourceVersion": "7", "generation": 1,
                "creationTimestamp": "2025-01-01T00:00:00Z",
                "annotations": {"eks.amazonaws.com/role-arn": "arn"},
                "managedFields": [{"manager": "eks", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}],
            },
        })
    }

    fn created() -> Value {
        match restore(&saved(), None, until()) {
            Restore::Create(body) => body,
            other => panic!("expected a creation, got {other:?}"),
        }
    }

    #[test]
    fn what_is_created_has_nothing_of_its_former_life_and_a_pause() {
        assert_eq!(
            created(),
            json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {
                    "name": "aws-node", "namespace": "kube-system",
                    "annotations": {"eks.amazonaws.com/role-arn": "arn", "cni-steward.dev/allow-until": UNTIL},
                },
            })
        );
    }

    #[test]
    fn what_was_saved_while_it_was_being_deleted_is_created_to_stay() {
        let mut saved = saved();
        saved["metadata"]["deletionTimestamp"] = UNTIL.into();
        saved["metadata"]["finalizers"] = json!(["foregroundDeletion", "example.org/hold"]);
        saved["metadata"].as_object_mut().unwrap().remove("annotations");
        let Restore::Create(body) = restore(&saved, None, until()) else { panic!("expected a creation") };
        assert_eq!(body["metadata"]["finalizers"], json!(["example.org/hold"]));
        assert_eq!(body["metadata"]["deletionTimestamp"], Value::Null);
        assert_eq!(body["metadata"]["annotations"]["cni-steward.dev/allow-until"], UNTIL);
    }

    #[test]
    fn how_it_stands_decides_what_is_left_to_do() {
        let mut live = created();
        live["metadata"]["uid"] = "other".into();
        live["metadata"]["managedFields"] = json!([
            {"manager": "cni-steward", "operation": "Update"},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"},
        ]);
        assert_eq!(restore(&saved(), Some(&live), until()), Restore::Finish);
        live["metadata"]["managedFields"] = saved()["metadata"]["managedFields"].clone();
        assert_eq!(restore(&saved(), Some(&live), until()), Restore::There);
        live["automountServiceAccountToken"] = false.into();
        assert_eq!(restore(&saved(), Some(&live), until()), Restore::Other);
        live["metadata"]["deletionTimestamp"] = UNTIL.into();
        assert_eq!(restore(&saved(), Some(&live), until()), Restore::Going);
    }

    #[test]
    fn owners_return_as_they_were_saved_and_nobody_stays_nobody() {
        let patch = owners(&saved(), "9");
        assert_eq!(patch[0]["value"], "9");
        assert_eq!(patch[1]["value"], saved()["metadata"]["managedFields"]);
        let mut unowned = saved();
        unowned["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(owners(&unowned, "9")[1]["value"], json!([{}]));
    }
}
