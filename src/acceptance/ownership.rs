//! Helm's ownership check: one label and two annotations, nothing else, on every object of a template that exists
//! (helm `pkg/action/validate.go`, the same in 3 and 4). What comes from `crds/` is not checked.

use serde_json::Value;

use super::forecast::Release;
use crate::policy::change::{HELM, MANAGED_BY, Map, RELEASE_NAME, RELEASE_NAMESPACE};

/// One of the three that Helm does not find as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unowned {
    /// Labels or annotations.
    pub map: Map,
    /// The key.
    pub key: &'static str,
    /// What it must be set to.
    pub wanted: String,
    /// What it is; `None`: it is missing.
    pub found: Option<String>,
}

/// What Helm would complain about, in its order.
pub(super) fn check(live: &Value, release: &Release<'_>) -> Vec<Unowned> {
    stamps(release)
        .into_iter()
        .filter_map(|(map, key, wanted)| {
            let found = live.get("metadata")?.get(map.name()).and_then(|map| map.get(key));
            let found = found.and_then(Value::as_str);
            (found != Some(wanted)).then(|| Unowned {
                map,
                key,
                wanted: wanted.to_owned(),
                found: found.map(str::to_owned),
            })
        })
        .collect()
}

/// What Helm puts on each object of a template before it sends it (`setMetadataVisitor`).
pub(super) fn stamp(rendered: &mut Value, release: &Release<'_>) {
    let Some(metadata) = rendered.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for (map, key, value) in stamps(release) {
        let map = metadata.entry(map.name()).or_insert(Value::Null);
        if !map.is_object() {
            *map = Value::Object(serde_json::Map::new());
        }
        if let Some(map) = map.as_object_mut() {
            map.insert(key.to_owned(), value.into());
        }
    }
}

fn stamps<'r>(release: &Release<'r>) -> [(Map, &'static str, &'r str); 3] {
    [
        (Map::Labels, MANAGED_BY, HELM),
        (Map::Annotations, RELEASE_NAME, release.name),
        (Map::Annotations, RELEASE_NAMESPACE, release.namespace),
    ]
}
