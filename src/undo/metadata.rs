//! The part of an object that a command may change and an undo brings back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::admission::object::alone;
use crate::fields::{List, alike};
use crate::reconcile::step::OURS;

/// Labels, annotations and field ownership of one stored object, and which state of it this is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// JSON text of `metadata.managedFields`; empty when there is none.
    pub managed_fields: String,
}

impl Metadata {
    /// Of a stored object, given as JSON text. The error says in a few words what is odd about it.
    pub fn of(stored: &str) -> Result<Self, String> {
        let list = alone(stored)?.managed_fields.map(|list| list.raw.to_owned());
        let mut whole: Value = serde_json::from_str(stored).map_err(|error| error.to_string())?;
        let metadata = whole.get_mut("metadata").map(Value::take).unwrap_or_default();
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let map = |name: &str| {
            let pairs = metadata.get(name).and_then(Value::as_object);
            let pairs = pairs.into_iter().flatten();
            pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        Ok(Self {
            uid: text("uid"),
            version: text("resourceVersion"),
            labels: map("labels"),
            annotations: map("annotations"),
            managed_fields: list.unwrap_or_default(),
        })
    }

    /// Reads what [`Self::json`] wrote.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::of(&format!(r#"{{"apiVersion":"-","metadata":{text}}}"#))
    }

    /// For the undo file.
    pub(super) fn json(&self) -> Value {
        let list: Value = serde_json::from_str(&self.managed_fields).unwrap_or_default();
        json!({
            "uid": self.uid,
            "resourceVersion": self.version,
            "labels": self.labels,
            "annotations": self.annotations,
            "managedFields": list,
        })
    }

    /// Puts labels, annotations and field ownership into an object.
    pub fn put(&self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        for (name, map) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if map.is_empty() {
                metadata.shift_remove(name);
            } else {
                metadata.insert(name.to_owned(), json!(map));
            }
        }
        if let Ok(list) = serde_json::from_str(&self.managed_fields) {
            metadata.insert("managedFields".to_owned(), list);
        }
    }

    /// Whether nobody has changed labels, annotations or field ownership between the two. Entries about subresources do not
    /// count: controllers write a status all the time.
    pub fn same(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.annotations == other.annotations
            && entries(&self.managed_fields) == entries(&other.managed_fields)
    }

    /// Whether this is what was planned, or on the way there between our two writes: what these move about does not count, nor
    /// does any time, as an entry of ours gets that of its write.
    pub fn as_planned(&self, planned: &Self) -> bool {
        self.labels == planned.labels
            && self.annotations == planned.annotations
            && alike(&self.list(), &planned.list(), OURS)
    }

    fn list(&self) -> List<'_> {
        List::parse(&self.managed_fields).unwrap_or_default()
    }
}

/// The entries about the object itself.
fn entries(list: &str) -> Vec<Value> {
    let list: Vec<Value> = serde_json::from_str(list).unwrap_or_default();
    list.into_iter().filter(|entry| entry.get("subresource").is_none()).collect()
}
