//! What EKS applies from one release to the next: the fixtures, varied.

use cni_steward::acceptance::Manifest as Documents;
use serde_json::{Value, json};

use super::plan::{Manifest, pick};
use crate::support::fixtures;

/// The manifest that these numbers describe.
pub(crate) fn manifest(Manifest(f): &Manifest) -> String {
    let file = if f[0].is_multiple_of(2) { fixtures::EKS_APPLY } else { fixtures::EKS_APPLY_NEXT };
    let text = std::fs::read_to_string(file).unwrap();
    let documents = Documents::parse(file, &text, "kube-system").unwrap().documents;
    let mut manifest = String::new();
    for document in documents {
        let mut object = document.object;
        let track = pick(f[9], &[Value::Null, json!("stable"), json!("rapid")]);
        if object["kind"] != "CustomResourceDefinition" && !track.is_null() {
            object["metadata"]["labels"]["eks.example.com/track"] = track;
        }
        match object["kind"].as_str().unwrap() {
            "DaemonSet" => workload(&mut object["spec"]["template"]["spec"], f),
            "ConfigMap" => {
                set(&mut object["data"], "warm-ip-target", &pick(f[6], &[json!("1"), json!("7")]));
                set(&mut object["data"], "eks-key", &pick(f[7], &[Value::Null, json!("x")]));
            }
            "ServiceAccount" if f[8].is_multiple_of(2) => {
                object["metadata"]["annotations"] = json!({"eks.example.com/note": f[8].to_string()});
            }
            "ClusterRole" if f[12].is_multiple_of(2) => {
                let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]});
                object["rules"].as_array_mut().unwrap().push(rule);
            }
            _ => {}
        }
        manifest.extend(["---\n", &object.to_string(), "\n"]);
    }
    manifest
}

fn set(map: &mut Value, key: &str, value: &Value) {
    let map = map.as_object_mut().unwrap();
    map.remove(key);
    if !value.is_null() {
        map.insert(key.to_owned(), value.clone());
    }
}

fn workload(pod: &mut Value, f: &[u64; 13]) {
    if f[4].is_multiple_of(4) {
        pod["containers"].as_array_mut().unwrap().truncate(1);
    }
    let container = &mut pod["containers"][0];
    let image = format!("{}.{}", container["image"].as_str().unwrap(), f[5] % 2);
    container["image"] = json!(image);
    container["resources"]["requests"]["cpu"] = pick(f[10], &[json!("25m"), json!("50m")]);
    for (name, value) in [
        ("WARM_ENI_TARGET", pick(f[1], &[json!("1"), json!("2"), json!("5"), Value::Null])),
        ("AWS_VPC_ENI_MTU", pick(f[3], &[json!("9001"), json!("9001"), Value::Null])),
        ("EKS_ONE", pick(f[2], &[Value::Null, json!("1"), json!("2")])),
        ("MINE", pick(f[11], &[Value::Null, Value::Null, json!("eks")])),
    ] {
        let variables = container["env"].as_array_mut().unwrap();
        variables.retain(|variable| variable["name"] != name);
        if !value.is_null() {
            variables.push(json!({"name": name, "value": value}));
        }
    }
}
