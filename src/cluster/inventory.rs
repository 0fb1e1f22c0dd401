//! What is live in a cluster: one read model for every command of a person.
//!
//! Values only; [`read`](fn@read) fills them in one pass with few requests. What cannot be seen, mostly for want of a right, is
//! recorded ([`Unseen`]) and the rest is told all the same: a reader with view rights gets a useful answer. Nothing secret is
//! read: of Helm's Secrets only the metadata leaves the API server.

mod ask;
mod installation;
mod network;
mod node;
pub mod orphan;
mod read;
mod release;
mod target;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{ApiError, Reference};
use crate::policy::{Kind, Policy, Target};

pub use installation::{Entry, Installation, Webhook};
pub use network::{Chained, Network};
pub use node::{Compute, Node};
pub use orphan::Orphan;
pub use read::{Wish, read};
pub use release::{FluxRelease, HelmRelease};
pub use target::{Evidence, Facts, Manager, Provenance, Rollout, Stamps};

/// What is live, as far as it could be seen.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Where the API server is.
    pub server: String,
    /// Kubernetes' version, as in `v1.31.2-eks-7f9249a`; empty when it could not be seen.
    pub version: String,
    /// The uid of Namespace kube-system, which tells one cluster from another.
    pub uid: Option<String>,
    /// The policy by whose names was looked, and by which findings are judged.
    pub policy: Policy,
    /// Where that policy is from.
    pub policy_from: PolicySource,
    /// The targets, in the order in which AWS applies them. The last `ConfigMap` is optional.
    pub targets: Vec<Item>,
    /// `kube-proxy` and `coredns`, which EKS installs with the VPC CNI; only looked at.
    pub neighbours: Vec<Item>,
    /// The Helm releases that the policy or a stamp names, the newest revision of each.
    pub releases: Vec<HelmRelease>,
    /// The `HelmRelease` objects of Flux that install the VPC CNI.
    pub flux: Vec<FluxRelease>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// The networks (CNIs) that run here, the VPC CNI itself left out.
    pub networks: Vec<Network>,
    /// Our own installations; mostly none or one.
    pub installations: Vec<Installation>,
    /// Webhook configurations that lead to a cni-steward.
    pub webhooks: Vec<Webhook>,
    /// Pods of the VPC CNI that run although its `DaemonSet` is not there.
    pub orphans: Vec<Orphan>,
    /// Fights over a target that a reconciler of ours has told of in an Event, newest last.
    pub fights: Vec<Fight>,
    /// What could not be seen, and why.
    pub unseen: Vec<Unseen>,
}

/// Where the policy of an [`Inventory`] is from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicySource {
    /// The person named a file.
    Given,
    /// The `ConfigMap` (namespace, name) of our installation.
    Installed(String, String),
    /// There is one, but it cannot be used; the defaults are taken.
    Broken(String),
    /// We are installed, but its `ConfigMap` could not be read; the defaults are taken.
    Unseen(Unseen),
    /// None was seen; the defaults are taken.
    #[default]
    Nowhere,
}

/// An object that was looked for by name.
#[derive(Debug)]
pub struct Item {
    /// Which object.
    pub reference: Reference,
    /// Its kind in the catalogue; `None` for a neighbour.
    pub kind: Option<Kind>,
    /// Whether an installation is whole without it.
    pub optional: bool,
    /// How it stands.
    pub state: Presence,
}

/// How an object stands.
#[derive(Debug)]
pub enum Presence {
    /// It is stored.
    Stands(Box<Live>),
    /// There is none.
    Absent,
    /// It could not be seen.
    Unseen,
}

/// A stored object.
#[derive(Debug)]
pub struct Live {
    /// Its JSON text, as the API server gave it.
    pub text: Box<RawValue>,
    /// What the text says.
    pub facts: Facts,
}

/// Two writers that change the same path again and again, as our reconciler has told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fight {
    /// `DaemonSet aws-node`.
    pub object: String,
    /// The Event's note.
    pub note: String,
    /// When, RFC 3339.
    pub when: String,
}

/// What is looked for in all namespaces; what else has none is cluster-scoped.
const EVERYWHERE: [&str; 3] = ["daemonsets.apps", "deployments.apps", "helmreleases.helm.toolkit.fluxcd.io"];

