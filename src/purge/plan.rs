//! The plan: the steps in their order, what stays and why, and every reason to do nothing at all.

use serde_json::Value;

use super::addon::{self, Stated};
use super::interlock;
use super::need::{self, Dependents};
use super::owner;
use super::refusal::Refusal;
use super::saved::{items, text};
use crate::cluster::inventory::{Inventory, Item, Live, PolicySource, Presence, Unseen};
use crate::policy::Kind;

/// Which goes when (the room's own text says why).
const ORDER: [Kind; 6] = [
    Kind::DaemonSet,
    Kind::ClusterRoleBinding,
    Kind::ClusterRole,
    Kind::ServiceAccount,
    Kind::ConfigMap,
    Kind::CustomResourceDefinition,
];

/// What the person says.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The managed add-on.
    pub stated: Stated,
    /// So many nodes may lose their network.
    pub accepted_loss: Option<usize>,
    /// Delete also what somebody would bring back.
    pub ignore_owner: bool,
}

/// One object that goes.
#[derive(Debug, Clone, Copy)]
pub struct Step<'i> {
    /// Which.
    pub item: &'i Item,
    /// As it stands.
    pub live: &'i Live,
    /// Its kind in the catalogue.
    pub kind: Kind,
}

impl Step<'_> {
    /// Whether somebody has deleted it already, so that it is only waited for.
    pub fn is_going(&self) -> bool {
        self.live.facts.deleting.is_some()
    }

    /// What the step does, in a few words.
    pub const fn why(&self) -> &'static str {
        match self.kind {
            Kind::DaemonSet => "its Pods use all that follows, so it waits until the last is gone",
            Kind::ClusterRoleBinding => "the account's rights end",
            Kind::ClusterRole => "nobody is bound to it any more",
            Kind::ServiceAccount => "no Pod uses it any more",
            Kind::ConfigMap => "nobody else reads it",
            Kind::CustomResourceDefinition => "no ENIConfig is left",
        }
    }
}

/// One object that stays.
#[derive(Debug, Clone)]
pub struct Kept<'i> {
    /// Which.
    pub item: &'i Item,
    /// Who needs it.
    pub why: String,
}

/// What a purge will do.
#[derive(Debug, Clone)]
pub struct Plan<'i> {
    /// What goes, in order.
    pub steps: Vec<Step<'i>>,
    /// What stays.
    pub kept: Vec<Kept<'i>>,
    /// Why nothing is done.
    pub refusals: Vec<Refusal>,
    /// What else a person shall know, a sentence each.
    pub notes: Vec<String>,
}

