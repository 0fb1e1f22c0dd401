//! Adoption by a person: what has to be written so that the owner owns what is stored, and why not. Pure.
//!
//! The same verdict as in admission ([`decide`](crate::policy::decide)) about stored objects, with what only a person may say:
//! that there is no managed add-on, and that further managers give their fields up. [`object`](mod@object) looks at one
//! object, [`refuse`] knows what speaks against the whole, [`offer`] who else holds fields.

pub mod object;
pub mod offer;
pub mod refuse;
mod resume;

use jiff::Timestamp;
use serde_json::Value;

use crate::policy::rules::{EKS, ManagedAddon, Mode, Policy};
use crate::policy::{Kind, Target, pattern::Pattern};

pub use object::{KeyEdit, ObjectPlan, State};
pub use offer::Offer;
pub use refuse::Refusal;
pub use resume::resumes;

/// What a person wants adopted.
#[derive(Debug, Clone)]
pub struct Wish<'p> {
    /// The policy as it is written.
    pub policy: &'p Policy,
    /// Further managers that give their fields up.
    pub absorb: &'p [Pattern],
    /// The person states that there is no managed add-on.
    pub addon_absent: bool,
}

/// A target, as it is stored or not.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Which.
    pub target: Target<'a>,
    /// Its JSON text; `None` when it is not there.
    pub text: Option<&'a str>,
}

/// Everything that an adoption would do, or why it does nothing.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Each target in the order in which it is written.
    pub objects: Vec<ObjectPlan>,
    /// What speaks against it; nothing is written when there is any.
    pub refusals: Vec<Refusal>,
    /// Managers that keep fields, and could give them up.
    pub offers: Vec<Offer>,
    /// What else is worth knowing, a sentence each.
    pub notes: Vec<String>,
    /// The chart's value `originalMatchLabels` that renders the selector of the stored `DaemonSet`, which cannot be changed.
    pub original_match_labels: Option<bool>,
}

impl Plan {
    /// The objects that are written.
    pub fn changes(&self) -> impl Iterator<Item = &ObjectPlan> {
        self.objects.iter().filter(|object| object.state == State::ToAdopt)
    }
}

/// The policy that an adoption follows: the written one as if mode Adopt were in force, nobody were exempt and the managed add-on
/// were gone. A person runs it, and sees the plan first.
pub fn effective(wish: &Wish<'_>) -> Policy {
    let mut policy = wish.policy.clone();
    policy.mode = Mode::Adopt;
    policy.managed_addon = ManagedAddon::Absent;
    policy.exempt.usernames.clear();
    policy.exempt.groups.clear();
    policy.exempt.managers.clear();
    policy.absorb.extend(wish.absorb.iter().cloned());
    policy
}

/// Plans the adoption of these objects.
pub fn plan(stored: &[Stored<'_>], wish: &Wish<'_>, now: Timestamp) -> Plan {
    let policy = effective(wish);
    let mut plan = Plan {
        objects: Vec::with_capacity(stored.len()),
        refusals: refuse::of_policy(wish.policy),
        offers: offer::find(stored, &policy),
        notes: Vec::new(),
        original_match_labels: stored
            .iter()
            .find(|one| one.target.kind == Kind::DaemonSet)
            .and_then(|one| selector(one.text?)),
    };
    plan.refusals.extend(refuse::of_objects(stored, wish));
    for one in stored {
        match object::look(*one, &policy, now) {
            Ok(object) => {
                plan.notes.extend(object.notes.iter().cloned());
                plan.objects.push(object);
            }
            Err(refusal) => plan.refusals.push(refusal),
        }
    }
    let from_eks = || plan.objects.iter().any(|object| object.moved.iter().any(|moved| moved.manager == EKS));
    if !wish.addon_absent && wish.policy.managed_addon == ManagedAddon::Unknown && from_eks() {
        // Such an entry is the add-on's too, if that was there from the beginning.
        plan.notes.push(format!(
            "eks holds fields, as after the bootstrap. If you do not know that there is no managed add-on, which would take them \
             back, ask: {}",
            refuse::ask(stored)
        ));
    }
    plan
}

/// The chart's value `originalMatchLabels` that renders the selector of this `DaemonSet` (JSON), if one does: EKS selects by
/// `k8s-app` alone, which is what the chart renders with `true`.
pub fn selector(workload: &str) -> Option<bool> {
    let object: Value = serde_json::from_str(workload).ok()?;
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    if labels.len() == 1 && labels.contains_key("k8s-app") {
        return Some(true);
    }
    labels.contains_key("app.kubernetes.io/name").then_some(false)
}
