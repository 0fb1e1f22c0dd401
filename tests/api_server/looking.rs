//! What `status` makes of a cluster that is given object by object, where a real one would have to run what is not here.

use serde_json::{Value, json};

use crate::script::{Answer, Script};
use crate::status;
use crate::support::Output;
use crate::support::steward::run;

/// What is live: a path without its query, and what is there.
type World = Vec<(&'static str, Value)>;

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items})
}

fn named(name: &str, namespace: &str, more: Value) -> Value {
    let mut object = more;
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// `status` of this world; what it does not have is absent, and of all else there is an empty list.
fn look(world: World, arguments: &[&str]) -> Output {
    let script = Script::answering(0, move |_, head| {
        let path = head.split([' ', '?']).nth(1).unwrap();
        let last = path.rsplit('/').next().unwrap();
        let is_list =
            last.ends_with('s') && !["amazon-vpc-cni", "coredns"].contains(&last) && !path.contains("crd.");
        match world.iter().find(|(place, _)| *place == path) {
            Some((_, object)) if object["kind"] == "Status" => {
                Answer::Now("403 Forbidden", object.to_string())
            }
            Some((_, object)) => Answer::Now("200 OK", object.to_string()),
            None if is_list => Answer::Now("200 OK", list(&[]).to_string()),
            None => Answer::Now("404 Not Found", status(404, "not found")),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = script.kubeconfig(folder.path());
    run(&[&["status", "--kubeconfig", kubeconfig.to_str().unwrap()], arguments].concat())
}

fn version() -> (&'static str, Value) {
    ("/version", json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}))
}

fn node(name: &str) -> Value {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
    json!({"metadata": {"name": name}, "spec": {},
        "status": {"conditions": [condition("Ready", "True"), condition("MemoryPressure", "False")]}})
}

fn pod(node: &str, of: &str, ready: &str) -> Value {
    json!({"metadata": {"name": format!("{of}-{node}"), "namespace": "kube-system",
            "ownerReferences": [{"kind": "DaemonSet", "name": of}]},
        "spec": {"nodeName": node}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
}

fn aws_node(more: &Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system", "uid": "u", "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app.kubernetes.io/managed-by": "Helm", "k8s-app": "aws-node"},
            "annotations": {"meta.helm.sh/release-name": "cni", "meta.helm.sh/release-namespace": "network"}},
        "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}}, "template": {"spec": {"containers": [
            {"name": "aws-node", "image": "602401143452.dkr.ecr.us-east-1.amazonaws.com/amazon-k8s-cni:v1.20.0"}]}}},
        "status": {"desiredNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2}});
    for (key, value) in more.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    object
}

fn record(version: &str, status: &str) -> Value {
    let labels = json!({"owner": "helm", "name": "cni", "version": version, "status": status});
    named(&format!("sh.helm.release.v1.cni.v{version}"), "network", json!({"metadata": {"labels": labels}}))
}

#[test]
fn the_newest_record_of_helm_counts_and_an_installation_is_known_by_where_its_webhook_leads() {
    let entry = |name: &str, service: &str| {
        json!({"name": format!("{name}.cni-steward.dev"), "failurePolicy": "Ignore",
            "clientConfig": {"caBundle": "eA==", "service": {"namespace": "kube-system", "name": service}},
            "rules": [{"resources": ["daemonsets"]}]})
    };
    let hooks = json!({"metadata": {"name": "cni-steward"}, "webhooks": [
        entry("canary", "cni-steward-canary"), entry("namespaced", "cni-steward"), {"name": "x.example.org"}]});
    let by_hand = json!({"metadata": {"name": "mine"}, "webhooks": [
        {"name": "targets.cni-steward.dev", "clientConfig": {"url": "https://a.example/mutate"}, "rules": []}]});
    let deployment = named(
        "cni-steward",
        "kube-system",
        json!({"spec": {"replicas": 2, "template": {"spec":
        {"containers": [{"image": "cni-steward:1"}]}}}, "status": {"readyReplicas": 2, "updatedReplicas": 2}}),
    );
    let lease =
        json!({"spec": {"holderIdentity": "cni-steward-a", "renewTime": "2026-01-01T00:00:00.000000Z"}});
    let world = vec![
        version(),
        ("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", list(&[hooks, by_hand])),
        ("/apis/apps/v1/deployments", list(&[deployment])),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cni-steward", lease),
        (
            "/api/v1/namespaces/kube-system/configmaps/cni-steward-policy",
            json!({"data": {"policy.yaml": "mode: Adopt"}}),
        ),
        ("/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node", aws_node(&json!({}))),
        (
            "/api/v1/namespaces/network/secrets",
            list(&[record("9", "superseded"), record("10", "deployed"), record("2", "superseded")]),
        ),
        ("/api/v1/nodes", list(&[node("a"), node("b")])),
        (
            "/api/v1/namespaces/kube-system/pods",
            list(&[pod("a", "aws-node", "True"), pod("b", "aws-node", "False")]),
        ),
    ];
    let told = look(world, &["-o", "json"]);
    let told: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}\n{told}"));
    let verdict = &told["verdict"];
    assert_eq!((&verdict["owner"], &verdict["release"]["name"]), (&json!("helm"), &json!("cni")), "{told:#}");
    let one = &told["installations"][0];
    let expected = json!({"namespace": "kube-system", "name": "cni-steward", "image": "cni-steward:1",
        "desired": 2, "ready": 2, "leader": "cni-steward-a"});
    assert_eq!((one, told["installations"].as_array().map(Vec::len)), (&expected, Some(1)), "{told:#}");
    assert_eq!((&told["nodes"]["total"], &told["nodes"]["withVpcCni"]), (&json!(2), &json!(1)), "{told:#}");
    let codes: Vec<&str> =
        told["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    // The webhook by hand trusts nobody, and the Lease was renewed long ago.
    assert!(codes.contains(&"CS024") && codes.contains(&"CS026"), "{codes:?}");
}

