//! Undo files that cannot be used, and what somebody else did after the adoption.

use super::answers::helm;
use super::desk::{Desk, assert_back, stored, versions};
use crate::scene::{annotation, label, owners};
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures;

fn adopted() -> ControlPlane {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    plane
}

pub(super) fn files() {
    let (here, there) = (adopted(), ControlPlane::start(Version::V1_36));
    let desk = Desk::at(&here);
    desk.run(&["adopt", "--yes"]).ok();
    let name = desk.undo_file();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(desk.file(&name)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "readable by its owner alone");
    let text = std::fs::read_to_string(desk.file(&name)).unwrap();
    let after = stored(&here);
    let refused = |file: &str, words: &[&str]| {
        let output = desk.run(&["adopt", "--undo", file, "--yes"]);
        assert_eq!(output.code, 2, "{output}");
        for word in words {
            assert!(output.stderr.contains(word), "expected {word:?} in\n{output}");
        }
        assert_eq!(versions(&stored(&here)), versions(&after), "nothing was changed\n{output}");
    };
    refused("no-such-file", &["cannot read no-such-file"]);
    std::fs::write(desk.file("cut"), &text[..text.len() / 3]).unwrap();
    refused("cut", &["cut: the file ends with line", "truncated"]);
    std::fs::write(desk.file("edited"), text.replacen("managed-by", "managed-by-me", 1)).unwrap();
    refused("edited", &["edited:8: field `sha256`", "the file was edited"]);
    std::fs::write(desk.file("other"), "mode: Adopt\n").unwrap();
    refused("other", &["other:1: expected one line of an undo file"]);
    std::fs::write(desk.file("binary"), [0xff, 0xfe, 0]).unwrap();
    refused("binary", &["binary: this is no text"]);

    let elsewhere = Desk::at(&there);
    std::fs::copy(desk.file(&name), elsewhere.file("undo")).unwrap();
    let output = elsewhere.run(&["adopt", "--undo", "undo", "--yes"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("the file is from another cluster"), "{output}");

    // Asked, planned, and not changed.
    let output = desk.run(&["adopt", "--undo", &name]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains(&format!("cni-steward adopt --undo {name} --yes")), "{output}");
    let output = desk.run(&["adopt", "--undo", &name, "--plan"]);
    assert!(output.ok().contains("helm/Apply → eks/Apply"), "{output}");
    assert!(output.ok().contains("- metadata.annotations[meta.helm.sh/release-name]"), "{output}");
    assert_eq!(versions(&stored(&here)), versions(&after));
}

pub(super) fn partly() {
    let plane = adopted();
    let desk = Desk::at(&plane);
    let before = stored(&plane);
    desk.run(&["adopt", "--yes"]).ok();
    let file = desk.undo_file();
    // Somebody changes a stamp, somebody deletes an object, and somebody makes one anew.
    let kubectl =
        |args: &[&str]| plane.kubectl(User::Joe, &[args, &["-n", "kube-system"]].concat()).ok().to_owned();
    kubectl(&[
        "annotate",
        "--overwrite",
        "configmap",
        "amazon-vpc-cni",
        "meta.helm.sh/release-name=mine",
        "note=x",
    ]);
    kubectl(&["delete", "clusterrolebinding", "aws-node"]);
    kubectl(&["delete", "serviceaccount", "aws-node"]);
    kubectl(&["create", "serviceaccount", "aws-node"]);
    let output = desk.run(&["adopt", "--undo", &file, "--yes"]);
    assert_eq!(output.code, 1, "not all could be undone\n{output}");
    for sentence in [
        "not undone: metadata.annotations[meta.helm.sh/release-name] was changed since: it stays \"mine\"",
        "ClusterRoleBinding aws-node: stays as it is\n  not undone: it is gone",
        "ServiceAccount kube-system/aws-node: stays as it is\n  not undone: another object of this name",
    ] {
        assert!(output.stdout.contains(sentence), "expected {sentence:?} in\n{output}");
    }
    let now = stored(&plane);
    let find = |kind: &str| now.iter().find(|one| one.object["kind"] == kind).unwrap();
    let settings = &find("ConfigMap").object;
    assert_eq!(annotation(settings, "meta.helm.sh/release-name"), Some("mine"));
    assert_eq!(annotation(settings, "meta.helm.sh/release-namespace"), None);
    assert_eq!(annotation(settings, "note"), Some("x"));
    assert_eq!(label(settings, "cni-steward.dev/installed-by"), None);
    assert_eq!(owners(settings), ["eks/Apply", "kubectl-annotate/Update"]);
    let untouched = |stored: &super::desk::Stored| {
        matches!(
            stored.object["kind"].as_str().unwrap(),
            "DaemonSet" | "ClusterRole" | "CustomResourceDefinition"
        )
    };
    let some =
        |all: &[super::desk::Stored]| all.iter().filter(|one| untouched(one)).cloned().collect::<Vec<_>>();
    assert_back(&some(&before), &some(&now), "what nobody touched");
    drop(plane);

    // Helm 4 made the fields its own by its own apply.
    let plane = adopted();
    let desk = Desk::at(&plane);
    desk.run(&["adopt", "--yes"]).ok();
    let file = desk.undo_file();
    helm(&plane, Helm::V4, &[]).ok();
    let after = stored(&plane);
    let output = desk.run(&["adopt", "--undo", &file, "--yes"]);
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stdout.contains("helm itself wrote it since"), "{output}");
    let daemon_set = |all: &[super::desk::Stored]| all.last().unwrap().clone();
    assert_eq!(daemon_set(&stored(&plane)), daemon_set(&after), "Helm's own is not taken from it\n{output}");
}
