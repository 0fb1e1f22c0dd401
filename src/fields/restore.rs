//! Taking a rewritten list back: each entry as it stood before, as far as nobody but us wrote since.
//!
//! What we changed is told by two lists: as it stood before, and as we planned it. Of that, an entry that stands as we left it
//! becomes what it was, byte for byte. When the owner itself wrote since, what moved to it is its own by its own write, and
//! nothing of the list is taken back. Everything else is somebody else's and stays his, whenever he wrote it; what nobody would
//! hold any more stays with the owner. Entries about subresources are not ours to restore: controllers write them all the time.

use super::entry::{Entry, Known, List};
use super::rewrite;
use super::set::Set;

/// The lists, and what of them is ours.
#[derive(Debug, Clone, Copy)]
pub struct Undoing<'w, 'a> {
    /// As it stood.
    pub before: &'w List<'a>,
    /// As we meant to leave it: where it differs from `before`, we changed it.
    pub planned: &'w List<'a>,
    /// As we left it, or `planned` where that is not known.
    pub left: &'w List<'a>,
    /// As it stands.
    pub now: &'w List<'a>,
    /// The manager of our own writes.
    pub manager: &'w str,
    /// Paths that our own writes move about; they do not tell one state from another.
    pub paths: &'w [&'w [&'w str]],
    /// Whether `left` is what was really stored, so that a changed time tells of a later write.
    pub exact: bool,
}

/// What becomes of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It stands as it shall: nothing to write.
    Keep,
    /// Replace it with this JSON text.
    Replace(String),
    /// The entry that we made was written since, by this manager: nothing can be taken back.
    Written(String),
}

/// The list as it stood before, and sentences about entries that stay as they are now.
pub fn restore(undoing: &Undoing<'_, '_>) -> (Restored, Vec<String>) {
    let mut kept = Vec::new();
    match undoing.rows(&mut kept) {
        Err(manager) => (Restored::Written(manager), Vec::new()),
        Ok(rows) if rows.is_empty() || same_rows(&rows, undoing.now) => (Restored::Keep, kept),
        Ok(rows) => (Restored::Replace(format!("[{}]", rows.join(","))), kept),
    }
}

/// An entry that we made or changed.
struct Ours<'e, 'a> {
    was: Option<&'e Entry<'a>>,
    stands: &'e Entry<'a>,
    known: &'e Known<'a>,
}

