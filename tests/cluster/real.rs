//! The manifests that AWS really applies, when `CNI_STEWARD_REAL_DATA` names a folder that holds them. They are not the
//! project's, so they are not in it.

use crate::scene::{ADOPT, NEW, Scene, named, owners, real_data};
use crate::support::control_plane::Version;
use crate::support::suite::Case;

/// One case when the folder is there, else none.
pub(crate) fn cases() -> Vec<Case> {
    let run = || oldest_to_newest();
    let case = Case { name: "real::aws_s_own_manifests_become_helm_s_and_stay_so", needs: NEW, run };
    real_data().map(|_| case).into_iter().collect()
}

fn oldest_to_newest() {
    let mut manifests: Vec<_> = std::fs::read_dir(real_data().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    manifests.sort();
    assert!(!manifests.is_empty(), "no manifest in {}", real_data().unwrap().display());
    let scene = Scene::new(Version::V1_36, ADOPT);
    for manifest in manifests {
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
