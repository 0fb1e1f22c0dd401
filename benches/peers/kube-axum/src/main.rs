//! The obvious admission webhook in Rust: axum, kube's typed review, three stamps, and no work on `managedFields`.
//!
//! Usage: `kube-axum ADDR CERT KEY`.

use std::net::SocketAddr;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, cert, key] = args.as_slice() else { panic!("usage: kube-axum ADDR CERT KEY") };
    rustls::crypto::ring::default_provider().install_default().expect("one provider");
    let tls = RustlsConfig::from_pem_file(cert, key).await.expect("a certificate");
    let app = Router::new()
        .route("/mutate", post(mutate))
        .route("/readyz", get(|| async {}))
        .layer(DefaultBodyLimit::max(8 << 20));
    let address: SocketAddr = address.parse().expect("an address");
    axum_server::bind_rustls(address, tls).serve(app.into_make_service()).await.expect("to serve");
}

async fn mutate(Json(review): Json<AdmissionReview<DynamicObject>>) -> Json<AdmissionReview<DynamicObject>> {
    let request: AdmissionRequest<DynamicObject> = match review.try_into() {
        Ok(request) => request,
        Err(error) => return Json(AdmissionResponse::invalid(error.to_string()).into_review()),
    };
    let response = AdmissionResponse::from(&request);
    let Some(object) = &request.object else { return Json(response.into_review()) };
    let mut operations = Vec::new();
    let mut add = |path: &[&str], value: Value| {
        let path = PointerBuf::from_tokens(path.iter().copied());
        operations.push(PatchOperation::Add(AddOperation { path, value }));
    };
    if object.metadata.labels.is_none() {
        add(&["metadata", "labels"], json!({}));
    }
    if object.metadata.annotations.is_none() {
        add(&["metadata", "annotations"], json!({}));
    }
    add(&["metadata", "labels", "app.kubernetes.io/managed-by"], json!("Helm"));
    add(&["metadata", "annotations", "meta.helm.sh/release-name"], json!("aws-vpc-cni"));
    add(&["metadata", "annotations", "meta.helm.sh/release-namespace"], json!("kube-system"));
    Json(match response.with_patch(Patch(operations)) {
        Ok(response) => response.into_review(),
        Err(error) => AdmissionResponse::invalid(error.to_string()).into_review(),
    })
}
