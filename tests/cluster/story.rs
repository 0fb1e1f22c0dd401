//! A release of the VPC CNI's chart over what EKS has installed, from its install to its uninstall, with no flags.

use serde_json::Value;

use crate::scene::Scene;
use crate::support::control_plane::Helm;
use crate::support::fixtures::OBJECTS;

/// `helm install`, an upgrade that changes a value, the rollback, and the uninstall. Ours is in front in mode Adopt throughout.
pub(crate) fn released(scene: &Scene, helm: Helm) {
    scene.helm(helm, "install", &[]).ok();
    scene.assert_helm_owns_all();
    let first = container(scene);

    scene.helm(helm, "upgrade", &["--set", "env.WARM_IP_TARGET=5"]).ok();
    assert_eq!(env(scene, "WARM_IP_TARGET").as_deref(), Some("5"));
    scene.assert_helm_owns_all();

    scene.plane.helm(helm, &["rollback", "aws-vpc-cni", "1", "-n", "kube-system"]).ok();
    assert_eq!(env(scene, "WARM_IP_TARGET"), None);
    assert_eq!(container(scene), first, "a rollback brings the first values back");
    scene.assert_helm_owns_all();

    scene.plane.helm(helm, &["uninstall", "aws-vpc-cni", "-n", "kube-system"]).ok();
    for (kind, name) in OBJECTS {
        let left = scene.plane.find(kind, name).is_some();
        assert_eq!(left, kind == "CustomResourceDefinition", "{kind} {name} after helm uninstall");
    }
}

/// A variable of the container `aws-node` as stored.
pub(crate) fn env(scene: &Scene, name: &str) -> Option<String> {
    container(scene)["env"].as_array().into_iter().flatten().find(|env| env["name"] == name)?["value"]
        .as_str()
        .map(str::to_owned)
}

fn container(scene: &Scene) -> Value {
    let object = scene.daemon_set();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap();
    containers.into_iter().find(|container| container["name"] == "aws-node").unwrap()
}
