//! `status` on clusters in the states in which people meet us, with all rights, with few, and with no cluster at all.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::prepared::{self, Prepared, State};
use crate::scene::{ADOPT, NEW, Scene};
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures;
use crate::support::steward::{BINARY, Steward};
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, ApiServer136, Etcd, Helm3, Helm4, Kubectl};
use crate::support::watchdog::Folder;

const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];
const BOTH_HELMS: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm3, Helm4];

pub(crate) const CASES: &[Case] = &[
    Case { name: "status::names_the_owner_in_each_prepared_state", needs: BOTH_HELMS, run: each_state },
    Case { name: "status::works_with_view_rights_and_says_what_it_could_not_see", needs: NEW, run: viewer },
    Case { name: "status::each_missing_right_costs_only_what_it_is_about", needs: NEW, run: each_right },
    Case { name: "status::says_which_nodes_have_a_network", needs: NEW, run: networks },
    Case { name: "status::tells_of_our_own_installation_and_its_policy", needs: NEW, run: installation },
    Case { name: "status::sees_objects_that_are_being_deleted", needs: NEW, run: deleting },
    Case { name: "status::kubernetes_1_24_answers_every_question", needs: OLD, run: old_kubernetes },
    Case { name: "status::a_kubeconfig_that_leads_nowhere_is_explained", needs: NEW, run: no_cluster },
];

/// `status` as a person would run it.
fn status(kubeconfig: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["status", "--kubeconfig", kubeconfig.to_str().unwrap()]).args(more);
    Output::of(command, None)
}

#[track_caller]
fn seen_by(plane: &ControlPlane, user: User) -> Value {
    let output = status(&plane.kubeconfig(user), &["-o", "json"]);
    assert!([0, 1].contains(&output.code), "{output}");
    let seen: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    let problem = seen["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] == "problem");
    assert_eq!(output.code, i32::from(problem), "the exit code says whether there is a problem: {output}");
    seen
}

fn codes(seen: &Value) -> Vec<&str> {
    seen["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Owner and certainty, then the codes.
fn expected(state: State) -> ([&'static str; 2], &'static [&'static str]) {
    match state {
        State::EksBefore2024 | State::Eks | State::EksNewest | State::Parked => {
            (["eks", "likely"], &["CS006"])
        }
        State::ReadmeScript => (["stamped", "likely"], &["CS005", "CS031"]),
        State::ManagedAddon => (["eks-addon", "certain"], &["CS009"]),
        State::Helm3 | State::Helm4 => (["helm", "certain"], &[]),
        State::Flux => (["flux", "certain"], &[]),
        State::ArgoCd => (["argocd", "likely"], &[]),
        State::OldClusterApi => (["eks", "likely"], &["CS006", "CS018"]),
        State::HalfDeleted => (["eks", "likely"], &["CS001", "CS006"]),
        State::Adopted => (["stamped", "likely"], &["CS005"]),
        State::Fight => (["disputed", "certain"], &["CS007"]),
    }
}

fn each_state() {
    let mut wrong = Vec::new();
    for state in State::ALL {
        let Prepared { plane, steward } = state.prepare();
        let seen = plane.assert_writes_nothing(|| seen_by(&plane, User::Joe));
        let verdict = &seen["verdict"];
        let ([owner, certainty], expected) = expected(state);
        if verdict["owner"] != owner || verdict["certainty"] != certainty || codes(&seen) != expected {
            wrong.push(format!("{state:?}: {:?} {verdict:#}", codes(&seen)));
        }
        let parked = seen["objects"].as_array().unwrap().iter().any(|object| object["parked"] == true);
        assert_eq!(parked, state == State::Parked, "{state:?}");
        assert_eq!(seen["unseen"], json!([]), "{state:?}");
        drop(steward);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A kubeconfig that acts as somebody with these rules and no others.
fn with_rules(plane: &ControlPlane, folder: &Path, name: &str, rules: &Value) -> std::path::PathBuf {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
                      "rules": rules});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": name}],
    });
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}});
    prepared::apply(plane, "test", &[account, role, binding]);
    let token = plane.kubectl(User::Admin, &["create", "token", name, "-n", "default"]);
    let text = std::fs::read_to_string(plane.kubeconfig(User::Joe)).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&text).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token.ok().trim()});
    let file = folder.join(name);
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    // The authorizer sees the binding a moment later.
    crate::support::until("the account may do something", std::time::Duration::from_secs(10), || {
        let output = status(&file, &["-o", "json"]);
        let seen: Value = serde_json::from_str(&output.stdout).ok()?;
        (seen["unseen"].as_array()?.len() < 12).then_some(())
    })
    .unwrap();
    file
}

