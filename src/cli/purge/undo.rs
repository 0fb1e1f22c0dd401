//! `purge --undo`: brings back what a purge removed.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use super::PurgeArgs;
use super::bring_back::{Outcome, Return, Returner};
use crate::cli::confirm::Answer;
use crate::cli::greeting::say;
use crate::cli::interrupt::Interrupt;
use crate::cli::terminal::{Tone, print};
use crate::cli::undo_file::{self, UndoFile, check_cluster};
use crate::cluster::{Reference, Writer};
use crate::policy::change::ALLOW_UNTIL;
use crate::policy::{Kind, Target};
use crate::purge::restore::Restore;
use crate::undo::{After, Mark, Saved, Undo};

/// What an undo file of ours says in its head.
pub(super) const COMMAND: &str = "purge";

/// In the order in which they come back: what the workload's Pods use is there before them.
const ORDER: [Kind; 6] = [
    Kind::CustomResourceDefinition,
    Kind::ConfigMap,
    Kind::ServiceAccount,
    Kind::ClusterRole,
    Kind::ClusterRoleBinding,
    Kind::DaemonSet,
];

pub(super) async fn run(args: &PurgeArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let (undo, _) = undo_file::read(path)?;
    let wanted = wanted(&undo).with_context(|| path.display().to_string())?;
    let cluster = args.reach.connect().await?;
    check_cluster(path, &undo, &cluster).await?;
    // An annotation for people: whole seconds.
    let until = Timestamp::from_second(cluster.now().checked_add(1.hours())?.as_second())?;
    let writer = Writer::operator();
    let returner = Returner { cluster: &cluster, writer: &writer, until, patience: args.wait, tell: &say };

    let terminal = args.terminal.stdout();
    let mut rows = Vec::new();
    for one in &wanted {
        let does = match returner.look(one).await? {
            Restore::Create(_) => "is created again, then gets its field owners back",
            Restore::Finish => "is there, and gets its field owners back",
            Restore::There => "is there",
            Restore::Other => "is there, but another one; it is not touched",
            Restore::Going => "is still being deleted; is waited for and then created again",
        };
        rows.push([(Tone::Plain, format!("  {}", one.reference)), (Tone::Faint, does.to_owned())]);
    }
    print(&format!(
        "brings back to {} what was removed at {}:\n{}",
        cluster.url(),
        undo.made_at,
        terminal.table(&rows)
    ))?;
    if args.consent.ask("Create these objects?", "add --yes")? != Answer::Go {
        return Ok(ExitCode::from(u8::from(!args.consent.plan)));
    }
    rehearse(&returner, &wanted).await?;
    let interrupt = Interrupt::listen()?;
    let mut missing = 0;
    let mut rows = Vec::new();
    let mut failed = None;
    for one in &wanted {
        if interrupt.is_set() {
            say("stopped; what is missing comes back when it is run again");
            missing += 1;
            break;
        }
        match returner.bring_back(one).await {
            Ok(outcome) => {
                let (tone, text) = told(&outcome);
                missing += u32::from(tone == Tone::Bad);
                rows.push([(Tone::Plain, format!("  {}", one.reference)), (tone, text)]);
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    // What has come back is told, whatever came then.
    print(&terminal.table(&rows))?;
    if let Some(error) = failed {
        return Err(error).context("what is missing comes back when it is run again");
    }
    print(&terminal.paragraph(0, &format!(
        "Times, uids, generations and states are new; the API server gives them. Each object carries {ALLOW_UNTIL} until {until}, \
         so that no policy of cni-steward refuses or amends it. Before that, take mode Block, or Adopt if it shall stay as it is, out \
         of the policy."
    )))?;
    if missing > 0 {
        return Ok(ExitCode::from(1));
    }
    // All is back; that the file cannot be written to does not change that.
    if let Err(error) = UndoFile::open(path).and_then(|(mut file, _)| file.mark(&Mark::Undone)) {
        say(&format!("warning: {error:#}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The objects of the file, in the order in which they come back.
fn wanted(undo: &Undo) -> anyhow::Result<Vec<Return>> {
    if undo.command != COMMAND {
        bail!("it was written by {0}; expected one of purge: cni-steward {0} --undo FILE", undo.command);
    }
    let mut wanted = undo.objects.iter().map(one).collect::<anyhow::Result<Vec<_>>>()?;
    wanted.sort_by_key(|one| ORDER.iter().position(|kind| *kind == one.kind));
    Ok(wanted)
}

/// An object of the catalogue and nothing else, whatever the file says.
fn one(saved: &Saved) -> anyhow::Result<Return> {
    let object: Value = serde_json::from_str(&saved.before).with_context(|| format!("{saved}"))?;
    let says = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let same = says("/kind") == saved.kind
        && says("/apiVersion") == saved.api_version
        && says("/metadata/name") == saved.name
        && says("/metadata/namespace") == saved.namespace;
    let kind = Kind::ALL.into_iter().find(|kind| {
        let target = Target { kind: *kind, namespace: &saved.namespace, name: &saved.name };
        kind.name() == saved.kind
            && kind.namespaced() != saved.namespace.is_empty()
            && Reference::target(&target).api_version() == saved.api_version
    });
    match kind {
        Some(kind) if same && saved.after == After::Deleted => {
            let target = Target { kind, namespace: &saved.namespace, name: &saved.name };
            Ok(Return { reference: Reference::target(&target), kind, saved: object })
        }
        _ => bail!("{saved} is no object that purge removes"),
    }
}

async fn rehearse(returner: &Returner<'_>, wanted: &[Return]) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for one in wanted {
        if let Err(error) = returner.rehearse(one).await {
            problems.push(format!("  {error}"));
        }
    }
    if !problems.is_empty() {
        bail!("nothing was created, because not all of it can be:\n{}", problems.join("\n"));
    }
    Ok(())
}

fn told(outcome: &Outcome) -> (Tone, String) {
    match outcome {
        Outcome::Back => (Tone::Good, "is back, with its field owners as they were".to_owned()),
        Outcome::There => (Tone::Good, "is there".to_owned()),
        Outcome::OtherOwners(now) => {
            (Tone::Bad, format!("is back, but the API server holds other field owners: {now}"))
        }
        Outcome::Other(now) => (Tone::Bad, format!("is not touched: another one is there, of {now}")),
        Outcome::Going => (Tone::Bad, "is still being deleted, so it was not created".to_owned()),
    }
}
