//! The JSON patch, written straight from what changes: no tree of the object is ever built.
//!
//! Our own writer, because the operations are few and known, and the answer has to be one pass. A patch that does not
//! apply is a 500 for the user even under `failurePolicy: Ignore`, so a missing parent map is created whole, no `test`
//! is ever sent, and `remove` only names what is there (apiserver `mutating/dispatcher.go`; law 1).

use serde_json::json;

use crate::policy::change::{Changes, Edit, Map};
use crate::policy::object::{Meta, Object};

/// Writes the patch that makes these changes to this object, as JSON text (RFC 6902).
pub fn write(changes: &Changes<'_>, object: &Object<'_>) -> String {
    let list = changes.managed_fields.as_ref().map_or(0, String::len);
    let mut patch = Patch { text: String::with_capacity(list + 1024), first: true };
    patch.text.push('[');
    for (map, meta) in [(Map::Labels, &object.labels), (Map::Annotations, &object.annotations)] {
        patch.map(map, meta, &changes.edits);
    }
    if let Some(list) = &changes.managed_fields {
        patch.operation("add", "/metadata/managedFields", None, Some(list));
    }
    patch.text.push(']');
    patch.text
}

struct Patch {
    text: String,
    first: bool,
}

impl Patch {
    fn map(&mut self, map: Map, meta: &Meta<'_>, edits: &[Edit<'_>]) {
        let edits = edits.iter().filter(|edit| edit.map == map);
        let parent = match map {
            Map::Labels => "/metadata/labels",
            Map::Annotations => "/metadata/annotations",
        };
        if meta.present {
            for edit in edits {
                match &edit.value {
                    Some(value) => self.operation("add", parent, Some(edit.key), Some(&string(value))),
                    None if meta.get(edit.key).is_some() => {
                        self.operation("remove", parent, Some(edit.key), None);
                    }
                    None => {}
                }
            }
            return;
        }
        let mut pairs = String::new();
        for (key, value) in edits.filter_map(|edit| Some((edit.key, edit.value.as_ref()?))) {
            pairs.push(if pairs.is_empty() { '{' } else { ',' });
            pairs.push_str(&string(key));
            pairs.push(':');
            pairs.push_str(&string(value));
        }
        if !pairs.is_empty() {
            pairs.push('}');
            self.operation("add", parent, None, Some(&pairs));
        }
    }

    /// Appends one operation; `key` is the last token of the path, not yet escaped (RFC 6901).
    fn operation(&mut self, op: &str, parent: &str, key: Option<&str>, value: Option<&str>) {
        if !std::mem::replace(&mut self.first, false) {
            self.text.push(',');
        }
        self.text.push_str(r#"{"op":""#);
        self.text.push_str(op);
        self.text.push_str(r#"","path":""#);
        self.text.push_str(parent);
        if let Some(key) = key {
            self.text.push('/');
            for character in key.chars() {
                match character {
                    '~' => self.text.push_str("~0"),
                    '/' => self.text.push_str("~1"),
                    other => self.text.push(other),
                }
            }
        }
        self.text.push('"');
        if let Some(value) = value {
            self.text.push_str(r#","value":"#);
            self.text.push_str(value);
        }
        self.text.push('}');
    }
}

/// A JSON string.
fn string(text: &str) -> String {
    json!(text).to_string()
}
