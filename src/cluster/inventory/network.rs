//! Other networks (CNIs): which run here, and on which nodes each is ready.
//!
//! They are known by the name of their `DaemonSet`, which their charts and manifests all fix. One that only adds to the VPC CNI
//! (policies, or chained behind it) is told apart, by its `DaemonSet` or its settings: when the VPC CNI goes, it gives no Pod an
//! address.

use std::collections::BTreeSet;

use serde_json::Value;

use super::orphan::is_daemon_set;
use super::{condition, list, text};

/// A network and the `DaemonSet` that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `Cilium`, `Calico`, …
    pub product: &'static str,
    /// The namespace of its `DaemonSet`.
    pub namespace: String,
    /// The name of its `DaemonSet`.
    pub name: String,
    /// The nodes on which its Pod is ready.
    pub ready_on: BTreeSet<String>,
    /// It needs the VPC CNI, and why.
    pub chained: Option<Chained>,
    /// Its Pods, as a label selector.
    pub selector: String,
    /// The `ConfigMap`, beside its `DaemonSet`, that says whether it needs the VPC CNI; `""` if the `DaemonSet` says it.
    pub settings: String,
}

/// Why a network needs the VPC CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chained {
    /// Cilium's `cni-chaining-mode` is `aws-cni` (or another that stands behind it).
    Chaining,
    /// Calico, Antrea or kube-router without networking of its own: policies only.
    PolicyOnly,
    /// Cilium's `custom-cni-conf`: which network a node uses is said by a file of somebody else's, as while nodes are moved to
    /// Cilium one by one.
    Elsewhere,
}

/// Names of `DaemonSet`s, and whose they are.
const KNOWN: [(&str, &str); 13] = [
    ("cilium", "Cilium"),
    ("cilium-node", "Cilium"),
    ("calico-node", "Calico"),
    ("canal", "Canal"),
    ("rke2-canal", "Canal"),
    ("kube-flannel-ds", "Flannel"),
    ("kube-flannel", "Flannel"),
    ("weave-net", "Weave Net"),
    ("antrea-agent", "Antrea"),
    ("kube-router", "kube-router"),
    ("ovnkube-node", "OVN-Kubernetes"),
    ("kube-ovn-cni", "Kube-OVN"),
    ("kindnet", "kindnet"),
];

impl Network {
    /// The network that a `DaemonSet` runs, if it is a known one.
    pub(super) fn of(daemon_set: &Value) -> Option<Self> {
        let name = text(daemon_set, "/metadata/name")?;
        let (_, product) = KNOWN.iter().find(|(known, _)| *known == name)?;
        let containers = list(daemon_set, "/spec/template/spec/containers");
        let policy_only = match *product {
            "Calico" => containers.iter().flat_map(|container| list(container, "/env")).any(|env| {
                text(env, "/name") == Some("CALICO_NETWORKING_BACKEND") && text(env, "/value") == Some("none")
            }),
            "kube-router" => containers
                .iter()
                .flat_map(|container| [list(container, "/command"), list(container, "/args")].concat())
                .any(|word| word == "--run-router=false"),
            _ => false,
        };
        let settings = match *product {
            "Cilium" => "cilium-config",
            // Its name ends in a hash in some releases.
            "Antrea" => list(daemon_set, "/spec/template/spec/volumes")
                .iter()
                .find(|volume| text(volume, "/name") == Some("antrea-config"))
                .and_then(|volume| text(volume, "/configMap/name"))
                .unwrap_or("antrea-config"),
            _ => "",
        };
        Some(Self {
            product,
            namespace: text(daemon_set, "/metadata/namespace")?.to_owned(),
            name: name.to_owned(),
            ready_on: BTreeSet::new(),
            chained: policy_only.then_some(Chained::PolicyOnly),
            selector: selector(daemon_set),
            settings: settings.to_owned(),
        })
    }

