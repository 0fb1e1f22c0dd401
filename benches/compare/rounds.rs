//! The run: interleaved rounds, one after the other, each asking every server the same.

use std::path::Path;
use std::time::{Duration, Instant};

use cni_steward::pki;
use jiff::Timestamp;

use crate::load::{Caller, Manner};
use crate::process::{self, Server};
use crate::reviews::review;
use crate::scenario::{Place, SCENARIOS, Who};

/// Connections of the main table.
pub const CONNECTIONS: usize = 16;

/// What one row costs at one size.
#[derive(Clone, Default)]
pub struct Cost {
    /// CPU per review in µs, the median of the rounds.
    pub micros: f64,
    /// To the floor of the same round, the median of the rounds.
    pub ratio: f64,
    /// Latency.
    pub p50: Duration,
    pub p99: Duration,
}

/// What one program is like.
pub struct Footprint {
    pub name: &'static str,
    pub idle_kb: u64,
    pub peak_kb: u64,
    pub start: Duration,
    pub bytes: u64,
}

/// Everything that was measured.
pub struct Result {
    /// Review sizes, in bytes.
    pub sizes: Vec<usize>,
    /// Row by row, size by size; `None` where a peer is not there.
    pub costs: Vec<Vec<Option<Cost>>>,
    /// What each column of `manners` is.
    pub manner_names: Vec<String>,
    /// Row by row, at 20 kB: other ways to connect.
    pub manners: Vec<Vec<Option<Cost>>>,
    pub footprints: Vec<Footprint>,
    pub rounds: usize,
}

/// Runs everything.
pub fn run(quick: bool, folder: &Path) -> Result {
    cni_steward::server::tls::install_provider();
    let now = Timestamp::now();
    let ca = pki::authority::make(now).unwrap();
    let names = ["127.0.0.1".parse().unwrap(), "localhost".parse().unwrap()];
    let leaf = pki::leaf::make(now, &ca, &names).unwrap();
    let place = Place::new(folder, &ca.cert, &leaf.cert, &leaf.key);
    let caller = Caller::new(&ca.cert);

    let sizes = if quick {
        vec![2_000, 20_000, 200_000]
    } else {
        vec![2_000, 20_000, 100_000, 1 << 20, 3 << 20, 6 << 20]
    };
    let rounds = if quick { 5 } else { 9 };
    let mut servers: Vec<(Who, Server)> = Vec::new();
    let mut starts: Vec<(Who, Duration)> = Vec::new();
    for scenario in &SCENARIOS {
        if servers.iter().any(|(who, _)| *who == scenario.who) {
            continue;
        }
        let body = review(scenario.story, 2_000);
        let tries = (0..if quick { 3 } else { 9 }).filter_map(|_| place.start(scenario.who, &caller, &body));
        if let Some(fastest) = tries.map(|server| server.start).min() {
            starts.push((scenario.who, fastest));
        }
        if let Some(server) = place.start(scenario.who, &caller, &body) {
            servers.push((scenario.who, server));
        }
    }
    let server = |who: Who| servers.iter().find(|(found, _)| *found == who).map(|(_, server)| server);

    let mut costs: Vec<Vec<Option<Cost>>> = SCENARIOS.iter().map(|_| Vec::new()).collect();
    for &size in &sizes {
        eprintln!("reviews of {size} bytes, {rounds} rounds");
        // The server lends 16 MiB to all bodies together; over it, it answers 503.
        let connections = CONNECTIONS.min((12 << 20) / size);
        let column = column(&caller, &server, size, rounds, connections, Manner::KeepAlive);
        costs.iter_mut().zip(column).for_each(|(row, cost)| row.push(cost));
    }
    let ways = [(1, Manner::KeepAlive), (64, Manner::KeepAlive), (1, Manner::New), (16, Manner::New)];
    let mut manner_names = Vec::new();
    let mut manners: Vec<Vec<Option<Cost>>> = SCENARIOS.iter().map(|_| Vec::new()).collect();
    for (connections, manner) in ways.into_iter().filter(|_| !quick) {
        let kind = if manner == Manner::KeepAlive { "kept" } else { "a new one each" };
        eprintln!("{connections} connections, {kind}");
        manner_names.push(format!("{connections} × {kind}"));
        let column = column(&caller, &server, 20_000, rounds, connections, manner);
        manners.iter_mut().zip(column).for_each(|(row, cost)| row.push(cost));
    }
    let footprints = starts
        .iter()
        .filter_map(|(who, start)| {
            let name = match who {
                Who::Floor => "floor (this benchmark program)",
                Who::Ours("mode: Observe") => "ours, Observe",
                Who::Ours("mode: Adopt") => "ours, Adopt",
                Who::Ours(_) => return None,
                Who::Go => "Go, standard library",
                Who::Kube => "Rust, axum and kube's types",
            };
            let server = server(*who)?;
            let bytes = process::size(&place.program(*who)?);
            Some(Footprint { name, idle_kb: server.idle_kb, peak_kb: server.peak_kb(), start: *start, bytes })
        })
        .collect();
    Result { sizes, costs, manner_names, manners, footprints, rounds }
}

/// All rows at one size and with one way to connect.
fn column<'s>(
    caller: &Caller,
    server: &impl Fn(Who) -> Option<&'s Server>,
    size: usize,
    rounds: usize,
    connections: usize,
    manner: Manner,
) -> Vec<Option<Cost>> {
    let bodies: Vec<Vec<u8>> = SCENARIOS.iter().map(|scenario| review(scenario.story, size)).collect();
    let mut seen: Vec<Vec<(f64, f64)>> = SCENARIOS.iter().map(|_| Vec::new()).collect();
    let mut times: Vec<Vec<Duration>> = SCENARIOS.iter().map(|_| Vec::new()).collect();
    // A hundredth of a second of the floor's time is measured well; others cost more and are asked less.
    let mut reviews: Vec<usize> = SCENARIOS.iter().map(|_| connections).collect();
    for (place, scenario) in SCENARIOS.iter().enumerate() {
        let Some(server) = server(scenario.who) else { continue };
        let begin = Instant::now();
        let warm = connections.max(if size > 500_000 { 2 } else { 64 });
        caller.send(server.address, &bodies[place], connections, warm, manner);
        let each = begin.elapsed().as_secs_f64() / warm as f64;
        reviews[place] = ((0.15 / each) as usize).max(connections).max(2);
    }
    for round in 0..rounds {
        let mut floor = 0.0;
        for (place, scenario) in SCENARIOS.iter().enumerate() {
            let Some(server) = server(scenario.who) else { continue };
            let before = server.cpu();
            let took = caller.send(server.address, &bodies[place], connections, reviews[place], manner);
            let micros = (server.cpu() - before) as f64 / 1000.0 / took.len() as f64;
            if place == 0 {
                floor = micros;
            }
            seen[place].push((micros, micros / floor));
            if round > 0 || rounds == 1 {
                times[place].extend(took);
            }
        }
    }
    seen.into_iter()
        .zip(times)
        .map(|(rounds, mut times)| {
            times.sort_unstable();
            let at =
                |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
            (!rounds.is_empty()).then(|| Cost {
                micros: median(rounds.iter().map(|(micros, _)| *micros)),
                ratio: median(rounds.iter().map(|(_, ratio)| *ratio)),
                p50: at(0.5),
                p99: at(0.99),
            })
        })
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
