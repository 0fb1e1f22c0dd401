//! Moving field ownership into the owner's one Apply entry.
//!
//! The order of decisions: gather what the owner shall hold (`gather`); take the stamps we put back from the
//! others; if nothing of that is new, keep; else put the owner's entry where the API server would sort it
//! (KEP-555: one Apply entry per manager). A list that then says what the stored one says *is* the stored one,
//! bytes, order and times, or a repeated no-op apply would write to etcd each time.
//!
//! Never an empty list: the API server would hand everything to `before-first-apply` at the next apply
//! (apimachinery `internal/skipnonapplied.go`). For the same reason a list that is absent or empty stays so.

use std::borrow::Cow;

use super::entry::{Known, List, Operation};
use super::gather::{Gathered, gather};
use super::order;
use super::pieces::Pieces;
use super::rewrite::{self, Rest, Stored};
use super::set::Set;

/// What the owner shall hold after the write.
#[derive(Clone, Copy)]
pub struct Wish<'w, 'a> {
    /// The owner's field manager, at most 128 characters.
    pub owner: &'a str,
    /// Managers whose root entries move to the owner. Not asked about the owner itself.
    pub absorb: &'w dyn Fn(&str) -> bool,
    /// `fields: Transfer`: absorbed entries and the owner's own Update entries are merged into its Apply entry.
    /// `false` (`fields: Stamp`): only `own` and `disown` apply.
    pub merge: bool,
    /// `apiVersion` of the object under review.
    pub api_version: &'a str,
    /// Paths the owner must hold, each as field names from the root (the stamps).
    pub own: &'a [&'a [&'a str]],
    /// Paths no other root entry may go on holding: stamps whose value we have just put back.
    pub disown: &'w [&'w [&'w str]],
    /// Time for an entry that has none to inherit.
    pub now: jiff::Timestamp,
}

/// What becomes of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer<'a> {
    /// The list is already as wished: send nothing.
    Keep,
    /// Replace the list with this JSON text.
    Replace {
        /// The whole new list.
        list: Pieces<'a>,
        /// What moved, one item for each entry that was merged.
        moved: Vec<Moved>,
    },
}

/// One entry that was merged into the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The manager it belonged to.
    pub manager: String,
    /// Its operation.
    pub operation: Operation,
    /// How many paths it held.
    pub paths: usize,
}

/// The result of one transfer, with what could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// What to do with the list.
    pub transfer: Transfer<'a>,
    /// Absorbed or owned entries that were left as they are, each in one short sentence (≤ 100 characters).
    pub left: Vec<String>,
}

/// Computes the list that gives the owner what `wish` says.
pub fn transfer<'a>(list: &List<'a>, old: Option<&List<'a>>, wish: &Wish<'_, 'a>) -> Outcome<'a> {
    let mut left = Vec::new();
    let transfer = rewritten(list, old, wish, &mut left)
        .map_or(Transfer::Keep, |(list, moved)| Transfer::Replace { list, moved });
    Outcome { transfer, left }
}

/// The new list, if there has to be one.
fn rewritten<'s, 'a: 's>(
    list: &'s List<'a>,
    old: Option<&'s List<'a>>,
    wish: &Wish<'_, 'a>,
    left: &mut Vec<String>,
) -> Option<(Pieces<'a>, Vec<Moved>)> {
    if list.entries.is_empty() {
        return None;
    }
    let gathered = gather(list, wish, left)?;
    let mut changed = !gathered.is_settled();
    let mut rows: Vec<Row<'s, 'a>> = Vec::with_capacity(list.entries.len() + 1);
    let mut back: Vec<(order::Key<'s>, Row<'s, 'a>)> = Vec::new();
    let mut stored = old.filter(|_| !wish.disown.is_empty()).map(Stored::of);
    for (place, entry) in list.entries.iter().enumerate() {
        if gathered.takes(place) {
            continue;
        }
        let known = entry.known.as_ref();
        match rewrite::disown(entry, stored.as_mut(), wish) {
            Rest::Same => {
                rows.push(Row { text: entry.raw.into(), place, known });
                continue;
            }
            Rest::Gone => {}
            Rest::Less(text) => rows.push(Row { text, place, known }),
            Rest::Back(stored, known) => {
                let row = Row { text: stored.raw.into(), place, known: Some(known) };
                back.push((order::key(known), row));
            }
        }
        changed = true;
    }
    if !changed {
        return None;
    }
    let mut rows = put_back(rows, back);
    if !gathered.set.is_empty() {
        add_owner(&mut rows, &gathered, list, old, wish);
    }
    if rows.is_empty() {
        return None;
    }
    let new = match old {
        Some(old) if same_entries(&rows, old) => old.raw.into(),
        _ => rewrite::join(rows.into_iter().map(|row| row.text)),
    };
    (new != *list.raw).then_some((new, gathered.moved))
}

/// The list for an object whose last owned field went with this write, so that the API server left no list:
/// the owner's entry with the paths of `wish.own`, which we have just put back.
pub fn restart<'a>(old: &List<'a>, wish: &Wish<'_, 'a>) -> Pieces<'a> {
    let mut set = Set::default();
    for path in wish.own {
        set.insert(path);
    }
    let fields = set.text();
    let stored = rewrite::single(old, |known| known.is_root_apply_of(wish.owner));
    let entry = if let Some((entry, _)) = stored.filter(|(_, known)| rewrite::says(known, &set, &fields)) {
        entry.raw.into()
    } else {
        let time = order::stamp(wish.now);
        rewrite::write(wish.owner, Operation::Apply, wish.api_version, Some(&time), fields)
    };
    rewrite::join([entry].into_iter())
}

