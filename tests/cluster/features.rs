//! Objects of the catalogued kinds, each feature decided by one number: maps, lists by key, atomic lists, zero values,
//! quantities in several spellings, values with defaults.

use serde_json::{Value, json};

use crate::draw::Draw;
use crate::state::Kind;

/// What an object says, each of its features one number.
pub(crate) type Features = [u64; 20];

/// Draws some of the features anew.
pub(crate) fn change(features: &mut Features, draw: &mut Draw, most: u64) {
    for _ in 0..most {
        let which = usize::try_from(draw.below(20)).unwrap();
        features[which] = draw.below(60);
    }
}

/// The object that these numbers describe.
pub(crate) fn object(kind: Kind, name: &str, features: &Features) -> Value {
    let metadata = metadata(kind, name, features);
    match kind {
        Kind::Workload => workload(&metadata, features),
        Kind::Account => {
            let mut object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
            some(
                &mut object,
                "secrets",
                pick(features[1], &[Value::Null, json!([{"name": "a"}]), json!([{"name": "b"}])]),
            );
            some(
                &mut object,
                "automountServiceAccountToken",
                pick(features[2], &[Value::Null, json!(true), json!(false)]),
            );
            some(
                &mut object,
                "imagePullSecrets",
                pick(
                    features[3],
                    &[Value::Null, json!([{"name": "a"}]), json!([{"name": "a"}, {"name": "b"}])],
                ),
            );
            object
        }
        Kind::Settings => {
            let data: serde_json::Map<String, Value> = (0..6)
                .filter(|&key| !features[key + 1].is_multiple_of(3))
                .map(|key| (format!("key-{key}"), json!((features[key + 1] % 4).to_string())))
                .collect();
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        }
        Kind::Role => {
            let verbs = pick(features[1], &[json!(["get"]), json!(["get", "list"]), json!(["list", "get"])]);
            let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]);
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules})
        }
        Kind::Binding => {
            let account = pick(features[1], &[json!("aws-node"), json!("aws-node"), json!("other")]);
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aws-node"},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "kube-system"}],
            })
        }
        Kind::Schema => schema(name, &metadata, features),
    }
}

fn pick(feature: u64, values: &[Value]) -> Value {
    values[usize::try_from(feature).unwrap() % values.len()].clone()
}

/// Sets a field, but not to null.
fn some(object: &mut Value, field: &str, value: Value) {
    if !value.is_null() {
        object[field] = value;
    }
}

fn metadata(kind: Kind, name: &str, features: &Features) -> Value {
    let mut labels = json!({"k8s-app": "aws-node"});
    some(
        &mut labels,
        "app.kubernetes.io/version",
        pick(features[0], &[Value::Null, json!("v1"), json!("v2")]),
    );
    some(
        &mut labels,
        "team.example.com/owner",
        pick(features[0] / 3, &[Value::Null, Value::Null, json!("net")]),
    );
    let mut metadata = json!({"name": name, "labels": labels});
    if !matches!(kind, Kind::Role | Kind::Binding | Kind::Schema) {
        metadata["namespace"] = json!("kube-system");
    }
    some(
        &mut metadata,
        "annotations",
        pick(features[0] / 9, &[Value::Null, json!({"a.example.com/x": "1"}), json!({})]),
    );
    metadata
}

fn environment(features: &[u64]) -> Value {
    let variables =
        features.iter().enumerate().filter(|(_, feature)| !feature.is_multiple_of(3)).map(|(at, feature)| {
            let name = format!("VARIABLE_{at}");
            match feature % 7 {
                0 => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}),
                1 => json!({"name": name, "value": ""}),
                other => json!({"name": name, "value": (other % 3).to_string()}),
            }
        });
    Value::Array(variables.collect())
}

