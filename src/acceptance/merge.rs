//! The live object with the rendered one laid over it (structured-merge-diff `typed/merge.go`): what is rendered wins,
//! what is not rendered stays; items of lists are matched by their keys.

use serde_json::Value;

use super::shape::Shape;
use super::tree::{View, view};

/// The merged object.
pub(super) fn merge(shape: Shape, live: &Value, rendered: &Value) -> Value {
    match (view(shape, live), view(shape, rendered)) {
        (View::Object(_), View::Object(fields)) => {
            let mut merged = live.as_object().cloned().unwrap_or_default();
            for (name, value) in fields {
                let value = match merged.get(name) {
                    Some(old) => merge(shape.field(name), old, value),
                    None => value.clone(),
                };
                merged.insert(name.to_owned(), value);
            }
            Value::Object(merged)
        }
        (View::List(old), View::List(new)) => {
            let mut items: Vec<Value> = old
                .iter()
                .map(|(element, value)| match new.iter().find(|(known, _)| known == element) {
                    Some((_, over)) => merge(shape.item(), value, over),
                    None => (*value).clone(),
                })
                .collect();
            let added = new.iter().filter(|(element, _)| !old.iter().any(|(known, _)| known == element));
            items.extend(added.map(|(_, value)| (*value).clone()));
            Value::Array(items)
        }
        // A null over an object or a list that holds something changes nothing.
        (old, View::Leaf) if rendered.is_null() && !matches!(old, View::Leaf) && !old.is_empty() => {
            live.clone()
        }
        _ => rendered.clone(),
    }
}
