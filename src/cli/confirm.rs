//! Asking before a change: a person at a terminal says yes, a script says `--yes`, and `--plan` changes nothing.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use super::greeting::say;

/// How a command that changes a cluster is let go on.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Consent {
    /// Print what would be changed, and change nothing.
    #[arg(long, conflicts_with = "yes")]
    pub plan: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// What the person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Go,
    /// Change nothing: only the plan was asked for.
    PlanOnly,
    /// Change nothing: the person said no.
    Refused,
}

impl Consent {
    /// Asks, once the plan has been printed. `question` is one sentence; `again` is the command that would not ask.
    /// An error (exit 2) where there is nobody to ask.
    pub fn ask(self, question: &str, again: &str) -> anyhow::Result<Answer> {
        if self.plan {
            return Ok(Answer::PlanOnly);
        }
        if self.yes {
            return Ok(Answer::Go);
        }
        if !io::stdin().is_terminal() {
            bail!(
                "nothing was changed: standard input is no terminal, so nobody can be asked. To go on: {again}"
            );
        }
        write!(io::stderr(), "{question} Type yes to go on: ").ok();
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        if matches!(line.trim(), "yes" | "y") {
            return Ok(Answer::Go);
        }
        say("nothing was changed");
        Ok(Answer::Refused)
    }
}
