//! Live objects, rendered objects, and the question about them.

use cni_steward::acceptance::{Forecast, Question, Release, forecast};
use cni_steward::policy::Kind;
use serde_json::{Value, json};

pub(crate) const RELEASE: Release<'static> = Release { name: "aws-vpc-cni", namespace: "kube-system" };

/// An entry of `managedFields`; the operation is `Apply`, or `Update` where the manager ends in `*`.
pub(crate) fn entry(api_version: &str, manager: &str, fields: &Value) -> Value {
    let operation = if manager.ends_with('*') { "Update" } else { "Apply" };
    json!({"manager": manager.trim_end_matches('*'), "operation": operation, "apiVersion": api_version,
           "time": "2026-01-01T11:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// A `ConfigMap` with Helm's three marks that holds `data`, each entry given as manager and fields.
pub(crate) fn settings(data: &Value, entries: &[(&str, Value)]) -> Value {
    let entries: Vec<Value> = entries.iter().map(|(manager, fields)| entry("v1", manager, fields)).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "amazon-vpc-cni", "namespace": "kube-system",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "aws-vpc-cni", "meta.helm.sh/release-namespace": "kube-system"},
        "managedFields": entries}, "data": data})
}

/// What a chart renders for it.
pub(crate) fn rendered_settings(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
           "metadata": {"name": "amazon-vpc-cni", "labels": {"app.kubernetes.io/managed-by": "Helm"}}, "data": data})
}

/// A `DaemonSet` with Helm's three marks around one container; `fields` is what manager `eks` applied of that container.
pub(crate) fn workload(container: &Value, entries: &[(&str, Value)]) -> Value {
    let entries: Vec<Value> = entries
        .iter()
        .map(|(manager, fields)| {
            let list = json!({"k:{\"name\":\"aws-node\"}": fields});
            let template = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": list}}}});
            entry("apps/v1", manager, &template)
        })
        .collect();
    let mut object = rendered_workload(container);
    object["metadata"]["annotations"] = json!({
        "meta.helm.sh/release-name": "aws-vpc-cni", "meta.helm.sh/release-namespace": "kube-system",
    });
    object["metadata"]["managedFields"] = json!(entries);
    object
}

/// What a chart renders for it.
pub(crate) fn rendered_workload(container: &Value) -> Value {
    let mut container = container.clone();
    container["name"] = json!("aws-node");
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}}, "template": {
            "metadata": {"labels": {"k8s-app": "aws-node"}}, "spec": {"containers": [container]}}}})
}

pub(crate) fn ask(live: &Value, rendered: &Value) -> Forecast {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == live["kind"]).unwrap();
    let from_crds = kind == Kind::CustomResourceDefinition;
    forecast(&Question { kind, live, rendered, from_crds, manager: "helm", release: RELEASE })
}

/// `manager: path` for each path in conflict.
pub(crate) fn conflicts(forecast: &Forecast) -> Vec<String> {
    let paths = |conflict: &cni_steward::acceptance::Conflict| {
        let manager = conflict.manager.clone();
        conflict.paths.iter().map(move |path| format!("{manager}: {path}")).collect::<Vec<_>>()
    };
    forecast.conflicts.iter().flat_map(paths).collect()
}
