//! Everybody else's writes of an adopted object: stamps come back in the same answer, honest fields stay their writer's.

use serde_json::{Value, json};

use crate::scene::{
    ADOPT, CAPA, INSTALLED_BY, MANAGED_BY, NEW, RELEASE_NAME, Scene, annotation, assert_stamped_and_owned,
    fields_of, label, owners,
};
use crate::support::control_plane::{User, Version};
use crate::support::steward::Steward;
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "writers::a_label_or_annotation_command_cannot_take_a_stamp_away",
        needs: NEW,
        run: label_and_annotate,
    },
    Case { name: "writers::no_form_of_patch_can_take_a_stamp_away", needs: NEW, run: patches },
    Case { name: "writers::a_replace_without_our_metadata_gets_it_back", needs: NEW, run: replace },
    Case { name: "writers::an_edit_and_set_env_stay_the_person_s", needs: NEW, run: edit_and_set_env },
    Case { name: "writers::a_client_side_apply_is_stamped", needs: NEW, run: client_side_apply },
    Case {
        name: "writers::a_second_webhook_beside_ours_leads_to_reinvocation_and_one_result",
        needs: NEW,
        run: second_webhook,
    },
    Case { name: "writers::with_the_webhook_down_writes_go_through_in_time", needs: NEW, run: webhook_down },
    Case { name: "writers::a_live_pause_keeps_our_hands_off", needs: NEW, run: pause },
    Case { name: "writers::a_dry_run_is_answered_and_stores_nothing", needs: NEW, run: dry_run },
    Case { name: "writers::a_status_write_a_delete_and_a_pod_never_reach_us", needs: NEW, run: uncalled },
];

fn adopted() -> Scene {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    scene
}

/// Expects that the object is as Adopt made it, whatever else happened to it.
#[track_caller]
fn assert_adopted(object: &Value) {
    assert_stamped_and_owned(object);
    assert_eq!(label(object, INSTALLED_BY), Some("eks"));
    assert_eq!(label(object, CAPA), Some("true"));
}

fn label_and_annotate() {
    let scene = adopted();
    let before = scene.daemon_set();
    for args in [
        ["label", "ds", "aws-node", "app.kubernetes.io/managed-by=me", "--overwrite"].as_slice(),
        &["label", "ds", "aws-node", "app.kubernetes.io/managed-by-"],
        &["label", "ds", "aws-node", "cni-steward.dev/installed-by=me", "--overwrite"],
        &["annotate", "ds", "aws-node", "meta.helm.sh/release-name=mine", "--overwrite"],
        &["annotate", "ds", "aws-node", "meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-"],
    ] {
        let output = scene.kubectl(args);
        output.ok();
        let after = scene.daemon_set();
        assert_adopted(&after);
        assert_eq!(owners(&after), owners(&before), "after {args:?}: nobody else holds anything");
        if !args[3].starts_with("cni-steward.dev") {
            assert!(output.stderr.contains("put back"), "expected a warning after {args:?}\n{output}");
        }
    }
    scene.kubectl(&["annotate", "ds", "aws-node", "example.org/mine=1"]).ok();
    let after = scene.daemon_set();
    assert_adopted(&after);
    assert_eq!(annotation(&after, "example.org/mine"), Some("1"));
    assert!(owners(&after).contains(&"kubectl-annotate/Update".to_owned()), "{:?}", owners(&after));
}

