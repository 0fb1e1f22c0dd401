//! What admission missed is repaired by the leader: here with no webhook registered, unless a case says so.

mod fights;
mod moods;
mod rights;
mod trouble;

use std::time::Duration;

use cni_steward::telemetry::clock;
use serde_json::{Value, json};

use crate::scene::{
    CAPA, INSTALLED_BY, MANAGED_BY, NEW, NEW_HELM_4, OLD_HELM_4, assert_stamped_and_owned, fields_of, label,
    named, owners,
};
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures::{self, CORE_FOUR, OBJECTS};
use crate::support::steward::Steward;
use crate::support::suite::Case;
use crate::support::until;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "repair::a_bootstrap_before_us_is_repaired_and_helm_4_installs_with_no_flags_on_1_36",
        needs: NEW_HELM_4,
        run: || bootstrap(Version::V1_36),
    },
    Case {
        name: "repair::a_bootstrap_before_us_is_repaired_and_helm_4_installs_with_no_flags_on_1_24",
        needs: OLD_HELM_4,
        run: || bootstrap(Version::V1_24),
    },
    Case {
        name: "repair::with_our_webhook_in_the_way_the_result_is_the_same",
        needs: NEW,
        run: through_ourselves,
    },
    Case {
        name: "repair::what_may_be_the_managed_add_on_s_is_told_and_not_changed_by_a_byte",
        needs: NEW,
        run: held_back,
    },
    Case { name: "repair::observe_changes_nothing", needs: NEW, run: observe },
    Case {
        name: "repair::block_relabels_live_objects_for_cluster_api_and_no_more",
        needs: NEW,
        run: cluster_api,
    },
    Case { name: "repair::what_a_missed_write_took_away_comes_back", needs: NEW, run: taken_away },
    Case { name: "repair::what_is_created_again_unseen_is_repaired_again", needs: NEW, run: created_again },
    Case {
        name: "repair::killed_at_any_point_of_a_repair_the_next_leader_ends_it",
        needs: NEW,
        run: fights::killed,
    },
    Case {
        name: "repair::who_changes_it_back_three_times_gets_it_and_is_named",
        needs: NEW,
        run: fights::contested,
    },
    Case {
        name: "repair::a_fight_is_over_when_nobody_touches_the_path_any_more",
        needs: NEW,
        run: fights::resumes,
    },
    Case {
        name: "repair::two_replicas_with_different_policies_do_not_flap",
        needs: NEW,
        run: fights::two_policies,
    },
    Case { name: "repair::a_changed_policy_settles_before_it_writes", needs: NEW, run: fights::settles },
    Case { name: "repair::a_large_object_is_repaired_too", needs: NEW, run: large },
    Case {
        name: "repair::whatever_the_api_server_answers_to_a_write_the_repair_comes_to_its_end",
        needs: NEW,
        run: moods::all,
    },
    Case {
        name: "repair::the_chart_s_account_is_enough_on_1_36",
        needs: NEW_HELM_4,
        run: || rights::enough(Version::V1_36, Helm::V4),
    },
    Case {
        name: "repair::the_chart_s_account_is_enough_on_1_24",
        needs: OLD_HELM_4,
        run: || rights::enough(Version::V1_24, Helm::V4),
    },
    Case {
        name: "repair::a_missing_right_is_named_and_everything_else_goes_on",
        needs: NEW_HELM_4,
        run: rights::missing,
    },
    Case {
        name: "repair::fault_39_a_leader_that_was_frozen_writes_nothing_when_it_wakes",
        needs: NEW,
        run: trouble::frozen,
    },
    Case {
        name: "repair::fault_52_through_an_unreliable_line_everything_is_adopted_all_the_same",
        needs: NEW,
        run: trouble::unreliable,
    },
    Case {
        name: "repair::fault_52_after_the_api_server_s_restart_it_goes_on_by_itself",
        needs: NEW,
        run: trouble::restarted,
    },
    Case {
        name: "repair::fault_54_rights_taken_away_while_it_runs_cost_nothing_but_what_they_were_for",
        needs: NEW_HELM_4,
        run: rights::taken_away,
    },
    Case {
        name: "repair::fault_65_two_of_us_with_different_owners_in_mind_come_to_rest",
        needs: NEW,
        run: trouble::two_of_us,
    },
    Case { name: "repair::a_live_pause_holds_and_its_end_is_noticed", needs: NEW, run: pause },
];

const ABSENT: &str = "mode: Adopt\nmanagedAddon: Absent";
/// For what takes an idle machine a second or two.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that looks after this cluster.
fn keeper(plane: &ControlPlane, policy: &str) -> Steward {
    keeper_at(&plane.kubeconfig(User::Admin), policy, &[])
}

/// The same by another way to the API server, and with more arguments.
fn keeper_at(kubeconfig: &std::path::Path, policy: &str, more: &[&str]) -> Steward {
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let ours = "--instance=kube-system/cni-steward";
    let instance = if more.iter().any(|arg| arg.starts_with("--instance")) { None } else { Some(ours) };
    let args: Vec<&str> =
        instance.into_iter().chain([kubeconfig.as_str()]).chain(more.iter().copied()).collect();
    Steward::start_with(policy, &args)
}

