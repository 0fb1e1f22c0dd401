//! `serve --standalone` and `--cert/--key` from outside: which files are kept, renewed, and never overwritten.
//!
//! "Fault N" is the number in our list of fault and bad-input cases.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

mod place;
#[path = "../support/program.rs"]
#[allow(dead_code, reason = "not every test program needs all of it")]
mod program;

mod damaged;
mod kept;
mod own_pki;
mod told;
