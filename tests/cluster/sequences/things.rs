//! What the manifests of a sequence can say, by path and as text: an account of its own, apart from the forecast's.

use std::collections::BTreeMap;

use cni_steward::acceptance::Manifest;
use serde_json::Value;

/// Path as the API server writes it → value.
pub(crate) type Things = BTreeMap<String, String>;

/// `Kind/name`.
pub(crate) fn title(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

/// The things of each object that a manifest renders, but for the CRD, which no upgrade touches.
pub(crate) fn of_manifest(manifest: &str) -> BTreeMap<String, Things> {
    let manifest =
        Manifest::parse("manifest", manifest, "kube-system").unwrap_or_else(|error| panic!("{error}"));
    let objects = manifest.documents.iter().map(|document| &document.object);
    objects
        .filter(|object| object["kind"] != "CustomResourceDefinition")
        .map(|object| (title(object), of(object)))
        .collect()
}

/// The things of one object.
pub(crate) fn of(object: &Value) -> Things {
    let mut things = Things::new();
    for path in [
        "/metadata/labels",
        "/metadata/annotations",
        "/data",
        "/spec/template/metadata/labels",
        "/spec/template/metadata/annotations",
    ] {
        for (key, value) in object.pointer(path).and_then(Value::as_object).into_iter().flatten() {
            things.insert(format!("{}.{key}", path.replace('/', ".")), text(value));
        }
    }
    for path in ["/rules", "/subjects", "/secrets", "/spec/template/spec/terminationGracePeriodSeconds"] {
        if let Some(value) = object.pointer(path) {
            things.insert(path.replace('/', "."), text(value));
        }
    }
    for list in ["containers", "initContainers"] {
        let containers = object.pointer(&format!("/spec/template/spec/{list}")).and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let path = format!(".spec.template.spec.{list}[name={}]", container["name"]);
            for field in ["image", "imagePullPolicy", "args"] {
                if let Some(value) = container.get(field) {
                    things.insert(format!("{path}.{field}"), text(value));
                }
            }
            if let Some(cpu) = container.pointer("/resources/requests/cpu") {
                things.insert(format!("{path}.resources.requests.cpu"), text(cpu));
            }
            for variable in container["env"].as_array().into_iter().flatten() {
                things.insert(format!("{path}.env[name={}]", variable["name"]), text(&variable["value"]));
            }
        }
    }
    things
}

fn text(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
