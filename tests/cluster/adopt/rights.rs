//! A person who may not do everything: each missing right is named, before anything is written.

use serde_json::{Value, json};

use super::desk::{Desk, stored, versions};
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures;

const RESOURCES: [(&str, &str); 5] = [
    ("apps", "daemonsets"),
    ("", "serviceaccounts"),
    ("", "configmaps"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
];

/// All that adopt needs, without one right.
fn role(without: (&str, &str)) -> Value {
    let mut rules = Vec::new();
    if without != ("get", "namespaces") {
        rules.push(json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}));
    }
    let bindings = ("rbac.authorization.k8s.io", "clusterrolebindings");
    for (group, resource) in RESOURCES.into_iter().chain([bindings]) {
        let verbs: Vec<&str> =
            ["get", "patch"].into_iter().filter(|verb| (*verb, resource) != without).collect();
        rules.push(json!({"apiGroups": [group], "resources": [resource], "verbs": verbs}));
    }
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
           "metadata": {"name": "adopter"}, "rules": rules})
}

pub(super) fn all() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let create = |args: &[&str]| plane.kubectl(User::Admin, &[&["create"], args].concat()).ok().to_owned();
    create(&["serviceaccount", "adopter", "-n", "default"]);
    let bind = |name: &str, role: &str| {
        create(&["clusterrolebinding", name, "--clusterrole", role, "--serviceaccount=default:adopter"])
    };
    bind("adopter", "adopter");
    let token = create(&["token", "adopter", "-n", "default"]);
    let mut kubeconfig: Value =
        serde_json::from_str(&std::fs::read_to_string(plane.kubeconfig(User::Admin)).unwrap()).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    let desk = Desk::at(&plane);
    std::fs::write(desk.file("kubeconfig"), kubeconfig.to_string()).unwrap();
    let run = |words: &[&str]| {
        let mut command = desk.command(&[&["adopt"], words].concat());
        command.env("KUBECONFIG", "kubeconfig");
        Output::of(command, None)
    };
    let before = stored(&plane);
    let missing = [("get", "namespaces")]
        .into_iter()
        .chain(RESOURCES.into_iter().flat_map(|(_, resource)| [("get", resource), ("patch", resource)]));
    for without in missing {
        let applied = plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &role(without).to_string());
        applied.ok();
        let (verb, resource) = without;
        let sentence = format!("cannot {verb} {resource}");
        let named = |output: &Output| output.code == 2 && output.stderr.contains(&sentence);
        // The authorizer sees a changed role a moment later.
        let output = crate::support::until(
            &format!("{sentence:?} was said"),
            std::time::Duration::from_secs(10),
            || {
                let output = run(&["--yes"]);
                assert_ne!(output.code, 0, "without {verb} {resource}\n{output}");
                named(&output).then_some(output)
            },
        )
        .unwrap_or_else(|error| panic!("{error}\n{}", run(&["--yes"])));
        for word in ["nothing was changed", "kubectl auth can-i"] {
            assert!(output.stderr.contains(word), "expected {word:?} in\n{output}");
        }
        assert_eq!(versions(&stored(&plane)), versions(&before), "without {verb} {resource}");
        assert!(desk.undo_files().is_empty(), "no undo file\n{output}");
        if verb == "patch" {
            run(&["--plan"]).ok();
        }
        if resource == "namespaces" {
            // Who changes a role must hold what is in it; this one gives a right on namespaces too.
            bind("adopter-holds", "aws-node");
        }
    }
    plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &role(("", "")).to_string()).ok();
    crate::support::until("all rights are enough", std::time::Duration::from_secs(10), || {
        let output = run(&["--yes"]);
        // It may look for no installation.
        let told = "whether a cni-steward with a policy of its own is installed could not be seen";
        assert!(output.code != 0 || output.stdout.contains(told), "expected {told:?} in\n{output}");
        (output.code == 0).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", run(&["--yes"])));
}
