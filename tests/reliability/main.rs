//! `make reliability`: runs every test that the table of faults names, and writes docs/reliability.md. Not a test itself, though it
//! fails where one of them does. `CNI_STEWARD_FAULTS=51,52` runs those of some faults anew; of the others the page keeps what it has.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a run that cannot go on shall stop, loudly"
)]

#[path = "../faults/page.rs"]
mod page;
#[path = "../support/mod.rs"]
mod support;
#[path = "../faults/table/mod.rs"]
mod table;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use page::{Outcome, Run};
use table::{Row, rows};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Passed,
    LeftOut,
    Failed,
}

/// By `target::name`.
type Ends = BTreeMap<String, End>;

fn main() {
    let begun = Instant::now();
    let chosen = chosen();
    let is_chosen = |row: &&Row| chosen.as_ref().is_none_or(|numbers| numbers.contains(&row.number));
    let proofs: BTreeSet<&str> = rows().filter(is_chosen).flat_map(|row| row.proofs).copied().collect();
    let targets: BTreeSet<&str> = proofs.iter().map(|proof| proof.split("::").next().unwrap()).collect();
    let mut ends = Ends::new();
    for target in targets {
        let prefix = format!("{target}::");
        let wanted: Vec<&str> = proofs.iter().filter_map(|proof| proof.strip_prefix(&prefix)).collect();
        ends.extend(run(target, &wanted));
    }
    let mut page = if chosen.is_some() {
        page::read(&std::fs::read_to_string(page::file()).unwrap()).unwrap()
    } else {
        let (tests, seconds) = (ends.len(), begun.elapsed().as_secs());
        let line = format!(
            "{}{}; {tests} tests in {seconds} s; {}",
            page::COMMAND,
            versions::today(),
            versions::all()
        );
        Run { line, outcomes: BTreeMap::new() }
    };
    if let Some(numbers) = &chosen {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        write!(page.line, "; {} again on {}", numbers.join(", "), versions::today()).unwrap();
    }
    page.outcomes.extend(rows().filter(is_chosen).map(|row| (row.number, outcome(row, &ends))));
    std::fs::write(page::file(), page::render(&page)).unwrap();
    let mut failed = 0;
    for (number, outcome) in &page.outcomes {
        if *outcome != Outcome::Held {
            eprintln!("{number}: {outcome:?}");
        }
        failed += usize::from(matches!(outcome, Outcome::Failed(_)));
    }
    eprintln!("wrote docs/reliability.md");
    assert!(failed == 0, "{failed} of {} faults failed", page.outcomes.len());
}

/// The faults that were asked for; all where nobody says.
fn chosen() -> Option<BTreeSet<usize>> {
    let asked = std::env::var_os("CNI_STEWARD_FAULTS")?.into_string().unwrap();
    Some(asked.split(',').map(|number| number.parse().expect("numbers of faults, such as 51,52")).collect())
}

/// All tests of one target whose names are, or begin with, one of these.
fn run(target: &str, wanted: &[&str]) -> Ends {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let test = |more: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["test", "--locked"]);
        // What cargo has told us of ourselves makes some packages build anew.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(name);
            }
        }
        match target {
            "lib" => command.args(["--package", "cni-steward", "--lib"]),
            "verdict" => command.args(["--package", "cni-steward-verdict", "--lib"]),
            _ => command.args(["--test", target]),
        };
        command.arg("--").args(more).stdin(Stdio::null());
        command
    };
    let list = test(&["--list"]).stderr(Stdio::inherit()).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let all: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let is_wanted =
        |name: &str| wanted.iter().any(|wanted| name == *wanted || name.starts_with(&format!("{wanted}::")));
    let others = all.iter().filter(|name| !is_wanted(name)).flat_map(|name| ["--skip", name]);
    let arguments: Vec<&str> = std::iter::once("--exact").chain(others).collect();

    let mut ends = Ends::new();
    let mut running = test(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(running.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((name, end)) = end(&line) {
            eprintln!("{target}::{name}: {end:?}");
            ends.insert(format!("{target}::{name}"), end);
        } else {
            println!("{line}");
        }
    }
    running.wait().unwrap();
    ends
}

/// What a line of the test's output says, as Rust's own harness and libtest-mimic write it.
fn end(line: &str) -> Option<(&str, End)> {
    let (name, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let end = match end.split([',', ' ']).next()? {
        "ok" => End::Passed,
        "ignored" => End::LeftOut,
        "FAILED" => End::Failed,
        _ => return None,
    };
    Some((name.trim(), end))
}

fn outcome(row: &Row, ends: &Ends) -> Outcome {
    let of = |proof: &str| {
        let cases = format!("{proof}::");
        // Of a table of cases the worst counts. What did not run has failed.
        let mut ends =
            ends.iter().filter(|(name, _)| *name == proof || name.starts_with(&cases)).map(|(_, end)| *end);
        let first = ends.next().unwrap_or(End::Failed);
        ends.fold(first, End::max)
    };
    let which = |end: End| -> Vec<String> {
        row.proofs.iter().filter(|proof| of(proof) == end).map(|proof| (*proof).to_owned()).collect()
    };
    match (which(End::Failed), which(End::LeftOut)) {
        (failed, _) if !failed.is_empty() => Outcome::Failed(failed),
        (_, left_out) if !left_out.is_empty() => Outcome::LeftOut(left_out),
        _ => Outcome::Held,
    }
}
