//! The forecast over real manifests, where a folder with them is there (`CNI_STEWARD_REAL_DATA`).

use cni_steward::acceptance::Summary;

use crate::forecast::compare;
use crate::scene::{ADOPT, NEW_HELM_4, Scene, real_data};
use crate::support::control_plane::{Helm, Version};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[Case {
    name: "real::manifests_of_others_are_taken_over_as_forecast",
    needs: NEW_HELM_4,
    run: manifests_of_others,
}];

/// Where a folder with real manifests is there, they are applied, and our chart is installed over them.
fn manifests_of_others() {
    let Some(folder) = real_data() else { return };
    let is_manifest = |name: &str| name.starts_with("eks-apply-");
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if !is_manifest(entry.file_name().unwrap().to_str().unwrap()) {
            continue;
        }
        for policy in ["mode: Adopt\nfields: Stamp", ADOPT] {
            let scene = Scene::new(Version::V1_36, policy);
            scene.plane.eks_apply(entry.to_str().unwrap()).ok();
            let more = ["--set-string", "env.WARM_ENI_TARGET=4"];
            let (forecasts, _) = compare(&scene, Helm::V4, true, &more);
            eprintln!("{} {policy:?}: {:?}", entry.display(), Summary::of(&forecasts));
        }
    }
}