/// What could not be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// `get` or `list`.
    pub verb: &'static str,
    /// As RBAC writes it: `secrets`, `daemonsets.apps`.
    pub resource: String,
    /// The namespace, if there is one.
    pub namespace: Option<String>,
    /// The object's name, or `""` for all.
    pub name: String,
    /// Why, in one clause.
    pub why: String,
    /// Whether a right is missing.
    pub forbidden: bool,
    /// Why in one word, as [`ApiError::reason`] has it.
    pub reason: &'static str,
}

impl Unseen {
    fn of(error: &ApiError) -> Self {
        let reference = error.reference();
        Self {
            verb: error.verb().unwrap_or("get"),
            resource: reference.map(Reference::resource).unwrap_or_default(),
            namespace: reference.and_then(Reference::namespace).map(str::to_owned),
            name: reference.map(Reference::name).unwrap_or_default().to_owned(),
            why: error.why(),
            forbidden: error.is_forbidden(),
            reason: error.reason(),
        }
    }

    /// Whether it is an object of this resource and name that could not be seen.
    pub(super) fn is_of(&self, resource: &str, name: &str) -> bool {
        self.resource == resource && self.name == name
    }

    /// Where `kubectl auth can-i` has to look: ` -n NAMESPACE`, ` --all-namespaces`, or nothing for what has no namespace.
    pub fn scope(&self) -> String {
        let everywhere = self.name.is_empty() && EVERYWHERE.contains(&&*self.resource);
        match &self.namespace {
            Some(namespace) => format!(" -n {namespace}"),
            None if everywhere => " --all-namespaces".to_owned(),
            None => String::new(),
        }
    }
}

impl Item {
    /// The object, if it stands.
    pub fn live(&self) -> Option<&Live> {
        match &self.state {
            Presence::Stands(live) => Some(live),
            Presence::Absent | Presence::Unseen => None,
        }
    }

    /// What is known of it, if it stands.
    pub fn facts(&self) -> Option<&Facts> {
        self.live().map(|live| &live.facts)
    }

    /// The target that it is, for the policy's questions.
    pub fn target(&self) -> Option<Target<'_>> {
        let namespace = self.reference.namespace().unwrap_or_default();
        Some(Target { kind: self.kind?, namespace, name: self.reference.name() })
    }
}

impl Inventory {
    /// The targets that stand, with what is known of each.
    pub fn standing(&self) -> impl Iterator<Item = (&Item, &Facts)> {
        self.targets.iter().filter_map(|item| Some((item, item.facts()?)))
    }

    /// What kept this object from being seen, if that is known.
    pub fn unseen(&self, reference: &Reference) -> Option<&Unseen> {
        self.unseen.iter().find(|unseen| unseen.is_of(&reference.resource(), reference.name()))
    }

    /// The `DaemonSet` of the VPC CNI.
    pub fn workload(&self) -> Option<&Item> {
        self.targets.iter().find(|item| item.kind == Some(Kind::DaemonSet))
    }

    /// The networks that are ready on a node, by name. One that is chained behind the VPC CNI does not count: without it, it
    /// gives no Pod an address.
    pub fn networks_on<'i>(&'i self, node: &'i Node) -> impl Iterator<Item = &'i Network> {
        self.networks
            .iter()
            .filter(|network| network.chained.is_none() && network.ready_on.contains(&node.name))
    }

    /// The nodes whose Pods need the VPC CNI: schedulable ones that run `DaemonSet` Pods and have no other network ready.
    pub fn nodes_without_other_network(&self) -> Vec<&Node> {
        self.nodes
            .iter()
            .filter(|node| {
                node.schedulable && node.runs_daemon_sets() && self.networks_on(node).next().is_none()
            })
            .collect()
    }
}

/// The text at a JSON pointer, if it says something.
fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The number at a JSON pointer; 0 if there is none, as the API leaves it out.
fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// The list at a JSON pointer; empty if there is none.
fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a condition of `status.conditions` is `True`; `None` if there is no such condition.
fn condition(value: &Value, kind: &str) -> Option<bool> {
    let found = list(value, "/status/conditions").iter().find(|item| text(item, "/type") == Some(kind))?;
    Some(text(found, "/status") == Some("True"))
}
