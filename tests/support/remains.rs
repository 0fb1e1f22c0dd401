//! What a purge leaves as it is, and what of an object its undo brings back.

use serde_json::{Value, json};

use super::control_plane::{ControlPlane, User};

/// What AWS runs beside the VPC CNI, as far as it lies in the cluster.
pub(crate) fn off_limits(plane: &ControlPlane) {
    let apply = |object: &Value| {
        let args = ["apply", "--server-side", "-f", "-"];
        plane.kubectl_stdin(User::Admin, &args, &object.to_string()).ok();
    };
    for (group, kind, plural, scope) in [
        ("vpcresources.k8s.aws", "CNINode", "cninodes", "Cluster"),
        ("vpcresources.k8s.aws", "SecurityGroupPolicy", "securitygrouppolicies", "Namespaced"),
        ("networking.k8s.aws", "PolicyEndpoint", "policyendpoints", "Namespaced"),
    ] {
        let version = if kind == "SecurityGroupPolicy" { "v1beta1" } else { "v1alpha1" };
        apply(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": scope,
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{
                    "name": version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        }));
        let wait = ["wait", "--for=condition=Established", "--timeout=30s", &format!("crd/{plural}.{group}")];
        plane.kubectl(User::Admin, &wait).ok();
    }
    apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "vpc-resource-controller-role"}, "rules": [],
    }));
    apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "vpc-resource-mutating-webhook"}, "webhooks": [],
    }));
    apply(&json!({
        "apiVersion": "vpcresources.k8s.aws/v1alpha1", "kind": "CNINode",
        "metadata": {"name": "a", "finalizers": ["networking.k8s.aws/resource-cleanup"]},
    }));
}

/// Everything off limits with the revision of its last write.
pub(crate) fn limits(plane: &ControlPlane) -> Vec<(String, u64)> {
    let mut state = plane.etcd_state();
    // The API server publishes new kinds a moment later.
    state.retain(|key, _| {
        !key.contains("apiregistration")
            && ["vpcresources.k8s.aws", "networking.k8s.aws", "vpc-resource"]
                .iter()
                .any(|part| key.contains(part))
    });
    assert!(state.len() >= 6, "expected what is off limits to be there: {state:?}");
    state.into_iter().collect()
}

/// What of an object outlives it: no status, nothing of its present life, not our pause.
pub(crate) fn lasting(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
        metadata.remove(key);
    }
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        entries.retain(|entry| entry["subresource"].is_null());
    }
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    annotations.as_object_mut().unwrap().remove("cni-steward.dev/allow-until");
    object
}