    /// Takes its settings.
    pub(super) fn configured(&mut self, settings: &Value) {
        let said = |key: &str| settings.get("data").and_then(|data| data.get(key)).and_then(Value::as_str);
        if said("cni-chaining-mode").is_some_and(|mode| !matches!(mode, "" | "none")) {
            self.chained = Some(Chained::Chaining);
        } else if said("custom-cni-conf") == Some("true") {
            self.chained = Some(Chained::Elsewhere);
        } else if said("antrea-agent.conf").is_some_and(only_policies) {
            self.chained = Some(Chained::PolicyOnly);
        }
    }
}

/// Whether Antrea's settings, in YAML with its comments, leave the Pods' network to another CNI.
fn only_policies(settings: &str) -> bool {
    settings.lines().any(|line| {
        let mode = line.trim().strip_prefix("trafficEncapMode:").unwrap_or_default();
        let mode = mode.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        mode.eq_ignore_ascii_case("networkPolicyOnly")
    })
}

/// The Pods of a `DaemonSet`, as a label selector.
pub(super) fn selector(daemon_set: &Value) -> String {
    let labels = daemon_set.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs: Vec<_> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    pairs.join(",")
}

/// The nodes on which a Pod of this `DaemonSet` is ready.
pub(super) fn ready_on(pods: &[Value], daemon_set: &str) -> BTreeSet<String> {
    pods.iter()
        .filter(|pod| {
            list(pod, "/metadata/ownerReferences").iter().any(|owner| is_daemon_set(owner, daemon_set))
        })
        .filter(|pod| {
            condition(pod, "Ready") == Some(true) && pod.pointer("/metadata/deletionTimestamp").is_none()
        })
        .filter_map(|pod| text(pod, "/spec/nodeName").map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn network(name: &str, pod: &Value) -> Network {
        let spec = json!({"template": {"spec": pod}});
        Network::of(&json!({"metadata": {"name": name, "namespace": "n"}, "spec": spec})).unwrap()
    }

    #[test]
    fn one_that_only_does_policies_is_told_by_its_daemon_set_or_its_settings() {
        let args = |words: &[&str]| json!({"containers": [{"args": words}]});
        let routes = network("kube-router", &args(&["--run-router=true", "--run-firewall=true"]));
        let filters = network("kube-router", &args(&["--run-router=false", "--run-firewall=true"]));
        assert_eq!((routes.chained, filters.chained), (None, Some(Chained::PolicyOnly)));
        let env = json!({"containers": [{"env": [{"name": "CALICO_NETWORKING_BACKEND", "value": "none"}]}]});
        assert_eq!(network("calico-node", &env).chained, Some(Chained::PolicyOnly));

        let volume =
            json!({"volumes": [{"name": "antrea-config", "configMap": {"name": "antrea-config-x7"}}]});
        let mut antrea = network("antrea-agent", &volume);
        assert_eq!((&*antrea.settings, antrea.chained), ("antrea-config-x7", None));
        antrea.configured(
            &json!({"data": {"antrea-agent.conf": "a: b\n#trafficEncapMode: networkPolicyOnly\n"}}),
        );
        assert_eq!(antrea.chained, None, "that is a comment");
        antrea.configured(
            &json!({"data": {"antrea-agent.conf": "trafficEncapMode: networkpolicyonly # so\n"}}),
        );
        assert_eq!(antrea.chained, Some(Chained::PolicyOnly));
    }

    #[test]
    fn cilium_serves_a_node_if_it_is_alone_and_writes_what_says_so() {
        let mut cilium = network("cilium", &json!({}));
        for (settings, chained) in [
            (json!({"cni-chaining-mode": "none", "custom-cni-conf": "false"}), None),
            (json!({"cni-chaining-mode": "aws-cni"}), Some(Chained::Chaining)),
            (json!({"custom-cni-conf": "true"}), Some(Chained::Elsewhere)),
        ] {
            cilium.chained = None;
            cilium.configured(&json!({"data": settings}));
            assert_eq!(cilium.chained, chained, "{settings}");
        }
    }
}
