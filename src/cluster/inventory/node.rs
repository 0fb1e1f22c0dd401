//! Nodes, as far as a network matters to them.

use serde_json::Value;

use super::{condition, text};

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its condition `Ready`.
    pub ready: bool,
    /// Not cordoned.
    pub schedulable: bool,
    /// What runs it.
    pub compute: Compute,
    /// The VPC CNI's own Pod is ready on it.
    pub vpc_cni: bool,
}

/// What runs a node's Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// A machine that runs what its `DaemonSet`s say.
    Machine,
    /// Fargate: the network is built in, and no `DaemonSet` Pod runs.
    Fargate,
    /// EKS Auto Mode: the network is built in.
    Auto,
    /// Windows: the network is built in.
    Windows,
}

impl Node {
    pub(super) fn of(node: &Value) -> Option<Self> {
        let label = |key: &str| node.get("metadata")?.get("labels")?.get(key)?.as_str();
        let compute = match (label("eks.amazonaws.com/compute-type"), label("kubernetes.io/os")) {
            (Some("fargate"), _) => Compute::Fargate,
            (Some("auto"), _) => Compute::Auto,
            (_, Some("windows")) => Compute::Windows,
            _ => Compute::Machine,
        };
        Some(Self {
            name: text(node, "/metadata/name")?.to_owned(),
            ready: condition(node, "Ready") == Some(true),
            schedulable: node.pointer("/spec/unschedulable").and_then(Value::as_bool) != Some(true),
            compute,
            vpc_cni: false,
        })
    }

    /// Whether the VPC CNI's `DaemonSet` is what gives its Pods a network.
    pub fn runs_daemon_sets(&self) -> bool {
        self.compute == Compute::Machine
    }
}
