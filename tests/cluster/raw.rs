//! The trouble as it is: what EKS writes, and how both Helms refuse to take it over.

use std::process::Command;

use serde_json::Value;

use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, Version};
use crate::support::fixtures;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, ApiServer136, Etcd, Helm3, Helm4, Kubectl};
use crate::support::watchdog::Folder;

const NEW: &[Tool] = &[ApiServer136, Etcd, Kubectl];
const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "raw::eks_leaves_one_apply_entry_of_its_own_on_each_object_1_36",
        needs: NEW,
        run: || eks_entries(Version::V1_36),
    },
    Case {
        name: "raw::eks_leaves_one_apply_entry_of_its_own_on_each_object_1_24",
        needs: OLD,
        run: || eks_entries(Version::V1_24),
    },
    Case {
        name: "raw::the_eks_manifest_is_what_the_chart_renders_with_the_values_of_eks",
        needs: &[Helm4],
        run: manifest_is_rendered,
    },
    Case {
        name: "raw::helm_3_refuses_for_want_of_ownership_metadata",
        needs: &[ApiServer136, Etcd, Kubectl, Helm3],
        run: helm_3_refuses,
    },
    Case {
        name: "raw::helm_4_refuses_over_a_field_of_the_crd_that_eks_owns",
        needs: &[ApiServer136, Etcd, Kubectl, Helm4],
        run: helm_4_refuses,
    },
];

fn eks_entries(version: Version) {
    let plane = ControlPlane::start(version);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    for (kind, name) in fixtures::OBJECTS {
        let object = plane.get(kind, name);
        let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let of_eks: Vec<&Value> = entries.iter().filter(|entry| entry["manager"] == "eks").collect();
        assert!(
            of_eks.len() == 1 && of_eks[0]["operation"] == "Apply" && of_eks[0]["subresource"].is_null(),
            "expected one root Apply entry of eks on {kind} {name}, got {entries:#?}"
        );
        let annotations = object["metadata"]["annotations"].to_string();
        assert!(
            !annotations.contains("meta.helm.sh"),
            "expected no release on {kind} {name}, got {annotations}"
        );
        let label = &object["metadata"]["labels"]["app.kubernetes.io/managed-by"];
        let expected = if kind == "CustomResourceDefinition" { Value::Null } else { "Helm".into() };
        assert_eq!(*label, expected, "managed-by of {kind} {name}");
    }
    let (_, changes) = plane.writes_of(|| plane.eks_apply(fixtures::EKS_APPLY).ok().to_owned());
    // In 1.24 `preserveUnknownFields: false`, which is not stored, counts as a change, and the entry gets a new time.
    let expected = if version == Version::V1_24 { format!("\n  changed {CRD_KEY}") } else { String::new() };
    assert_eq!(changes, expected, "writes of a repeated apply");

    let (_, changes) = plane.writes_of(|| plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok().to_owned());
    let others = changes.lines().filter(|line| line.contains("changed") && !line.ends_with(CRD_KEY));
    assert!(others.count() == 5, "expected a new version to change all objects but the CRD, got{changes}");
}

const CRD_KEY: &str =
    "/registry/apiextensions.k8s.io/customresourcedefinitions/eniconfigs.crd.k8s.amazonaws.com";

fn manifest_is_rendered() {
    let home = Folder::new();
    let mut helm = Command::new(Helm4.path().unwrap());
    helm.args(["template", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "--include-crds"]);
    helm.args(["-f", fixtures::EKS_VALUES]).env("HOME", home.path());
    let rendered = Output::of(helm, None);
    let committed = std::fs::read_to_string(fixtures::EKS_APPLY).unwrap();
    assert!(
        rendered.ok() == committed,
        "tests/fixtures/eks-apply.yaml is out of date; its README says how it is rendered"
    );
}

fn install(plane: &ControlPlane, helm: Helm) -> Output {
    let args = ["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES];
    plane.helm(helm, &args)
}

fn helm_3_refuses() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let output = install(&plane, Helm::V3);
    assert!(
        output.refused().contains("invalid ownership metadata"),
        "expected Helm's ownership check\n{output}"
    );
}

fn helm_4_refuses() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let output = install(&plane, Helm::V4);
    let expected = "conflict with \"eks\": .spec.preserveUnknownFields";
    assert!(output.refused().contains(expected), "expected {expected}\n{output}");
}
