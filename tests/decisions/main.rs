//! Verdicts, seen from outside: an `AdmissionReview` in, the answer out, its patch applied with the json-patch crate.
//!
//! Whether the API server and Helm agree is shown in `tests/cluster`; here the corner cases are quick to state.

#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod adopt;
mod bad_input;
mod block;
mod cluster_api;
mod left_alone;
mod observe;
mod recorded;
mod write;
