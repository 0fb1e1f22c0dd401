//! Values that the API server fills in by itself (kubernetes `pkg/apis/core/v1/defaults.go`, `pkg/apis/apps/v1/defaults.go`).
//!
//! An Update entry holds the defaults of what it wrote, so they look left over; but nothing would change without them. The
//! pull policy is not here, for its default depends on the image's tag.

use serde_json::Value;

const TEXTS: [(&str, &str); 8] = [
    ("dnsPolicy", "ClusterFirst"),
    ("protocol", "TCP"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
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

/// Whether a field of a `DaemonSet` says what it says without anybody's doing. `{}` and what holds nothing but defaults
/// say nothing.
pub(super) fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => TEXTS.contains(&(name, text.as_str())),
        Value::Number(number) => number.as_i64().is_some_and(|number| NUMBERS.contains(&(name, number))),
        Value::Object(fields) => fields.iter().all(|(name, value)| is_default(name, value)),
        _ => false,
    }
}
