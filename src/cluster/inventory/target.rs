//! What the text of one stored object says about who owns it.

use serde_json::Value;

use super::{list, number, text};
use crate::admission::object;
use crate::fields::entry::Operation;
use crate::policy::Kind;
use crate::policy::change::{
    ALLOW_UNTIL, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, PREVENT_DELETION, RELEASE_NAME, RELEASE_NAMESPACE,
};
use crate::policy::object::{ARGO_TRACKING, FLUX_NAME};
use crate::policy::provenance::{self, Basis};

/// The release of Flux that an object is of; its name is [`FLUX_NAME`]'s.
const FLUX_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";

/// What a stored object says about itself.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.creationTimestamp`.
    pub created: String,
    /// `metadata.deletionTimestamp`, if it is being deleted.
    pub deleting: Option<String>,
    /// What its deletion waits for.
    pub finalizers: Vec<String>,
    /// Who holds fields, in stored order. Entries that are not understood are left out.
    pub managers: Vec<Manager>,
    /// Helm's three ownership marks.
    pub stamps: Stamps,
    /// Who installed it, and how that is known.
    pub provenance: Provenance,
    /// The value of the annotation of a pause, whatever it says.
    pub pause: Option<String>,
    /// Marked by a write of the EKS managed add-on.
    pub managed_addon: bool,
    /// Cluster API must not delete it.
    pub prevent_deletion: bool,
    /// `helm.sh/chart`.
    pub chart: Option<String>,
    /// `app.kubernetes.io/version`.
    pub version: Option<String>,
    /// The image of its first container.
    pub image: Option<String>,
    /// The release of Flux (namespace, name) that its labels name.
    pub flux: Option<(String, String)>,
    /// The application of Argo CD that its tracking annotation names.
    pub argo: Option<String>,
    /// A `DaemonSet` whose node selector matches no node.
    pub parked: bool,
    /// How far a `DaemonSet` or `Deployment` is.
    pub rollout: Option<Rollout>,
    /// Why it cannot be understood as an object, if so.
    pub odd: Option<String>,
}

/// An entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// The field manager.
    pub name: String,
    /// Apply or Update.
    pub operation: Operation,
    /// `""`, `status`, …
    pub subresource: String,
    /// RFC 3339.
    pub time: Option<String>,
}

/// Helm's three ownership marks, as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Label `app.kubernetes.io/managed-by`.
    pub managed_by: Option<String>,
    /// Annotation `meta.helm.sh/release-name`.
    pub release_name: Option<String>,
    /// Annotation `meta.helm.sh/release-namespace`.
    pub release_namespace: Option<String>,
}

impl Stamps {
    /// The release (namespace, name) that both annotations name.
    pub fn release(&self) -> Option<(&str, &str)> {
        Some((self.release_namespace.as_deref()?, self.release_name.as_deref()?))
    }
}

/// Who installed an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `eks`, `helm`, `flux`, … or `unknown`.
    pub word: String,
    /// How it is known.
    pub evidence: Evidence,
}

/// How it is known who installed an object, the surest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Evidence {
    /// Our label says it.
    Label,
    /// The field manager wrote within two seconds of the creation.
    Creator(String),
    /// A label or annotation that only Flux or Argo CD write.
    Marker(&'static str),
    /// The field manager holds fields.
    Manager(String),
    /// The annotation of a Helm release.
    Release,
    /// Nothing is known.
    #[default]
    None,
}

/// How far a `DaemonSet` or `Deployment` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Pods that there shall be.
    pub desired: u64,
    /// Pods that are ready.
    pub ready: u64,
    /// Pods of the newest template.
    pub updated: u64,
}

