//! What this replica decides and serves with now, for those who ask: the log line of a review, the metrics and
//! `/readyz?verbose`. Two replicas that show the same policy hash decide alike (law 12).
//!
//! Written only by the serving thread, between two reviews, so that one review sees one policy throughout.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use jiff::Timestamp;

/// What is read from files and may be exchanged while serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The policy.
    Policy,
    /// The certificate and its key.
    Certificate,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Policy, Self::Certificate];

    /// The word in metrics and probes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Certificate => "certificate",
        }
    }
}

/// The policy that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its hash.
    pub hash: String,
    /// Its mode.
    pub mode: &'static str,
}

/// What this replica stands on.
#[derive(Debug)]
pub struct Standing {
    policy: ArcSwap<InForce>,
    /// Unix seconds.
    expires: AtomicI64,
    policy_refused: AtomicBool,
    certificate_refused: AtomicBool,
    /// What the self-probe found last; `None` where there is none.
    probe: ArcSwapOption<&'static str>,
    /// How the webhook configuration compares with what was rendered; `None` where it is not compared.
    webhook: ArcSwapOption<String>,
    /// Seconds that the API server's clock is ahead of ours, as far as it has told.
    ahead: AtomicI64,
}

impl Standing {
    /// Decides by this policy, and has no certificate yet.
    pub fn new(hash: &str, mode: &'static str) -> Self {
        Self {
            policy: ArcSwap::from_pointee(InForce { hash: hash.to_owned(), mode }),
            expires: AtomicI64::new(i64::MAX),
            policy_refused: AtomicBool::new(false),
            certificate_refused: AtomicBool::new(false),
            probe: ArcSwapOption::empty(),
            webhook: ArcSwapOption::empty(),
            ahead: AtomicI64::new(0),
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Guard<Arc<InForce>> {
        self.policy.load()
    }

    pub(super) fn decide_by(&self, policy: InForce) {
        self.policy.store(Arc::new(policy));
    }

    pub(super) fn serve_until(&self, expires: Timestamp) {
        self.expires.store(expires.as_second(), Ordering::Relaxed);
    }

    /// The self-probe came back.
    pub fn probed(&self, found: &'static str) {
        self.probe.store(Some(Arc::new(found)));
    }

    /// The webhook configuration was compared with what was rendered.
    pub fn compared(&self, found: String) {
        self.webhook.store(Some(Arc::new(found)));
    }

    /// The API server has told its time.
    pub fn hears(&self, seconds_ahead: i64) {
        self.ahead.store(seconds_ahead, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, part: Part, refused: bool) {
        self.flag(part).store(refused, Ordering::Relaxed);
    }

    /// True while the newest file of this part could not be taken and an earlier one is in force.
    pub fn is_refused(&self, part: Part) -> bool {
        self.flag(part).load(Ordering::Relaxed)
    }

    /// True when no client accepts the served certificate any more: by our clock, and by the API server's where it has told
    /// its own. It is the one that judges, and a clock of ours that is far ahead must not take this replica out of service.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let ahead = self.ahead.load(Ordering::Relaxed).min(0);
        now.as_second().saturating_add(ahead) >= self.expires.load(Ordering::Relaxed)
    }

    fn flag(&self, part: Part) -> &AtomicBool {
        match part {
            Part::Policy => &self.policy_refused,
            Part::Certificate => &self.certificate_refused,
        }
    }
}

/// The lines of `/readyz?verbose`, as Kubernetes writes them. They go to whoever asks, so they quote no file.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = |part| {
            if self.is_refused(part) {
                "; the newest file was refused and an earlier one is in force, the log says why"
            } else {
                ""
            }
        };
        let policy = self.policy();
        writeln!(f, "policy: mode {}, hash {}{}", policy.mode, policy.hash, note(Part::Policy))?;
        let expires = match Timestamp::from_second(self.expires.load(Ordering::Relaxed)) {
            Ok(expires) => format!("expires {expires}"),
            Err(_) => "none yet".to_owned(),
        };
        writeln!(f, "certificate: {expires}{}", note(Part::Certificate))?;
        self.probe.load().as_ref().map_or(Ok(()), |found| writeln!(f, "probe: {found}"))?;
        self.webhook.load().as_ref().map_or(Ok(()), |found| writeln!(f, "webhook: {found}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault 39: the clock of the pod is far ahead, and the API server, whose clock judges, still accepts the certificate.
    #[test]
    fn a_certificate_has_expired_when_both_clocks_say_so() {
        let standing = Standing::new("abc", "Observe");
        let second = |at| Timestamp::from_second(at).unwrap();
        standing.serve_until(second(1000));
        assert!(!standing.has_expired(second(999)) && standing.has_expired(second(1000)));
        standing.hears(-500);
        assert!(!standing.has_expired(second(1499)) && standing.has_expired(second(1500)));
        standing.hears(500);
        assert!(!standing.has_expired(second(999)) && standing.has_expired(second(1000)));
    }
}
