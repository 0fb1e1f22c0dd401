//! docs/compatibility.md: between two marks the table of a run; what stands around it is written by hand.

use std::path::PathBuf;

use crate::limits;
use crate::pair::{PARTS, Pair, Seen};
use crate::support::tools::Tool;
use crate::support::versions::{Helm, Version};
use crate::versions;

pub(crate) const PAGE: &str = "docs/compatibility.md";
const BEGIN: &str = "<!-- written by `make matrix` -->\n";
const END: &str = "<!-- end -->\n";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PAGE)
}

/// The page before, between and after the marks.
fn parts() -> [String; 3] {
    let text = std::fs::read_to_string(file()).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{PAGE}: no line {BEGIN}"));
    let (table, after) = rest.split_once(END).unwrap_or_else(|| panic!("{PAGE}: no line {END}"));
    [before, table, after].map(str::to_owned)
}

/// What stands between the marks.
pub(crate) fn read() -> String {
    let [_, table, _] = parts();
    table
}

pub(crate) fn write(table: &str) {
    let [before, _, after] = parts();
    std::fs::write(file(), [&before, BEGIN, table, END, &after].concat()).unwrap();
}

/// What all pairs are played with.
pub(crate) fn programs() -> String {
    let version = |tool: Tool, args: &[&str]| versions::of_tool(tool, args).unwrap_or_default();
    format!(
        "cni-steward {}, etcd {}, kubectl {}",
        env!("CARGO_PKG_VERSION"),
        version(Tool::Etcd, &["--version"]),
        version(Tool::Kubectl, &["version", "--client"]),
    )
}

/// What stands between the marks after a run of all pairs.
pub(crate) fn render(line: &str, results: &[(Pair, Seen)]) -> String {
    let version = |tool: Tool, args: &[&str]| versions::of_tool(tool, args).unwrap_or_default();
    let mut text = format!("{line}\n\n| Kubernetes |");
    for helm in Helm::ALL {
        text += &format!(" Helm {} |", version(helm.tool(), &["version", "--short"]));
    }
    text += &format!("\n|---|{}\n", "---|".repeat(Helm::ALL.len()));
    for row in Version::ALL {
        text += &format!("| {} |", version(row.server(), &["--version"]));
        for (pair, seen) in results.iter().filter(|(pair, _)| pair.version == row) {
            let told: Vec<String> =
                PARTS.into_iter().zip(seen).map(|(part, seen)| pair.told(part, seen)).collect();
            text += &format!(" {} |", told.join(", "));
        }
        text.push('\n');
    }
    format!("{text}\n{}", limits::notes())
}

/// In what the table is not of this matrix: pairs that are missing or failed, notes that are others.
pub(crate) fn problems(table: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    for version in Version::ALL {
        let start = format!("| {}.", version.minor());
        let Some(row) = table.lines().find(|line| line.starts_with(&start)) else {
            problems.push(format!("no row for Kubernetes {}", version.minor()));
            continue;
        };
        // Before the first and after the last bar there is nothing.
        let row = cells(row);
        let told = row.get(2..row.len() - 1).unwrap_or_default();
        if told.len() != Helm::ALL.len() || told.iter().any(|cell| cell.is_empty() || cell.contains("failed"))
        {
            problems.push(format!("Kubernetes {}: {}", version.minor(), told.join(" | ")));
        }
    }
    if !table.ends_with(&limits::notes()) {
        problems.push("the notes under the table are not those of tests/matrix/limits.rs".to_owned());
    }
    problems
}
