//! What the webhook configuration tells the API server to trust: read, and written where it is not what it has to be.
//!
//! Only `clientConfig.caBundle` of the entries that lead to our Services is ours, applied by a field manager of its own, so
//! that whoever renders the rest (Helm, Argo CD, Flux) and we never touch each other's fields. The write carries the version
//! that was read: the plan was made for that one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::MANAGER;
use crate::cluster::{ApiError, Cluster, Instance, Patch, Reference, Writer};
use crate::pki::Bundle;
use crate::pki::coverage::Version;

/// The webhook configuration as it is stored.
#[derive(Debug, Deserialize)]
pub struct Configuration {
    metadata: Meta,
    #[serde(default)]
    webhooks: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    uid: String,
    resource_version: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(default)]
    client_config: ClientConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    service: Option<Service>,
    ca_bundle: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    namespace: String,
}

impl Configuration {
    /// Where it is.
    pub fn reference(instance: &Instance) -> Reference {
        Reference::of::<MutatingWebhookConfiguration>(None, instance.webhook())
    }

    /// Which content it has.
    pub fn version(&self) -> Version {
        Version { uid: self.metadata.uid.clone(), generation: self.metadata.generation }
    }

    /// What the entries that lead to us hold.
    pub fn bundles(&self, instance: &Instance) -> Vec<Bundle> {
        self.ours(instance).map(|entry| read(entry.client_config.ca_bundle.as_deref())).collect()
    }

    fn ours(&self, instance: &Instance) -> impl Iterator<Item = &Entry> {
        let (name, canary) = (instance.service().to_owned(), instance.canary_service());
        let namespace = instance.namespace.clone();
        self.webhooks.iter().filter(move |entry| {
            entry.client_config.service.as_ref().is_some_and(|service| {
                service.namespace == namespace && (service.name == name || service.name == canary)
            })
        })
    }

    /// Has every entry that leads to us trust `bundle`; a conflict when the configuration has changed since.
    pub async fn trust(
        &self,
        cluster: &Cluster,
        writer: &Writer,
        instance: &Instance,
        bundle: &Bundle,
    ) -> Result<(), ApiError> {
        let encoded = STANDARD.encode(bundle.pem());
        let entries: Vec<Value> = self
            .ours(instance)
            .map(|entry| json!({"name": entry.name, "clientConfig": {"caBundle": encoded}}))
            .collect();
        let reference = Self::reference(instance);
        let body = json!({
            "apiVersion": reference.api_version(),
            "kind": reference.kind(),
            "metadata": {"name": reference.name(), "resourceVersion": self.metadata.resource_version},
            "webhooks": entries,
        });
        let patch = Patch::Apply { manager: MANAGER, force: true };
        cluster.patch::<IgnoredAny>(writer, &reference, patch, &body).await.map(drop)
    }
}

fn read(encoded: Option<&str>) -> Bundle {
    let bytes = encoded.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    Bundle::read(&String::from_utf8_lossy(&bytes))
}
