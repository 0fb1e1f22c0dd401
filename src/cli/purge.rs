//! `purge`: removes the VPC CNI of a cluster, or brings it back.

mod bring_back;
mod patience;
mod record;
mod remove;
mod show;
mod undo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use self::remove::{Removal, Remover, Stopped, dependents};
use super::cluster::{ReachArgs, block_on, undo_with};
use super::confirm::{Answer, Consent};
use super::greeting::say;
use super::interrupt::Interrupt;
use super::terminal::{TerminalArgs, print};
use super::{duration, policy_from};
use crate::cluster::inventory::{Inventory, Wish, read};
use crate::cluster::{Cluster, Writer};
use crate::policy::Kind;
use crate::purge::addon::Stated;
use crate::purge::{self, Plan, interlock, need, words};
use crate::undo::{Mark, Place};

/// The undo file has to say which cluster it is of.
const NO_UID: &str = "the uid of namespace kube-system, which tells one cluster from another, could not be seen; nothing was \
                      deleted. Check: kubectl auth can-i get namespaces/kube-system";

/// What the command does, in a line.
pub const ABOUT: &str = "Remove the VPC CNI from a cluster, or bring it back";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward purge --plan
      what would go, in which order, what stays and why, and what forbids it; nothing is changed
  cni-steward purge --managed-addon-absent
      the same, then asks, writes the undo file and removes it; `aws eks describe-addon` said that there is no managed add-on
  cni-steward purge --managed-addon-absent --accept-network-loss 3 --yes
      although 3 schedulable nodes have no other network that is ready, and without a question
  cni-steward purge --undo cni-steward-undo-CLUSTER-TIME.json
      brings back what was removed, with its field owners, also where a policy in mode Block refuses it

Exit status: 0 done (or nothing to do), 1 refused or not finished, 2 usage, or the cluster does not let us.
It may be run again at any time: it goes on from what is there.";

/// Arguments of `purge`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct PurgeArgs {
    #[command(flatten)]
    consent: Consent,
    /// Where the objects are saved before the first is deleted [default: cni-steward-undo-CLUSTER-TIME.json, or that of a run
    /// that was cut off].
    #[arg(long, value_name = "FILE")]
    undo_file: Option<PathBuf>,
    /// Bring back what the purge that wrote this file removed.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["undo_file", "accept_network_loss", "managed_addon_absent", "ignore_owner", "output"]
    )]
    undo: Option<PathBuf>,
    /// So many schedulable nodes may be left without a network; it has to be their exact number.
    #[arg(long, value_name = "NODES")]
    accept_network_loss: Option<usize>,
    /// You know that there is no EKS managed add-on vpc-cni here (`aws eks describe-addon` tells).
    #[arg(long)]
    managed_addon_absent: bool,
    /// Delete also what a Helm release, Flux or Argo CD owns and would bring back.
    #[arg(long)]
    ignore_owner: bool,
    /// How long one object may take to be gone.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    wait: Duration,
    /// Policy file: what the targets are called, and whether there is a managed add-on [default: the one that is installed].
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// How the plan is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For scripts: a document of kind `PurgePlan`.
    Json,
}

/// Runs the command.
pub fn run(args: &PurgeArgs) -> anyhow::Result<ExitCode> {
    match &args.undo {
        Some(file) => block_on(undo::run(args, file)),
        None => block_on(remove(args)),
    }
}

