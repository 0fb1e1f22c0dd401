//! What a real API server, Helm and Cluster API do with the VPC CNI that EKS installed, without us. It is what the
//! program is for, and it proves the harness.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod adopt;
mod answers;
mod audit;
mod capa;
mod chart;
mod docs;
mod draw;
mod explain;
mod exported;
mod features;
mod forecast;
mod harness;
mod helm;
mod leader;
mod modes;
mod objects;
mod pairs;
mod prepared;
mod purge;
mod raw;
mod real;
mod releases;
mod repair;
mod replay;
mod scene;
mod sequences;
mod soak;
mod state;
mod status;
mod story;
mod trust;
mod writers;

use support::suite;

fn main() {
    if harness::is_victim() {
        harness::victim();
    }
    let cases = [
        harness::CASES,
        raw::CASES,
        capa::CASES,
        chart::CASES,
        docs::CASES,
        account::CASES,
        leader::CASES,
        trust::CASES,
        status::CASES,
        explain::CASES,
        audit::CASES,
        helm::CASES,
        writers::CASES,
        objects::CASES,
        releases::CASES,
        modes::CASES,
        forecast::CASES,
        pairs::CASES,
        exported::CASES,
        repair::CASES,
        &purge::cases(),
        adopt::CASES,
        &sequences::cases(),
        &soak::cases(),
        &real::cases(),
    ]
    .concat();
    suite::run("cluster", &cases);
}
