//! All 67 faults that a server like ours has to survive: what happens, what we have to do then, and which tests show that we do.
//!
//! A test is named by its target (`lib` and `verdict` are the two libraries' own) and the name that `cargo test` prints; a table of
//! cases (`…::case_1`) by the name they have in common.

mod certificates;
mod input;
mod processes;
mod transport;

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: usize,
    /// What happens, in one line.
    pub(crate) fault: &'static str,
    /// What has to hold then.
    pub(crate) rule: &'static str,
    pub(crate) shown: Shown,
    /// The tests; each has to pass.
    pub(crate) proofs: &'static [&'static str],
}

/// How much of a fault its tests make happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All of it.
    Whole,
    /// Less of it than the fault says; what, and why no more.
    Smaller(&'static str),
}

/// A part of the list with its heading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) heading: &'static str,
    /// What holds for every fault of this part.
    pub(crate) rule: &'static str,
    pub(crate) rows: &'static [Row],
}

/// The whole list, in order.
pub(crate) const PARTS: [Part; 4] = [input::PART, transport::PART, certificates::PART, processes::PART];

/// Every row.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    PARTS.iter().flat_map(|part| part.rows)
}

const fn row(number: usize, fault: &'static str, rule: &'static str, proofs: &'static [&'static str]) -> Row {
    Row { number, fault, rule, shown: Shown::Whole, proofs }
}

impl Row {
    /// The same, but less of it than the fault says.
    const fn smaller(mut self, how: &'static str) -> Self {
        self.shown = Shown::Smaller(how);
        self
    }
}
