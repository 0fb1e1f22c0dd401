//! The JSON patch, written straight from what changes: no tree of the object is ever built.
//!
//! Our own writer, because the operations are few and known, and the answer has to be one pass. A patch that does not
//! apply is a 500 for the user even under `failurePolicy: Ignore`, so a missing parent map is created whole, no `test`
//! is ever sent, and `remove` only names what is there (apiserver `mutating/dispatcher.go`; law 1).

use serde_json::json;

use crate::fields::Pieces;
use crate::policy::change::{Changes, Edit, Map};
use crate::policy::object::{Meta, Object};

/// Writes the patch that makes these changes to this object, as JSON text (RFC 6902).
pub fn write<'c>(changes: Changes<'c>, object: &Object<'_>) -> Pieces<'c> {
    let mut patch = Patch { text: Pieces::default(), first: true };
    patch.text.tail().push('[');
    for (map, meta) in [(Map::Labels, &object.labels), (Map::Annotations, &object.annotations)] {
        patch.map(map, meta, &changes.edits);
    }
    if let Some(list) = changes.managed_fields {
        patch.begin("add", "/metadata/managedFields", None);
        patch.value("");
        patch.text.append(list);
        patch.end();
    }
    patch.text.tail().push(']');
    patch.text
}

struct Patch<'c> {
    text: Pieces<'c>,
    first: bool,
}

impl Patch<'_> {
    fn map(&mut self, map: Map, meta: &Meta<'_>, edits: &[Edit<'_>]) {
        let edits = edits.iter().filter(|edit| edit.map == map);
        let parent = match map {
            Map::Labels => "/metadata/labels",
            Map::Annotations => "/metadata/annotations",
        };
        if meta.present {
            for edit in edits {
                if let Some(value) = &edit.value {
                    self.begin("add", parent, Some(edit.key));
                    self.value(&string(value));
                    self.end();
                } else if meta.get(edit.key).is_some() {
                    self.begin("remove", parent, Some(edit.key));
                    self.end();
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
            self.begin("add", parent, None);
            self.value(&pairs);
            self.end();
        }
    }

    /// Begins an operation; `key` is the last token of the path, not yet escaped (RFC 6901).
    fn begin(&mut self, op: &str, parent: &str, key: Option<&str>) {
        let first = std::mem::replace(&mut self.first, false);
        let text = self.text.tail();
        text.push_str(if first { r#"{"op":""# } else { r#",{"op":""# });
        text.push_str(op);
        text.push_str(r#"","path":""#);
        text.push_str(parent);
        if let Some(key) = key {
            text.push('/');
            for character in key.chars() {
                match character {
                    '~' => text.push_str("~0"),
                    '/' => text.push_str("~1"),
                    other => text.push(other),
                }
            }
        }
        text.push('"');
    }

    fn value(&mut self, json: &str) {
        let text = self.text.tail();
        text.push_str(r#","value":"#);
        text.push_str(json);
    }

    fn end(&mut self) {
        self.text.tail().push('}');
    }
}

/// A JSON string.
fn string(text: &str) -> String {
    json!(text).to_string()
}
