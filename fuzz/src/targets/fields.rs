//! Three texts of `fieldsV1`, one a line.

use std::collections::BTreeSet;

use cni_steward::fields::{List, Set};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::Target;
use crate::field_laws::{algebra, canonical, paths};

/// The target.
pub const TARGET: Target = Target {
    name: "fields",
    about: "three lines of fieldsV1: canonical text reads back, union and difference are those of the obvious set, serde reads it alike",
    seeds: &[],
    dictionary: "fields.dict",
    longest: 4 << 10,
    run,
};

fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(List::parse(text));
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or("{}");
    let texts = [next(), next(), next()];
    for text in texts {
        as_serde_reads_it(text);
    }
    let [Ok(a), Ok(b), Ok(c)] = texts.map(Set::parse) else { return };
    for set in [&a, &b, &c] {
        canonical(set);
    }
    algebra(&a, &b, &c);
}

/// The members of a JSON object, also those that stand twice.
struct Members(Vec<(String, Self)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl Members {
    /// The paths below here, if there are only fields and indices in them.
    fn walk(&self, prefix: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) -> Option<()> {
        for (name, below) in &self.0 {
            if name == "." {
                found.insert(prefix.clone());
                continue;
            }
            let index = name.strip_prefix("i:").map(str::parse::<i64>);
            prefix.push(match index {
                Some(index) => format!("i:{}", index.ok()?),
                None => name.strip_prefix("f:").map(|_| name.clone())?,
            });
            if below.0.is_empty() {
                found.insert(prefix.clone());
            }
            below.walk(prefix, found)?;
            prefix.pop();
        }
        Some(())
    }
}

fn as_serde_reads_it(text: &str) {
    let Ok(members) = serde_json::from_str::<Members>(text) else { return };
    let mut expected = BTreeSet::new();
    if members.walk(&mut Vec::new(), &mut expected).is_none() {
        return;
    }
    let set = Set::parse(text).unwrap_or_else(|problem| panic!("serde reads {text}: {problem}"));
    // The root itself is in no set.
    expected.remove(&Vec::new());
    assert_eq!(paths(&set), Some(expected), "{text}");
}
