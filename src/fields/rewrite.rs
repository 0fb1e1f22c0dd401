//! Texts of entries: the owner's new one, and others' that lose a path.
//!
//! Key order is that of the API server's own JSON (`metav1.ManagedFieldsEntry`). Wherever the stored object
//! already has an entry that says the same, its bytes are taken, time included: a changed time alone defeats
//! the check that spares an etcd write.

use std::borrow::Cow;

use super::encode;
use super::entry::{Entry, Known, List, Operation};
use super::order;
use super::pieces::Pieces;
use super::set::Set;
use super::transfer::Wish;

/// What becomes of an entry that is not the owner's.
pub(super) enum Rest<'s, 'a> {
    /// It stays byte for byte.
    Same,
    /// It held nothing but what it may no longer hold.
    Gone,
    /// It says less.
    Less(Pieces<'a>),
    /// It says what a stored entry said, whose time is another.
    Back(&'s Entry<'a>, &'s Known<'a>),
}

/// Takes the paths of `wish.disown` out of an entry.
pub(super) fn disown<'s, 'a: 's>(
    entry: &'s Entry<'a>,
    old: Option<&'s List<'a>>,
    wish: &Wish<'_, '_>,
) -> Rest<'s, 'a> {
    let Some(known) = entry.known.as_ref().filter(|known| known.is_root() && known.manager != wish.owner)
    else {
        return Rest::Same;
    };
    let Some(set) = without(known, wish.disown) else {
        return Rest::Same;
    };
    if set.is_empty() {
        return Rest::Gone;
    }
    let before = old.and_then(|old| {
        single(old, |other| {
            other.is_root()
                && other.manager == known.manager
                && other.operation == known.operation
                && other.api_version == known.api_version
        })
    });
    let text = set.text();
    match before {
        Some((entry, known)) if says(known, &set, &text) => Rest::Back(entry, known),
        _ => {
            let time = known.time.as_deref();
            Rest::Less(write(&known.manager, known.operation, &known.api_version, time, text))
        }
    }
}

/// What an entry holds beside `paths`; `None` when it holds none of them, or cannot be read.
pub(super) fn without<'a>(known: &Known<'a>, paths: &[&[&str]]) -> Option<Set<'a>> {
    if paths.is_empty() {
        return None;
    }
    let mut set = known.set().ok()?;
    (paths.iter().filter(|path| set.remove(path)).count() > 0).then_some(set)
}

/// Whether an entry holds exactly `set`, whose canonical text is `text`.
pub(super) fn says(known: &Known<'_>, set: &Set<'_>, text: &Pieces<'_>) -> bool {
    *text == *known.fields || known.set().is_ok_and(|other| other == *set)
}

/// The entry of a list that is as asked, if there is exactly one.
pub(super) fn single<'s, 'a: 's>(
    list: &'s List<'a>,
    asked: impl Fn(&Known<'a>) -> bool,
) -> Option<(&'s Entry<'a>, &'s Known<'a>)> {
    let mut found = list.entries.iter().filter_map(|entry| Some((entry, entry.known.as_ref()?)));
    let mut found = found.by_ref().filter(|(_, known)| asked(known));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The text of an entry about the object itself.
pub(super) fn write<'a>(
    manager: &str,
    operation: Operation,
    api_version: &str,
    time: Option<&str>,
    fields: Pieces<'a>,
) -> Pieces<'a> {
    let mut pieces = Pieces::default();
    let out = pieces.tail();
    out.push_str("{\"manager\":");
    encode::quote_value(out, manager);
    out.push_str(",\"operation\":\"");
    out.push_str(operation.as_str());
    out.push_str("\",\"apiVersion\":");
    encode::quote_value(out, api_version);
    if let Some(time) = time {
        out.push_str(",\"time\":");
        encode::quote_value(out, time);
    }
    out.push_str(",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":");
    pieces.append(fields);
    pieces.tail().push('}');
    pieces
}

/// The text of a list of entries.
pub(super) fn join<'a>(entries: impl Iterator<Item = Pieces<'a>>) -> Pieces<'a> {
    let mut out = Pieces::default();
    out.tail().push('[');
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            out.tail().push(',');
        }
        out.append(entry);
    }
    out.tail().push(']');
    out
}

/// The time for the owner's entry when it says something new: the newest of what it took in, but never older
/// than its own; without anything taken in, now.
pub(super) fn time<'t>(newest: Option<&'t str>, own: Option<&'t str>, wish: &Wish<'_, '_>) -> Cow<'t, str> {
    match newest {
        Some(newest) => Cow::Borrowed(order::later(Some(newest), own).unwrap_or(newest)),
        None => Cow::Owned(order::stamp(wish.now)),
    }
}
