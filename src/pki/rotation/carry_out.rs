//! A step made into the texts to write. Keys come from the system's random numbers; all else from the arguments.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rcgen::Error;

use super::due::OLDEST;
use super::{Lifetimes, Step};
use crate::pki::keeping::{Authority, Leaf, Texts};
use crate::pki::{Bundle, Certificate, Keeping, Name, Pair, authority, leaf};

/// Key of the Secret → its new text, or `None` to remove it.
pub type Changes = BTreeMap<&'static str, Option<String>>;

/// What a step is made of, beside what is in the Secret.
#[derive(Debug, Clone, Copy)]
pub struct Materials<'a> {
    /// How long things live.
    pub lives: &'a Lifetimes,
    /// What this replica remembers.
    pub memory: Option<&'a Keeping>,
    /// What each entry of ours holds.
    pub entries: &'a [Bundle],
    /// What leaves are for.
    pub names: &'a [Name],
    /// The time by the API server.
    pub now: Timestamp,
    /// The time by our own clock.
    pub own: Timestamp,
}

/// What `step` writes.
pub fn carry_out(step: &Step, keeping: &Keeping, materials: &Materials<'_>) -> Result<Changes, Error> {
    let Materials { lives, memory, entries, names, now, own } = *materials;
    let mut changes = Changes::new();
    match step {
        Step::Restore => {
            let empty = Keeping::default();
            let memory = memory.unwrap_or(&empty);
            put_authority(&mut changes, ["ca.crt", "ca.key"], memory.authority.as_ref());
            put_leaf(&mut changes, ["tls.crt", "tls.key"], memory.leaf.as_ref());
            if keeping.next_authority.is_none() && keeping.next_leaf.is_none() {
                put_authority(&mut changes, NEXT_AUTHORITY, memory.next_authority.as_ref());
                put_leaf(&mut changes, NEXT_LEAF, memory.next_leaf.as_ref());
            }
        }
        Step::NewAuthority(_) => {
            let ca = authority::make_for(now, lives.authority)?;
            let pair = leaf::make_for(now, &ca, names, lives.leaf)?;
            put(&mut changes, NEXT_AUTHORITY, Some(&ca.cert), Some(&ca.key));
            put(&mut changes, NEXT_LEAF, Some(&pair.cert), Some(&pair.key));
        }
        Step::NewLeaf(signer, _) => {
            let signer = [&keeping.next_authority, &keeping.authority]
                .into_iter()
                .flatten()
                .find(|authority| authority.certificate.fingerprint() == *signer)
                .ok_or(Error::CouldNotParseCertificate)?;
            let key = signer.key.clone().ok_or(Error::CouldNotParseKeyPair)?;
            let signer = Pair { cert: signer.certificate.pem(), key };
            let pair = leaf::make_for(now, &signer, names, lives.leaf)?;
            put(&mut changes, NEXT_LEAF, Some(&pair.cert), Some(&pair.key));
        }
        Step::Promote { .. } => {
            let next = keeping.next_leaf.as_ref().ok_or(Error::CouldNotParseCertificate)?;
            let under_the_coming = keeping
                .next_authority
                .as_ref()
                .filter(|authority| authority.certificate.fingerprint() == next.signer.fingerprint());
            if let Some(authority) = under_the_coming {
                put_authority(&mut changes, ["ca.crt", "ca.key"], Some(authority));
                put_authority(&mut changes, NEXT_AUTHORITY, None);
            }
            put_leaf(&mut changes, ["tls.crt", "tls.key"], Some(next));
            put_leaf(&mut changes, NEXT_LEAF, None);
        }
        Step::Remember => {}
    }
    remember(&mut changes, keeping, memory, entries, now.min(own));
    Ok(changes)
}

const NEXT_AUTHORITY: [&str; 2] = ["next-ca.crt", "next-ca.key"];
const NEXT_LEAF: [&str; 2] = ["next-tls.crt", "next-tls.key"];

fn put(changes: &mut Changes, [cert, key]: [&'static str; 2], text: Option<&str>, secret: Option<&str>) {
    changes.insert(cert, text.map(ToOwned::to_owned));
    changes.insert(key, secret.map(ToOwned::to_owned));
}

fn put_authority(changes: &mut Changes, keys: [&'static str; 2], authority: Option<&Authority>) {
    let text = authority.map(|authority| authority.certificate.pem());
    put(changes, keys, text.as_deref(), authority.and_then(|authority| authority.key.as_deref()));
}

fn put_leaf(changes: &mut Changes, keys: [&'static str; 2], leaf: Option<&Leaf>) {
    let pair = leaf.map(|leaf| &leaf.pair);
    put(changes, keys, pair.map(|pair| &*pair.cert), pair.map(|pair| &*pair.key));
}

/// With every write: whatever was an authority and will not be one any more goes on the list, until it has expired.
fn remember(
    changes: &mut Changes,
    keeping: &Keeping,
    memory: Option<&Keeping>,
    entries: &[Bundle],
    now: Timestamp,
) {
    let stays = |key: &'static str, before: &Option<Authority>| match changes.get(key) {
        Some(Some(text)) => Certificate::read(text).ok().map(|certificate| certificate.fingerprint()),
        Some(None) => None,
        None => before.as_ref().map(|authority| authority.certificate.fingerprint()),
    };
    let mut known: BTreeSet<_> =
        [stays("ca.crt", &keeping.authority), stays("next-ca.crt", &keeping.next_authority)]
            .into_iter()
            .flatten()
            .collect();
    let remembered = memory.filter(|_| keeping.leaf.is_none()).into_iter().flat_map(Keeping::authorities);
    let live = entries.iter().flat_map(Bundle::authorities);
    let mut old: Vec<_> = keeping
        .authorities()
        .chain(remembered)
        .chain(live)
        .filter(|authority| now < authority.not_after && known.insert(authority.fingerprint()))
        .collect();
    old.truncate(OLDEST);
    let text: String = old.iter().map(|certificate| certificate.pem()).collect();
    changes.insert("old-ca.crt", Some(text).filter(|text| !text.is_empty()));
}

/// The texts after the changes.
pub fn apply(texts: &Texts, changes: &Changes) -> Texts {
    let mut after = texts.clone();
    for (key, text) in changes {
        match text {
            Some(text) => after.insert((*key).to_owned(), text.clone()),
            None => after.remove(*key),
        };
    }
    after
}
