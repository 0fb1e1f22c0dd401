//! What a rewritten list changes, path by path, for a person to read; and whether two lists come to the same.

use std::collections::BTreeMap;

use super::entry::List;
use super::rewrite::{self, Writer};
use super::set::Set;

/// One path whose holders change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// The path, as `.spec.containers[name="x"].image`.
    pub path: String,
    /// Who held it, each as `manager/Apply` or `manager/Update`, in the list's order.
    pub from: Vec<String>,
    /// Who holds it now.
    pub to: Vec<String>,
}

type Holders = BTreeMap<String, (Vec<String>, Vec<String>)>;

/// The paths whose holders differ between two lists, sorted by path. Entries about the object itself only;
/// those that cannot be read count for nothing.
pub fn compare(before: &List<'_>, after: &List<'_>) -> Vec<PathChange> {
    let mut holders = Holders::new();
    collect(before, &mut holders, |(from, _)| from);
    collect(after, &mut holders, |(_, to)| to);
    let mut changes = Vec::new();
    for (path, (from, to)) in holders {
        let (mut a, mut b) = (from.clone(), to.clone());
        a.sort();
        b.sort();
        if a != b {
            changes.push(PathChange { path, from, to });
        }
    }
    changes
}

fn collect(
    list: &List<'_>,
    holders: &mut Holders,
    side: impl Fn(&mut (Vec<String>, Vec<String>)) -> &mut Vec<String>,
) {
    for (_, known) in list.known().filter(|(_, known)| known.is_root()) {
        let holder = format!("{}/{}", known.manager, known.operation.as_str());
        for path in known.set().map(|set| set.paths()).unwrap_or_default() {
            let names = side(holders.entry(path).or_default());
            if !names.contains(&holder) {
                names.push(holder.clone());
            }
        }
    }
}

/// Whether in both lists everybody holds the same of the object itself, but for `paths`, and whenever he wrote it.
pub fn alike(one: &List<'_>, other: &List<'_>, paths: &[&[&str]]) -> bool {
    held(one, paths) == held(other, paths)
}

/// What each manager holds, and the entries that are not understood.
fn held<'l, 'a>(list: &'l List<'a>, paths: &[&[&str]]) -> (BTreeMap<Writer<'l>, Set<'a>>, Vec<&'a str>) {
    let (mut held, mut odd) = (BTreeMap::<_, Set<'_>>::new(), Vec::new());
    for entry in &list.entries {
        let known = entry.known.as_ref();
        if known.is_some_and(|known| !known.is_root()) {
            continue;
        }
        let set = known.and_then(|known| rewrite::without(known, paths).or_else(|| known.set().ok()));
        match known.zip(set) {
            Some((_, set)) if set.is_empty() => {}
            Some((known, set)) => {
                let all = held.entry(rewrite::writer(known)).or_default();
                *all = std::mem::take(all).union(set);
            }
            None => odd.push(entry.raw),
        }
    }
    odd.sort_unstable();
    (held, odd)
}
