//! A decision has one identifier everywhere it is told, and can be had again from its review.

use std::time::Duration;

use serde_json::Value;

use crate::scene::{ADOPT, NEW};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::steward::{Steward, run};
use crate::support::suite::Case;
use crate::support::{fixtures, until};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "explain::one_identifier_is_in_the_audit_log_our_log_and_the_event",
        needs: NEW,
        run: one_identifier,
    },
    Case {
        name: "explain::a_logged_review_replayed_offline_gives_the_same_bytes",
        needs: NEW,
        run: replayed,
    },
];

fn installed(plane: &ControlPlane, policy: &str) -> Steward {
    let kubeconfig = format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display());
    let steward = Steward::start_with(policy, &["--instance=kube-system/cni-steward", &kubeconfig]);
    steward.register(plane);
    steward
}

/// The logged decisions with this reason about a resource; the log is written beside the answers.
fn logged(steward: &Steward, resource: &str, reason: &str) -> Vec<Value> {
    let lines = until("the decision was logged", Duration::from_secs(10), || {
        let lines: Vec<Value> =
            steward.log_lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is = |line: &Value| {
            line["resource"] == resource && line["reason"] == reason && line["dry_run"] == false
        };
        let found: Vec<Value> = lines.into_iter().filter(is).collect();
        (!found.is_empty()).then_some(found)
    });
    lines.unwrap_or_else(|error| panic!("{error}\n{}", steward.log_lines().join("\n")))
}

/// The identifier is what the Event with this reason about a DaemonSet ends with, and it is in the audit log.
#[track_caller]
fn expect_everywhere(plane: &ControlPlane, line: &Value, event: &str) {
    let id = line["decision"].as_str().unwrap();
    assert_eq!(id.len(), 36, "{line}");
    let note = until("the Event was there", Duration::from_secs(20), || {
        let args = ["get", "events", "-n", "kube-system", "-o", "json"];
        let events: Value = serde_json::from_str(plane.kubectl(User::Admin, &args).ok()).unwrap();
        let mut events = events["items"].as_array().unwrap().iter().filter(|found| found["reason"] == event);
        events.find_map(|found| {
            let message = found["message"].as_str()?;
            (found["involvedObject"]["kind"] == "DaemonSet").then(|| message.to_owned())
        })
    })
    .unwrap();
    assert!(note.ends_with(&format!("(decision {id})")), "expected {id} in {note}");
    let annotated = until("the audit log had the decision", Duration::from_secs(10), || {
        let log = std::fs::read_to_string(plane.folder().join("audit.log")).ok()?;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut annotations = lines.map(|line| line["annotations"].clone());
        annotations.find(|annotations| annotations["namespaced.cni-steward.dev/decision"] == id)
    })
    .unwrap();
    assert_eq!(annotated["namespaced.cni-steward.dev/reason"], line["reason"], "{annotated}");
}

fn one_identifier() {
    let plane = ControlPlane::start(Version::V1_36);
    let steward = installed(&plane, ADOPT);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    expect_everywhere(&plane, &logged(&steward, "daemonsets", "adopted")[0], "Amended");
    drop(steward);

    let steward = installed(&plane, "mode: Block");
    plane.kubectl(User::Joe, &["delete", "ds", "aws-node", "-n", "kube-system"]).ok();
    let refused = plane.eks_apply(fixtures::EKS_APPLY);
    assert!(refused.refused().contains("CREATE of DaemonSet kube-system/aws-node is refused"), "{refused}");
    expect_everywhere(&plane, &logged(&steward, "daemonsets", "blocked")[0], "Refused");
}

fn replayed() {
    let steward = Steward::start(ADOPT);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reviews/1.36");
    let policy = steward.policy_file();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let review: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let id = review["request"]["uid"].as_str().unwrap();
        until("a decision fell into one second", Duration::from_secs(10), || {
            let before = steward.log_lines().len();
            let answer = steward.client().post("/mutate", &review).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let line = until("it was logged", Duration::from_secs(10), || {
                let lines = steward.log_lines();
                let lines =
                    lines.iter().skip(before).filter_map(|line| serde_json::from_str::<Value>(line).ok());
                lines.into_iter().find(|line| line["decision"] == id)
            })
            .unwrap();
            // The moment of the decision lies between these two; in managedFields it counts by the second.
            let end: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
            let took = jiff::SignedDuration::from_micros(line["duration_us"].as_i64().unwrap() + 1000);
            if end.checked_sub(took).unwrap().as_second() != end.as_second() {
                return None;
            }
            let replay = run(&[
                "review",
                "--policy",
                policy.to_str().unwrap(),
                "--now",
                line["timestamp"].as_str().unwrap(),
                "-o",
                "review",
                file.to_str().unwrap(),
            ]);
            assert_eq!(replay.ok(), answer.text(), "{}", file.display());
            Some(())
        })
        .unwrap();
    }
    assert!(files.len() > 10, "expected recorded reviews, got {files:?}");
}