fn patches() {
    let scene = adopted();
    let merge = json!({"metadata": {"labels": {MANAGED_BY: null}, "annotations": {RELEASE_NAME: "mine"}}})
        .to_string();
    let json_patch = json!([
        {"op": "remove", "path": "/metadata/annotations"},
        {"op": "remove", "path": "/metadata/labels"},
    ])
    .to_string();
    for (form, patch) in [("merge", &merge), ("strategic", &merge), ("json", &json_patch)] {
        scene.kubectl(&["patch", "ds", "aws-node", "--type", form, "-p", patch]).ok();
        let after = scene.daemon_set();
        assert_adopted(&after);
        // The API server's own annotation is rightly the writer's; the stamps are not.
        let kept = fields_of(&after, "kubectl-patch/Update").to_string();
        assert!(!kept.contains("helm") && !kept.contains("managed-by"), "after a {form} patch: {kept}");
    }
    // An apply by somebody else who claims the label.
    let claim = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": {MANAGED_BY: "me"}}})
    .to_string();
    let args = ["apply", "--server-side", "--force-conflicts", "--field-manager", "me", "-f", "-"];
    scene.kubectl_stdin(&args, &claim).ok();
    let after = scene.daemon_set();
    assert_adopted(&after);
    assert!(!owners(&after).contains(&"me/Apply".to_owned()), "{:?}", owners(&after));
}

fn replace() {
    let scene = adopted();
    for kind in ["ServiceAccount", "ClusterRole", "DaemonSet"] {
        let mut object = scene.plane.get(kind, "aws-node");
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("annotations");
        metadata.remove("labels");
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
        scene.kubectl_stdin(&["replace", "-f", "-"], &object.to_string()).ok();
        assert_adopted(&scene.plane.get(kind, "aws-node"));
    }
}

fn edit_and_set_env() {
    let scene = adopted();
    scene.kubectl(&["set", "env", "ds/aws-node", "-c", "aws-node", "MINE=1"]).ok();
    let after = scene.daemon_set();
    assert_adopted(&after);
    let mine = fields_of(&after, "kubectl-set/Update").to_string();
    assert!(
        mine.contains(r#"k:{\"name\":\"MINE\"}"#),
        "expected the new variable to be kubectl-set's, got {mine}"
    );
    let helms = fields_of(&after, "helm/Apply").to_string();
    assert!(!helms.contains("MINE"), "an honest field is not absorbed");

    // `kubectl edit` with an editor that a script plays.
    let editor = scene.plane.folder().join("editor.sh");
    std::fs::write(&editor, "#!/bin/sh\nsed -i -e 's/revisionHistoryLimit: .*/revisionHistoryLimit: 3/' -e '/managed-by: Helm/d' \"$1\"\n")
        .unwrap();
    let mut permissions = std::fs::metadata(&editor).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&editor, permissions).unwrap();
    scene
        .plane
        .kubectl_env(User::Joe, &["-n", "kube-system", "edit", "ds", "aws-node"], &[("KUBE_EDITOR", &editor)])
        .ok();
    let after = scene.daemon_set();
    assert_eq!(after["spec"]["revisionHistoryLimit"], 3, "the edit is stored");
    assert_adopted(&after);
    let owners = owners(&after);
    assert!(owners.contains(&"kubectl-edit/Update".to_owned()), "{owners:?}");
}

fn client_side_apply() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    let args = ["apply", "-f", crate::support::fixtures::EKS_APPLY];
    scene.plane.kubectl(User::Joe, &args).ok();
    let object = scene.daemon_set();
    crate::scene::assert_stamped(&object);
    assert_eq!(label(&object, INSTALLED_BY), Some("kubectl"));
    let owners = owners(&object);
    assert!(
        owners.contains(&"kubectl-client-side-apply/Update".to_owned()),
        "not absorbed by default: {owners:?}"
    );
    scene.plane.assert_writes_nothing(|| scene.plane.kubectl(User::Joe, &args).ok().to_owned());
}

