//! Repairs by the account that the chart makes, and with a right of it taken away.

use serde_json::json;

use super::{ABSENT, after_eks, assert_repaired, await_state, eventually, kubectl, objects};
use crate::chart;
use crate::scene::owners;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::steward::Steward;

/// A cluster with our chart, whose own pods never come, and the token of its account.
fn with_chart(version: Version, helm: Helm) -> (ControlPlane, String) {
    let plane = after_eks(version);
    chart::install(&plane, helm, &["--set=policy.mode=Adopt"]).ok();
    // It points to a Service that nobody serves here.
    plane.kubectl(User::Admin, &["delete", "mutatingwebhookconfiguration", "cni-steward"]).ok();
    let token = plane.kubectl(User::Admin, &["create", "token", "cni-steward", "-n", "kube-system"]);
    let token = token.ok().trim().to_owned();
    plane.await_rights(&token, true, &chart::RIGHTS);
    (plane, token)
}

fn keeper(plane: &ControlPlane, token: &str) -> Steward {
    let admin = std::fs::read_to_string(plane.kubeconfig(User::Admin)).unwrap();
    let mut kubeconfig: serde_json::Value = serde_json::from_str(&admin).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token});
    let file = plane.folder().join("account.kubeconfig");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    let flag = format!("--kubeconfig={}", file.display());
    Steward::start_with(ABSENT, &["--instance=kube-system/cni-steward", &flag])
}

pub(super) fn enough(version: Version, helm: Helm) {
    let (plane, token) = with_chart(version, helm);
    let steward = keeper(&plane, &token);
    await_state(&steward, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);
}

pub(super) fn missing() {
    let (plane, token) = with_chart(Version::V1_36, Helm::V4);
    let take = |patch: serde_json::Value| {
        let patch = patch.to_string();
        let args = ["patch", "role", "cni-steward-targets", "-n", "kube-system", "--type=json", "-p", &patch];
        plane.kubectl(User::Admin, &args).ok();
    };
    // DaemonSets cannot be patched, ConfigMaps not even be read.
    take(json!([
        {"op": "test", "path": "/rules/0/resources/0", "value": "daemonsets"},
        {"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "watch"]},
        {"op": "test", "path": "/rules/2/resources/0", "value": "configmaps"},
        {"op": "remove", "path": "/rules/2"},
    ]));
    // Nobody else tells when the API server has heard of it: a moment too early, and everything would be allowed.
    plane.await_rights(&token, false, &["patch daemonsets.apps/aws-node", "list configmaps/amazon-vpc-cni"]);
    let steward = keeper(&plane, &token);
    await_state(&steward, "in-order", 4);
    await_state(&steward, "failing", 3);
    for named in [
        "cannot patch daemonsets.apps kube-system/aws-node: ",
        "cannot list configmaps kube-system/amazon-vpc-cni: ",
        "kubectl auth can-i patch daemonsets.apps/aws-node -n kube-system --as=system:serviceaccount:kube-system:cni-steward",
    ] {
        steward.await_log(named);
    }
    let daemon_set = plane.get("DaemonSet", "aws-node");
    assert_eq!(owners(&daemon_set), ["eks/Apply"]);
    // Given back, it is used within a minute.
    take(json!([{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "watch", "patch"]}]));
    eventually(&steward, "the right was used", || {
        (owners(&plane.get("DaemonSet", "aws-node")) == ["helm/Apply"]).then_some(())
    });
}

/// First the rights on targets go, then all others.
pub(super) fn taken_away() {
    let (plane, token) = with_chart(Version::V1_36, Helm::V4);
    let steward = keeper(&plane, &token);
    await_state(&steward, "in-order", 6);
    let take = |name: &str| {
        let mut binding = plane.get("RoleBinding", name);
        plane.kubectl(User::Admin, &["delete", "rolebinding", name, "-n", "kube-system"]).ok();
        let metadata = binding["metadata"].as_object_mut().unwrap();
        for key in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            metadata.remove(key);
        }
        binding.to_string()
    };
    let serves = || {
        let review: serde_json::Value =
            serde_json::from_str(include_str!("../../../examples/review.json")).unwrap();
        assert_eq!(steward.client().get("/readyz").unwrap().status, 200);
        assert_eq!(steward.client().post("/mutate", &review).unwrap().status, 200);
    };
    let on_targets = take("cni-steward-targets");
    plane.await_rights(&token, false, &["patch daemonsets.apps/aws-node"]);
    kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    steward.await_log("cannot patch daemonsets.apps kube-system/aws-node: ");
    steward.await_log("kubectl auth can-i patch daemonsets.apps/aws-node -n kube-system");
    serves();
    let on_ours = take("cni-steward-own");
    plane.await_rights(&token, false, &["patch leases.coordination.k8s.io/cni-steward"]);
    steward.await_log("leases.coordination.k8s.io kube-system/cni-steward: ");
    eventually(&steward, "it led no more", || {
        steward.metrics().contains("cni_steward_leading 0\n").then_some(())
    });
    serves();
    for binding in [on_ours, on_targets] {
        plane.kubectl_stdin(User::Admin, &["create", "-f", "-"], &binding).ok();
    }
    await_state(&steward, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);
}
