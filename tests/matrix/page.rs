//! docs/compatibility.md: the table of a run.

use crate::limits;
use crate::marked::Marked;
use crate::pair::{PARTS, Pair, Seen};
use crate::support::tools::Tool;
use crate::support::versions::{Helm, Version};
use crate::versions;

pub(crate) const TABLE: Marked =
    Marked { page: "docs/compatibility.md", begin: "<!-- written by `make matrix` -->\n" };

/// What the pairs are played with.
fn programs() -> String {
    format!(
        "cni-steward {}, etcd {}, kubectl {}",
        env!("CARGO_PKG_VERSION"),
        version(Tool::Etcd, &["--version"]),
        version(Tool::Kubectl, &["version", "--client"]),
    )
}

fn version(tool: Tool, args: &[&str]) -> String {
    versions::of_tool(tool, args).unwrap_or_default()
}

/// What stands between the marks after a run. Rows that were not played stay as they were, if they were played with the same Helms.
pub(crate) fn render(before: &str, seconds: u64, results: &[(Pair, Seen)]) -> String {
    let helms = Helm::ALL.map(|helm| format!("Helm {}", version(helm.tool(), &["version", "--short"])));
    let head = format!("| Kubernetes | {} | played |", helms.join(" | "));
    let before = if before.contains(&head) { before } else { "" };
    let rows = Version::ALL.map(|row| {
        let played: Vec<_> = results.iter().filter(|(pair, _)| pair.version == row).collect();
        if played.is_empty() {
            return row_of(before, row).unwrap_or_default().to_owned();
        }
        let cells = played.iter().map(|(pair, seen)| {
            let told = PARTS.into_iter().zip(seen).map(|(part, seen)| pair.told(part, seen));
            told.collect::<Vec<_>>().join(", ")
        });
        let cells = cells.collect::<Vec<_>>().join(" | ");
        format!("| {} | {cells} | {} |", version(row.server(), &["--version"]), versions::today())
    });
    let rows: Vec<String> = rows.into_iter().filter(|row| !row.is_empty()).collect();
    format!(
        "`make matrix`, last on {}: {} of {} pairs in {seconds} s; {}\n\n{head}\n|---|{}\n{}\n\n{}",
        versions::today(),
        results.len(),
        Version::ALL.len() * Helm::ALL.len(),
        programs(),
        "---|".repeat(helms.len() + 1),
        rows.join("\n"),
        limits::notes(),
    )
}

fn row_of(table: &str, version: Version) -> Option<&str> {
    let start = format!("| {}.", version.minor());
    table.lines().find(|line| line.starts_with(&start))
}

/// In what the table is not of this matrix: pairs that are missing or failed, notes that are others.
pub(crate) fn problems(table: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    for version in Version::ALL {
        let Some(row) = row_of(table, version) else {
            problems.push(format!("no row for Kubernetes {}", version.minor()));
            continue;
        };
        // Before the first and after the last bar there is nothing; in the first column the version, in the last the day.
        let row = cells(row);
        let told = row.get(2..row.len() - 2).unwrap_or_default();
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
