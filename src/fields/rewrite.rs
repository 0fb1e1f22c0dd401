//! Texts of entries: the owner's new one, and others' that lose a path.
//!
//! Key order is that of the API server's own JSON (`metav1.ManagedFieldsEntry`). Wherever the stored object
//! already has an entry that says the same, its bytes are taken, time included: a changed time alone defeats
//! the check that spares an etcd write.

use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// The stored entries about the object itself, by who wrote them, how and in which version; `None` where there are several.
pub(super) struct Stored<'s, 'a>(BTreeMap<Writer<'s>, Option<Before<'s, 'a>>>);

struct Before<'s, 'a> {
    entry: &'s Entry<'a>,
    known: &'s Known<'a>,
    /// Kept, since each of many entries may be compared with it.
    canonical: Option<String>,
}

impl<'s, 'a: 's> Stored<'s, 'a> {
    pub(super) fn of(list: &'s List<'a>) -> Self {
        let mut all = BTreeMap::new();
        for entry in &list.entries {
            let Some(known) = entry.known.as_ref().filter(|known| known.is_root()) else { continue };
            let before = Some(Before { entry, known, canonical: None });
            all.entry(writer(known)).and_modify(|several| *several = None).or_insert(before);
        }
        Self(all)
    }

    /// The stored entry of whoever wrote `known`, if it says `text`, which is canonical.
    fn saying(&mut self, known: &'s Known<'a>, text: &Pieces<'_>) -> Option<(&'s Entry<'a>, &'s Known<'a>)> {
        let Before { entry, known, canonical } = self.0.get_mut(&writer(known))?.as_mut()?;
        let encode = || known.set().map(|set| set.encode()).unwrap_or_default();
        let same = *text == *known.fields || *text == **canonical.get_or_insert_with(encode);
        same.then_some((*entry, *known))
    }
}

/// By whom, how and in which version an entry was written.
pub(super) type Writer<'k> = (&'k str, Operation, &'k str);

pub(super) fn writer<'k>(known: &'k Known<'_>) -> Writer<'k> {
    (&known.manager, known.operation, &known.api_version)
}

/// Takes the paths of `wish.disown` out of an entry.
pub(super) fn disown<'s, 'a: 's>(
    entry: &'s Entry<'a>,
    stored: Option<&mut Stored<'s, 'a>>,
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
    let text = set.text();
    if let Some((entry, known)) = stored.and_then(|stored| stored.saying(known, &text)) {
        return Rest::Back(entry, known);
    }
    let time = known.time.as_deref();
    Rest::Less(write(&known.manager, known.operation, &known.api_version, time, text))
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
