//! Whether a document is as its JSON Schema says.

use serde_json::Value;

/// As much of JSON Schema as our files use; anything else in it is a failure.
pub(crate) fn check(root: &Value, schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    let object = schema.as_object().unwrap();
    for (word, said) in object {
        match word.as_str() {
            "$ref" => {
                let target = root.pointer(said.as_str().unwrap().trim_start_matches('#')).unwrap();
                check(root, target, value, path, problems);
            }
            "const" if said != value => problems.push(format!("{path}: {value} is not {said}")),
            "enum" if !said.as_array().unwrap().contains(value) => {
                problems.push(format!("{path}: {value} is none of {said}"));
            }
            "$schema" | "$id" | "title" | "description" | "$defs" | "const" | "enum" => {}
            "pattern" => {
                // The only one: CS and three digits.
                let text = value.as_str().unwrap_or_default();
                assert_eq!(said, "^CS[0-9]{3}$");
                if text.len() != 5
                    || !text.starts_with("CS")
                    || !text[2..].bytes().all(|b| b.is_ascii_digit())
                {
                    problems.push(format!("{path}: {text:?} is no code"));
                }
            }
            "type" => {
                let is = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                let allowed = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
                if !allowed.iter().any(|allowed| allowed == is) {
                    problems.push(format!("{path}: {is} is not {said}"));
                }
            }
            "required" => {
                for name in said.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        problems.push(format!("{path} has no {name}"));
                    }
                }
            }
            "properties" | "additionalProperties" => {
                assert_eq!(object["additionalProperties"], false, "{path}: every key is described");
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match object["properties"].get(name) {
                        Some(described) if word == "properties" => {
                            check(root, described, inner, &format!("{path}.{name}"), problems);
                        }
                        None if word == "properties" => {
                            problems.push(format!("{path}.{name} is not described"));
                        }
                        _ => {}
                    }
                }
            }
            "items" => {
                for (at, inner) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, said, inner, &format!("{path}[{at}]"), problems);
                }
            }
            other => panic!("{path}: the test does not know {other:?}"),
        }
    }
}
