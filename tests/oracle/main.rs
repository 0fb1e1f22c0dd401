//! Field ownership held against Go itself: the API server's own code, asked line by line.
//!
//! `make test` asks enough to notice a mistake, `make oracle` a hundred times as much. How much, and from which seed, is
//! set by `CNI_STEWARD_ORACLE_PAIRS`, `CNI_STEWARD_ORACLE_SEQUENCES` and `CNI_STEWARD_ORACLE_SEED`; a failure names
//! the seed that shows it alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod ask;
mod laws;
mod manifest;
mod policies;
mod random;
mod sets;
mod story;
mod writes;

use support::suite;

fn main() {
    suite::run("oracle", &[sets::CASES, writes::CASES].concat());
}
