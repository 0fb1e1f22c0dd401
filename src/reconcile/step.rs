//! One write of a repair, as a JSON patch that fails when somebody else wrote in between. Pure.

use super::wanted::{path_of, path_of_moved};
use crate::admission::patch;
use crate::cluster::Patch;
use crate::fields::entry::List;
use crate::fields::withdraw;
use crate::policy::change::{
    ALLOW_UNTIL, Changes, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, PREVENT_DELETION, RELEASE_NAME,
    RELEASE_NAMESPACE,
};
use crate::policy::object::Object;
use crate::policy::writer::STEWARD;

/// What a repair can make ours in the API server's books, and nothing else.
pub(crate) const OURS: &[&[&str]] = &[
    &["metadata", "labels"],
    &["metadata", "annotations"],
    &["metadata", "labels", MANAGED_BY],
    &["metadata", "labels", INSTALLED_BY],
    &["metadata", "labels", PREVENT_DELETION],
    &["metadata", "annotations", RELEASE_NAME],
    &["metadata", "annotations", RELEASE_NAMESPACE],
    &["metadata", "annotations", MANAGED_ADDON],
    &["metadata", "annotations", ALLOW_UNTIL],
];

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The JSON patch.
    pub patch: String,
    /// The paths that it repairs; none when it ends a repair.
    pub paths: Vec<String>,
    /// Another write has to follow.
    pub first: bool,
}

impl Step {
    /// The next write that brings these changes about, if one is needed.
    pub(crate) fn of(mut changes: Changes<'_>, object: &Object<'_>, version: &str) -> Option<Self> {
        let mut paths: Vec<String> = changes.edits.iter().map(path_of).collect();
        paths.extend(changes.moved.iter().map(|moved| path_of_moved(&moved.manager)));
        let first = !changes.edits.is_empty();
        if !first {
            changes.managed_fields = tidied(&changes, object).map(Into::into).or(changes.managed_fields);
        }
        if changes.is_empty() {
            return None;
        }
        let patch = patch::write(changes, object);
        let patch = patch.whole();
        let rest = patch.strip_prefix('[')?;
        let lock = Patch::at(version);
        let comma = if rest.starts_with(']') { "" } else { "," };
        Some(Self { patch: format!("[{lock}{comma}{rest}"), paths, first })
    }
}

/// The list as the last write leaves it, where that is not as the changes or the object have it.
pub(crate) fn tidied(changes: &Changes<'_>, object: &Object<'_>) -> Option<String> {
    match &changes.managed_fields {
        Some(text) => leftover(List::parse(&text.whole()).as_ref()),
        None => leftover(object.managed_fields.as_ref()),
    }
}

/// The list without what the API server recorded as ours for a repair, if it did.
pub(super) fn leftover(list: Option<&List<'_>>) -> Option<String> {
    withdraw(list?, STEWARD, OURS)
}
