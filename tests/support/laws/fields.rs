//! The laws of field sets and of their transfer, whatever they hold: for properties (`tests/field_sets.rs`) and for
//! fuzzing (`fuzz/`). The obvious set of paths, which is slow, is what ours is compared with.

use std::collections::BTreeSet;

use cni_steward::fields::{List, Operation, Set, Transfer, Wish, transfer};

/// The member paths as `serde_json` finds them in the canonical text, independent of our own walk; `None` when the text is
/// deeper than it can read.
pub(crate) fn paths(set: &Set<'_>) -> Option<BTreeSet<Vec<String>>> {
    fn walk(value: &serde_json::Value, prefix: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
        for (name, below) in value.as_object().expect("an object") {
            if name == "." {
                found.insert(prefix.clone());
                continue;
            }
            prefix.push(name.clone());
            if below.as_object().expect("an object").is_empty() {
                found.insert(prefix.clone());
            }
            walk(below, prefix, found);
            prefix.pop();
        }
    }
    let mut found = BTreeSet::new();
    let text = set.encode();
    match serde_json::from_str(&text) {
        Ok(value) => walk(&value, &mut Vec::new(), &mut found),
        Err(problem) if problem.to_string().starts_with("recursion limit") => return None,
        Err(problem) => panic!("{problem}: {text}"),
    }
    Some(found)
}

/// What is written reads back the same, and counts what it holds.
pub(crate) fn canonical(parsed: &Set<'_>) {
    let text = parsed.encode();
    let again = Set::parse(&text).expect("our own text");
    assert_eq!(&again, parsed);
    assert_eq!(again.encode(), text);
    assert_eq!(parsed.len(), parsed.paths().len());
    assert_eq!(parsed.is_empty(), parsed.paths().is_empty());
    if let Some(paths) = paths(parsed) {
        assert_eq!(parsed.len(), paths.len());
    }
}

/// Union and difference of any three sets.
pub(crate) fn algebra(a: &Set<'_>, b: &Set<'_>, c: &Set<'_>) {
    let ab = a.clone().union(b.clone());
    assert_eq!(ab, b.clone().union(a.clone()));
    assert_eq!(ab.clone().union(c.clone()), a.clone().union(b.clone().union(c.clone())));
    assert_eq!(Set::union_all(vec![a.clone(), b.clone(), c.clone()]), ab.clone().union(c.clone()));
    assert_eq!(&a.clone().union(a.clone()), a);
    let less = a.clone().difference(b);
    assert_eq!(less.clone().union(b.clone()), ab);
    assert!(a.clone().difference(a).is_empty());
    let (Some(in_a), Some(in_b)) = (paths(a), paths(b)) else { return };
    assert_eq!(paths(&ab), Some(in_a.union(&in_b).cloned().collect()));
    assert_eq!(paths(&less), Some(in_a.difference(&in_b).cloned().collect()));
}

const OWN: &[&[&str]] = &[&["metadata", "labels", "a"], &["metadata", "annotations", "b"]];

/// What helm shall own, of `eks` and `kubectl-set`: by merging or not, with stamps or not, taking them from others or not.
pub(crate) fn wish(merge: bool, own: bool, disown: bool, now: &str) -> Wish<'static, 'static> {
    Wish {
        owner: "helm",
        absorb: &|manager| manager == "eks" || manager == "kubectl-set",
        merge,
        api_version: "apps/v1",
        own: if own { OWN } else { &[] },
        disown: if disown { OWN } else { &[] },
        now: now.parse().expect("a time"),
    }
}

/// A transfer answers the same twice, is a fixed point, loses no path and leaves alone what is no business of ours.
pub(crate) fn transferred(text: &str, stored: Option<&str>, merge: bool, own: bool, disown: bool) {
    let wish_now = wish(merge, own, disown, "2026-11-22T12:00:00.5Z");
    let Some(before) = List::parse(text) else { return };
    let old = stored.and_then(List::parse);
    let outcome = transfer(&before, old.as_ref(), &wish_now);
    assert_eq!(transfer(&before, old.as_ref(), &wish_now), outcome);
    let Transfer::Replace { list: new, moved } = &outcome.transfer else { return };
    let new = new.whole();
    let after = List::parse(&new).unwrap_or_else(|| panic!("no list: {new}"));
    assert!(!after.entries.is_empty(), "the list was emptied");
    assert!(merge || moved.is_empty());

    let later = wish(merge, own, disown, "2031-01-01T00:00:00Z");
    assert_eq!(transfer(&after, old.as_ref(), &later).transfer, Transfer::Keep, "{text} -> {new}");
    assert_eq!(transfer(&after, Some(&after), &later).transfer, Transfer::Keep, "{text} -> {new}");

    // Every path that a root entry held is still held, or was given up on purpose.
    if let (Some(was), Some(is)) = (held(&before), held(&after)) {
        let on_purpose =
            |path: &&Vec<String>| disown && path.first().is_some_and(|name| name == "f:metadata");
        let lost: Vec<_> = was.difference(&is).filter(|path| !on_purpose(path)).collect();
        assert!(lost.is_empty(), "{lost:?} of {text} in {new}");
    }

    // What is no business of ours is there byte for byte, in order.
    let foreign = |list: &List<'_>| -> Vec<String> {
        let entries = list.entries.iter().filter(|entry| {
            let known = entry.known.as_ref();
            known.is_none_or(|known| !known.is_root() || (known.manager == "other" && !disown))
        });
        entries.map(|entry| entry.raw.to_owned()).collect()
    };
    if old.as_ref().is_none_or(|old| old.raw != new) {
        assert_eq!(foreign(&before), foreign(&after));
    }
    let owners = after.entries.iter().filter_map(|entry| entry.known.as_ref());
    let owners = owners
        .filter(|known| known.is_root() && known.manager == "helm" && known.operation == Operation::Apply);
    assert!(!merge || owners.count() <= 1 || !outcome.left.is_empty() || !own, "two owners in {new}");
}

/// Every path that an entry about the object itself holds.
fn held(list: &List<'_>) -> Option<BTreeSet<Vec<String>>> {
    let known = list.entries.iter().filter_map(|entry| entry.known.as_ref());
    let sets = known.filter(|known| known.is_root()).filter_map(|known| known.set().ok());
    sets.map(|set| paths(&set)).try_fold(BTreeSet::new(), |mut all, paths| {
        all.extend(paths?);
        Some(all)
    })
}
