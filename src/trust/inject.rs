//! What the webhook configuration tells the API server to trust: read, and written where it is not what it has to be.
//!
//! Only `clientConfig.caBundle` of the entries that lead to our Services is ours, by a field manager of its own, so that
//! whoever renders the rest (Helm, Argo CD, Flux) and we never touch each other's fields. A patch, not an apply: who applies
//! an entry's field owns the entry too, and what is left of one that its chart renders no more (a name and a bundle) is
//! refused by the API server, and with it the upgrade. The write carries the version that was read: the plan was made for
//! that one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{MANAGER, fight};
use crate::cluster::{ApiError, Cluster, Instance, Patch, Reference, Writer};
use crate::pki::Bundle;
use crate::pki::coverage::Version;

/// The webhook configuration as it is stored.
#[derive(Debug, Deserialize)]
pub struct Configuration {
    metadata: Meta,
    #[serde(default)]
    webhooks: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    uid: String,
    resource_version: String,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    managed_fields: Vec<Value>,
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

    /// All its entries.
    pub fn entries(&self) -> &[Value] {
        &self.webhooks
    }

    /// Who changed our `caBundle`, as far as it is known.
    pub fn writer(&self) -> String {
        fight::writer(&self.metadata.managed_fields, MANAGER)
    }

    /// What the entries that lead to us hold.
    pub fn bundles(&self, instance: &Instance) -> Vec<Bundle> {
        let bundle = |entry: &Value| read(entry.pointer("/clientConfig/caBundle").and_then(Value::as_str));
        self.ours(instance).map(bundle).collect()
    }

    /// Whether an entry calls one of our Services.
    pub fn leads_to(entry: &Value, instance: &Instance) -> bool {
        let service = |key: &str| entry.pointer("/clientConfig/service")?.get(key)?.as_str();
        service("namespace") == Some(&instance.namespace)
            && service("name")
                .is_some_and(|name| name == instance.service() || name == instance.canary_service())
    }

    fn ours(&self, instance: &Instance) -> impl Iterator<Item = &Value> {
        self.webhooks.iter().filter(|entry| Self::leads_to(entry, instance))
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
        let version = Patch::at(&self.metadata.resource_version);
        let ours = self.webhooks.iter().enumerate().filter(|(_, entry)| Self::leads_to(entry, instance));
        let bundles = ours.map(|(place, _)| {
            json!({"op": "add", "path": format!("/webhooks/{place}/clientConfig/caBundle"), "value": encoded})
        });
        let body: Vec<Value> = std::iter::once(version).chain(bundles).collect();
        let patch = Patch::Json { manager: MANAGER };
        cluster.patch::<IgnoredAny>(writer, &Self::reference(instance), patch, &body).await.map(drop)
    }
}

fn read(encoded: Option<&str>) -> Bundle {
    let bytes = encoded.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    Bundle::read(&String::from_utf8_lossy(&bytes))
}
