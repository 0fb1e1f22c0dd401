//! A Lease as it is stored, and as it is written.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::claim::{GOOD_FOR, Record};

/// As much of it as matters.
#[derive(Deserialize)]
pub(super) struct Stored {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u32>,
    renew_time: Option<String>,
    lease_transitions: Option<i32>,
}

impl From<Stored> for Record {
    fn from(stored: Stored) -> Self {
        let spec = stored.spec;
        Self {
            version: stored.metadata.resource_version,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            good_for: spec.lease_duration_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            renewed: spec.renew_time.unwrap_or_default(),
            transitions: spec.lease_transitions.unwrap_or_default(),
        }
    }
}

/// As the API server writes it: with exactly six places.
pub(super) fn time(now: Timestamp) -> String {
    format!("{now:.6}")
}

/// The spec of one who holds the Lease. `over` is the record it replaces; `begins` when a term begins with it.
pub(super) fn held(identity: &str, over: Option<&Record>, begins: bool, now: &str) -> Value {
    let good_for = GOOD_FOR.as_secs();
    if !begins {
        return json!({"holderIdentity": identity, "leaseDurationSeconds": good_for, "renewTime": now});
    }
    let passes = over.is_some_and(|record| record.holder.as_deref() != Some(identity));
    let before = over.map_or(0, |record| record.transitions);
    json!({
        "holderIdentity": identity,
        "leaseDurationSeconds": good_for,
        "renewTime": now,
        "acquireTime": now,
        "leaseTransitions": before.saturating_add(i32::from(passes)),
    })
}

/// The spec of one that nobody holds any more.
pub(super) fn free(now: &str) -> Value {
    json!({"holderIdentity": null, "leaseDurationSeconds": 1, "renewTime": now})
}
