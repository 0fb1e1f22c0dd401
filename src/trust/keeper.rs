//! Looks after the cluster's certificates: sees the Secret and the webhook configuration, serves what it may, and as the
//! leader does what [`rotation`](crate::pki::rotation) plans, one write at a time.
//!
//! Nothing here is on a review's way. The plan is made from what the watches tell; before a write both objects are read
//! anew, the configuration first. A write that fails is tried again with growing pauses, and does not keep the others.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Means;
use super::fight::Fight;
use super::inject::Configuration;
use super::probe::{self, Found};
use super::registration::Registration;
use super::secret::{self, Secret};
use super::shelf::{self, Shelf};
use super::tell;
use crate::cluster::{ApiError, Instance, Writer};
use crate::faults;
use crate::pki::rotation::{Canary, Lifetimes, Plan};
use crate::pki::{Keeping, Name, Replica};
use crate::server::tls::CertSlot;
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::metrics::Metrics;

/// While nothing has to be proven.
const PROBE_EACH: Duration = Duration::from_mins(1);
/// While something waits for proof.
const PROBE_OFTEN: Duration = Duration::from_secs(5);
/// Time passes for certificates that nobody touches.
const LOOK_EACH: Duration = Duration::from_secs(30);
/// At most so many writes before the watches are listened to again.
const ROUNDS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One replica's part in it.
#[derive(Debug)]
pub struct Keeper {
    names: Vec<Name>,
    replica: Replica,
    shelf: Shelf,
    lives: Lifetimes,
    begun: Stopwatch,
    found: Found,
    probed: Option<Stopwatch>,
    pause: Duration,
    rest_until: Instant,
    probe_at: Instant,
    fight: Fight,
    registration: Registration,
    /// Connections that had ended for want of trust when the bundle was in order last.
    untrusted: u64,
    told: tell::Told,
}

impl Keeper {
    /// Serves what is mounted in `folder`, if anything is, at once. `webhooks` is the file with the entries as rendered.
    pub fn start(
        instance: &Instance,
        lives: Lifetimes,
        folder: Option<&Path>,
        webhooks: Option<PathBuf>,
        slot: Arc<CertSlot>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let all = instance.dns_names().into_iter().chain(instance.canary_dns_names());
        let names: Vec<Name> = all.map(Name::Dns).collect();
        let replica = Replica::new(lives, folder.map(|folder| shelf::mounted(folder, &names)));
        let mut shelf = Shelf::new(slot, metrics);
        shelf.fill(&replica, Duration::ZERO);
        Self {
            names,
            replica,
            shelf,
            lives,
            begun: Stopwatch::start(),
            found: Found::default(),
            probed: None,
            pause: FIRST_PAUSE,
            rest_until: Instant::now(),
            probe_at: Instant::now() + PROBE_OFTEN,
            fight: Fight::default(),
            registration: Registration::new(webhooks),
            untrusted: 0,
            told: tell::Told::default(),
        }
    }

    /// Never ends.
    pub async fn run(mut self, means: Means) {
        let mut secrets = means.cluster.watch(Secret::reference(&means.instance)).told::<Secret>();
        let mut configurations =
            means.cluster.watch(Configuration::reference(&means.instance)).told::<Configuration>();
        let mut leads = means.leadership.subscribe();
        let mut knows = (false, false);
        loop {
            tokio::select! {
                Some(secret) = secrets.recv() => match secret {
                    Ok(secret) => {
                        knows.0 = true;
                        self.see_secret(secret.as_ref());
                    }
                    Err(error) => self.failed(&means, "read", &error),
                },
                Some(found) = configurations.recv() => match found {
                    Ok(found) => {
                        knows.1 = true;
                        self.see_configuration(&means.instance, found.as_ref());
                        self.registration.see(found.as_ref());
                    }
                    Err(error) => self.failed(&means, "read", &error),
                },
                Ok(()) = leads.changed() => self.rest_until = Instant::now(),
                () = sleep_until(self.due()) => {}
            }
            self.serve(&means);
            if self.replica.keeping().next_leaf.is_some() {
                self.probe_at = self.probe_at.min(Instant::now() + self.often());
            }
            if Instant::now() >= self.probe_at {
                self.probe(&means).await;
            }
            if knows == (true, true) && Instant::now() >= self.rest_until {
                self.work(&means).await;
            }
            self.registration.look(&means, self.lives.settle).await;
        }
    }

    fn at(&self) -> Duration {
        self.begun.elapsed()
    }

    fn often(&self) -> Duration {
        PROBE_OFTEN.min(self.lives.settle / 2).max(Duration::from_secs(1))
    }

    fn due(&self) -> Instant {
        let waits = self.replica.holds_back() || self.replica.keeping().next_leaf.is_some();
        let look = Instant::now() + if waits { Duration::from_secs(1) } else { LOOK_EACH };
        let rest = if self.rest_until > Instant::now() { self.rest_until } else { look };
        look.min(self.probe_at).min(rest)
    }

    fn see_secret(&mut self, secret: Option<&Secret>) {
        let keeping = secret.map(|secret| Keeping::read(&secret.texts(), &self.names)).unwrap_or_default();
        self.told.flaws(&keeping);
        self.replica.see_secret(Arc::new(keeping));
    }

    fn see_configuration(&mut self, instance: &Instance, found: Option<&Configuration>) {
        let entries = found.map(|found| found.bundles(instance)).unwrap_or_default();
        let version = found.map(Configuration::version);
        self.replica.see_configuration(self.begun.elapsed(), version.as_ref(), entries);
    }

