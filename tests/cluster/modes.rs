//! Observe, Block, the managed add-on and Cluster API, on a real API server.

use serde_json::{Value, json};

use crate::scene::{
    ADOPT, CAPA, MANAGED_BY, NEW, RELEASE_NAME, Scene, annotation, assert_stamped, assert_stamped_and_owned,
    label, named, owners,
};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures::{self, CORE_FOUR};
use crate::support::steward::Steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer136, Capa25, CapaLatest, Etcd, Kubectl};

const NEW_CAPA_OLD: &[Tool] = &[ApiServer136, Etcd, Kubectl, Capa25];
const NEW_CAPA_LATEST: &[Tool] = &[ApiServer136, Etcd, Kubectl, CapaLatest];

pub(crate) const CASES: &[Case] = &[
    Case { name: "modes::observe_changes_not_one_byte_and_warns", needs: NEW, run: observe },
    Case {
        name: "modes::block_refuses_re_creation_in_two_sentences_whose_command_works",
        needs: NEW,
        run: block,
    },
    Case {
        name: "modes::block_lets_exempt_parked_updated_and_deleted_objects_through",
        needs: NEW,
        run: block_exceptions,
    },
    Case {
        name: "modes::the_managed_addon_marks_what_it_writes_and_is_then_left_alone",
        needs: NEW,
        run: addon_unknown,
    },
    Case {
        name: "modes::without_a_managed_addon_eks_is_absorbed_in_every_write",
        needs: NEW,
        run: addon_absent,
    },
    Case {
        name: "modes::a_managed_addon_that_was_said_to_be_absent_is_believed_when_it_writes",
        needs: NEW,
        run: addon_surprise,
    },
    Case {
        name: "modes::protect_makes_the_newest_cluster_api_spare_the_core_four",
        needs: NEW_CAPA_LATEST,
        run: protect,
    },
    Case {
        name: "modes::release_makes_the_newest_cluster_api_delete_the_core_four",
        needs: NEW_CAPA_LATEST,
        run: release_latest,
    },
    Case {
        name: "modes::adopt_makes_an_old_cluster_api_spare_the_core_four",
        needs: NEW_CAPA_OLD,
        run: adopt_old,
    },
    Case {
        name: "modes::release_makes_an_old_cluster_api_delete_the_core_four",
        needs: NEW_CAPA_OLD,
        run: release_old,
    },
];

/// What is stored, without what differs between two clusters by nature.
fn comparable(plane: &ControlPlane) -> Vec<Value> {
    let strip = |(kind, name): &(&str, &str)| {
        let mut object = plane.get(kind, name);
        let metadata = object["metadata"].as_object_mut().unwrap();
        for key in ["uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(key);
        }
        for entry in metadata["managedFields"].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("time");
        }
        object.as_object_mut().unwrap().remove("status");
        object
    };
    fixtures::OBJECTS.iter().map(strip).collect()
}

fn observe() {
    let alone = ControlPlane::start(Version::V1_36);
    alone.eks_apply(fixtures::EKS_APPLY).ok();
    let scene = Scene::new(Version::V1_36, "mode: Observe");
    let output = scene.eks_apply();
    assert!(output.stderr.contains("Warning: cni-steward observes: Adopt would stamp it"), "{output}");
    assert!(
        output.stderr.contains("Warning: cni-steward observes: Block would refuse this CREATE"),
        "{output}"
    );
    assert_eq!(comparable(&scene.plane), comparable(&alone), "Observe changes nothing");
    let output = scene.kubectl(&["annotate", "ds", "aws-node", "example.org/x=1"]);
    assert!(output.stderr.contains("Adopt would"), "{output}");
    assert!(!output.stderr.contains("Block would"), "Block refuses no update\n{output}");
}

fn block() {
    let scene = Scene::new(Version::V1_36, "mode: Block");
    let output = scene.plane.eks_apply(fixtures::EKS_APPLY);
    let text = output.refused();
    for kind in CORE_FOUR {
        let sentence = format!("denied the request: CREATE of {kind} ");
        assert!(text.contains(&sentence), "expected {sentence:?}\n{output}");
        assert!(scene.plane.find(kind, "aws-node").is_none(), "{kind} aws-node was created");
    }
    for (kind, name) in [fixtures::OBJECTS[0], fixtures::OBJECTS[2]] {
        assert!(
            scene.plane.find(kind, name).is_some(),
            "expected {kind} {name}: settings and schema may be created"
        );
    }
    assert!(text.contains("403") || text.contains("Forbidden") || text.contains("forbidden"), "{output}");

    // The command in the message, as a person would paste it.
    let mut manifest = service_account();
    // Of a pause that is over.
    manifest["metadata"]["annotations"] = json!({"cni-steward.dev/allow-until": "2026-01-01T00:00:00Z"});
    let file = scene.plane.folder().join("sa.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    let refused = scene.kubectl(&["create", "-f", file.to_str().unwrap()]);
    let message = refused.refused().trim_end();
    let command = message.split("for an hour: ").nth(1).unwrap_or_else(|| panic!("no command in {message}"));
    let annotation =
        command.split_whitespace().find(|word| word.starts_with("cni-steward.dev/allow-until=")).unwrap();
    assert_eq!(
        command,
        format!("kubectl annotate --local --overwrite -f FILE {annotation} -o yaml | kubectl apply -f -")
    );
    let annotated = scene.kubectl(&[
        "annotate",
        "--local",
        "--overwrite",
        "-f",
        file.to_str().unwrap(),
        annotation,
        "-o",
        "yaml",
    ]);
    scene.kubectl_stdin(&["apply", "-f", "-"], annotated.ok()).ok();
    assert!(scene.plane.find("ServiceAccount", "aws-node").is_some(), "the command of the message works");
}

fn service_account() -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-node", "namespace": "kube-system"}})
}

