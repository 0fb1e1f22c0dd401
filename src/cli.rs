//! The command line: one thin file per command.
//!
//! Exit codes are a contract: 0 well, 1 a finding or refusal, 2 usage or environment.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::policy::Policy;

pub mod address;
pub mod adopt;
pub mod audit;
mod changes;
pub mod cluster;
pub mod complete;
pub mod completion;
pub mod confirm;
pub mod export;
mod forecast;
pub mod greeting;
pub mod interrupt;
pub mod policy_file;
mod program;
pub mod purge;
pub mod review;
#[cfg(unix)]
pub mod serve;
pub mod status;
pub mod terminal;
#[cfg(unix)]
pub mod trust;
pub mod undo_file;

const FIRST_STEPS: &str = "\
First steps, which change nothing:
  cni-steward status
      who owns the VPC CNI of kubectl's current cluster, what is wrong there, and the next command
  cni-steward adopt --plan
      what it would take to make it a Helm release's

Each command has examples under --help.";

/// What `--version` says: the release with its commit, where who built it told (`hack/release.sh`).
const VERSION: &str = match option_env!("CNI_STEWARD_BUILD") {
    Some(build) => build,
    None => env!("CARGO_PKG_VERSION"),
};

/// Says whose the Amazon VPC CNI of an EKS cluster is, and keeps it so.
#[derive(Debug, Parser)]
#[command(name = "cni-steward", version = VERSION, max_term_width = 100, after_help = FIRST_STEPS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// Each command's own arguments are built when it is the one that was asked for: a server needs no other's in its memory.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    #[command(about = status::ABOUT)]
    Status(Box<status::StatusArgs>),
    #[command(about = audit::ABOUT)]
    Audit(audit::AuditArgs),
    #[command(about = adopt::ABOUT)]
    Adopt(Box<adopt::AdoptArgs>),
    #[command(about = purge::ABOUT)]
    Purge(Box<purge::PurgeArgs>),
    #[command(about = review::ABOUT)]
    Review(review::ReviewArgs),
    // Not where the private key's file cannot be kept from others by its mode.
    #[cfg(unix)]
    #[command(about = serve::ABOUT)]
    Serve(Box<serve::ServeArgs>),
    /// Print what a cluster needs to know about us.
    #[command(subcommand)]
    Export(Export),
    #[command(about = completion::ABOUT)]
    Completion(completion::CompletionArgs),
    #[command(name = "__complete", hide = true)]
    Complete(completion::CompleteArgs),
}

#[derive(Debug, Subcommand)]
enum Export {
    #[command(about = export::ABOUT)]
    Webhook(export::WebhookArgs),
    #[command(about = export::policies::ABOUT)]
    Policies(export::policies::PoliciesArgs),
}

/// The command line as clap knows it, by the name that the program was called by.
pub fn command() -> clap::Command {
    program::named(Cli::command())
}

/// Parses the command line, runs the command, and turns its end into an exit code.
pub fn main() -> ExitCode {
    let outcome = match program::completing() {
        Some(words) => completion::complete(command(), &words),
        None => run(),
    };
    outcome.unwrap_or_else(|error| {
        greeting::say(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let matches = command().get_matches();
    match Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command {
        #[cfg(unix)]
        Command::Serve(args) => serve::run(&args),
        Command::Review(args) => review::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Adopt(args) => adopt::run(&args),
        Command::Purge(args) => purge::run(&args),
        Command::Export(Export::Webhook(args)) => export::webhook(&args),
        Command::Export(Export::Policies(args)) => export::policies::policies(&args),
        Command::Completion(args) => completion::run(&args),
        Command::Complete(args) => completion::complete(command(), &args.words),
    }
}

/// Reads the policy file, or takes the policy of a server that has none, and says what looks like a mistake in it.
fn policy_from(file: Option<&Path>) -> anyhow::Result<Policy> {
    let Some(file) = file else { return Ok(Policy::default()) };
    let policy = policy_file::read(file)?;
    for warning in policy.warnings() {
        greeting::say(&format!("warning: {warning}"));
    }
    Ok(policy)
}

/// A duration as people write it: `5s`, `1m 30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(span).map_err(|_| "a negative time".into())
}