fn after_eks(version: Version) -> ControlPlane {
    let plane = ControlPlane::start(version);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    plane
}

fn objects(plane: &ControlPlane) -> Vec<Value> {
    OBJECTS.iter().map(|(kind, name)| plane.get(kind, name)).collect()
}

/// The value of one line of the metrics page; 0 without the line.
fn metric(steward: &Steward, line: &str) -> u64 {
    let page = steward.metrics();
    let found = page.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0, |value| value.parse().unwrap())
}

fn sum(steward: &Steward, name: &str) -> u64 {
    let page = steward.metrics();
    let lines = page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Waits until the leader sees so many targets in this state.
#[track_caller]
fn await_state(steward: &Steward, state: &str, count: usize) {
    let seen = || {
        let page = steward.metrics();
        let ending = format!("state=\"{state}\"}} 1");
        let states = page.lines().filter(|line| line.starts_with("cni_steward_target_state"));
        states.filter(|line| line.ends_with(&ending)).count()
    };
    eventually(steward, &format!("{count} targets were {state}"), || (seen() == count).then_some(()));
}

/// Waits; in vain, it shows what the leader has said.
#[track_caller]
fn eventually<T>(steward: &Steward, what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, look).unwrap_or_else(|error| {
        panic!("{error}\n{}\n{}", steward.metrics(), steward.log_lines().join("\n"));
    })
}

/// As if admission had made it.
#[track_caller]
fn assert_repaired(object: &Value) {
    assert_stamped_and_owned(object);
    let ours = owners(object).iter().any(|owner| owner.starts_with("cni-steward"));
    assert!(!ours, "expected no entry of ours on {}, got {:?}", named(object), owners(object));
    let kind = object["kind"].as_str().unwrap();
    if kind != "CustomResourceDefinition" {
        assert_eq!(label(object, INSTALLED_BY), Some("eks"), "{}", named(object));
    }
    if CORE_FOUR.contains(&kind) {
        assert_eq!(label(object, CAPA), Some("true"), "{}", named(object));
    }
}

/// Everything but metadata, and the metadata that nobody may touch.
fn beside_our_paths(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["managedFields", "resourceVersion", "annotations", "labels"] {
        metadata.remove(key);
    }
    object
}

