//! `audit`: looks at many clusters at once, some at a time, each for no longer than it may take.
//!
//! Nothing is written to any of them. A cluster that does not answer, or whose targets may not be seen, is a row like any other and
//! decides the exit code.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{ArgGroup, Args, ValueEnum};
use tokio::task::JoinSet;

use super::cluster::{KubeconfigArgs, block_on};
use super::greeting::say;
use super::terminal::{self, INTERRUPTED, Progress, TerminalArgs};
use super::{duration, program};
use crate::audit::{self, Gap, Report, Row, State};
use crate::cluster::inventory::{self, Wish};
use crate::cluster::{Cluster, Kubeconfig};
use crate::policy::pattern::Pattern;
use crate::telemetry::clock;

/// What the command does, in a line.
pub const ABOUT: &str = "Say for many clusters at once who owns the VPC CNI and what is wrong there";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward audit --all-contexts
      a row for each context of the kubeconfig
  cni-steward audit --contexts 'prod-*,staging' -o html > audit.html
      a page to sort, search and print; it needs no network
  cni-steward audit --all-contexts -o json | jq -r '.clusters[] | select(.notAudited) | .context'
      the clusters that could not be looked at
  cni-steward audit --all-contexts --parallel 32 --timeout 2m -o csv > audit.csv
      many and slow clusters, for a spreadsheet

Each code (CS001, …) is explained in docs/codes.md. Exit status: 0 no problem, 1 problems, 2 a cluster could not be audited (or the command line is wrong), 130 interrupted.";

const TICK: Duration = Duration::from_millis(200);

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["contexts", "all_contexts"]))]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct AuditArgs {
    /// The contexts of the clusters, in the order of the rows; `*` stands for any characters.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    contexts: Vec<String>,
    /// Every context of the kubeconfig.
    #[arg(long)]
    all_contexts: bool,
    /// What to print.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Table)]
    output: Output,
    /// How many clusters to look at at once.
    #[arg(long, value_name = "N", default_value = "8")]
    parallel: NonZeroUsize,
    /// How long one cluster may take in all.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    timeout: Duration,
    #[command(flatten)]
    kubeconfig: KubeconfigArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Rows for people.
    Table,
    /// A versioned document for programs.
    Json,
    /// For a spreadsheet.
    Csv,
    /// One page for a browser; it needs no network.
    Html,
}

/// Runs the command: exit 0 no problem, 1 problems, 2 not all could be audited.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let kubeconfig = args.kubeconfig.read()?;
    let contexts = chosen(&kubeconfig.contexts(), args)?;
    let time = clock::now();
    let mut survey = Survey {
        rows: contexts.iter().map(|context| unasked(context)).collect(),
        kubeconfig: Arc::new(kubeconfig),
        request_timeout: args.kubeconfig.request_timeout,
        timeout: args.timeout,
        under_way: BTreeMap::new(),
        done: 0,
    };
    let interrupted = block_on(async { Ok(survey.run(args.parallel.get()).await) })?;
    let done = survey.done;
    let report = Report { time, rows: survey.rows };
    terminal::print(&match args.output {
        Output::Table => audit::table(&report, args.terminal.stdout(), program::name()),
        Output::Json => audit::json(&report),
        Output::Csv => audit::csv(&report),
        Output::Html => audit::html(&report, program::name()),
    })?;
    if interrupted {
        say(&format!(
            "interrupted: {done} of {} clusters were audited; an audit changes nothing",
            contexts.len()
        ));
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(match report.worst() {
        State::Clear | State::Warnings => ExitCode::SUCCESS,
        State::Problems => ExitCode::from(1),
        State::NotAudited => ExitCode::from(2),
    })
}

/// The contexts that are asked for, each once, in the order in which they are.
fn chosen(known: &[String], args: &AuditArgs) -> anyhow::Result<Vec<String>> {
    if known.is_empty() {
        bail!(
            "the kubeconfig has no context at all; have some written: aws eks update-kubeconfig --name CLUSTER"
        );
    }
    if args.all_contexts {
        return Ok(known.to_vec());
    }
    let mut chosen: Vec<String> = Vec::new();
    for asked in args.contexts.iter().map(|asked| asked.trim()).filter(|asked| !asked.is_empty()) {
        let pattern = Pattern::new(asked);
        let fits = |context: &&String| *context == asked || pattern.matches(context);
        let mut found = known.iter().filter(fits).peekable();
        if found.peek().is_none() {
            bail!(
                "no context of the kubeconfig is called {asked}; kubectl config get-contexts -o name lists them"
            );
        }
        let new: Vec<_> = found.filter(|context| !chosen.contains(context)).cloned().collect();
        chosen.extend(new);
    }
    if chosen.is_empty() {
        bail!("--contexts names no context; kubectl config get-contexts -o name lists them");
    }
    Ok(chosen)
}

/// The row of a cluster that has not answered yet.
fn unasked(context: &str) -> Row {
    let message = "the audit ended before this cluster had answered".to_owned();
    Row {
        context: context.to_owned(),
        server: String::new(),
        outcome: Err(Gap { reason: "interrupted", message }),
    }
}

struct Survey {
    rows: Vec<Row>,
    kubeconfig: Arc<Kubeconfig>,
    request_timeout: Duration,
    timeout: Duration,
    /// Place and context of the clusters that are being looked at.
    under_way: BTreeMap<usize, String>,
    done: usize,
}

impl Survey {
    /// Fills in the rows; whether Ctrl-C came before all were.
    async fn run(&mut self, parallel: usize) -> bool {
        let mut looks = JoinSet::new();
        let mut progress = Progress::start();
        let mut tick = tokio::time::interval(TICK);
        let interrupted = terminal::interrupted();
        tokio::pin!(interrupted);
        let mut next = 0;
        loop {
            while looks.len() < parallel
                && let Some(row) = self.rows.get(next)
            {
                self.under_way.insert(next, row.context.clone());
                looks.spawn(self.look(next, row.context.clone()));
                next += 1;
            }
            tokio::select! {
                looked = looks.join_next() => match looked {
                    Some(Ok((place, row))) => self.take(place, row),
                    Some(Err(_)) => {}
                    None => return false,
                },
                _ = tick.tick() => progress.tell(&self.progress()),
                () = &mut interrupted => return true,
            }
        }
    }

    fn take(&mut self, place: usize, row: Row) {
        self.done += 1;
        self.under_way.remove(&place);
        if let Some(waiting) = self.rows.get_mut(place) {
            *waiting = row;
        }
    }

    fn progress(&self) -> String {
        let waiting: Vec<&str> = self.under_way.values().map(String::as_str).collect();
        format!("{} of {} clusters audited; waiting for {}", self.done, self.rows.len(), waiting.join(", "))
    }

    fn look(&self, place: usize, context: String) -> impl Future<Output = (usize, Row)> + Send + 'static {
        let (kubeconfig, timeout) = (Arc::clone(&self.kubeconfig), self.timeout);
        let cluster = Cluster::of_context(&kubeconfig, &context, self.request_timeout);
        async move {
            let server = cluster.as_ref().map(Cluster::url).unwrap_or_default();
            let looked = async {
                let cluster = cluster.map_err(|error| Gap::of(&error))?;
                let live =
                    inventory::read(&cluster, Wish::default()).await.map_err(|error| Gap::of(&error))?;
                audit::row(&live, cluster.now())
            };
            let outcome = tokio::time::timeout(timeout, looked).await.unwrap_or_else(|_| {
                let message = format!("not done within {timeout:?}; give it longer with --timeout");
                Err(Gap { reason: "timeout", message })
            });
            (place, Row { context, server, outcome })
        }
    }
}
