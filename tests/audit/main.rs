//! What an audit says, as text, JSON, CSV and a page; `tests/cluster/audit.rs` shows where it has it from.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod fleet;
mod page;
mod told;

use support::suite::Suite;

fn main() {
    let cases = [told::CASES, page::CASES].concat();
    Suite { name: "audit", word: "browser", lacks: None, threads: 2, how: |case| (case.run)() }.run(&cases);
}
