//! The name that the program was called by: its own, or that of a plugin of kubectl (`kubectl cni-steward …`).

use std::path::Path;

use clap::Command;

/// The name of a plugin's file: kubectl writes a dash of the command as an underscore.
const PLUGIN: &str = "kubectl-cni_steward";
/// The file that kubectl asks what may be typed next.
const COMPLETING: &str = "kubectl_complete-cni_steward";

/// As it is typed.
pub(super) fn name() -> &'static str {
    if called_by() == PLUGIN { "kubectl cni-steward" } else { "cni-steward" }
}

/// The words of a question of kubectl, if this is one.
pub(super) fn completing() -> Option<Vec<String>> {
    let words = || std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    (called_by() == COMPLETING).then(words)
}

/// The command whose usage and examples name it as it is typed.
pub(super) fn named(command: Command) -> Command {
    let name = name();
    if name == "cni-steward" {
        return command;
    }
    let mut command = command.bin_name(name);
    // What is built only when it is asked for has no examples yet.
    command.build();
    renamed(command, name)
}

fn renamed(command: Command, name: &str) -> Command {
    let mut command = command.mut_subcommands(|command| renamed(command, name));
    if let Some(examples) = command.get_after_help().map(ToString::to_string) {
        command = command.after_help(examples.replace("cni-steward ", &format!("{name} ")));
    }
    command
}

fn called_by() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
