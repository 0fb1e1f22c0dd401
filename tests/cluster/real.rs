//! The manifests that AWS really applies, when `CNI_STEWARD_REAL_DATA` names a folder that holds them. They are not the
//! project's, so they are not in it.

use std::path::PathBuf;

use crate::forecast::compare;
use crate::scene::{ADOPT, NEW, NEW_HELM_4, Scene, named, owners, real_data};
use crate::support::control_plane::{Helm, Version};
use crate::support::suite::Case;

const CASES: &[Case] = &[
    Case { name: "real::aws_s_own_manifests_become_helm_s_and_stay_so", needs: NEW, run: oldest_to_newest },
    Case {
        name: "real::aws_s_own_manifests_are_taken_over_by_helm_4_as_forecast",
        needs: NEW_HELM_4,
        run: as_forecast,
    },
];

/// The cases when the folder is there, else none.
pub(crate) fn cases() -> Vec<Case> {
    real_data().map(|_| CASES.to_vec()).unwrap_or_default()
}

/// By version, the oldest first.
fn manifests() -> Vec<PathBuf> {
    let folder = real_data().unwrap();
    let mut manifests: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    manifests.sort();
    assert!(!manifests.is_empty(), "no manifest in {}", folder.display());
    manifests
}

fn as_forecast() {
    for manifest in manifests() {
        for policy in ["mode: Adopt\nfields: Stamp", ADOPT] {
            let scene = Scene::new(Version::V1_36, policy);
            scene.plane.eks_apply(manifest.to_str().unwrap()).ok();
            compare(&scene, Helm::V4, true, &["--set-string", "env.WARM_ENI_TARGET=4"]);
        }
    }
}

fn oldest_to_newest() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    for manifest in manifests() {
        let apply = || scene.plane.eks_apply(manifest.to_str().unwrap());
        apply().ok();
        scene.assert_helm_owns_all();
        scene.plane.assert_writes_nothing(apply);
        // The EKS control plane's own CRD, which charts 1.14.0 to 1.22.3 brought along, is off limits.
        if let Some(object) =
            scene.plane.find("CustomResourceDefinition", "policyendpoints.networking.k8s.aws")
        {
            assert!(
                owners(&object).contains(&"eks/Apply".to_owned()),
                "{}: {:?}",
                named(&object),
                owners(&object)
            );
        }
    }
}
