//! Creates again what was removed, and gives each object its field owners back. The undo of a purge is done here.
//!
//! First all of it is rehearsed, so that a missing right or somebody's webhook is found out before anything is written. Then in
//! the order of an installation: schema, account, rights, settings, and the workload last, whose Pods need the others.

use std::time::Duration;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::sleep;

use super::patience::may_pass;
use crate::cluster::{ApiError, Cluster, Patch, Reference, Writer};
use crate::faults;
use crate::policy::Kind;
use crate::policy::writer::STEWARD;
use crate::purge::restore::{self, Restore};
use crate::purge::saved::{items, metadata, text};
use crate::telemetry::clock::Stopwatch;

const LOOK: Duration = Duration::from_millis(500);

/// One object to bring back.
#[derive(Debug)]
pub(super) struct Return {
    /// Which.
    pub(super) reference: Reference,
    /// Its kind in the catalogue.
    pub(super) kind: Kind,
    /// As it was saved.
    pub(super) saved: Value,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there again, with all field owners as saved.
    Back,
    /// It is there, but its field owners are these now, not those that were saved.
    OtherOwners(String),
    /// It was there all the time, or an earlier run brought it back.
    There,
    /// Another object of that name is there and was not touched; these managers hold its fields.
    Other(String),
    /// The one that was removed, or another, is still being deleted.
    Going,
}

/// What brings back: with which right, until when nobody shall amend what comes, for how long it waits, and where it tells.
pub(super) struct Returner<'a> {
    /// The cluster.
    pub(super) cluster: &'a Cluster,
    /// A person's command.
    pub(super) writer: &'a Writer,
    /// The end of the pause that is put on each object.
    pub(super) until: Timestamp,
    /// How long one object may take.
    pub(super) patience: Duration,
    /// Hears what is going on.
    pub(super) tell: &'a dyn Fn(&str),
}

impl Returner<'_> {
    /// How the object stands to what was saved.
    pub(super) async fn look(&self, wanted: &Return) -> Result<Restore, ApiError> {
        let live = self.cluster.get::<Value>(&wanted.reference).await?;
        Ok(restore::restore(&wanted.saved, live.as_ref(), self.until))
    }

    /// Creates it without effect: rights, and other people's webhooks.
    pub(super) async fn rehearse(&self, wanted: &Return) -> Result<(), ApiError> {
        let Restore::Create(body) = self.look(wanted).await? else { return Ok(()) };
        match self.cluster.rehearse_create::<IgnoredAny>(&wanted.reference, &body).await {
            // Nobody may bind a role that is not there yet.
            Err(error) if wanted.kind == Kind::ClusterRoleBinding && error.is_not_found() => Ok(()),
            Err(error) if error.is_conflict() => Ok(()),
            Err(error) if error.message().is_some_and(|text| text.contains("does not support dry run")) => {
                Ok(())
            }
            done => done.map(|_| ()),
        }
    }

    /// Brings it back.
    pub(super) async fn bring_back(&self, wanted: &Return) -> Result<Outcome, ApiError> {
        let begun = Stopwatch::start();
        let mut told = false;
        loop {
            match self.look(wanted).await? {
                Restore::There => return Ok(Outcome::There),
                Restore::Other => {
                    let live = self.cluster.get::<Value>(&wanted.reference).await?.unwrap_or_default();
                    return Ok(Outcome::Other(managers(&live)));
                }
                Restore::Finish => return self.owners(wanted).await,
                Restore::Going if begun.elapsed() >= self.patience => return Ok(Outcome::Going),
                Restore::Going => {
                    if !told {
                        (self.tell)(&format!("  {} is still being deleted", wanted.reference));
                        told = true;
                    }
                    sleep(LOOK).await;
                }
                Restore::Create(body) => {
                    let step = format!("create-{}", wanted.kind.name());
                    faults::before(&step);
                    let made = self
                        .cluster
                        .create::<IgnoredAny>(self.writer, &wanted.reference, STEWARD, &body)
                        .await;
                    faults::after(&step);
                    match made {
                        Ok(_) => {}
                        // Somebody was faster, which the next look shows; or a webhook says so, maybe for ever.
                        Err(error) if error.is_conflict() && begun.elapsed() < self.patience => {
                            sleep(LOOK).await;
                        }
                        Err(error) => sleep(self.may_pass(error, begun)?).await,
                    }
                }
            }
        }
    }

    /// The second write: its field owners as they were saved.
    async fn owners(&self, wanted: &Return) -> Result<Outcome, ApiError> {
        let begun = Stopwatch::start();
        let step = format!("owners-{}", wanted.kind.name());
        loop {
            let Some(live) = self.cluster.get::<Value>(&wanted.reference).await? else {
                return Ok(Outcome::Going);
            };
            let patch = restore::owners(&wanted.saved, text(&live, &["metadata", "resourceVersion"]));
            faults::before(&step);
            let how = Patch::Json { manager: STEWARD };
            let stored = self.cluster.patch::<Value>(self.writer, &wanted.reference, how, &patch).await;
            faults::after(&step);
            match stored {
                Ok(stored) if same_owners(&wanted.saved, &stored) => return Ok(Outcome::Back),
                Ok(stored) => return Ok(Outcome::OtherOwners(managers(&stored))),
                Err(error) if error.is_conflict() && begun.elapsed() < self.patience => sleep(LOOK).await,
                Err(error) => sleep(self.may_pass(error, begun)?).await,
            }
        }
    }

    fn may_pass(&self, error: ApiError, begun: Stopwatch) -> Result<Duration, ApiError> {
        may_pass(error, begun, self.patience, LOOK, self.tell)
    }
}

/// Entries about the object itself; those about its status come and go with its controllers.
fn own_entries(object: &Value) -> Vec<&Value> {
    let entries = metadata(object, "managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter(|entry| text(entry, &["subresource"]).is_empty()).collect()
}

fn same_owners(saved: &Value, stored: &Value) -> bool {
    own_entries(saved) == own_entries(stored)
}

fn managers(object: &Value) -> String {
    let mut names: Vec<&str> =
        items(object, &["metadata", "managedFields"]).map(|entry| text(entry, &["manager"])).collect();
    names.dedup();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
