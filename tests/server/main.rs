//! The server room from outside: what it refuses, what it survives, how it leaves.
//!
//! "Fault N" is the number in our list of fault and bad-input cases.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a test program has no users of its items"
)]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/server.rs"]
mod server;

mod body;
mod drain;
mod panics;
mod requests;
mod strangers;
mod transport;
