//! The patch writer against the json-patch crate: what is written, applied, is what was meant.

use cni_steward::admission::object::alone;
use cni_steward::admission::patch;
use cni_steward::fields::Pieces;
use cni_steward::policy::change::{
    Changes, Edit, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, Map, PREVENT_DELETION, RELEASE_NAME,
    RELEASE_NAMESPACE, Why,
};
use serde_json::{Value, json};

use crate::Target;
use crate::draw::Draw;

/// The target.
pub const TARGET: Target = Target {
    name: "patch",
    about: "drawn changes of a drawn object: json-patch makes of the object what the changes say",
    seeds: &[],
    dictionary: "",
    longest: 2 << 10,
    run,
};

const KEYS: [(Map, &str); 6] = [
    (Map::Labels, MANAGED_BY),
    (Map::Labels, INSTALLED_BY),
    (Map::Labels, PREVENT_DELETION),
    (Map::Annotations, RELEASE_NAME),
    (Map::Annotations, RELEASE_NAMESPACE),
    (Map::Annotations, MANAGED_ADDON),
];

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let text = draw.object();
    let Ok(object) = alone(&text) else { return };
    let Ok(before) = serde_json::from_str::<Value>(&text) else { return };
    let mut expected = before.clone();
    let mut changes = Changes::default();
    for (map, key) in KEYS {
        let value = match draw.below(4) {
            0 | 1 => continue,
            2 => None,
            _ => Some(draw.text()),
        };
        let metadata = expected["metadata"].as_object_mut().expect("an object");
        if let Some(text) = &value {
            let pairs = metadata.entry(map.name()).or_insert(Value::Null);
            if pairs.is_null() {
                *pairs = json!({});
            }
            pairs[key] = json!(text);
        } else if let Some(pairs) = metadata.get_mut(map.name()).and_then(Value::as_object_mut) {
            pairs.remove(key);
        }
        changes.edits.push(Edit { map, key, value: value.map(Into::into), why: Why::Stamp });
    }
    let list = draw.list();
    if let Ok(value) = serde_json::from_str::<Value>(&list)
        && draw.flag()
    {
        expected["metadata"]["managedFields"] = value;
        changes.managed_fields = Some(Pieces::from(list.as_str()));
    }
    let written = patch::write(changes, &object).whole().into_owned();
    let patch: json_patch::Patch =
        serde_json::from_str(&written).unwrap_or_else(|problem| panic!("{problem}: {written}"));
    let mut after = before;
    json_patch::patch(&mut after, &patch).unwrap_or_else(|problem| panic!("{problem}: {written} on {text}"));
    assert_eq!(after, expected, "{written}");
}
