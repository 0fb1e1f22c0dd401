//! The Lease in the cluster: looks at it, takes it, renews it, hands it over.
//!
//! A Lease is written by creation, or by a merge patch that carries the version that was read, so that the API server
//! refuses the slower of two. What a newer Kubernetes keeps in a Lease stays in it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::claim::{LOOK_EVERY, RENEW_EVERY, Record, SURE, Step, View};
use super::stored::{self, Stored, time};
use crate::cluster::request::LEADERS_WRITE;
use crate::cluster::writer::Leading;
use crate::cluster::{ApiError, Cluster, Instance, Patch, Reference, Writer};
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::events::{Events, Kind, Occurrence};
use crate::telemetry::metrics::lease::LeaseMetrics;

/// The field manager of what is written into the Lease.
const MANAGER: &str = "cni-steward";
/// After a failure.
const AGAIN: Duration = Duration::from_secs(1);
/// A failure that stays is logged that often.
const COMPLAIN: Duration = Duration::from_mins(1);

/// Sees whether this replica leads.
#[derive(Debug, Clone)]
pub struct Leadership(watch::Receiver<Option<Writer>>);

impl Leadership {
    /// The right to write while this replica leads, `None` while it does not. A copy of the right ends with the term.
    pub fn subscribe(&self) -> watch::Receiver<Option<Writer>> {
        self.0.clone()
    }

    /// The right to write at this moment.
    pub fn writer(&self) -> Option<Writer> {
        self.0.borrow().clone().filter(Writer::is_current)
    }
}

/// Takes part in the election.
#[derive(Debug)]
pub struct Candidate {
    cluster: Cluster,
    identity: String,
    reference: Reference,
    view: View,
    begun: Stopwatch,
    term: Option<Leading>,
    tell: watch::Sender<Option<Writer>>,
    metrics: LeaseMetrics,
    events: Events,
    complained: Option<(String, Stopwatch)>,
}

impl Candidate {
    /// A candidate, and what sees whether it leads. Asks nothing before [`Self::run`].
    pub fn new(
        cluster: Cluster,
        instance: &Instance,
        metrics: LeaseMetrics,
        events: Events,
    ) -> (Self, Leadership) {
        let (tell, seen) = watch::channel(None);
        let candidate = Self {
            cluster,
            identity: instance.identity.clone(),
            reference: Reference::of::<Lease>(Some(&instance.namespace), instance.lease()),
            view: View::new(&instance.identity),
            begun: Stopwatch::start(),
            term: None,
            tell,
            metrics,
            events,
            complained: None,
        };
        (candidate, Leadership(seen))
    }

    /// Leads whenever it can, until `leaving` is over; then hands the Lease over, if it has it.
    pub async fn run(mut self, leaving: impl Future<Output = ()>) {
        tokio::pin!(leaving);
        loop {
            // A turn is never cut short: an answer would be lost that says who leads.
            let pause = self.turn().await;
            tokio::select! {
                () = &mut leaving => break,
                () = sleep(pause) => {}
            }
        }
        self.hand_over().await;
    }

    /// Looks, acts, and says how long to wait.
    async fn turn(&mut self) -> Duration {
        let pause = match self.look_and_act().await {
            Ok(pause) => {
                self.complained = None;
                pause
            }
            Err(error) => {
                self.complain(&error);
                error.retry_after().map_or(AGAIN, |asked| asked.min(RENEW_EVERY))
            }
        };
        if self.term.as_ref().is_some_and(|term| !term.is_current()) {
            tracing::warn!(lease = %self.reference, "the lease could not be renewed in time, nothing is written any more");
            self.view.gave_up();
            self.end_term();
        }
        pause
    }

    async fn look_and_act(&mut self) -> Result<Duration, ApiError> {
        if let Step::Renew { over } = self.view.next(self.begun.elapsed()) {
            match self.write(Some(&over)).await {
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                done => return done.map(|()| RENEW_EVERY),
            }
        }
        let record = self.cluster.get::<Stored>(&self.reference).await?.map(Record::from);
        if record.as_ref().is_some_and(|record| record.holder.is_some()) {
            self.metrics.seen.set(clock::now().as_second());
        }
        let before = self.view.holder().map(str::to_owned);
        if self.view.saw(record, self.begun.elapsed()) {
            self.lost();
        }
        if self.view.holder() != before.as_deref() {
            tracing::info!(lease = %self.reference, holder = self.view.holder(), "the lease has another holder");
        }
        let written = match self.view.next(self.begun.elapsed()) {
            Step::Wait(pause) => return Ok(look_again(pause, self.stagger())),
            Step::Create => self.write(None).await,
            Step::Take { over } | Step::Renew { over } => self.write(Some(&over)).await,
        };
        match written {
            // Another was faster.
            Err(error) if error.is_conflict() => Ok(self.stagger()),
            done => done.map(|()| RENEW_EVERY),
        }
    }

