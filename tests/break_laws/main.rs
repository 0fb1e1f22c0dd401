//! Each law is broken on purpose, and a test has to notice.
//!
//! `make test` looks only whether the breaks still fit the source and the page tells of each; `make break-laws` makes them, one after the
//! other, in a copy of the project under `target/`, and writes docs/laws.md's table. `CNI_STEWARD_LAW=9` makes one law's only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/marked.rs"]
mod marked;
#[path = "../support/named.rs"]
mod named;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use marked::Marked;

const BREAKS: &str = include_str!("breaks.txt");
const PAGE: &str = "docs/laws.md";
const TABLE: Marked =
    Marked { page: PAGE, begin: "<!-- broken on purpose: written by `make break-laws` -->\n" };
const HEAD: &str = "| law | what was broken | what failed |\n|---|---|---|\n";
const LAWS: u32 = 12;
/// As many failed tests are named.
const NAMED: usize = 3;

/// One way to break a law.
#[derive(Debug, Clone)]
struct Break {
    law: u32,
    what: String,
    /// `TARGET` or `TARGET:FILTER`.
    tests: Vec<String>,
    /// File, lines that go, lines that come.
    edits: Vec<(String, String, String)>,
}

fn breaks() -> Vec<Break> {
    let mut all: Vec<Break> = Vec::new();
    for line in BREAKS.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            let (law, what) = title.split_once(": ").unwrap();
            let (law, what) = (law.parse().unwrap(), what.to_owned());
            all.push(Break { law, what, tests: Vec::new(), edits: Vec::new() });
            continue;
        }
        // What stands before the first one is for people.
        let Some(last) = all.last_mut() else { continue };
        if let Some(tests) = line.strip_prefix("tests: ") {
            last.tests = tests.split(' ').map(str::to_owned).collect();
        } else if let Some(gone) = line.strip_prefix('-') {
            // Lines that go after others have come are another place of the same file.
            let (file, _, new) = last.edits.last().unwrap().clone();
            if !new.is_empty() {
                last.edits.push((file, String::new(), String::new()));
            }
            let edit = last.edits.last_mut().unwrap();
            edit.1.extend([gone, "\n"]);
        } else if let Some(come) = line.strip_prefix('+') {
            last.edits.last_mut().unwrap().2.extend([come, "\n"]);
        } else if !line.is_empty() {
            last.edits.push((line.to_owned(), String::new(), String::new()));
        }
    }
    all
}

impl Break {
    /// The files as they are once it is made.
    fn made(&self, root: &Path) -> Result<BTreeMap<String, String>, String> {
        let mut files = BTreeMap::new();
        for (file, gone, come) in &self.edits {
            let read =
                || std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"));
            let text = files.remove(file).map_or_else(read, Ok)?;
            let places = text.matches(gone.as_str()).count();
            if places != 1 || gone.is_empty() {
                let what = &self.what;
                return Err(format!(
                    "law {}, {what}: in {file} this stands {places} times, not once:\n{gone}",
                    self.law
                ));
            }
            files.insert(file.clone(), text.replacen(gone, come, 1));
        }
        Ok(files)
    }

    fn row(&self, failed: &[String]) -> String {
        let named: Vec<String> = failed.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        let more = failed.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{}{more} |", self.start(), named.join(", "))
    }

