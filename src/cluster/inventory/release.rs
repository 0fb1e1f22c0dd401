//! Helm's and Flux's own records of the releases in question.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Item, condition, text};

/// A release (namespace, name).
pub(super) type Name = (String, String);

/// A Helm release, by the labels of the Secret of its newest revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The newest revision.
    pub revision: u64,
    /// `deployed`, `failed`, `pending-install`, …
    pub status: String,
}

/// A `HelmRelease` object of Flux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FluxRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The Helm release (namespace, name) that it installs.
    pub release: (String, String),
    /// Flux leaves it alone for now.
    pub suspended: bool,
    /// Its condition `Ready`.
    pub ready: Option<bool>,
}

impl HelmRelease {
    /// The newest revision of each release among the Secrets of a namespace.
    pub(super) fn newest(secrets: &[Value]) -> Vec<Self> {
        let mut releases: Vec<Self> = Vec::new();
        for secret in secrets {
            let label = |key: &str| text(secret, &format!("/metadata/labels/{key}")).unwrap_or_default();
            let release = Self {
                namespace: text(secret, "/metadata/namespace").unwrap_or_default().to_owned(),
                name: label("name").to_owned(),
                revision: label("version").parse().unwrap_or_default(),
                status: label("status").to_owned(),
            };
            let same = |known: &&mut Self| known.name == release.name && known.namespace == release.namespace;
            match releases.iter_mut().find(same) {
                Some(known) if known.revision < release.revision => *known = release,
                Some(_) => {}
                None => releases.push(release),
            }
        }
        releases
    }
}

impl FluxRelease {
    /// Those among all `HelmRelease` objects that install the VPC CNI: by chart, by release, or because a target is labelled
    /// as theirs.
    pub(super) fn relevant(objects: &[Value], asked: &BTreeSet<Name>, targets: &[Item]) -> Vec<Self> {
        let labelled = |name: &str, namespace: &str| {
            let theirs = |(of, called): &Name| called == name && (of.is_empty() || of == namespace);
            targets.iter().filter_map(|item| item.facts()?.flux.as_ref()).any(theirs)
        };
        objects
            .iter()
            .filter_map(|object| {
                let release = Self::of(object)?;
                let chart = text(object, "/spec/chart/spec/chart");
                let ours = chart == Some("aws-vpc-cni")
                    || asked.contains(&release.release)
                    || labelled(&release.name, &release.namespace);
                ours.then_some(release)
            })
            .collect()
    }

    fn of(object: &Value) -> Option<Self> {
        let name = text(object, "/metadata/name")?;
        let namespace = text(object, "/metadata/namespace")?;
        let target = text(object, "/spec/targetNamespace");
        // Flux's default puts the target namespace before the name.
        let called = text(object, "/spec/releaseName").map_or_else(
            || target.map_or_else(|| name.to_owned(), |target| format!("{target}-{name}")),
            str::to_owned,
        );
        Some(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            // Helm keeps its record in storageNamespace, but stamps the objects with the release's own.
            release: (target.unwrap_or(namespace).to_owned(), called),
            suspended: object.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or_default(),
            ready: condition(object, "Ready"),
        })
    }
}

/// The releases whose records are worth asking for: the policy's, and each that a stamp names. A stamp may say anything; what
/// cannot be the value of a label is no name of a record, and would spoil the question about the others.
pub(super) fn asked(policy: Option<(&str, &str)>, targets: &[Item]) -> BTreeSet<Name> {
    let stamped = targets.iter().filter_map(|item| item.facts()?.stamps.release());
    let own = |(namespace, name): (&str, &str)| (namespace.to_owned(), name.to_owned());
    let may_be = |(namespace, name): &(&str, &str)| is_label_value(namespace) && is_label_value(name);
    policy.into_iter().chain(stamped).filter(may_be).map(own).collect()
}

/// Kubernetes' `IsValidLabelValue` (apimachinery `validation.go`), of one that is not empty.
fn is_label_value(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && outer(text.chars().next()) && outer(text.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_that_names_no_record_is_not_asked_for() {
        for (text, is) in
            [("aws-vpc-cni", true), ("a", true), ("A_1.b", true), ("", false), ("-a", false), ("a.", false)]
        {
            assert_eq!(is_label_value(text), is, "{text:?}");
        }
        for text in ["a,b", "a) or (b", "a b", "ä", "../../x", "x\u{1b}[2J", &"a".repeat(64)] {
            assert!(!is_label_value(text), "{text:?}");
        }
    }
}
