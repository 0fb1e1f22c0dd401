//! The command line: one thin file per command.
//!
//! Exit codes are a contract: 0 well, 1 a finding or refusal, 2 usage or environment.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod address;
pub mod greeting;
pub mod serve;
pub mod trust;

/// Says whose the Amazon VPC CNI of an EKS cluster is, and keeps it so.
#[derive(Debug, Parser)]
#[command(name = "cni-steward", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer admission reviews.
    Serve(Box<serve::ServeArgs>),
}

/// Parses the command line, runs the command, and turns its end into an exit code.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        greeting::say(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}