    fn start(&self) -> String {
        format!("| {} | {} | ", self.law, self.what)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_law_has_a_break_that_fits_the_source() {
    let breaks = breaks();
    let problems: Vec<String> = breaks.iter().filter_map(|one| one.made(root()).err()).collect();
    assert!(
        problems.is_empty(),
        "tests/break_laws/breaks.txt is to be brought up to date:\n{}",
        problems.join("\n")
    );
    let [before, _, _] = TABLE.parts();
    for law in 1..=LAWS {
        assert!(
            breaks.iter().any(|one| one.law == law && !one.tests.is_empty()),
            "law {law} is never broken"
        );
        assert!(before.lines().any(|line| line.starts_with(&format!("{law}. "))), "{PAGE} has no law {law}");
    }
}

#[test]
fn the_page_tells_which_test_noticed_each_break() {
    let [_, table, _] = TABLE.parts();
    let rows: Vec<&str> = table.lines().skip(2).collect();
    let breaks = breaks();
    for one in &breaks {
        let start = one.start();
        let row = rows.iter().find_map(|row| row.strip_prefix(&*start));
        let row = row.unwrap_or_else(|| panic!("{PAGE} has no row {start:?}; run `make break-laws`"));
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test noticed: {start}");
        for test in tests {
            named::find(test).unwrap_or_else(|why| panic!("{PAGE}: {start}: {why}"));
        }
    }
    assert_eq!(rows.len(), breaks.len(), "{PAGE} tells of breaks that there are not; run `make break-laws`");
}

/// A copy of the project, in which files keep their times as long as they do not change.
struct Copy {
    root: PathBuf,
    build: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = root().join("target/break-laws");
        let copy = Self { root: folder.join("tree"), build: folder.join("build") };
        let list =
            Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(root()).output();
        let list = String::from_utf8(list.expect("git, to list the project's files").stdout).unwrap();
        assert!(list.lines().count() > 100, "git lists no files here");
        for file in list.lines().filter(|file| root().join(file).is_file()) {
            let (from, to) = (root().join(file), copy.root.join(file));
            if std::fs::read(&to).ok() != std::fs::read(&from).ok() {
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(&from, &to).unwrap();
            }
        }
        copy
    }

    /// The tests that fail among those that a break names.
    fn failed(&self, tests: &[String]) -> Result<Vec<String>, String> {
        let mut failed = Vec::new();
        for test in tests {
            let (target, filter) = test.split_once(':').unwrap_or((test, ""));
            let mut command = match target {
                "chart" => Command::new("tests/chart.sh"),
                _ => Command::new(env!("CARGO")),
            };
            match target {
                "chart" => &mut command,
                "lib" => command.args(["test", "--locked", "-p", "cni-steward", "--lib"]),
                target => command.args(["test", "--locked", "--test", target]),
            };
            if target != "chart" {
                command.args(["--no-fail-fast", "--", filter]);
            }
            // What cargo has set for this test is about another folder.
            let own = std::env::vars_os().map(|(name, _)| name);
            for name in own.filter(|name| name.to_string_lossy().starts_with("CARGO_")) {
                if name != "CARGO_HOME" {
                    command.env_remove(name);
                }
            }
            command.env("CARGO_TARGET_DIR", &self.build).env("PROPTEST_RNG_SEED", "20260101");
            let output = command.current_dir(&self.root).output().unwrap();
            let said = [output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .concat();
            let before = failed.len();
            failed.extend(said.lines().filter_map(|line| failure(target, line)));
            if (before == failed.len()) != output.status.success() {
                return Err(format!("{test} ended with {}, and no test is named:\n{said}", output.status));
            }
        }
        Ok(failed)
    }
}

/// The name of the test that this line says has failed.
fn failure(target: &str, line: &str) -> Option<String> {
    if target == "chart" {
        return Some(format!("chart: {}", line.strip_prefix("\t- ")?));
    }
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.trim_end().trim_end_matches(" - should panic");
    result.starts_with("FAILED").then(|| format!("{target}::{name}"))
}

#[test]
#[ignore = "builds the project once for each break: `make break-laws`"]
fn each_law_is_held_by_a_test_that_fails_without_it() {
    let only: Option<u32> =
        std::env::var_os("CNI_STEWARD_LAW").map(|law| law.to_str().unwrap().parse().unwrap());
    let breaks: Vec<Break> =
        breaks().into_iter().filter(|one| only.is_none_or(|law| law == one.law)).collect();
    let copy = Copy::new();
    let mut all: Vec<String> = breaks.iter().flat_map(|one| one.tests.clone()).collect();
    all.sort_unstable();
    all.dedup();
    eprintln!("as it is: {}", all.join(" "));
    assert_eq!(
        copy.failed(&all).unwrap(),
        Vec::<String>::new(),
        "expected no failure before anything is broken"
    );

    let mut unnoticed = Vec::new();
    let mut table = HEAD.to_owned();
    for one in &breaks {
        let whole = one.edits.iter().map(|(file, ..)| file.clone());
        let whole: Vec<_> = whole.map(|file| (std::fs::read(copy.root.join(&file)).unwrap(), file)).collect();
        for (file, text) in one.made(&copy.root).unwrap() {
            std::fs::write(copy.root.join(file), text).unwrap();
        }
        let failed = copy.failed(&one.tests);
        for (text, file) in whole {
            std::fs::write(copy.root.join(file), text).unwrap();
        }
        match failed {
            Ok(failed) if !failed.is_empty() => {
                let row = one.row(&failed);
                eprintln!("{row}");
                table.extend([&*row, "\n"]);
            }
            Ok(_) => {
                unnoticed.push(format!("law {}: {}: no test of {:?} fails", one.law, one.what, one.tests));
            }
            Err(why) => unnoticed.push(format!("law {}: {}: {why}", one.law, one.what)),
        }
    }
    assert!(unnoticed.is_empty(), "\n{}\n", unnoticed.join("\n"));
    if only.is_none() {
        TABLE.write(&table);
    }
}
