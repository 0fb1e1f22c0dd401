//! The page, ratios first.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cluster::{self, Seen};
use crate::footprint::Footprint;
use crate::load::Manner;
use crate::promises::Promise;
use crate::rounds::{Column, Cost, Growth};
use crate::scenario::{FLOOR_ROW, OUTSIDE_ROW, SCENARIOS};

/// Everything that was measured.
pub struct Measured {
    /// The connections that the first table asks for.
    pub connections: usize,
    /// Of the first table.
    pub rounds: usize,
    /// By size.
    pub main: Vec<Column>,
    /// By size, then by number of connections and manner.
    pub others: Vec<Column>,
    pub growth: Vec<Option<Growth>>,
    pub footprints: Vec<Footprint>,
    pub cluster: Result<Seen, String>,
    /// The section that `make profile` wrote, if it did.
    pub profile: Option<String>,
    pub took: Duration,
}

/// The whole page.
pub fn markdown(measured: &Measured, promises: &[Promise], quick: bool) -> String {
    let mut page = String::from(
        "# Performance\n\nWritten by `make bench`; do not edit. Everything is a ratio to the *floor* of the same run: our own \
         server (TLS 1.3, HTTP/1.1)\nthat reads the body and answers a constant allow. CPU is what the kernel charged the \
         server's threads, user and system. The\nservers stand side by side and are asked in interleaved rounds.\n\n",
    );
    let command = if quick { "make bench QUICK=1" } else { "make bench" };
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    writeln!(page, "`{command}`, {date}, {}, {} s\n", machine(), measured.took.as_secs()).unwrap();
    table_of_promises(&mut page, promises);
    if !quick {
        writeln!(page, "\n![CPU per review](performance.svg)").unwrap();
    }
    writeln!(
        page,
        "\n## CPU per review\n\nTimes the floor, and µs; {} connections, kept; median of {} rounds. A server lends 16 MiB to all \
         bodies in flight and\nanswers 503 over it, by design: so reviews of 1 MiB come over {} connections, of 6 MiB over {}.\n",
        measured.connections,
        measured.rounds,
        at_size(measured, 1 << 20),
        at_size(measured, 6 << 20),
    )
    .unwrap();
    let sizes = || measured.main.iter().map(|column| human(column.ask.size)).collect::<Vec<_>>();
    table(&mut page, &sizes(), &measured.main, |cost| format!("**{:.2}×** {:.0}", cost.ratio, cost.micros));
    writeln!(
        page,
        "\nTime of a review in µs as the client saw it, p50 / p99, client and server on one machine:\n"
    )
    .unwrap();
    table(&mut page, &sizes(), &measured.main, latency);
    growth(&mut page, &measured.growth);
    others(&mut page, measured);
    footprints(&mut page, &measured.footprints);
    through_the_api_server(&mut page, &measured.cluster);
    writeln!(page, "\n## Where the rest goes\n").unwrap();
    page.push_str(
        measured
            .profile
            .as_deref()
            .unwrap_or("No profile: `make profile` needs `perf` (Debian: linux-perf).\n"),
    );
    page
}

fn table_of_promises(page: &mut String, promises: &[Promise]) {
    writeln!(page, "| what | here | must | holds | aim | reached | |\n|---|---|---|---|---|---|---|")
        .unwrap();
    for one in promises {
        let seen =
            one.seen.map_or_else(|| "not measured".to_owned(), |seen| format!("**{seen:.2}{}**", one.unit));
        let sign = if one.more { "≥" } else { "≤" };
        let limit = |limit: f64| format!("{sign} {limit}{}", one.unit);
        let word = |yes: bool| if yes { "yes" } else { "**no**" };
        writeln!(
            page,
            "| {} | {seen} | {} | {} | {} | {} | {} |",
            one.what,
            limit(one.must),
            word(one.holds()),
            one.aim.map(limit).unwrap_or_default(),
            one.aims().map(|yes| if yes { "yes" } else { "no" }).unwrap_or_default(),
            one.note
        )
        .unwrap();
    }
}

fn at_size(measured: &Measured, size: usize) -> usize {
    crate::rounds::Ask::new(size, measured.connections, Manner::Kept).connections
}

/// How cost grows with size.
pub fn growth(page: &mut String, seen: &[Option<Growth>]) {
    if seen.is_empty() {
        return;
    }
    writeln!(
        page,
        "\n## Growth\n\nµs of CPU per MiB more, from 0.1 to 1 MiB and from 1 to 6 MiB; 2 connections at every size, the same share of \
         managedFields. What has to hold is\nthe growth of what a decision costs over the floor, in the same round: the floor itself grows, \
         since 6 MiB fit no second-level cache.\n\n\
         | | 0.1–1 MiB | 1–6 MiB | ratio | over the floor: 0.1–1 MiB | 1–6 MiB | ratio |\n|---|---|---|---|---|---|---|"
    )
    .unwrap();
    let rows = SCENARIOS.iter().zip(seen).enumerate();
    for (at, (scenario, growth)) in
        rows.filter_map(|(at, (scenario, growth))| Some((at, (scenario, growth.as_ref()?))))
    {
        let Growth { whole, over_floor: over } = growth;
        write!(
            page,
            "| {} | {:.0} | {:.0} | {:.2}× |",
            scenario.name,
            whole.small,
            whole.large,
            whole.ratio()
        )
        .unwrap();
        // Over itself the floor costs nothing, and what is answered from the head hardly anything.
        if [FLOOR_ROW, OUTSIDE_ROW].contains(&at) {
            writeln!(page, " | | |").unwrap();
        } else {
            writeln!(page, " {:.0} | {:.0} | **{:.2}×** |", over.small, over.large, over.ratio()).unwrap();
        }
    }
}

