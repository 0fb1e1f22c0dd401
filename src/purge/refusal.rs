//! Why nothing is removed, and what to do instead: a stable code, one sentence, the next commands.

use super::addon::Suspicion;
use super::owner::Owner;
use super::unseen;
use crate::cluster::inventory::{Orphan, Unseen};
use crate::layout::quoted;

/// How many nodes or Pods are named; more make no list that anybody reads.
const NAMED: usize = 20;

/// A reason to remove nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A target could not be seen: it could be neither saved nor understood.
    Unseen(Unseen),
    /// The policy that is installed cannot be used, for this reason.
    Policy(String),
    /// The workload is not the VPC CNI's (object, its images).
    Foreign(String, Vec<String>),
    /// The nodes, or what gives them a network, could not be listed.
    NodesUnseen(Unseen),
    /// These nodes would have no network; the person expected so many.
    Network {
        /// Their names.
        nodes: Vec<String>,
        /// What `--accept-network-loss` said.
        accepted: Option<usize>,
    },
    /// It may be the managed add-on's, in the cluster of this name.
    ManagedAddon(Suspicion, Option<String>),
    /// Somebody would bring it back.
    Owned(Owner),
    /// Pods of the workload run although it is not there.
    Orphans(Vec<Orphan>),
}

impl Refusal {
    /// A word for scripts; it does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unseen(_) => "unseen",
            Self::Policy(_) => "policy",
            Self::Foreign(..) => "foreign",
            Self::NodesUnseen(_) => "nodes-unseen",
            Self::Network { .. } => "network-loss",
            Self::ManagedAddon(..) => "managed-addon",
            Self::Owned(_) => "owned",
            Self::Orphans(_) => "orphaned-pods",
        }
    }

    /// What is the matter.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unseen(unseen) => format!("{}: what is not seen can be neither judged nor saved", unseen::told(unseen)),
            Self::Policy(why) => {
                format!("the policy in the cluster, which says what the objects are called, cannot be used: {why}")
            }
            Self::Foreign(object, images) => format!(
                "{object} is not the VPC CNI: none of its images is amazon-k8s-cni ({})",
                if images.is_empty() { "it has none".to_owned() } else { images.join(", ") }
            ),
            Self::NodesUnseen(unseen) => {
                format!("whether each node has another network could not be seen: {}", unseen::told(unseen))
            }
            Self::Network { nodes, accepted } => network(nodes, *accepted),
            Self::ManagedAddon(Suspicion::Mark, _) => {
                "the EKS managed add-on wrote it: AWS would bring it back, and only AWS can remove it".to_owned()
            }
            Self::ManagedAddon(Suspicion::Entries, _) => {
                "field manager eks owns fields of it: it may be the EKS managed add-on, which AWS would bring back; \
                 in the cluster both look the same"
                    .to_owned()
            }
            Self::Owned(owner) => owner.sentence(),
            Self::Orphans(pods) => {
                let names: Vec<&str> = pods.iter().map(|pod| &*pod.name).collect();
                let s = if pods.len() == 1 { " runs" } else { "s run" };
                format!(
                    "{} Pod{s} without the DaemonSet, with the account and the rights that would go: {}",
                    pods.len(),
                    named(&names)
                )
            }
        }
    }

    /// What to do instead, a line each.
    pub fn next(&self) -> Vec<String> {
        match self {
            Self::Unseen(unseen) | Self::NodesUnseen(unseen) => vec![unseen::next(unseen)],
            Self::Policy(_) => vec!["repair it, or give one with --policy FILE".to_owned()],
            Self::Foreign(..) => {
                vec!["say what the VPC CNI is called here, with `targets` in --policy FILE".to_owned()]
            }
            Self::Network { nodes, .. } if nodes.is_empty() => {
                vec!["leave --accept-network-loss out".to_owned()]
            }
            Self::Network { nodes, .. } => vec![
                "install another network first, or cordon the nodes that shall be replaced".to_owned(),
                format!("or say that you know: --accept-network-loss {}", nodes.len()),
            ],
            Self::ManagedAddon(_, cluster) => {
                let of = format!(
                    "--cluster-name {} --addon-name vpc-cni",
                    cluster.as_deref().map_or("CLUSTER".into(), quoted)
                );
                vec![
                    format!("aws eks describe-addon {of}    # is there one?"),
                    format!("aws eks delete-addon {of}    # if so: AWS removes add-on and objects"),
                    format!(
                        "aws eks delete-addon {of} --preserve    # or only the add-on: the objects stay, for purge"
                    ),
                    "if there is none, say so: --managed-addon-absent".to_owned(),
                ]
            }
            Self::Owned(owner) => {
                vec![owner.next(), "or delete it all the same: --ignore-owner".to_owned()]
            }
            Self::Orphans(pods) if pods.iter().all(|pod| pod.going) => {
                vec!["they are being deleted: run purge again in a moment".to_owned()]
            }
            Self::Orphans(pods) => {
                let namespace = pods.first().map_or("kube-system".into(), |pod| quoted(&pod.namespace));
                vec![
                    "apply the DaemonSet again: it takes them back, and purge removes all in order"
                        .to_owned(),
                    format!(
                        "or, if their nodes have another network: kubectl delete pods -n {namespace} -l k8s-app=aws-node"
                    ),
                ]
            }
        }
    }
}

fn network(nodes: &[String], accepted: Option<usize>) -> String {
    let count = nodes.len();
    let told = accepted.map(|accepted| format!(", not {accepted},")).unwrap_or_default();
    let named = named(nodes);
    match count {
        0 => format!("no schedulable node{told} would lose its network"),
        1 => format!("1 schedulable node{told} has no other network that is ready: {named}"),
        _ => format!("{count} schedulable nodes{told} have no other network that is ready: {named}"),
    }
}

fn named<S: AsRef<str>>(names: &[S]) -> String {
    let some: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len() - some.len() {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}
