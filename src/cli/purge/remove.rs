//! Deletes one object after the other and waits until each is gone. What a purge does to a cluster is done here.
//!
//! A deletion means the very object that was saved: its uid and its version go along. A version that only a status changed is
//! asked for anew; anything else stops the purge, because the person agreed to something else. Foreground for the workload: it
//! stays, marked, until the garbage collector has seen its last Pod go, so whoever comes after a crash still finds it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::patience::may_pass;
use crate::cli::interrupt::Interrupt;
use crate::cluster::inventory::{Live, orphan};
use crate::cluster::{ApiError, Cluster, Deletion, Propagation, Query, Reference, Writer};
use crate::faults;
use crate::policy::Kind;
use crate::purge::need::{Count, Dependents};
use crate::purge::saved::{is_going, items, metadata, text, unchanged};
use crate::telemetry::clock::Stopwatch;

type Type = (&'static str, &'static str, &'static str, &'static str);

const ENI_CONFIG: Type = ("crd.k8s.amazonaws.com", "v1alpha1", "eniconfigs", "ENIConfig");
const SECURITY_GROUP_POLICY: Type =
    ("vpcresources.k8s.aws", "v1beta1", "securitygrouppolicies", "SecurityGroupPolicy");

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// One object to remove.
#[derive(Debug)]
pub(super) struct Removal {
    /// Which.
    pub(super) reference: Reference,
    /// Its kind in the catalogue.
    pub(super) kind: Kind,
    /// As it was saved.
    pub(super) saved: Value,
}

/// Why a purge stops.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// A request that will not succeed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Somebody wrote it since the plan.
    #[error(
        "{0} was changed since the plan, by {1}; it is left as it is: run purge again and look at the new plan"
    )]
    Changed(Box<Reference>, String),
    /// Somebody created it anew.
    #[error("{0} was created again at once, by {1}: find out who that is, or let mode Block refuse it")]
    Again(Box<Reference>, String),
    /// The person stopped it.
    #[error("stopped")]
    Interrupted,
    /// Something holds it.
    #[error("{0} is not gone after {1:?}: {2}; nothing after it was touched")]
    Stuck(Box<Reference>, Duration, String),
}

impl Removal {
    /// Of an object as it stands.
    pub(super) fn of(kind: Kind, reference: &Reference, live: &Live) -> Self {
        // It was JSON when it came in.
        let saved = serde_json::from_str(live.text.get()).unwrap_or_default();
        Self { reference: reference.clone(), kind, saved }
    }
}

/// What removes: with which right, for how long, and where it tells.
pub(super) struct Remover<'a> {
    /// The cluster.
    pub(super) cluster: &'a Cluster,
    /// A person's command.
    pub(super) writer: &'a Writer,
    /// How long one object may take.
    pub(super) patience: Duration,
    /// Whether a person wants it to stop.
    pub(super) interrupt: &'a Interrupt,
    /// Hears what is going on.
    pub(super) tell: &'a dyn Fn(&str),
}

impl Remover<'_> {
    /// Deletes it and waits until it is gone, with all that depends on it.
    pub(super) async fn remove(&self, removal: &Removal) -> Result<(), Stopped> {
        if self.interrupt.is_set() {
            return Err(Stopped::Interrupted);
        }
        if !is_going(&removal.saved) {
            let step = format!("delete-{}", removal.kind.name());
            faults::before(&step);
            self.delete(removal).await?;
            faults::after(&step);
        }
        self.await_gone(removal).await
    }

    /// Looks at it once more, when all is done: whoever brings it back has had his time.
    pub(super) async fn stays_away(&self, removal: &Removal) -> Result<(), Stopped> {
        match self.cluster.get::<Value>(&removal.reference).await? {
            Some(live) if !is_going(&live) && metadata(&live, "uid") != metadata(&removal.saved, "uid") => {
                Err(Stopped::Again(Box::new(removal.reference.clone()), last_manager(&live)))
            }
            _ => Ok(()),
        }
    }

    async fn delete(&self, removal: &Removal) -> Result<(), Stopped> {
        let begun = Stopwatch::start();
        let mut live = removal.saved.clone();
        let mut met = false;
        loop {
            let pause =
                match self.cluster.delete(self.writer, &removal.reference, &deletion(removal, &live)).await {
                    Ok(_) => return Ok(()),
                    Err(_) if self.interrupt.is_set() => return Err(Stopped::Interrupted),
                    // A new version is mostly all there is to it; a webhook may say so for ever.
                    Err(error) if error.is_conflict() && begun.elapsed() < self.patience => {
                        let first = !std::mem::replace(&mut met, true);
                        if first { Duration::ZERO } else { LOOK }
                    }
                    Err(error) => self.may_pass(error, begun)?,
                };
            sleep(pause).await;
            // It may have been heard although no answer came.
            match self.cluster.get::<Value>(&removal.reference).await {
                Ok(None) => return Ok(()),
                Ok(Some(now)) if is_going(&now) => return Ok(()),
                Ok(Some(now)) if !unchanged(&removal.saved, &now) => {
                    return Err(Stopped::Changed(Box::new(removal.reference.clone()), last_manager(&now)));
                }
                Ok(Some(now)) => live = now,
                Err(error) => sleep(self.may_pass(error, begun)?).await,
            }
        }
    }

    async fn await_gone(&self, removal: &Removal) -> Result<(), Stopped> {
        let begun = Stopwatch::start();
        let mut told = String::new();
        loop {
            match self.look(removal).await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) if self.interrupt.is_set() => return Err(Stopped::Interrupted),
                Ok(Some(holds)) => {
                    let waited = begun.elapsed();
                    if waited >= self.patience {
                        let reference = Box::new(removal.reference.clone());
                        return Err(Stopped::Stuck(reference, self.patience, holds));
                    }
                    if holds != told && waited > LOOK {
                        (self.tell)(&format!("  waiting: {holds}"));
                        told = holds;
                    }
                    sleep(LOOK).await;
                }
                Err(Stopped::Api(error)) => sleep(self.may_pass(error, begun)?).await,
                Err(other) => return Err(other),
            }
        }
    }

    /// What is left of it; `None` when it is gone.
    async fn look(&self, removal: &Removal) -> Result<Option<String>, Stopped> {
        let live = self.cluster.get::<Value>(&removal.reference).await?;
        if let Some(live) =
            live.as_ref().filter(|live| metadata(live, "uid") != metadata(&removal.saved, "uid"))
        {
            return Err(Stopped::Again(Box::new(removal.reference.clone()), last_manager(live)));
        }
        if removal.kind == Kind::DaemonSet {
            let namespace = removal.reference.namespace().unwrap_or_default();
            let pods = pods_of(self.cluster, namespace, removal.reference.name()).await?;
            if let Some(holds) = pods_left(&pods) {
                return Ok(Some(holds));
            }
        }
        Ok(live.map(|live| held(&live)))
    }

    fn may_pass(&self, error: ApiError, begun: Stopwatch) -> Result<Duration, Stopped> {
        Ok(may_pass(error, begun, self.patience, 2 * LOOK, self.tell)?)
    }
}

