//! Keeps what is served up to date: looks at the files every second and takes them when they have changed, and at the
//! certificate every minute in any case, by the wall clock of that moment, so that a machine that slept notices too.
//!
//! What is new is checked whole before it replaces what is in force. What cannot be taken is logged every minute,
//! counted and shown by the probes, and the last good one stays. Files are read on a thread of their own, since a disk
//! may hang; what was read is put in force here, on the serving thread, so between two reviews.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::cli::policy_file;
use crate::policy::Policy;
use crate::server::tls::CertSlot;
use crate::telemetry::standing::Part;
use crate::telemetry::{clock, metrics::Metrics};
use crate::trust::watch::Watched;
use crate::trust::{Loaded, Source, TrustError};

const LOOK: Duration = Duration::from_secs(1);
/// In looks.
const IN_ANY_CASE: u32 = 60;

/// Where everything comes from. Made before anything is read for the first time, so that no change is missed.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    policy: Option<PathBuf>,
    source: Option<Source>,
    policy_file: Watched,
    certificate_files: Watched,
}

/// What was found; `None` where nothing was to be read.
struct Found {
    policy: Option<anyhow::Result<Policy>>,
    certificate: Option<Result<Loaded, TrustError>>,
}

impl Origins {
    pub(super) fn new(policy: Option<PathBuf>, source: Option<Source>) -> Self {
        Self {
            policy_file: Watched::new(policy.iter().cloned().collect()),
            certificate_files: Watched::new(source.as_ref().map(Source::watched).unwrap_or_default()),
            policy,
            source,
        }
    }

    /// Looks at the files, and reads those that have changed, or all.
    fn look(&mut self, all: bool) -> Found {
        let (policy_changed, certificate_changed) = (self.policy_file.look(), self.certificate_files.look());
        let policy = match &self.policy {
            Some(path) if all || policy_changed => Some(policy_file::read(path)),
            _ => None,
        };
        let source = self.source.as_ref().filter(|_| all || certificate_changed);
        let certificate = source.map(|source| source.load(clock::now()));
        // Exchanged while it was being read: perhaps a mixture. The next look reads it again.
        Found {
            policy: policy.filter(|_| self.policy_file.stood_still()),
            certificate: certificate.filter(|_| self.certificate_files.stood_still()),
        }
    }
}

/// What is in force, and who has to know.
pub(super) struct Served {
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) slot: Arc<CertSlot>,
    pub(super) metrics: Arc<Metrics>,
}

impl Served {
    /// Never ends.
    pub(super) async fn keep(&self, mut origins: Origins) -> Infallible {
        let mut ticks = interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in (1..=IN_ANY_CASE).cycle() {
            ticks.tick().await;
            let mut looking = origins.clone();
            let looked = spawn_blocking(move || {
                let found = looking.look(look == IN_ANY_CASE);
                (looking, found)
            });
            match looked.await {
                Ok((looked, found)) => {
                    origins = looked;
                    self.take(found);
                }
                Err(error) => tracing::error!(%error, "cannot look at the files, trying on"),
            }
        }
        std::future::pending().await
    }

    fn take(&self, found: Found) {
        match found.policy {
            Some(Ok(policy)) => self.decide_by(policy),
            Some(Err(error)) => self.refuse(Part::Policy, &format!("{error:#}")),
            None => {}
        }
        match found.certificate {
            Some(Ok(loaded)) => self.serve(loaded),
            Some(Err(error)) => self.refuse(Part::Certificate, &error.to_string()),
            None => {}
        }
    }

    fn decide_by(&self, policy: Policy) {
        self.metrics.set_in_order(Part::Policy, true);
        if policy.hash() == self.policy.load().hash() {
            return;
        }
        for warning in policy.warnings() {
            tracing::warn!(warning, "policy");
        }
        self.metrics.decide_by(policy.hash(), policy.mode_name());
        self.metrics.taken(Part::Policy);
        tracing::info!(policy = policy.hash(), mode = policy.mode_name(), "a new policy is in force");
        self.policy.store(Arc::new(policy));
    }

    fn serve(&self, loaded: Loaded) {
        for note in &loaded.notes {
            tracing::warn!(note, "certificate");
        }
        if self.slot.serves(&loaded.certified) {
            self.metrics.set_in_order(Part::Certificate, true);
            self.metrics.serve_until(loaded.expires);
        } else if loaded.begins > clock::now() {
            let error = format!("the new certificate is valid only from {} on", loaded.begins);
            self.refuse(Part::Certificate, &error);
        } else {
            self.slot.publish(loaded.certified);
            self.metrics.serve_until(loaded.expires);
            self.metrics.set_in_order(Part::Certificate, true);
            self.metrics.taken(Part::Certificate);
            tracing::info!(expires = %loaded.expires, "serving a new certificate");
        }
    }

    fn refuse(&self, part: Part, error: &str) {
        self.metrics.refused_file(part);
        tracing::error!(
            part = part.name(),
            error,
            "a changed file cannot be used, the last good one stays in force"
        );
    }
}