async fn remove(args: &PurgeArgs) -> anyhow::Result<ExitCode> {
    let policy = args.policy.as_deref().map(|file| policy_from(Some(file))).transpose()?;
    let cluster = args.reach.connect().await?;
    let inventory = read(&cluster, Wish { policy }).await?;
    let plan = Plan::new(&inventory, &dependents(&cluster).await, args.wish(&inventory));
    match args.output {
        Output::Text => print(&show::plan(&plan, &inventory, args.terminal.stdout()))?,
        Output::Json => print(&(serde_json::to_string_pretty(&words::json(&plan, &inventory))? + "\n"))?,
    }
    if !plan.refusals.is_empty() {
        return Ok(ExitCode::from(1));
    }
    if args.consent.plan || plan.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place { uid: inventory.uid.clone().context(NO_UID)?, url: inventory.server.clone() };
    let removals: Vec<Removal> =
        plan.steps.iter().map(|step| Removal::of(step.kind, &step.item.reference, step.live)).collect();
    rehearse(&cluster, &removals).await?;
    if args.consent.ask("Delete these objects?", "add --yes")? != Answer::Go {
        return Ok(ExitCode::from(1));
    }
    if !args.consent.yes {
        // A person may have thought about it for an hour.
        let now = read(&cluster, Wish { policy: Some(inventory.policy.clone()) }).await?;
        if let Some(refusal) = interlock::check(&now, args.accept_network_loss, plan.is_lost()) {
            print(&show::refusal(&refusal, args.terminal.stdout()))?;
            return Ok(ExitCode::from(1));
        }
    }
    let now = cluster.now();
    let host = inventory.server.split("//").last().unwrap_or_default();
    let mut file =
        record::file(args.undo_file.as_deref(), host, &record::saved(&plan, &inventory, place, now))?;
    let writer = Writer::operator();
    let interrupt = Interrupt::listen()?;
    let remover = Remover {
        cluster: &cluster,
        writer: &writer,
        patience: args.wait,
        interrupt: &interrupt,
        tell: &say,
    };
    let mut gone = Vec::new();
    let ended = carry_out(&remover, &removals, &inventory, &mut gone).await;
    if ended.is_ok()
        && let Err(error) = file.mark(&Mark::Finished)
    {
        say(&format!("warning: {error:#}"));
    }
    finish(args, &inventory, file.path(), &gone, ended)
}

impl PurgeArgs {
    fn wish(&self, inventory: &Inventory) -> purge::Wish {
        purge::Wish {
            stated: Stated { policy: inventory.policy.managed_addon, absent_now: self.managed_addon_absent },
            accepted_loss: self.accept_network_loss,
            ignore_owner: self.ignore_owner,
        }
    }
}

/// Every deletion without its effect; an error names all that would fail.
async fn rehearse(cluster: &Cluster, removals: &[Removal]) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for removal in removals {
        if let Err(error) = remove::rehearse(cluster, removal).await {
            problems.push(format!("  {error}"));
        }
    }
    if !problems.is_empty() {
        bail!("nothing was deleted, because not all of it can be:\n{}", problems.join("\n"));
    }
    Ok(())
}

async fn carry_out(
    remover: &Remover<'_>,
    removals: &[Removal],
    inventory: &Inventory,
    gone: &mut Vec<String>,
) -> Result<(), Stopped> {
    for removal in removals {
        let reference = &removal.reference;
        if removal.kind == Kind::CustomResourceDefinition {
            // What has come since the plan would go with it.
            let now = need::why(
                removal.kind,
                reference.name(),
                &removal.saved,
                inventory,
                &dependents(remover.cluster).await,
            );
            if let Some(why) = now {
                say(&format!("{reference} is kept: {why}"));
                continue;
            }
        }
        say(&format!("deleting {reference}"));
        remover.remove(removal).await?;
        say(&format!("{reference} is gone"));
        gone.push(reference.to_string());
    }
    for removal in removals {
        remover.stays_away(removal).await?;
    }
    Ok(())
}

fn finish(
    args: &PurgeArgs,
    inventory: &Inventory,
    file: &Path,
    gone: &[String],
    ended: Result<(), Stopped>,
) -> anyhow::Result<ExitCode> {
    let back = undo_with("purge", file);
    let Err(stopped) = ended else {
        let policy = &inventory.policy;
        let text = format!(
            "{} objects are gone; they come back with: {back}\n\n{}{}",
            gone.len(),
            words::keep_it_away(policy),
            words::ON_THE_NODES
        );
        match args.output {
            Output::Text => print(&text)?,
            Output::Json => say(&text),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let gone = if gone.is_empty() { "nothing".to_owned() } else { gone.join(", ") };
    say(&format!("error: {stopped}"));
    say(&format!("gone: {gone}. Run purge again to go on, or go back with: {back}"));
    Ok(ExitCode::from(if matches!(stopped, Stopped::Api(_)) { 2 } else { 1 }))
}