    /// Writes us into the Lease: creates it, or over the record that was read.
    async fn write(&mut self, over: Option<&Record>) -> Result<(), ApiError> {
        let sent = Stopwatch::start();
        let sent_at = clock::now();
        let now = time(sent_at);
        let spec = stored::held(&self.identity, over, self.term.is_none(), &now);
        self.view.trying(&now);
        let stored = self.send(over, spec).await?;
        self.metrics.seen.set(sent_at.as_second());
        self.view.wrote(stored, self.begun.elapsed());
        let begins = self.term.is_none();
        let term = self.term.get_or_insert_with(|| Leading::begin(sent));
        term.renewed(sent, sent_at, SURE);
        if begins {
            let writer = Writer::Leading(term.clone());
            self.tell.send_replace(Some(writer));
            self.metrics.leading.set(1);
            self.metrics.terms.inc();
            tracing::info!(lease = %self.reference, identity = self.identity, "leading");
            self.events.say(Occurrence {
                reason: "LeaderElection",
                note: format!("{} leads", self.identity),
                kind: Kind::Normal,
                regarding: self.reference.clone(),
                decision: None,
            });
        }
        Ok(())
    }

    async fn send(&self, over: Option<&Record>, spec: Value) -> Result<Record, ApiError> {
        let patch = over.map(|_| Patch::Merge { manager: MANAGER });
        let body = match over {
            Some(record) => json!({"metadata": {"resourceVersion": record.version}, "spec": spec}),
            None => json!({
                "apiVersion": self.reference.api_version(),
                "kind": self.reference.kind(),
                "metadata": {"name": self.reference.name(), "namespace": self.reference.namespace()},
                "spec": spec,
            }),
        };
        self.cluster.claim::<Stored>(&self.reference, patch, &body).await.map(Record::from)
    }

    fn lost(&mut self) {
        if self.view.has_namesake() {
            tracing::error!(
                lease = %self.reference,
                identity = self.identity,
                "another process goes by our identity and holds the lease; give each replica its own --identity"
            );
        } else {
            tracing::warn!(lease = %self.reference, "somebody else wrote into the lease, it is lost");
        }
        self.end_term();
    }

    fn end_term(&mut self) {
        if let Some(term) = self.term.take() {
            term.end();
            self.tell.send_replace(None);
            self.metrics.leading.set(0);
        }
    }

    /// Stops writing, waits for what is being written, and frees the Lease, so that nobody has to wait for its end.
    async fn hand_over(mut self) {
        let Some(term) = self.term.clone() else { return };
        self.end_term();
        if timeout(LEADERS_WRITE, term.quiet()).await.is_err() {
            tracing::warn!(lease = %self.reference, "a write is still under way, the lease runs out by itself");
            return;
        }
        let Step::Renew { over } = self.view.next(self.begun.elapsed()) else { return };
        match self.send(Some(&over), stored::free(&time(clock::now()))).await {
            Ok(_) => tracing::info!(lease = %self.reference, "the lease is handed over"),
            Err(error) => tracing::warn!(%error, "the lease is not handed over, it runs out by itself"),
        }
    }

    fn complain(&mut self, error: &ApiError) {
        self.metrics.failed(error.reason());
        let text = error.to_string();
        let again = |(last, when): &(String, Stopwatch)| *last == text && when.elapsed() < COMPLAIN;
        if self.complained.as_ref().is_some_and(again) {
            return;
        }
        tracing::warn!(
            error = text,
            "the lease cannot be looked after; reviews are answered, nothing is repaired or renewed"
        );
        self.complained = Some((text, Stopwatch::start()));
    }

    /// Replicas that start together do not stay together.
    fn stagger(&self) -> Duration {
        Duration::from_millis(RandomState::new().hash_one(&self.identity) % 400)
    }
}

/// When to look again, of which replicas make something different each time; never later, or a hand-over would last longer.
fn look_again(pause: Duration, stagger: Duration) -> Duration {
    pause.min(LOOK_EVERY.saturating_sub(stagger))
}

/// Whatever ends it, a panic too: without a candidate nobody renews, so nobody may write.
impl Drop for Candidate {
    fn drop(&mut self) {
        self.end_term();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_look_together_do_not_go_on_so_and_none_looks_later() {
        let [none, some, most] = [0, 150, 399].map(Duration::from_millis);
        let looks = [none, some, most].map(|stagger| look_again(LOOK_EVERY, stagger));
        assert_eq!(looks.map(|look| LOOK_EVERY.checked_sub(look)), [none, some, most].map(Some));
        assert_eq!(look_again(some, most), some, "a lease that ends is taken at its end");
    }
}
