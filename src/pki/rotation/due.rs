//! What has to be made: a coming authority, a coming leaf, or an entry in the list of what was.

use jiff::{SignedDuration, Timestamp};

use super::{Lifetimes, Seen, Step, signs};
use crate::pki::keeping::{Authority, Leaf};
use crate::pki::{Bundle, Keeping, later};

/// Replaced authorities that are remembered; each is trusted until it expires.
pub(super) const OLDEST: usize = 8;

/// What has to be made, if anything.
pub(super) fn making(lives: &Lifetimes, keeping: &Keeping, seen: &Seen<'_>, urgent: bool) -> Option<Step> {
    let now = seen.now;
    let Some(head) = keeping.next_authority.as_ref().or(keeping.authority.as_ref()) else {
        return Some(Step::NewAuthority("there is none yet".into()));
    };
    if let Some(why) = successor(lives, head, now) {
        return Some(Step::NewAuthority(why));
    }
    let current = keeping.leaf.as_ref();
    let ending = current.is_none_or(|leaf| tired(lives, leaf, now).is_some());
    // A coming authority that does not get trusted must not cost the leaf of the one that is.
    let covered = |authority: &Authority| seen.coverage.of(seen.at, &authority.certificate).is_some();
    // It has to live longer than what is in force, or it would be made again and again.
    let helps = |authority: &Authority| {
        let end = later(now, lives.leaf).min(authority.certificate.not_after);
        current.is_some_and(|leaf| end > leaf.certificate.not_after)
    };
    let fallback = keeping.authority.as_ref().filter(|authority| {
        urgent && signs(authority, now) && helps(authority) && covered(authority) && !covered(head)
    });
    let signer = fallback.unwrap_or(head).certificate.fingerprint();
    match &keeping.next_leaf {
        Some(next) if next.signer.fingerprint() == signer => {
            tired(lives, next, now).map(|why| Step::NewLeaf(signer, why))
        }
        // It is on its way, under the authority in force.
        Some(next) if fallback.is_none() && ending && tired(lives, next, now).is_none() => None,
        Some(_) => Some(Step::NewLeaf(signer, "the coming one is another authority's".into())),
        None if keeping.next_authority.is_some() => {
            Some(Step::NewLeaf(signer, "the coming authority has none".into()))
        }
        None => match current {
            None => Some(Step::NewLeaf(signer, "there is none".into())),
            Some(leaf) => tired(lives, leaf, now).map(|why| Step::NewLeaf(signer, why)),
        },
    }
}

/// Why an authority needs a successor.
fn successor(lives: &Lifetimes, authority: &Authority, now: Timestamp) -> Option<String> {
    let end = authority.certificate.not_after;
    if authority.key.is_none() {
        Some("the key of the old one is gone".into())
    } else if now >= end {
        Some(format!("the old one expired on {end}"))
    } else if now < authority.certificate.not_before {
        Some(format!("the old one is valid only from {} on", authority.certificate.not_before))
    } else {
        soon(end, lives.authority, now).then(|| format!("the old one expires on {end}"))
    }
}

/// Why a leaf needs to be renewed.
fn tired(lives: &Lifetimes, leaf: &Leaf, now: Timestamp) -> Option<String> {
    let (begin, end) = (leaf.certificate.not_before, leaf.certificate.not_after);
    let could_live_longer = later(now, lives.leaf).min(leaf.signer.not_after) > end;
    if now < begin {
        Some(format!("the old one is valid only from {begin} on"))
    } else {
        (soon(end, lives.leaf, now) && could_live_longer).then(|| format!("the old one expires on {end}"))
    }
}

/// Less than a third is left.
fn soon(end: Timestamp, life: SignedDuration, now: Timestamp) -> bool {
    end.duration_since(now) < life / 3
}

/// True when the list of replaced authorities is not what it should be.
pub(super) fn forgetful(keeping: &Keeping, entries: &[Bundle], now: Timestamp) -> bool {
    let flawed = keeping.flaws.iter().any(|flaw| flaw.key == "old-ca.crt");
    flawed
        || keeping.old.iter().any(|old| now >= old.not_after)
        || entries.iter().flat_map(Bundle::authorities).any(|live| {
            now < live.not_after
                && keeping.old.len() < OLDEST
                && keeping.authorities().all(|known| known.fingerprint() != live.fingerprint())
        })
}
