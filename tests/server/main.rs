//! The server room from outside: what it refuses, what it survives, how it leaves.
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

#[path = "../support/client.rs"]
mod client;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/server.rs"]
mod server;

mod body;
mod drain;
mod flood;
mod panics;
mod reload;
mod requests;
mod slow;
mod strangers;
mod tls;
mod transport;
mod words;
