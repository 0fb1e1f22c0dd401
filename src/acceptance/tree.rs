//! One look at one place of an object: a leaf, an object or a list of items, as the schema has it.

use std::borrow::Cow;

use serde_json::Value;

use super::shape::{Key, Shape};
use crate::fields::element::Element;
use crate::fields::value::Value as KeyValue;

/// What stands in one place.
pub(super) enum View<'v> {
    /// Nothing below it is owned by itself.
    Leaf,
    /// Fields, or entries of a map.
    Object(Vec<(&'v str, &'v Value)>),
    /// Items that are told apart.
    List(Vec<(Element<'v>, &'v Value)>),
}

impl View<'_> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Leaf => false,
            Self::Object(fields) => fields.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }
}

/// Looks at `value`; null and what has the wrong type is a leaf.
pub(super) fn view(shape: Shape, value: &Value) -> View<'_> {
    match (shape, value) {
        (Shape::Plain | Shape::Map | Shape::Struct(_), Value::Object(fields)) => {
            View::Object(fields.iter().map(|(name, value)| (name.as_str(), value)).collect())
        }
        (Shape::Items(keys, _), Value::Array(items)) => {
            View::List(items.iter().map(|item| (element(keys, item), item)).collect())
        }
        (Shape::Scalars, Value::Array(items)) => {
            View::List(items.iter().map(|item| (Element::Value(scalar(item)), item)).collect())
        }
        _ => View::Leaf,
    }
}

/// The element of an item: its key fields, sorted by name.
fn element<'v>(keys: &[Key], item: &'v Value) -> Element<'v> {
    let mut fields: Vec<_> = keys
        .iter()
        .filter_map(|(name, default)| {
            let value = match item.get(name).filter(|value| !value.is_null()) {
                Some(value) => scalar(value),
                None => KeyValue::Text(Cow::Borrowed((*default)?)),
            };
            Some((Cow::Borrowed(*name), value))
        })
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Element::Key(fields)
}

fn scalar(value: &Value) -> KeyValue<'_> {
    match value {
        Value::String(text) => KeyValue::Text(Cow::Borrowed(text)),
        Value::Bool(truth) => KeyValue::Bool(*truth),
        Value::Number(number) => KeyValue::Number(number.as_f64().unwrap_or_default()),
        _ => KeyValue::Null,
    }
}

/// A field's element.
pub(super) fn field(name: &str) -> Element<'_> {
    Element::Field(Cow::Borrowed(name))
}

/// Equality as structured-merge-diff has it: numbers by value, so `1` equals `1.0`; everything else by type and value.
/// A quantity is a string here: `25m` and `0.025` differ, and the API server reports a conflict.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => a == b,
    }
}