fn block_exceptions() {
    let scene = Scene::after_eks(Version::V1_36, "mode: Block");
    let before = comparable(&scene.plane);
    scene.plane.eks_apply(fixtures::EKS_APPLY).ok();
    assert_eq!(comparable(&scene.plane), before, "an update is neither refused nor amended");
    scene.kubectl(&["set", "env", "ds/aws-node", "X=1"]).ok();
    let daemon_set = scene.daemon_set();
    scene.kubectl(&["delete", "ds,sa", "aws-node"]).ok();

    scene
        .plane
        .kubectl_stdin(User::AddonManager, &["create", "-f", "-"], &service_account().to_string())
        .ok();
    scene.kubectl(&["delete", "sa", "aws-node"]).ok();
    scene.kubectl_stdin(&["create", "-f", "-"], &service_account().to_string()).refused();

    let mut parked = daemon_set;
    parked.as_object_mut().unwrap().remove("status");
    let metadata = parked["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
        metadata.remove(key);
    }
    scene.kubectl_stdin(&["create", "-f", "-"], &parked.to_string()).refused();
    parked["spec"]["template"]["spec"]["nodeSelector"] = json!({"io.cilium/aws-node-enabled": "true"});
    scene.kubectl_stdin(&["create", "-f", "-"], &parked.to_string()).ok();
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": null}}}}).to_string();
    scene.kubectl(&["patch", "ds", "aws-node", "-p", &patch]).ok();
}

const ADDON_APPLY: [&str; 7] =
    ["apply", "--server-side", "--force-conflicts", "--field-manager", "eks", "-f", fixtures::EKS_APPLY];

fn addon_unknown() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.plane.kubectl(User::AddonManager, &ADDON_APPLY).ok();
    for object in scene.objects() {
        assert_eq!(annotation(&object, "cni-steward.dev/managed-addon"), Some("true"), "{}", named(&object));
        assert_eq!(annotation(&object, RELEASE_NAME), None, "{}", named(&object));
        assert_eq!(label(&object, CAPA), None, "{}", named(&object));
        let owners = owners(&object);
        assert!(
            owners.contains(&"eks/Apply".to_owned()) && !owners.contains(&"helm/Apply".to_owned()),
            "{owners:?}"
        );
    }
    scene
        .plane
        .assert_writes_nothing(|| scene.plane.kubectl(User::AddonManager, &ADDON_APPLY).ok().to_owned());
    let output = scene.kubectl(&["annotate", "ds", "aws-node", "example.org/x=1"]);
    assert!(output.stderr.contains("belongs to the EKS managed add-on"), "{output}");
    assert_eq!(annotation(&scene.daemon_set(), RELEASE_NAME), None);
}

fn addon_absent() {
    // EKS was there first, so the entries of `eks` could be a managed add-on's; the policy says they are not.
    let scene = Scene::after_eks(Version::V1_36, "mode: Adopt\nmanagedAddon: Absent");
    scene.kubectl(&["annotate", "ds", "aws-node", "example.org/x=1"]).ok();
    let object = scene.daemon_set();
    assert_stamped_and_owned(&object);
    assert!(owners(&object).contains(&"kubectl-annotate/Update".to_owned()), "{:?}", owners(&object));

    // Without that statement only the stamps are put on.
    let scene = Scene::after_eks(Version::V1_36, ADOPT);
    scene.kubectl(&["annotate", "ds", "aws-node", "example.org/x=1"]).ok();
    let object = scene.daemon_set();
    assert_stamped(&object);
    assert!(owners(&object).contains(&"eks/Apply".to_owned()), "{:?}", owners(&object));
}

fn addon_surprise() {
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nmanagedAddon: Absent");
    let output = scene.plane.kubectl(User::AddonManager, &ADDON_APPLY);
    assert!(output.stderr.contains("managedAddon: Absent, but the managed add-on wrote"), "{output}");
    assert_eq!(annotation(&scene.daemon_set(), "cni-steward.dev/managed-addon"), Some("true"));
}

fn fates(scene: &Scene, capa: Tool) -> Vec<String> {
    let fates = scene.plane.capa(capa);
    assert_eq!(fates.len(), 4, "{fates:?}");
    fates.into_values().collect()
}

fn protect() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    assert_eq!(fates(&scene, CapaLatest), ["kept"; 4]);
}

fn adopt_old() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    assert_eq!(fates(&scene, Capa25), ["kept"; 4]);
}

const RELEASE: &str = "mode: Block\nclusterApi: Release";

/// EKS installed, somebody protected, and the next write of each releases.
fn released() -> Scene {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let label = format!("{CAPA}=true");
    for kind in CORE_FOUR {
        plane.kubectl(User::Joe, &["-n", "kube-system", "label", kind, "aws-node", &label]).ok();
    }
    let scene = Scene { steward: Steward::start(RELEASE), plane };
    scene.steward.register(&scene.plane);
    scene.eks_apply();
    for kind in CORE_FOUR {
        let object = scene.plane.get(kind, "aws-node");
        assert_eq!(
            (label_of(&object, CAPA), label_of(&object, MANAGED_BY)),
            (None, Some("eks")),
            "{}",
            named(&object)
        );
    }
    scene.plane.assert_writes_nothing(|| scene.eks_apply());
    scene
}

fn label_of<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    label(object, key)
}

fn release_latest() {
    assert_eq!(fates(&released(), CapaLatest), ["deleted"; 4]);
}

fn release_old() {
    assert_eq!(fates(&released(), Capa25), ["deleted"; 4]);
}
