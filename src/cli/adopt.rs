//! `adopt`: makes what is installed the owner's, once, because a person says so; and takes that back.

mod carry_out;
mod helm;
mod json;
mod look;
mod record;
mod text;
mod undo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::cluster::{ReachArgs, block_on};
use super::confirm::{Answer, Consent};
use super::greeting::say;
use super::interrupt::Interrupt;
use super::policy_file;
use super::terminal::{TerminalArgs, print};
use crate::adopt::{self, Wish};
use crate::cluster::inventory;
use crate::cluster::{Cluster, Writer};
use crate::layout::quoted;
use crate::policy::pattern::Pattern;
use crate::policy::rules::Release;

/// What the command does, in a line.
pub const ABOUT: &str =
    "Make the VPC CNI that is installed the owner's: ownership metadata and field ownership, nothing else";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward adopt --plan
      what would change, path by path, and for whom; changes nothing
  helm template aws-vpc-cni eks/aws-vpc-cni -n kube-system --include-crds --set originalMatchLabels=true > chart.yaml
  cni-steward adopt --plan --chart-manifest chart.yaml
      the same, and what Helm 3 and Helm 4 will answer to an install afterwards
  cni-steward adopt
      asks, writes an undo file, then the changes
  cni-steward adopt --owner flux --absorb 'kubectl*' --yes
      for Flux's helm-controller, and with what people changed with kubectl; does not ask
  cni-steward adopt --undo cni-steward-undo-CLUSTER-TIME.json
      puts everything back, as far as nobody else changed it since

Exit status: 0 adopted or nothing to do, 1 refused or not whole, 2 usage or environment.";

/// Arguments of `adopt`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct AdoptArgs {
    /// Policy file [default: the one of the cni-steward in the cluster; else owner helm, release kube-system/aws-vpc-cni].
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// Who shall own the VPC CNI, instead of the policy's owner.
    #[arg(long, value_enum, value_name = "OWNER")]
    owner: Option<Tool>,
    /// The Helm release that shall own it, instead of the policy's.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = release)]
    release: Option<Release>,
    /// Move the fields of these managers too (`*` stands for anything); the plan names them. May be given several times.
    #[arg(long, value_name = "GLOB")]
    absorb: Vec<String>,
    /// State that there is no managed add-on (aws eks describe-addon --addon-name vpc-cni finds none).
    #[arg(long)]
    managed_addon_absent: bool,
    /// Say also what Helm will answer: what `helm template --include-crds` printed.
    #[arg(long, value_name = "FILE")]
    chart_manifest: Option<PathBuf>,
    /// Where to write how things stood [default: cni-steward-undo-CLUSTER-TIME.json in the current folder].
    #[arg(long, value_name = "FILE")]
    undo_file: Option<PathBuf>,
    /// Put back what this undo file tells of.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["owner", "release", "absorb", "managed_addon_absent", "chart_manifest", "undo_file", "output"])]
    undo: Option<PathBuf>,
    /// How to print the plan.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences and paths.
    Text,
    /// For scripts: apiVersion cni-steward.dev/v1alpha1, kind `AdoptionPlan`.
    Json,
}

/// Tools that may own the VPC CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Helm's command line.
    Helm,
    /// Flux's helm-controller.
    Flux,
    /// Argo CD; without a Helm release.
    Argocd,
}

fn release(text: &str) -> Result<Release, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Release { name: name.to_owned(), namespace: namespace.to_owned() })
        }
        _ => Err("expected NAMESPACE/NAME, as in kube-system/aws-vpc-cni".into()),
    }
}

/// Runs the command.
pub fn run(args: &AdoptArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.reach.connect().await?;
        if let Some(file) = &args.undo {
            return undo::run(file, &cluster, args.consent).await;
        }
        args.adopt(&cluster).await
    })
}

impl AdoptArgs {
    async fn adopt(&self, cluster: &Cluster) -> anyhow::Result<ExitCode> {
        let given = self.policy.as_deref().map(policy_file::read).transpose()?;
        let live = inventory::read(cluster, inventory::Wish { policy: given }).await?;
        let place = look::seen(&live)?;
        let policy = self.policy(&live)?;
        let absorb: Vec<Pattern> = self.absorb.iter().map(Pattern::new).collect();
        let wish = Wish { policy: &policy, absorb: &absorb, addon_absent: self.managed_addon_absent };
        let chart = helm::Chart::of(self.chart_manifest.as_deref(), &policy)?;
        let stored = look::stored(&live);
        let mut plan = adopt::plan(&stored, &wish, cluster.now());
        look::notes(&live, &policy, &mut plan);

        let answers = chart.as_ref().map(|chart| helm::Answers::of(chart, &stored, &plan));
        let told = text::Told { place: &place, policy: &policy, from: &live.policy_from, plan: &plan };
        print(&match self.output {
            Output::Text => text::plan(&told, answers.as_ref(), &live.version, self.terminal.stdout()),
            Output::Json => json::plan(&told, answers.as_ref())?,
        })?;
        if !plan.refusals.is_empty() {
            say(&text::refusals(&plan, self.terminal.stdout()));
            return Ok(ExitCode::from(1));
        }
        if plan.changes().next().is_none() {
            return Ok(ExitCode::SUCCESS);
        }
        let question = format!("Change the metadata of {} objects at {}?", plan.changes().count(), place.url);
        match self.consent.ask(&question, &again("--yes"))? {
            Answer::PlanOnly => return Ok(ExitCode::SUCCESS),
            Answer::Refused => return Ok(ExitCode::from(1)),
            Answer::Go => {}
        }
        carry_out::rehearse(cluster, &plan).await?;
        let interrupt = Interrupt::listen()?;
        let mut file = self.undo_file(&place, &policy, &stored, &plan)?;
        let effective = adopt::effective(&wish);
        let mut work = carry_out::Work {
            cluster,
            writer: &Writer::operator(),
            policy: &effective,
            file: &mut file,
            interrupt: &interrupt,
            again: again("--yes"),
            done: 0,
            total: plan.changes().map(adopt::ObjectPlan::writes).sum(),
        };
        work.all(&stored, &plan).await
    }
}

/// The command line to type again, with one more word.
fn again(more: &str) -> String {
    let mut words = vec!["cni-steward".to_owned()];
    words.extend(std::env::args().skip(1).filter(|word| word != more && word != "-y"));
    words.push(more.to_owned());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}
