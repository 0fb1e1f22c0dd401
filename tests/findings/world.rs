//! A cluster in values: EKS's bootstrap, and what a test makes of it.

use cni_steward::cluster::Reference;
use cni_steward::cluster::inventory::{
    Compute, Entry, Facts, HelmRelease, Installation, Inventory, Item, Live, Network, Node, PolicySource,
    Presence, Rollout, Unseen, Webhook,
};
use cni_steward::policy::{Kind, Policy, Target};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

/// One target as EKS's bootstrap stored it.
pub(crate) fn stored(target: &Target<'_>) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": target.kind.name(),
        "metadata": {
            "name": target.name,
            "uid": "u",
            "resourceVersion": "41",
            "creationTimestamp": "2026-01-01T11:00:00Z",
            "labels": {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "aws-vpc-cni-1.23.1"},
            "annotations": {},
            "managedFields": [entry("eks", "Apply", "2026-01-01T11:00:00Z")],
        },
    });
    if target.kind.namespaced() {
        object["metadata"]["namespace"] = json!(target.namespace);
    }
    match target.kind {
        Kind::CustomResourceDefinition => object["metadata"]["labels"] = json!({}),
        Kind::DaemonSet => {
            let image = "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.23.1-eksbuild.1";
            object["spec"] =
                json!({"template": {"spec": {"containers": [{"name": "aws-node", "image": image}]}}});
            object["status"] =
                json!({"desiredNumberScheduled": 2, "numberReady": 2, "updatedNumberScheduled": 2});
        }
        _ => {}
    }
    object
}

pub(crate) fn entry(manager: &str, operation: &str, time: &str) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1",
           "fieldsV1": {"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}}})
}

/// A fresh EKS cluster: six objects, two nodes with the VPC CNI, no release, no installation of ours.
pub(crate) fn eks() -> Inventory {
    let policy = Policy::default();
    let targets = Target::all(&policy.targets)
        .iter()
        .map(|target| {
            let optional = target.kind == Kind::ConfigMap && target.name == "aws-node";
            let state = if optional { Presence::Absent } else { stands(target.kind, &stored(target)) };
            Item { reference: Reference::target(target), kind: Some(target.kind), optional, state }
        })
        .collect();
    Inventory {
        server: "https://api:443".into(),
        version: "v1.36.0".into(),
        uid: Some("of-the-cluster".into()),
        policy,
        targets,
        nodes: ["a", "b"].map(node).to_vec(),
        ..Inventory::default()
    }
}

fn node(name: &str) -> Node {
    Node { name: name.into(), ready: true, schedulable: true, compute: Compute::Machine, vpc_cni: true }
}

fn stands(kind: Kind, object: &Value) -> Presence {
    let text = serde_json::value::to_raw_value(object).unwrap();
    Presence::Stands(Box::new(Live { facts: Facts::of(text.get(), Some(kind)), text }))
}

/// Changes each object of these kinds.
pub(crate) fn change(live: &mut Inventory, kinds: &[Kind], change: impl Fn(&mut Value)) {
    for item in live.targets.iter_mut().filter(|item| kinds.contains(&item.kind.unwrap())) {
        let Presence::Stands(stored) = &item.state else { continue };
        let mut object: Value = serde_json::from_str(stored.text.get()).unwrap();
        change(&mut object);
        item.state = stands(item.kind.unwrap(), &object);
    }
}

pub(crate) const STAMPED: [Kind; 5] =
    [Kind::ServiceAccount, Kind::ConfigMap, Kind::ClusterRole, Kind::ClusterRoleBinding, Kind::DaemonSet];

/// Stamps objects of these kinds for a release in kube-system.
pub(crate) fn stamp(live: &mut Inventory, kinds: &[Kind], release: &str) {
    change(live, kinds, |object| {
        object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!(release);
        object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!("kube-system");
    });
}

pub(crate) fn annotate(live: &mut Inventory, kinds: &[Kind], key: &str, value: &str) {
    change(live, kinds, |object| object["metadata"]["annotations"][key] = json!(value));
}

pub(crate) fn remove(live: &mut Inventory, kinds: &[Kind], state: fn() -> Presence) {
    for item in live.targets.iter_mut().filter(|item| kinds.contains(&item.kind.unwrap())) {
        item.state = state();
    }
}

/// A release with a record.
pub(crate) fn record(live: &mut Inventory, name: &str, status: &str) {
    let (namespace, name, status) = ("kube-system".into(), name.into(), status.into());
    live.releases.push(HelmRelease { namespace, name, revision: 3, status });
}

pub(crate) fn network(live: &mut Inventory, product: &'static str, on: &[&str]) -> usize {
    live.networks.push(Network {
        product,
        namespace: "kube-system".into(),
        name: product.to_lowercase(),
        ready_on: on.iter().map(|name| (*name).to_owned()).collect(),
        chained: None,
        selector: String::new(),
        settings: String::new(),
    });
    live.networks.len() - 1
}

/// Our own installation, in order, with its policy.
pub(crate) fn install(live: &mut Inventory, policy: &str) {
    live.policy = Policy::parse("policy.yaml", policy).unwrap();
    live.policy_from = PolicySource::Installed("kube-system".into(), "cni-steward-policy".into());
    live.installations.push(Installation {
        namespace: "kube-system".into(),
        name: "cni-steward".into(),
        image: Some("cni-steward:1".into()),
        rollout: Some(Rollout { desired: 2, ready: 2, updated: 2 }),
        missing: false,
        leader: Some(("cni-steward-a".into(), "2026-01-01T11:59:58Z".into())),
    });
    live.webhooks.push(Webhook {
        name: "cni-steward".into(),
        entries: vec![Entry {
            name: "namespaced.cni-steward.dev".into(),
            service: Some(("kube-system".into(), "cni-steward".into())),
            url: None,
            ca_bundle: true,
            failure_policy: "Ignore".into(),
            resources: vec!["daemonsets".into()],
        }],
    });
}

pub(crate) fn unseen(live: &mut Inventory, resource: &str, namespace: Option<&str>) {
    live.unseen.push(Unseen {
        verb: "list",
        resource: resource.into(),
        namespace: namespace.map(str::to_owned),
        name: String::new(),
        why: "forbidden (status 403)".into(),
        forbidden: true,
        reason: "forbidden",
    });
}