fn bootstrap(version: Version) {
    let plane = after_eks(version);
    let before = objects(&plane);
    let steward = keeper(&plane, ABSENT);
    await_state(&steward, "in-order", 6);
    // By its own clock, so that neither its start nor the test's looking counts.
    let repaired = eventually(&steward, "all repairs were logged", || {
        Some(steward.logged("repaired")).filter(|times| times.len() == 6)
    });
    let took = repaired.iter().max().unwrap().duration_since(steward.logged("leading")[0]);
    assert!(took.as_secs() < 10, "expected to be done 10 s after leadership, took {took:#}");
    let after = objects(&plane);
    for (before, after) in before.iter().zip(&after) {
        assert_repaired(after);
        assert_eq!(beside_our_paths(before), beside_our_paths(after));
    }
    // The schema is in order with one write, everything else with two.
    assert_eq!(sum(&steward, "cni_steward_repair_writes_total"), 11, "{}", steward.metrics());
    assert_eq!(sum(&steward, "cni_steward_missed_writes_total"), 6);
    assert_eq!(sum(&steward, "cni_steward_repairs_total"), 6);
    let line = "cni_steward_missed_writes_total{target=\"daemonsets/aws-node\",writer=\"eks\"}";
    assert_eq!(metric(&steward, line), 1, "{}", steward.metrics());

    plane
        .helm(
            Helm::V4,
            &["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES],
        )
        .ok();

    let event = eventually(&steward, "the Event was there", || {
        let events = plane.kubectl(User::Admin, &["get", "events", "-n", "kube-system", "-o", "json"]);
        let events: Value = serde_json::from_str(events.ok()).unwrap();
        let mut found = events["items"].as_array().unwrap().iter().cloned();
        found.find(|event| event["reason"] == "MissedWrite" && event["involvedObject"]["kind"] == "DaemonSet")
    });
    let note = event["message"].as_str().unwrap();
    assert!(note.contains("by eks") && note.contains("stamp it for release"), "{note}");
}

fn through_ourselves() {
    let plane = after_eks(Version::V1_36);
    let steward = Steward::start("mode: Adopt\nmanagedAddon: Absent");
    steward.register(&plane);
    let keeper = keeper(&plane, ABSENT);
    await_state(&keeper, "in-order", 6);
    objects(&plane).iter().for_each(assert_repaired);
    let asked = metric_reviews(&steward);
    assert!(asked > 0, "expected the repairs to pass the webhook\n{}", steward.metrics());
    // A repeated eks apply still writes nothing to etcd, which is what the canonical bytes are for.
    let versions = versions(&plane);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    assert_eq!(self::versions(&plane), versions);
}

fn metric_reviews(steward: &Steward) -> u64 {
    sum(steward, "cni_steward_reviews_total")
}

fn versions(plane: &ControlPlane) -> Vec<String> {
    let version = |object: Value| object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    objects(plane).into_iter().map(version).collect()
}

fn held_back() {
    let plane = after_eks(Version::V1_36);
    let before = objects(&plane);
    let steward = keeper(&plane, "mode: Adopt");
    await_state(&steward, "held-back", 6);
    assert_eq!(objects(&plane), before);
    assert_eq!(sum(&steward, "cni_steward_repair_writes_total"), 0);
    let told = steward.await_log("held-back");
    for word in ["describe-addon", "managedAddon: Absent"] {
        assert!(told.contains(word), "expected {word} in {told}");
    }
}

fn observe() {
    let plane = after_eks(Version::V1_36);
    let before = objects(&plane);
    let steward = keeper(&plane, "mode: Observe\nmanagedAddon: Absent");
    await_state(&steward, "observed", 6);
    assert_eq!(objects(&plane), before);
}

fn cluster_api() {
    let plane = after_eks(Version::V1_36);
    let before = objects(&plane);
    let steward = keeper(&plane, "mode: Block\nclusterApi: Release");
    await_state(&steward, "in-order", 6);
    for (before, after) in before.iter().zip(objects(&plane)) {
        let kind = after["kind"].as_str().unwrap();
        if CORE_FOUR.contains(&kind) {
            assert_eq!(label(&after, MANAGED_BY), Some("eks"), "{kind}");
            assert_eq!(owners(&after), ["eks/Apply"], "{kind}");
        } else {
            assert_eq!(*before, after, "{kind} is none of Cluster API's");
        }
        assert_eq!(beside_our_paths(before), beside_our_paths(&after));
    }
}

fn adopted() -> (ControlPlane, Steward) {
    let plane = after_eks(Version::V1_36);
    let steward = keeper(&plane, ABSENT);
    await_state(&steward, "in-order", 6);
    (plane, steward)
}

fn kubectl(plane: &ControlPlane, words: &str) {
    let words: Vec<&str> = words.split_whitespace().chain(["-n", "kube-system"]).collect();
    plane.kubectl(User::Joe, &words).ok();
}

/// Waits for the repair of the DaemonSet after something was done to it.
#[track_caller]
fn repaired(plane: &ControlPlane, steward: &Steward, done_before: u64) -> Value {
    let line = "cni_steward_repairs_total{target=\"daemonsets/aws-node\",outcome=\"done\"}";
    eventually(steward, "the repair was done", || (metric(steward, line) > done_before).then_some(()));
    plane.get("DaemonSet", "aws-node")
}

fn taken_away() {
    let (plane, steward) = adopted();
    kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    let object = repaired(&plane, &steward, 1);
    assert_repaired(&object);
    assert!(!owners(&object).iter().any(|owner| owner.starts_with("kubectl-label")), "{:?}", owners(&object));

    kubectl(&plane, "annotate ds aws-node meta.helm.sh/release-name- note=mine");
    let object = repaired(&plane, &steward, 2);
    assert_repaired(&object);
    let theirs = fields_of(&object, "kubectl-annotate/Update");
    assert!(
        theirs["f:metadata"]["f:annotations"]["f:note"].is_object(),
        "what is honestly theirs stays: {theirs}"
    );

    plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    assert_repaired(&repaired(&plane, &steward, 3));
}

fn created_again() {
    let (plane, steward) = adopted();
    kubectl(&plane, "delete ds aws-node");
    await_state(&steward, "absent", 2);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    assert_repaired(&repaired(&plane, &steward, 1));
}

/// The mark and what is spoilt come in one write, so nothing is repaired in between, and nobody writes when the time is over.
fn pause() {
    let (plane, steward) = adopted();
    let end = clock::now() + Duration::from_secs(20);
    let patch = json!({"metadata": {
        "labels": {MANAGED_BY: "me"},
        "annotations": {"cni-steward.dev/allow-until": format!("{end:.0}")},
    }});
    let path = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node";
    let reply = plane.client(User::Joe).patch(path, "application/merge-patch+json", &patch).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    await_state(&steward, "left", 1);
    let object = plane.get("DaemonSet", "aws-node");
    await_state(&steward, "in-order", 6);
    assert!(clock::now() >= end, "repaired while the pause was live");
    assert_eq!(label(&object, MANAGED_BY), Some("me"));
    assert_eq!(label(&plane.get("DaemonSet", "aws-node"), MANAGED_BY), Some("Helm"));
}

fn large() {
    let (plane, steward) = adopted();
    let spoilt = json!({"data": {"big": "x".repeat(600_000)}, "metadata": {"labels": {MANAGED_BY: "me"}}});
    let path = "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni";
    let reply = plane.client(User::Joe).patch(path, "application/merge-patch+json", &spoilt).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let line = "cni_steward_repairs_total{target=\"configmaps/amazon-vpc-cni\",outcome=\"done\"}";
    eventually(&steward, "the repair was done", || (metric(&steward, line) > 1).then_some(()));
    let object = plane.get("ConfigMap", "amazon-vpc-cni");
    assert_repaired(&object);
    assert_eq!(object["data"]["big"].as_str().unwrap().len(), 600_000);
}