    fn serve(&mut self, means: &Means) {
        // Our own clock alone lets go of no leaf: it may be the one that is ahead.
        self.replica.settle(self.at(), clock::now().min(means.cluster.now()));
        self.shelf.fill(&self.replica, self.begun.elapsed());
        means.metrics.standing.hears(means.cluster.ahead());
        if let Some(authority) = &self.replica.keeping().authority {
            means.metrics.trust.authority_expires(authority.certificate.not_after.as_second());
        }
    }

    fn plan(&self, means: &Means) -> Plan {
        let coming = self.replica.keeping().next_leaf.as_ref().map(|leaf| leaf.certificate.fingerprint());
        let canary = match (coming, self.probed) {
            (Some(leaf), Some(probed)) if self.found.canary == Some(leaf.to_string()) => {
                Canary::Trusted(leaf, probed.elapsed())
            }
            _ => Canary::Silent,
        };
        self.replica.plan(means.cluster.now(), clock::now(), self.at(), canary)
    }

    /// Does what is to be done, if we lead: one round after another, until one has nothing to do or fails.
    async fn work(&mut self, means: &Means) {
        for _ in 0..ROUNDS {
            if !self.work_once(means).await {
                return;
            }
        }
    }

    async fn work_once(&mut self, means: &Means) -> bool {
        let plan = self.plan(means);
        means.metrics.trust.in_order(plan.trust.is_none());
        self.told.waiting(means, plan.waiting);
        if plan.trust.is_none() {
            self.untrusted = means.metrics.untrusted();
            means.metrics.trust.contested.set(i64::from(self.fight.goes_on(self.at())));
        }
        if plan.trust.is_none() && plan.secret.is_none() {
            return false;
        }
        let Some(writer) = means.leadership.writer() else { return false };
        let outcome = self.round(means, &writer).await;
        self.serve(means);
        match &outcome {
            Ok(()) => self.pause = FIRST_PAUSE,
            Err(error) => self.rest(error),
        }
        outcome.is_ok()
    }

    async fn round(&mut self, means: &Means, writer: &Writer) -> Result<(), ApiError> {
        let (cluster, instance) = (&means.cluster, &means.instance);
        let read = self.read(means).await;
        let (found, stored) = read.inspect_err(|error| self.failed(means, "read", error))?;
        let plan = self.plan(means);
        let mut outcome = Ok(());
        if let (Some(bundle), Some(found)) = (&plan.trust, &found) {
            let generation = found.version().generation;
            let begun = self.fight.seen(self.replica.entries(), generation, &found.writer(), self.at());
            if let Some(contest) = &begun {
                tell::contested(means, contest);
            }
            faults::point("before-trust");
            outcome = found.trust(cluster, writer, instance, bundle).await;
            faults::point("after-trust");
            match &outcome {
                Ok(()) => {
                    self.fight.wrote(bundle.clone(), self.at());
                    tell::trusted(means, means.metrics.untrusted().saturating_sub(self.untrusted));
                }
                Err(error) => self.failed(means, "trust", error),
            }
        }
        if let Some(step) = &plan.secret {
            faults::before(step.name());
            let made = self.replica.carry_out(step, cluster.now(), clock::now(), &self.names);
            let changes = match made {
                Ok(changes) => changes,
                Err(error) => {
                    tracing::error!(%error, step = step.name(), "cannot make a certificate");
                    return outcome;
                }
            };
            let version = stored.as_ref().map(Secret::version);
            let written = secret::write(cluster, writer, instance, version, &changes).await;
            faults::after(step.name());
            match &written {
                Ok(()) => tell::stepped(means, step),
                Err(error) => self.failed(means, step.name(), error),
            }
            outcome = outcome.and(written);
        }
        // What was written is read back before anything else is planned.
        self.read(means).await?;
        outcome
    }

    /// Reads both objects anew, the configuration first.
    async fn read(&mut self, means: &Means) -> Result<(Option<Configuration>, Option<Secret>), ApiError> {
        let (cluster, instance) = (&means.cluster, &means.instance);
        let found = cluster.get::<Configuration>(&Configuration::reference(instance)).await?;
        let stored = cluster.get::<Secret>(&Secret::reference(instance)).await?;
        self.see_configuration(instance, found.as_ref());
        self.see_secret(stored.as_ref());
        Ok((found, stored))
    }

    async fn probe(&mut self, means: &Means) {
        self.probe_at = Instant::now() + PROBE_EACH;
        self.registration.is_due();
        let found = probe::probe(&means.cluster, &means.instance).await;
        if let Err(error) = &found {
            self.failed(means, "probe", error);
        }
        let reached = found.is_ok();
        self.found = found.unwrap_or_default();
        self.probed = Some(Stopwatch::start());
        self.told.probed(means, &self.found, reached);
    }

    fn rest(&mut self, error: &ApiError) {
        if error.is_conflict() {
            self.rest_until = Instant::now() + Duration::from_millis(100);
            return;
        }
        self.rest_until = Instant::now() + error.retry_after().unwrap_or(self.pause).min(LONGEST_PAUSE);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn failed(&mut self, means: &Means, step: &'static str, error: &ApiError) {
        means.metrics.trust.failed(step, error.reason());
        if !error.is_conflict() {
            self.told.complain(step, error);
        }
    }
}