impl Facts {
    /// Reads the JSON text of a stored object; `kind` is its kind in the catalogue.
    pub fn of(text: &str, kind: Option<Kind>) -> Self {
        // It was JSON when it came in.
        let whole: Value = serde_json::from_str(text).unwrap_or_default();
        let mut facts = Self::plain(&whole);
        match object::alone(text) {
            Ok(object) => {
                let known = object.managed_fields.iter().flat_map(|list| &list.entries);
                facts.managers = known
                    .filter_map(|entry| entry.known.as_ref())
                    .map(|known| Manager {
                        name: known.manager.clone().into_owned(),
                        operation: known.operation,
                        subresource: known.subresource.clone().into_owned(),
                        time: known.time.clone().map(std::borrow::Cow::into_owned),
                    })
                    .collect();
                facts.parked = kind == Some(Kind::DaemonSet) && object.parked();
                let list = object.managed_fields.as_ref();
                let (word, basis) = provenance::tell(kind, &object, list);
                facts.provenance = Provenance { word: word.to_owned(), evidence: Evidence::of(basis) };
            }
            Err(problem) => facts.odd = Some(problem),
        }
        if let Some(word) = label(&whole, INSTALLED_BY) {
            facts.provenance = Provenance { word: word.to_owned(), evidence: Evidence::Label };
        }
        facts
    }

    fn plain(whole: &Value) -> Self {
        let own = |found: Option<&str>| found.map(str::to_owned);
        let meta = |key: &str| text(whole, &format!("/metadata/{key}"));
        let flux = label(whole, FLUX_NAME)
            .map(|name| (label(whole, FLUX_NAMESPACE).unwrap_or_default().to_owned(), name.to_owned()));
        let finalizers = list(whole, "/metadata/finalizers").iter().filter_map(Value::as_str);
        Self {
            uid: meta("uid").unwrap_or_default().to_owned(),
            resource_version: meta("resourceVersion").unwrap_or_default().to_owned(),
            created: meta("creationTimestamp").unwrap_or_default().to_owned(),
            deleting: own(meta("deletionTimestamp")),
            finalizers: finalizers.map(str::to_owned).collect(),
            stamps: Stamps {
                managed_by: own(label(whole, MANAGED_BY)),
                release_name: own(annotation(whole, RELEASE_NAME)),
                release_namespace: own(annotation(whole, RELEASE_NAMESPACE)),
            },
            pause: own(annotation(whole, ALLOW_UNTIL)),
            managed_addon: annotation(whole, MANAGED_ADDON) == Some("true"),
            // Cluster API looks at the key alone.
            prevent_deletion: found(whole, "labels", PREVENT_DELETION).is_some(),
            chart: own(label(whole, "helm.sh/chart")),
            version: own(label(whole, "app.kubernetes.io/version")),
            image: own(text(whole, "/spec/template/spec/containers/0/image")),
            flux,
            argo: annotation(whole, ARGO_TRACKING)
                .map(|id| id.split(':').next().unwrap_or_default().to_owned()),
            rollout: rollout(whole),
            ..Self::default()
        }
    }

    /// The managers that hold fields of the object itself, each once, in stored order.
    pub fn root_managers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for manager in self.managers.iter().filter(|manager| manager.subresource.is_empty()) {
            if !names.contains(&&*manager.name) {
                names.push(&manager.name);
            }
        }
        names
    }
}

impl Evidence {
    fn of(basis: Basis<'_>) -> Self {
        match basis {
            Basis::Creator(manager) => Self::Creator(manager.to_owned()),
            Basis::Marker(key) => Self::Marker(key),
            Basis::Manager(manager) => Self::Manager(manager.to_owned()),
            Basis::Release => Self::Release,
            Basis::Nothing => Self::None,
        }
    }
}

fn rollout(whole: &Value) -> Option<Rollout> {
    let status = |key: &str| number(whole, &format!("/status/{key}"));
    if whole.pointer("/status/desiredNumberScheduled").is_some() {
        return Some(Rollout {
            desired: status("desiredNumberScheduled"),
            ready: status("numberReady"),
            updated: status("updatedNumberScheduled"),
        });
    }
    let desired = whole.pointer("/spec/replicas")?.as_u64()?;
    Some(Rollout { desired, ready: status("readyReplicas"), updated: status("updatedReplicas") })
}

fn found<'v>(whole: &'v Value, map: &str, key: &str) -> Option<&'v Value> {
    whole.get("metadata")?.get(map)?.get(key)
}

fn label<'v>(whole: &'v Value, key: &str) -> Option<&'v str> {
    found(whole, "labels", key)?.as_str()
}

fn annotation<'v>(whole: &'v Value, key: &str) -> Option<&'v str> {
    found(whole, "annotations", key)?.as_str()
}
