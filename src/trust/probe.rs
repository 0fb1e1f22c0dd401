//! Whether an API server calls us and trusts what it finds, asked through the API server itself: the dry-run creation of a
//! `ConfigMap` that only two entries of our configuration match. Each is answered with a stamp, one by the Service's name,
//! one by the canary's, where the coming leaf is served.
//!
//! It proves that *one* API server reaches *one* replica and trusts its leaf, that the configuration is there and that its
//! entries lead to us. It does not prove that EKS sends us its own writes (its exclusions are keyed by user and object),
//! nor anything about other API servers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Deserialize;
use serde_json::json;

use crate::admission::canary::{CANARY, OBJECT, PROBE};
use crate::cluster::{ApiError, Cluster, Instance, Reference};

/// The leaves that were trusted, as their fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// By the Service's name.
    pub webhook: Option<String>,
    /// By the canary's.
    pub canary: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Asks.
pub async fn probe(cluster: &Cluster, instance: &Instance) -> Result<Found, ApiError> {
    let reference = Reference::of::<ConfigMap>(Some(&instance.namespace), OBJECT);
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": OBJECT, "namespace": instance.namespace, "labels": {CANARY: instance.name}},
    });
    let mut object: Object = cluster.rehearse_create(&reference, &body).await?;
    let mut stamp = |key| object.metadata.annotations.remove(key);
    Ok(Found { webhook: stamp(PROBE), canary: stamp(CANARY) })
}
