//! `status`: who owns the VPC CNI of a cluster, and what is wrong there.

use std::path::PathBuf;
use std::process::ExitCode;

use super::cluster::{ReachArgs, block_on};
use super::terminal::{Terminal, TerminalArgs, Tone, print};
use crate::cluster::inventory::{self, Chained, Inventory, Item, Presence, Wish};
use crate::findings::{self, Report, Severity};
use crate::layout::printable;

/// What the command does, in a line.
pub const ABOUT: &str = "Say who owns the VPC CNI of a cluster, and what is wrong there";
/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  cni-steward status
      who owns the VPC CNI of kubectl's current cluster, its objects, and what is wrong
  cni-steward status --context prod -o json | jq -r '.verdict.owner, .findings[].code'
      the same for scripts

Each code (CS001, …) is explained in docs/codes.md. Exit status: 0 well, 1 a problem was found, 2 the cluster cannot be reached.";

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Judge by this policy [default: the one installed in the cluster].
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// What to print.
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
    /// For scripts: {apiVersion: cni-steward.dev/v1alpha1, kind: Status, …}.
    Json,
}

/// Runs the command: exit 1 when a finding is a problem.
pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let policy = args.policy.as_deref().map(|file| super::policy_from(Some(file))).transpose()?;
    let (live, now) = block_on(async {
        let cluster = args.reach.connect().await?;
        let live = inventory::read(&cluster, Wish { policy }).await?;
        Ok((live, cluster.now()))
    })?;
    let report = Report::of(&live, now);
    match args.output {
        Output::Json => print(&format!("{:#}\n", findings::json(&live, &report)))?,
        Output::Text => print(&text(args.terminal.stdout(), &live, &report))?,
    }
    Ok(if report.has_problem() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn text(terminal: Terminal, live: &Inventory, report: &Report) -> String {
    let verdict = &report.verdict;
    let mut out = terminal.paint(Tone::Strong, terminal.paragraph(0, &verdict.sentence).trim_end());
    out.push('\n');
    for clause in &verdict.evidence {
        out.push_str(&terminal.paragraph(2, &format!("because  {clause}")));
    }
    out.push_str(&terminal.paragraph(2, &format!("sure     {}", verdict.certainty.name())));
    out.push('\n');
    let shown = live.targets.iter().filter(|item| !(item.optional && matches!(item.state, Presence::Absent)));
    let rows: Vec<_> =
        shown.chain(&live.neighbours).map(|item| row(item, verdict.release.is_none())).collect();
    out.push_str(&terminal.table(&rows));
    out.push('\n');
    out.push_str(&surroundings(terminal, live));
    for finding in &report.findings {
        let severity = finding.code.severity();
        let tone = match severity {
            Severity::Problem => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Note => Tone::Faint,
        };
        out.push('\n');
        out.push_str(&terminal.paint(tone, &format!("{} {}", finding.code.id(), severity.name())));
        out.push('\n');
        out.push_str(&terminal.paragraph(2, &finding.message));
        for part in ["  → ", &printable(&finding.next), "\n"] {
            out.push_str(part);
        }
    }
    if report.findings.is_empty() {
        out.push_str(&terminal.paint(Tone::Good, "nothing to report"));
        out.push('\n');
    }
    out
}

/// One object: which, who holds its fields, and what is special.
fn row(item: &Item, releases: bool) -> [(Tone, String); 3] {
    let which = (Tone::Plain, item.reference.to_string());
    let facts = match (&item.state, item.facts()) {
        (Presence::Unseen, _) => {
            return [which, (Tone::Warn, "not seen".into()), (Tone::Plain, String::new())];
        }
        (_, None) => return [which, (Tone::Faint, "absent".into()), (Tone::Plain, String::new())],
        (_, Some(facts)) => facts,
    };
    let mut marks: Vec<String> = Vec::new();
    if let Some((namespace, name)) = facts.stamps.release().filter(|_| releases) {
        marks.push(format!("release {namespace}/{name}"));
    }
    marks.extend(facts.version.clone());
    if let Some(rollout) = facts.rollout {
        marks.push(format!("{} of {} ready", rollout.ready, rollout.desired));
    }
    for (is, word) in [
        (facts.parked, "parked"),
        (facts.managed_addon, "managed add-on"),
        (facts.prevent_deletion, "kept from Cluster API"),
        (facts.deleting.is_some(), "being deleted"),
    ] {
        if is {
            marks.push(word.to_owned());
        }
    }
    let managers = facts.root_managers().join(", ");
    [which, (Tone::Plain, managers), (Tone::Faint, marks.join("; "))]
}

fn surroundings(terminal: Terminal, live: &Inventory) -> String {
    let mut rows = Vec::new();
    let mut say = |what: &str, text: String| rows.push([(Tone::Faint, what.to_owned()), (Tone::Plain, text)]);
    say("cluster", format!("{} {}", live.server, live.version));
    let nodes = &live.nodes;
    if !nodes.is_empty() {
        let ready = nodes.iter().filter(|node| node.ready).count();
        let with = nodes.iter().filter(|node| node.vpc_cni).count();
        say("nodes", format!("{ready} of {} ready; the VPC CNI is ready on {with}", nodes.len()));
    }
    for network in &live.networks {
        let needs = match network.chained {
            Some(Chained::Chaining | Chained::PolicyOnly) => ", behind the VPC CNI",
            Some(Chained::Elsewhere) => ", with a CNI configuration of somebody else's",
            None => "",
        };
        let (name, count) = (network.product, network.ready_on.len());
        say("network", format!("{name} is ready on {count} of {} nodes{needs}", nodes.len()));
    }
    for one in &live.installations {
        let rollout = one.rollout.map_or("not seen".to_owned(), |rollout| {
            format!("{} of {} ready", rollout.ready, rollout.desired)
        });
        let leader = one.leader.as_ref().map(|(holder, _)| format!("; {holder} leads")).unwrap_or_default();
        say(
            "steward",
            format!("{}/{}: {rollout}{leader}; mode {}", one.namespace, one.name, live.policy.mode_name()),
        );
    }
    let urls = live.webhooks.iter().filter_map(|webhook| {
        Some((&webhook.name, webhook.entries.iter().find_map(|entry| entry.url.as_ref())?))
    });
    for (name, url) in urls {
        say("steward", format!("webhook configuration {name} calls {url}"));
    }
    if live.installations.is_empty() && live.webhooks.is_empty() {
        say("steward", "none in this cluster".into());
    }
    terminal.table(&rows)
}
