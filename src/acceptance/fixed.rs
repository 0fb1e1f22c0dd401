//! What the API server lets nobody change: a `DaemonSet`'s selector (kubernetes `pkg/apis/apps/validation`) and a
//! binding's role (`pkg/apis/rbac/validation`). Metadata cannot cure a mismatch; another chart value can.

use serde_json::Value;

use crate::policy::Kind;

/// Something immutable that the write would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// `.spec.selector`, `.roleRef`, or the pod labels that no longer match the selector.
    pub path: &'static str,
    /// What is live, as JSON.
    pub live: String,
    /// What it would become, as JSON.
    pub wanted: String,
    /// The value of `originalMatchLabels` that renders what is live, where that is the cure.
    pub original_match_labels: Option<bool>,
}

/// The label of EKS's selector, which the chart renders with `originalMatchLabels=true`.
const EKS_SELECTOR: &str = "k8s-app";

/// What the write from `live` to `after` would break.
pub(super) fn check(kind: Kind, live: &Value, after: &Value) -> Vec<Fixed> {
    let path = match kind {
        Kind::DaemonSet => "/spec/selector",
        Kind::ClusterRoleBinding => "/roleRef",
        _ => return Vec::new(),
    };
    let (was, will) = (live.pointer(path), after.pointer(path));
    if was != will {
        let text = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
        return vec![Fixed {
            path: if kind == Kind::DaemonSet { ".spec.selector" } else { ".roleRef" },
            live: text(was),
            wanted: text(will),
            original_match_labels: (kind == Kind::DaemonSet).then(|| cure(was)).flatten(),
        }];
    }
    if kind == Kind::DaemonSet { labels(after) } else { Vec::new() }
}

fn cure(live: Option<&Value>) -> Option<bool> {
    let labels = live?.get("matchLabels")?.as_object()?;
    Some(labels.len() == 1 && labels.get(EKS_SELECTOR).is_some_and(|value| value == "aws-node"))
}

/// The pods' labels must match the selector.
fn labels(after: &Value) -> Vec<Fixed> {
    const LABELS: &str = "/spec/template/metadata/labels";
    let wanted = after.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let labels = after.pointer(LABELS);
    let matches = wanted.is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    });
    if matches {
        return Vec::new();
    }
    vec![Fixed {
        path: ".spec.template.metadata.labels",
        live: after.pointer("/spec/selector").unwrap_or(&Value::Null).to_string(),
        wanted: labels.unwrap_or(&Value::Null).to_string(),
        original_match_labels: None,
    }]
}

/// What Helm 3's three-way patch makes of the immutable places: maps are merged key by key, a key that is live and not
/// rendered stays (helm 3 `pkg/kube/client.go` `createPatch`, original and modified being the same manifest).
pub(super) fn three_way(kind: Kind, live: &Value, rendered: &Value) -> Vec<Fixed> {
    let mut after = live.clone();
    let paths: &[&str] = match kind {
        Kind::DaemonSet => &["/spec/selector", "/spec/template/metadata/labels"],
        Kind::ClusterRoleBinding => &["/roleRef"],
        _ => &[],
    };
    for path in paths {
        if let (Some(place), Some(over)) = (after.pointer_mut(path), rendered.pointer(path)) {
            overlay(place, over);
        }
    }
    check(kind, live, &after)
}

fn overlay(place: &mut Value, over: &Value) {
    match (place, over) {
        (Value::Object(place), Value::Object(over)) => {
            for (name, value) in over {
                overlay(place.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (place, over) => *place = over.clone(),
    }
}
