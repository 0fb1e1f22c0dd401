//! A cluster with our webhook in front of it, and what the tests look at in it.

use std::path::Path;

use serde_json::Value;

use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures::{self, OBJECTS};
use crate::support::steward::Steward;
use crate::support::tools::Tool::{self, ApiServer124, ApiServer136, Etcd, Helm3, Helm4, Kubectl};

pub(crate) const NEW: &[Tool] = &[ApiServer136, Etcd, Kubectl];
pub(crate) const NEW_HELM_3: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm3];
pub(crate) const NEW_HELM_4: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm4];
pub(crate) const OLD_HELM_4: &[Tool] = &[ApiServer124, Etcd, Kubectl, Helm4];

pub(crate) const ADOPT: &str = "mode: Adopt";

/// An API server that calls our server.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) steward: Steward,
    pub(crate) plane: ControlPlane,
}

impl Scene {
    /// Our webhook is there before anything of the VPC CNI.
    pub(crate) fn new(version: Version, policy: &str) -> Self {
        let scene = Self { plane: ControlPlane::start(version), steward: Steward::start(policy) };
        scene.steward.register(&scene.plane);
        scene
    }

    /// The VPC CNI was there before our webhook, as on a real EKS cluster.
    pub(crate) fn after_eks(version: Version, policy: &str) -> Self {
        let plane = ControlPlane::start(version);
        plane.eks_apply(fixtures::EKS_APPLY).ok();
        let scene = Self { plane, steward: Steward::start(policy) };
        scene.steward.register(&scene.plane);
        scene
    }

    pub(crate) fn eks_apply(&self) -> Output {
        let output = self.plane.eks_apply(fixtures::EKS_APPLY);
        output.ok();
        output
    }

    /// `helm <command> aws-vpc-cni <chart>` with the values of a person who adopts.
    pub(crate) fn helm(&self, helm: Helm, command: &str, more: &[&str]) -> Output {
        let mut args =
            vec![command, "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
        args.extend(more);
        self.plane.helm(helm, &args)
    }

    pub(crate) fn daemon_set(&self) -> Value {
        self.plane.get("DaemonSet", "aws-node")
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.plane.kubectl(User::Joe, &[&["-n", "kube-system"], args].concat())
    }

    pub(crate) fn kubectl_stdin(&self, args: &[&str], stdin: &str) -> Output {
        self.plane.kubectl_stdin(User::Joe, &[&["-n", "kube-system"], args].concat(), stdin)
    }

    /// Each object of the VPC CNI as stored.
    pub(crate) fn objects(&self) -> Vec<Value> {
        OBJECTS.iter().map(|(kind, name)| self.plane.get(kind, name)).collect()
    }

    /// Expects what Adopt promises of all six objects: one Apply entry of the owner, nothing of `eks`, and the stamps.
    #[track_caller]
    pub(crate) fn assert_helm_owns_all(&self) {
        for object in self.objects() {
            assert_stamped_and_owned(&object);
        }
    }
}

/// `manager/operation` of each entry about the object itself.
pub(crate) fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry["subresource"].is_null())
        .map(|entry| {
            format!("{}/{}", entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap())
        })
        .collect()
}

/// The fields of one entry about the object itself.
pub(crate) fn fields_of<'o>(object: &'o Value, owner: &str) -> &'o Value {
    let (manager, operation) = owner.split_once('/').unwrap();
    object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| {
            entry["manager"] == manager && entry["operation"] == operation && entry["subresource"].is_null()
        })
        .map_or(&Value::Null, |entry| &entry["fieldsV1"])
}

pub(crate) fn label<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["labels"][key].as_str()
}

pub(crate) fn annotation<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["annotations"][key].as_str()
}

pub(crate) fn named(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(crate) const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub(crate) const INSTALLED_BY: &str = "cni-steward.dev/installed-by";
pub(crate) const CAPA: &str = "aws.cluster.x-k8s.io/prevent-deletion";

#[track_caller]
pub(crate) fn assert_stamped_and_owned(object: &Value) {
    let name = named(object);
    let owners = owners(object);
    let helms = owners.iter().filter(|owner| *owner == "helm/Apply").count();
    assert_eq!(helms, 1, "expected one helm/Apply entry on {name}, got {owners:?}");
    assert!(
        !owners.iter().any(|owner| owner.starts_with("eks/") || owner == "helm/Update"),
        "expected nothing of eks and no second entry of helm on {name}, got {owners:?}"
    );
    if object["kind"] == "CustomResourceDefinition" {
        assert_eq!(label(object, MANAGED_BY), None, "the schema is not stamped");
        return;
    }
    assert_stamped(object);
}

#[track_caller]
pub(crate) fn assert_stamped(object: &Value) {
    let name = named(object);
    assert_eq!(label(object, MANAGED_BY), Some("Helm"), "{MANAGED_BY} of {name}");
    assert_eq!(annotation(object, RELEASE_NAME), Some("aws-vpc-cni"), "{RELEASE_NAME} of {name}");
    assert_eq!(annotation(object, "meta.helm.sh/release-namespace"), Some("kube-system"), "on {name}");
    let fields = &fields_of(object, "helm/Apply")["f:metadata"];
    for path in [
        &fields["f:labels"]["f:app.kubernetes.io/managed-by"],
        &fields["f:annotations"]["f:meta.helm.sh/release-name"],
    ] {
        assert!(path.is_object(), "expected the stamps among helm's fields on {name}, got {fields}");
    }
}

/// A folder of real manifests that are not the project's, if one is there.
pub(crate) fn real_data() -> Option<&'static Path> {
    static FOLDER: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    FOLDER
        .get_or_init(|| {
            std::env::var_os("CNI_STEWARD_REAL_DATA").filter(|name| !name.is_empty()).map(Into::into)
        })
        .as_deref()
}
