//! A year of a cluster's certificates in less than a second, with faults at random moments: what no API server trusts is
//! never served, nothing is ever lost for good, and nobody writes without need.
//!
//! `CNI_STEWARD_YEARS=10000 cargo test --test year` runs more of them than a thousand, `CNI_STEWARD_YEAR=<seed>` one again.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

#[path = "year/faults.rs"]
mod faults;
#[path = "year/random.rs"]
mod random;
#[path = "year/world.rs"]
mod world;

use world::{Kind, World};

fn years() -> Vec<u64> {
    let number =
        |name: &str| std::env::var_os(name).map(|text| text.to_str().unwrap().parse::<u64>().unwrap());
    match number("CNI_STEWARD_YEAR") {
        Some(seed) => vec![seed],
        None => (0..number("CNI_STEWARD_YEARS").unwrap_or(1000)).collect(),
    }
}

/// Runs all on both cores; a failure names its seed and what happened before.
fn run(kind: Kind) {
    let years = years();
    let half = years.len().div_ceil(2);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = years
            .chunks(half.max(1))
            .map(|seeds| {
                scope.spawn(move || {
                    seeds.iter().filter_map(|&seed| World::new(seed, kind).live().err()).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let count = failures.len();
    let heads: Vec<&str> = failures.iter().filter_map(|failure| failure.lines().next()).collect();
    let heads = heads.join("\n");
    assert!(count == 0, "{count} of {} years went wrong:\n{heads}\nthe first:\n{}", years.len(), failures[0]);
}

#[test]
fn with_any_faults_no_bundle_of_ours_leaves_a_served_leaf_uncovered_and_all_heals() {
    run(Kind::Rough);
}

#[test]
fn with_deaths_and_hand_overs_alone_every_replica_is_trusted_by_every_api_server_all_year() {
    run(Kind::Gentle);
}
