//! Whether our webhook configuration still is what the installation rendered. Pure.
//!
//! An entry that somebody dropped, or gave another rule, selector or address, lets writes pass that nobody then tells
//! anyone about. The `caBundle` is left out: it is ours, and written anew by itself.

use std::fmt;

use serde_json::Value;

/// An entry that is not as it was rendered, and in what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The entry's name.
    pub entry: String,
    /// One of [`WHAT`].
    pub what: &'static str,
}

/// All that can differ, in the words of the API.
pub const WHAT: [&str; 12] = [
    MISSING,
    UNEXPECTED,
    "clientConfig",
    "rules",
    "matchConditions",
    "namespaceSelector",
    "objectSelector",
    "failurePolicy",
    "timeoutSeconds",
    "matchPolicy",
    "reinvocationPolicy",
    "sideEffects",
];
const MISSING: &str = "missing";
const UNEXPECTED: &str = "unexpected";

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entry, self.what)
    }
}

/// Reads the entries that the chart rendered: a JSON list.
pub fn read(text: &str) -> Result<Vec<Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err("expected a JSON list of webhooks".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What differs; `stored` are all entries of the configuration, of which another writer may have some.
pub fn differences(
    rendered: &[Value],
    stored: &[Value],
    leads_to_us: impl Fn(&Value) -> bool,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |entry: &str, what| found.push(Difference { entry: entry.to_owned(), what });
    for wanted in rendered {
        let name = name(wanted);
        let Some(entry) = stored.iter().find(|entry| self::name(entry) == name) else {
            differ(name, MISSING);
            continue;
        };
        for what in WHAT.into_iter().filter(|what| part(wanted, what) != part(entry, what)) {
            differ(name, what);
        }
    }
    let known = |entry: &Value| rendered.iter().any(|wanted| name(wanted) == name(entry));
    for entry in stored.iter().filter(|entry| leads_to_us(entry) && !known(entry)) {
        differ(name(entry), UNEXPECTED);
    }
    found
}

fn name(entry: &Value) -> &str {
    entry.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// One part of an entry. The API server stores what is empty as `{}` or not at all, which means the same.
fn part(entry: &Value, what: &str) -> Option<Value> {
    let mut part = entry.get(what)?.clone();
    if let Some(object) = part.as_object_mut() {
        object.remove("caBundle");
    }
    let empty = match &part {
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    };
    (!empty).then_some(part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str) -> Value {
        json!({
            "name": name, "failurePolicy": "Ignore", "timeoutSeconds": 3,
            "clientConfig": {"service": {"name": "us", "namespace": "ns", "path": "/mutate", "port": 443}},
            "namespaceSelector": {"matchLabels": {"a": "b"}},
            "rules": [{"resources": ["daemonsets"], "operations": ["CREATE", "UPDATE"]}],
        })
    }

    fn found(stored: &[Value]) -> Vec<String> {
        let ours = |entry: &Value| entry["clientConfig"]["service"]["name"] == "us";
        let rendered = [entry("one"), entry("two")];
        differences(&rendered, stored, ours).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_api_server_adds_and_the_bundle_are_no_difference() {
        let mut one = entry("one");
        one["objectSelector"] = json!({});
        one["matchConditions"] = json!([]);
        one["clientConfig"]["caBundle"] = json!("eA==");
        assert!(found(&[entry("two"), one]).is_empty());
    }

    #[test]
    fn each_part_that_differs_is_named_with_its_entry() {
        for (what, value) in [
            ("rules", json!([])),
            ("failurePolicy", json!("Fail")),
            ("timeoutSeconds", json!(30)),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({"matchLabels": {"x": "y"}})),
            ("matchConditions", json!([{"name": "never", "expression": "false"}])),
            ("clientConfig", json!({"url": "https://evil.example.org/"})),
        ] {
            let mut one = entry("one");
            one[what] = value;
            assert_eq!(found(&[one, entry("two")]), [format!("one {what}")]);
        }
    }

    #[test]
    fn an_entry_too_few_or_too_many_is_named_and_another_s_is_not() {
        let mut others = entry("others");
        others["clientConfig"]["service"]["name"] = json!("them");
        assert_eq!(found(&[entry("one"), entry("three"), others]), ["two missing", "three unexpected"]);
        assert_eq!(found(&[]), ["one missing", "two missing"]);
    }

    #[test]
    fn a_file_that_is_no_list_is_refused() {
        assert!(read("{}").is_err() && read("").is_err());
        assert_eq!(read("[]"), Ok(Vec::new()));
    }
}
