//! The 67 faults of docs/reliability.md: a table of them all ([`table`]), checks that hold it true ([`held`]), and the tests of
//! those that no other target has. `make reliability` runs every test that the table names and writes the page.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/named.rs"]
mod named;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod disk;
mod held;
mod page;
mod peers;
mod place;
mod soak;
mod starved;
mod table;

use support::suite;

fn main() {
    let cases = [held::CASES, peers::CASES, starved::CASES, disk::CASES, soak::CASES].concat();
    suite::run("faults", &cases);
}
