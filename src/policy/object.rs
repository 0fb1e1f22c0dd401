//! What a decision may look at: borrowed from the review, nothing of it owned.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::change::{
    ALLOW_UNTIL, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, PREVENT_DELETION, RELEASE_NAME, RELEASE_NAMESPACE,
};

/// Flux's label on what its helm-controller installs.
pub const FLUX_NAME: &str = "helm.toolkit.fluxcd.io/name";
/// Argo CD's tracking annotation.
pub const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// The label and annotation keys that a decision can depend on; all others are skipped while reading.
pub const KEYS: [&str; 9] = [
    MANAGED_BY,
    RELEASE_NAME,
    RELEASE_NAMESPACE,
    INSTALLED_BY,
    MANAGED_ADDON,
    ALLOW_UNTIL,
    PREVENT_DELETION,
    FLUX_NAME,
    ARGO_TRACKING,
];

/// `metadata.labels` or `metadata.annotations`: whether the map is there, and the [`KEYS`] it holds.
#[derive(Debug, Clone, Default)]
pub struct Meta<'a> {
    /// `false` when the map is absent or null, so that a patch has to create it.
    pub present: bool,
    /// The pairs that matter.
    pub pairs: Vec<(&'static str, Cow<'a, str>)>,
    /// Bytes of all keys and values together, what the API server's 256 KiB limit counts.
    pub size: usize,
}

impl Meta<'_> {
    /// The value of one of the [`KEYS`].
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| *found == key).map(|(_, value)| &**value)
    }
}

/// An object of a review.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    /// Its whole JSON text.
    pub raw: &'a str,
    /// Its `apiVersion`.
    pub api_version: Cow<'a, str>,
    /// `metadata.name`; empty with `generateName`.
    pub name: Cow<'a, str>,
    /// `metadata.creationTimestamp`; empty on CREATE.
    pub created: Cow<'a, str>,
    /// `metadata.labels`.
    pub labels: Meta<'a>,
    /// `metadata.annotations`.
    pub annotations: Meta<'a>,
    /// JSON text of `metadata.managedFields`, if there is one.
    pub managed_fields: Option<&'a str>,
}

#[derive(Deserialize)]
struct Workload<'a> {
    #[serde(borrow)]
    spec: Option<WorkloadSpec<'a>>,
}

#[derive(Deserialize)]
struct WorkloadSpec<'a> {
    #[serde(borrow)]
    template: Option<Template<'a>>,
}

#[derive(Deserialize)]
struct Template<'a> {
    #[serde(borrow)]
    spec: Option<PodSpec<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec<'a> {
    #[serde(borrow)]
    node_selector: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
}

#[derive(Deserialize)]
struct Container<'a> {
    #[serde(borrow, default)]
    image: Cow<'a, str>,
}

/// Node selector keys that no node carries: how a `DaemonSet` is switched off without being deleted.
///
/// The first is what cilium-cli sets instead of deleting `aws-node`; the others are the ones that Calico's and
/// Cilium's guides use. Whether *some* node carries a label cannot be known from a review, so no other key counts.
const PARKING: [&str; 4] = ["io.cilium/aws-node-enabled", "non-calico", "non-existing", "no-such-node"];

impl Object<'_> {
    fn pod_spec(&self) -> Option<PodSpec<'_>> {
        serde_json::from_str::<Workload<'_>>(self.raw).ok()?.spec?.template?.spec
    }

    /// Whether this is a `DaemonSet` whose node selector can match no node. Reads the object again, so ask last.
    pub fn parked(&self) -> bool {
        self.pod_spec()
            .and_then(|spec| spec.node_selector)
            .is_some_and(|selector| PARKING.iter().any(|key| selector.contains_key(*key)))
    }

    /// Whether it runs images that only EKS ships (`…-eksbuild.N`). Reads the object again, so ask last.
    pub fn eks_images(&self) -> bool {
        self.pod_spec().and_then(|spec| spec.containers).is_some_and(|containers| {
            containers.iter().any(|container| container.image.contains("-eksbuild."))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_spec(spec: &str) -> String {
        format!(r#"{{"spec":{{"template":{{"spec":{spec}}}}}}}"#)
    }

    #[rstest::rstest]
    #[case(r#"{"nodeSelector":{"io.cilium/aws-node-enabled":"true"}}"#, true)]
    #[case(r#"{"nodeSelector":{"non-calico":"true","x":"y"}}"#, true)]
    #[case(r#"{"nodeSelector":{"kubernetes.io/os":"linux"}}"#, false)]
    #[case(r#"{"nodeSelector":{"team":"blue"}}"#, false)]
    #[case(r#"{"nodeSelector":{}}"#, false)]
    #[case(r#"{"nodeSelector":null}"#, false)]
    #[case(r#"{"nodeSelector":["io.cilium/aws-node-enabled"]}"#, false)]
    #[case("{}", false)]
    fn only_a_selector_that_is_known_to_park_counts_as_parked(#[case] spec: &str, #[case] parked: bool) {
        let raw = with_spec(spec);
        assert_eq!(Object { raw: &raw, ..Object::default() }.parked(), parked, "{spec}");
    }

    #[test]
    fn an_eksbuild_image_is_recognised() {
        let raw =
            with_spec(r#"{"containers":[{"name":"a"},{"image":"x/amazon-k8s-cni:v1.19.0-eksbuild.1"}]}"#);
        assert!(Object { raw: &raw, ..Object::default() }.eks_images());
        let raw = with_spec(r#"{"containers":[{"image":"x/amazon-k8s-cni:v1.19.0"}]}"#);
        assert!(!Object { raw: &raw, ..Object::default() }.eks_images());
    }
}
