//! `adopt --undo FILE`: what an adoption changed is put back, object by object, as far as nobody else changed it since.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::cli::changes;
use crate::cli::cluster::undo_with;
use crate::cli::confirm::{Answer, Consent};
use crate::cli::greeting::say;
use crate::cli::interrupt::Interrupt;
use crate::cli::terminal::print;
use crate::cli::undo_file::{self, UndoFile};
use crate::cluster::{Cluster, Patch, Query, Reference, Writer};
use crate::faults;
use crate::layout::quoted;
use crate::policy::change::{ALLOW_UNTIL, RELEASE_NAME, RELEASE_NAMESPACE};
use crate::policy::writer::STEWARD;
use crate::policy::{Kind, Target};
use crate::undo::{After, Mark, Restoration, Saved, State, Undo, restore};

const HOW: Patch<'_> = Patch::Json { manager: STEWARD };

/// Looks at one object in a row: two writes, and some that fail or come too late.
const LOOKS: usize = 8;

/// Undoes an adoption by its undo file.
pub(super) async fn run(path: &Path, cluster: &Cluster, consent: Consent) -> anyhow::Result<ExitCode> {
    let place = path.display();
    let (undo, _) = undo_file::read(path)?;
    if undo.command != "adopt" {
        let other = &undo.command;
        bail!(
            "{place} tells of a {other}, not of an adoption: cni-steward {other} --undo {}",
            quoted(&place.to_string())
        );
    }
    undo_file::check_cluster(path, &undo, cluster).await?;
    let run = Run { undo: &undo, cluster };
    let mut plans = Vec::new();
    for (at, saved) in run.objects() {
        let stored = run.stored(saved).await?;
        plans.push((saved, run.look(at, saved, stored.as_deref())));
    }
    print(&told(&undo, &plans))?;
    for release in releases(&undo, cluster).await {
        say(&format!(
            "note: release {release} is installed: it keeps its record, its next `helm upgrade` puts its marks on again, and \
             `helm uninstall` would still delete the VPC CNI"
        ));
    }
    let count = plans.iter().filter(|(_, plan)| plan.step.is_some()).count();
    let kept = plans.iter().any(|(_, plan)| !plan.kept.is_empty());
    let end = if kept { ExitCode::from(1) } else { ExitCode::SUCCESS };
    if count == 0 {
        return Ok(end);
    }
    let again = format!("{} --yes", undo_with("adopt", path));
    let question = format!("Put {count} objects back at {}?", undo.cluster.url);
    match consent.ask(&question, &again)? {
        Answer::PlanOnly => return Ok(ExitCode::SUCCESS),
        Answer::Refused => return Ok(ExitCode::from(1)),
        Answer::Go => {}
    }
    let mut work = Work { run, writer: Writer::operator(), interrupt: Interrupt::listen()?, done: 0 };
    match work.all().await {
        Ok(true) => {}
        Ok(false) => {
            say(&format!("stopped after {} writes; every object is whole; go on with: {again}", work.done));
            return Ok(ExitCode::from(1));
        }
        Err(error) => {
            let done = work.done;
            return Err(error.context(format!("{done} writes are done; go on with: {again}")));
        }
    }
    // The file did its work; that it cannot be written to does not undo that.
    if let Err(error) = UndoFile::open(path).and_then(|(mut file, _)| file.mark(&Mark::Undone)) {
        say(&format!("warning: {error:#}"));
    }
    say(&format!("undone: {} writes", work.done));
    say(AFTER);
    Ok(end)
}

const AFTER: &str = "\
For one hour nothing of cni-steward acts on these objects (annotation cni-steward.dev/allow-until). If one runs in this cluster \
in mode Adopt, it would adopt them again after that: set its policy's mode to Observe before, with the chart: \
helm upgrade cni-steward charts/cni-steward -n kube-system --reuse-values --set policy.mode=Observe";

/// The file and the cluster that it is about.
struct Run<'r> {
    undo: &'r Undo,
    cluster: &'r Cluster,
}