fn second_webhook() {
    // Ours runs first and leaves Cluster API alone; the second, which sorts later, adds a label; ours is asked again.
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nclusterApi: Leave");
    let second = Steward::start("mode: Block\nclusterApi: Protect\nexempt: {managers: [eks]}");
    let manifest = second.webhook_manifest(&scene.plane).replace("name: cni-steward\n", "name: zz-second\n");
    assert!(manifest.contains("zz-second"), "{manifest}");
    scene.plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &manifest).ok();
    scene.eks_apply();
    let asked = |steward: &Steward| {
        let lines = steward.log_lines();
        lines.iter().filter(|line| line.contains("daemonsets") && line.contains("UPDATE")).count()
    };
    crate::support::until(
        "the second webhook labelled the DaemonSet",
        std::time::Duration::from_mins(1),
        || {
            scene.kubectl(&["label", "ds", "aws-node", "aws.cluster.x-k8s.io/prevent-deletion-"]).ok();
            let before = asked(&scene.steward);
            scene
                .kubectl(&[
                    "annotate",
                    "ds",
                    "aws-node",
                    "--overwrite",
                    "example.org/x=1",
                    "meta.helm.sh/release-name=y",
                ])
                .ok();
            let object = scene.daemon_set();
            label(&object, CAPA)?;
            assert_stamped_and_owned(&object);
            // The log is written beside the answer.
            crate::support::until(
                "ours was asked twice in one request",
                std::time::Duration::from_mins(1),
                || (asked(&scene.steward) >= before + 2).then_some(()),
            )
            .unwrap();
            Some(())
        },
    )
    .unwrap();
}

fn webhook_down() {
    let Scene { steward, plane } = adopted();
    drop(steward);
    let start = std::time::Instant::now();
    plane.kubectl(User::Joe, &["-n", "kube-system", "annotate", "ds", "aws-node", "example.org/x=1"]).ok();
    plane.eks_apply(crate::support::fixtures::EKS_APPLY_NEXT).ok();
    // Seven writes; a refused connection does not wait for the configuration's timeout.
    assert!(start.elapsed() < std::time::Duration::from_secs(21), "took {:?}", start.elapsed());
    assert!(owners(&plane.get("DaemonSet", "aws-node")).contains(&"eks/Apply".to_owned()));
}

fn pause() {
    let scene = adopted();
    let until =
        cni_steward::telemetry::clock::now().checked_add(jiff::SignedDuration::from_mins(30)).unwrap();
    let pause = format!("cni-steward.dev/allow-until={until:.0}");
    scene.kubectl(&["annotate", "ds", "aws-node", &pause]).ok();
    scene.kubectl(&["label", "ds", "aws-node", "app.kubernetes.io/managed-by=me", "--overwrite"]).ok();
    assert_eq!(label(&scene.daemon_set(), MANAGED_BY), Some("me"), "a paused target is nobody's to amend");
    scene.kubectl(&["annotate", "ds", "aws-node", "cni-steward.dev/allow-until-"]).ok();
    assert_adopted(&scene.daemon_set());
}

fn dry_run() {
    let scene = adopted();
    // An apply, because `kubectl patch --dry-run=server` does not print what the API server answered.
    let claim = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": {MANAGED_BY: "me"}}});
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "-o",
        "json",
        "--field-manager",
        "me",
        "-f",
        "-",
    ];
    let seen = scene.plane.assert_writes_nothing(|| scene.kubectl_stdin(&args, &claim.to_string()));
    let object: Value = serde_json::from_str(seen.ok()).unwrap();
    assert_eq!(label(&object, MANAGED_BY), Some("Helm"), "{object:#}");
}

fn uncalled() {
    let scene = adopted();
    let reviews = || {
        let metrics = scene.steward.metrics();
        let total = metrics.lines().filter(|line| line.starts_with("cni_steward_reviews_total"));
        total.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = reviews();
    let status = json!({"status": {"desiredNumberScheduled": 3}}).to_string();
    scene.kubectl(&["patch", "ds", "aws-node", "--subresource=status", "--type=merge", "-p", &status]).ok();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "aws-node", "namespace": "kube-system",
        "labels": {"k8s-app": "aws-node"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    scene.kubectl_stdin(&["create", "-f", "-"], &pod.to_string()).ok();
    scene.kubectl(&["create", "configmap", "another"]).ok();
    scene.kubectl(&["create", "clusterrole", "another", "--verb=get", "--resource=pods"]).ok();
    for (kind, name) in crate::support::fixtures::OBJECTS {
        scene.kubectl(&["delete", kind, name, "--wait=false"]).ok();
    }
    assert_eq!(reviews(), before, "none of these is ours to review");
}
