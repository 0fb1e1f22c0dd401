//! What people are told about certificates and trust: once when it changes, not each time it is seen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::inject::Configuration;
use super::keeper::Means;
use super::probe::Found;
use super::secret::Secret;
use crate::cluster::ApiError;
use crate::pki::Keeping;
use crate::pki::rotation::{Step, Waiting};
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::events::{Kind, Occurrence};

/// A failure that stays is logged that often.
const COMPLAIN: Duration = Duration::from_mins(1);
/// Who waits longer than any rotation takes has to be helped.
const STUCK: Duration = Duration::from_mins(15);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Told {
    complaints: BTreeMap<&'static str, (String, Stopwatch)>,
    flaws: Vec<String>,
    waiting: Option<(Waiting, Stopwatch, bool)>,
    probe: Option<(bool, bool)>,
}

impl Told {
    pub(super) fn complain(&mut self, step: &'static str, error: &ApiError) {
        let text = error.to_string();
        let known = self.complaints.get(step);
        if known.is_some_and(|(before, when)| *before == text && when.elapsed() < COMPLAIN) {
            return;
        }
        tracing::warn!(step, error = text, "certificates cannot be looked after as they should, trying on");
        self.complaints.insert(step, (text, Stopwatch::start()));
    }

    pub(super) fn flaws(&mut self, keeping: &Keeping) {
        let flaws: Vec<_> = keeping.flaws.iter().map(ToString::to_string).collect();
        if flaws != self.flaws && !flaws.is_empty() {
            tracing::warn!(flaws = flaws.join("; "), "the Secret holds what cannot be used");
        }
        self.flaws = flaws;
    }

    /// What the rotation waits for; a warning when it takes too long.
    pub(super) fn waiting(&mut self, means: &Means, waiting: Option<Waiting>) {
        let Some(now) = waiting else {
            self.waiting = None;
            return;
        };
        match &mut self.waiting {
            Some((before, since, told)) if *before == now => {
                if since.elapsed() > STUCK && !*told {
                    *told = true;
                    let note = format!("The coming certificate waits {now}, for more than 15 minutes");
                    tracing::warn!(waiting = %now, "the rotation is stuck");
                    say(means, "RotationStuck", note, Kind::Warning, true);
                }
            }
            _ => {
                tracing::info!(waiting = %now, "the coming certificate waits");
                self.waiting = Some((now, Stopwatch::start(), false));
            }
        }
    }

    pub(super) fn probed(&mut self, means: &Means, found: &Found, reached: bool) {
        let (webhook, canary) = (found.webhook.is_some(), found.canary.is_some());
        let trust = &means.metrics.trust;
        trust.probe("webhook", webhook);
        trust.probe("canary", canary);
        trust.probed.set(clock::now().as_second());
        means.metrics.standing.probed(if webhook {
            "the API server calls and trusts us; whether EKS sends us its own writes it cannot tell"
        } else if reached {
            "the API server does not call us, or does not trust us"
        } else {
            "the API server could not be asked"
        });
        if self.probe == Some((webhook, canary)) {
            return;
        }
        self.probe = Some((webhook, canary));
        if webhook && canary {
            tracing::info!("the API server calls and trusts us");
        } else if reached {
            let service = means.instance.service();
            tracing::warn!(
                webhook,
                canary,
                service,
                "a self-probe went by without us being called and trusted"
            );
            let note = "A dry-run that should have been answered was not: reviews may be passing unseen. Check the \
                        Services, the network policy and the caBundle";
            say(means, "ProbeFailed", note.to_owned(), Kind::Warning, false);
        }
    }
}

/// The bundle was written.
pub(super) fn trusted(means: &Means) {
    means.metrics.trust.step("trust");
    tracing::info!("told the API server which authorities to trust");
    let note = "Wrote the caBundle of our entries, which did not hold the authorities in use".to_owned();
    say(means, "TrustWritten", note, Kind::Normal, false);
}

/// The Secret was written.
pub(super) fn stepped(means: &Means, step: &Step) {
    means.metrics.trust.step(step.name());
    tracing::info!(step = step.name(), detail = ?step, "wrote the Secret");
    let (reason, note, kind) = match step {
        Step::Restore => (
            "CertificateRestored",
            "The Secret was gone or damaged; it was written again as it had been".to_owned(),
            Kind::Warning,
        ),
        Step::NewAuthority(why) => {
            ("CertificateAuthorityMade", format!("Made a coming certificate authority: {why}"), Kind::Normal)
        }
        Step::NewLeaf(_, why) => {
            ("CertificateMade", format!("Made a coming certificate: {why}"), Kind::Normal)
        }
        Step::Promote { proven: true } => {
            ("CertificatePromoted", "The coming certificate is in force".to_owned(), Kind::Normal)
        }
        Step::Promote { proven: false } => (
            "CertificatePromoted",
            "The coming certificate is in force; no API server could be seen to trust it before".to_owned(),
            Kind::Normal,
        ),
        Step::Remember => return,
    };
    say(means, reason, note, kind, true);
}

fn say(means: &Means, reason: &'static str, note: String, kind: Kind, secret: bool) {
    let instance = &means.instance;
    let regarding = if secret { Secret::reference(instance) } else { Configuration::reference(instance) };
    means.events.say(Occurrence { reason, note, kind, regarding, decision: None });
}
