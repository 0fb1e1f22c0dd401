//! The release: each command of Helm is foretold, run, and held against what was foretold.

use std::process::Command;

use cni_steward::acceptance::Summary;
use cni_steward::acceptance::forecast::{Answer, Forecast};
use cni_steward::policy::Kind;
use serde_json::Value;

use super::check::{self, Done, Objects};
use super::play::{KUBE_SYSTEM, Play, SECRETS};
use super::things;
use crate::answers::{Conflicts, assert_complaint, ended, forecasts, foretold, of_install, told};
use crate::scene::owners;
use crate::support::control_plane::{Helm, Version};
use crate::support::tools::Tool;
use crate::support::{Output, fixtures};

/// A revision of the release.
#[derive(Debug)]
pub(crate) struct Revision {
    manifest: String,
    server_side: bool,
    status: String,
}

/// A command that is about to be run.
#[derive(Debug)]
struct Intent {
    before: Objects,
    rendered: String,
    forecasts: Vec<Forecast>,
    server_side: bool,
    expected: Answer,
    /// What the API server shall report.
    conflicts: Conflicts,
    /// The manifest that a client-side command takes for what was there.
    previous: Option<String>,
}

fn is_schema(forecast: &Forecast) -> bool {
    forecast.kind == Kind::CustomResourceDefinition
}

/// The conflicts as far as Kubernetes 1.24 reports them right: two paths share memory in its structured-merge-diff from the
/// sixth step on, or the third of a short one, so that it may print `.env` for the `.image` beside it.
fn coarse(conflicts: &Conflicts) -> Conflicts {
    let shorten = |path: &str| {
        let end = path.find(']').map(|at| at + 1);
        let end = end.or_else(|| path.match_indices('.').nth(2).map(|(at, _)| at));
        path[..end.unwrap_or(path.len())].to_owned()
    };
    let objects = conflicts.iter().map(|(object, all)| {
        (object.clone(), all.iter().map(|(manager, path)| (manager.clone(), shorten(path))).collect())
    });
    objects.collect()
}