impl<'r> Run<'r> {
    /// The objects, the last one changed first, each with its place in the file.
    fn objects(&self) -> impl Iterator<Item = (usize, &'r Saved)> + use<'r> {
        self.undo.objects.iter().enumerate().rev()
    }

    async fn stored(&self, saved: &Saved) -> anyhow::Result<Option<String>> {
        let stored = self.cluster.get::<Box<RawValue>>(&reference(saved)?).await?;
        Ok(stored.map(|stored| stored.get().to_owned()))
    }

    fn look(&self, at: usize, saved: &Saved, stored: Option<&str>) -> Restoration {
        restore(saved, self.undo.left(at), stored, self.cluster.now())
    }
}

/// The object in the API. Only targets of the catalogue are ever changed, whatever a file says.
fn reference(saved: &Saved) -> anyhow::Result<Reference> {
    let known = |kind: &Kind| {
        let group = kind.group_resource().0;
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        kind.name() == saved.kind && api_version == saved.api_version
    };
    let kind = Kind::ALL.into_iter().find(known);
    let kind =
        kind.with_context(|| format!("{saved} ({}) is no object of the VPC CNI", saved.api_version))?;
    Ok(Reference::target(&Target { kind, namespace: &saved.namespace, name: &saved.name }))
}

/// The plan for people.
fn told(undo: &Undo, plans: &[(&Saved, Restoration)]) -> String {
    let mut lines = vec![format!("undo of the adoption of {} at {}", undo.made_at, undo.cluster.url)];
    for (saved, plan) in plans {
        lines.push(match (plan.state, &plan.step) {
            (State::Left, _) => format!("\n{saved}: stays as it is"),
            (_, None) => format!("\n{saved}: nothing to do"),
            _ => format!("\n{saved}"),
        });
        for edit in &plan.edits {
            lines.push(changes::edit(edit.map, &edit.key, edit.to.as_deref()));
        }
        lines.extend(plan.fields.iter().map(changes::path));
        lines.extend(plan.kept.iter().map(|sentence| format!("  not undone: {sentence}")));
    }
    if plans.iter().any(|(_, plan)| plan.step.is_some()) {
        lines.push(format!(
            "\neach of them gets annotation {ALLOW_UNTIL} with the time in an hour, or cni-steward would adopt it again"
        ));
    }
    lines.join("\n") + "\n"
}

/// The releases that the adoption stamped and that Helm has since installed: an undo does not uninstall them.
async fn releases(undo: &Undo, cluster: &Cluster) -> Vec<String> {
    let mut named: Vec<(&str, &str)> = Vec::new();
    for saved in &undo.objects {
        let After::Changed(after) = &saved.after else { continue };
        let says = |key: &str| after.annotations.get(key).map(String::as_str);
        let Some(release) = says(RELEASE_NAMESPACE).zip(says(RELEASE_NAME)) else { continue };
        if !named.contains(&release) {
            named.push(release);
        }
    }
    let mut found = Vec::new();
    for (namespace, name) in named {
        let secrets = Reference::all(("", "v1", "secrets", "Secret"), Some(namespace));
        let query = Query { metadata_only: true, ..Query::labelled(format!("owner=helm,name={name}")) };
        // Who may not list Secrets is told nothing about releases.
        if cluster.list(&secrets, &query).await.is_ok_and(|secrets| !secrets.is_empty()) {
            found.push(format!("{namespace}/{name}"));
        }
    }
    found
}

struct Work<'r> {
    run: Run<'r>,
    writer: Writer,
    interrupt: Interrupt,
    done: usize,
}

impl Work<'_> {
    /// Puts everything back; `false` when somebody asked to stop.
    async fn all(&mut self) -> anyhow::Result<bool> {
        for (at, saved) in self.run.objects() {
            if !self.object(at, saved).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn object(&mut self, at: usize, saved: &Saved) -> anyhow::Result<bool> {
        let reference = reference(saved)?;
        for _ in 0..LOOKS {
            let stored = self.run.stored(saved).await?;
            let plan = self.run.look(at, saved, stored.as_deref());
            let Some(step) = plan.step else { return Ok(true) };
            if self.interrupt.is_set() {
                return Ok(false);
            }
            let number = self.done + 1;
            faults::before(&format!("write-{number}"));
            let patch = RawValue::from_string(step)?;
            match self.run.cluster.patch::<IgnoredAny>(&self.writer, &reference, HOW, &patch).await {
                Ok(_) => {
                    faults::after(&format!("write-{number}"));
                    self.done = number;
                    say(&format!("{number} {saved}"));
                }
                Err(error) if error.is_refused() && !error.is_not_found() => return Err(error.into()),
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    say(&format!("{error}; looking again"));
                    let pause = error.retry_after().unwrap_or(Duration::from_secs(1));
                    tokio::time::sleep(pause.min(Duration::from_secs(10))).await;
                }
            }
        }
        bail!("{reference} does not stay as it was put back: another controller changes it at once")
    }
}
