//! docs/reliability.md: the table with what came of it, written from a run and read back. Whatever is not a result is the same in
//! both, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::table::{PARTS, Part, Row, Shown, rows};

/// What came of a row's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All passed.
    Held,
    /// Some were left out, since this machine lacks what they need; the others passed.
    LeftOut(Vec<String>),
    /// These failed, or did not run at all.
    Failed(Vec<String>),
}

/// A run of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// When, and with which versions.
    pub(crate) line: String,
    pub(crate) outcomes: BTreeMap<usize, Outcome>,
}

const HEAD: &str = "\
# Reliability

Written by `make reliability`; do not edit. 67 things that go wrong around an admission webhook, each made to happen by tests, with what
has to hold then and whether it did. Check it with the same command.
";

const PROMISE: &str = "\
## What we promise, and how to check it

- **What a person plans loses no review**: roll-out, node drain, a new certificate, authority or policy, a hand-over of the Lease.
  Counted by the API server itself (`fail_open_count` and `rejection_count`) and by a client that writes all the time. `make test-node`
  shows it with 10 000 reviews on two nodes, `make rotations` with 10 000 through rotations.
- **A SIGTERM that nobody announced** to Kubernetes, as by `kill` on a node: the server takes connections for 5 seconds more, and the chart's
  probes, 2 seconds apart, take it out of its Service in that time (47). A kubelet that is later than that, on an overloaded machine, may cost
  a review: with probes 5 seconds apart, as they once were, one of 800 failed open in one run and none of 13 129 in the next.
- **What comes unannounced costs no write of others**: with a replica, a node or the API server gone, writes go through, at the latest after the
  configuration's timeout (3 s). Some then fail open; what that missed is repaired. We promise no share of reviews here: it is how soon
  Kubernetes takes a lost node's endpoint away, and not ours.
- **Whatever comes in** is answered by a review, or by a 4xx with a reason, or is cut off; memory and descriptors stay bounded.

Nothing is promised about faults that meet in one place, beyond the simulated years of certificates, or about machines that lie.
What a review costs is in [performance](performance.md).
";

/// Where the page lies.
pub(crate) fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md")
}

/// The page of a run.
pub(crate) fn render(run: &Run) -> String {
    let mut page = format!("{HEAD}\n{}\n\n{}\n\n{PROMISE}", run.line, summary(run));
    for Part { heading, rule, rows } in PARTS {
        write!(page, "\n## {heading}\n\n{rule}\n\n| | fault | has to hold | result |\n|---|---|---|---|\n")
            .unwrap();
        for row in rows {
            let (fault, rule) = (escaped(row.fault), escaped(row.rule));
            let result = cell(row, run.outcomes.get(&row.number));
            writeln!(page, "| {} | {fault} | {rule} | {result} |", row.number).unwrap();
        }
        write!(page, "\n### Tests: {}\n\n", heading.to_lowercase()).unwrap();
        for row in rows {
            let tests: Vec<String> = row.proofs.iter().map(|proof| format!("`{proof}`")).collect();
            writeln!(page, "- **{}** {}", row.number, tests.join(", ")).unwrap();
        }
    }
    page
}

/// The run that a page tells of, if it has this table.
pub(crate) fn read(page: &str) -> Result<Run, String> {
    let line =
        page.lines().find(|line| line.starts_with(COMMAND)).ok_or("no line says which run it is of")?;
    let mut outcomes = BTreeMap::new();
    for text in page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        let Some(number) = text.split(" | ").next().and_then(|number| number.parse().ok()) else { continue };
        let result = text.rsplit(" | ").next().unwrap_or_default();
        if let Some(outcome) = outcome(result)
            && outcomes.insert(number, outcome).is_some()
        {
            return Err(format!("{number} stands twice"));
        }
    }
    Ok(Run { line: line.to_owned(), outcomes })
}

/// What the line of a run begins with.
pub(crate) const COMMAND: &str = "`make reliability`, ";

const FAILED: &str = "**failed**: ";
const LEFT_OUT: &str = "left out here: ";
const HELD: &str = "held";

fn cell(row: &Row, outcome: Option<&Outcome>) -> String {
    let list = |tests: &[String]| tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", ");
    match (outcome, row.shown) {
        (None, _) => "**not run**".to_owned(),
        (Some(Outcome::Failed(tests)), _) => format!("{FAILED}{}", list(tests)),
        (Some(Outcome::LeftOut(tests)), _) => format!("{LEFT_OUT}{}", list(tests)),
        (Some(Outcome::Held), Shown::Whole) => HELD.to_owned(),
        (Some(Outcome::Held), Shown::Smaller(how)) => format!("{HELD}, in a smaller form: {}", escaped(how)),
    }
}

fn outcome(cell: &str) -> Option<Outcome> {
    let list = |text: &str| text.split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
    if let Some(tests) = cell.strip_prefix(FAILED) {
        return Some(Outcome::Failed(list(tests)));
    }
    if let Some(tests) = cell.strip_prefix(LEFT_OUT) {
        return Some(Outcome::LeftOut(list(tests)));
    }
    cell.starts_with(HELD).then_some(Outcome::Held)
}

fn summary(run: &Run) -> String {
    let count = |which: &dyn Fn(&Row, Option<&Outcome>) -> bool| {
        rows().filter(|row| which(row, run.outcomes.get(&row.number))).count()
    };
    let held = |row: &Row, outcome: Option<&Outcome>, whole: bool| {
        outcome == Some(&Outcome::Held) && (row.shown == Shown::Whole) == whole
    };
    format!(
        "**Of {} faults {} held, {} held in a smaller form than the fault has, {} failed, {} were left out here.**",
        rows().count(),
        count(&|row, outcome| held(row, outcome, true)),
        count(&|row, outcome| held(row, outcome, false)),
        count(&|_, outcome| matches!(outcome, None | Some(Outcome::Failed(_)))),
        count(&|_, outcome| matches!(outcome, Some(Outcome::LeftOut(_)))),
    )
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
