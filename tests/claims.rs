//! The security model promises nothing without a test: each claim has a number, each number tests, and each test is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "support/named.rs"]
mod named;

use std::collections::BTreeMap;

const PAGE: &str = "docs/security-model.md";
/// From here on the page lists tests.
const TABLE: &str = "\n## How each claim is shown\n";

fn page() -> (String, String) {
    let text = std::fs::read_to_string(format!("{}/{PAGE}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (claims, table) = text.split_once(TABLE).unwrap_or_else(|| panic!("{PAGE}: no heading {TABLE:?}"));
    (claims.to_owned(), table.to_owned())
}

/// The numbers in a text: `[S12]`.
fn numbers(text: &str) -> Vec<u32> {
    let ends = text.split("[S").skip(1).filter_map(|rest| rest.split_once(']'));
    ends.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// What promises something, with its line: each item, each row of a table and each paragraph under a heading.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut under_heading = false;
    let mut goes_on = false;
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        under_heading |= line.starts_with("## ");
        let rule = |line: &&&str| line.starts_with("|---");
        let is_head = line.starts_with('|') && lines.get(at + 1).iter().any(rule);
        if line.is_empty() || line.starts_with('#') || !under_heading || is_head || rule(&line) {
            goes_on = false;
        } else if goes_on && !line.starts_with("- ") && !line.starts_with('|') {
            let block = &mut blocks.last_mut().unwrap().1;
            block.push('\n');
            block.push_str(line);
        } else {
            blocks.push((at + 1, (*line).to_owned()));
            goes_on = true;
        }
    }
    blocks
}

/// The tests of each number.
fn tests(table: &str) -> BTreeMap<u32, Vec<String>> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| S")?.split_once(" | "));
    rows.map(|(number, tests)| {
        let names = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (number.parse().unwrap(), names)
    })
    .collect()
}

#[test]
fn every_sentence_that_promises_something_has_a_number() {
    let (claims, _) = page();
    let blocks = blocks(&claims);
    // Before a list or a table stands what it is about.
    let introduces = |text: &str| text.ends_with(':');
    let bare: Vec<_> = blocks
        .iter()
        .filter(|(_, text)| numbers(text).is_empty() && !introduces(text))
        .map(|(line, text)| format!("{PAGE}:{line}: no number: {text}"))
        .collect();
    assert!(bare.is_empty(), "\n{}\n", bare.join("\n"));
    assert!(blocks.len() > 40, "expected claims on {PAGE}, got {}", blocks.len());
}

#[test]
fn every_number_has_tests_and_every_test_exists() {
    let (claims, table) = page();
    let tests = tests(&table);
    let mut claimed = numbers(&claims);
    claimed.sort_unstable();
    claimed.dedup();
    let listed: Vec<u32> = tests.keys().copied().collect();
    assert_eq!(claimed, listed, "numbers of claims, and of tests");
    let mut missing = Vec::new();
    for (number, names) in &tests {
        assert!(!names.is_empty(), "{PAGE}: no test for S{number}");
        missing.extend(
            names.iter().filter_map(|name| named::find(name).err()).map(|why| format!("S{number}: {why}")),
        );
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

#[test]
fn a_claim_without_a_number_and_a_test_that_is_not_there_are_seen() {
    let text = "# A\n\nIntro.\n\n## B\n\nOne. [S1]\nMore.\n\n- two\n- three [S2] [S3]\n\n| a | b |\n|---|---|\n| c [S4] | d |\n";
    let seen: Vec<_> = blocks(text).into_iter().map(|(line, text)| (line, numbers(&text))).collect();
    assert_eq!(seen, [(7, vec![1]), (10, vec![]), (11, vec![2, 3]), (15, vec![4])]);
    assert!(named::find("claims::a_claim_without_a_number_and_a_test_that_is_not_there_are_seen").is_ok());
    assert!(
        named::find(
            "server::flood::good_reviews_are_answered_in_time_and_memory_is_bounded_whatever_others_do"
        )
        .is_ok()
    );
    for name in [
        "claims::numbers",
        "server::tls::good_reviews",
        "lib::policy::tests::none",
        "chart: has wings",
        "none",
    ] {
        assert!(named::find(name).is_err(), "{name} was found");
    }
}
