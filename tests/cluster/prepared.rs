//! Clusters in the states in which people meet us, each made by the writers that make it in the field.

use cni_steward::acceptance::Manifest;
use serde_json::{Value, json};

use crate::scene::ADOPT;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures::{self, CORE_FOUR};
use crate::support::steward::Steward;

/// A state of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// EKS made the cluster before 2024: `kubectl apply`, no `managed-by`.
    EksBefore2024,
    /// EKS made it since: server-side apply as `eks`, `managed-by: Helm`.
    Eks,
    /// The same with the newest chart.
    EksNewest,
    /// The script of the chart's README went over it.
    ReadmeScript,
    /// The managed add-on wrote it while we watched.
    ManagedAddon,
    /// `helm install` by Helm 3, nobody else.
    Helm3,
    /// `helm install` by Helm 4, nobody else.
    Helm4,
    /// Flux installed it.
    Flux,
    /// Argo CD installed it.
    ArgoCd,
    /// EKS made it, and it was relabelled for a Cluster API before 2.6.
    OldClusterApi,
    /// Somebody began to remove it: two of the core four are gone.
    HalfDeleted,
    /// cilium-cli parked it, and Cilium runs.
    Parked,
    /// EKS wrote it while we watched in Adopt; no release yet.
    Adopted,
    /// Helm and the managed add-on write the same objects in turn.
    Fight,
}

/// A cluster in a state. What watches it goes with it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) steward: Option<Steward>,
    pub(crate) plane: ControlPlane,
}

impl State {
    pub(crate) const ALL: [Self; 14] = [
        Self::EksBefore2024,
        Self::Eks,
        Self::EksNewest,
        Self::ReadmeScript,
        Self::ManagedAddon,
        Self::Helm3,
        Self::Helm4,
        Self::Flux,
        Self::ArgoCd,
        Self::OldClusterApi,
        Self::HalfDeleted,
        Self::Parked,
        Self::Adopted,
        Self::Fight,
    ];

    /// Makes it.
    pub(crate) fn prepare(self) -> Prepared {
        let plane = ControlPlane::start(Version::V1_36);
        let steward = match self {
            Self::ManagedAddon | Self::Adopted => {
                let steward = Steward::start(ADOPT);
                steward.register(&plane);
                Some(steward)
            }
            _ => None,
        };
        match self {
            Self::EksBefore2024 => before_2024(&plane),
            Self::Eks | Self::Adopted => drop(plane.eks_apply(fixtures::EKS_APPLY).ok()),
            Self::EksNewest => drop(plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok()),
            Self::ReadmeScript => readme_script(&plane),
            Self::ManagedAddon => addon(&plane),
            Self::Helm3 => helm(&plane, Helm::V3, &[]),
            Self::Helm4 => helm(&plane, Helm::V4, &[]),
            Self::Flux => flux(&plane),
            Self::ArgoCd => argo(&plane),
            Self::OldClusterApi => {
                plane.eks_apply(fixtures::EKS_APPLY).ok();
                for kind in CORE_FOUR {
                    on(
                        &plane,
                        &["label", "--overwrite", kind, "aws-node", "app.kubernetes.io/managed-by=eks"],
                    );
                }
            }
            Self::HalfDeleted => {
                plane.eks_apply(fixtures::EKS_APPLY).ok();
                for kind in ["ServiceAccount", "ClusterRole"] {
                    on(&plane, &["delete", kind, "aws-node"]);
                }
            }
            Self::Parked => parked(&plane),
            Self::Fight => {
                plane.eks_apply(fixtures::EKS_APPLY).ok();
                readme_stamps(&plane);
                // Times in managedFields are whole seconds, and what is written with the creation is no later write.
                std::thread::sleep(std::time::Duration::from_secs(4));
                helm(&plane, Helm::V4, &["--force-conflicts"]);
                addon(&plane);
            }
        }
        Prepared { steward, plane }
    }
}

/// A command of a person in kube-system.
#[track_caller]
fn on(plane: &ControlPlane, args: &[&str]) {
    plane.kubectl(User::Joe, &[&["-n", "kube-system"], args].concat()).ok();
}

/// The objects that EKS applies.
pub(crate) fn objects() -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures::EKS_APPLY).unwrap();
    let documents = Manifest::parse("eks-apply.yaml", &text, "kube-system").unwrap().documents;
    documents.into_iter().map(|document| document.object).collect()
}

/// Applies objects as a field manager.
#[track_caller]
pub(crate) fn apply(plane: &ControlPlane, manager: &str, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let args = ["apply", "--server-side", "--force-conflicts", "--field-manager", manager, "-f", "-"];
    plane.kubectl_stdin(User::Admin, &args, &list).ok();
}

/// As the chart rendered until the end of 2023, for EKS: no `managed-by`, and `kubectl apply`.
fn before_2024(plane: &ControlPlane) {
    let mut objects = objects();
    for object in &mut objects {
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.remove("app.kubernetes.io/managed-by");
            labels.remove("helm.sh/chart");
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &list).ok();
    plane.await_crd();
}