fn others(page: &mut String, measured: &Measured) {
    if measured.others.is_empty() {
        return;
    }
    writeln!(
        page,
        "\n## Other ways to connect\n\nTimes the floor, µs of CPU, p50 / p99 in µs. *new* means a connection and a full handshake for \
         each review."
    )
    .unwrap();
    for main in &measured.main {
        let mut columns: Vec<Column> =
            measured.others.iter().filter(|one| one.ask.size == main.ask.size).cloned().collect();
        columns.push(main.clone());
        columns.sort_by_key(|one| (one.ask.manner == Manner::New, one.ask.connections));
        let heads: Vec<String> = columns
            .iter()
            .map(|one| {
                let manner = if one.ask.manner == Manner::Kept { "kept" } else { "new" };
                format!("{} {manner}", one.ask.connections)
            })
            .collect();
        writeln!(page, "\nReviews of {}:\n", human(main.ask.size)).unwrap();
        table(page, &heads, &columns, |cost| {
            format!("**{:.2}×** {:.0}, {}", cost.ratio, cost.micros, latency(cost))
        });
    }
}

pub fn footprints(page: &mut String, seen: &[Footprint]) {
    writeln!(
        page,
        "\n## Footprint\n\nEach program fresh. RSS after its first answer; largest with 64 connections and reviews of 20 kB; largest in a \
         storm: 64\nconnections with reviews of 1 MiB, then 16 with 6 MiB, all at once (how many were answered, how many \
         refused).\n\n| program | RSS idle | 64 connections | storm | start to first answer | binary |\n\
         |---|---|---|---|---|---|"
    )
    .unwrap();
    let mb = |kb: u64| kb as f64 / 1024.0;
    for one in seen {
        writeln!(
            page,
            "| {} | {:.1} MB | {:.1} MB | {:.1} MB ({}, {}) | {:.1} ms | {:.1} MB |",
            one.name,
            mb(one.idle_kb),
            mb(one.busy_kb),
            mb(one.storm_kb),
            one.storm.answered,
            one.storm.refused,
            one.start.as_secs_f64() * 1e3,
            one.bytes as f64 / 1e6
        )
        .unwrap();
    }
}

/// The part through the API server alone.
pub fn cluster_alone(seen: &Result<Seen, String>) -> String {
    let mut page = String::new();
    through_the_api_server(&mut page, seen);
    page
}

fn through_the_api_server(page: &mut String, seen: &Result<Seen, String>) {
    writeln!(page, "\n## Through a real API server\n").unwrap();
    let seen = match seen {
        Ok(seen) => seen,
        Err(missing) => return writeln!(page, "Not measured: {missing}").unwrap(),
    };
    writeln!(
        page,
        "Server-side applies of `DaemonSet aws-node` by field manager `eks`, each changing one value, API server {}: a namespace for \
         each\nway of answering, {} interleaved rounds. *Added* is the write less that with nothing, in the same round: median and \
         middle half.\n\n| who answers | added, to the precomputed patch | added | whole write |\n|---|---|---|---|",
        seen.version, seen.rounds
    )
    .unwrap();
    for (at, row) in seen.rows.iter().enumerate() {
        let Some(row) = row else { continue };
        let ratio = seen.ratio(at, cluster::PRECOMPUTED).filter(|_| at != cluster::NOTHING);
        let ratio = ratio.map_or_else(String::new, |ratio| format!("**{ratio:.2}×**"));
        let (low, high) = row.spread;
        writeln!(
            page,
            "| {} | {ratio} | {:.2} ms ({low:.2}–{high:.2}) | {:.2} ms |",
            row.name, row.added, row.write
        )
        .unwrap();
    }
    writeln!(
        page,
        "\nA patch of `managedFields` is work for the API server itself: what ours adds beyond the precomputed patch is ours, the \
         rest is\nthe call and the patch. The Go peer and the policy only stamp, so *stamps only* is the row to hold beside them."
    )
    .unwrap();
}

fn latency(cost: &Cost) -> String {
    format!("{} / {}", cost.p50.as_micros(), cost.p99.as_micros())
}

fn table(page: &mut String, heads: &[String], columns: &[Column], cell: impl Fn(&Cost) -> String) {
    writeln!(page, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len())).unwrap();
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| column.rows[at].as_ref().map_or_else(|| "not here".to_owned(), &cell))
            .collect();
        writeln!(page, "| {} | {} |", scenario.name, cells.join(" | ")).unwrap();
    }
}

/// A size for people.
pub fn human(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} kB", bytes / 1000) }
}

/// The processor and how many of it; no name of the machine.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} cores of {}", model.trim_start_matches([' ', '\t', ':']))
}
