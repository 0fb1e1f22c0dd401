//! `export policies`: what the API server decides by itself is what the webhook decides.
//!
//! Each recorded review is written again, by the same user and field manager onto the same stored object, as a dry run
//! under the exported policies and with no webhook. Labels, annotations and refusals are compared with the webhook's
//! answer to the recording; field ownership is not, as CEL cannot move it.

use cni_steward::policy::Policy;
use cni_steward::policy::cel;
use serde_json::{Value, json};

use crate::replay::{self, Place, Replay};
use crate::scene::NEW;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::http::Client;
use crate::support::steward;
use crate::support::suite::Case;
use crate::support::until;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "exported::ten_policies_decide_every_recorded_review_as_the_webhook_does",
        needs: NEW,
        run: same_verdicts,
    },
    Case { name: "exported::objects_of_others_pass_while_block_is_in_force", needs: NEW, run: others_pass },
];

const POLICIES: [&str; 11] = [
    "mode: Adopt",
    "mode: Adopt\nfields: Stamp",
    "mode: Adopt\nmanagedAddon: Absent\nabsorb: ['*']\nclusterApi: Leave",
    "mode: Adopt\nowner: {manager: argocd-controller}\nclusterApi: Release",
    "mode: Adopt\nowner: {manager: helm-controller, release: {name: cni, namespace: flux-system}}",
    "mode: Adopt\nexempt: {usernames: [], groups: ['platform-*'], managers: ['kubectl-*', terraform]}",
    "mode: Adopt\ntargets: {name: cni, namespace: network, settings: cni-settings}",
    "mode: Block",
    "mode: Block\nclusterApi: Protect",
    "mode: Block\nclusterApi: Release\nexempt: {managers: [helm]}",
    "mode: Block\nclusterApi: Protect\nexempt: {usernames: ['eks:*', 'a.b|\"c\\'], groups: [ops, platform-blue]}",
];

/// What prepares the objects; the policies under test are told to let it.
const SETUP: &str = "setup";

fn same_verdicts() {
    let plane = ControlPlane::start(Version::V1_36);
    let admin = plane.client(User::Admin);
    let folder = tempfile::tempdir().unwrap();
    let mut kept = admin.keep().unwrap();
    let mut replays = replay::recorded();
    replays.extend(replay::varied());
    let (mut decided, mut amended, mut refused) = (0, 0, 0);
    for (number, text) in POLICIES.iter().enumerate() {
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        let policy = Policy::parse("policy.yaml", text).unwrap_or_else(|error| panic!("{error}"));
        let name = format!("p{number}");
        let exported =
            steward::run(&["export", "policies", "--policy", file.to_str().unwrap(), "--name", &name]);
        let objects = but_for_setup(exported.ok());
        in_force(&plane, &policy, &name, &objects);
        for replay in &replays {
            if replay.only_with_a_clock && cel::stamping(&policy).is_some() {
                continue;
            }
            let expected = replay.answer_of_the_webhook(&policy);
            let seen = replay.write(&mut kept, &admin, SETUP);
            assert!(
                seen == expected,
                "{text}\n{}\n the webhook: {expected}\n the policy:  {seen}",
                replay.name
            );
            decided += 1;
            amended += u32::from(expected.is_amended(replay));
            refused += u32::from(expected.is_refused());
        }
        no_errors(&admin);
        plane.kubectl_stdin(User::Admin, &["delete", "-f", "-"], &objects).ok();
        gone(&admin, &name);
    }
    // None of it may have passed for want of anything to decide.
    assert!(amended > 200 && refused > 100, "{decided} verdicts, {amended} amended, {refused} refused");
    println!("exported: {decided} verdicts alike, of them {amended} amended and {refused} refused");
}

