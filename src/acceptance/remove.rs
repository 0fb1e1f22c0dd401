//! The command that takes one path out of a live object.
//!
//! `kubectl set env`, `label` and `annotate` where they fit; else a strategic merge patch, which names items of lists by
//! key and so stays right when the list changes in between (kubernetes `strategicpatch`: `$patch: delete`,
//! `$deleteFromPrimitiveList`).

use serde_json::{Map, Value, json};

use crate::fields::element::Element;
use crate::fields::value::Value as KeyValue;
use crate::layout::quoted;
use crate::policy::Kind;

/// Whose path it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'o> {
    pub(super) kind: Kind,
    pub(super) namespace: &'o str,
    pub(super) name: &'o str,
}

/// The command, ready for a shell.
pub(super) fn command(object: &Object<'_>, path: &[Element<'_>]) -> String {
    let kind = object.kind.group_resource().1.trim_end_matches('s');
    let place = match object.namespace {
        "" => String::new(),
        namespace => format!(" -n {}", quoted(namespace)),
    };
    let target = format!("{kind} {}{place}", quoted(object.name));
    match texts(path).as_slice() {
        ["metadata", "labels", key] => format!("kubectl label {target} {}", quoted(&format!("{key}-"))),
        ["metadata", "annotations", key] => {
            format!("kubectl annotate {target} {}", quoted(&format!("{key}-")))
        }
        ["spec", "template", "spec", "containers", container, "env", variable] => {
            format!("kubectl set env {target} -c {} {}", quoted(container), quoted(&format!("{variable}-")))
        }
        _ => format!("kubectl patch {target} --type=strategic -p {}", quoted(&patch(path).to_string())),
    }
}

/// The path in plain words: names of fields, and the `name` of items; other elements are empty.
fn texts<'p>(path: &'p [Element<'_>]) -> Vec<&'p str> {
    path.iter()
        .map(|element| match element {
            Element::Field(name) => name.as_ref(),
            Element::Key(fields) => match fields.as_slice() {
                [(key, KeyValue::Text(text))] if key == "name" => text.as_ref(),
                _ => "",
            },
            _ => "",
        })
        .collect()
}

/// The strategic merge patch that takes the path out.
fn patch(path: &[Element<'_>]) -> Value {
    match path {
        [Element::Field(name), Element::Value(value)] => {
            json!({ format!("$deleteFromPrimitiveList/{name}"): [plain(value)] })
        }
        [Element::Field(name), Element::Key(fields), rest @ ..] => {
            let mut item: Map<String, Value> =
                fields.iter().map(|(key, value)| (key.to_string(), plain(value))).collect();
            if rest.is_empty() {
                item.insert("$patch".into(), "delete".into());
            } else if let Value::Object(below) = patch(rest) {
                item.extend(below);
            }
            json!({ name.as_ref(): [item] })
        }
        [Element::Field(name), rest @ ..] => json!({ name.as_ref(): patch(rest) }),
        // The end of the path; and an item without its list, which no path has.
        _ => Value::Null,
    }
}

fn plain(value: &KeyValue<'_>) -> Value {
    match value {
        KeyValue::Number(number) => {
            let text = number.to_string();
            serde_json::from_str(&text).unwrap_or_else(|_| json!(number))
        }
        KeyValue::Text(text) => json!(text),
        KeyValue::Bool(truth) => json!(truth),
        _ => Value::Null,
    }
}
