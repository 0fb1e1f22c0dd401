//! Tells what the reconciler sees and does: metrics, log and Events, each thing once, not at every look.

use std::time::Duration;

use super::contest::Contest;
use super::plan::{Plan, State};
use super::wanted::{NOBODY_KNOWN, UNDONE};
use crate::cluster::{ApiError, Reference};
use crate::policy::provenance;
use crate::telemetry::events::{Events, Kind, Occurrence};
use crate::telemetry::metrics::repairs::RepairMetrics;

/// What has been told of one target.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: Option<&'static str>,
    message: String,
    /// What was counted as a missed write; a status write makes it no other one.
    missed: String,
}

/// Where it is told.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) events: Events,
    pub(super) metrics: RepairMetrics,
}

/// The stable word of a state, for metrics and the log.
const fn word(state: State) -> &'static str {
    match state {
        State::InOrder => "in-order",
        State::Repairing => "repairing",
        State::HeldBack => "held-back",
        State::Observed => "observed",
        State::Contested => "contested",
        State::Left(_) | State::Going => "left",
        State::Odd => "odd",
    }
}

/// The target's name in metrics and the log.
pub(super) fn label(reference: &Reference) -> String {
    let resource = reference.resource();
    let resource = resource.split_once('.').map_or(&*resource, |(resource, _)| resource);
    format!("{resource}/{}", reference.name())
}

impl Teller {
    /// Says in which state a target is; true if that is new.
    fn stands(&self, reference: &Reference, told: &mut Told, state: &'static str, message: &str) -> bool {
        if told.state == Some(state) && told.message == message {
            return false;
        }
        if told.state != Some(state) {
            self.metrics.stands(&label(reference), told.state, state);
        }
        told.state = Some(state);
        message.clone_into(&mut told.message);
        true
    }

    /// How a stored object stands to the policy.
    pub(super) fn seen(&self, reference: &Reference, told: &mut Told, plan: &Plan) {
        let target = label(reference);
        let state = word(plan.state);
        let traces: Vec<&str> = plan.wanted.iter().flat_map(|want| [&*want.path, &*want.trace]).collect();
        let missed = traces.join("\n");
        if plan.state == State::Repairing && !missed.is_empty() && told.missed != missed {
            told.missed = missed;
            let writer = match provenance::word(&plan.writer) {
                "" => provenance::UNKNOWN,
                word => word,
            };
            self.metrics.missed(&target, writer);
            tracing::warn!(target, writer = plan.writer, needs = plan.message, "admission missed a write");
            let who = if plan.writer.is_empty() { "somebody" } else { &plan.writer };
            let note = format!("admission missed a write of {reference} by {who}; needed: {}", plan.message);
            self.event(reference, "MissedWrite", Kind::Warning, note);
        }
        if !self.stands(reference, told, state, &plan.message) {
            return;
        }
        match plan.state {
            State::HeldBack => {
                tracing::warn!(target, state, message = plan.message, "not repaired");
                self.event(reference, "HeldBack", Kind::Normal, plan.message.clone());
            }
            State::Odd => tracing::warn!(target, state, message = plan.message, "not repaired"),
            State::Left(reason) => {
                tracing::info!(target, state, reason = reason.code(), message = plan.message, "not repaired");
            }
            State::Observed => tracing::info!(target, state, message = plan.message, "only observed"),
            State::InOrder | State::Repairing | State::Contested | State::Going => {}
        }
    }

    /// There is no such object.
    pub(super) fn absent(&self, reference: &Reference, told: &mut Told) {
        self.stands(reference, told, "absent", "");
    }

    /// One write of a repair was stored.
    pub(super) fn wrote(&self, reference: &Reference) {
        self.metrics.wrote(&label(reference));
    }

    /// The object is as the policy wants it, and was not before.
    pub(super) fn repaired(&self, reference: &Reference, done: &str) {
        let target = label(reference);
        self.metrics.ended(&target, "done");
        tracing::info!(target, done, "repaired");
        self.event(reference, "Repaired", Kind::Normal, format!("repaired {reference}: {done}"));
    }

    /// Somebody wrote in between.
    pub(super) fn conflict(&self, reference: &Reference) {
        self.metrics.ended(&label(reference), "conflict");
    }

    /// A repair cannot be written now.
    pub(super) fn failed(&self, reference: &Reference, told: &mut Told, error: &ApiError) {
        self.metrics.ended(&label(reference), "failed");
        self.unseen(reference, told, error);
    }

    /// A target cannot be read, or not be written, now.
    pub(super) fn unseen(&self, reference: &Reference, told: &mut Told, error: &ApiError) {
        let message = error.to_string();
        if self.stands(reference, told, "failing", &message) {
            tracing::warn!(
                target = label(reference),
                error = message,
                "cannot look after a target, trying on"
            );
        }
    }

    /// Repairs that are written are not kept.
    pub(super) fn futile(&self, reference: &Reference, told: &mut Told) {
        let message = "its repairs are stored otherwise than they are sent";
        self.metrics.ended(&label(reference), "failed");
        if self.stands(reference, told, "failing", message) {
            tracing::warn!(target = label(reference), message, "cannot look after a target, trying on");
        }
    }

    /// So many paths are contested, and these since just now.
    pub(super) fn contested(&self, reference: &Reference, owner: &str, count: usize, begun: &[Contest]) {
        let target = label(reference);
        self.metrics.contested(&target, count);
        for contest in begun {
            self.metrics.contest(&target);
            let (path, by) = (&contest.path, &contest.by);
            tracing::warn!(target, path, by, backs = contest.backs, "contested, not repaired for now");
            let note = format!(
                "{by} changes {path} of {reference} back, {} times in ten minutes; cni-steward, which keeps it for {owner}, \
                 stops repairing it until it has been left alone for {}. {}",
                contest.backs,
                minutes(contest.quiet),
                fix(by),
            );
            self.event(reference, "Contested", Kind::Warning, note);
        }
    }

    fn event(&self, reference: &Reference, reason: &'static str, kind: Kind, note: String) {
        self.events.say(Occurrence { reason, note, kind, regarding: reference.clone(), decision: None });
    }
}

fn minutes(duration: Duration) -> String {
    format!("{} minutes", duration.as_secs() / 60)
}

/// What a person can do about a writer that changes repairs back.
fn fix(by: &str) -> String {
    match provenance::word(by) {
        _ if by == UNDONE => "See `kubectl get mutatingwebhookconfigurations`, and whether cni_steward_policy_info of all replicas \
                              says the same"
            .to_owned(),
        _ if by == NOBODY_KNOWN => "The API server's audit log says who it is".to_owned(),
        "eks" => "If that is the EKS managed add-on, set managedAddon: Unknown".to_owned(),
        "argocd" => {
            "Have Argo CD leave it alone (ignoreDifferences), or make it the policy's owner".to_owned()
        }
        "flux" => {
            "Have Flux leave it alone (driftDetection.ignore), or make it the policy's owner".to_owned()
        }
        _ => format!("Have {by} leave it alone, or leave its writes alone with exempt.managers: ['{by}']"),
    }
}
