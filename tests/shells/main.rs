//! What people's shells make of the program: completions in real bash, zsh and fish, pipes that close, terminals of any width.

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

mod completion;
mod man;
mod terminal;

use support::suite::Suite;

fn main() {
    let cases = [completion::CASES, man::CASES, terminal::CASES].concat();
    Suite { name: "shells", word: "shells", lacks: None, threads: 2, how: |case| (case.run)() }.run(&cases);
}
