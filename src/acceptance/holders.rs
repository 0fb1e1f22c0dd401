//! Who holds which paths at the moment of Helm's apply.
//!
//! An entry of any operation and any subresource counts (structured-merge-diff `merge/update.go` looks at all managers
//! but the applier). Before it applies an object of a template, Helm 4 turns its own Update entries into its Apply
//! entry (client-go `util/csaupgrade`); for what it installs from `crds/` it does not.

use std::borrow::Cow;

use serde_json::Value;

use super::prune;
use super::shape::Shape;
use crate::fields::entry::Known;
use crate::fields::{List, Operation, Set};

/// What the API server calls the holder of everything in an object that has no entries at the first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// One manager's paths.
#[derive(Debug, Clone)]
pub(super) struct Holder<'a> {
    pub(super) manager: Cow<'a, str>,
    pub(super) operation: Operation,
    pub(super) subresource: Cow<'a, str>,
    pub(super) set: Set<'a>,
}

/// Everybody's paths, and the applier's.
#[derive(Debug, Default)]
pub(super) struct Holders<'a> {
    /// What the applier applied last time.
    pub(super) last: Set<'a>,
    pub(super) others: Vec<Holder<'a>>,
}

impl<'a> Holders<'a> {
    /// Reads the entries. `migrate`: the applier's Update entries become its own first.
    pub(super) fn of(list: &List<'a>, api_version: &str, manager: &str, migrate: bool) -> Self {
        let known: Vec<_> = list.entries.iter().filter_map(|entry| entry.known.as_ref()).collect();
        let own_update = |known: &Known<'_>| {
            migrate && known.is_root() && known.operation == Operation::Update && known.manager == manager
        };
        // Of entries that the API server takes for one, the last counts.
        let apply = known.iter().rev().find(|known| known.is_root_apply_of(manager));
        let mut holders = Holders::default();
        if let Some(apply) = apply.filter(|apply| apply.api_version == api_version) {
            holders.last = apply.set().unwrap_or_default().whole();
        }
        let update = known.iter().find(|known| own_update(known) && known.api_version == api_version);
        if let Some(update) = update {
            let applied = std::mem::take(&mut holders.last);
            holders.last = applied.union(update.set().unwrap_or_default().whole());
        }
        for known in known {
            // Paths of a version that is not served are dropped by the API server; these kinds have one version.
            let counts = known.api_version == api_version;
            if !counts || known.is_root_apply_of(manager) || own_update(known) {
                continue;
            }
            let same = |holder: &Holder<'_>| {
                holder.manager == known.manager
                    && holder.operation == known.operation
                    && holder.subresource == known.subresource
            };
            holders.others.retain(|holder| !same(holder));
            holders.others.push(Holder {
                manager: known.manager.clone(),
                operation: known.operation,
                subresource: known.subresource.clone(),
                set: known.set().unwrap_or_default().whole(),
            });
        }
        holders
    }

    /// The holders of an object that says nothing about its fields.
    pub(super) fn of_nobody(shape: Shape, live: &'a Value) -> Self {
        let everything = Holder {
            manager: BEFORE_FIRST_APPLY.into(),
            operation: Operation::Update,
            subresource: "".into(),
            set: prune::paths(shape, live).difference(&nobodys()),
        };
        Holders { last: Set::default(), others: vec![everything] }
    }
}

/// What the API server never writes into an entry (apimachinery `internal/stripmeta.go`).
fn nobodys() -> Set<'static> {
    let mut set = Set::default();
    for path in [["apiVersion"], ["kind"]] {
        set.insert(&path);
    }
    for field in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.insert(&["metadata", field]);
    }
    set
}