impl Play<'_> {
    pub(super) fn helm(
        &mut self,
        helm: Helm,
        values: &Value,
        (server_side, bold, again): (bool, bool, bool),
    ) {
        let file = self.file("values.json", &values.to_string());
        let file = file.to_str().unwrap();
        let rendered = self.template(file);
        let words = ["aws-vpc-cni", fixtures::CHART, "-f", file];
        if self.revisions.is_empty() {
            return self.install(helm, rendered, &words, bold);
        }
        let (_, last) = self.revisions.last_key_value().unwrap();
        let server_side = helm == Helm::V4 && (server_side || last.server_side);
        let deployed = self.revisions.values().rev().find(|revision| revision.status == "deployed");
        let previous = deployed.unwrap_or(last).manifest.clone();
        let mut intent = self.intent(rendered, server_side, previous);
        let mut args = [&["upgrade"], &words[..], &KUBE_SYSTEM].concat();
        if server_side {
            args.push("--server-side=true");
        }
        if intent.expected == Answer::Conflicts && bold {
            args.push("--force-conflicts");
            intent.expected = Answer::Accepts;
            self.count("forced conflicts", 1);
        }
        let output = self.plane.helm(helm, &args);
        self.compare(intent, &output);
        if again && output.code == 0 {
            self.repeat(helm, &args);
        }
    }

    fn install(&mut self, helm: Helm, rendered: String, words: &[&str], skip_crds: bool) {
        let mut intent = self.intent(rendered, helm == Helm::V4, String::new());
        intent.previous = None;
        intent.expected = of_install(&Summary::of(&intent.forecasts), helm, skip_crds);
        let crds = foretold(intent.forecasts.iter().filter(|forecast| is_schema(forecast)));
        if !skip_crds && !crds.is_empty() {
            intent.conflicts = crds;
        }
        let mut args = [&["install"], words, &KUBE_SYSTEM].concat();
        if skip_crds {
            args.push("--skip-crds");
        }
        let output = self.plane.helm(helm, &args);
        self.compare(intent, &output);
    }

    pub(super) fn rollback(&mut self, helm: Helm, back: usize) {
        let Some((&last, revision)) = self.revisions.last_key_value() else { return };
        let went_well = |(number, revision): &(&u64, &Revision)| {
            **number != last && ["deployed", "superseded"].contains(&&*revision.status)
        };
        let choice: Vec<_> = self.revisions.iter().filter(went_well).collect();
        let Some((number, target)) = (!choice.is_empty()).then(|| choice[back % choice.len()]) else {
            return;
        };
        let server_side = helm == Helm::V4 && target.server_side;
        let number = number.to_string();
        let intent = self.intent(target.manifest.clone(), server_side, revision.manifest.clone());
        let args = [&["rollback", "aws-vpc-cni", &number], &KUBE_SYSTEM[..]].concat();
        let output = self.plane.helm(helm, &args);
        self.count("rollbacks", 1);
        self.compare(intent, &output);
    }

    /// What is to be expected of an upgrade or a rollback: they touch no CRD and look at no stamps.
    fn intent(&self, rendered: String, server_side: bool, previous: String) -> Intent {
        let before = self.objects();
        let live: Vec<Value> = before.values().cloned().collect();
        let forecasts = forecasts(&rendered, &live, "helm");
        let templates: Vec<&Forecast> = forecasts.iter().filter(|forecast| !is_schema(forecast)).collect();
        let expected = check::upgrade(&templates, server_side);
        let conflicts = foretold(templates.iter().copied());
        Intent { expected, conflicts, before, rendered, server_side, previous: Some(previous), forecasts }
    }

    fn compare(&mut self, intent: Intent, output: &Output) {
        let Intent { before, rendered, forecasts, server_side, expected, conflicts, previous } = intent;
        let answer = ended(output);
        // The forecast is of an install: it does not know what a client-side upgrade removes first.
        let removes = !server_side
            && expected == Answer::Invalid
            && previous.as_ref().is_some_and(|previous| *previous != rendered);
        let same = answer == expected || (removes && answer == Answer::Accepts);
        assert!(same, "expected {expected:?}, got {answer:?}\n{forecasts:#?}\n{output}");
        let side = if server_side { "server-side" } else { "client-side" };
        self.count(format!("{side} {answer:?}"), 1);
        match answer {
            Answer::NotOwned => assert_complaint(output, &forecasts.iter().collect::<Vec<_>>()),
            Answer::Conflicts if self.plane.version() == Version::V1_24 => {
                assert_eq!(coarse(&told(&output.stderr)), coarse(&conflicts), "{output}");
            }
            Answer::Conflicts => assert_eq!(told(&output.stderr), conflicts, "{output}"),
            _ => {}
        }
        if server_side {
            self.expect_conflicts_only_with_what_is_not_absorbed(&before, &conflicts);
        }
        self.look_at_revisions(&rendered, server_side);
        let after = self.objects();
        check::absorbed(self.rules, &before, &after, false);
        if answer != Answer::Accepts {
            return;
        }
        let rendered = things::of_manifest(&rendered);
        check::says(&after, &rendered);
        let previous = previous.map(|manifest| things::of_manifest(&manifest));
        let previous = previous.as_ref();
        let done = Done { after: &after, rendered: &rendered, previous, forecasts: &forecasts, server_side };
        let (went, stayed) = done.leaves_what_was_named();
        self.count(format!("{side} values gone with the chart's"), went);
        self.count(format!("{side} values left over"), stayed);
    }

    /// With `kubectl*` absorbed, nothing is in Helm 4's way but what EKS wrote while we were not asked.
    /// With `eks` alone, what people wrote is too.
    #[track_caller]
    fn expect_conflicts_only_with_what_is_not_absorbed(&self, before: &Objects, conflicts: &Conflicts) {
        let unseen = before.values().any(|object| owners(object).contains(&"eks/Apply".to_owned()));
        for (manager, path) in conflicts.values().flatten() {
            let name = manager.split('"').nth(1).unwrap();
            let expected = !self.rules.absorbs(name) || (unseen && name == "eks");
            assert!(expected, "conflict with {manager} on {path}");
        }
    }

    /// The same command again writes a revision of the release and nothing else.
    fn repeat(&mut self, helm: Helm, args: &[&str]) {
        let (output, changes) = self.plane.writes_of(|| self.plane.helm(helm, args));
        output.ok();
        let others =
            changes.lines().filter(|line| !line.is_empty() && !line.contains("/sh.helm.release.v1."));
        let others: Vec<&str> = others.collect();
        assert!(others.is_empty(), "a repeated upgrade wrote {others:?}");
        let (_, last) = self.revisions.last_key_value().unwrap();
        let (manifest, server_side) = (last.manifest.clone(), last.server_side);
        self.look_at_revisions(&manifest, server_side);
        self.count("repeated upgrades", 1);
    }

    /// Which revisions there are now; a new one says `rendered`.
    fn look_at_revisions(&mut self, rendered: &str, server_side: bool) {
        let secrets = self.client.get(SECRETS).unwrap().json();
        let mut known = std::mem::take(&mut self.revisions);
        for secret in secrets["items"].as_array().into_iter().flatten() {
            let label = |key: &str| secret["metadata"]["labels"][key].as_str().unwrap().to_owned();
            let (number, status) = (label("version").parse().unwrap(), label("status"));
            let new = || Revision { manifest: rendered.to_owned(), server_side, status: String::new() };
            let revision = known.remove(&number).unwrap_or_else(new);
            self.revisions.insert(number, Revision { status, ..revision });
        }
    }

    fn template(&self, values: &str) -> String {
        let mut helm = Command::new(Tool::Helm4.path().unwrap());
        helm.args(["template", "aws-vpc-cni", fixtures::CHART, "--include-crds", "-f", values]);
        helm.args(KUBE_SYSTEM).env("HOME", self.plane.folder());
        Output::of(helm, None).ok().to_owned()
    }
}
