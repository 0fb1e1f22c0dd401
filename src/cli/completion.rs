//! `completion`: the few lines that make a shell ask us what may be typed next, and the answer to that question.
//!
//! The answer has the form that kubectl expects of a plugin (`kubectl_complete-cni_steward`): a candidate a line, a tab before what it
//! is, and in the last line `:0` if a file's name would do too, else `:4`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};

use super::cluster::kubeconfig_files;
use super::complete::answer;
use super::terminal;
use crate::cluster::Kubeconfig;

/// What the command does, in a line.
pub const ABOUT: &str = "Print the script that makes a shell complete our commands";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  source <(cni-steward completion bash)
      for this shell; put the line into ~/.bashrc for every one
  cni-steward completion bash > /etc/bash_completion.d/cni-steward
      for everybody on this machine
  cni-steward completion zsh > \"${fpath[1]}/_cni-steward\"
      zsh: a folder of $fpath, before compinit runs
  cni-steward completion fish > ~/.config/fish/completions/cni-steward.fish
  cni-steward completion powershell >> $PROFILE

Named kubectl-cni_steward the program is a plugin of kubectl, and kubectl completes its words too when a
link called kubectl_complete-cni_steward to it lies on the PATH.";

/// Arguments of `completion`.
#[derive(Debug, Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// 3.2 or newer.
    Bash,
    /// 5 or newer.
    Zsh,
    /// 3 or newer.
    Fish,
    /// 5.1 or newer.
    #[value(name = "powershell")]
    Power,
}

/// The question of a shell.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words behind the program's name, the last one as far as it is typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// Prints the script.
pub fn run(args: &CompletionArgs) -> anyhow::Result<ExitCode> {
    let script = match args.shell {
        Shell::Bash => include_str!("completion/bash.sh"),
        Shell::Zsh => include_str!("completion/zsh.sh"),
        Shell::Fish => include_str!("completion/fish.fish"),
        Shell::Power => include_str!("completion/powershell.ps1"),
    };
    terminal::print(script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers the question of a shell about `command`.
pub fn complete(mut command: Command, words: &[String]) -> anyhow::Result<ExitCode> {
    command.build();
    let found = answer(&command, words, contexts);
    let mut out = String::new();
    for candidate in found.candidates {
        // Writing to a String cannot fail.
        match candidate.about.as_str() {
            "" => writeln!(out, "{}", candidate.word).ok(),
            about => writeln!(out, "{}\t{about}", candidate.word).ok(),
        };
    }
    out.push_str(if found.files { ":0\n" } else { ":4\n" });
    terminal::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// The contexts of the kubeconfig, or none: a shell that asks while somebody types is told no errors.
fn contexts(kubeconfig: Option<&str>) -> Vec<String> {
    let list = std::env::var_os("KUBECONFIG");
    let files = kubeconfig_files(kubeconfig.map(Path::new), list.as_deref());
    files.and_then(|files| Kubeconfig::read(&files).ok()).map(|read| read.contexts()).unwrap_or_default()
}
