//! What is asked of an object as it is stored, as JSON: small questions that every part of a purge has.

use serde_json::Value;

/// A field of `metadata`.
pub fn metadata<'v>(object: &'v Value, key: &str) -> Option<&'v Value> {
    object.get("metadata")?.get(key)
}

/// The string at a path; `""` if there is none.
pub fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    path.iter().try_fold(object, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// Whether it is being deleted.
pub fn is_going(object: &Value) -> bool {
    !text(object, &["metadata", "deletionTimestamp"]).is_empty()
}

/// The items of the list at a path.
pub fn items<'v>(object: &'v Value, path: &[&str]) -> impl Iterator<Item = &'v Value> {
    path.iter().try_fold(object, |value, key| value.get(key)).and_then(Value::as_array).into_iter().flatten()
}

/// Whether what people wrote is still the same: everything but the status, the version, and who owns the status.
pub fn unchanged(saved: &Value, live: &Value) -> bool {
    told(saved) == told(live)
}

/// Whether it is the same but for its status and for a deletion that has begun: then what was saved brings back what goes.
pub fn is_saved(saved: &Value, live: &Value) -> bool {
    lasting(saved) == lasting(live)
}

fn lasting(object: &Value) -> Value {
    let mut object = told(object);
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        // A deletion counts as a generation.
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            meta.remove(key);
        }
        let of_a_deletion =
            |finalizer: &Value| matches!(finalizer.as_str(), Some("foregroundDeletion" | "orphan"));
        if let Some(finalizers) = meta.get_mut("finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|finalizer| !of_a_deletion(finalizer));
            if finalizers.is_empty() {
                meta.remove("finalizers");
            }
        }
    }
    object
}

fn told(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("resourceVersion");
        if let Some(entries) = meta.get_mut("managedFields").and_then(Value::as_array_mut) {
            entries.retain(|entry| text(entry, &["subresource"]).is_empty());
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_status_and_who_owns_it_may_change_unnoticed() {
        let saved = json!({
            "metadata": {"uid": "u", "resourceVersion": "1", "generation": 1, "managedFields": [{"manager": "eks"}]},
            "spec": {"a": 1}, "status": {"numberReady": 1},
        });
        let mut live = saved.clone();
        live["metadata"]["resourceVersion"] = "2".into();
        live["status"]["numberReady"] = 2.into();
        live["metadata"]["managedFields"]
            .as_array_mut()
            .unwrap()
            .push(json!({"manager": "k", "subresource": "status"}));
        assert!(unchanged(&saved, &live));
        for (path, value) in [
            ("/metadata/uid", json!("v")),
            ("/spec/a", json!(2)),
            ("/metadata/managedFields/0/manager", json!("x")),
        ] {
            let mut other = live.clone();
            *other.pointer_mut(path).unwrap() = value;
            assert!(!unchanged(&saved, &other), "{path}");
        }
    }

    #[test]
    fn what_was_saved_is_enough_while_an_object_only_goes() {
        let saved = json!({"metadata": {"uid": "u", "generation": 1}, "spec": {"a": 1}});
        let mut going = saved.clone();
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        going["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        going["metadata"]["generation"] = 2.into();
        going["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
        assert!(is_saved(&saved, &going));
        for (path, value) in
            [("/spec/a", json!(2)), ("/metadata/uid", json!("v")), ("/metadata/finalizers/0", json!("x/y"))]
        {
            let mut other = going.clone();
            *other.pointer_mut(path).unwrap() = value;
            assert!(!is_saved(&saved, &other), "{path}");
        }
    }
}
