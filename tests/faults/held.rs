//! The table is true: it is whole, its tests exist, and the page says the same and tells of a run without a failure.

use std::collections::BTreeSet;

use crate::named;
use crate::page::{self, Outcome, Run};
use crate::support::suite::Case;
use crate::table::{Row, Shown, rows};

pub(crate) const CASES: &[Case] = &[
    Case { name: "held::the_table_has_each_of_the_67_faults_once_and_in_order", needs: &[], run: whole },
    Case { name: "held::every_test_that_the_table_names_exists", needs: &[], run: exist },
    Case { name: "held::a_test_with_a_faults_number_is_in_its_row", needs: &[], run: numbered },
    Case {
        name: "held::the_page_is_of_this_table_and_of_a_run_without_a_failure",
        needs: &[],
        run: committed,
    },
    Case { name: "held::what_is_written_to_a_page_is_read_from_it", needs: &[], run: there_and_back },
];

fn whole() {
    let numbers: Vec<usize> = rows().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=67).collect::<Vec<_>>());
    for Row { number, fault, rule, shown, proofs } in rows() {
        assert!(!fault.is_empty() && !rule.is_empty(), "{number} says what happens and what has to hold");
        assert!(!proofs.is_empty(), "{number} has a test");
        assert!(!matches!(shown, Shown::Smaller("")), "{number} says what is smaller");
    }
}

fn exist() {
    let missing: Vec<&str> =
        rows().flat_map(|row| row.proofs).copied().filter(|proof| named::find(proof).is_err()).collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
    assert!(named::find("lib::pki::tests::nobody_wrote_this").is_err(), "this test sees what is missing");
    assert!(
        named::find("server::body::pipelined_requests_are_answered_in_order").is_err(),
        "it stands in another module"
    );
}

/// A test whose name begins with the number of a fault is one of the tests of that fault.
fn numbered() {
    let named: BTreeSet<(usize, &str)> =
        rows().flat_map(|row| row.proofs.iter().map(|proof| (row.number, *proof))).collect();
    let mut seen = 0;
    for file in named::homes().iter().flat_map(|home| named::files(home, "rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let Some(rest) = word.strip_prefix("fault_") else { continue };
            let Some(number) = rest.split('_').next().and_then(|number| number.parse::<usize>().ok()) else {
                continue;
            };
            seen += 1;
            assert!(
                named.iter().any(|(row, proof)| *row == number && proof.ends_with(word)),
                "{}: {word} is not among the tests of {number}",
                file.display()
            );
        }
    }
    assert!(seen > 20, "expected numbered tests, saw {seen}");
}

fn committed() {
    let text = std::fs::read_to_string(page::file()).unwrap();
    let run = page::read(&text).unwrap_or_else(|error| panic!("docs/reliability.md: {error}"));
    for row in rows() {
        let outcome = run.outcomes.get(&row.number);
        let holds = matches!(outcome, Some(Outcome::Held | Outcome::LeftOut(_)));
        assert!(
            holds,
            "docs/reliability.md: {} is {outcome:?}; `make reliability` runs it again",
            row.number
        );
    }
    let expected = page::render(&run);
    let differs = text.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "docs/reliability.md is of another table; `make reliability` writes it");
    assert_eq!(text, expected, "docs/reliability.md is of another table; `make reliability` writes it");
}

fn there_and_back() {
    let mut run = Run {
        line: format!("{}some day", page::COMMAND),
        outcomes: rows().map(|row| (row.number, Outcome::Held)).collect(),
    };
    let tests = vec!["server::one".to_owned(), "server::two".to_owned()];
    run.outcomes.insert(3, Outcome::Failed(tests.clone()));
    run.outcomes.insert(5, Outcome::LeftOut(tests));
    run.outcomes.remove(&7);
    assert_eq!(page::read(&page::render(&run)), Ok(run));
}
