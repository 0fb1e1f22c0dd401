//! Two real nodes without CNI, cluster DNS or kube-proxy: what a new cluster is before anybody gave it a network, and where
//! our image, chart and Service have to work all the same.
//!
//! This program runs twice. From outside, each case is a process in namespaces of its own ([`cell`]), which runs this very
//! program again; in there the case starts its cluster, and when it ends, however it ends, the namespaces end with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod cell;
mod chart;
mod cluster;
mod harness;
mod lost;
mod planned;
mod purge;
mod repair;
#[path = "../cluster/scene.rs"]
#[allow(dead_code, reason = "of what an adopted object looks like")]
mod scene;
mod stage;

use support::suite::{Case, Suite};

fn main() {
    if harness::is_victim() {
        harness::victim();
    }
    // What runs in a cell, and what looks at cells.
    let within =
        [harness::CASES, chart::CASES, repair::CASES, planned::CASES, lost::CASES, purge::CASES].concat();
    if cell::is_inside() {
        let cases = [&within, harness::HIDDEN].concat();
        suite(None, |case| (case.run)()).run(&cases);
    }
    let how = |case: &Case| {
        if harness::OUTSIDE.iter().any(|outside| outside.name == case.name) {
            (case.run)();
        } else {
            cell::run(case);
        }
    };
    suite(cell::lacks(), how).run(&[&within, harness::OUTSIDE].concat());
}

fn suite(lacks: Option<String>, how: fn(&Case)) -> Suite {
    // Each is a whole cluster.
    Suite { name: "nodes", word: "nodes", lacks, threads: 1, how }
}
