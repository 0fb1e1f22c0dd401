//! The table, ratios first.

use std::fmt::Write as _;
use std::time::Duration;

use crate::rounds::{CONNECTIONS, Cost, Result};
use crate::scenario::SCENARIOS;

/// The whole page.
pub fn markdown(result: &Result, quick: bool) -> String {
    let mut page = String::from(
        "# Performance\n\nWritten by `make bench`; do not edit. Everything is a ratio to the *floor* of the same run: our own \
         server (TLS 1.3, HTTP/1.1)\nthat reads the body and answers a constant allow. CPU is what the kernel charged the \
         server's threads, user and system.\n\n",
    );
    let command = if quick { "make bench QUICK=1" } else { "make bench" };
    writeln!(page, "`{command}`, {}, {}\n", jiff::Timestamp::now().strftime("%Y-%m-%d"), machine()).unwrap();
    writeln!(page, "![CPU per review](performance.svg)\n").unwrap();
    writeln!(
        page,
        "## CPU per review\n\nTimes the floor, and µs; {CONNECTIONS} connections (fewer from 1 MiB on), kept; median of {} interleaved rounds.\n",
        result.rounds
    )
    .unwrap();
    table(&mut page, result.sizes.iter().map(|size| human(*size)), &result.costs, |cost| {
        format!("**{:.2}×** {:.0}", cost.ratio, cost.micros)
    });
    slopes(&mut page, result);
    writeln!(
        page,
        "\n## Latency\n\np50 / p99 in µs as the client saw it, client and server on the same machine.\n"
    )
    .unwrap();
    table(&mut page, result.sizes.iter().map(|size| human(*size)), &result.costs, latency);
    if !result.manner_names.is_empty() {
        writeln!(
            page,
            "\n## Other ways to connect\n\nReviews of 20 kB: times the floor, µs of CPU, p50 / p99 in µs.\n"
        )
        .unwrap();
        table(&mut page, result.manner_names.iter().cloned(), &result.manners, |cost| {
            format!("**{:.2}×** {:.0}, {}", cost.ratio, cost.micros, latency(cost))
        });
    }
    writeln!(
        page,
        "\n## Footprint\n\nIdle before any load; peak after all of the above, 64 connections and bodies of 6 MiB included.\n\n\
         | program | RSS idle | RSS peak | start to first answer | binary |\n|---|---|---|---|---|"
    )
    .unwrap();
    for one in &result.footprints {
        writeln!(
            page,
            "| {} | {:.1} MB | {:.1} MB | {:.1} ms | {:.1} MB |",
            one.name,
            one.idle_kb as f64 / 1024.0,
            one.peak_kb as f64 / 1024.0,
            one.start.as_secs_f64() * 1e3,
            one.bytes as f64 / 1e6
        )
        .unwrap();
    }
    page
}

/// How cost grows with size: µs per MiB, for small and for large reviews.
fn slopes(page: &mut String, result: &Result) {
    let at = |size: usize| result.sizes.iter().position(|found| *found == size);
    let (Some(small), Some(middle), Some(large)) = (at(100_000), at(1 << 20), at(6 << 20)) else { return };
    writeln!(page, "\nGrowth, µs per MiB: from 0.1 to 1 MiB, from 1 to 6 MiB, and their ratio.\n").unwrap();
    writeln!(page, "| | 0.1–1 MiB | 1–6 MiB | ratio |\n|---|---|---|---|").unwrap();
    for (scenario, row) in SCENARIOS.iter().zip(&result.costs) {
        let slope = |from: usize, to: usize| {
            let (low, high) = (row[from].as_ref()?, row[to].as_ref()?);
            let mib = (result.sizes[to] - result.sizes[from]) as f64 / f64::from(1 << 20);
            Some((high.micros - low.micros) / mib)
        };
        if let (Some(first), Some(second)) = (slope(small, middle), slope(middle, large)) {
            writeln!(page, "| {} | {first:.0} | {second:.0} | {:.2} |", scenario.name, second / first)
                .unwrap();
        }
    }
}

fn latency(cost: &Cost) -> String {
    let micros = |time: Duration| time.as_micros();
    format!("{} / {}", micros(cost.p50), micros(cost.p99))
}

fn table(
    page: &mut String,
    heads: impl Iterator<Item = String>,
    rows: &[Vec<Option<Cost>>],
    cell: impl Fn(&Cost) -> String,
) {
    let heads: Vec<String> = heads.collect();
    writeln!(page, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len())).unwrap();
    for (scenario, row) in SCENARIOS.iter().zip(rows) {
        let cells: Vec<String> =
            row.iter().map(|cost| cost.as_ref().map_or_else(|| "not here".to_owned(), &cell)).collect();
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
