//! The story: what `eks` applies becomes Helm's, and both Helms take it over with no flags.

use crate::scene::{
    ADOPT, NEW_HELM_3, NEW_HELM_4, OLD_HELM_4, Scene, annotation, assert_stamped, fields_of, label, named,
    owners,
};
use crate::story::{self, env};
use crate::support::control_plane::{Helm, Version};
use crate::support::fixtures;
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "helm::helm_3_installs_upgrades_rolls_back_and_uninstalls_over_an_eks_apply",
        needs: NEW_HELM_3,
        run: || life(Helm::V3),
    },
    Case {
        name: "helm::helm_4_installs_upgrades_rolls_back_and_uninstalls_over_an_eks_apply",
        needs: NEW_HELM_4,
        run: || life(Helm::V4),
    },
    Case {
        name: "helm::a_cluster_that_eks_made_before_us_is_adopted_by_the_next_eks_write",
        needs: NEW_HELM_4,
        run: made_before_us,
    },
    Case {
        name: "helm::an_eks_apply_after_a_helm_upgrade_forces_values_but_not_ownership",
        needs: NEW_HELM_4,
        run: eks_after_helm,
    },
    Case {
        name: "helm::kubernetes_1_24_is_adopted_through_the_selectors",
        needs: OLD_HELM_4,
        run: old_kubernetes,
    },
    Case {
        name: "helm::stamp_mode_satisfies_helm_3_and_leaves_eks_its_fields",
        needs: NEW_HELM_3,
        run: stamp_helm_3,
    },
    Case {
        name: "helm::stamp_mode_makes_helm_4_ask_for_force_conflicts",
        needs: NEW_HELM_4,
        run: stamp_helm_4,
    },
];

fn life(helm: Helm) {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    scene.assert_helm_owns_all();
    for object in scene.objects().iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
        assert_eq!(label(object, "cni-steward.dev/installed-by"), Some("eks"), "{}", named(object));
    }
    scene.plane.assert_writes_nothing(|| scene.eks_apply());
    story::released(&scene, helm);
}

fn made_before_us() {
    let scene = Scene::after_eks(Version::V1_36, ADOPT);
    scene.plane.assert_writes_nothing(|| ());
    for object in scene.objects() {
        assert_eq!(annotation(&object, "meta.helm.sh/release-name"), None, "{} before", named(&object));
    }
    scene.plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    scene.assert_helm_owns_all();
    scene.plane.assert_writes_nothing(|| scene.plane.eks_apply(fixtures::EKS_APPLY_NEXT));
    scene.helm(Helm::V4, "install", &[]).ok();
}

fn eks_after_helm() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    scene.helm(Helm::V4, "install", &["--set", "env.WARM_ENI_TARGET=7"]).ok();
    assert_eq!(env(&scene, "WARM_ENI_TARGET").as_deref(), Some("7"));
    scene.eks_apply();
    assert_ne!(env(&scene, "WARM_ENI_TARGET").as_deref(), Some("7"), "EKS's value is not ours to keep out");
    scene.assert_helm_owns_all();
    scene.helm(Helm::V4, "upgrade", &["--set", "env.WARM_ENI_TARGET=8"]).ok();
    assert_eq!(env(&scene, "WARM_ENI_TARGET").as_deref(), Some("8"));
}

fn old_kubernetes() {
    let scene = Scene::new(Version::V1_24, ADOPT);
    scene.eks_apply();
    scene.assert_helm_owns_all();
    scene.plane.assert_writes_nothing(|| scene.eks_apply());
    scene.helm(Helm::V4, "install", &[]).ok();
    scene.assert_helm_owns_all();
}

const STAMP: &str = "mode: Adopt\nfields: Stamp";

fn stamp_helm_3() {
    let scene = Scene::new(Version::V1_36, STAMP);
    scene.eks_apply();
    for object in scene.objects().iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
        assert_stamped(object);
        assert!(owners(object).contains(&"eks/Apply".to_owned()), "{}: {:?}", named(object), owners(object));
        let kept = fields_of(object, "helm/Apply").as_object().unwrap();
        assert_eq!(
            kept.keys().collect::<Vec<_>>(),
            ["f:metadata"],
            "{}: only the stamps are helm's",
            named(object)
        );
    }
    scene.plane.assert_writes_nothing(|| scene.eks_apply());
    scene.helm(Helm::V3, "install", &[]).ok();
}

fn stamp_helm_4() {
    let scene = Scene::new(Version::V1_36, STAMP);
    scene.eks_apply();
    let refused = scene.helm(Helm::V4, "install", &["--skip-crds"]);
    assert!(refused.refused().contains("conflict"), "expected Helm 4 to meet eks's fields\n{refused}");
    scene.helm(Helm::V4, "upgrade", &["--install", "--skip-crds", "--force-conflicts"]).ok();
    let object = scene.daemon_set();
    assert_stamped(&object);
    assert!(owners(&object).contains(&"eks/Apply".to_owned()), "{:?}", owners(&object));
}
