//! The interlock: the VPC CNI stays while any schedulable node would be left without a network.
//!
//! Who wants it gone all the same says how many nodes lose their network. The number has to be right: a person who knows it has
//! looked, and one who looked an hour ago is told that it has changed.

use super::refusal::Refusal;
use crate::cluster::inventory::{Inventory, Unseen};

/// Whether it has to be seen before anybody can say which nodes have another network: the nodes, and what runs on each.
fn is_needed(inventory: &Inventory, unseen: &Unseen) -> bool {
    match &*unseen.resource {
        "nodes" | "pods" => true,
        "daemonsets.apps" => unseen.name.is_empty(),
        // It says whether a network needs the VPC CNI.
        "configmaps" => inventory.networks.iter().any(|network| network.settings == unseen.name),
        _ => false,
    }
}

/// Why nothing may be removed, if so. `lost` says that the workload is gone already, so that nobody can lose anything.
pub fn check(inventory: &Inventory, accepted: Option<usize>, lost: bool) -> Option<Refusal> {
    if lost {
        return None;
    }
    if let Some(unseen) = inventory.unseen.iter().find(|unseen| is_needed(inventory, unseen)) {
        return Some(Refusal::NodesUnseen(unseen.clone()));
    }
    let nodes = losing(inventory);
    if nodes.len() == accepted.unwrap_or(0) {
        return None;
    }
    Some(Refusal::Network { nodes, accepted })
}

/// The nodes that would lose their network, by name.
pub fn losing(inventory: &Inventory) -> Vec<String> {
    let nodes = inventory.nodes_without_other_network();
    let mut names: Vec<String> = nodes.into_iter().map(|node| node.name.clone()).collect();
    names.sort_unstable();
    names
}
