//! What a program takes beside CPU: memory, time to start, room on a disk.

use std::time::Duration;

use crate::load::{Storm, request};
use crate::process;
use crate::reviews::{Story, review};
use crate::rounds::quantile;
use crate::scenario::{ADOPT, OBSERVE, Place, Who};

/// What one program is like.
#[derive(Debug, Clone)]
pub struct Footprint {
    pub name: &'static str,
    pub who: Who,
    /// After its first answer, in kB.
    pub idle_kb: u64,
    /// Largest so far with 64 connections and reviews of 20 kB.
    pub busy_kb: u64,
    /// Largest so far with 64 connections and more in flight than may be.
    pub storm_kb: u64,
    pub storm: Storm,
    /// From the start of the process to the first answer, the median.
    pub start: Duration,
    pub bytes: u64,
}

const PROGRAMS: [(&str, Who); 5] = [
    ("floor (the benchmark program)", Who::Floor),
    ("ours, Observe", OBSERVE),
    ("ours, Adopt", ADOPT),
    ("Go, standard library", Who::Go),
    ("Rust, axum and kube's types", Who::Kube),
];

/// All programs that are here, each fresh.
pub fn look(place: &Place, quick: bool) -> Vec<Footprint> {
    let tries = if quick { 5 } else { 25 };
    let mut starts = PROGRAMS.map(|_| Vec::new());
    for _ in 0..tries {
        for ((_, who), seen) in PROGRAMS.iter().zip(&mut starts) {
            seen.extend(place.start(*who).map(|server| server.start.as_secs_f64()));
        }
    }
    let span = Duration::from_millis(if quick { 300 } else { 2_000 });
    let [usual, large, huge] = [20_000, 1 << 20, 6 << 20].map(|size| request(&review(Story::Upgrade, size)));
    PROGRAMS
        .into_iter()
        .zip(starts)
        .filter_map(|((name, who), starts)| {
            let server = place.start(who)?;
            let mut line = place.caller.open(server.address, 64);
            place.caller.over(&mut line, &usual, if quick { 640 } else { 6_400 }, 4 * span);
            let busy_kb = server.peak_kb();
            let mut storm = Storm::default();
            for (request, connections) in [(&large, 64), (&huge, 16)] {
                let one = place.caller.storm(server.address, request, connections, span);
                storm.answered += one.answered;
                storm.refused += one.refused;
            }
            Some(Footprint {
                name,
                who,
                idle_kb: server.idle_kb,
                busy_kb,
                storm_kb: server.peak_kb(),
                storm,
                start: Duration::from_secs_f64(quantile(starts.into_iter(), 0.5)),
                bytes: process::size(&place.program(who)?),
            })
        })
        .collect()
}
