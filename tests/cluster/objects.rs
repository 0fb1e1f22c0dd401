//! Objects and writes at the edge of what an API server takes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{ADOPT, MANAGED_BY, NEW, Scene, annotation, label};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::steward::Steward;
use crate::support::suite::Case;
use crate::support::{Output, fixtures, until};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "objects::fault_16_full_annotations_are_stored_with_a_warning",
        needs: NEW,
        run: full_annotations,
    },
    Case { name: "objects::fault_18_a_collection_is_deleted_without_us", needs: NEW, run: collection },
    Case {
        name: "objects::fault_19_a_dry_run_posts_no_event_and_the_write_itself_does",
        needs: NEW,
        run: dry_run,
    },
];

const ACCOUNTS: &str = "/api/v1/namespaces/kube-system/serviceaccounts";
/// What the API server allows all annotations of an object together, keys and values.
const LIMIT: usize = 256 * 1024;

fn full_annotations() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    // Of our keys and values, as they are in a target of ours.
    let ours: usize =
        [("meta.helm.sh/release-name", "aws-vpc-cni"), ("meta.helm.sh/release-namespace", "kube-system")]
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
    let create = |bytes: usize| -> (Output, Value) {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "aws-node", "annotations": {"a": "x".repeat(bytes - 1)}},
        });
        let created = scene.kubectl_stdin(&["create", "-f", "-"], &object.to_string());
        created.ok();
        let stored = scene.plane.get("ServiceAccount", "aws-node");
        scene.kubectl(&["delete", "sa", "aws-node"]).ok();
        (created, stored)
    };
    let (_, fits) = create(LIMIT - ours);
    assert_eq!(
        annotation(&fits, "meta.helm.sh/release-name"),
        Some("aws-vpc-cni"),
        "there was room for ours"
    );
    let (created, full) = create(LIMIT - ours + 1);
    assert_eq!(annotation(&full, "meta.helm.sh/release-name"), None);
    assert_eq!(label(&full, MANAGED_BY), None, "all of it or nothing");
    assert!(created.stderr.contains("256 KiB"), "expected a warning: {}", created.stderr);

    // It is the API server's limit, and none of our making.
    let metadata = json!({"name": "other", "annotations": {"a": "x".repeat(LIMIT)}});
    let over = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    let refused = scene.plane.client(User::Admin).post(ACCOUNTS, &over).unwrap();
    assert_eq!(refused.status, 422, "{}", refused.text());
}

fn collection() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    let reviews = || {
        let page = scene.steward.metrics();
        let total = page.lines().filter(|line| line.starts_with("cni_steward_reviews_total"));
        total.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = reviews();
    assert!(before > 0, "expected the apply to be reviewed");
    let admin = scene.plane.client(User::Admin);
    let sets = "/apis/apps/v1/namespaces/kube-system/daemonsets";
    for (collection, kind) in [(ACCOUNTS, "ServiceAccount"), (sets, "DaemonSet")] {
        let reply = admin.delete(&format!("{collection}?fieldSelector=metadata.name=aws-node")).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        until(&format!("{kind} aws-node was gone"), Duration::from_secs(20), || {
            scene.plane.find(kind, "aws-node").is_none().then_some(())
        })
        .unwrap();
    }
    assert_eq!(reviews(), before, "a deletion is not ours to review");
}

/// What is told is told in order: when the Event of the second write is there, that of the first would be.
fn dry_run() {
    let plane = ControlPlane::start(Version::V1_36);
    let kubeconfig = format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display());
    let steward = Steward::start_with(ADOPT, &["--instance=kube-system/cni-steward", &kubeconfig]);
    steward.register(&plane);
    let amended = || -> Vec<String> {
        let events = plane.kubectl(User::Admin, &["get", "events", "-n", "kube-system", "-o", "json"]);
        let events: Value = serde_json::from_str(events.ok()).unwrap();
        let events = events["items"].as_array().unwrap().iter();
        let events = events.filter(|event| event["reason"] == "Amended");
        events.map(|event| event["involvedObject"]["kind"].as_str().unwrap().to_owned()).collect()
    };
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-node"}});
    let reply = plane.client(User::Admin).post(&format!("{ACCOUNTS}?dryRun=All"), &account).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(label(&reply.json(), MANAGED_BY), Some("Helm"), "decided as the write itself would be");
    assert!(plane.find("ServiceAccount", "aws-node").is_none());
    plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], &role()).ok();
    until("the Event of the write was there", Duration::from_mins(1), || {
        (amended() == ["ClusterRole"]).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", amended(), steward.log_lines().join("\n")));

    let notes = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/cni-steward/templates/NOTES.txt");
    let notes = std::fs::read_to_string(notes).unwrap();
    let (_, look) = notes.lines().find_map(|line| line.split_once("Look: kubectl ")).unwrap();
    let told = plane.kubectl(User::Admin, &look.split(' ').collect::<Vec<_>>());
    assert!(told.ok().contains("Amended"), "{look}: {told}");
}

/// The target that EKS writes with the fewest words.
fn role() -> String {
    let all = std::fs::read_to_string(fixtures::EKS_APPLY).unwrap();
    let role = all.split("\n---").find(|text| text.contains("kind: ClusterRole\n")).unwrap();
    role.to_owned()
}
