//! The requests of a restoration as JSON text. Every patch carries the version that it was planned from.

use serde_json::{Value, json};

use super::KeyEdit;
use crate::cluster::Patch;
use crate::policy::change::{ALLOW_UNTIL, Map};
use crate::undo::Metadata;

/// The patch for labels and annotations.
pub(super) fn keys(current: &Metadata, edits: &[KeyEdit], until: Option<&str>) -> String {
    let mut operations = vec![Patch::at(&current.version)];
    for (map, stored) in [(Map::Labels, &current.labels), (Map::Annotations, &current.annotations)] {
        let parent = format!("/metadata/{}", map.name());
        let mut own: Vec<Value> = Vec::new();
        for edit in edits.iter().filter(|edit| edit.map == map) {
            let path = format!("{parent}/{}", escaped(&edit.key));
            own.push(match &edit.to {
                Some(value) => json!({"op": "add", "path": path, "value": value}),
                None => json!({"op": "remove", "path": path}),
            });
        }
        if let Some(until) = until.filter(|_| map == Map::Annotations) {
            let path = format!("{parent}/{}", escaped(ALLOW_UNTIL));
            own.push(json!({"op": "add", "path": path, "value": until}));
        }
        if stored.is_empty() && !own.is_empty() {
            operations.push(json!({"op": "add", "path": parent, "value": {}}));
        }
        operations.append(&mut own);
    }
    Value::Array(operations).to_string()
}

/// The patch for the list alone, whose text is sent as it is.
pub(super) fn list(current: &Metadata, list: &str) -> String {
    format!(
        r#"[{},{{"op":"add","path":"/metadata/managedFields","value":{list}}}]"#,
        Patch::at(&current.version)
    )
}

/// A key as a JSON pointer's token.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
