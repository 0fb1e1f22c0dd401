//! What nodes and networks tell.

use super::{Code, Found, Owner, plural};
use crate::cluster::inventory::{Chained, Network, Node};

/// So many names in a sentence; more are counted.
const NAMED: usize = 3;

impl Found<'_> {
    pub(super) fn cluster(&mut self) {
        if !(self.saw("nodes") && self.saw("pods") && self.saw("daemonsets.apps")) {
            return;
        }
        let live = self.live;
        // Which network a node uses is said elsewhere then; that it has none cannot be said.
        let may_serve = |node: &Node| {
            live.networks.iter().any(|network| {
                network.chained == Some(Chained::Elsewhere) && network.ready_on.contains(&node.name)
            })
        };
        let mut without = live.nodes_without_other_network();
        without.retain(|node| !node.vpc_cni && !may_serve(node));
        if !without.is_empty() {
            let count = without.len();
            let message = format!(
                "{count} schedulable node{} ha{} no network: neither the VPC CNI nor another one is ready on {}",
                plural(count),
                if count == 1 { "s" } else { "ve" },
                some(&without)
            );
            let next = match self.owner {
                Owner::None => "kubectl get daemonsets --all-namespaces".to_owned(),
                _ => format!(
                    "kubectl -n {} get pods -l k8s-app=aws-node -o wide",
                    live.policy.targets.namespace
                ),
            };
            self.say(Code::NoNetwork, &[], message, next);
        }
        let both: Vec<&Node> = live
            .nodes
            .iter()
            .filter(|node| node.vpc_cni && live.networks_on(node).next().is_some())
            .collect();
        if !both.is_empty() {
            let mut products: Vec<&str> =
                live.networks.iter().map(|network: &Network| network.product).collect();
            products.dedup();
            let message = format!(
                "the VPC CNI and {} both run on {} node{}: {}",
                products.join(" and "),
                both.len(),
                plural(both.len()),
                some(&both)
            );
            self.say(Code::TwoNetworks, &[], message, "cni-steward purge --plan");
        }
    }
}

fn some(nodes: &[&Node]) -> String {
    let mut names: Vec<&str> = nodes.iter().take(NAMED).map(|node| &*node.name).collect();
    let more = format!("{} more", nodes.len().saturating_sub(NAMED));
    if nodes.len() > NAMED {
        names.push(&more);
    }
    names.join(", ")
}
