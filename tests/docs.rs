//! The pages hold together: every command is tested or says why not, every link leads somewhere, and every page is in the book.
//!
//! What needs no other program is looked at here; `tests/cluster/docs.rs` runs the rest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "support/book.rs"]
mod book;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use book::{Class, Page, flags, flags_in, pages, prose, root, simple_commands, spans};
use cni_steward::policy::Policy;

/// The book's list of pages.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Expects no complaint; each names page and line.
#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_block_of_commands_says_how_it_is_tested() {
    let mut complaints = Vec::new();
    let mut classes = BTreeMap::<&str, usize>::new();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.has_commands()) {
            match block.class() {
                Err(why) => complaints.push(format!("{}:{}: {why}", page.name, block.line)),
                Ok(class) => {
                    let word = match class {
                        Class::Run(_) => "run",
                        Class::Syntax(_) => "syntax",
                        Class::Needs(_) => "needs",
                    };
                    *classes.entry(word).or_default() += block.commands().len();
                }
            }
            if block.commands().is_empty() {
                complaints.push(format!("{}:{}: no command in this block", page.name, block.line));
            }
        }
    }
    none(&complaints);
    assert!(classes["run"] > classes["needs"], "expected most commands to be run, got {classes:?}");
}

#[test]
fn a_stage_is_set_where_commands_are_run_and_nowhere_else() {
    let mut complaints = Vec::new();
    for page in pages() {
        let runs = page.blocks.iter().any(|block| matches!(block.class(), Ok(Class::Run(_))));
        let staged = !book::stages(&page).is_empty();
        if runs != staged {
            complaints.push(format!("{}: has blocks that are run: {runs}; has a stage: {staged}", page.name));
        }
    }
    none(&complaints);
}

#[test]
fn our_own_commands_and_flags_exist() {
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (place, words) in every_command(&["cni-steward", "kubectl"]) {
        // As a plugin of kubectl.
        let words = match words[0].as_str() {
            "kubectl" if words.get(1).is_some_and(|word| word == "cni-steward") => &words[1..],
            "kubectl" => continue,
            _ => &words[..],
        };
        seen += 1;
        let Some(command) = words.get(1).filter(|word| !word.starts_with('-')) else { continue };
        let path = match (command.as_str(), words.get(2)) {
            ("export", Some(what)) => format!("export {what}"),
            _ => command.clone(),
        };
        let help = known.entry(path.clone()).or_insert_with(|| help(&path));
        let Some(help) = help else {
            complaints.push(format!("{place}: there is no command {path:?}"));
            continue;
        };
        let there = flags_in(help);
        let missing = flags(words).into_iter().filter(|flag| !there.contains(flag));
        complaints.extend(missing.map(|flag| format!("{place}: cni-steward {path} has no {flag}")));
    }
    none(&complaints);
    assert!(seen > 20, "expected commands of ours on the pages, got {seen}");
}

/// What `--help` prints; none if there is no such command.
fn help(path: &str) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_cni-steward")).args(path.split(' ')).arg("--help").output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Each command of these programs in blocks and between backticks, with its place.
fn every_command(programs: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for page in pages() {
        let blocks = page.blocks.iter().filter(|block| block.has_commands());
        let commands = blocks.flat_map(book::Block::commands).map(|command| (command.line, command.text));
        for (line, text) in commands.chain(spans(&page)) {
            for words in simple_commands(&text) {
                if words.len() > 1 && programs.contains(&words[0].as_str()) {
                    all.push((format!("{}:{line}", page.name), words));
                }
            }
        }
    }
    all
}

#[test]
fn what_make_is_asked_for_can_be_made() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', ' ', '#', '.']))
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target)
        .collect();
    let mut complaints = Vec::new();
    for (place, words) in every_command(&["make"]) {
        let asked = words
            .iter()
            .skip(1)
            .filter(|word| !word.contains('=') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        complaints.extend(
            asked.filter(|word| !targets.contains(word.as_str())).map(|word| format!("{place}: make {word}")),
        );
    }
    none(&complaints);
}

#[test]
fn every_policy_on_a_page_is_one_that_the_program_takes() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "yaml") {
            let text = block.lines.join("\n");
            let is_policy =
                text.contains("kind: Policy\n") || text.lines().any(|line| line.starts_with("mode: "));
            if is_policy {
                seen += 1;
                if let Err(error) = Policy::parse(&page.name, &text) {
                    complaints.push(format!("{}:{}: {error}", page.name, block.line));
                }
            } else if let Err(error) = serde_saphyr::from_multiple::<serde_json::Value>(&text) {
                complaints.push(format!("{}:{}: {error}", page.name, block.line));
            }
        }
    }
    none(&complaints);
    assert!(seen > 3, "expected policies on the pages, got {seen}");
}

