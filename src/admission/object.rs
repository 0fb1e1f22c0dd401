//! What a decision may look at in an object: one pass over its text, everything else skipped.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Mapping, Text};
use crate::policy::object::{KEYS, Meta, Object};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow)]
    metadata: Mapping<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    creation_timestamp: Option<Text<'a>>,
    #[serde(borrow, default)]
    labels: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    annotations: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    managed_fields: Option<&'a RawValue>,
}

/// Reads an object; an error says in a few words what is odd about it.
pub fn parse(raw: &str) -> Result<Object<'_>, String> {
    let Mapping(whole) = serde_json::from_str::<Mapping<Whole<'_>>>(raw).map_err(|error| {
        let text = error.to_string();
        text.split(" at line ").next().unwrap_or_default().to_owned()
    })?;
    // An entry of ours would need it, and the API server drops a list with an entry that has none.
    if whole.api_version.0.is_empty() {
        return Err("it has no apiVersion".to_owned());
    }
    let Mapping(metadata) = whole.metadata;
    Ok(Object {
        raw,
        api_version: whole.api_version.0,
        name: metadata.name.0,
        created: metadata.creation_timestamp.unwrap_or_default().0,
        labels: metadata.labels.map_or_else(Meta::default, |pairs| pairs.0),
        annotations: metadata.annotations.map_or_else(Meta::default, |pairs| pairs.0),
        managed_fields: metadata.managed_fields.map(RawValue::get).filter(|list| *list != "null"),
    })
}

/// A map of strings of which only [`KEYS`] are kept.
struct Pairs<'a>(Meta<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<'de>, M::Error> {
        let mut meta = Meta { present: true, ..Meta::default() };
        while let Some(key) = map.next_key::<Text<'de>>()? {
            meta.size += key.0.len();
            match KEYS.into_iter().find(|known| *known == key.0) {
                Some(known) => {
                    let value: Cow<'de, str> = map.next_value::<Text<'de>>()?.0;
                    meta.size += value.len();
                    if meta.pairs.iter().any(|(found, _)| *found == known) {
                        return Err(M::Error::custom(format_args!("{known} stands twice")));
                    }
                    meta.pairs.push((known, value));
                }
                None => meta.size += map.next_value::<Length>()?.0,
            }
        }
        Ok(Pairs(meta))
    }
}

/// How long a string is, without keeping it.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;
        impl Visitor<'_> for LengthVisitor {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length(text.len()))
            }
        }
        deserializer.deserialize_str(LengthVisitor)
    }
}
