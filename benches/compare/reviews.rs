//! Reviews of any size, of the shape that an API server sends for `DaemonSet aws-node`: object, old object, and in both
//! a `managedFields` that grows with the containers' environment, so that its share stays the same at every size.

use serde_json::{Map, Value, json};

/// What a review is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// `eks` upgrades what it installed; nobody has adopted it.
    Upgrade,
    /// `eks` applies again what the owner has adopted: both hold everything.
    Return,
    /// A `DaemonSet` of somebody else.
    Stranger,
    /// `eks` creates.
    Create,
}

/// A review of about so many bytes.
pub fn review(story: Story, bytes: usize) -> Vec<u8> {
    let length = |variables: usize| build(story, variables).len();
    let (empty, some) = (length(0), length(64));
    let each = (some - empty).div_ceil(64).max(1);
    build(story, bytes.saturating_sub(empty) / each)
}

fn build(story: Story, variables: usize) -> Vec<u8> {
    let name = if story == Story::Stranger { "node-exporter" } else { "aws-node" };
    let eks = |time: &str| entry("eks", "Apply", Some(time), fields(variables, false));
    let mut seen = entry(
        "kube-controller-manager",
        "Update",
        Some("2026-01-01T10:00:09Z"),
        json!({"f:status": {"f:currentNumberScheduled": {}, "f:desiredNumberScheduled": {}, "f:numberReady": {}}}),
    );
    seen["subresource"] = json!("status");
    let (new, old) = match story {
        Story::Upgrade | Story::Stranger => (
            object(name, variables, "v1.22.4", false, &[eks("2026-01-01T11:00:00Z"), seen.clone()]),
            object(name, variables, "v1.22.3", false, &[eks("2026-01-01T10:00:00Z"), seen]),
        ),
        Story::Return => {
            let helm = entry("helm", "Apply", Some("2026-01-01T10:00:00Z"), fields(variables, true));
            let back = entry("eks", "Apply", None, fields(variables, false));
            (
                object(name, variables, "v1.22.4", true, &[back, helm.clone(), seen.clone()]),
                object(name, variables, "v1.22.4", true, &[helm, seen]),
            )
        }
        Story::Create => {
            (object(name, variables, "v1.22.4", false, &[eks("2026-01-01T11:00:00Z")]), Value::Null)
        }
    };
    let resource = json!({"group": "apps", "version": "v1", "resource": "daemonsets"});
    let kind = json!({"group": "apps", "version": "v1", "kind": "DaemonSet"});
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "97b1c549-1cf3-4cd7-bf95-d6debc7f7c19", "kind": kind, "resource": resource, "requestKind": kind,
        "requestResource": resource, "name": name, "namespace": "kube-system",
        "operation": if old.is_null() { "CREATE" } else { "UPDATE" },
        "userInfo": {"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]},
        "object": new, "oldObject": old, "dryRun": false,
        "options": {"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "force": true, "fieldManager": "eks"}}});
    review.to_string().into_bytes()
}

fn object(name: &str, variables: usize, version: &str, adopted: bool, entries: &[Value]) -> Value {
    let environment: Vec<Value> =
        (0..variables).map(|at| json!({"name": variable(at), "value": format!("setting-{at}")})).collect();
    let mut labels = json!({"app.kubernetes.io/instance": "aws-vpc-cni", "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": "aws-node", "app.kubernetes.io/version": version, "k8s-app": "aws-node"});
    let mut annotations = json!({"deprecated.daemonset.template.generation": "1"});
    if adopted {
        labels["cni-steward.dev/installed-by"] = json!("eks");
        labels["aws.cluster.x-k8s.io/prevent-deletion"] = json!("true");
        annotations["meta.helm.sh/release-name"] = json!("aws-vpc-cni");
        annotations["meta.helm.sh/release-namespace"] = json!("kube-system");
    }
    json!({"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {
        "name": name, "namespace": "kube-system", "uid": "084676c1-e9c8-4dfa-84e1-226123259319",
        "resourceVersion": "217", "generation": 2, "creationTimestamp": "2026-01-01T10:00:00Z",
        "labels": labels, "annotations": annotations, "managedFields": entries},
        "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}}, "template": {
            "metadata": {"labels": {"k8s-app": "aws-node"}},
            "spec": {"containers": [{"name": "aws-node", "image": format!("registry.example/amazon-k8s-cni:{version}"),
                "env": environment, "resources": {"requests": {"cpu": "25m"}},
                "ports": [{"containerPort": 61678, "name": "metrics", "protocol": "TCP"}],
                "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"}],
                "restartPolicy": "Always", "serviceAccountName": "aws-node", "hostNetwork": true}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}},
            "revisionHistoryLimit": 10},
        "status": {"currentNumberScheduled": 3, "desiredNumberScheduled": 3, "numberReady": 3}})
}

fn variable(at: usize) -> String {
    format!("AWS_VPC_SETTING_{at:06}")
}

fn fields(variables: usize, adopted: bool) -> Value {
    let environment: Map<String, Value> = std::iter::once((".".to_owned(), json!({})))
        .chain((0..variables).map(|at| {
            (format!(r#"k:{{"name":"{}"}}"#, variable(at)), json!({".": {}, "f:name": {}, "f:value": {}}))
        }))
        .collect();
    let environment = if variables == 0 { json!({}) } else { Value::Object(environment) };
    let mut metadata = json!({"f:labels": {"f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/managed-by": {},
        "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/version": {}, "f:k8s-app": {}}});
    if adopted {
        metadata = json!({"f:annotations": {"f:meta.helm.sh/release-name": {}, "f:meta.helm.sh/release-namespace": {}},
            "f:labels": metadata["f:labels"]});
    }
    json!({"f:metadata": metadata, "f:spec": {"f:selector": {}, "f:template": {
        "f:metadata": {"f:labels": {"f:k8s-app": {}}},
        "f:spec": {"f:containers": {r#"k:{"name":"aws-node"}"#: {".": {}, "f:env": environment, "f:image": {},
            "f:name": {}, "f:ports": {".": {}, r#"k:{"containerPort":61678,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {},
                "f:name": {}}}, "f:resources": {"f:requests": {"f:cpu": {}}}}},
            "f:hostNetwork": {}, "f:serviceAccountName": {}}}, "f:updateStrategy": {"f:rollingUpdate": {"f:maxUnavailable": {}},
        "f:type": {}}}})
}

fn entry(manager: &str, operation: &str, time: Option<&str>, fields: Value) -> Value {
    let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1"});
    if let Some(time) = time {
        entry["time"] = json!(time);
    }
    entry["fieldsType"] = json!("FieldsV1");
    entry["fieldsV1"] = fields;
    entry
}
