//! What must hold after every write, whoever made it. Said again from DESIGN §4 and §7, with none of the program's own code:
//! paths are read from the JSON as it stands.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::policies::Rule;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const NAME: &str = "meta.helm.sh/release-name";
const NAMESPACE: &str = "meta.helm.sh/release-namespace";
const INSTALLED_BY: &str = "cni-steward.dev/installed-by";
const ADDON: &str = "cni-steward.dev/managed-addon";
const PREVENT: &str = "aws.cluster.x-k8s.io/prevent-deletion";

const STAMPS: [(&str, &str, &str); 3] = [
    ("labels", MANAGED_BY, "Helm"),
    ("annotations", NAME, "aws-vpc-cni"),
    ("annotations", NAMESPACE, "kube-system"),
];

type Paths = BTreeSet<Vec<String>>;

/// One review and what became of it.
pub(crate) struct Seen<'s> {
    pub(crate) rule: &'s Rule,
    pub(crate) kind: &'s str,
    pub(crate) username: &'s str,
    /// Who wrote, as the program found it.
    pub(crate) manager: &'s str,
    pub(crate) reason: &'s str,
    /// The object that the webhook was asked about, and the stored one.
    pub(crate) tracked: &'s Value,
    pub(crate) old: &'s Value,
    /// The object with our patch.
    pub(crate) patched: &'s Value,
}

type Law = Result<(), String>;

fn expect(holds: bool, what: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(what()) }
}

fn list(object: &Value) -> &[Value] {
    object["metadata"]["managedFields"].as_array().map_or(&[], Vec::as_slice)
}

fn is_root(entry: &Value) -> bool {
    entry.get("subresource").is_none()
}

fn is_apply(entry: &Value) -> bool {
    entry["operation"] == "Apply"
}

fn manager(entry: &Value) -> &str {
    entry["manager"].as_str().unwrap_or_default()
}

pub(crate) fn owners(object: &Value) -> Vec<String> {
    let name = |entry: &Value| {
        let below = entry["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}/{}{below}", manager(entry), entry["operation"].as_str().unwrap_or("?"))
    };
    list(object).iter().map(name).collect()
}

/// When each entry was last changed.
pub(crate) fn times(object: &Value) -> Vec<&str> {
    list(object).iter().map(|entry| entry["time"].as_str().unwrap_or("?")).collect()
}

fn paths(entry: &Value) -> Paths {
    fn walk(node: &Value, prefix: &mut Vec<String>, found: &mut Paths) {
        for (name, below) in node.as_object().into_iter().flatten() {
            if name == "." {
                found.insert(prefix.clone());
                continue;
            }
            prefix.push(name.clone());
            if below.as_object().is_none_or(serde_json::Map::is_empty) {
                found.insert(prefix.clone());
            }
            walk(below, prefix, found);
            prefix.pop();
        }
    }
    let mut found = Paths::new();
    walk(&entry["fieldsV1"], &mut Vec::new(), &mut found);
    found
}

fn path(map: &str, key: &str) -> Vec<String> {
    vec!["f:metadata".to_owned(), format!("f:{map}"), format!("f:{key}")]
}

fn show(paths: &Paths) -> String {
    paths.iter().map(|path| path.join("/")).collect::<Vec<_>>().join(" ")
}

/// The object without everything that may ever change, and without what is no content.
fn rest(object: &Value) -> Value {
    let mut rest = object.clone();
    let metadata = rest["metadata"].as_object_mut().unwrap();
    metadata.remove("managedFields");
    for (map, keys) in
        [("labels", [MANAGED_BY, INSTALLED_BY, PREVENT]), ("annotations", [NAME, NAMESPACE, ADDON])]
    {
        let Some(pairs) = metadata.get_mut(map).and_then(Value::as_object_mut) else { continue };
        for key in keys {
            pairs.remove(key);
        }
        if pairs.is_empty() {
            metadata.remove(map);
        }
    }
    rest
}

