//! What Adopt and `clusterApi` change on a target, one kind of change after the other.

use std::borrow::Cow;

use super::{Case, Outcome, Reason, Told, leave, value_of};
use crate::fields::transfer::{self, Transfer, Wish};
use crate::policy::change::{
    Changes, Edit, HELM, INSTALLED_BY, INSTALLED_BY_PATH, MANAGED_BY, Map, PREVENT_DELETION, RELEASE_NAME,
    RELEASE_NAMESPACE, STAMP_PATHS, Why,
};
use crate::policy::rules::{ClusterApi, EKS, Fields, ManagedAddon};
use crate::policy::writer::{STEWARD, Writer};
use crate::policy::{pattern, provenance};

/// Most bytes of annotations an object may carry (apimachinery `TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

impl<'a> Case<'_, 'a> {
    /// Adds the stamps that are missing or wrong; returns the paths whose value had been overwritten.
    pub(super) fn stamps(&self, changes: &mut Changes<'a>, told: &mut Told) -> Vec<&'static [&'static str]> {
        let mut overwritten = Vec::new();
        let Some(release) = self.policy.owner.release.as_ref().filter(|_| self.subject.target.kind.stamped())
        else {
            return overwritten;
        };
        let wanted = [
            (Map::Labels, MANAGED_BY, HELM),
            (Map::Annotations, RELEASE_NAME, release.name.as_str()),
            (Map::Annotations, RELEASE_NAMESPACE, release.namespace.as_str()),
        ];
        for ((map, key, value), path) in wanted.into_iter().zip(STAMP_PATHS) {
            let found = value_of(self.subject.object, map, key);
            if found == Some(value) {
                continue;
            }
            let before = self.subject.old.and_then(|old| value_of(old, map, key));
            let why = if before == Some(value) { Why::PutBack } else { Why::Stamp };
            if found.is_some() {
                overwritten.push(path);
            }
            if why == Why::PutBack && self.writer != Writer::Eks {
                told.warn(format!("{key} was put back to {value:?}: release {release} owns this object"));
            }
            changes.edits.push(Edit { map, key, value: Some(value.into()), why });
        }
        overwritten
    }

    /// Adds the provenance, or puts it back; a path that had been overwritten joins `overwritten`.
    pub(super) fn provenance(
        &self,
        changes: &mut Changes<'a>,
        overwritten: &mut Vec<&'static [&'static str]>,
    ) {
        if !self.subject.target.kind.stamped() {
            return;
        }
        let found = self.subject.object.labels.get(INSTALLED_BY);
        let before = self.subject.old.and_then(|old| old.labels.get(INSTALLED_BY));
        let (value, why) = match (before, found) {
            (Some(before), Some(found)) if before == found => return,
            (Some(before), found) => {
                if found.is_some() {
                    overwritten.push(INSTALLED_BY_PATH);
                }
                (Cow::Borrowed(before), Why::PutBack)
            }
            (None, Some(_)) => return,
            (None, None) => {
                let word = match self.subject.old {
                    None => provenance::of_create(self.subject.object, self.subject.username, self.manager),
                    Some(old) => provenance::of_existing(self.subject.target.kind, old, self.old_list),
                };
                (Cow::Borrowed(word), Why::Provenance)
            }
        };
        changes.edits.push(Edit { map: Map::Labels, key: INSTALLED_BY, value: Some(value), why });
    }

    pub(super) fn cluster_api(&self, changes: &mut Changes<'a>) {
        if !self.subject.target.kind.core_four() {
            return;
        }
        let object = self.subject.object;
        let protected = object.labels.get(PREVENT_DELETION).is_some();
        let mut edit = |key, value: Option<&'static str>, why| {
            changes.edits.push(Edit { map: Map::Labels, key, value: value.map(Cow::Borrowed), why });
        };
        match self.policy.cluster_api {
            ClusterApi::Protect if !protected => edit(PREVENT_DELETION, Some("true"), Why::Protect),
            ClusterApi::Protect | ClusterApi::Leave => {}
            ClusterApi::Release => {
                if protected {
                    edit(PREVENT_DELETION, None, Why::Release);
                }
                let unclaimed = object.annotations.get(RELEASE_NAME).is_none();
                if unclaimed && object.labels.get(MANAGED_BY) == Some(HELM) && self.eks_wrote() {
                    edit(MANAGED_BY, Some(EKS), Why::Release);
                }
            }
        }
    }

    fn eks_wrote(&self) -> bool {
        matches!(self.writer, Writer::Eks | Writer::EksAddon)
            || self.subject.object.labels.get(INSTALLED_BY) == Some(EKS)
            || self.list.is_some_and(|list| {
                list.entries.iter().filter_map(|entry| entry.known.as_ref()).any(|known| known.manager == EKS)
            })
    }

    pub(super) fn annotations_full(&self, changes: &Changes<'_>, told: &mut Told) -> Option<Outcome<'a>> {
        let added: usize = changes
            .edits
            .iter()
            .filter(|edit| edit.map == Map::Annotations)
            .map(|edit| {
                let found = value_of(self.subject.object, edit.map, edit.key);
                let new = edit.value.as_ref().map_or(0, |value| value.len());
                match found {
                    Some(found) => new.saturating_sub(found.len()),
                    None => edit.key.len() + new,
                }
            })
            .sum();
        if added == 0 || self.subject.object.annotations.size + added <= MAX_ANNOTATIONS {
            return None;
        }
        told.warn("left alone: the annotations would exceed the API server's limit of 256 KiB");
        let message = format!("{} has no room for {added} more bytes of annotations", self.subject.target);
        Some(leave(Reason::AnnotationsFull, message))
    }

    /// Moves field ownership as `fields`, `absorb` and `managedAddon` say.
    pub(super) fn fields(&self, changes: &mut Changes<'a>, overwritten: &[&[&str]], told: &mut Told) {
        let stamped = self.policy.owner.release.is_some() && self.subject.target.kind.stamped();
        let merge = self.policy.fields == Fields::Transfer;
        if !merge && !stamped && overwritten.is_empty() {
            return;
        }
        // In a stored object the managed add-on's entry looks like the bootstrap's, so `eks` moves only in its own write.
        let eks_may_move = self.policy.managed_addon == ManagedAddon::Absent || self.manager == EKS;
        // Our own entry marks a repair as half done; in the owner's hands, Helm would prune the labels that no chart renders.
        let absorb = |manager: &str| {
            manager != STEWARD
                && (manager != EKS || eks_may_move)
                && pattern::any(&self.policy.absorb, manager)
        };
        let own: &[&[&str]] = if stamped { &STAMP_PATHS } else { &[] };
        let wish = Wish {
            owner: &self.policy.owner.manager,
            absorb: &absorb,
            merge,
            api_version: &self.subject.object.api_version,
            own,
            disown: overwritten,
            now: self.now,
        };
        let Some(list) = self.list.filter(|list| !list.entries.is_empty()) else {
            let put_back = changes.edits.iter().any(|edit| edit.why == Why::PutBack);
            if let Some(old) = self.old_list.filter(|_| put_back && stamped) {
                changes.managed_fields = Some(transfer::restart(old, &wish));
            }
            return;
        };
        let outcome = transfer::transfer(list, self.old_list, &wish);
        for sentence in outcome.left {
            told.warn(sentence);
        }
        if let Transfer::Replace { list, moved } = outcome.transfer {
            changes.managed_fields = Some(list);
            changes.moved = moved;
        }
    }
}
