//! Our own installations: webhook configurations that lead to a cni-steward, its Deployment, Lease and policy.

use serde_json::Value;

use super::{Rollout, list, number, text};
use crate::cluster::instance::Place;

/// What the names of our webhooks' entries end with, whatever the installation is called.
const ENTRY: &str = ".cni-steward.dev";

/// A webhook configuration with entries of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Its entries that are ours.
    pub entries: Vec<Entry>,
}

/// One of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The Service (namespace, name) that it calls.
    pub service: Option<(String, String)>,
    /// The URL that it calls.
    pub url: Option<String>,
    /// Whether the API server is told whom to trust.
    pub ca_bundle: bool,
    /// `Ignore` or `Fail`.
    pub failure_policy: String,
    /// The resources it is called for.
    pub resources: Vec<String>,
}

/// A cni-steward in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The image, if its Deployment could be seen.
    pub image: Option<String>,
    /// Its replicas; `None` when the Deployment is missing or could not be seen.
    pub rollout: Option<Rollout>,
    /// Whether it is surely missing: the webhook leads to it, and there is no such Deployment.
    pub missing: bool,
    /// The replica that holds the Lease, and when it last renewed it (RFC 3339).
    pub leader: Option<(String, String)>,
}

impl Webhook {
    pub(super) fn of(configuration: &Value) -> Option<Self> {
        let entries: Vec<_> = list(configuration, "/webhooks").iter().filter_map(Entry::of).collect();
        let name = text(configuration, "/metadata/name")?.to_owned();
        (!entries.is_empty()).then_some(Self { name, entries })
    }

    /// The installation that it leads to: of its Services the shortest name, since the canary's only adds to it.
    pub(super) fn leads_to(&self) -> Option<Place> {
        let services = self.entries.iter().filter_map(|entry| entry.service.as_ref());
        let (namespace, name) = services.min_by_key(|(_, name)| name.len())?;
        Some(Place { namespace: namespace.clone(), name: name.clone() })
    }
}

impl Entry {
    fn of(entry: &Value) -> Option<Self> {
        let name = text(entry, "/name").filter(|name| name.ends_with(ENTRY))?;
        let service = text(entry, "/clientConfig/service/namespace")
            .zip(text(entry, "/clientConfig/service/name"))
            .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        let rules = list(entry, "/rules").iter();
        let resources = rules.flat_map(|rule| list(rule, "/resources")).filter_map(Value::as_str);
        Some(Self {
            name: name.to_owned(),
            service,
            url: text(entry, "/clientConfig/url").map(str::to_owned),
            ca_bundle: text(entry, "/clientConfig/caBundle").is_some(),
            failure_policy: text(entry, "/failurePolicy").unwrap_or_default().to_owned(),
            resources: resources.map(str::to_owned).collect(),
        })
    }
}

impl Installation {
    pub(super) fn new(place: Place) -> Self {
        Self {
            namespace: place.namespace,
            name: place.name,
            image: None,
            rollout: None,
            missing: false,
            leader: None,
        }
    }

    pub(super) fn deployed(&mut self, deployment: &Value) {
        self.image = text(deployment, "/spec/template/spec/containers/0/image").map(str::to_owned);
        self.rollout = Some(Rollout {
            desired: number(deployment, "/spec/replicas"),
            ready: number(deployment, "/status/readyReplicas"),
            updated: number(deployment, "/status/updatedReplicas"),
        });
    }

    pub(super) fn leads(&mut self, lease: &Value) {
        let holder = text(lease, "/spec/holderIdentity");
        let renewed = text(lease, "/spec/renewTime").unwrap_or_default();
        self.leader = holder.map(|holder| (holder.to_owned(), renewed.to_owned()));
    }
}
