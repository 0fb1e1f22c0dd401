//! Who is writing, from what a review tells.
//!
//! The username is a strong hint, the field manager a weak one (any client may send `fieldManager=eks`); neither is
//! proof. A review carries no field manager when the client sent none; the API server then named one after the
//! User-Agent, and the entry that this write changed tells it (apiserver `handlers/create.go`).

use std::collections::BTreeSet;

use super::object::Object;
use super::rules::{ADDON_MANAGER, EKS, Policy};
use crate::fields::entry::{Known, List, Operation};

/// Our own field manager.
pub const STEWARD: &str = "cni-steward";

/// The words of DESIGN §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer<'a> {
    /// Field manager `eks`, but not the managed add-on.
    Eks,
    /// Username `eks:addon-manager`.
    EksAddon,
    /// The policy's field manager.
    Owner,
    /// Ourselves.
    Steward,
    /// Anybody else, by field manager.
    Other(&'a str),
}

impl<'a> Writer<'a> {
    /// Tells the writer from username and field manager.
    pub fn tell(username: &str, manager: &'a str, policy: &Policy) -> Self {
        if username == ADDON_MANAGER {
            Self::EksAddon
        } else if manager == EKS {
            Self::Eks
        } else if manager == policy.owner.manager {
            Self::Owner
        } else if manager == STEWARD {
            Self::Steward
        } else {
            Self::Other(manager)
        }
    }
}

/// The manager of the root entry that this write made or touched; `""` when there is none. `stored` is the object before,
/// `None` on CREATE.
///
/// The API server gives the writer's entry a new time (or none, when a no-op apply brought it back); an entry that only
/// lost paths to the writer keeps its own. One that is older than what is stored came with the write: clients may send
/// entries (Velero restores those of its backup). So several managers are the doing of a client or of another webhook: then
/// it is `eks` if an entry of its is one of them, else `""`. `eks` alone moves in its own write only, and a second look must
/// find it too, when what was new beside it has been merged into an entry that is as it is stored.
pub fn infer<'a>(list: Option<&'a List<'_>>, stored: Option<&Object<'_>>) -> &'a str {
    let old = || roots(stored.and_then(|stored| stored.managed_fields.as_ref()));
    let before: BTreeSet<_> = old().map(stamp).collect();
    let newest = old().filter_map(|known| known.time.as_deref()).max();
    let came_along = |known: &Known<'_>| known.time.is_some() && known.time.as_deref() < newest;
    let new = roots(list).filter(|known| !before.contains(&stamp(known)) && !came_along(known));
    let managers: BTreeSet<&str> = new.map(|known| &*known.manager).collect();
    match managers.first() {
        Some(only) if managers.len() == 1 => only,
        // What a CREATE brings has no newest beside it.
        _ => managers.get(EKS).filter(|_| stored.is_some()).copied().unwrap_or_default(),
    }
}

fn roots<'l, 'a>(list: Option<&'l List<'a>>) -> impl Iterator<Item = &'l Known<'a>> {
    let entries = list.into_iter().flat_map(|list| &list.entries);
    entries.filter_map(|entry| entry.known.as_ref()).filter(|known| known.is_root())
}

/// Who wrote an entry, how and when.
fn stamp<'k>(known: &'k Known<'_>) -> (&'k str, Operation, Option<&'k str>) {
    (&known.manager, known.operation, known.time.as_deref())
}
