//! The Secret with authority and leaves: read as texts, written key by key, against the version that was read. Keys
//! that are not ours stay as they are.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::MANAGER;
use crate::cluster::{ApiError, Cluster, Instance, Patch, Reference, Writer};
use crate::pki::keeping::{KEYS, Texts};
use crate::pki::rotation::Changes;

/// The Secret as it is stored.
#[derive(Debug, Deserialize)]
pub struct Secret {
    metadata: Meta,
    #[serde(default)]
    data: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
}

impl Secret {
    /// Where it is.
    pub fn reference(instance: &Instance) -> Reference {
        Reference::of::<v1::Secret>(Some(&instance.namespace), &instance.secret())
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// The texts that are ours. What is not base64 or not UTF-8 is no PEM either, and will be found to be none.
    pub fn texts(&self) -> Texts {
        let mut texts = Texts::new();
        for (key, value) in self.data.iter().flatten() {
            if KEYS.contains(&key.as_str()) {
                let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
                texts.insert(key.clone(), String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        texts
    }
}

/// Writes `changes`; a conflict when the Secret is not the one of `version` any more (`None`: there is none).
pub async fn write(
    cluster: &Cluster,
    writer: &Writer,
    instance: &Instance,
    version: Option<&str>,
    changes: &Changes,
) -> Result<(), ApiError> {
    let reference = Secret::reference(instance);
    let encoded = |text: &String| Value::from(STANDARD.encode(text));
    let Some(version) = version else {
        let data: Map<String, Value> = changes
            .iter()
            .filter_map(|(key, text)| Some(((*key).to_owned(), encoded(text.as_ref()?))))
            .collect();
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": reference.name(), "namespace": instance.namespace},
            "type": "Opaque",
            "data": data,
        });
        return cluster.create::<IgnoredAny>(writer, &reference, MANAGER, &body).await.map(drop);
    };
    let data: Map<String, Value> = changes
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.as_ref().map_or(Value::Null, encoded)))
        .collect();
    let body = json!({"metadata": {"resourceVersion": version}, "data": data});
    let patch = Patch::Merge { manager: MANAGER };
    cluster.patch::<IgnoredAny>(writer, &reference, patch, &body).await.map(drop)
}
