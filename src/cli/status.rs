//! `status`: who owns the VPC CNI of a cluster, and what is wrong there.

use std::process::ExitCode;

use super::cluster::{ReachArgs, block_on};
use super::terminal::{TerminalArgs, print};
use crate::cluster::inventory;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
}

/// Runs the command.
pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.reach.connect().await?;
        let live = inventory::read(&cluster, inventory::Wish { policy: None }).await?;
        print(&format!("{live:#?}"))?;
        Ok(ExitCode::SUCCESS)
    })
}
