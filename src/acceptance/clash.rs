//! Places where only one of several fields may be set, and names that may stand once. A merge keeps what was there and adds
//! what is rendered, so a chart that turns `value` into `valueFrom`, or moves a named port to another number, makes an
//! object that the API server refuses (kubernetes `pkg/apis/core/validation`: `validateEnvVarValueFrom`,
//! `validateVolumeSource`, `validateHandler`, `validateContainerPorts`).

use serde_json::Value;

use super::fault::{Fault, Why};

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
/// What stands in a probe beside its one handler.
const PROBE_SETTINGS: [&str; 6] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
];

/// The clashes in a pod template. `volumes`: whether volumes are merged field by field, as server-side apply does; Helm 3's
/// patch replaces a volume's source (`retainKeys`).
pub(super) fn find(object: &Value, volumes: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(pod) = object.pointer("/spec/template/spec") else { return faults };
    for list in ["containers", "initContainers"] {
        for (container, path) in items(pod, list, ".spec.template.spec") {
            for (variable, path) in items(container, "env", &path) {
                // An empty value is no value.
                let set = |name: &&str| {
                    variable.get(name).is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
                };
                let both: Vec<&str> = ["value", "valueFrom"].into_iter().filter(set).collect();
                push(&mut faults, &path, &both);
                push(&mut faults, &format!("{path}.valueFrom"), &names(variable.get("valueFrom"), &[]));
            }
            for probe in PROBES {
                let handlers = names(container.get(probe), &PROBE_SETTINGS);
                push(&mut faults, &format!("{path}.{probe}"), &handlers);
            }
            twice(&mut faults, container, &path);
        }
    }
    if volumes {
        for (volume, path) in items(pod, "volumes", ".spec.template.spec") {
            push(&mut faults, &path, &names(Some(volume), &["name"]));
        }
    }
    faults
}

/// The items of a list that are told apart by name, each with its path.
fn items<'v>(parent: &'v Value, list: &'v str, path: &str) -> Vec<(&'v Value, String)> {
    let items = parent.get(list).and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| (item, format!("{path}.{list}[name={}]", item.get("name").unwrap_or(&Value::Null))))
        .collect()
}

fn names<'v>(value: Option<&'v Value>, but: &[&str]) -> Vec<&'v str> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    let set = fields.filter(|(name, value)| !value.is_null() && !but.contains(&name.as_str()));
    set.map(|(name, _)| name.as_str()).collect()
}

/// The names that two ports of a container have.
fn twice(faults: &mut Vec<Fault>, container: &Value, path: &str) {
    let ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
    let mut seen = Vec::new();
    for name in ports.filter_map(|port| port.get("name")?.as_str()).filter(|name| !name.is_empty()) {
        if seen.contains(&name) {
            faults.push(Fault {
                path: format!("{path}.ports"),
                why: Why::Twice,
                live: String::new(),
                wanted: Value::from(name).to_string(),
                original_match_labels: None,
            });
        }
        seen.push(name);
    }
}

fn push(faults: &mut Vec<Fault>, path: &str, set: &[&str]) {
    if set.len() > 1 {
        faults.push(Fault {
            path: path.to_owned(),
            why: Why::OneOf,
            live: String::new(),
            wanted: set.join(", "),
            original_match_labels: None,
        });
    }
}