impl Seen<'_> {
    pub(crate) fn check(&self) -> Law {
        expect(rest(self.tracked) == rest(self.patched), || {
            "something outside the catalogue changed".to_owned()
        })?;
        self.list_is_sound()?;
        match self.reason {
            "adopted" | "in-order" if self.rule.adopt => {
                self.stamps()?;
                self.owner_holds_all()?;
                self.others_keep_theirs()
            }
            "adopted" => Err("adopted, but not in Adopt".to_owned()),
            reason => {
                self.may_be(reason)?;
                expect(list(self.tracked) == list(self.patched), || format!("{reason}, but the list changed"))
            }
        }
    }

    /// Whether a write may be left alone for this reason.
    fn may_be(&self, reason: &str) -> Law {
        let of = |object: &Value, key: &str| object["metadata"]["annotations"][key].clone();
        let addon = self.username == "eks:addon-manager";
        let names_another = |object: &Value| {
            let other = |key, ours: &str| !of(object, key).is_null() && of(object, key) != ours;
            other(NAME, "aws-vpc-cni") || other(NAMESPACE, "kube-system")
        };
        let holds = match reason {
            "exempt" | "managed-addon-marked" => addon,
            "managed-addon" => !addon && of(self.tracked, ADDON) == "true",
            "other-release" => self.rule.release && (names_another(self.tracked) || names_another(self.old)),
            "in-order" | "cluster-api" => !self.rule.adopt,
            "observed" => self.rule.text == "mode: Observe",
            _ => false,
        };
        expect(holds, || format!("left alone as {reason}, for which there is no ground"))
    }

    fn list_is_sound(&self) -> Law {
        let (before, after) = (list(self.tracked), list(self.patched));
        expect(before.is_empty() || !after.is_empty(), || "the list was emptied".to_owned())?;
        let identity = |entry: &Value| {
            // An Apply entry's apiVersion is no part of who it is.
            let version = if is_apply(entry) { Value::Null } else { entry["apiVersion"].clone() };
            json!([entry["manager"], entry["operation"], entry["subresource"], version]).to_string()
        };
        let identities: BTreeSet<String> = after.iter().map(identity).collect();
        expect(identities.len() == after.len(), || "two entries are of the same identity".to_owned())?;
        let order = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            // Times are all in UTC and whole seconds, so they sort as text.
            (text("operation"), text("time"), text("manager"), text("apiVersion"), text("subresource"))
        };
        expect(after.is_sorted_by_key(order), || "the list is not in the API server's order".to_owned())?;
        let status = |entries: &[Value]| -> Vec<Value> {
            entries.iter().filter(|entry| !is_root(entry)).cloned().collect()
        };
        expect(status(before) == status(after), || "an entry of a subresource changed".to_owned())
    }

    fn stamps(&self) -> Law {
        let metadata = &self.patched["metadata"];
        let crd = self.kind == "CustomResourceDefinition";
        if self.rule.release && !crd {
            for (map, key, value) in STAMPS {
                expect(metadata[map][key] == value, || {
                    format!("expected {key}: {value}, seen {}", metadata[map][key])
                })?;
            }
        }
        if crd {
            return Ok(());
        }
        let installed = &metadata["labels"][INSTALLED_BY];
        let before = &self.old["metadata"]["labels"][INSTALLED_BY];
        let right = if before.is_null() { installed.is_string() } else { installed == before };
        expect(right, || format!("installed-by was {before}, is {installed}"))?;
        let wanted = self.rule.protect && self.kind != "ConfigMap";
        expect(!wanted || metadata["labels"][PREVENT].is_string(), || {
            "not protected from Cluster API".to_owned()
        })
    }

    /// Whether this entry's paths belong to the owner now.
    fn moves(&self, entry: &Value) -> bool {
        let name = manager(entry);
        let mine = name == self.rule.owner;
        let eks_may = name != "eks" || self.rule.absent || self.manager == "eks";
        is_root(entry)
            && (mine && is_apply(entry)
                || self.rule.transfer && (mine || eks_may && (self.rule.absorbs)(name)))
    }

    fn owner_holds_all(&self) -> Law {
        let (before, after) = (list(self.tracked), list(self.patched));
        if after.is_empty() {
            return Ok(());
        }
        let stamped = self.rule.release && self.kind != "CustomResourceDefinition";
        let mut wanted: Paths = before.iter().filter(|entry| self.moves(entry)).flat_map(paths).collect();
        if stamped {
            wanted.extend(STAMPS.map(|(map, key, _)| path(map, key)));
        }
        let is_owner =
            |entry: &&Value| is_root(entry) && is_apply(entry) && manager(entry) == self.rule.owner;
        let mine: Vec<&Value> = after.iter().filter(is_owner).collect();
        let count = usize::from(!wanted.is_empty());
        expect(mine.len() == count, || {
            format!("expected {count} Apply entry of the owner, seen {}", mine.len())
        })?;
        let held: Paths = mine.into_iter().flat_map(paths).collect();
        expect(held == wanted, || {
            let (lost, more) = (&wanted - &held, &held - &wanted);
            format!("the owner misses [{}] and has [{}] too many", show(&lost), show(&more))
        })?;
        let left = after.iter().find(|entry| self.moves(entry) && !is_owner(entry));
        expect(left.is_none(), || format!("still there: {}", left.map_or("", manager)))
    }

    fn others_keep_theirs(&self) -> Law {
        let (before, after) = (list(self.tracked), list(self.patched));
        let taken: Paths = [
            ("labels", MANAGED_BY),
            ("annotations", NAME),
            ("annotations", NAMESPACE),
            ("labels", INSTALLED_BY),
        ]
        .into_iter()
        .filter(|(map, key)| self.tracked["metadata"][*map][*key] != self.patched["metadata"][*map][*key])
        .map(|(map, key)| path(map, key))
        .collect();
        let mut kept = 0;
        for entry in before.iter().filter(|entry| !self.moves(entry)) {
            let held = paths(entry);
            let rest = if is_root(entry) { &held - &taken } else { held.clone() };
            let same = |other: &&Value| {
                ["manager", "operation", "apiVersion", "subresource"]
                    .iter()
                    .all(|key| other[*key] == entry[*key])
            };
            let Some(other) = after.iter().find(same) else {
                expect(rest.is_empty(), || format!("{} lost [{}]", manager(entry), show(&rest)))?;
                continue;
            };
            kept += 1;
            // What lost a stamp again is as it was stored; everything else stays to the letter.
            let stored = rest != held && list(self.old).contains(other);
            expect(stored || other["time"] == entry["time"], || format!("{}: another time", manager(entry)))?;
            let seen = paths(other);
            expect(seen == rest, || {
                format!("{} has [{}], not [{}]", manager(entry), show(&seen), show(&rest))
            })?;
            expect(rest != held || other == entry, || format!("the entry of {} changed", manager(entry)))?;
        }
        let foreign = after.iter().filter(|entry| !self.moves(entry)).count();
        expect(foreign == kept, || "an entry came from nowhere".to_owned())
    }
}
