//! What the API server calls invalid although nobody else holds it: a change of a `DaemonSet`'s selector (kubernetes
//! `pkg/apis/apps/validation`) or of a binding's role (`pkg/apis/rbac/validation`), pod labels that the selector no longer
//! matches, fields of which only one may be set and names that stand twice (`clash`). Metadata cannot cure these; another chart value, or removing
//! what is live, can.

use serde_json::Value;

use super::shape::Shape;
use super::{clash, merge};
use crate::policy::Kind;

/// Why the API server refuses a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The place is immutable.
    Immutable,
    /// The pods' labels do not match the selector.
    Labels,
    /// Only one of these fields may be set.
    OneOf,
    /// A name that may stand once stands twice.
    Twice,
}

/// Something that makes the result invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub path: String,
    /// Why.
    pub why: Why,
    /// What is live, as JSON; the selector for `Labels`; nothing for `OneOf` and `Twice`.
    pub live: String,
    /// What it would become, as JSON; for `OneOf` the fields that would be set, for `Twice` the name.
    pub wanted: String,
    /// The value of `originalMatchLabels` that renders what is live, where that is the cure.
    pub original_match_labels: Option<bool>,
}

/// The label of EKS's selector, which the chart renders with `originalMatchLabels=true`.
const EKS_SELECTOR: &str = "k8s-app";
const LABELS: &str = "/spec/template/metadata/labels";

/// What is wrong with Helm 4's write from `live` to `after`.
pub(super) fn server_side(kind: Kind, live: &Value, after: &Value) -> Vec<Fault> {
    let mut faults = immutable(kind, live, after);
    faults.extend(clash::find(after, true));
    faults
}

/// What is wrong with Helm 3's three-way patch: maps are merged key by key, a key that is live and not rendered stays
/// (helm 3 `pkg/kube/client.go` `createPatch`, original and modified being the same manifest). It knows no atomic maps.
pub(super) fn three_way(kind: Kind, shape: Shape, live: &Value, rendered: &Value) -> Vec<Fault> {
    let mut after = merge::merge(shape, live, rendered);
    for path in ["/spec/selector", "/roleRef"] {
        if let (Some(place), Some(was), Some(over)) =
            (after.pointer_mut(path), live.pointer(path), rendered.pointer(path))
        {
            *place = was.clone();
            overlay(place, over);
        }
    }
    let mut faults = immutable(kind, live, &after);
    faults.extend(clash::find(&after, false));
    faults
}

fn immutable(kind: Kind, live: &Value, after: &Value) -> Vec<Fault> {
    let (pointer, path) = match kind {
        Kind::DaemonSet => ("/spec/selector", ".spec.selector"),
        Kind::ClusterRoleBinding => ("/roleRef", ".roleRef"),
        _ => return Vec::new(),
    };
    let (was, will) = (live.pointer(pointer), after.pointer(pointer));
    let text = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
    if was != will {
        let original_match_labels = (kind == Kind::DaemonSet).then(|| cure(was)).flatten();
        let (live, wanted) = (text(was), text(will));
        return vec![Fault {
            path: path.to_owned(),
            why: Why::Immutable,
            live,
            wanted,
            original_match_labels,
        }];
    }
    let labels = after.pointer(LABELS);
    let matches =
        after.pointer("/spec/selector/matchLabels").and_then(Value::as_object).is_none_or(|wanted| {
            wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        });
    if matches {
        return Vec::new();
    }
    vec![Fault {
        path: ".spec.template.metadata.labels".to_owned(),
        why: Why::Labels,
        live: text(will),
        wanted: text(labels),
        original_match_labels: None,
    }]
}

fn cure(live: Option<&Value>) -> Option<bool> {
    let labels = live?.get("matchLabels")?.as_object()?;
    Some(labels.len() == 1 && labels.get(EKS_SELECTOR).is_some_and(|value| value == "aws-node"))
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
