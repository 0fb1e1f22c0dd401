//! Values that the API server fills in by itself (kubernetes `pkg/apis/core/v1/defaults.go`, `pkg/apis/apps/v1/defaults.go`,
//! apiextensions-apiserver `pkg/apis/apiextensions/v1/defaults.go`).
//!
//! An Update entry holds the defaults of what it wrote, so they look left over; but nothing would change without them. The
//! pull policy is not here, for its default depends on the image's tag.

use serde_json::Value;

const TEXTS: [(&str, &str); 9] = [
    ("dnsPolicy", "ClusterFirst"),
    ("protocol", "TCP"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
    // Of a CRD's conversion.
    ("strategy", "None"),
    // Of a hostPath, and of an update strategy.
    ("type", ""),
    ("type", "RollingUpdate"),
];

const NUMBERS: [(&str, i64); 8] = [
    ("failureThreshold", 3),
    ("maxSurge", 0),
    ("maxUnavailable", 1),
    ("periodSeconds", 10),
    ("revisionHistoryLimit", 10),
    ("successThreshold", 1),
    ("terminationGracePeriodSeconds", 30),
    ("timeoutSeconds", 1),
];

/// Names of a CRD that the API server derives from its kind.
const DERIVED: [&str; 2] = ["listKind", "singular"];

/// Whether a field in a `spec` says what it says without anybody's doing. `{}` and what holds nothing but defaults
/// say nothing.
pub(super) fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => DERIVED.contains(&name) || TEXTS.contains(&(name, text.as_str())),
        Value::Number(number) => number.as_i64().is_some_and(|number| NUMBERS.contains(&(name, number))),
        Value::Object(fields) => fields.iter().all(|(name, value)| is_default(name, value)),
        _ => false,
    }
}

/// The value without what the API server does not store: zero values and what is empty. Some zero values it does store,
/// so both sides of a comparison must be stripped.
pub(super) fn without_zeros(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), without_zeros(value)))
                .filter(|(_, value)| !is_zero(value))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_zeros).collect(),
        other => other.clone(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