fn readme_stamps(plane: &ControlPlane) {
    let mut named: Vec<(&str, &str)> = CORE_FOUR.iter().map(|kind| (*kind, "aws-node")).collect();
    named.push(("ConfigMap", "amazon-vpc-cni"));
    for (kind, name) in named {
        on(
            plane,
            &[
                "annotate",
                "--overwrite",
                kind,
                name,
                "meta.helm.sh/release-name=aws-vpc-cni",
                "meta.helm.sh/release-namespace=kube-system",
            ],
        );
        on(plane, &["label", "--overwrite", kind, name, "app.kubernetes.io/managed-by=Helm"]);
    }
}

fn readme_script(plane: &ControlPlane) {
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    readme_stamps(plane);
    // Since chart 1.16.4 it goes on with what `helm template` renders.
    apply(plane, "Helm", &objects());
}

fn addon(plane: &ControlPlane) {
    let args =
        ["apply", "--server-side", "--force-conflicts", "--field-manager", "eks", "-f", fixtures::EKS_APPLY];
    plane.kubectl(User::AddonManager, &args).ok();
    plane.await_crd();
}

fn helm(plane: &ControlPlane, helm: Helm, more: &[&str]) {
    let args = ["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    plane.helm(helm, &[&args, more].concat()).ok();
    plane.await_crd();
}

/// Stamped for the release, with these labels and annotations too.
fn stamped(labels: &Value, annotations: &Value) -> Vec<Value> {
    let mut objects = objects();
    for object in objects.iter_mut().filter(|object| object["kind"] != "CustomResourceDefinition") {
        for (map, pairs) in [("labels", labels), ("annotations", annotations)] {
            for (key, value) in pairs.as_object().unwrap() {
                object["metadata"][map][key] = value.clone();
            }
        }
    }
    objects
}

fn flux(plane: &ControlPlane) {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io",
            "names": {"kind": "HelmRelease", "plural": "helmreleases", "singular": "helmrelease"},
            "scope": "Namespaced",
            "versions": [{"name": "v2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    apply(plane, "flux", &[crd]);
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "aws-vpc-cni", "namespace": "kube-system"},
        "spec": {
            "interval": "10m",
            "chart": {"spec": {"chart": "aws-vpc-cni", "sourceRef": {"kind": "HelmRepository", "name": "eks"}}},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
    .to_string();
    crate::support::until("HelmReleases are served", std::time::Duration::from_secs(20), || {
        let args = ["apply", "--server-side", "--field-manager", "kustomize-controller", "-f", "-"];
        (plane.kubectl_stdin(User::Admin, &args, &release).code == 0).then_some(())
    })
    .unwrap();
    let labels = json!({
        "helm.toolkit.fluxcd.io/name": "aws-vpc-cni",
        "helm.toolkit.fluxcd.io/namespace": "kube-system",
    });
    let annotations = json!({
        "meta.helm.sh/release-name": "aws-vpc-cni",
        "meta.helm.sh/release-namespace": "kube-system",
    });
    apply(plane, "helm-controller", &stamped(&labels, &annotations));
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.aws-vpc-cni.v1",
            "namespace": "kube-system",
            "labels": {"owner": "helm", "name": "aws-vpc-cni", "status": "deployed", "version": "1"},
        },
    });
    apply(plane, "helm-controller", &[secret]);
    plane.await_crd();
}

fn argo(plane: &ControlPlane) {
    let annotations =
        json!({"argocd.argoproj.io/tracking-id": "aws-vpc-cni:apps/DaemonSet:kube-system/aws-node"});
    apply(plane, "argocd-controller", &stamped(&json!({}), &annotations));
    plane.await_crd();
}

fn parked(plane: &ControlPlane) {
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let selector =
        json!({"spec": {"template": {"spec": {"nodeSelector": {"io.cilium/aws-node-enabled": "true"}}}}});
    on(plane, &["patch", "daemonset", "aws-node", "--type=strategic", "-p", &selector.to_string()]);
    apply(plane, "cilium", &[daemon_set("cilium", "cilium")]);
}

/// A `DaemonSet` of another network.
pub(crate) fn daemon_set(name: &str, label: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": label}},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": label}},
            "template": {
                "metadata": {"labels": {"k8s-app": label}},
                "spec": {"hostNetwork": true, "containers": [{"name": "agent", "image": "example.com/agent:1"}]},
            },
        },
    })
}

/// A node, and on it a Pod of each `DaemonSet` that is named.
pub(crate) fn node(plane: &ControlPlane, name: &str, ready: bool, pods: &[&str]) {
    let condition = |ready: bool| json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
    let admin = plane.client(User::Admin);
    let post = |path: &str, object: &Value| {
        let reply = admin.post(path, object).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()
    };
    let status = |path: &str, status: &Value| {
        let path = format!("{path}/status");
        let reply = admin.patch(&path, "application/merge-patch+json", &json!({"status": status})).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    post("/api/v1/nodes", &json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
    status(&format!("/api/v1/nodes/{name}"), &json!({"conditions": condition(ready)}));
    for daemon_set in pods {
        let owner = plane.get("DaemonSet", daemon_set);
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{daemon_set}-{name}"),
                "namespace": "kube-system",
                "labels": owner["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": daemon_set,
                    "uid": owner["metadata"]["uid"], "controller": true}],
            },
            "spec": {"nodeName": name, "containers": [{"name": "agent", "image": "example.com/agent:1"}]},
        });
        post("/api/v1/namespaces/kube-system/pods", &pod);
        let path = format!("/api/v1/namespaces/kube-system/pods/{daemon_set}-{name}");
        status(&path, &json!({"conditions": condition(true)}));
    }
}
