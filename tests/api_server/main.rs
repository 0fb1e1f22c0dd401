//! What the cluster room, and a server that looks after a cluster, make of an API server that is overloaded, full, silent
//! or not one at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod looking;
mod script;
mod serving;
mod watching;

use cni_steward::cluster::Reference;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

pub(crate) fn config_map() -> Reference {
    Reference::of::<ConfigMap>(Some("kube-system"), "amazon-vpc-cni")
}

pub(crate) fn status(code: u16, message: &str) -> String {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": message}).to_string()
}
