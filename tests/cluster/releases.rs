//! Our own release in bad hours: nobody answers, the API server is slow, and another of the same name.

use std::time::{Duration, Instant};

use crate::chart::{CHART, install};
use crate::scene::{NEW_HELM_3, NEW_HELM_4};
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures;
use crate::support::line::{Line, Weather};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "releases::fault_62_helm_3_takes_us_away_with_nobody_there_and_a_slow_api_server_and_brings_us_back",
        needs: NEW_HELM_3,
        run: || away_and_back(Helm::V3),
    },
    Case {
        name: "releases::fault_62_helm_4_takes_us_away_with_nobody_there_and_a_slow_api_server_and_brings_us_back",
        needs: NEW_HELM_4,
        run: || away_and_back(Helm::V4),
    },
    Case {
        name: "releases::fault_65_a_second_release_of_the_same_name_is_refused_and_the_first_is_as_before",
        needs: NEW_HELM_4,
        run: second,
    },
];

/// What the configuration lets the API server wait for us, and what a busy machine adds.
const IN_TIME: Duration = Duration::from_secs(3 + 10);

/// There are no nodes here, so nobody ever answers.
fn away_and_back(helm: Helm) {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let line = Line::to(plane.port(), Weather::Slow(Duration::from_millis(60)));
    let slow = format!("--kubeconfig={}", plane.kubeconfig_through(line.port()).display());
    let ((), changes) = plane.writes_of(|| {
        for _ in 0..2 {
            install(&plane, helm, &["--set=policy.mode=Adopt"]).ok();
            let begun = Instant::now();
            let words = ["annotate", "ds", "aws-node", "a=b", "--dry-run=server", "-n", "kube-system"];
            plane.kubectl(User::Joe, &words).ok();
            assert!(begun.elapsed() < IN_TIME, "a write took {:?}", begun.elapsed());
            plane.helm(helm, &["uninstall", "cni-steward", "-n", "kube-system", &slow]).ok();
            plane.kubectl(User::Joe, &words).ok();
        }
    });
    assert_eq!(changes, "", "expected uninstall to leave nothing, and nobody to write a target");
    assert!(line.connections() > 0);
}

fn second() {
    let plane = ControlPlane::start(Version::V1_36);
    install(&plane, Helm::V4, &["--set=policy.mode=Adopt"]).ok();
    let ours = [
        ("MutatingWebhookConfiguration", "cni-steward"),
        ("ClusterRole", "cni-steward"),
        ("ClusterRoleBinding", "cni-steward"),
        ("ConfigMap", "cni-steward-policy"),
        ("Deployment", "cni-steward"),
    ];
    let stored = || ours.map(|(kind, name)| plane.get(kind, name));
    let before = stored();
    let words = ["install", "cni-steward", CHART, "-n", "elsewhere", "--create-namespace"];
    let refused = plane.helm(Helm::V4, &words);
    assert!(refused.refused().contains("cni-steward"), "{refused}");
    assert_eq!(stored(), before);

    // Of another name it stands beside the first, and goes without it.
    plane.helm(Helm::V4, &["install", "another", CHART, "-n", "kube-system"]).ok();
    plane.get("MutatingWebhookConfiguration", "another-cni-steward");
    assert_eq!(stored(), before);
    plane.helm(Helm::V4, &["uninstall", "another", "-n", "kube-system"]).ok();
    assert!(plane.find("MutatingWebhookConfiguration", "another-cni-steward").is_none());
    assert_eq!(stored(), before);
}
