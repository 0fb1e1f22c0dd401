//! Builds reviews and reads answers.

use base64::Engine as _;
use cni_steward_verdict::admission::{Answer, answer};
use cni_steward_verdict::policy::Policy;
use jiff::Timestamp;
use serde_json::{Value, json};

pub const NOW: &str = "2026-01-01T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn policy(text: &str) -> Policy {
    Policy::parse("policy.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

pub fn adopt() -> Policy {
    policy("mode: Adopt")
}

/// A write under construction.
#[derive(Clone)]
pub struct Write {
    pub review: Value,
}

/// What came back.
pub struct Seen {
    pub answer: Answer<'static>,
    pub response: Value,
    pub patch: Option<Value>,
    /// The object after the patch.
    pub object: Value,
}

fn resource(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "DaemonSet" => ("apps", "daemonsets"),
        "ServiceAccount" => ("", "serviceaccounts"),
        "ConfigMap" => ("", "configmaps"),
        "ClusterRole" => ("rbac.authorization.k8s.io", "clusterroles"),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "clusterrolebindings"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "customresourcedefinitions"),
        "Pod" => ("", "pods"),
        other => panic!("no test resource for {other}"),
    }
}

pub fn entry(manager: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "2026-01-01T11:00:00Z",
           "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// The entry that an `eks` apply of [`daemon_set`] makes.
pub fn eks_entry() -> Value {
    entry(
        "eks",
        "Apply",
        json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}, "f:k8s-app": {}}},
               "f:spec": {"f:template": {}}}),
    )
}

/// A DaemonSet as EKS applies it.
pub fn daemon_set() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
        "name": "aws-node", "namespace": "kube-system",
        "labels": {"app.kubernetes.io/managed-by": "Helm", "k8s-app": "aws-node"},
        "managedFields": [eks_entry()]},
        "spec": {"template": {"spec": {"containers": [{"name": "aws-node", "image": "cni:v1-eksbuild.1"}]}}}})
}

/// The same object of another kind, with the coordinates that make it a target.
pub fn target(kind: &str) -> Value {
    let mut object = daemon_set();
    let (group, _) = resource(kind);
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    for entry in object["metadata"]["managedFields"].as_array_mut().unwrap() {
        entry["apiVersion"] = json!(api_version);
    }
    if matches!(kind, "ClusterRole" | "ClusterRoleBinding" | "CustomResourceDefinition") {
        object["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    match kind {
        "ConfigMap" => object["metadata"]["name"] = json!("amazon-vpc-cni"),
        "CustomResourceDefinition" => {
            object["metadata"]["name"] = json!("eniconfigs.crd.k8s.amazonaws.com");
            object["metadata"].as_object_mut().unwrap().remove("labels");
        }
        _ => {}
    }
    object
}

impl Write {
    pub fn create(object: &Value) -> Self {
        let kind = object["kind"].as_str().unwrap_or("DaemonSet");
        let (group, resource) = resource(kind);
        let metadata = &object["metadata"];
        Self {
            review: json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
                "uid": "7f0c", "kind": {"group": group, "version": "v1", "kind": kind},
                "resource": {"group": group, "version": "v1", "resource": resource},
                "name": metadata["name"].as_str().unwrap_or(""),
                "namespace": metadata["namespace"].as_str().unwrap_or(""),
                "operation": "CREATE",
                "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
                "object": object, "oldObject": null, "dryRun": false,
                "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "eks"}}}),
        }
    }

    pub fn update(old: &Value, object: &Value) -> Self {
        Self::create(object).set("operation", json!("UPDATE")).set("oldObject", old.clone())
    }

    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.review["request"][key] = value;
        self
    }

    pub fn user(mut self, name: &str) -> Self {
        self.review["request"]["userInfo"]["username"] = json!(name);
        self
    }

    pub fn manager(mut self, name: &str) -> Self {
        self.review["request"]["options"]["fieldManager"] = json!(name);
        self
    }

    pub fn addon(self) -> Self {
        self.user("eks:addon-manager")
    }

    pub fn judge(&self, policy: &Policy) -> Seen {
        see(self.review.to_string().as_bytes(), policy)
    }
}

/// Sends bytes and takes the answer apart; the patch must apply (law 1).
pub fn see(body: &[u8], policy: &Policy) -> Seen {
    // An answer borrows from its body.
    let answer = answer(body.to_vec().leak(), policy, now());
    let review: Value = serde_json::from_slice(&answer.body.whole(body)).unwrap();
    let response = review["response"].clone();
    let patch = response["patch"].as_str().map(|patch| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap_or_else(|error| {
            // This test's own reader stops at 128 levels.
            assert!(error.to_string().contains("recursion limit"), "{error}");
            Value::Null
        })
    });
    let mut object = serde_json::from_slice::<Value>(body)
        .map_or(Value::Null, |review| review["request"]["object"].clone());
    assert_eq!(response["patchType"].as_str(), patch.as_ref().map(|_| "JSONPatch"));
    // What this test's own reader cannot hold (1e400, a byte order mark) has no object to patch here.
    if let Some(patch) = patch.as_ref().filter(|_| !object.is_null()) {
        let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
        json_patch::patch(&mut object, &patch)
            .unwrap_or_else(|error| panic!("{patch:?} does not apply: {error}"));
    }
    Seen { answer, response, patch, object }
}

impl Seen {
    pub fn reason(&self) -> &'static str {
        self.answer.record.reason
    }

    pub fn verdict(&self) -> &'static str {
        self.answer.record.verdict
    }

    #[track_caller]
    pub fn assert_left(&self, reason: &str) {
        assert_eq!((self.verdict(), self.reason()), ("leave", reason), "{}", self.response);
        assert_eq!(self.response["allowed"], true);
        assert_eq!(self.patch, None, "a write that is left alone gets no patch");
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.object["metadata"]["labels"][key].as_str()
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.object["metadata"]["annotations"][key].as_str()
    }

    /// `manager/operation[/subresource]` of each entry, in order.
    pub fn owners(&self) -> Vec<String> {
        owners(&self.object)
    }

    /// The fields of one manager's Apply entry.
    pub fn fields_of(&self, manager: &str) -> Value {
        self.object["metadata"]["managedFields"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["manager"] == manager && entry["operation"] == "Apply")
            .map_or(Value::Null, |entry| entry["fieldsV1"].clone())
    }

    pub fn warnings(&self) -> &[String] {
        &self.answer.record.warnings
    }
}

pub fn owners(object: &Value) -> Vec<String> {
    object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            let mut owner =
                format!("{}/{}", entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap());
            if let Some(subresource) = entry["subresource"].as_str() {
                owner = format!("{owner}/{subresource}");
            }
            owner
        })
        .collect()
}
