//! Which entries come together in the owner's one Apply entry, and what it then holds.
//!
//! As client-go `util/csaupgrade` does for `kubectl`, but from any manager and from both operations, and an entry
//! of another `apiVersion` is never dropped: its paths may have other names there. The union comes before
//! anything is taken away, for a path that leaves its last holder is never pruned again.

use super::entry::{Known, List, Operation};
use super::order;
use super::room::Room;
use super::set::Set;
use super::transfer::{Moved, Wish};

/// The owner's paths and where they came from. Places are indices into the list.
#[derive(Default)]
pub(super) struct Gathered<'s, 'a> {
    /// What the owner shall hold.
    pub(super) set: Set<'a>,
    /// The owner's Apply entries that stand in for `set`, each with the number of its paths.
    pub(super) owned: Vec<(usize, usize)>,
    /// Which entries give way to the owner's, place by place.
    taken: Vec<bool>,
    /// Entries of others that are in `set` now.
    pub(super) moved: Vec<Moved>,
    /// Text of an owner's set that is canonical.
    twin: Option<&'a str>,
    /// The newest time among `moved`.
    pub(super) newest: Option<&'s str>,
}

impl Gathered<'_, '_> {
    /// Whether the owner has one entry and it says all this already.
    pub(super) fn is_settled(&self) -> bool {
        let count = self.set.len();
        self.moved.is_empty()
            && match self.owned.as_slice() {
                [] => count == 0,
                [(_, paths)] => *paths == count,
                _ => false,
            }
    }

    /// Whether the entry at `place` gives way to the owner's.
    pub(super) fn takes(&self, place: usize) -> bool {
        self.taken.get(place).copied().unwrap_or_default()
    }

    fn take(&mut self, place: usize) {
        if let Some(taken) = self.taken.get_mut(place) {
            *taken = true;
        }
    }
}

/// Collects the owner's paths. `None`: the owner's entry cannot be extended safely, so nothing may move.
pub(super) fn gather<'s, 'a: 's>(
    list: &'s List<'a>,
    wish: &Wish<'_, 'a>,
    left: &mut Vec<String>,
) -> Option<Gathered<'s, 'a>> {
    let mut gathered = Gathered { taken: vec![false; list.entries.len()], ..Gathered::default() };
    let mut room = Room::default();
    let mut sets = own_entries(list, wish, &mut gathered, &mut room, left)?;
    if wish.merge {
        absorb(list, wish, &mut gathered, &mut sets, &mut room, left);
    }
    gathered.set = Set::union_all(sets);
    for path in wish.own {
        gathered.set.insert(path);
    }
    // A set of nothing must not become an entry, not even in place of other empty ones.
    if gathered.set.is_empty() {
        return Some(Gathered::default());
    }
    Some(gathered)
}

/// The owner's own Apply entries: all of them, or in Stamp mode the last, which is the one that the API server
/// keeps when it decodes duplicates into a map.
fn own_entries<'s, 'a: 's>(
    list: &'s List<'a>,
    wish: &Wish<'_, 'a>,
    gathered: &mut Gathered<'s, 'a>,
    room: &mut Room,
    left: &mut Vec<String>,
) -> Option<Vec<Set<'a>>> {
    let mut sets = Vec::new();
    for (place, known) in list.known().rev() {
        if !known.is_root_apply_of(wish.owner) || (!wish.merge && !gathered.owned.is_empty()) {
            continue;
        }
        if known.api_version != wish.api_version {
            left.push(format!(
                "nothing moves: {} has paths of {}",
                name(known),
                short(&known.api_version, 30)
            ));
            return None;
        }
        let Ok((set, canonical)) = Set::parse_beside(known.fields, None, room) else {
            left.push(format!("nothing moves: the paths of {} cannot be read", name(known)));
            return None;
        };
        gathered.twin = gathered.twin.or(canonical.then_some(known.fields));
        gathered.owned.push((place, set.len()));
        gathered.take(place);
        sets.push(set);
    }
    Some(sets)
}

fn absorb<'s, 'a: 's>(
    list: &'s List<'a>,
    wish: &Wish<'_, 'a>,
    gathered: &mut Gathered<'s, 'a>,
    sets: &mut Vec<Set<'a>>,
    room: &mut Room,
    left: &mut Vec<String>,
) {
    for (place, known) in list.known() {
        let mine = known.manager == wish.owner;
        if !known.is_root()
            || (mine && known.operation == Operation::Apply)
            || !(mine || (wish.absorb)(&known.manager))
        {
            continue;
        }
        if known.api_version != wish.api_version {
            left.push(format!("{} stays: it has paths of {}", name(known), short(&known.api_version, 30)));
            continue;
        }
        let Ok((set, _)) = Set::parse_beside(known.fields, gathered.twin, room) else {
            left.push(format!("{} stays: its paths cannot be read", name(known)));
            continue;
        };
        gathered.take(place);
        gathered.moved.push(Moved {
            manager: known.manager.to_string(),
            operation: known.operation,
            paths: set.len(),
        });
        gathered.newest = order::later(gathered.newest, known.time.as_deref());
        sets.push(set);
    }
}

/// An entry's name in a sentence for a warning header: short, one line, printable.
fn name(known: &Known<'_>) -> String {
    format!("{} {}", short(&known.manager, 36), known.operation.as_str())
}

fn short(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= most {
        return text.chars().map(clean).collect();
    }
    text.chars().take(most.saturating_sub(1)).map(clean).chain(['…']).collect()
}