impl<'a> Undoing<'_, 'a> {
    /// The entries of the new list; none when there never was one.
    fn rows(&self, kept: &mut Vec<String>) -> Result<Vec<String>, String> {
        let mut rows = Vec::with_capacity(self.before.entries.len());
        let mut ours = Vec::new();
        for was in &self.before.entries {
            let Some(known) = self.restorable(was) else { continue };
            let changed = find(self.planned, known).is_some_and(|planned| !same(planned, was));
            match find(self.now, known).and_then(|entry| Some((entry, entry.known.as_ref()?))) {
                Some((stands, known)) if changed => ours.push(Ours { was: Some(was), stands, known }),
                Some((stands, known)) => rows.push(self.theirs(was, stands, known, kept)),
                // Still away, because we took it away; or somebody took it away that we left.
                None if find(self.left, known).is_none() => rows.push(was.raw.to_owned()),
                None => {}
            }
        }
        if rows.is_empty() && ours.is_empty() {
            return Ok(rows);
        }
        for stands in &self.now.entries {
            match self.restorable(stands) {
                None => rows.extend(self.rest(stands)),
                Some(known) if find(self.before, known).is_some() => {}
                Some(known) if find(self.planned, known).is_some() => {
                    ours.push(Ours { was: None, stands, known });
                }
                Some(_) => rows.push(stands.raw.to_owned()),
            }
        }
        let list = format!("[{}]", rows.join(","));
        let list = List::parse(&list).unwrap_or_default();
        let mut held: Vec<Set<'_>> = root_sets(&list.entries).collect();
        held.extend(ours.iter().flat_map(|ours| root_sets(ours.was)));
        let held = Set::union_all(held);
        for ours in &ours {
            rows.extend(self.taken_back(ours, &held, kept)?);
        }
        Ok(rows)
    }

    /// The entry of a manager whom we took it from, or never changed.
    fn theirs(&self, was: &Entry<'a>, stands: &Entry<'a>, now: &Known<'a>, kept: &mut Vec<String>) -> String {
        if self.says(now, was) {
            return was.raw.to_owned();
        }
        let taken = was.known.as_ref().filter(|was| find(self.planned, was).is_none());
        let Some(was) = taken else { return stands.raw.to_owned() };
        kept.push(format!("{} wrote since: it keeps what it holds now too", name(now)));
        both(was, now).unwrap_or_else(|| stands.raw.to_owned())
    }

    /// What becomes of an entry of ours, if anything does; `held` is what all others will hold. An error names the manager that
    /// wrote it since.
    fn taken_back(
        &self,
        ours: &Ours<'_, 'a>,
        held: &Set<'_>,
        kept: &mut Vec<String>,
    ) -> Result<Option<String>, String> {
        let Ours { was, stands, known: now } = *ours;
        if was.is_some_and(|was| self.says(now, was)) {
            return Ok(was.map(|was| was.raw.to_owned()));
        }
        let written = || now.manager.to_string();
        let made = find(self.left, now).and_then(|made| made.known.as_ref()).ok_or_else(written)?;
        let bare = |known| self.bare(known).unwrap_or_default();
        let orphans = bare(made).difference(held);
        let rest =
            was.and_then(|was| was.known.as_ref()).map(bare).unwrap_or_default().union(orphans.clone());
        let done = !orphans.is_empty() && bare(now) == rest;
        if (self.exact && made.time != now.time) || !(done || self.bare(made) == self.bare(now)) {
            return Err(written());
        }
        if orphans.is_empty() {
            return Ok(was.map(|was| was.raw.to_owned()));
        }
        let paths: Vec<String> = orphans.paths().into_iter().take(5).collect();
        kept.push(format!("{} keeps what nobody held before: {}", name(now), paths.join(", ")));
        if done {
            return Ok(Some(stands.raw.to_owned()));
        }
        let (stays, time) = (Set::union_all(root_sets(was).chain([orphans]).collect()), now.time.as_deref());
        let text = rewrite::write(&now.manager, now.operation, &now.api_version, time, stays.text());
        Ok(Some(text.to_string()))
    }

    fn restorable<'e>(&self, entry: &'e Entry<'a>) -> Option<&'e Known<'a>> {
        entry.known.as_ref().filter(|known| known.is_root() && !self.is_ours(known))
    }

    fn is_ours(&self, known: &Known<'_>) -> bool {
        known.is_root() && known.manager == self.manager
    }

    /// What is left of an entry that is not restored: all of it, or of ours what we do not take back.
    fn rest(&self, entry: &Entry<'_>) -> Option<String> {
        let Some(known) = entry.known.as_ref().filter(|known| self.is_ours(known)) else {
            return Some(entry.raw.to_owned());
        };
        match rewrite::without(known, self.paths) {
            None => Some(entry.raw.to_owned()),
            Some(set) if set.is_empty() => None,
            Some(set) => {
                let time = known.time.as_deref();
                let text =
                    rewrite::write(&known.manager, known.operation, &known.api_version, time, set.text());
                Some(text.to_string())
            }
        }
    }

    /// Whether an entry says what another one said, at whatever time.
    fn says(&self, known: &Known<'_>, other: &Entry<'_>) -> bool {
        let other = other.known.as_ref();
        other.is_some_and(|other| other.time == known.time && self.bare(other) == self.bare(known))
    }

    /// An entry's paths without ours; `None` for one that cannot be read, which is as good as nothing else.
    fn bare<'k>(&self, known: &Known<'k>) -> Option<Set<'k>> {
        rewrite::without(known, self.paths).or_else(|| known.set().ok())
    }
}

/// The entry of the same manager, operation and version about the object itself.
fn find<'l, 'a>(list: &'l List<'a>, wanted: &Known<'_>) -> Option<&'l Entry<'a>> {
    list.entries.iter().find(|entry| {
        entry.known.as_ref().is_some_and(|known| {
            known.is_root()
                && known.manager == wanted.manager
                && known.operation == wanted.operation
                && known.api_version == wanted.api_version
        })
    })
}

/// Whether two entries of one manager say the same at the same time, in whatever bytes.
fn same(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    one.raw == other.raw
        || one.known.as_ref().zip(other.known.as_ref()).is_some_and(|(one, other)| {
            one.time == other.time && one.set().is_ok_and(|set| other.set() == Ok(set))
        })
}

/// What the entries about the object itself hold.
fn root_sets<'e, 'a: 'e>(entries: impl IntoIterator<Item = &'e Entry<'a>>) -> impl Iterator<Item = Set<'a>> {
    let known = entries.into_iter().filter_map(|entry| entry.known.as_ref());
    known.filter(|known| known.is_root()).filter_map(|known| known.set().ok())
}

/// What an entry held and holds, since what leaves its last holder is never pruned again; `None` when it holds all of it, in whatever
/// bytes.
fn both(was: &Known<'_>, now: &Known<'_>) -> Option<String> {
    let set = Set::union_all([was, now].into_iter().filter_map(|known| known.set().ok()).collect());
    let (text, time) = (set.text(), now.time.as_deref());
    (!rewrite::says(now, &set, &text))
        .then(|| rewrite::write(&now.manager, now.operation, &now.api_version, time, text).to_string())
}

fn name(known: &Known<'_>) -> String {
    format!("{}/{}", known.manager, known.operation.as_str())
}

/// Whether the list holds these entries, in whatever order: the API server sorts them.
fn same_rows(rows: &[String], list: &List<'_>) -> bool {
    let mut new: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut stored: Vec<&str> = list.entries.iter().map(|entry| entry.raw).collect();
    new.sort_unstable();
    stored.sort_unstable();
    new == stored
}
