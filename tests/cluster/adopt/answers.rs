//! Helm succeeds and fails where the plan says.

use std::process::Command;

use cni_steward::acceptance::forecast::Answer;
use serde_json::Value;

use super::desk::{Desk, assert_back, stored};
use crate::answers::ended;
use crate::prepared::State;
use crate::scene::assert_stamped_and_owned;
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures;
use crate::support::tools::Tool;
use crate::support::watchdog::Folder;

/// What the chart renders with the values of a person who adopts, and more.
pub(super) fn manifest(more: &[&str]) -> String {
    let home = Folder::new();
    let mut helm = Command::new(Tool::Helm4.path().or(Tool::Helm3.path()).unwrap());
    helm.args(["template", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "--include-crds"]);
    helm.args(["-f", fixtures::VALUES]).args(more).env("HOME", home.path());
    Output::of(helm, None).ok().to_owned()
}

/// `helm install`, or `upgrade` where there is a release.
pub(super) fn helm(plane: &ControlPlane, helm: Helm, more: &[&str]) -> Output {
    let listed = plane
        .kubectl(User::Admin, &["get", "secrets", "-n", "kube-system", "-l", "owner=helm", "-o", "name"]);
    let command = if listed.ok().is_empty() { "install" } else { "upgrade" };
    let args = [command, "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    plane.helm(helm, &[&args, more].concat())
}

/// What a plan in JSON says of this Helm.
#[track_caller]
pub(super) fn foretold(output: &Output, helm: Helm) -> Answer {
    let plan: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    let key = if helm == Helm::V3 { "helm3" } else { "helm4" };
    match plan["helm"]["summary"][key].as_str() {
        Some("Accepts") => Answer::Accepts,
        Some("Invalid") => Answer::Invalid,
        Some("Conflicts") => Answer::Conflicts,
        Some("NotOwned") => Answer::NotOwned,
        other => panic!("no answer: {other:?} in {output}"),
    }
}

pub(super) fn whole(version: Version, which: Helm) {
    let plane = ControlPlane::start(version);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let desk = Desk::at(&plane);
    std::fs::write(desk.file("chart.yaml"), manifest(&[])).unwrap();
    let plan = desk.run(&["adopt", "--plan", "-o", "json", "--chart-manifest", "chart.yaml"]);
    assert_eq!(foretold(&plan, which), Answer::Accepts, "{plan}");
    let text = desk.run(&["adopt", "--plan", "--chart-manifest", "chart.yaml"]);
    for line in ["Helm 3  helm install succeeds", "Helm 4  helm install succeeds", "eks/Apply → helm/Apply"]
    {
        assert!(text.ok().contains(line), "expected {line:?} in\n{text}");
    }
    let before = stored(&plane);
    desk.run(&["adopt", "--yes"]).ok();
    for one in stored(&plane) {
        assert_stamped_and_owned(&one.object);
    }
    desk.run(&["adopt", "--undo", &desk.undo_file(), "--yes"]).ok();
    assert_back(&before, &stored(&plane), "undone");
    desk.end_pause();
    desk.run(&["adopt", "--yes"]).ok();
    helm(&plane, which, &[]).ok();
}

pub(super) fn fail() {
    // Helm 4 meets those who keep their fields, Helm 3 does not.
    let prepared = State::EksBefore2024.prepare();
    let desk = Desk::at(&prepared.plane);
    std::fs::write(desk.file("chart.yaml"), manifest(&[])).unwrap();
    let words = ["adopt", "--yes", "-o", "json", "--chart-manifest", "chart.yaml"];
    let output = desk.run(&words);
    let plan: Value = serde_json::from_str(output.ok()).unwrap();
    assert_eq!(plan["offers"][0]["manager"], "kubectl-client-side-apply", "{output}");
    assert_eq!(foretold(&output, Helm::V4), Answer::Conflicts);
    let answer = helm(&prepared.plane, Helm::V4, &[]);
    assert_eq!(ended(&answer), Answer::Conflicts, "{answer}");
    let secrets = ["delete", "secrets", "-n", "kube-system", "-l", "owner=helm"];
    prepared.plane.kubectl(User::Admin, &secrets).ok();
    let again = desk.run(&words);
    assert_eq!(foretold(&again, Helm::V3), Answer::Accepts);
    helm(&prepared.plane, Helm::V3, &[]).ok();

    // The selector cannot change, whoever owns it.
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let desk = Desk::at(&plane);
    let wrong = ["--set", "originalMatchLabels=false"];
    std::fs::write(desk.file("chart.yaml"), manifest(&wrong)).unwrap();
    let output = desk.run(&words);
    output.ok();
    for which in [Helm::V3, Helm::V4] {
        assert_eq!(foretold(&output, which), Answer::Invalid, "{output}");
        let answer = helm(&plane, which, &wrong);
        assert_eq!(ended(&answer), Answer::Invalid, "{answer}");
        plane.kubectl(User::Admin, &secrets).ok();
    }
    let text = desk.run(&["adopt", "--plan", "--chart-manifest", "chart.yaml"]);
    assert!(text.ok().contains("set originalMatchLabels=true"), "{text}");
}
