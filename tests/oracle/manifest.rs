//! What EKS and the chart apply, and how such a manifest changes from one release to the next.

use serde_json::{Map, Value, json};

use crate::random::Random;
use crate::support::fixtures;

pub(crate) const KINDS: [&str; 6] = [
    "DaemonSet",
    "ServiceAccount",
    "ConfigMap",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
];

/// What EKS applies for this kind.
pub(crate) fn of_eks(kind: &str) -> Value {
    use std::sync::OnceLock;
    static ALL: OnceLock<Vec<Value>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let text = std::fs::read_to_string(fixtures::EKS_APPLY).unwrap();
        text.split("\n---")
            .filter(|text| text.contains("apiVersion:"))
            .map(|text| {
                serde_saphyr::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
            })
            .collect()
    });
    all.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

/// A few fields of an object, as a person or a tool applies them beside others.
pub(crate) fn part_of(object: &Value, random: &mut Random) -> Value {
    let metadata = &object["metadata"];
    let mut part = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": metadata["name"]}});
    if let Some(namespace) = metadata.get("namespace") {
        part["metadata"]["namespace"] = namespace.clone();
    }
    for _ in 0..=random.below(3) {
        mark(&mut part, random);
    }
    if object["kind"] == "DaemonSet" && random.once_in(2) {
        let (name, value) = variable(random);
        part["spec"] = json!({"template": {"spec": {"containers": [{"name": "aws-node", "env": [{"name": name, "value": value}]}]}}});
    }
    part
}

/// One change, as the next release or a person makes it.
pub(crate) fn vary(object: &mut Value, random: &mut Random) {
    if random.once_in(3) {
        return mark(object, random);
    }
    match object["kind"].as_str().unwrap() {
        "DaemonSet" => daemon_set(object, random),
        "ConfigMap" => {
            let key = random.of(&[
                "enable-windows-ipam",
                "minimum-ip-target",
                "warm-ip-target",
                "branch-eni-cooldown",
            ]);
            put_or_take(entry(object, "data"), key, random);
        }
        "ServiceAccount" => object["automountServiceAccountToken"] = json!(random.once_in(2)),
        "ClusterRole" => {
            let rules = items(object, "rules");
            if rules.len() > 1 && random.once_in(2) {
                rules.remove(random.below(rules.len()));
            } else {
                rules.push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": [random.of(&["get", "list", "watch"])]}));
            }
        }
        "ClusterRoleBinding" => {
            let name = random.of(&["aws-node", "aws-node-2", "aws-node-3"]);
            object["subjects"] =
                json!([{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}]);
        }
        _ => object["spec"]["names"]["shortNames"] = json!([random.of(&["eni", "enic", "enis"])]),
    }
}

/// A label or an annotation comes, changes or goes.
fn mark(object: &mut Value, random: &mut Random) {
    let map = random.of(&["labels", "annotations"]);
    let key = random.of(&["example.com/team", "example.com/a", "helm.sh/chart", "app.kubernetes.io/version"]);
    put_or_take(entry(&mut object["metadata"], map), key, random);
}

fn entry<'v>(object: &'v mut Value, key: &str) -> &'v mut Map<String, Value> {
    if !object[key].is_object() {
        object[key] = json!({});
    }
    object[key].as_object_mut().unwrap()
}

fn items<'v>(object: &'v mut Value, key: &str) -> &'v mut Vec<Value> {
    if !object[key].is_array() {
        object[key] = json!([]);
    }
    object[key].as_array_mut().unwrap()
}

fn put_or_take(map: &mut Map<String, Value>, key: &str, random: &mut Random) {
    if random.once_in(3) {
        map.remove(key);
    } else {
        map.insert(key.to_owned(), json!(random.of(&["1", "2", "3"])));
    }
}

fn variable(random: &mut Random) -> (&'static str, &'static str) {
    let names =
        ["AWS_VPC_ENI_MTU", "ENABLE_PREFIX_DELEGATION", "WARM_ENI_TARGET", "VPC_ID", "NEW_ONE", "OTHER_ONE"];
    (random.of(&names), random.of(&["1", "2", "9001"]))
}

fn daemon_set(object: &mut Value, random: &mut Random) {
    let spec = &mut object["spec"]["template"]["spec"];
    match random.below(9) {
        0 => spec["terminationGracePeriodSeconds"] = json!(10 + random.below(3)),
        1 => put_or_take(entry(spec, "nodeSelector"), "example.com/pool", random),
        2 => spec["tolerations"] = json!([{"operator": "Exists", "key": random.of(&["a", "b"])}]),
        3 => {
            let annotations = entry(&mut object["spec"]["template"]["metadata"], "annotations");
            put_or_take(annotations, "kubectl.kubernetes.io/restartedAt", random);
        }
        4 => {
            let volumes = items(spec, "volumes");
            let name = random.of(&["more", "yet-more"]);
            match volumes.iter().position(|volume| volume["name"] == name) {
                Some(at) => drop(volumes.remove(at)),
                None => volumes.push(json!({"name": name, "hostPath": {"path": "/tmp", "type": ""}})),
            }
        }
        5 => {
            let containers = items(spec, "containers");
            match containers.iter().position(|container| container["name"] == "sidecar") {
                Some(at) => drop(containers.remove(at)),
                None => containers.push(json!({"name": "sidecar", "image": "sidecar:1"})),
            }
        }
        6 => {
            let image = format!("cni:v1.{}.0-eksbuild.1", random.below(4));
            spec["containers"][0]["image"] = json!(image);
        }
        _ => {
            let container = &mut spec["containers"][0];
            let env = items(container, "env");
            let (name, value) = variable(random);
            match env.iter().position(|variable| variable["name"] == name) {
                Some(at) if random.once_in(2) => drop(env.remove(at)),
                Some(at) => env[at] = json!({"name": name, "value": value}),
                None => env.push(json!({"name": name, "value": value})),
            }
        }
    }
}

/// Lays `new` over `live` as a strategic merge patch roughly does: maps are joined, lists of named items by name.
pub(crate) fn merge(live: &mut Value, new: &Value) {
    match (live, new) {
        (Value::Object(live), Value::Object(new)) => {
            for (key, value) in new {
                merge(live.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(live), Value::Array(new)) if new.iter().all(|item| item["name"].is_string()) => {
            for item in new {
                match live.iter_mut().find(|other| other["name"] == item["name"]) {
                    Some(other) => merge(other, item),
                    None => live.push(item.clone()),
                }
            }
        }
        (live, new) => *live = new.clone(),
    }
}