/// The exported objects with one condition more. The bindings have none.
fn but_for_setup(exported: &str) -> String {
    let documents = exported.split("\n---\n").skip(1);
    let objects: Vec<Value> = documents
        .map(|text| {
            let mut object: Value = serde_saphyr::from_str(text).unwrap();
            if let Some(conditions) =
                object.pointer_mut("/spec/matchConditions").and_then(Value::as_array_mut)
            {
                let expression = format!("request.userInfo.username != '{SETUP}'");
                conditions.push(json!({"name": "not-the-setup", "expression": expression}));
            }
            object
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn in_force(plane: &ControlPlane, policy: &Policy, name: &str, objects: &str) {
    let args = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    plane.kubectl_stdin(User::Admin, &args, objects).ok();
    let admin = plane.client(User::Admin);
    // A target as the policy names it, written by somebody of whom no policy knows.
    let place = Place::new("ServiceAccount", &policy.targets.namespace, &policy.targets.name);
    let account = place.object();
    if policy.targets.namespace != "kube-system" {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": policy.targets.namespace}});
        admin.post("/api/v1/namespaces", &namespace).unwrap();
    }
    let somebody = admin.acting_as("somebody", &["system:masters"]);
    let setup = admin.acting_as(SETUP, &["system:masters"]);
    until(&format!("{name} was in force"), std::time::Duration::from_secs(30), || {
        setup.post(&place.folder(), &account).ok()?;
        somebody.patch(&place.dry_run("probe"), "application/merge-patch+json", &json!({})).ok()?;
        let stamps = cel::stamping(policy).is_none() || checks(&admin, &format!("{name}-stamps")) > 0;
        setup.delete(&place.path()).ok()?;
        let created = somebody.post(&format!("{}?dryRun=All", place.folder()), &account).ok()?;
        (stamps && (created.status == 403) == cel::refusal(policy).is_some()).then_some(())
    })
    .unwrap();
}

fn gone(admin: &Client, name: &str) {
    let place = Place::new("ServiceAccount", "kube-system", "aws-node");
    let somebody = admin.acting_as("somebody", &["system:masters"]);
    until(&format!("{name} was gone"), std::time::Duration::from_secs(30), || {
        let before = checks(admin, name);
        for _ in 0..3 {
            let path = format!("{}?dryRun=All", place.folder());
            if somebody.post(&path, &place.object()).ok()?.status == 403 {
                return None;
            }
        }
        (checks(admin, name) == before).then_some(())
    })
    .unwrap();
}

fn metrics(admin: &Client) -> String {
    admin.get("/metrics").unwrap().text()
}

/// How often the API server has evaluated policies whose name begins like this.
fn checks(admin: &Client, name: &str) -> u64 {
    let metrics = metrics(admin);
    let counted = metrics.lines().filter(|line| {
        line.contains("_admission_policy_check_total{") && line.contains(&format!("policy=\"{name}"))
    });
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// An expression that fails counts as "leave it alone", which is what many writes expect.
fn no_errors(admin: &Client) {
    let metrics = metrics(admin);
    let failed: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_mutating_admission_policy_check_total{"))
        .filter(|line| !line.contains("error_type=\"no_error\""))
        .collect();
    assert!(failed.is_empty(), "expected no failing expression, got {failed:#?}");
}

fn others_pass() {
    let plane = ControlPlane::start(Version::V1_36);
    let exported = steward::run(&[
        "export",
        "policies",
        "--policy",
        concat!(env!("CARGO_MANIFEST_DIR"), "/examples/block.yaml"),
    ]);
    let policy = Policy::with_mode(cni_steward::policy::rules::Mode::Block);
    in_force(&plane, &policy, "cni-steward", &but_for_setup(exported.ok()));
    let joe = plane.client(User::Joe);
    let accounts = "/api/v1/namespaces/kube-system/serviceaccounts?dryRun=All";
    for metadata in [
        json!({"name": "aws-node-other"}),
        json!({"name": "other"}),
        // It has no name yet when it is looked at.
        json!({"generateName": "aws-node"}),
    ] {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        let reply = joe.post(accounts, &object).unwrap();
        assert_eq!(reply.status, 201, "{metadata}: {}", reply.text());
    }
    let elsewhere = Place::new("ServiceAccount", "default", "aws-node");
    let reply = joe.post(&format!("{}?dryRun=All", elsewhere.folder()), &elsewhere.object()).unwrap();
    assert_eq!(reply.status, 201, "another namespace: {}", reply.text());
    let here = Place::new("ServiceAccount", "kube-system", "aws-node");
    let reply = joe.post(&format!("{}?dryRun=All", here.folder()), &here.object()).unwrap();
    assert_eq!(reply.status, 403, "{}", reply.text());
    let said = reply.text();
    for words in ["CREATE of ServiceAccount kube-system/aws-node is refused", "allow-until="] {
        assert!(said.contains(words), "expected the webhook's words {words:?}, got {said}");
    }
}

impl Replay {
    fn answer_of_the_webhook(&self, policy: &Policy) -> replay::Outcome {
        replay::Outcome::of_the_webhook(&self.review, policy)
    }
}