/// One entry of the new list.
struct Row<'s, 'a> {
    text: Pieces<'a>,
    /// Where it, or what it was made of, stood in the list under review.
    place: usize,
    known: Option<&'s Known<'a>>,
}

/// Puts entries back, each before the first understood one that comes after it.
fn put_back<'s, 'a>(
    rows: Vec<Row<'s, 'a>>,
    mut back: Vec<(order::Key<'s>, Row<'s, 'a>)>,
) -> Vec<Row<'s, 'a>> {
    if back.is_empty() {
        return rows;
    }
    back.sort_by_key(|(key, _)| *key);
    let mut all = Vec::with_capacity(rows.len() + back.len() + 1);
    let mut back = back.into_iter().peekable();
    for row in rows {
        let key = row.known.map(order::key);
        while let Some((_, earlier)) = back.next_if(|(own, _)| key.is_some_and(|key| *own < key)) {
            all.push(earlier);
        }
        all.push(row);
    }
    all.extend(back.map(|(_, row)| row));
    all
}

/// Puts the owner's entry in its place.
fn add_owner<'s, 'a: 's>(
    rows: &mut Vec<Row<'s, 'a>>,
    gathered: &Gathered<'s, 'a>,
    list: &'s List<'a>,
    old: Option<&'s List<'a>>,
    wish: &Wish<'_, 'a>,
) {
    let count = gathered.set.len();
    let fields = gathered.set.text();
    let stored = old.and_then(|old| rewrite::single(old, |known| known.is_root_apply_of(wish.owner)));
    let stored = stored.filter(|(_, known)| {
        known.api_version == wish.api_version && rewrite::says(known, &gathered.set, &fields)
    });
    // Each of the owner's entries is part of the union, so as many paths means the same paths.
    let current = gathered.owned.iter().find(|(_, paths)| *paths == count);
    let current = current.and_then(|(place, _)| list.entries.get(*place));
    let owned = gathered.owned.first().and_then(|(place, _)| list.entries.get(*place)?.known.as_ref());

    let mut known = Known {
        manager: Cow::Borrowed(wish.owner),
        operation: Operation::Apply,
        api_version: Cow::Borrowed(wish.api_version),
        time: None,
        fields: "",
        subresource: Cow::Borrowed(""),
    };
    let text = if let Some((entry, stored)) = stored {
        known.time.clone_from(&stored.time);
        entry.raw.into()
    } else if let Some(entry) = current {
        known.time = entry.known.as_ref().and_then(|known| known.time.clone());
        entry.raw.into()
    } else {
        let own = owned.and_then(|known| known.time.as_deref());
        let time = rewrite::time(gathered.newest, own, wish);
        let text = rewrite::write(wish.owner, Operation::Apply, wish.api_version, Some(&time), fields);
        known.time = Some(time);
        text
    };
    // In Stamp mode duplicates of the owner's entry stay, and ours must stay the last of them.
    let twin = |row: &Row<'_, '_>| row.known.is_some_and(|known| known.is_root_apply_of(wish.owner));
    let stays = gathered.owned.first().filter(|_| rows.iter().any(twin));
    let at = match stays {
        Some((place, _)) => rows.iter().take_while(|row| row.place < *place).count(),
        None => order::place(&known, rows.iter().map(|row| row.known)),
    };
    rows.insert(at.min(rows.len()), Row { text, place: 0, known: None });
}

/// Whether the stored list has the same entries, in whatever order.
fn same_entries(rows: &[Row<'_, '_>], old: &List<'_>) -> bool {
    let length: usize = rows.iter().map(|row| row.text.len()).sum();
    let stored: usize = old.entries.iter().map(|entry| entry.raw.len()).sum();
    if rows.len() != old.entries.len() || length != stored {
        return false;
    }
    if rows.iter().zip(&old.entries).all(|(row, entry)| row.text == *entry.raw) {
        return true;
    }
    let mut new: Vec<_> = rows.iter().map(|row| row.text.whole()).collect();
    let mut stored: Vec<_> = old.entries.iter().map(|entry| Cow::Borrowed(entry.raw)).collect();
    new.sort_unstable();
    stored.sort_unstable();
    new == stored
}
