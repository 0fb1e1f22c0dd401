//! What Cluster API does with the CNI when a cluster says `vpcCni.disable: true`, decided by its own code.

use std::collections::BTreeSet;

use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures::{self, CORE_FOUR};
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer136, Capa25, CapaLatest, Etcd, Kubectl};

const OLD: &[Tool] = &[ApiServer136, Etcd, Kubectl, Capa25];
const NEW: &[Tool] = &[ApiServer136, Etcd, Kubectl, CapaLatest];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "capa::release_2_5_spares_what_says_it_is_managed_by_helm",
        needs: OLD,
        run: old_spares_helm,
    },
    Case {
        name: "capa::the_latest_deletes_the_four_objects_of_eks",
        needs: NEW,
        run: latest_deletes,
    },
    Case {
        name: "capa::the_latest_spares_each_object_by_its_own_label",
        needs: NEW,
        run: latest_spares_labelled,
    },
];

fn with_eks() -> ControlPlane {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    plane
}

#[track_caller]
fn expect_deleted(plane: &ControlPlane, tool: Tool, expected: &[&str]) {
    let fates = plane.capa(tool);
    assert_eq!(
        fates.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(CORE_FOUR)
    );
    for (kind, fate) in &fates {
        let expected = if expected.contains(&kind.as_str()) {
            "deleted"
        } else {
            "kept"
        };
        assert_eq!(
            fate,
            expected,
            "{kind} aws-node after {}, all: {fates:?}",
            tool.name()
        );
    }
    plane.get("ConfigMap", "amazon-vpc-cni");
    plane.get(
        "CustomResourceDefinition",
        "eniconfigs.crd.k8s.amazonaws.com",
    );
}

fn label(plane: &ControlPlane, kind: &str, label: &str) {
    plane
        .kubectl(
            User::Joe,
            &[
                "label",
                "--overwrite",
                "-n",
                "kube-system",
                kind,
                "aws-node",
                label,
            ],
        )
        .ok();
}

fn old_spares_helm() {
    let plane = with_eks();
    plane.assert_writes_nothing(|| expect_deleted(&plane, Capa25, &[]));
    label(&plane, "ClusterRole", "app.kubernetes.io/managed-by=eks");
    label(&plane, "DaemonSet", "app.kubernetes.io/managed-by=eks");
    expect_deleted(&plane, Capa25, &["ClusterRole", "DaemonSet"]);
}

fn latest_deletes() {
    expect_deleted(&with_eks(), CapaLatest, &CORE_FOUR);
}

fn latest_spares_labelled() {
    let plane = with_eks();
    for kind in CORE_FOUR
        .into_iter()
        .filter(|&kind| kind != "ServiceAccount")
    {
        label(&plane, kind, "aws.cluster.x-k8s.io/prevent-deletion=true");
    }
    expect_deleted(&plane, CapaLatest, &["ServiceAccount"]);
}
