//! Each direct dependency is reviewed in docs/dependencies.md, in the version that is locked, and says in ARCHITECTURE.md what it is for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = "docs/dependencies.md";
/// Our own.
const OURS: [&str; 2] = ["cni-steward", "cni-steward-verdict"];

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The names under these headings of a manifest.
fn declared(manifest: &str, is_section: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = is_section(section);
            // `[dependencies.name]`, with its keys below.
            if let Some((table, name)) = section.rsplit_once('.').filter(|(table, _)| is_section(table)) {
                panic!("[{table}.{name}]: this test reads dependencies of one line each");
            }
        } else if inside && let Some((name, _)) = line.split_once(" = ") {
            found.insert(name.trim().to_owned());
        }
    }
    found.retain(|name| !OURS.contains(&name.as_str()));
    found
}

fn in_all(is_section: impl Fn(&str) -> bool + Copy) -> BTreeSet<String> {
    declared_in(&["Cargo.toml", "verdict/Cargo.toml", "fuzz/Cargo.toml"], is_section)
}

fn declared_in(files: &[&str], is_section: impl Fn(&str) -> bool + Copy) -> BTreeSet<String> {
    files.iter().flat_map(|file| declared(&read(file), is_section)).collect()
}

/// The rows under a heading: the first column, and the others.
fn rows(heading: &str) -> BTreeMap<String, Vec<String>> {
    let text = read(PAGE);
    let (_, rest) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{PAGE}: no {heading}"));
    let table = rest.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).skip(1);
    rows.map(|row| {
        let mut cells = row.split(" | ").map(str::to_owned);
        (cells.next().unwrap(), cells.collect())
    })
    .collect()
}

/// The versions of a crate that are locked.
fn locked() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in read("Cargo.lock").split("[[package]]").skip(1) {
        let value = |key: &str| {
            let mut lines = package.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            value.unwrap().trim_matches('"').to_owned()
        };
        found.entry(value("name")).or_default().push(value("version"));
    }
    found
}

#[test]
fn every_direct_dependency_is_reviewed_and_no_other() {
    let normal = |section: &str| section.ends_with("dependencies") && !section.contains('-');
    let program = declared_in(&["Cargo.toml", "verdict/Cargo.toml"], normal);
    let tests = in_all(|section| section.ends_with("dependencies"));
    let tests = tests.difference(&program).cloned().collect();
    let locked = locked();
    for (heading, declared) in [("In the program", program), ("In the tests", tests)] {
        let rows = rows(heading);
        let reviewed: BTreeSet<String> = rows.keys().cloned().collect();
        let differs: Vec<_> = declared.symmetric_difference(&reviewed).collect();
        assert!(differs.is_empty(), "{PAGE}, {heading}: reviewed or declared alone: {differs:?}");
        assert!(declared.len() > 5, "expected dependencies in Cargo.toml, got {declared:?}");
        for (name, cells) in rows {
            assert!(
                cells.len() == 5 && cells.iter().all(|cell| !cell.trim().is_empty()),
                "{PAGE}: {name}: expected version, kept by, licence, unsafe, without it; got {cells:?}"
            );
            assert!(
                locked[&name].contains(&cells[0]),
                "{PAGE}: {name}: {} was reviewed, {:?} is locked; look at what changed, then bring the row up to date with \
                 hack/unsafe.sh",
                cells[0],
                locked[&name]
            );
        }
    }
    let build = in_all(|section| section.ends_with("build-dependencies"));
    assert!(build.is_empty(), "{PAGE} says that there are none: {build:?}");
}

#[test]
fn every_direct_dependency_says_what_it_is_for() {
    let text = read("ARCHITECTURE.md");
    let (_, table) = text.split_once("\n## Dependencies\n").unwrap();
    let named = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let named: BTreeSet<String> =
        named.flat_map(|(names, _)| names.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect();
    let declared = in_all(|section| section.ends_with("dependencies"));
    let missing: Vec<_> = declared.difference(&named).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not say what these are for: {missing:?}");
}

#[test]
fn no_code_of_ours_is_unsafe() {
    let root = read("Cargo.toml");
    let lints = root.split("[workspace.lints.rust]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(lints.contains("unsafe_code = \"forbid\""), "{lints}");
    for file in ["Cargo.toml", "verdict/Cargo.toml"] {
        assert!(
            read(file).contains("[lints]\nworkspace = true\n"),
            "{file} does not take the workspace's lints"
        );
    }
}