#[test]
fn a_policy_that_may_not_be_read_is_not_taken_for_none() {
    let deployment = named("cni-steward", "kube-system", json!({"spec": {}, "status": {}}));
    let policy = "/api/v1/namespaces/kube-system/configmaps/cni-steward-policy";
    for (object, from) in [
        (json!({"data": {"policy.yaml": "mode: Block"}}), "installed"),
        (json!({"kind": "Status", "code": 403, "message": "forbidden"}), "unseen"),
    ] {
        let deployments = list(std::slice::from_ref(&deployment));
        let world = vec![version(), ("/apis/apps/v1/deployments", deployments), (policy, object)];
        let told = look(world, &["-o", "json"]);
        let told: Value =
            serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}\n{told}"));
        assert_eq!(told["policy"]["from"], from, "{told:#}");
    }
}

#[test]
fn a_network_serves_the_nodes_on_which_it_is_ready_unless_it_needs_the_vpc_cni() {
    let daemon_set = |name: &str, env: &Value| {
        named(
            name,
            "kube-system",
            json!({"spec": {"selector": {"matchLabels": {"k8s-app": name}},
            "template": {"spec": {"containers": [{"env": env}]}}}}),
        )
    };
    let policies = json!([{"name": "CALICO_NETWORKING_BACKEND", "value": "none"}]);
    let world = |chaining: &'static str| {
        vec![
            version(),
            ("/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node", aws_node(&json!({}))),
            (
                "/apis/apps/v1/daemonsets",
                list(&[
                    daemon_set("cilium", &json!([])),
                    daemon_set("calico-node", &policies),
                    daemon_set("x", &json!([])),
                ]),
            ),
            (
                "/api/v1/namespaces/kube-system/configmaps/cilium-config",
                json!({"data": {"cni-chaining-mode": chaining}}),
            ),
            ("/api/v1/nodes", list(&[node("a"), node("b")])),
            (
                "/api/v1/namespaces/kube-system/pods",
                list(&[
                    pod("a", "cilium", "True"),
                    pod("b", "cilium", "False"),
                    pod("b", "calico-node", "True"),
                ]),
            ),
        ]
    };
    for (chaining, needs, without) in [("none", false, 1), ("aws-cni", true, 2)] {
        let told = look(world(chaining), &["-o", "json"]);
        let told: Value =
            serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}\n{told}"));
        let network = |product: &str, needs: bool| {
            json!({"product": product, "namespace": "kube-system", "name": if product == "Cilium" { "cilium" } else { "calico-node" },
                "readyOn": 1, "needsVpcCni": needs})
        };
        let expected = json!([network("Cilium", needs), network("Calico", true)]);
        assert_eq!(told["networks"], expected, "{chaining}: {told:#}");
        assert_eq!(told["nodes"]["withoutOtherNetwork"], without, "{chaining}: {told:#}");
    }
}

#[test]
fn flux_owns_what_its_release_installs_and_its_older_version_is_asked_for_where_there_is_no_newer() {
    let release = named(
        "vpc-cni",
        "flux-system",
        json!({
        "spec": {"targetNamespace": "network", "releaseName": "cni", "chart": {"spec": {"chart": "aws-vpc-cni"}}},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]}}),
    );
    let other = named("other", "flux-system", json!({"spec": {"targetNamespace": "apps"}}));
    let labels = json!({"labels": {"app.kubernetes.io/managed-by": "Helm", "k8s-app": "aws-node",
        "helm.toolkit.fluxcd.io/name": "vpc-cni", "helm.toolkit.fluxcd.io/namespace": "flux-system"}});
    let world = vec![
        version(),
        ("/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node", aws_node(&labels)),
        ("/apis/helm.toolkit.fluxcd.io/v2/helmreleases", list(&[release, other])),
    ];
    let told = look(world, &[]);
    assert!(told.stdout.contains("HelmRelease flux-system/vpc-cni"), "{told}");
    assert!(told.stdout.contains("is not ready"), "{told}");
    assert!(!told.stdout.contains("flux-system/other"), "{told}");
}