impl<'i> Plan<'i> {
    /// Plans from what is live.
    pub fn new(inventory: &'i Inventory, dependents: &Dependents, wish: Wish) -> Self {
        let mut plan = Self { steps: Vec::new(), kept: Vec::new(), refusals: Vec::new(), notes: Vec::new() };
        for kind in ORDER {
            for item in inventory.targets.iter().filter(|item| item.kind == Some(kind)) {
                plan.place(kind, item, inventory, dependents);
            }
        }
        // Without the policy that is installed, what was looked for may be called otherwise.
        match &inventory.policy_from {
            PolicySource::Unseen(unseen) => plan.refusals.push(Refusal::Unseen(unseen.clone())),
            PolicySource::Broken(why) => plan.refusals.push(Refusal::Policy(why.clone())),
            PolicySource::Given | PolicySource::Installed(..) | PolicySource::Nowhere => {}
        }
        if plan.steps.is_empty() && plan.refusals.is_empty() {
            return plan;
        }
        plan.refuse(inventory, wish);
        plan.note(inventory, wish);
        plan
    }

    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refusals.is_empty()
    }

    /// Whether the workload is gone, or going with its Pods, already: then nobody can lose a network any more.
    pub fn is_lost(&self) -> bool {
        let orphans =
            |step: &Step<'_>| step.live.facts.finalizers.iter().any(|finalizer| finalizer == "orphan");
        self.workload().is_none_or(|step| step.is_going() && !orphans(step))
    }

    /// The workload, if it is to go.
    pub fn workload(&self) -> Option<&Step<'i>> {
        self.steps.iter().find(|step| step.kind == Kind::DaemonSet)
    }

    fn place(&mut self, kind: Kind, item: &'i Item, inventory: &Inventory, dependents: &Dependents) {
        let live = match &item.state {
            Presence::Stands(live) => live,
            Presence::Absent => return,
            Presence::Unseen => {
                let unseen = inventory.unseen(&item.reference).cloned();
                self.refusals.push(Refusal::Unseen(unseen.unwrap_or_else(|| Unseen {
                    verb: "get",
                    resource: item.reference.resource(),
                    namespace: item.reference.namespace().map(str::to_owned),
                    name: item.reference.name().to_owned(),
                    why: "there was no answer".to_owned(),
                    forbidden: false,
                    reason: "unreachable",
                })));
                return;
            }
        };
        let object = value(live);
        match need::why(kind, item.reference.name(), &object, inventory, dependents) {
            Some(why) => self.kept.push(Kept { item, why }),
            None => self.steps.push(Step { item, live, kind }),
        }
    }

    fn refuse(&mut self, inventory: &Inventory, wish: Wish) {
        let objects: Vec<Value> = self.steps.iter().map(|step| value(step.live)).collect();
        let workload = self.workload().map(|step| (step.item.reference.to_string(), value(step.live)));
        if let Some((name, object)) = &workload
            && let Some(images) = foreign(object)
        {
            self.refusals.push(Refusal::Foreign(name.clone(), images));
        }
        let absent = inventory.workload().is_some_and(|item| matches!(item.state, Presence::Absent));
        if absent && !self.steps.is_empty() {
            if !inventory.orphans.is_empty() {
                self.refusals.push(Refusal::Orphans(inventory.orphans.clone()));
            } else if let Some(unseen) = orphans_unseen(inventory) {
                self.refusals.push(Refusal::Unseen(unseen.clone()));
            }
        }
        self.refusals.extend(interlock::check(inventory, wish.accepted_loss, self.is_lost()));
        if let Some(suspicion) = addon::suspicion(objects.iter(), wish.stated) {
            let cluster = addon::cluster_name(workload.as_ref().map(|(_, object)| object));
            self.refusals.push(Refusal::ManagedAddon(suspicion, cluster.map(str::to_owned)));
        }
        if !wish.ignore_owner {
            self.refusals.extend(owner::all(inventory).into_iter().map(Refusal::Owned));
        }
    }

    fn note(&mut self, inventory: &Inventory, wish: Wish) {
        let losing = interlock::losing(inventory);
        if !losing.is_empty() && wish.accepted_loss == Some(losing.len()) {
            self.notes.push(format!("these nodes will have no network: {}", losing.join(", ")));
        }
        let products: std::collections::BTreeSet<&str> = inventory
            .nodes
            .iter()
            .flat_map(|node| inventory.networks_on(node))
            .map(|network| network.product)
            .collect();
        if losing.is_empty() && !products.is_empty() {
            let products: Vec<&str> = products.into_iter().collect();
            self.notes.push(format!(
                "every schedulable node has another network that is ready: {}",
                products.join(", ")
            ));
        }
        let cordoned = inventory.nodes.iter().filter(|node| {
            !node.schedulable && node.runs_daemon_sets() && inventory.networks_on(node).next().is_none()
        });
        let cordoned: Vec<&str> = cordoned.map(|node| node.name.as_str()).collect();
        if !cordoned.is_empty() {
            self.notes
                .push(format!("cordoned, and not counted: {} will have no network", cordoned.join(", ")));
        }
        if self.workload().is_some_and(|step| step.live.facts.parked) {
            self.notes.push("the workload is parked: no node runs it".to_owned());
        }
        for step in self.steps.iter().filter(|step| step.is_going()) {
            self.notes.push(format!("{} is being deleted already and is waited for", step.item.reference));
        }
        if wish.ignore_owner {
            let owners = owner::all(inventory);
            self.notes.extend(owners.iter().map(|owner| format!("not asked: {}", owner.sentence())));
        }
    }
}

/// Why it cannot be said that no Pod of the workload is left.
fn orphans_unseen(inventory: &Inventory) -> Option<&Unseen> {
    let namespace = &inventory.policy.targets.namespace;
    inventory.unseen.iter().find(|unseen| {
        unseen.resource == "pods" && unseen.namespace.as_ref().is_none_or(|place| place == namespace)
    })
}

/// The images of a workload that is not the VPC CNI's.
fn foreign(workload: &Value) -> Option<Vec<String>> {
    let containers = || items(workload, &["spec", "template", "spec", "containers"]);
    let images: Vec<&str> = containers().map(|container| text(container, &["image"])).collect();
    // Mirrors rename images, and Cilium's old guide put another one in its place.
    let ours = containers().any(|container| text(container, &["name"]) == "aws-node")
        || images.iter().any(|image| image.contains("amazon-k8s-cni"));
    (!ours).then(|| images.into_iter().map(str::to_owned).collect())
}

fn value(live: &Live) -> Value {
    serde_json::from_str(live.text.get()).unwrap_or_default()
}