fn container(name: &str, features: &[u64]) -> Value {
    let mut container = json!({"name": name, "image": pick(features[0], &[json!("cni:1"), json!("cni:2")])});
    some(
        &mut container,
        "imagePullPolicy",
        pick(features[1], &[Value::Null, json!("Always"), json!("IfNotPresent")]),
    );
    some(&mut container, "args", pick(features[2], &[Value::Null, json!(["-a"]), json!(["-a", "-b"])]));
    let cpu =
        pick(features[3], &[Value::Null, json!("25m"), json!("0.025"), json!(1), json!("1"), json!("1000m")]);
    if !cpu.is_null() {
        container["resources"] = json!({"requests": {"cpu": cpu}});
    }
    let ports = pick(
        features[4],
        &[
            Value::Null,
            json!([{"containerPort": 61678}]),
            json!([{"containerPort": 61678, "name": "metrics", "protocol": "TCP"}]),
            json!([{"containerPort": 61678}, {"containerPort": 9100}]),
            json!([{"containerPort": 9100, "name": "metrics"}]),
        ],
    );
    some(&mut container, "ports", ports);
    let context = [
        Value::Null,
        json!({}),
        json!({"privileged": true}),
        json!({"privileged": false, "capabilities": {"add": ["NET_ADMIN"]}}),
    ];
    some(&mut container, "securityContext", pick(features[5], &context));
    let mounts = [
        Value::Null,
        json!([{"name": "a", "mountPath": "/a"}]),
        json!([{"name": "a", "mountPath": "/a", "readOnly": false}, {"name": "b", "mountPath": "/b"}]),
    ];
    some(&mut container, "volumeMounts", pick(features[6], &mounts));
    container
}

fn workload(metadata: &Value, features: &Features) -> Value {
    let mut main = container("aws-node", &features[1..8]);
    main["env"] = environment(&features[8..13]);
    if features[13].is_multiple_of(4) {
        main["livenessProbe"] =
            json!({"exec": {"command": ["true"]}, "initialDelaySeconds": features[13] % 3});
    }
    let mut containers = vec![main];
    if features[14].is_multiple_of(2) {
        containers.push(container("agent", &features[5..12]));
    }
    let labels = json!({"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"});
    let mut pod = json!({
        "containers": containers,
        "volumes": [{"name": "a", "hostPath": {"path": "/a"}}, {"name": "b", "hostPath": {"path": "/b", "type": ""}}],
    });
    some(&mut pod, "hostNetwork", pick(features[15], &[Value::Null, json!(true), json!(false), json!(true)]));
    some(
        &mut pod,
        "tolerations",
        pick(features[16], &[Value::Null, json!([{"operator": "Exists"}]), json!([])]),
    );
    some(&mut pod, "terminationGracePeriodSeconds", pick(features[17], &[Value::Null, json!(10), json!(30)]));
    some(
        &mut pod,
        "nodeSelector",
        pick(features[18], &[Value::Null, json!({"a": "b"}), json!({"a": "b", "c": "d"})]),
    );
    let mut spec = json!({
        "selector": {"matchLabels": {"k8s-app": "aws-node"}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    let strategies = [
        Value::Null,
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}),
        json!({"rollingUpdate": {"maxUnavailable": 1}}),
        json!({"type": "RollingUpdate"}),
    ];
    some(&mut spec, "updateStrategy", pick(features[19], &strategies));
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})
}

fn schema(name: &str, metadata: &Value, features: &Features) -> Value {
    let (plural, group) = name.split_once('.').unwrap();
    let mut spec = json!({
        "group": group,
        "names": {"kind": "Thing", "plural": plural, "singular": "thing"},
        "scope": "Cluster",
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
            "type": "object", "description": pick(features[1], &[json!("one"), json!("two")]),
        }}}],
    });
    some(&mut spec, "preserveUnknownFields", pick(features[2], &[Value::Null, json!(false)]));
    some(&mut spec["names"], "shortNames", pick(features[3], &[Value::Null, json!(["th"]), json!(["thi"])]));
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec})
}
