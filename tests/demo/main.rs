//! `make demo`: the whole story on real API servers, before and after, on one screen. Not a test, though it fails loudly
//! when the story does not hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a show that cannot go on shall stop, loudly"
)]

#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::Output;
use support::control_plane::{ControlPlane, Helm, User, Version};
use support::fixtures::{self, OBJECTS};
use support::steward::Steward;
use support::tools::{self, Tool};

const ADOPT: &str = include_str!("../../examples/adopt.yaml");
const BLOCK: &str = include_str!("../../examples/block.yaml");

fn main() {
    let needs = [Tool::ApiServer136, Tool::Etcd, Tool::Kubectl, Tool::Helm3, Tool::Helm4];
    if let Some(missing) = tools::missing(needs.into_iter()) {
        eprintln!("demo: {missing}");
        std::process::exit(2);
    }
    for (helm, name) in [(Helm::V3, "Helm 3"), (Helm::V4, "Helm 4")] {
        story(helm, name);
    }
    refusal();
}

fn story(helm: Helm, name: &str) {
    let plane = ControlPlane::start(Version::V1_36);
    let version = plane.helm(helm, &["version", "--short"]).ok().trim().to_owned();
    title(&format!("{name} ({version}) on Kubernetes {}", server_version(&plane)));
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    step("before", "EKS has applied the VPC CNI; helm install aws-vpc-cni:");
    said(install(&plane, helm).refused());
    drop(plane);

    let plane = ControlPlane::start(Version::V1_36);
    let steward = Steward::start(ADOPT);
    steward.register(&plane);
    step("after", "the same with cni-steward (mode Adopt) in front of the API server");
    command("kubectl apply --server-side --force-conflicts --field-manager eks -f eks-apply.yaml");
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    table(&plane);
    let ((), changes) = plane.writes_of(|| {
        plane.eks_apply(fixtures::EKS_APPLY).ok();
    });
    assert!(changes.is_empty(), "expected the repeated apply to write nothing, but in etcd{changes}");
    println!("  the same apply once more: no revision in etcd changed");
    command("helm install aws-vpc-cni ./chart --namespace kube-system --set originalMatchLabels=true");
    said(install(&plane, helm).ok());
}

fn refusal() {
    title("Block: the VPC CNI was removed and shall not come back");
    let plane = ControlPlane::start(Version::V1_36);
    let steward = Steward::start(BLOCK);
    steward.register(&plane);
    command("kubectl apply --server-side --force-conflicts --field-manager eks -f eks-apply.yaml");
    let output = plane.eks_apply(fixtures::EKS_APPLY);
    let first =
        output.refused().lines().find(|line| line.contains("DaemonSet")).unwrap_or_default().to_owned();
    said(&first);
    assert!(plane.find("DaemonSet", "aws-node").is_none(), "expected no DaemonSet");
}

fn install(plane: &ControlPlane, helm: Helm) -> Output {
    let args = ["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    plane.helm(helm, &args)
}

fn server_version(plane: &ControlPlane) -> String {
    let text = plane.kubectl(User::Admin, &["version", "-o", "json"]);
    let version: Value = serde_json::from_str(text.ok()).unwrap();
    version["serverVersion"]["gitVersion"].as_str().unwrap_or_default().to_owned()
}

/// Owner, managers and provenance of each object.
fn table(plane: &ControlPlane) {
    println!("  {:<58} {:<23} {:<11} INSTALLED BY", "OBJECT", "RELEASE", "MANAGERS");
    for (kind, name) in OBJECTS {
        let metadata = plane.get(kind, name)["metadata"].take();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let release = match metadata["annotations"]["meta.helm.sh/release-name"].as_str() {
            Some(release) => {
                format!("{}/{release}", text(&metadata["annotations"]["meta.helm.sh/release-namespace"]))
            }
            None => "- (a CRD needs none)".to_owned(),
        };
        let entries = metadata["managedFields"].as_array().cloned().unwrap_or_default();
        let of_object = entries.iter().filter(|entry| entry["subresource"].is_null());
        let managers: Vec<String> = of_object
            .map(|entry| format!("{}/{}", text(&entry["manager"]), text(&entry["operation"])))
            .collect();
        let installed = text(&metadata["labels"]["cni-steward.dev/installed-by"]);
        println!("  {:<58} {release:<23} {:<11} {installed}", format!("{kind} {name}"), managers.join(", "));
    }
}

fn title(text: &str) {
    println!("\n── {text} ──");
}

fn step(when: &str, text: &str) {
    println!("{when}: {text}");
}

fn command(text: &str) {
    println!("  $ {text}");
}

/// What a program said, its first lines, indented and cut to the screen.
fn said(text: &str) {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(4) {
        let cut: String = line.chars().take(300).collect();
        let dots = if line.chars().count() > 300 { "…" } else { "" };
        println!("  │ {cut}{dots}");
    }
}
