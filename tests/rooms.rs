//! The house keeps its rooms: pure rooms import no I/O, no clock and no environment, and no file grows into two ideas.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

use std::path::{Path, PathBuf};

const PURE: &[&str] = &[
    "policy",
    "adopt",
    "cluster/intent",
    "cluster/inventory/installation",
    "cluster/inventory/network",
    "cluster/inventory/node",
    "cluster/inventory/orphan",
    "cluster/inventory/release",
    "cluster/inventory/target",
    "fields",
    "pki",
    "admission",
    "acceptance",
    "audit",
    "layout",
    "findings",
    "leader/claim",
    "purge",
    "reconcile/contest",
    "reconcile/pace",
    "reconcile/plan",
    "reconcile/step",
    "reconcile/wanted",
    "undo",
    "trust/fight",
    "trust/rendered",
];

/// What a pure room may not name, and what it would be for.
const FORBIDDEN: [(&str, &str); 14] = [
    ("tokio", "tasks and I/O"),
    ("hyper", "I/O"),
    ("axum", "HTTP"),
    ("kube::", "the API server"),
    ("std::fs", "files"),
    ("std::net", "sockets"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::io", "I/O"),
    ("Timestamp::now", "the clock"),
    ("SystemTime", "the clock"),
    ("Instant::", "the clock"),
    ("crate::telemetry", "logs, metrics and the clock"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn source() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    found.sort();
    assert!(found.len() > 30, "the source was not found");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().display().to_string();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The program's own lines: no comments, and nothing from the unit tests at the end of a file on.
fn program(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

fn breaches(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in program(text) {
        for (word, purpose) in FORBIDDEN {
            if line.contains(word) {
                found.push(format!("src/{name}:{number} uses {word} ({purpose}): {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn pure_rooms_import_no_io_no_clock_and_no_environment() {
    let found: Vec<String> = source()
        .iter()
        .filter(|(name, _)| {
            PURE.iter().any(|room| name.strip_prefix(room).is_some_and(|rest| rest.starts_with(['/', '.'])))
                && !name.ends_with("tests.rs")
        })
        .flat_map(|(name, text)| breaches(name, text))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn this_test_sees_a_breach() {
    assert_eq!(breaches("policy/x.rs", "use std::fs;\n// std::fs\n#[cfg(test)]\nuse std::fs;\n").len(), 1);
}

/// What decides is a package, so that the compiler holds it too.
#[test]
fn what_decides_depends_on_nothing_that_reaches_outside() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("verdict/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = rest.split_once("\n[").unwrap();
    let names: Vec<&str> =
        dependencies.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    let allowed = ["base64", "jiff", "ring", "serde", "serde-saphyr", "serde_json", "thiserror", "wide"];
    assert_eq!(names, allowed);
}

#[test]
fn only_one_place_reads_the_clock() {
    let found: Vec<String> = source()
        .iter()
        .filter(|(name, _)| name != "telemetry/clock.rs")
        .flat_map(|(name, text)| {
            program(text)
                .filter(|(_, line)| line.contains("Timestamp::now") || line.contains("SystemTime::now"))
                .map(|(number, _)| format!("src/{name}:{number}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Who may make a right to write: `leader` by the Lease, `cli` for a person. The type's own file defines it.
#[test]
fn the_right_to_write_is_made_in_two_rooms_only() {
    let makers = [("Leading::begin", "leader/"), ("Writer::operator", "cli/"), ("Self::operator", "-")];
    let found: Vec<String> = source()
        .iter()
        .flat_map(|(name, text)| program(text).map(move |(number, line)| (name, number, line)))
        .filter(|(name, _, line)| {
            makers.iter().any(|(maker, room)| line.contains(maker) && !name.starts_with(room))
        })
        .map(|(name, number, line)| format!("src/{name}:{number}: {}", line.trim()))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_file_holds_more_than_300_lines_of_program() {
    let long: Vec<String> = source()
        .iter()
        .map(|(name, text)| (name, text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()))
        .filter(|(_, lines)| *lines > 300)
        .map(|(name, lines)| format!("src/{name} has {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn the_entry_point_stays_small() {
    let (_, text) = source().into_iter().find(|(name, _)| name == "main.rs").unwrap();
    assert!(text.lines().count() <= 40, "main.rs has {} lines", text.lines().count());
}
