//! Clusters in the states in which people meet us: adopted as planned, undone, and undone still a minute later.

use std::time::{Duration, Instant};

use cni_steward::fields::{List, compare};
use serde_json::{Value, json};

use super::answers::{foretold, helm, manifest};
use super::desk::{Desk, Stored, assert_back, stored, versions};
use crate::prepared::{Prepared, State};
use crate::support::control_plane::{Helm, User};
use crate::support::steward::Steward;
use crate::support::until;

/// How the undo has to hold.
const A_MINUTE: Duration = Duration::from_mins(1);

/// What a person types there, and what is expected.
struct Expected {
    /// Refused without these words, by this code.
    refused: Option<&'static str>,
    args: &'static [&'static str],
    /// Whether there is anything to do.
    changes: bool,
    owner: &'static str,
}

fn expected(state: State) -> Expected {
    let (refused, args): (_, &[&str]) = match state {
        State::EksBefore2024 => (None, &["--absorb", "kubectl-*"]),
        State::ReadmeScript => (None, &["--absorb", "Helm", "--absorb", "kubectl-*"]),
        State::ManagedAddon => (Some("managed-addon"), &["--managed-addon-absent"]),
        State::Flux => (Some("other-owner"), &["--owner", "flux"]),
        State::ArgoCd => (Some("other-owner"), &["--owner", "argocd"]),
        State::OldClusterApi => (None, &["--absorb", "kubectl-label"]),
        _ => (None, &[]),
    };
    let owner = match state {
        State::Flux => "helm-controller",
        State::ArgoCd => "argocd-controller",
        _ => "helm",
    };
    Expected { refused, args, changes: state != State::Adopted, owner }
}

pub(super) fn all(states: &[State]) {
    let mut waiting: Vec<(State, Prepared, Vec<Stored>, Steward)> = Vec::new();
    for &state in states {
        let prepared = state.prepare();
        let before = stored(&prepared.plane);
        adopted(state, &prepared, &before);
        if !expected(state).changes {
            continue;
        }
        let steward = undone(state, &prepared, &before);
        waiting.push((state, prepared, before, steward));
    }
    let since = Instant::now();
    while since.elapsed() < A_MINUTE {
        std::thread::sleep(Duration::from_millis(500));
    }
    for (state, prepared, before, steward) in waiting {
        held(state, &prepared, &before, steward);
    }
}

/// The plan lists exactly what then changes.
fn adopted(state: State, prepared: &Prepared, before: &[Stored]) {
    let desk = Desk::at(&prepared.plane);
    let Expected { refused, args, changes, .. } = expected(state);
    if let Some(code) = refused {
        let output = desk.run(&["adopt", "--yes", "-o", "json"]);
        assert_eq!(output.code, 1, "{state:?}: {output}");
        let plan: Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(
            plan["refusals"].as_array().unwrap().iter().all(|it| it["code"] == code),
            "{state:?}: {output}"
        );
        assert!(!plan["refusals"].as_array().unwrap().is_empty(), "{state:?}: {output}");
        assert_eq!(stored(&prepared.plane), before, "{state:?}: a refusal changes nothing");
    }
    let output = desk.run(&[&["adopt", "--plan", "-o", "json"], args].concat());
    let plan: Value = serde_json::from_str(output.ok()).unwrap();
    assert_eq!(stored(&prepared.plane), before, "{state:?}: --plan changes nothing");
    assert!(desk.undo_files().is_empty(), "{state:?}: --plan writes no file");

    let output = desk.run(&[&["adopt", "--yes"], args].concat());
    output.ok();
    let after = stored(&prepared.plane);
    assert_eq!(versions(before) != versions(&after), changes, "{state:?}: {output}");
    assert_eq!(desk.undo_files().len(), usize::from(changes), "{state:?}: {output}");
    as_planned(state, &plan, before, &after);

    let again = desk.run(&[&["adopt", "--yes"], args].concat());
    assert!(again.ok().contains("nothing to do"), "{state:?}: {again}");
    assert_eq!(
        versions(&stored(&prepared.plane)),
        versions(&after),
        "{state:?}: a second run writes nothing"
    );
    if changes {
        let file = desk.undo_file();
        std::fs::copy(desk.file(&file), prepared.plane.folder().join("undo.json")).unwrap();
    }
}

