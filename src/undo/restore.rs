//! The next write that brings one object back to how it stood.
//!
//! Two writes, as in a repair: labels and annotations, with the pause without which an admission webhook or the reconciler would
//! undo the undo; then `managedFields` alone, which is stored as sent. A key or an entry that somebody changed since stays
//! his, and is told. What was deleted is the matter of `purge`.

mod write;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{After, Metadata, Saved};
use crate::fields::{List, PathChange, Restored, Undoing, compare};
use crate::policy::change::{ALLOW_UNTIL, Map};
use crate::policy::pause::{self, Pause};
use crate::policy::writer::STEWARD;
use crate::reconcile::step::OURS;

/// How long nothing of ours acts on a restored object.
pub const PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// A pause with less left is set anew.
const ENOUGH: SignedDuration = SignedDuration::from_mins(30);

/// How one object stands to its restoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It stands as before, as far as that can be.
    Restored,
    /// Something is to be written.
    ToRestore,
    /// It cannot be restored; `kept` says why.
    Left,
}

/// One label or annotation that is set back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEdit {
    /// Labels or annotations.
    pub map: Map,
    /// Its key.
    pub key: String,
    /// What it says now.
    pub from: Option<String>,
    /// What it said before.
    pub to: Option<String>,
}

/// What has to be done about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// How it stands.
    pub state: State,
    /// Labels and annotations that are set back, without the pause.
    pub edits: Vec<KeyEdit>,
    /// Paths whose holders are set back.
    pub fields: Vec<PathChange>,
    /// What stays as it is and why, a sentence each.
    pub kept: Vec<String>,
    /// The next write, a JSON patch.
    pub step: Option<String>,
}

impl Restoration {
    fn left(why: impl Into<String>) -> Self {
        Self { state: State::Left, kept: vec![why.into()], ..Self::done() }
    }

    fn done() -> Self {
        Self { state: State::Restored, edits: Vec::new(), fields: Vec::new(), kept: Vec::new(), step: None }
    }
}

/// Plans the next write for an object that now is stored as this text, or is not there. `left` is how the command left it, if
/// that is known.
pub fn restore(saved: &Saved, left: Option<&Metadata>, stored: Option<&str>, now: Timestamp) -> Restoration {
    let before = match Metadata::of(&saved.before) {
        Ok(before) => before,
        Err(problem) => return Restoration::left(problem),
    };
    let After::Changed(planned) = &saved.after else {
        return Restoration::left("it was deleted, not changed: `cni-steward purge --undo` creates it again");
    };
    let Some(stored) = stored else {
        return Restoration::left("it is gone, which was not our doing: it is not made again");
    };
    let current = match Metadata::of(stored) {
        Ok(current) => current,
        Err(problem) => return Restoration::left(problem),
    };
    if current.uid != before.uid {
        return Restoration::left("another object of this name was created since: it is left alone");
    }
    let (base, exact) = (left.unwrap_or(planned), left.is_some());
    Case { before: &before, planned, base, current: &current, exact, now }.plan()
}

/// The end of a pause that begins now, as an annotation says it.
fn pause_until(now: Timestamp) -> String {
    let until = now.checked_add(PAUSE).unwrap_or(now);
    Timestamp::from_second(until.as_second()).unwrap_or(until).to_string()
}

struct Case<'c> {
    before: &'c Metadata,
    planned: &'c Metadata,
    base: &'c Metadata,
    current: &'c Metadata,
    exact: bool,
    now: Timestamp,
}

impl Case<'_> {
    fn plan(&self) -> Restoration {
        let mut plan = Restoration::done();
        let list = match self.list(&mut plan) {
            Ok(list) => list,
            Err(manager) => {
                return Restoration::left(format!(
                    "{manager} itself wrote it since, so what moved to {manager} is its own now: nothing of it is undone"
                ));
            }
        };
        let Self { before, base, current, .. } = *self;
        keys(Map::Labels, [&before.labels, &base.labels, &current.labels], &mut plan);
        keys(Map::Annotations, [&before.annotations, &base.annotations, &current.annotations], &mut plan);
        let paused = self.paused();
        plan.step = if !plan.edits.is_empty() || (list.is_some() && !paused) {
            let until = (!paused).then(|| pause_until(self.now));
            Some(write::keys(current, &plan.edits, until.as_deref()))
        } else {
            list.as_ref().map(|list| write::list(current, list))
        };
        if plan.step.is_some() {
            plan.state = State::ToRestore;
        }
        plan
    }

    /// The list to write, if one has to be; an error names the owner that wrote since.
    fn list(&self, plan: &mut Restoration) -> Result<Option<String>, String> {
        let parse = |metadata| List::parse(metadata).unwrap_or_default();
        let before = parse(&self.before.managed_fields);
        let planned = parse(&self.planned.managed_fields);
        let left = parse(&self.base.managed_fields);
        let now = parse(&self.current.managed_fields);
        let undoing = Undoing {
            before: &before,
            planned: &planned,
            left: &left,
            now: &now,
            manager: STEWARD,
            paths: OURS,
            exact: self.exact,
        };
        let (restored, kept) = crate::fields::restore(&undoing);
        plan.kept = kept;
        match restored {
            Restored::Keep => Ok(None),
            Restored::Written(manager) => Err(manager),
            Restored::Replace(list) => {
                plan.fields = List::parse(&list).map(|list| compare(&now, &list)).unwrap_or_default();
                Ok(Some(list))
            }
        }
    }

    fn paused(&self) -> bool {
        let value = self.current.annotations.get(ALLOW_UNTIL).map(String::as_str);
        match pause::read(value, self.now) {
            Pause::Until(until) => until.duration_since(self.now) >= ENOUGH,
            _ => false,
        }
    }
}

/// The keys of one map that are set back.
fn keys(map: Map, [before, base, current]: [&BTreeMap<String, String>; 3], plan: &mut Restoration) {
    let mut keys: Vec<&String> = before.keys().chain(base.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| *key != ALLOW_UNTIL) {
        let (was, left, stands) = (before.get(key), base.get(key), current.get(key));
        if was == left || stands == was {
            continue;
        }
        if stands == left {
            let (from, to) = (stands.cloned(), was.cloned());
            plan.edits.push(KeyEdit { map, key: key.clone(), from, to });
        } else {
            let map = map.name();
            let says = stands.map_or("gone".to_owned(), |value| format!("{value:?}"));
            plan.kept.push(format!("metadata.{map}[{key}] was changed since: it stays {says}"));
        }
    }
}