/// Every rule that `status` needs to see everything; each is a resource.
fn all_rules() -> Vec<Value> {
    [
        ("", "namespaces"),
        ("", "nodes"),
        ("", "pods"),
        ("", "events"),
        ("", "secrets"),
        ("", "configmaps"),
        ("", "serviceaccounts"),
        ("apps", "daemonsets"),
        ("apps", "deployments"),
        ("coordination.k8s.io", "leases"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("helm.toolkit.fluxcd.io", "helmreleases"),
    ]
    .iter()
    .map(|(group, resource)| json!({"apiGroups": [group], "resources": [resource], "verbs": ["get", "list"]}))
    .collect()
}

fn viewer() {
    let Prepared { plane, .. } = State::ReadmeScript.prepare();
    let folder = Folder::new();
    // What Kubernetes' own ClusterRole view allows, as far as it matters here: no Secrets, nothing cluster-scoped but namespaces.
    let view = json!([
        {"apiGroups": [""], "resources": ["namespaces", "pods", "events", "configmaps", "serviceaccounts"],
         "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["daemonsets", "deployments"], "verbs": ["get", "list", "watch"]},
    ]);
    let kubeconfig = with_rules(&plane, folder.path(), "viewer", &view);
    let output = status(&kubeconfig, &["-o", "json"]);
    let seen: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(seen["verdict"]["owner"], "stamped", "{output}");
    assert_eq!(seen["verdict"]["certainty"], "unsure", "{output}");
    let resources: Vec<&str> = seen["unseen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unseen| unseen["resource"].as_str().unwrap())
        .collect();
    for resource in ["secrets", "nodes", "clusterroles.rbac.authorization.k8s.io"] {
        assert!(resources.contains(&resource), "expected {resource} among {resources:?}");
    }
    let text = status(&kubeconfig, &[]);
    assert!(text.stdout.contains("kubectl auth can-i list secrets -n kube-system"), "{text}");
    assert!(!output.stdout.contains("\"CS001\""), "what is not seen is not missing: {output}");
}

fn each_right() {
    let Prepared { plane, .. } = State::ReadmeScript.prepare();
    let folder = Folder::new();
    for (at, left_out) in all_rules().iter().enumerate() {
        let rules: Vec<Value> = all_rules().into_iter().filter(|rule| rule != left_out).collect();
        let kubeconfig = with_rules(&plane, folder.path(), &format!("right-{at}"), &json!(rules));
        let output = status(&kubeconfig, &["-o", "json"]);
        let seen: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
        let resource = left_out["resources"][0].as_str().unwrap();
        let group = left_out["apiGroups"][0].as_str().unwrap();
        let missing = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let mut unseen: Vec<&str> = seen["unseen"]
            .as_array()
            .unwrap()
            .iter()
            .map(|unseen| unseen["resource"].as_str().unwrap())
            .collect();
        unseen.dedup();
        // Nothing of ours is installed, so nobody asks for a Lease.
        let expected: &[&str] = if resource == "leases" { &[] } else { &[&missing] };
        assert_eq!(unseen, expected, "without {missing}: {output}");
        assert_eq!(seen["verdict"]["owner"], "stamped", "without {missing}: {output}");
        assert!(!codes(&seen).contains(&"CS001"), "what is not seen is not missing: {output}");
        assert_eq!(output.code, 0, "{output}");
    }
}

fn networks() {
    let Prepared { plane, .. } = State::Eks.prepare();
    prepared::apply(&plane, "cilium", &[prepared::daemon_set("cilium", "cilium")]);
    prepared::node(&plane, "a", true, &["aws-node"]);
    prepared::node(&plane, "b", true, &["cilium"]);
    prepared::node(&plane, "c", false, &[]);
    let seen = seen_by(&plane, User::Joe);
    let nodes = json!({"total": 3, "ready": 2, "schedulable": 3, "withVpcCni": 1, "withoutOtherNetwork": 2});
    assert_eq!(seen["nodes"], nodes, "{seen:#}");
    assert_eq!(seen["networks"][0]["readyOn"], 1, "{seen:#}");
    let lost = |seen: &Value| {
        let findings = seen["findings"].as_array().unwrap().clone();
        let found = findings.into_iter().find(|finding| finding["code"] == "CS014");
        found.map(|finding| finding["message"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert!(lost(&seen).contains("1 schedulable node has no network"), "{seen:#}");

    // Behind the VPC CNI it gives no Pod an address.
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config", "namespace": "kube-system"},
                          "data": {"cni-chaining-mode": "aws-cni"}});
    prepared::apply(&plane, "cilium", &[settings]);
    let seen = seen_by(&plane, User::Joe);
    assert_eq!(seen["networks"][0]["needsVpcCni"], true, "{seen:#}");
    assert_eq!(seen["nodes"]["withoutOtherNetwork"], 3, "{seen:#}");
    assert!(lost(&seen).contains("2 schedulable nodes have no network"), "{seen:#}");
    plane.kubectl(User::Joe, &["cordon", "b", "c"]).ok();
    assert_eq!(lost(&seen_by(&plane, User::Joe)), "", "nobody new comes to a cordoned node");
}

fn installation() {
    let Prepared { plane, .. } = State::Eks.prepare();
    let labels = json!({"app.kubernetes.io/name": "cni-steward"});
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cni-steward", "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "cni-steward", "image": "cni-steward:1"}]}}},
    });
    let policy = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"policy.yaml": text},
               "metadata": {"name": "cni-steward-policy", "namespace": "kube-system"}})
    };
    prepared::apply(&plane, "helm", &[deployment.clone(), policy("mode: Adopt")]);
    let seen = seen_by(&plane, User::Joe);
    assert_eq!(seen["policy"]["from"], "installed", "{seen:#}");
    assert_eq!(seen["policy"]["place"], "kube-system/cni-steward-policy");
    assert_eq!(codes(&seen), ["CS023", "CS025", "CS022", "CS006"], "{seen:#}");

    // Its replicas are ready, one leads, and the webhook is there; but nobody has written the caBundle.
    deployment["status"] = json!({"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2});
    let admin = plane.client(User::Admin);
    let path = "/apis/apps/v1/namespaces/kube-system/deployments/cni-steward/status";
    let status_of = json!({"status": deployment["status"]});
    assert_eq!(admin.patch(path, "application/merge-patch+json", &status_of).unwrap().status, 200);
    let webhook =
        crate::support::steward::run(&["export", "webhook", "--service", "kube-system/cni-steward"]);
    plane.kubectl_stdin(User::Admin, &["apply", "--server-side", "-f", "-"], webhook.ok()).ok();
    let keeper = Steward::start_with(
        "mode: Observe",
        &[
            "--instance=kube-system/cni-steward",
            "--identity=the-leader",
            &format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display()),
        ],
    );
    crate::support::until("a replica led", std::time::Duration::from_secs(20), || {
        (seen_by(&plane, User::Joe)["installations"][0]["leader"] == "the-leader").then_some(())
    })
    .unwrap();
    let seen = seen_by(&plane, User::Joe);
    assert_eq!(codes(&seen), ["CS024", "CS022", "CS006"], "{seen:#}");
    drop(keeper);

    prepared::apply(&plane, "helm", &[policy("mode: Adopt\nmanagedAddon: Absent")]);
    let seen = seen_by(&plane, User::Joe);
    assert!(codes(&seen).contains(&"CS021"), "{seen:#}");
    assert_eq!(seen["verdict"]["certainty"], "certain", "{seen:#}");
    prepared::apply(&plane, "helm", &[policy("mode: Adapt")]);
    let seen = seen_by(&plane, User::Joe);
    assert_eq!(seen["policy"]["from"], "broken", "{seen:#}");
    assert!(codes(&seen).contains(&"CS027"), "{seen:#}");
    // A policy of one's own counts before the one that is there.
    let folder = Folder::new();
    std::fs::write(folder.join("own.yaml"), ADOPT).unwrap();
    let own = folder.join("own.yaml");
    let args = ["-o", "json", "--policy", own.to_str().unwrap()];
    let seen: Value = serde_json::from_str(&status(&plane.kubeconfig(User::Joe), &args).stdout).unwrap();
    assert_eq!((&seen["policy"]["from"], &seen["policy"]["mode"]), (&json!("given"), &json!("Adopt")));
}