/// The anchor that GitHub and mdBook make of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let headings = prose(page);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Each link of the prose: line and target.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (index, line) in prose(page).lines().enumerate() {
        // A link is not in backticks.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in line.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                links.push((index + 1, target.to_owned()));
            }
        }
    }
    links
}

#[test]
fn every_link_leads_somewhere() {
    let more = ["CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "tests/control-plane/README.md"];
    let pages = [pages(), more.map(book::page).into()].concat();
    let mut complaints = Vec::new();
    let mut seen = 0;
    for page in &pages {
        for (line, target) in links(page) {
            seen += 1;
            if let Err(why) = leads_somewhere(page, &target) {
                complaints.push(format!("{}:{line}: link {target}: {why}", page.name));
            }
        }
    }
    none(&complaints);
    assert!(seen > 50, "expected links on the pages, got {seen}");
}

fn leads_somewhere(page: &Page, target: &str) -> Result<(), String> {
    if target.contains("://") {
        let form = target.starts_with("https://") && !target.contains(' ') && target.len() > 12;
        return form.then_some(()).ok_or_else(|| "an address has to begin with https://".into());
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if file.is_empty() { page.name.clone() } else { joined(folder, file)? };
    if page.name.starts_with("docs/") && !path.starts_with("docs/") {
        return Err("a page of the book cannot link out of docs/; name the file instead".into());
    }
    if !root().join(&path).exists() {
        return Err(format!("there is no {path}"));
    }
    if !fragment.is_empty() && !anchors(&book::page(&path)).contains(fragment) {
        return Err(format!("{path} has no heading for #{fragment}: {:?}", anchors(&book::page(&path))));
    }
    Ok(())
}

fn joined(folder: &str, file: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop().ok_or("leads out of the project")?),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[test]
fn files_that_the_pages_name_exist() {
    let mut complaints = Vec::new();
    for page in pages() {
        for (line, span) in spans(&page) {
            let is_path = ["docs/", "examples/", "charts/", "certs/", "tests/", "src/"]
                .iter()
                .any(|folder| span.starts_with(folder));
            let file = span.split([' ', ':', '#', '*']).next().unwrap_or_default();
            if is_path && !root().join(file).exists() {
                complaints.push(format!("{}:{line}: there is no {file}", page.name));
            }
        }
    }
    none(&complaints);
}

#[test]
fn the_book_has_every_page_once() {
    let summary = book::page(SUMMARY);
    let mut listed: Vec<String> =
        links(&summary).into_iter().map(|(_, target)| format!("docs/{target}")).collect();
    let all = pages().into_iter().map(|page| page.name);
    let mut wanted: Vec<String> = all.filter(|name| name.starts_with("docs/") && name != SUMMARY).collect();
    listed.sort();
    wanted.sort();
    assert_eq!(listed, wanted, "{SUMMARY}");
}

#[test]
fn every_page_begins_with_a_title_and_is_short() {
    // Tables that are read by key, not from top to bottom.
    let long = [
        "docs/performance.md",
        "docs/reliability.md",
        "docs/metrics.md",
        "docs/codes.md",
        "charts/cni-steward/README.md",
    ];
    let mut complaints = Vec::new();
    for page in pages() {
        let lines = page.text.lines().count();
        if !page.text.starts_with("# ") {
            complaints.push(format!("{}:1: expected a title", page.name));
        }
        if lines > 180 && !long.contains(&page.name.as_str()) {
            complaints
                .push(format!("{}: {lines} lines, which nobody reads; expected 180 at most", page.name));
        }
    }
    none(&complaints);
}

#[test]
fn the_reader_of_pages_sees_what_is_there() {
    let words = |line: &str| simple_commands(line).iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(
        words("A=1 helm template 'a b' \\\n  -n x >f.yaml && kubectl get ds -o name | grep \"a|b\"  # why"),
        ["helm template a b -n x", "kubectl get ds -o name", "grep a|b"]
    );
    assert_eq!(
        words("kubectl annotate ds x=$(date -u -d '+1 hour' +%FT%TZ)"),
        ["date -u -d +1 hour +%FT%TZ", "kubectl annotate ds x=SUBSTITUTED"]
    );
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(book::is_shown(&lines("a … c\n…\ne"), "a b c\nx\ne\n").is_ok());
    assert!(book::is_shown(&lines("a … c"), "a b c d").is_err());
    assert!(book::is_shown(&lines("e\na"), "a\ne").is_err());
    assert_eq!(anchor(" What `adopt` does, and why"), "what-adopt-does-and-why");
}
