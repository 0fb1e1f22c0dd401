//! Taking a rewritten list back: each entry as it stood before, as far as nobody but us wrote since.
//!
//! Three lists are compared entry by entry: as it stood before, as we left it, as it stands now. An entry that stands as we
//! left it becomes what it was, byte for byte. One that somebody wrote since stays his. When the owner itself wrote since, what
//! moved to it is its own by its own write, and nothing of the list is taken back. Entries about subresources are not ours to
//! restore: controllers write them all the time.

use super::entry::{Entry, Known, List};
use super::rewrite;
use super::set::Set;

/// The lists, and what of them is ours.
#[derive(Debug, Clone, Copy)]
pub struct Undoing<'w, 'a> {
    /// As it stood.
    pub before: &'w List<'a>,
    /// As we left it, or as we would have left it.
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

impl<'a> Undoing<'_, 'a> {
    /// The entries of the new list; none when there never was one.
    fn rows(&self, kept: &mut Vec<String>) -> Result<Vec<String>, String> {
        let mut rows = Vec::with_capacity(self.before.entries.len());
        for entry in &self.before.entries {
            let Some(known) = self.restorable(entry) else { continue };
            rows.extend(self.fate(Some(entry), find(self.left, known), find(self.now, known), kept)?);
        }
        if rows.is_empty() {
            return Ok(rows);
        }
        for entry in &self.now.entries {
            match self.restorable(entry) {
                None => rows.extend(self.rest(entry)),
                Some(known) if find(self.before, known).is_none() => {
                    rows.extend(self.fate(None, find(self.left, known), Some(entry), kept)?);
                }
                Some(_) => {}
            }
        }
        Ok(rows)
    }

    /// What becomes of one manager's entry: as it was, as we made it, as it stands. An error names the owner that wrote since.
    fn fate(
        &self,
        was: Option<&Entry<'a>>,
        made: Option<&Entry<'a>>,
        stands: Option<&Entry<'a>>,
        kept: &mut Vec<String>,
    ) -> Result<Option<String>, String> {
        let text = |entry: Option<&Entry<'_>>| entry.map(|entry| entry.raw.to_owned());
        let Some((entry, now)) = stands.and_then(|entry| Some((entry, entry.known.as_ref()?))) else {
            // Still away, because we took it away; or somebody took it away that we left.
            return Ok(if made.is_none() { text(was) } else { None });
        };
        if self.as_left(now, made) || was.is_some_and(|was| self.says(now, was)) {
            return Ok(text(was));
        }
        match (was.and_then(|was| was.known.as_ref()), made) {
            (None, Some(_)) => Err(now.manager.to_string()),
            (Some(_), Some(made)) if was.is_some_and(|was| was.raw != made.raw) => {
                Err(now.manager.to_string())
            }
            (Some(was), None) => {
                kept.push(format!("{} wrote since: it keeps what it holds now too", name(now)));
                Ok(Some(both(was, now).unwrap_or_else(|| entry.raw.to_owned())))
            }
            _ => Ok(text(Some(entry))),
        }
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

    /// Whether an entry stands as we left it.
    fn as_left(&self, known: &Known<'_>, made: Option<&Entry<'_>>) -> bool {
        made.and_then(|made| made.known.as_ref()).is_some_and(|made| {
            (!self.exact || made.time == known.time) && self.bare(made) == self.bare(known)
        })
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