fn deleting() {
    let Prepared { plane, .. } = State::Eks.prepare();
    let crd = fixtures::OBJECTS[0].1;
    let waits = json!({"metadata": {"finalizers": ["example.com/wait"]}}).to_string();
    plane.kubectl(User::Joe, &["patch", "crd", crd, "--type=merge", "-p", &waits]).ok();
    plane.kubectl(User::Joe, &["delete", "crd", crd, "--wait=false"]).ok();
    let seen = seen_by(&plane, User::Joe);
    let finding = &seen["findings"][0];
    assert_eq!(finding["code"], "CS012", "{seen:#}");
    assert!(finding["message"].as_str().unwrap().contains("example.com/wait"), "{seen:#}");
    assert_eq!(seen["verdict"]["owner"], "eks", "{seen:#}");
}

fn old_kubernetes() {
    let scene = Scene::after_eks(Version::V1_24, "mode: Observe");
    let seen = seen_by(&scene.plane, User::Joe);
    assert_eq!(seen["unseen"], json!([]), "{seen:#}");
    assert_eq!(seen["verdict"]["owner"], "eks", "{seen:#}");
    assert!(seen["cluster"]["version"].as_str().unwrap().starts_with("v1."), "{seen:#}");
}

/// Exit code 2, nothing on stdout, and these words on stderr.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    assert_eq!(output.code, 2, "{output}");
    assert_eq!(output.stdout, "", "{output}");
    for word in words {
        assert!(output.stderr.contains(word), "expected {word:?} in {output}");
    }
}

