//! Pods of the VPC CNI without its `DaemonSet`, as `kubectl delete --cascade=orphan` leaves them.

use serde_json::Value;

use super::{list, text};

/// What every version of chart and manifest puts on the workload's Pods.
pub const LABEL: &str = "k8s-app=aws-node";

/// A Pod that runs, or is being deleted, and that no `DaemonSet` looks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is being deleted.
    pub going: bool,
}

impl Orphan {
    /// Of a Pod while there is no `DaemonSet` of this name; `None` if it is over, or somebody else's.
    pub(super) fn of(pod: &Value, daemon_set: &str) -> Option<Self> {
        let labelled = text(pod, "/metadata/labels/k8s-app") == Some("aws-node");
        let ours = labelled && is_of(pod, daemon_set);
        let over = matches!(text(pod, "/status/phase"), Some("Succeeded" | "Failed"));
        (ours && !over).then(|| {
            Some(Self {
                namespace: text(pod, "/metadata/namespace")?.to_owned(),
                name: text(pod, "/metadata/name")?.to_owned(),
                going: text(pod, "/metadata/deletionTimestamp").is_some(),
            })
        })?
    }
}

/// Whether a Pod is of the `DaemonSet` of this name, or nobody's: then that may have been deleted without it.
pub fn is_of(pod: &Value, daemon_set: &str) -> bool {
    let owners = list(pod, "/metadata/ownerReferences");
    owners.is_empty() || owners.iter().any(|owner| is_daemon_set(owner, daemon_set))
}

/// Whether an owner reference is that of a `DaemonSet` of this name.
pub(super) fn is_daemon_set(owner: &Value, name: &str) -> bool {
    text(owner, "/kind") == Some("DaemonSet") && text(owner, "/name") == Some(name)
}
