//! What a server does beside answering reviews when it belongs to an installation in a cluster (`--instance`).
//!
//! Each loop is a task of its own: one that panics is logged and shown in a metric, and the reviews and the other loops go
//! on. All of them end with the server; the Lease is handed over as soon as the server is told to leave.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::cluster::{Cluster, Instance};
use crate::leader::lease::{Candidate, Leadership};
use crate::policy::Policy;
use crate::reconcile::keeper::Keeper as Repair;
use crate::server::drain::Drain;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;
use crate::trust::Means;
use crate::trust::keeper::Keeper;

/// How long leaving may take when the API server does not answer.
const FAREWELL: Duration = Duration::from_secs(8);

/// What the loops are given.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) cluster: Cluster,
    pub(super) instance: Instance,
    pub(super) leadership: Leadership,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    pub(super) policy: Arc<ArcSwap<Policy>>,
}

/// The loops beside the reviews.
pub(super) struct Steward {
    election: JoinHandle<()>,
    loops: JoinSet<(&'static str, Result<(), JoinError>)>,
    metrics: Arc<Metrics>,
    events: Events,
}

impl Steward {
    /// Starts everything.
    pub(super) fn start(
        cluster: Cluster,
        instance: Instance,
        metrics: &Arc<Metrics>,
        policy: Arc<ArcSwap<Policy>>,
        drain: &Drain,
        keeper: Option<Keeper>,
    ) -> Self {
        let (events, poster) = Events::new(metrics.events.clone());
        let (candidate, leadership) =
            Candidate::new(cluster.clone(), &instance, metrics.lease.clone(), events.clone());
        tracing::info!(
            api_server = cluster.url(),
            namespace = instance.namespace,
            name = instance.name,
            identity = instance.identity,
            "looking after the cluster"
        );
        let leaving = drain.clone();
        let election = tokio::spawn(async move { candidate.run(leaving.leaving()).await });
        metrics.loops.set("lease", true);
        let mut steward =
            Self { election, loops: JoinSet::new(), metrics: Arc::clone(metrics), events: events.clone() };
        steward.spawn("events", poster.run(cluster.clone(), instance.clone()));
        let metrics = Arc::clone(metrics);
        steward.spawn_loops(Ground { cluster, instance, leadership, events, metrics, policy }, keeper);
        steward
    }

    /// Where Events are told.
    pub(super) fn events(&self) -> Events {
        self.events.clone()
    }

    /// A line for each loop that looks after the cluster.
    fn spawn_loops(&mut self, ground: Ground, keeper: Option<Keeper>) {
        let Ground { cluster, instance, leadership, events, metrics, policy } = ground;
        let repair = Repair::new(cluster.clone(), policy, events.clone(), metrics.repairs.clone());
        let leads = leadership.clone();
        self.spawn("repair", async move { match repair.run(leads).await {} });
        if let Some(keeper) = keeper {
            self.spawn("trust", keeper.run(Means { cluster, instance, leadership, events, metrics }));
        }
    }

    fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.metrics.loops.set(name, true);
        self.loops.spawn(async move { (name, tokio::spawn(work).await) });
    }

    /// Watches the loops until the server leaves and the Lease is handed over.
    pub(super) async fn run(mut self, drain: Drain) {
        let metrics = &self.metrics;
        let ended = |name, result: Result<(), JoinError>| {
            metrics.loops.set(name, false);
            let error = result.err().map(|error| error.to_string());
            tracing::error!(
                name,
                error,
                "a loop beside the reviews has ended; this is a defect, restart the pod"
            );
        };
        let too_late = async {
            drain.leaving().await;
            sleep(FAREWELL).await;
        };
        tokio::pin!(too_late);
        loop {
            tokio::select! {
                result = &mut self.election => {
                    if result.is_ok() {
                        return;
                    }
                    ended("lease", result);
                    break;
                }
                Some(Ok((name, result))) = self.loops.join_next() => ended(name, result),
                () = &mut too_late => return,
            }
        }
        drain.leaving().await;
    }
}
