//! Records the reviews that real API servers send: `make record` writes `tests/fixtures/reviews` anew.
//!
//! Not a test. Our own server room answers "allowed" and keeps each body byte for byte, while the story of a cluster goes
//! by: EKS creates, people write, EKS upgrades, EKS repeats itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a tool for developers that cannot go on shall stop, loudly"
)]

#[path = "../support/client.rs"]
#[allow(dead_code, reason = "each crate uses its own part of the helpers")]
mod client;
#[path = "../support/server.rs"]
#[allow(dead_code, reason = "each crate uses its own part of the helpers")]
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cni_steward::admission::{Answer, answer};
use cni_steward::policy::Policy;
use serde_json::Value;
use support::control_plane::{ControlPlane, User, Version};
use support::{fixtures, steward};

type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// Answers, and keeps what it was asked.
fn keeping(kept: Kept) -> impl for<'a> Fn(&'a [u8]) -> Answer<'a> + Send + Sync + 'static {
    move |body| {
        kept.lock().unwrap().push(body.to_vec());
        answer(body, &Policy::default(), jiff::Timestamp::UNIX_EPOCH)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kept = Kept::default();
    let running =
        runtime.block_on(server::start(cni_steward::server::Limits::default(), keeping(Arc::clone(&kept))));
    for version in [Version::V1_24, Version::V1_36] {
        let plane = ControlPlane::start(version);
        register(&plane, running.address.port(), &running.ca);
        kept.lock().unwrap().clear();
        story(&plane);
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reviews").join(version.minor());
        write(&folder, &kept.lock().unwrap());
    }
}

fn register(plane: &ControlPlane, port: u16, ca: &str) {
    let file = plane.folder().join("ca.crt");
    std::fs::write(&file, ca).unwrap();
    let url = format!("https://127.0.0.1:{port}/mutate");
    let minor = plane.version().minor();
    let args = ["export", "webhook", "--url", &url, "--ca", file.to_str().unwrap(), "--kube-version", minor];
    let manifest = steward::run(&args).ok().to_owned();
    plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &manifest).ok();
    let probe = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"amazon-vpc-cni","namespace":"kube-system","labels":{"k8s-app":"aws-node"}}}"#;
    support::until("the API server called the recorder", std::time::Duration::from_secs(20), || {
        let output = plane.kubectl_stdin(User::Admin, &["create", "--dry-run=server", "-f", "-"], probe);
        output.stderr.contains("cni-steward observes").then_some(())
    })
    .unwrap();
}

fn story(plane: &ControlPlane) {
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let joe =
        |args: &[&str]| plane.kubectl(User::Joe, &[&["-n", "kube-system"], args].concat()).ok().to_owned();
    joe(&["annotate", "ds", "aws-node", "example.org/note=looked at"]);
    joe(&["set", "env", "ds/aws-node", "-c", "aws-node", "WARM_IP_TARGET=5"]);
    plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
}

fn write(folder: &PathBuf, bodies: &[Vec<u8>]) {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).unwrap();
    for (number, body) in bodies.iter().enumerate() {
        let review: Value = serde_json::from_slice(body).unwrap();
        let request = &review["request"];
        let name = format!(
            "{:03}-{}-{}-{}.json",
            number + 1,
            request["operation"].as_str().unwrap(),
            request["kind"]["kind"].as_str().unwrap(),
            request["options"]["fieldManager"].as_str().unwrap_or("untold"),
        );
        println!("{}", folder.join(&name).display());
        std::fs::write(folder.join(name), body).unwrap();
    }
}
