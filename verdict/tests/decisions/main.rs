//! Verdicts, seen from outside: an `AdmissionReview` in, the answer out, its patch applied with the json-patch crate.
//!
//! Whether the API server and Helm agree is shown in `tests/cluster`; here the corner cases are quick to state.

#![allow(
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

mod adopt;
mod bad_input;
mod block;
mod cluster_api;
mod explain;
mod left_alone;
mod observe;
mod recorded;
mod write;
