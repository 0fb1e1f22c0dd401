//! What people are told about certificates and trust: once when it changes, not each time it is seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::Means;
use super::inject::Configuration;
use super::probe::Found;
use super::rendered::{self, Difference};
use super::secret::Secret;
use crate::cluster::ApiError;
use crate::pki::Keeping;
use crate::pki::rotation::{Step, Waiting};
use crate::policy::provenance;
use crate::reconcile::contest::Contest;
use crate::reconcile::wanted::NOBODY_KNOWN;
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
    /// The canary alone was missed by the last probe.
    missed: bool,
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

    /// Whether the canary alone is missed for the first time. For a moment after a coming leaf is served it gives no stamp, and a
    /// probe may fall there.
    fn misses_once(&mut self, webhook: bool, canary: bool) -> bool {
        let missed = webhook && !canary;
        let before = std::mem::replace(&mut self.missed, missed);
        missed && !before
    }

    /// Whether a probe's outcome is another than the one before. Who could not be asked has said nothing.
    fn is_news(&mut self, webhook: bool, canary: bool, reached: bool) -> bool {
        let outcome = Some((webhook, canary));
        (webhook || reached) && std::mem::replace(&mut self.probe, outcome) != outcome
    }

    pub(super) fn probed(&mut self, means: &Means, found: &Found, reached: bool) {
        let (webhook, canary) = (found.webhook.is_some(), found.canary.is_some());
        let trust = &means.metrics.trust;
        trust.probe("webhook", webhook);
        let once = self.misses_once(webhook, canary);
        if !once {
            trust.probe("canary", canary);
        }
        trust.probed(clock::now().as_second());
        means.metrics.standing.probed(if webhook {
            "the API server calls and trusts us; whether EKS sends us its own writes it cannot tell"
        } else if reached {
            "the API server does not call us, or does not trust us"
        } else {
            "the API server could not be asked"
        });
        if once || !self.is_news(webhook, canary, reached) {
            return;
        }
        if webhook && canary {
            tracing::info!("the API server calls and trusts us");
        } else {
            let service = means.instance.service();
            tracing::warn!(
                webhook,
                canary,
                service,
                "a self-probe went by without us being called and trusted"
            );
            let note = if webhook {
                "Reviews arrive, but not by the canary's Service: the next certificate cannot be tried, and is not switched \
                 to. Check that Service, the network policy and the caBundle"
            } else {
                "A dry-run that should have been answered was not: reviews may be passing unseen. Check the Services, the \
                 network policy and the caBundle"
            };
            say(means, "ProbeFailed", note.to_owned(), Kind::Warning, false);
        }
    }
}

/// The bundle was written; `untrusted` connections ended before for want of it.
pub(super) fn trusted(means: &Means, untrusted: u64) {
    means.metrics.trust.step("trust");
    tracing::info!(untrusted, "told the API server which authorities to trust");
    let mut note = "Wrote the caBundle of our entries, which did not hold the authorities in use".to_owned();
    let kind = if untrusted > 0 {
        write!(
            note,
            ". Before, {untrusted} connections ended at this replica because an API server did not trust it; their reviews \
             passed unseen (apiserver_admission_webhook_fail_open_count counts all of them)"
        )
        .ok();
        Kind::Warning
    } else {
        Kind::Normal
    };
    say(means, "TrustWritten", note, kind, false);
}

/// Somebody has changed the bundle back three times in ten minutes.
pub(super) fn contested(means: &Means, contest: &Contest) {
    means.metrics.trust.contests.inc();
    let (by, backs) = (&contest.by, contest.backs);
    tracing::warn!(by, backs, "the caBundle is changed back again and again, writing it anew each time");
    let fix =
        match provenance::word(by) {
            _ if by == NOBODY_KNOWN => "The API server's audit log says who it is".to_owned(),
            "argocd" => "Have Argo CD leave it alone: ignoreDifferences on .webhooks[].clientConfig.caBundle"
                .to_owned(),
            "flux" => "Have Flux leave it alone: driftDetection.ignore on /webhooks/*/clientConfig/caBundle"
                .to_owned(),
            _ => format!("Have {by} leave .webhooks[].clientConfig.caBundle alone"),
        };
    let note = format!(
        "{by} changes the caBundle of our entries back, {backs} times in ten minutes; it is written anew each time, but in \
         between reviews pass unseen. {fix}"
    );
    say(means, "TrustContested", note, Kind::Warning, false);
}

/// The webhook configuration was compared with what was rendered.
pub(super) fn compared(means: &Means, differences: &[Difference]) {
    for part in rendered::WHAT {
        let entries = differences.iter().filter(|difference| difference.what == part).count();
        means.metrics.trust.differs(part, entries);
    }
    means.metrics.standing.compared(if differences.is_empty() {
        "the webhook configuration is as rendered".to_owned()
    } else {
        format!("the webhook configuration is not as rendered: {}", list(differences))
    });
}

/// It could not be compared.
pub(super) fn not_compared(means: &Means, file: &str, error: &str) {
    tracing::warn!(file, error, "cannot tell whether the webhook configuration is as rendered");
    means.metrics.standing.compared("what was rendered cannot be read".to_owned());
}

/// The differences that stand.
pub(super) fn registered(means: &Means, differences: &[Difference]) {
    if differences.is_empty() {
        tracing::info!("the webhook configuration is as rendered");
        return;
    }
    let found = list(differences);
    tracing::warn!(found, "the webhook configuration is not as rendered");
    let note = format!(
        "The webhook configuration is not as the chart rendered it, so reviews may pass unseen: {found}. Render it again \
         (helm upgrade), or find out who changed it: kubectl get mutatingwebhookconfiguration {} -o yaml --show-managed-fields",
        means.instance.webhook()
    );
    say(means, "WebhookChanged", note, Kind::Warning, false);
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probe_without_the_canary_is_no_news_and_two_in_a_row_are() {
        let mut told = Told::default();
        let probes =
            [(true, false), (true, true), (true, false), (true, false), (false, false), (true, false)];
        let once: Vec<bool> = probes.map(|(webhook, canary)| told.misses_once(webhook, canary)).into();
        assert_eq!(once, [true, false, true, false, false, true]);
    }

    #[test]
    fn a_probe_that_could_not_be_made_hides_no_later_one_that_failed() {
        let mut told = Told::default();
        let probes = [
            (false, false),
            (false, true),
            (false, true),
            (false, false),
            (false, true),
            (true, true),
            (false, true),
        ];
        let news: Vec<bool> = probes.map(|(called, reached)| told.is_news(called, called, reached)).into();
        assert_eq!(news, [false, true, false, false, false, true, true]);
    }
}
