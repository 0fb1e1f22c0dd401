//! Which paths of a stored object are not as the policy wants them, and whose they are now. Pure.

use jiff::Timestamp;

use super::step::leftover;
use crate::fields::entry::{Known, List};
use crate::policy::change::{Changes, Edit, Map};
use crate::policy::object::Object;
use crate::policy::writer::STEWARD;

/// For a path that nobody holds: whoever removes a label leaves no name.
pub const NOBODY_KNOWN: &str = "somebody";
/// For a path whose repair was undone in the very request that brought it.
pub const UNDONE: &str = "another admission webhook";

/// One path that is not as the policy wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The path, as in `.metadata.labels.app.kubernetes.io/managed-by`.
    pub path: String,
    /// The field manager that holds it now, [`NOBODY_KNOWN`] or [`UNDONE`].
    pub by: String,
    /// Changes whenever somebody writes the path again.
    pub trace: String,
}

/// The paths of changes that are not the end of a repair of ours. `last` wrote the object last.
pub(super) fn by(changes: &Changes<'_>, object: &Object<'_>, last: Option<&Known<'_>>) -> Vec<Wanted> {
    let list = object.managed_fields.as_ref();
    let mut wanted: Vec<Wanted> = changes
        .edits
        .iter()
        .map(|edit| {
            let path = ["metadata", edit.map.name(), edit.key];
            let holder = list.and_then(|list| holder(list, &path));
            let found = match edit.map {
                Map::Labels => object.labels.get(edit.key),
                Map::Annotations => object.annotations.get(edit.key),
            };
            one(path_of(edit), holder, last, found)
        })
        .collect();
    for moved in &changes.moved {
        let entry = list.and_then(|list| {
            let known = list.entries.iter().filter_map(|entry| entry.known.as_ref());
            known.into_iter().find(|known| known.is_root() && known.manager == moved.manager)
        });
        wanted.push(one(path_of_moved(&moved.manager), entry, last, None));
    }
    let finishes = leftover(list).is_some();
    if wanted.is_empty() && changes.managed_fields.is_some() && !finishes {
        wanted.push(one(".metadata.managedFields".to_owned(), last, last, None));
    }
    wanted
}

/// The path that an edit changes, as the API server writes paths.
pub(super) fn path_of(edit: &Edit<'_>) -> String {
    format!(".metadata.{}.{}", edit.map.name(), edit.key)
}

/// The path for an entry that moves to the owner.
pub(super) fn path_of_moved(manager: &str) -> String {
    format!(".metadata.managedFields of {manager}")
}

fn one(path: String, holder: Option<&Known<'_>>, last: Option<&Known<'_>>, value: Option<&str>) -> Wanted {
    let by = holder.map_or(NOBODY_KNOWN, |known| &*known.manager).to_owned();
    let time = holder.or(last).and_then(|known| known.time.as_deref()).unwrap_or_default();
    Wanted { path, trace: format!("{by} {time} {}", value.unwrap_or_default()), by }
}

/// The root entries of others, each with its time; one without a time was brought back by a write just now.
fn others<'l, 'a>(list: &'l List<'a>) -> impl Iterator<Item = (Timestamp, &'l Known<'a>)> {
    list.entries.iter().filter_map(|entry| {
        let known = entry.known.as_ref().filter(|known| known.is_root() && known.manager != STEWARD)?;
        let time = known.time.as_deref().map_or(Some(Timestamp::MAX), |time| time.parse().ok())?;
        Some((time, known))
    })
}

pub(super) fn last_writer<'l, 'a>(list: Option<&'l List<'a>>) -> Option<&'l Known<'a>> {
    others(list?).max_by_key(|(time, _)| *time).map(|(_, known)| known)
}

fn holder<'l, 'a>(list: &'l List<'a>, path: &[&str]) -> Option<&'l Known<'a>> {
    others(list)
        .filter(|(_, known)| known.set().is_ok_and(|set| set.contains(path)))
        .max_by_key(|(time, _)| *time)
        .map(|(_, known)| known)
}
