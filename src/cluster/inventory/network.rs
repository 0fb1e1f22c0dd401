//! Other networks (CNIs): which run here, and on which nodes each is ready.
//!
//! They are known by the name of their `DaemonSet`, which their charts and manifests all fix. One that only adds to the VPC CNI
//! (policies, or chained behind it) is told apart: when the VPC CNI goes, it gives no Pod an address.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{condition, list, text};

/// A network and the `DaemonSet` that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `Cilium`, `Calico`, …
    pub product: &'static str,
    /// The namespace of its `DaemonSet`.
    pub namespace: String,
    /// The name of its `DaemonSet`.
    pub name: String,
    /// The nodes on which its Pod is ready.
    pub ready_on: BTreeSet<String>,
    /// It needs the VPC CNI, and why.
    pub chained: Option<Chained>,
    /// Its Pods, as a label selector.
    pub selector: String,
}

/// Why a network needs the VPC CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chained {
    /// Cilium's `cni-chaining-mode` is `aws-cni` (or another that stands behind it).
    Chaining,
    /// Calico without networking of its own: policies only.
    PolicyOnly,
}

/// Names of `DaemonSet`s, and whose they are.
const KNOWN: [(&str, &str); 14] = [
    ("cilium", "Cilium"),
    ("cilium-node", "Cilium"),
    ("calico-node", "Calico"),
    ("canal", "Canal"),
    ("rke2-canal", "Canal"),
    ("kube-flannel-ds", "Flannel"),
    ("kube-flannel", "Flannel"),
    ("weave-net", "Weave Net"),
    ("antrea-agent", "Antrea"),
    ("kube-router", "kube-router"),
    ("ovnkube-node", "OVN-Kubernetes"),
    ("kube-ovn-cni", "Kube-OVN"),
    ("ovs-ovn", "Kube-OVN"),
    ("kindnet", "kindnet"),
];

impl Network {
    /// The network that a `DaemonSet` runs, if it is a known one.
    pub(super) fn of(daemon_set: &Value) -> Option<Self> {
        let name = text(daemon_set, "/metadata/name")?;
        let (_, product) = KNOWN.iter().find(|(known, _)| *known == name)?;
        let policy_only = *product == "Calico"
            && list(daemon_set, "/spec/template/spec/containers")
                .iter()
                .flat_map(|container| list(container, "/env"))
                .any(|env| {
                    text(env, "/name") == Some("CALICO_NETWORKING_BACKEND")
                        && text(env, "/value") == Some("none")
                });
        Some(Self {
            product,
            namespace: text(daemon_set, "/metadata/namespace")?.to_owned(),
            name: name.to_owned(),
            ready_on: BTreeSet::new(),
            chained: policy_only.then_some(Chained::PolicyOnly),
            selector: selector(daemon_set),
        })
    }

    /// Takes Cilium's settings.
    pub(super) fn configured(&mut self, settings: &Value) {
        let mode =
            settings.get("data").and_then(|data| data.get("cni-chaining-mode")).and_then(Value::as_str);
        if mode.is_some_and(|mode| !matches!(mode, "" | "none")) {
            self.chained = Some(Chained::Chaining);
        }
    }
}

/// The Pods of a `DaemonSet`, as a label selector.
pub(super) fn selector(daemon_set: &Value) -> String {
    let labels = daemon_set.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs: Vec<_> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    pairs.join(",")
}

/// The nodes on which a Pod of this `DaemonSet` is ready.
pub(super) fn ready_on(pods: &[Value], daemon_set: &str) -> BTreeSet<String> {
    pods.iter()
        .filter(|pod| {
            list(pod, "/metadata/ownerReferences").iter().any(|owner| {
                text(owner, "/kind") == Some("DaemonSet") && text(owner, "/name") == Some(daemon_set)
            })
        })
        .filter(|pod| {
            condition(pod, "Ready") == Some(true) && pod.pointer("/metadata/deletionTimestamp").is_none()
        })
        .filter_map(|pod| text(pod, "/spec/nodeName").map(str::to_owned))
        .collect()
}
