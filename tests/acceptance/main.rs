//! The forecast of what Helm will answer, behaviour by behaviour. That it is right is proven against real Helms in
//! `tests/cluster/forecast.rs` and `tests/cluster/pairs.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

mod ask;
mod command_line;
mod conflicts;
mod left_over;
mod manifest;
mod refusals;
