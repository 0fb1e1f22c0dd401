//! Bad clusters and bad places: a sentence that names the object and the next command, and nothing is changed.

use serde_json::{Value, json};

use super::desk::{Desk, path, stored};
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures;

pub(super) fn all() {
    let plane = ControlPlane::start(Version::V1_36);
    let desk = Desk::at(&plane);
    nothing_here(&desk);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    environment(&desk);
    questions(&desk);
    places(&desk);
    other_releases(&desk);
    policies(&desk);
    late(&desk);
    foreign(&desk);
    going(&desk);
}

/// Expects exit code, words, and that nothing is changed.
#[track_caller]
fn refused(desk: &Desk<'_>, code: i32, output: impl FnOnce() -> Output, words: &[&str]) {
    let before = stored(desk.plane);
    let output = output();
    assert_eq!(output.code, code, "{output}");
    for word in words {
        assert!(output.stderr.contains(word), "expected {word:?} in\n{output}");
    }
    assert_eq!(stored(desk.plane), before, "nothing was changed\n{output}");
    assert!(desk.undo_files().is_empty(), "no undo file\n{output}");
}

fn adopt<'d>(desk: &'d Desk<'_>, more: &'d [&'d str]) -> impl FnOnce() -> Output + 'd {
    move || desk.run(&[&["adopt", "--yes"], more].concat())
}

fn merge(desk: &Desk<'_>, kind: &str, name: &str, patch: &Value) {
    let client = desk.plane.client(User::Joe);
    let reply = client.patch(&path(kind, name), "application/merge-patch+json", patch).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn nothing_here(desk: &Desk<'_>) {
    refused(desk, 1, adopt(desk, &[]), &["no object of the VPC CNI", "kubectl config current-context"]);
}

fn environment(desk: &Desk<'_>) {
    let bare = |words: &[&str], variable: &str, value: &str| {
        let mut command = desk.command(&[&["adopt", "--yes"], words].concat());
        if value.is_empty() {
            command.env_remove(variable)
        } else {
            command.env(variable, value)
        };
        Output::of(command, None)
    };
    refused(desk, 2, || bare(&[], "KUBECONFIG", ""), &["there is no kubeconfig", "update-kubeconfig"]);
    refused(desk, 2, || bare(&["--context", "elsewhere"], "X", "y"), &["elsewhere"]);
    let file = std::fs::read_to_string(desk.plane.kubeconfig(User::Joe)).unwrap();
    std::fs::write(desk.file("expired"), file.replace("token-of-joe", "long-ago")).unwrap();
    refused(desk, 2, || bare(&[], "KUBECONFIG", "expired"), &["the token", "update-kubeconfig"]);
}

fn questions(desk: &Desk<'_>) {
    refused(desk, 2, || desk.run(&["adopt"]), &["no terminal", "To go on: cni-steward adopt --yes"]);
    refused(desk, 2, || desk.run(&["adopt", "--plan", "--yes"]), &["cannot be used with"]);
    refused(desk, 2, || desk.run(&["adopt", "--release", "x"]), &["expected NAMESPACE/NAME"]);
    refused(desk, 2, || desk.run(&["adopt", "--owner", "argocd", "--release", "a/b"]), &["no Helm release"]);
}

/// Where the undo file cannot be written.
fn places(desk: &Desk<'_>) {
    std::fs::write(desk.file("taken"), "mine").unwrap();
    refused(
        desk,
        2,
        adopt(desk, &["--undo-file", "taken"]),
        &["taken:1: ", "expected one line of an undo file"],
    );
    assert_eq!(std::fs::read_to_string(desk.file("taken")).unwrap(), "mine");
    for place in ["no-such-folder/undo", "taken/undo", "/proc/undo"] {
        refused(
            desk,
            2,
            adopt(desk, &["--undo-file", place]),
            &["cannot write the undo file", "nothing was changed", "--undo-file"],
        );
    }
    // As a full disk does, a limit on the size of files fails the write in the middle.
    let program = crate::support::steward::BINARY;
    let mut shell = desk.command(&[]);
    shell = {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f 8; exec {program} adopt --yes")]);
        command
            .current_dir(desk.file("."))
            .envs(shell.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    };
    refused(desk, 2, || Output::of(shell, None), &["cannot write the undo file", "nothing was changed"]);
}

fn other_releases(desk: &Desk<'_>) {
    let stamps = |name: Value| json!({"metadata": {"annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": "net"}}});
    merge(desk, "DaemonSet", "aws-node", &stamps(json!("one")));
    merge(desk, "ConfigMap", "amazon-vpc-cni", &stamps(json!("two")));
    let words = [
        "DaemonSet kube-system/aws-node belongs to release net/one, the policy's is kube-system/aws-vpc-cni",
        "ConfigMap kube-system/amazon-vpc-cni belongs to release net/two",
        "kubectl annotate daemonsets.apps/aws-node -n kube-system meta.helm.sh/release-name-",
    ];
    refused(desk, 1, adopt(desk, &[]), &words);
    refused(desk, 1, adopt(desk, &["--release", "net/one"]), &["belongs to release net/two"]);
    let off = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": null, "meta.helm.sh/release-namespace": null}}});
    merge(desk, "DaemonSet", "aws-node", &off);
    merge(desk, "ConfigMap", "amazon-vpc-cni", &off);
    // A release of the name is there: it is to be upgraded.
    let plane = desk.plane;
    let failed = plane.helm(
        Helm::V4,
        &[
            "install",
            "aws-vpc-cni",
            fixtures::CHART,
            "-n",
            "kube-system",
            "-f",
            fixtures::VALUES,
            "--dry-run=client",
        ],
    );
    failed.ok();
}

fn policies(desk: &Desk<'_>) {
    for (text, words) in [
        ("mode: Block", ["mode is Block", "cni-steward adopt --policy FILE"]),
        ("mode: Block\nclusterApi: Release", ["clusterApi: Release", "Protect or Leave"]),
    ] {
        std::fs::write(desk.file("policy.yaml"), text).unwrap();
        refused(desk, 1, adopt(desk, &["--policy", "policy.yaml"]), &words);
    }
    std::fs::write(desk.file("policy.yaml"), "mode: Adopt\nowns: x").unwrap();
    refused(desk, 2, adopt(desk, &["--policy", "policy.yaml"]), &["policy.yaml:2"]);
    std::fs::write(desk.file("chart.yaml"), "- a list").unwrap();
    refused(desk, 2, adopt(desk, &["--chart-manifest", "chart.yaml"]), &["chart.yaml: document 1"]);
}

/// Somebody wrote as eks long after the bootstrap.
fn late(desk: &Desk<'_>) {
    let before = stored(desk.plane);
    let path = path("ConfigMap", "amazon-vpc-cni");
    let client = desk.plane.client(User::Joe);
    let mut object = client.get(&path).unwrap().json();
    let list = object["metadata"]["managedFields"].clone();
    for entry in object["metadata"]["managedFields"].as_array_mut().unwrap() {
        entry["time"] = json!("2099-01-01T00:00:00Z");
    }
    // A changed time alone is no change to the API server.
    let touch = json!({"op": "add", "path": "/metadata/annotations", "value": {"touched": "yes"}});
    let clean = json!({"op": "remove", "path": "/metadata/annotations"});
    let replace = |list: &Value, with: &Value| {
        let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": list}, with]);
        let reply = client.patch(&path, "application/json-patch+json", &patch).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    replace(&object["metadata"]["managedFields"], &touch);
    refused(
        desk,
        1,
        adopt(desk, &[]),
        &[
            "the EKS managed add-on seems to own ConfigMap",
            "aws eks describe-addon",
            "--managed-addon-absent",
        ],
    );
    desk.run(&["adopt", "--plan", "--managed-addon-absent"]).ok();
    replace(&list, &clean);
    super::desk::assert_back(&before, &stored(desk.plane), "the time is back");
}

fn foreign(desk: &Desk<'_>) {
    desk.plane.kubectl(User::Admin, &["delete", "daemonset", "aws-node", "-n", "kube-system"]).ok();
    let mut other = crate::prepared::daemon_set("aws-node", "mine");
    other["metadata"]["labels"] = json!({"k8s-app": "aws-node"});
    crate::prepared::apply(desk.plane, "me", &[other]);
    refused(
        desk,
        1,
        adopt(desk, &[]),
        &["is not the VPC CNI's", "amazon-k8s-cni", "kubectl get daemonsets.apps/aws-node"],
    );
    desk.plane.kubectl(User::Admin, &["delete", "daemonset", "aws-node", "-n", "kube-system"]).ok();
}

fn going(desk: &Desk<'_>) {
    merge(desk, "ServiceAccount", "aws-node", &json!({"metadata": {"finalizers": ["example.org/wait"]}}));
    let args = ["delete", "serviceaccount", "aws-node", "-n", "kube-system", "--wait=false"];
    desk.plane.kubectl(User::Admin, &args).ok();
    refused(
        desk,
        1,
        adopt(desk, &[]),
        &[
            "ServiceAccount kube-system/aws-node is being deleted",
            "kubectl wait --for=delete serviceaccounts/aws-node",
        ],
    );
}