fn no_cluster() {
    let plane = ControlPlane::start(Version::V1_36);
    let good = plane.kubeconfig(User::Joe);
    let folder = Folder::new();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut kubeconfig: Value = serde_json::from_str(&std::fs::read_to_string(&good).unwrap()).unwrap();
        change(&mut kubeconfig);
        std::fs::write(folder.join(name), kubeconfig.to_string()).unwrap();
        folder.join(name)
    };
    refused(&status(&good, &["--context", "prod"]), &["no context prod", "its contexts are: test"]);
    refused(&status(&folder.join("none"), &[]), &["none", "No such file"]);
    let expired = changed("expired", &|config| config["users"][0]["user"]["token"] = json!("of-yesterday"));
    refused(&status(&expired, &[]), &["credentials are not accepted", "aws eks update-kubeconfig"]);
    let dead = changed("dead", &|config| {
        config["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:1");
    });
    refused(&status(&dead, &[]), &["cannot connect to 127.0.0.1:1"]);
    let plugin = changed("plugin", &|config| {
        config["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh", "args": ["-c", "echo sign in first >&2; exit 3"]}});
    });
    refused(&status(&plugin, &[]), &["sign in first", "sh gave no credential: exit status: 3"]);

    // As kubectl finds it: a list in the environment, or a file in the home folder.
    let run = |variables: &[(&str, &Path)]| {
        let mut command = Command::new(BINARY);
        command
            .arg("status")
            .env_remove("KUBECONFIG")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .envs(variables.to_vec());
        Output::of(command, None)
    };
    let home = folder.join("home");
    std::fs::create_dir_all(home.join(".kube")).unwrap();
    refused(&run(&[("HOME", &home)]), &["there is no kubeconfig", "aws eks update-kubeconfig"]);
    let both = std::env::join_paths([folder.join("none"), good.clone()]).unwrap();
    assert!(run(&[("HOME", &home), ("KUBECONFIG", Path::new(&both))]).ok().contains("There is no VPC CNI"));
    std::fs::copy(&good, home.join(".kube").join("config")).unwrap();
    assert!(run(&[("HOME", &home)]).ok().contains("There is no VPC CNI"));
}
