//! The writes of an adoption: one object after the other, each from what was just read, noted after each.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::adopt::{self, ObjectPlan, Plan, State, Stored};
use crate::cli::cluster::undo_with;
use crate::cli::greeting::say;
use crate::cli::interrupt::Interrupt;
use crate::cli::undo_file::UndoFile;
use crate::cluster::{ApiError, Cluster, Patch, Reference, Writer};
use crate::faults;
use crate::fields::{List, compare};
use crate::policy::writer::STEWARD;
use crate::policy::{Policy, Target};
use crate::undo::{Mark, Metadata};

/// Looks at one object in a row: two writes, and some that fail or come too late.
const LOOKS: usize = 8;
/// Longest pause that an API server may ask for between two attempts.
const LONGEST: Duration = Duration::from_secs(10);

const HOW: Patch<'_> = Patch::Json { manager: STEWARD };

/// Asks for every write in no more than thought: a missing right or an admission webhook that refuses is known before the first.
pub(super) async fn rehearse(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for object in plan.changes() {
        let Some(step) = &object.step else { continue };
        let patch = RawValue::from_string(step.patch.clone())?;
        let reference = Reference::target(&object.target());
        match cluster.rehearse_patch::<IgnoredAny>(&reference, HOW, &patch).await {
            Err(error) if error.is_refused() => problems.push(error.to_string()),
            // What may pass by itself is met again at the write.
            _ => {}
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("nothing was changed: not every write would be let through:\n  {}", problems.join("\n  "))
}

/// One run.
pub(super) struct Work<'w> {
    pub(super) cluster: &'w Cluster,
    pub(super) writer: &'w Writer,
    /// The effective policy.
    pub(super) policy: &'w Policy,
    pub(super) file: &'w mut UndoFile,
    pub(super) interrupt: &'w Interrupt,
    /// The command that goes on.
    pub(super) again: String,
    /// Writes that were answered.
    pub(super) done: usize,
    /// Writes that were planned.
    pub(super) total: usize,
}

impl Work<'_> {
    /// Writes all, and looks at everything once more.
    pub(super) async fn all(&mut self, stored: &[Stored<'_>], plan: &Plan) -> anyhow::Result<ExitCode> {
        for object in plan.changes() {
            let place = self.file.place_of(&object.to_string());
            let text = stored.iter().find(|one| one.target.to_string() == object.to_string());
            let (Some(place), Some(text)) = (place, text.and_then(|one| one.text)) else { continue };
            match self.object(object, place, text).await {
                Ok(true) => {}
                Ok(false) => {
                    say(&format!("stopped: {}", self.standing()));
                    return Ok(ExitCode::from(1));
                }
                Err(error) => return Err(error.context(self.standing())),
            }
        }
        let wrong = self.verify(plan).await?;
        if !wrong.is_empty() {
            for sentence in &wrong {
                say(&format!("not as planned: {sentence}"));
            }
            say(&format!("{}. Undo it with: {}", self.standing(), self.undo()));
            return Ok(ExitCode::from(1));
        }
        self.file.mark(&Mark::Finished)?;
        say(&format!(
            "adopted: {} writes, and every object is as planned. Undo it with: {}",
            self.done,
            self.undo()
        ));
        Ok(ExitCode::SUCCESS)
    }

    /// Where this run is, and how to go on.
    fn standing(&self) -> String {
        format!(
            "{} of {} writes are done and every object is whole; go on with: {} or undo with: {}",
            self.done,
            self.total.max(self.done),
            self.again,
            self.undo()
        )
    }

    fn undo(&self) -> String {
        undo_with("adopt", self.file.path())
    }

    /// Writes one object until it is the owner's; `false` when somebody asked to stop.
    async fn object(&mut self, planned: &ObjectPlan, place: usize, text: &str) -> anyhow::Result<bool> {
        let target = planned.target();
        let reference = Reference::target(&target);
        let mut text = text.to_owned();
        for _ in 0..LOOKS {
            let plan = self.look(target, &text)?;
            let Some(step) = &plan.step else {
                self.file.mark(&Mark::Done(place))?;
                return Ok(true);
            };
            if self.interrupt.is_set() {
                return Ok(false);
            }
            let number = self.done + 1;
            faults::before(&format!("write-{number}"));
            let patch = RawValue::from_string(step.patch.clone())?;
            match self.cluster.patch::<Box<RawValue>>(self.writer, &reference, HOW, &patch).await {
                Ok(stored) => {
                    faults::after(&format!("write-{number}"));
                    self.done = number;
                    stored.get().clone_into(&mut text);
                    let left = Metadata::of(&text).map_err(anyhow::Error::msg)?;
                    self.file.mark(&Mark::Wrote(place, left))?;
                    let what = if step.first { "stamped" } else { "owned" };
                    say(&format!("{number}/{} {reference} {what}", self.total.max(number)));
                }
                Err(error) if error.is_refused() => return Err(error.into()),
                Err(error) => text = self.again(&reference, &plan, &error).await?,
            }
        }
        bail!(
            "{reference} does not become as planned: another admission webhook or controller changes it back at once"
        )
    }

    fn look(&self, target: Target<'_>, text: &str) -> anyhow::Result<ObjectPlan> {
        adopt::object::look(Stored { target, text: Some(text) }, self.policy, self.cluster.now())
            .map_err(|refusal| anyhow::anyhow!("{}; {}", refusal.message, refusal.next))
    }

    /// After a write that failed: the object as it is stored now, if nobody but its status's writer changed it, or if our write
    /// was stored and only the answer lost.
    async fn again(
        &self,
        reference: &Reference,
        plan: &ObjectPlan,
        error: &ApiError,
    ) -> anyhow::Result<String> {
        if !error.is_conflict() {
            say(&format!("{error}; looking again"));
            tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_secs(1)).min(LONGEST)).await;
        }
        let stored = self.cluster.get::<Box<RawValue>>(reference).await?;
        let stored = stored.with_context(|| format!("{reference} was deleted meanwhile"))?;
        let current = Metadata::of(stored.get()).map_err(anyhow::Error::msg)?;
        if plan.holds_for(&current) {
            return Ok(stored.get().to_owned());
        }
        bail!(
            "somebody else changed {reference} after the plan was made; run adopt again to see what changed"
        )
    }

    /// Reads everything once more; a sentence for each object that is not as planned.
    async fn verify(&self, plan: &Plan) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        for object in plan.changes() {
            let target = object.target();
            let stored = self.cluster.get::<Box<RawValue>>(&Reference::target(&target)).await?;
            let Some(stored) = stored else {
                wrong.push(format!("{object} was deleted meanwhile"));
                continue;
            };
            let now = self.look(target, stored.get())?;
            let list = |text| List::parse(text).unwrap_or_default();
            let keys = now.edits.iter().map(|edit| format!("metadata.{}[{}]", edit.map.name(), edit.key));
            let (planned, stands) = (list(&object.after.managed_fields), list(&now.before.managed_fields));
            let other = compare(&planned, &stands).into_iter();
            let other = other.filter(|change| object.fields.iter().any(|moved| moved.path == change.path));
            let holders = other.map(|change| format!("{} is held by {}", change.path, change.to.join(", ")));
            let mut what: Vec<String> = keys.chain(holders).take(5).collect();
            if now.state != State::Adopted && what.is_empty() {
                what.push("its managedFields".to_owned());
            }
            if !what.is_empty() {
                wrong.push(format!("{object}: {}", what.join("; ")));
            }
        }
        Ok(wrong)
    }
}
