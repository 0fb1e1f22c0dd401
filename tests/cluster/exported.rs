//! `export policies`: what the API server decides by itself is what the webhook decides.
//!
//! Each recorded review is written again, by the same user and field manager onto the same stored object, as a dry run
//! under the exported policies and with no webhook. Labels, annotations and refusals are compared with the webhook's
//! answer to the recording; field ownership is not, as CEL cannot move it.

use std::path::Path;
use std::time::Duration;

use cni_steward::policy::Policy;
use cni_steward::policy::cel;
use serde_json::{Value, json};

use crate::replay::{self, Outcome, Place, Replay};
use crate::scene::NEW;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::http::Client;
use crate::support::steward;
use crate::support::suite::Case;
use crate::support::tools::Tool;
use crate::support::{Output, until};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "exported::ten_policies_decide_every_recorded_review_as_the_webhook_does",
        needs: NEW,
        run: same_verdicts,
    },
    Case {
        name: "exported::block_refuses_every_recorded_review_that_the_webhook_refuses_on_1_30",
        needs: FIRST,
        run: same_refusals,
    },
    Case {
        name: "exported::objects_of_others_pass_while_block_is_in_force_on_1_36",
        needs: NEW,
        run: || others_pass(Version::V1_36),
    },
    Case {
        name: "exported::objects_of_others_pass_while_block_is_in_force_on_1_30",
        needs: FIRST,
        run: || others_pass(Version::V1_30),
    },
];

/// What the first API server with such policies needs.
const FIRST: &[Tool] = &[Tool::ApiServer130, Tool::Etcd, Tool::Kubectl];

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

/// For what takes an idle machine a few seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// What prepares the objects; the policies under test are told to let it.
const SETUP: &str = "setup";

fn same_verdicts() {
    let tally = compare(Version::V1_36, &POLICIES, |seen, expected| seen == expected);
    // None of it may have passed for want of anything to decide.
    assert!(tally.amended > 200 && tally.refused > 100, "{tally:?}");
    println!("exported: verdicts alike: {tally:?}");
}

/// 1.30 knows no policies that change objects.
fn same_refusals() {
    let block: Vec<&str> = POLICIES.into_iter().filter(|text| text.contains("mode: Block")).collect();
    let tally = compare(Version::V1_30, &block, |seen, expected| seen.is_refused() == expected.is_refused());
    assert!(block.len() == 4 && tally.refused > 100, "{tally:?}");
    println!("exported: refusals alike on 1.30: {tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    decided: u32,
    amended: u32,
    refused: u32,
}

fn compare(version: Version, policies: &[&str], alike: fn(&Outcome, &Outcome) -> bool) -> Tally {
    let plane = ControlPlane::start(version);
    let admin = plane.client(User::Admin);
    let folder = tempfile::tempdir().unwrap();
    let mut kept = admin.keep().unwrap();
    let mut replays = replay::recorded();
    replays.extend(replay::varied());
    let mut tally = Tally::default();
    for (number, text) in policies.iter().enumerate() {
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        let policy = Policy::parse("policy.yaml", text).unwrap_or_else(|error| panic!("{error}"));
        let name = format!("p{number}");
        let objects = but_for_setup(exported(&plane, &file, &name).ok());
        in_force(&plane, &policy, &name, &objects);
        let failed_before = failures(&admin);
        for replay in &replays {
            if replay.only_with_a_clock && cel::stamping(&policy).is_some() {
                continue;
            }
            let expected = replay.answer_of_the_webhook(&policy);
            let seen = replay.write(&mut kept, &admin, SETUP);
            assert!(
                alike(&seen, &expected),
                "{text}\n{}\n the webhook: {expected}\n the policy:  {seen}",
                replay.name
            );
            tally.decided += 1;
            tally.amended += u32::from(expected.is_amended(replay));
            tally.refused += u32::from(expected.is_refused());
        }
        // An expression that fails counts as "leave it alone", which is what many writes expect.
        assert_eq!(failures(&admin), failed_before, "{text}: expected no failing expression");
        plane.kubectl_stdin(User::Admin, &["delete", "-f", "-"], &objects).ok();
        gone(&admin, &name);
    }
    tally
}

fn exported(plane: &ControlPlane, policy: &Path, name: &str) -> Output {
    let version = format!("--kube-version={}", plane.version().minor());
    let policy = policy.to_str().unwrap();
    steward::run(&["export", "policies", "--policy", policy, "--name", name, &version])
}

/// What sets labels and annotations in this API server, if anything does.
fn stamps(plane: &ControlPlane, policy: &Policy) -> bool {
    plane.version() == Version::V1_36 && cel::stamping(policy).is_some()
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
    let creations: Vec<Replay> = replay::recorded().into_iter().filter(Replay::creates).collect();
    let stamped = format!("{name}-stamps");
    until(&format!("{name} was in force"), PATIENCE, || {
        setup.post(&place.folder(), &account).ok()?;
        let before = checks(&admin, &stamped);
        somebody.patch(&place.dry_run("probe"), "application/merge-patch+json", &json!({})).ok()?;
        let stamps = !stamps(plane, policy) || checks(&admin, &stamped) > before;
        setup.delete(&place.path()).ok()?;
        let created = somebody.post(&format!("{}?dryRun=All", place.folder()), &account).ok()?;
        let refuses = (created.status == 403) == cel::refusal(policy).is_some();
        // An API server answers 503 instead of mutating what it has not yet read its own schema of: a few seconds after its start.
        let knows = |replay: &Replay| replay.try_as(&somebody).is_ok_and(|reply| reply.status != 503);
        (stamps && refuses && creations.iter().all(knows)).then_some(())
    })
    .unwrap();
}

fn gone(admin: &Client, name: &str) {
    let place = Place::new("ServiceAccount", "kube-system", "aws-node");
    let somebody = admin.acting_as("somebody", &["system:masters"]);
    until(&format!("{name} was gone"), PATIENCE, || {
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

/// How often the API server has evaluated policies whose name begins like this, without a failure.
fn checks(admin: &Client, name: &str) -> u64 {
    let policy = format!("policy=\"{name}");
    evaluations(admin, |line| line.contains(&policy) && line.contains(NO_ERROR))
}

/// How often a policy that changes objects failed.
fn failures(admin: &Client) -> u64 {
    evaluations(admin, |line| line.starts_with("apiserver_mutating_") && !line.contains(NO_ERROR))
}

const NO_ERROR: &str = "error_type=\"no_error\"";

fn evaluations(admin: &Client, counts: impl Fn(&str) -> bool) -> u64 {
    let metrics = admin.get("/metrics").unwrap().text();
    let lines =
        metrics.lines().filter(|line| line.contains("_admission_policy_check_total{") && counts(line));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn others_pass(version: Version) {
    let plane = ControlPlane::start(version);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/block.yaml");
    let exported = exported(&plane, Path::new(file), "cni-steward");
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
    fn answer_of_the_webhook(&self, policy: &Policy) -> Outcome {
        Outcome::of_the_webhook(&self.review, policy)
    }
}
