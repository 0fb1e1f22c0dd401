//! What the exported policies do not do, in words for the top of the output.

use super::{MUTATING, refusal, stamping};
use crate::policy::rules::{Fields, Mode, Policy};

/// A sentence for each thing that the webhook does under `policy` and the API server of Kubernetes 1.`minor` cannot.
pub fn limits(policy: &Policy, minor: u32) -> Vec<String> {
    let mut limits = Vec::new();
    let mut say = |sentence: &str| limits.push(sentence.to_owned());
    if policy.mode == Mode::Observe {
        say("Mode Observe changes and refuses nothing, so there is nothing to export.");
        return limits;
    }
    let stamps = stamping(policy).is_some();
    if stamps && minor < MUTATING {
        say(&format!(
            "Labels and annotations: Kubernetes 1.{minor} has no MutatingAdmissionPolicy (v1 and on by default from \
             1.{MUTATING} on). The webhook and the reconciler set them; nothing here does."
        ));
    }
    if policy.mode == Mode::Adopt {
        let whole = policy.fields == Fields::Transfer;
        let promise = if whole {
            "Field ownership: CEL cannot unite two field sets, so nothing moves to the owner. Helm's ownership check \
             passes, but Helm 4 still conflicts until the webhook or the reconciler has seen the object."
        } else {
            "Field ownership: the stamps are set but owned by nobody, until the webhook or the reconciler has seen the object."
        };
        say(promise);
    }
    if stamps && minor >= MUTATING {
        say(
            "The pause (cni-steward.dev/allow-until): there is no clock where objects are changed, so an object that \
             carries the annotation is left alone for as long as it carries it, even when its time is over.",
        );
    }
    if refusal(policy).is_some() {
        say("The pause (cni-steward.dev/allow-until) counts for a CREATE as it does for the webhook, by \
             metadata.creationTimestamp; only times as RFC 3339 writes them are read.");
    }
    say("Warnings, audit annotations, metrics and log lines about a decision come from the webhook alone.");
    limits
}