fn as_planned(state: State, plan: &Value, before: &[Stored], after: &[Stored]) {
    for (before, after) in before.iter().zip(after) {
        let name = before.name();
        let planned = plan["objects"].as_array().unwrap().iter().find(|object| {
            object["kind"] == before.object["kind"] && object["name"] == before.object["metadata"]["name"]
        });
        let planned = planned.unwrap_or_else(|| panic!("{state:?}: {name} is not in the plan"));
        // Labels and annotations: those before, with the edits, are those after.
        let mut expected = before.object.clone();
        for edit in planned["edits"].as_array().unwrap() {
            let (map, key) = (edit["map"].as_str().unwrap(), edit["key"].as_str().unwrap());
            let metadata = expected["metadata"].as_object_mut().unwrap();
            let pairs = metadata.entry(map).or_insert_with(|| json!({})).as_object_mut().unwrap();
            assert_eq!(
                pairs.get(key).unwrap_or(&Value::Null),
                &edit["from"],
                "{state:?}: {name} {key} before"
            );
            match &edit["to"] {
                Value::Null => drop(pairs.shift_remove(key)),
                value => drop(pairs.insert(key.to_owned(), value.clone())),
            }
            if pairs.is_empty() {
                metadata.shift_remove(map);
            }
        }
        for key in ["managedFields", "resourceVersion"] {
            expected["metadata"][key] = after.object["metadata"][key].clone();
        }
        assert_eq!(expected, after.object, "{state:?}: {name} is as it was, with the edits");
        // Field ownership, path by path.
        let list = |stored: &'_ Stored| stored.managed_fields.clone();
        let (was, is) = (list(before), list(after));
        let changes = compare(&List::parse(&was).unwrap_or_default(), &List::parse(&is).unwrap_or_default());
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| json!({"path": change.path, "from": change.from, "to": change.to}))
            .collect();
        assert_eq!(planned["fields"], Value::Array(changes), "{state:?}: {name}");
    }
}

/// Undone byte for byte, in front of a webhook and a reconciler that would adopt.
fn undone(state: State, prepared: &Prepared, before: &[Stored]) -> Steward {
    let plane = &prepared.plane;
    let owner = match expected(state).owner {
        "argocd-controller" => "owner: {manager: argocd-controller, release: null}".to_owned(),
        owner => format!("owner: {{manager: {owner}}}"),
    };
    let policy = format!("mode: Adopt\nmanagedAddon: Absent\n{owner}\n");
    let kubeconfig = format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display());
    let steward = Steward::start_with(&policy, &["--instance=kube-system/cni-steward", &kubeconfig]);
    steward.register(plane);

    let desk = Desk::at(plane);
    let file = plane.folder().join("undo.json");
    let file = file.to_str().unwrap();
    let output = desk.run(&["adopt", "--undo", file, "--yes"]);
    output.ok();
    assert!(output.stderr.contains("policy.mode=Observe"), "{state:?}: names the policy change\n{output}");
    let now = stored(plane);
    assert_back(before, &now, &format!("{state:?} undone\n{output}"));
    let again = desk.run(&["adopt", "--undo", file, "--yes"]);
    again.ok();
    assert_eq!(versions(&stored(plane)), versions(&now), "{state:?}: a second undo writes nothing\n{again}");
    steward
}

/// Still undone; then adopted once more, and Helm answers as foretold.
fn held(state: State, prepared: &Prepared, before: &[Stored], steward: Steward) {
    let plane = &prepared.plane;
    let now = stored(plane);
    assert_back(before, &now, &format!("{state:?} a minute after its undo"));
    let paused = now.iter().filter(|one| one.paused()).count();
    let line = "state=\"left\"} 1";
    let left = || steward.metrics().lines().filter(|metric| metric.ends_with(line)).count();
    until(
        &format!("{state:?}: the reconciler sees {paused} paused objects"),
        Duration::from_secs(20),
        || (left() == paused).then_some(()),
    )
    .unwrap_or_else(|error| panic!("{error}\n{}", steward.metrics()));
    // A write of somebody else passes the webhook and changes nothing else.
    let touched = json!({"metadata": {"annotations": {"example.org/touched": "yes"}}});
    let client = plane.client(User::Joe);
    let path = super::desk::path("ConfigMap", "amazon-vpc-cni");
    for value in [json!("yes"), Value::Null] {
        let mut touched = touched.clone();
        touched["metadata"]["annotations"]["example.org/touched"] = value;
        assert_eq!(client.patch(&path, "application/merge-patch+json", &touched).unwrap().status, 200);
    }
    assert_back(before, &stored(plane), &format!("{state:?} after a write by somebody else"));
    drop(steward);
    plane
        .kubectl(
            User::Admin,
            &["delete", "mutatingwebhookconfiguration", "cni-steward", "--ignore-not-found"],
        )
        .ok();

    let desk = Desk::at(plane);
    let args = expected(state).args;
    let refused = desk.run(&[&["adopt", "--yes"], args].concat());
    assert!(refused.refused().contains("allow-until-"), "{state:?}: names the pause\n{refused}");
    desk.end_pause();
    if expected(state).owner == "argocd-controller" {
        desk.run(&[&["adopt", "--yes"], args].concat()).ok();
        return;
    }
    std::fs::write(desk.file("chart.yaml"), manifest(&[])).unwrap();
    let words = [&["adopt", "--yes", "-o", "json", "--chart-manifest", "chart.yaml"], args].concat();
    let output = desk.run(&words);
    output.ok();
    let which = if matches!(state, State::Eks | State::Helm3 | State::Parked) { Helm::V3 } else { Helm::V4 };
    if expected(state).owner == "helm" {
        let answer = helm(plane, which, &[]);
        assert_eq!(crate::answers::ended(&answer), foretold(&output, which), "{state:?}: {output}\n{answer}");
    }
}
