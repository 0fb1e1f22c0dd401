//! With what it was run: versions, and nothing that tells whose machine it was.

use std::path::Path;
use std::process::Command;

use crate::support::tools::Tool;

/// The day, in UTC.
pub(crate) fn today() -> String {
    cni_steward::telemetry::clock::now().to_string().split('T').next().unwrap().to_owned()
}

/// All in one line.
pub(crate) fn all() -> String {
    let servers = [Tool::ApiServer124, Tool::ApiServer130, Tool::ApiServer136]
        .map(|tool| of_tool(tool, &["--version"]))
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let parts = [
        Some(format!("cni-steward {}", env!("CARGO_PKG_VERSION"))),
        of(Path::new("rustc"), &["--version"]).map(|version| format!("Rust {version}")),
        (!servers.is_empty()).then(|| format!("Kubernetes {}", servers.join(", "))),
        of_tool(Tool::Etcd, &["--version"]).map(|version| format!("etcd {version}")),
        of_tool(Tool::Helm3, &["version", "--short"]).map(|version| format!("Helm {version}")),
        of_tool(Tool::Helm4, &["version", "--short"]).map(|version| format!("Helm {version}")),
        of(Path::new("containerd"), &["--version"]).map(|version| format!("containerd {version}")),
        of(Path::new("uname"), &["-r"]).map(|version| format!("Linux {version}")),
        std::thread::available_parallelism().ok().map(|cores| format!("{cores} cores")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(crate) fn of_tool(tool: Tool, arguments: &[&str]) -> Option<String> {
    of(tool.path().ok()?, arguments)
}

/// The first word that begins like a version, without what a packager put behind it.
fn of(program: &Path, arguments: &[&str]) -> Option<String> {
    let said = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit());
    let word = said.split_whitespace().map(|word| word.trim_start_matches('v')).find(is_version)?;
    word.split(['+', '-', '~']).next().map(str::to_owned)
}
