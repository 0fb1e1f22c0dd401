//! One object: what each Helm will answer on `helm install`, and what is left over afterwards.
//!
//! The order of refusals is the order in which Helm meets them: first its ownership check over all objects, then the
//! API server's conflicts, then the API server's validation. Server-side apply is what Helm 4 does on `install`, and on
//! `upgrade` of a release that it installed itself; a release that Helm 3 made stays client-side also in Helm 4
//! (`--server-side=auto`), so what holds for Helm 3 holds for its upgrades.

use serde_json::Value;

use super::defaults::without_zeros;
use super::fault::{self, Fault};
use super::holders::{Holder, Holders};
use super::leftover::{self, Leftover};
use super::ownership::{self, Unowned};
use super::remove::Object;
use super::shape::{self, Shape};
use super::{compare, merge, prune};
use crate::fields::{List, Operation};
use crate::policy::Kind;
use crate::policy::target::SCHEMA;

/// A release, by name and namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

/// What a forecast is made of.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which kind of object.
    pub kind: Kind,
    /// The live object, with its `metadata.managedFields`.
    pub live: &'a Value,
    /// The object as the chart renders it.
    pub rendered: &'a Value,
    /// Whether it comes from the chart's `crds/` folder.
    pub from_crds: bool,
    /// The field manager of Helm: `helm`, or Flux's `helm-controller`.
    pub manager: &'a str,
    /// The release that is to be installed.
    pub release: Release<'a>,
}

/// How an `install` ends for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It is taken over.
    Accepts,
    /// It is there already, so it is not touched (Helm 3, `crds/`).
    Skips,
    /// The API server calls the result invalid.
    Invalid,
    /// The API server reports conflicts.
    Conflicts,
    /// Helm's own ownership check refuses.
    NotOwned,
}

impl Answer {
    /// Whether the install goes on.
    pub const fn is_well(self) -> bool {
        matches!(self, Self::Accepts | Self::Skips)
    }
}

/// Paths that one manager holds and that the apply would write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The manager.
    pub manager: String,
    /// How it came to hold them.
    pub operation: Operation,
    /// `""`, or the subresource it wrote.
    pub subresource: String,
    /// The paths as the API server reports them.
    pub paths: Vec<String>,
}

/// What is to be expected of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Which kind of object.
    pub kind: Kind,
    /// `""` for a cluster-scoped one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Helm 3's `install`, and Helm 4's client-side `upgrade` of a release that Helm 3 made.
    pub helm_3: Answer,
    /// Helm 4's `install`, server-side.
    pub helm_4: Answer,
    /// What both Helms' ownership check misses.
    pub unowned: Vec<Unowned>,
    /// What the API server would answer Helm 4, by manager.
    pub conflicts: Vec<Conflict>,
    /// What the API server would call invalid in Helm 3's patch.
    pub faults_3: Vec<Fault>,
    /// What the API server would call invalid in Helm 4's apply.
    pub faults_4: Vec<Fault>,
    /// Paths in which a CRD of `crds/` differs from the live one; Helm 3 leaves them as they are.
    pub differs: Vec<String>,
    /// Whether this is a CRD that the EKS control plane owns: `--skip-crds`.
    pub off_limits: bool,
    /// What the chart does not render.
    pub leftovers: Vec<Leftover>,
}

/// Whether the EKS control plane owns a CRD that a chart brings.
pub fn is_off_limits(kind: Kind, name: &str) -> bool {
    kind == Kind::CustomResourceDefinition && name != SCHEMA
}

/// Makes the forecast.
pub fn forecast(question: &Question<'_>) -> Forecast {
    let Question { kind, manager, ref release, .. } = *question;
    let checked = !question.from_crds;
    let shape = shape::of(kind);
    let (live, entries) = bare(question.live);
    let (mut rendered, _) = bare(question.rendered);
    if checked {
        ownership::stamp(&mut rendered, release);
    }
    let list = entries.as_deref().and_then(List::parse).unwrap_or_default();
    let api_version = text(&live, "/apiVersion");
    let holders = if list.entries.is_empty() {
        Holders::of_nobody(shape, &live)
    } else {
        Holders::of(&list, api_version, manager, checked)
    };

    let after = apply(shape, &live, &rendered, &holders);
    let written = compare::written(shape, &live, &after);
    let conflicts = conflicts(&holders.others, &written);
    let unowned = if checked { ownership::check(&live, release) } else { Vec::new() };
    let faults_4 = fault::server_side(kind, &live, &after);
    let faults_3 = if checked { fault::three_way(kind, shape, &live, &rendered) } else { Vec::new() };
    let (name, namespace) = (text(&live, "/metadata/name"), text(&live, "/metadata/namespace"));
    let object = Object { kind, namespace, name };
    let found =
        leftover::find(object, manager, (&holders.last, &holders.others), shape, (&live, &rendered, &after));
    Forecast {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        helm_3: if checked { answer(&unowned, &[], &faults_3) } else { Answer::Skips },
        helm_4: answer(&unowned, &conflicts, &faults_4),
        differs: if checked { Vec::new() } else { differs(shape, &live, &rendered) },
        off_limits: is_off_limits(kind, name),
        unowned,
        conflicts,
        faults_3,
        faults_4,
        leftovers: found,
    }
}

/// The paths in which the rendered object says something else than the live one.
fn differs(shape: Shape, live: &Value, rendered: &Value) -> Vec<String> {
    let (live, rendered) = (without_zeros(live), without_zeros(rendered));
    let merged = merge::merge(shape, &live, &rendered);
    compare::written(shape, &live, &merged).reported()
}

fn answer(unowned: &[Unowned], conflicts: &[Conflict], faults: &[Fault]) -> Answer {
    match (unowned, conflicts, faults) {
        ([], [], []) => Answer::Accepts,
        ([], [], _) => Answer::Invalid,
        ([], ..) => Answer::Conflicts,
        _ => Answer::NotOwned,
    }
}

/// The object after the apply, if it went through.
fn apply(shape: Shape, live: &Value, rendered: &Value, holders: &Holders<'_>) -> Value {
    let merged = merge::merge(shape, live, rendered);
    let mut held = prune::paths(shape, rendered);
    for holder in &holders.others {
        held = held.union(holder.set.clone());
    }
    prune::prune(shape, &merged, &holders.last, &held)
}

fn conflicts(others: &[Holder<'_>], written: &crate::fields::Set<'_>) -> Vec<Conflict> {
    let mut conflicts: Vec<Conflict> = others
        .iter()
        .map(|holder| Conflict {
            manager: holder.manager.to_string(),
            operation: holder.operation,
            subresource: holder.subresource.to_string(),
            paths: holder.set.intersection(written).reported(),
        })
        .filter(|conflict| !conflict.paths.is_empty())
        .collect();
    conflicts.sort_by(|a, b| (&a.manager, a.operation).cmp(&(&b.manager, b.operation)));
    conflicts
}

/// An object without what no apply through the object itself decides: its status and its list of fields, which is given
/// beside it.
fn bare(object: &Value) -> (Value, Option<String>) {
    let mut object = object.clone();
    let mut list = None;
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            list = metadata.shift_remove("managedFields").map(|list| list.to_string());
        }
    }
    (object, list)
}

fn text<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
