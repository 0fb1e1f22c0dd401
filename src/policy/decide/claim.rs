//! Whom the stamps on a target name: nobody, our release, or another one.

use super::{Case, Outcome, Reason, Told, leave};
use crate::policy::change::{RELEASE_NAME, RELEASE_NAMESPACE};
use crate::policy::object::Object;
use crate::policy::rules::Release;

/// Whom an object's stamps name.
pub(super) enum Claim {
    Nobody,
    Ours,
    Theirs(String),
}

impl Claim {
    pub(super) fn of(object: &Object<'_>, ours: &Release) -> Self {
        let name = object.annotations.get(RELEASE_NAME);
        let namespace = object.annotations.get(RELEASE_NAMESPACE);
        match (name, namespace) {
            (None, None) => Self::Nobody,
            (Some(name), Some(namespace)) if name == ours.name && namespace == ours.namespace => Self::Ours,
            // Half a claim that does not contradict ours is a claim of nobody: it is completed.
            (Some(name), None) if name == ours.name => Self::Nobody,
            (None, Some(namespace)) if namespace == ours.namespace => Self::Nobody,
            (name, namespace) => {
                Self::Theirs(format!("{}/{}", namespace.unwrap_or("?"), name.unwrap_or("?")))
            }
        }
    }
}

impl<'a> Case<'_, 'a> {
    /// A target that is stamped for another release is left, unless this write is what overwrote our own stamps.
    pub(super) fn claimed_by_another(&self, told: &mut Told) -> Option<Outcome<'a>> {
        let ours = self.policy.owner.release.as_ref()?;
        let claim = Claim::of(self.subject.object, ours);
        let before = self.subject.old.map_or(Claim::Nobody, |old| Claim::of(old, ours));
        let theirs = match (before, claim) {
            (Claim::Ours, _) | (_, Claim::Ours) | (Claim::Nobody, Claim::Nobody) => return None,
            (_, Claim::Theirs(name)) | (Claim::Theirs(name), Claim::Nobody) => name,
        };
        let message = format!("{} belongs to release {theirs}, the policy's is {ours}", self.subject.target);
        told.warn(format!("left alone: {message}"));
        Some(leave(Reason::OtherRelease, message))
    }
}
