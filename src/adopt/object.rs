//! One object: what changes on it, path by path, and the next write.

use jiff::Timestamp;

use super::{Refusal, Stored};
use crate::admission::object::alone;
use crate::fields::{List, Moved, PathChange, compare};
use crate::policy::change::{Changes, Edit, MANAGED_ADDON, Map, Why};
use crate::policy::decide::Subject;
use crate::policy::object::Object;
use crate::policy::rules::Policy;
use crate::policy::writer::STEWARD;
use crate::policy::{Kind, Reason, Target, Verdict, decide};
use crate::reconcile::step::{Step, tidied};
use crate::undo::Metadata;

/// How one object stands to its adoption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Absent,
    /// It is the owner's.
    Adopted,
    /// Something is to be written.
    ToAdopt,
}

/// One label or annotation that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEdit {
    /// Labels or annotations.
    pub map: Map,
    /// Its key.
    pub key: &'static str,
    /// What it says now.
    pub from: Option<String>,
    /// What it will say.
    pub to: Option<String>,
    /// What for.
    pub why: Why,
}

/// What is done to one object.
#[derive(Debug, Clone)]
pub struct ObjectPlan {
    /// Its kind.
    pub kind: Kind,
    /// `""` for a cluster-scoped one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Labels and annotations that change.
    pub edits: Vec<KeyEdit>,
    /// Entries that are merged into the owner's.
    pub moved: Vec<Moved>,
    /// Paths whose holders change.
    pub fields: Vec<PathChange>,
    /// What could not be done, a sentence each.
    pub notes: Vec<String>,
    /// Its metadata as it stands; empty when there is none.
    pub before: Metadata,
    /// Its metadata after the last write.
    pub after: Metadata,
    /// The next write; after it the object is looked at again.
    pub step: Option<Step>,
}

impl ObjectPlan {
    /// The target that it is about.
    pub fn target(&self) -> Target<'_> {
        Target { kind: self.kind, namespace: &self.namespace, name: &self.name }
    }

    /// How many requests its adoption takes: the API server records the first as ours, the second says whose it is.
    pub fn writes(&self) -> usize {
        match &self.step {
            None => 0,
            // Without an entry of ours to take out again, the first is the last.
            Some(step) => 1 + usize::from(step.first && !self.after.managed_fields.is_empty()),
        }
    }

    /// Whether an object that now stands like this may be planned anew unseen: nobody but a status's writer has changed it, or
    /// our own write was stored and only its answer lost.
    pub fn holds_for(&self, current: &Metadata) -> bool {
        current.uid == self.before.uid && (current.same(&self.before) || current.as_planned(&self.after))
    }
}

/// `DaemonSet kube-system/aws-node`.
impl std::fmt::Display for ObjectPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target().fmt(f)
    }
}

/// Plans for one object by the effective policy.
pub fn look(stored: Stored<'_>, policy: &Policy, now: Timestamp) -> Result<ObjectPlan, Refusal> {
    let target = stored.target;
    let mut plan = ObjectPlan {
        kind: target.kind,
        namespace: target.namespace.to_owned(),
        name: target.name.to_owned(),
        state: State::Absent,
        edits: Vec::new(),
        moved: Vec::new(),
        fields: Vec::new(),
        notes: Vec::new(),
        before: Metadata::default(),
        after: Metadata::default(),
        step: None,
    };
    let Some(text) = stored.text else { return Ok(plan) };
    let odd = |problem: &str| Refusal::odd(&target, problem);
    let object = alone(text).map_err(|problem| odd(&problem))?;
    plan.before = Metadata::of(text).map_err(|problem| odd(&problem))?;
    if plan.before.version.is_empty() {
        return Err(odd("it has no resourceVersion"));
    }
    let unmarked = unmarked(&object);
    let changes = changes(target, &object, &unmarked, policy, now, &mut plan)?;
    plan.fill(changes, &object);
    Ok(plan)
}

/// The object as if nobody had marked it as the managed add-on's.
fn unmarked<'a>(object: &Object<'a>) -> Object<'a> {
    let mut object = object.clone();
    object.annotations.pairs.retain(|(key, _)| *key != MANAGED_ADDON);
    object
}

/// What admission would change, and the mark.
fn changes<'a>(
    target: Target<'a>,
    object: &Object<'_>,
    unmarked: &'a Object<'a>,
    policy: &'a Policy,
    now: Timestamp,
    plan: &mut ObjectPlan,
) -> Result<Changes<'a>, Refusal> {
    let subject = Subject {
        target,
        username: "",
        groups: &[],
        manager: STEWARD,
        object: unmarked,
        old: Some(unmarked),
    };
    let decision = decide(&subject, policy, now);
    let mut changes = match (decision.verdict, decision.reason) {
        (Verdict::Amend(changes), _) => changes,
        (_, Reason::InOrder) => Changes::default(),
        (_, reason) => return Err(Refusal::left(&target, reason, &decision.message)),
    };
    plan.notes = decision.warnings.iter().map(|warning| format!("{target}: {warning}")).collect();
    if object.annotations.get(MANAGED_ADDON).is_some() {
        let (map, key) = (Map::Annotations, MANAGED_ADDON);
        changes.edits.push(Edit { map, key, value: None, why: Why::Unmark });
    }
    Ok(changes)
}

impl ObjectPlan {
    fn fill(&mut self, changes: Changes<'_>, object: &Object<'_>) {
        self.after = self.before.clone();
        for edit in &changes.edits {
            let map = match edit.map {
                Map::Labels => &mut self.after.labels,
                Map::Annotations => &mut self.after.annotations,
            };
            let to = edit.value.as_ref().map(ToString::to_string);
            let from = match &to {
                Some(value) => map.insert(edit.key.to_owned(), value.clone()),
                None => map.remove(edit.key),
            };
            self.edits.push(KeyEdit { map: edit.map, key: edit.key, from, to, why: edit.why });
        }
        let list = changes.managed_fields.as_ref().map(|list| list.whole().into_owned());
        if let Some(list) = tidied(&changes, object).or(list) {
            let before = object.managed_fields.clone().unwrap_or_default();
            self.fields = List::parse(&list).map(|after| compare(&before, &after)).unwrap_or_default();
            self.after.managed_fields = list;
        }
        self.moved.clone_from(&changes.moved);
        self.step = Step::of(changes, object, &self.before.version);
        self.state = if self.step.is_some() { State::ToAdopt } else { State::Adopted };
    }
}
