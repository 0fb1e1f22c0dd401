//! Changes of metadata as lines for people: one label or annotation, one path and its holders.

use crate::fields::PathChange;
use crate::policy::change::Map;

/// `+ metadata.labels[key] = value`, or `- …` where it is taken away.
pub(super) fn edit(map: Map, key: &str, value: Option<&str>) -> String {
    let path = format!("metadata.{}[{key}]", map.name());
    match value {
        Some(value) => format!("  + {path} = {value}"),
        None => format!("  - {path}"),
    }
}

/// `.spec.template  eks/Apply → helm/Apply`.
pub(super) fn path(change: &PathChange) -> String {
    let names =
        |managers: &[String]| if managers.is_empty() { "nobody".to_owned() } else { managers.join(", ") };
    format!("      {}  {} → {}", change.path, names(&change.from), names(&change.to))
}
