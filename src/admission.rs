//! One review: bytes in, verdict, bytes out. No clock, no I/O, no lock, and the same answer for the same bytes (law 5).
//!
//! [`review`] reads the envelope over borrowed bytes and stops at the head for what is outside the catalogue; [`object`]
//! reads what a decision may look at; [`patch`] and [`reply`] write the answer, [`said`] gives it out; [`handler`] is the way through.
//! [`canary`] answers the self-probe, which no policy is asked about.

pub mod canary;
pub mod handler;
pub mod object;
pub mod patch;
pub mod reply;
pub mod review;
pub mod said;
mod text;

pub use handler::{Answer, Judged, Received, Record, answer};
pub use said::Said;