fn deletion<'d>(removal: &Removal, live: &'d Value) -> Deletion<'d> {
    Deletion {
        uid: text(live, &["metadata", "uid"]),
        version: text(live, &["metadata", "resourceVersion"]),
        propagation: match removal.kind {
            Kind::DaemonSet => Propagation::Foreground,
            _ => Propagation::Background,
        },
    }
}

/// Asks for a deletion without its effect: rights, other people's webhooks, and whether it still is the same object.
pub(super) async fn rehearse(cluster: &Cluster, removal: &Removal) -> Result<(), ApiError> {
    match cluster.rehearse_delete(&removal.reference, &deletion(removal, &removal.saved)).await {
        // A new version, or none: the deletion itself will see to that.
        Err(error) if error.is_conflict() || error.is_not_found() => Ok(()),
        Err(error) if error.message().is_some_and(|text| text.contains("does not support dry run")) => Ok(()),
        done => done,
    }
}

/// Looks for what may need settings and schema besides the VPC CNI.
pub(super) async fn dependents(cluster: &Cluster) -> Dependents {
    let count = async |reference: Reference| -> Count {
        let query = Query { metadata_only: true, ..Query::default() };
        match cluster.list(&reference, &query).await {
            Ok(found) => Ok(found.len()),
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    };
    Dependents {
        eni_configs: count(Reference::all(ENI_CONFIG, None)).await,
        security_group_policies: count(Reference::all(SECURITY_GROUP_POLICY, None)).await,
    }
}

/// The Pods of a `DaemonSet`, whether it is still there or not, and those that it left when it went without them.
pub(super) async fn pods_of(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<Value>, ApiError> {
    let pods = Reference::new(("", "v1", "pods", "Pod"), Some(namespace), "");
    let found = cluster.list(&pods, &Query::labelled(orphan::LABEL)).await?;
    let mut pods: Vec<Value> = found.iter().filter_map(|pod| serde_json::from_str(pod.get()).ok()).collect();
    pods.retain(|pod| orphan::is_of(pod, name));
    Ok(pods)
}

/// How many Pods are left, and what is known of the first.
fn pods_left(pods: &[Value]) -> Option<String> {
    let pod = pods.first()?;
    let name = text(pod, &["metadata", "name"]);
    let node = text(pod, &["spec", "nodeName"]);
    let count = pods.len();
    let held = held(pod);
    Some(format!(
        "{count} of its Pods {} left, {name} on node {node}: {held}; a Pod of a dead node goes with \
         kubectl delete pod {name} -n {} --force --grace-period=0",
        if count == 1 { "is" } else { "are" },
        text(pod, &["metadata", "namespace"]),
    ))
}

/// Why an object is still there.
fn held(object: &Value) -> String {
    let since = text(object, &["metadata", "deletionTimestamp"]);
    let finalizers: Vec<&str> =
        items(object, &["metadata", "finalizers"]).filter_map(Value::as_str).collect();
    match (since, finalizers.is_empty()) {
        ("", _) => "it is not being deleted yet".to_owned(),
        (since, true) => format!("being deleted since {since}"),
        (since, false) => format!("being deleted since {since}, held by finalizer {}", finalizers.join(", ")),
    }
}

/// Who wrote it last, as far as its entries tell.
fn last_manager(object: &Value) -> String {
    let newest = items(object, &["metadata", "managedFields"])
        .filter(|entry| text(entry, &["subresource"]).is_empty())
        .max_by_key(|entry| text(entry, &["time"]));
    newest.map_or_else(
        || "an unknown manager".to_owned(),
        |entry| format!("manager {}", text(entry, &["manager"])),
    )
}
