//! Where the CPU of a review goes: samples of a server under load, by `perf`, put into a few drawers.
//!
//! Wants a build with symbols, so `make profile` builds one beside; the code in it is the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::load::Request;
use crate::reviews::Story;
use crate::scenario::{ADOPT, Place, Requests, Who};

const SIZE: usize = 20_000;
/// Between two looks at whether `perf` has ended.
const SLICE: Duration = Duration::from_secs(1);

/// Drawers: a sample goes into the first one that its function's name fits.
const DRAWERS: [(&str, &[&str]); 9] = [
    ("kernel: sockets, wake-ups, page faults", &["[k] ", "[g] "]),
    (
        "TLS: ciphers",
        &["ring_core", "ring::", "aes", "gcm", "chacha", "poly1305", "sha256", "sha512", "p256"],
    ),
    ("TLS: records", &["rustls"]),
    (
        "reading the review (admission, fields::scan, json)",
        &[
            "cni_steward::admission::review",
            "cni_steward::admission::object",
            "cni_steward::fields::scan",
            "cni_steward::fields::json",
            "wide::",
        ],
    ),
    ("field ownership (fields)", &["cni_steward::fields"]),
    (
        "deciding and answering (policy, admission)",
        &["cni_steward::policy", "cni_steward::admission", "base64"],
    ),
    (
        "log line and metrics",
        &["tracing", "cni_steward::telemetry", "prometheus", "jiff", "cni_steward::cli"],
    ),
    (
        "HTTP and runtime (hyper, tokio, server)",
        &["hyper", "http", "tokio", "mio", "cni_steward::server", "bytes::", "futures"],
    ),
    (
        "memory and copies (libc)",
        &["malloc", "free", "realloc", "calloc", "mem", "brk", "libc", "[vdso]", "alloc::"],
    ),
];
const ELSE: &str = "anything else";

/// One server's samples.
struct Samples {
    /// CPU per review in µs, as it was while being watched.
    micros: f64,
    /// Share of each function: 1.0 is all.
    functions: Vec<(f64, String)>,
}

impl Samples {
    fn drawers(&self) -> BTreeMap<&'static str, f64> {
        let mut sums = BTreeMap::new();
        for (share, function) in &self.functions {
            let fits = |(_, words): &&(&str, &[&str])| words.iter().any(|word| function.contains(word));
            *sums.entry(DRAWERS.iter().find(fits).map_or(ELSE, |(name, _)| name)).or_default() +=
                share * self.micros;
        }
        sums
    }
}

/// The section of the page; an error says what is missing.
pub fn section(place: &Place, folder: &Path, seconds: u32) -> Result<String, String> {
    let request = Requests::default().get(Story::Upgrade, SIZE);
    let floor = watch(place, folder, Who::Floor, &request, seconds)?;
    let ours = watch(place, folder, ADOPT, &request, seconds)?;
    let mut page = format!(
        "Samples of `perf` (`make profile`), reviews of 20 kB, 4 connections, kept: µs of CPU per review while watched, \
         floor {:.0}, Adopt with transfer {:.0}.\n\n| | floor | Adopt with transfer | more |\n|---|---|---|---|\n",
        floor.micros, ours.micros
    );
    let (before, after) = (floor.drawers(), ours.drawers());
    for name in DRAWERS.iter().map(|(name, _)| *name).chain([ELSE]) {
        let (floor, ours) =
            (before.get(name).copied().unwrap_or(0.0), after.get(name).copied().unwrap_or(0.0));
        writeln!(page, "| {name} | {floor:.1} | {ours:.1} | {:+.1} |", ours - floor).unwrap();
    }
    writeln!(
        page,
        "\nThe functions of Adopt with transfer that take most (what is inlined counts for its caller):\n"
    )
    .unwrap();
    writeln!(page, "| share | µs | function |\n|---|---|---|").unwrap();
    for (share, function) in ours.functions.iter().take(25) {
        let function = function.replace('|', "\\|").replace('<', "\\<");
        writeln!(page, "| {:.1} % | {:.2} | {function} |", share * 100.0, share * ours.micros).unwrap();
    }
    Ok(page)
}

/// Samples one server under load.
fn watch(place: &Place, folder: &Path, who: Who, request: &Request, seconds: u32) -> Result<Samples, String> {
    let server = place.start(who).expect("our own programs");
    let data = folder.join("perf.data");
    let mut line = place.caller.open(server.address, 4);
    place.caller.over(&mut line, request, 2_000, SLICE);
    let mut record = Command::new("perf");
    record.args(["record", "--quiet", "--event", "cpu-clock", "--freq", "4999", "--output"]).arg(&data);
    record.args(["--pid", &server.pid().to_string(), "--", "sleep", &seconds.to_string()]);
    let mut record = record
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("perf: {error}"))?;
    let (before, mut reviews) = (server.cpu(), 0);
    let status = loop {
        reviews += place.caller.over(&mut line, request, 400, SLICE).len();
        if let Some(status) = record.try_wait().unwrap() {
            break status;
        }
    };
    let micros = (server.cpu() - before) as f64 / 1e3 / reviews as f64;
    if !status.success() {
        return Err("perf record does not work here".to_owned());
    }
    let mut report = Command::new("perf");
    report.args([
        "report",
        "--stdio",
        "--quiet",
        "--no-children",
        "--sort",
        "dso,symbol",
        "--field-separator",
        "\t",
    ]);
    let report = report.arg("--input").arg(&data).output().map_err(|error| format!("perf: {error}"))?;
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    let functions: Vec<(f64, String)> = text.lines().filter_map(function).collect();
    if functions.is_empty() {
        return Err("perf saw nothing".to_owned());
    }
    Ok(Samples { micros, functions })
}

/// Share, program and function of one line of `perf report`.
fn function(line: &str) -> Option<(f64, String)> {
    let mut parts = line.split('\t').map(str::trim);
    let share: f64 = parts.next()?.trim_end_matches('%').parse().ok()?;
    let (program, symbol) = (parts.next()?, parts.next()?);
    let symbol = symbol.strip_prefix("[.] ").map_or_else(|| symbol.to_owned(), str::to_owned);
    // A function without a name is told by its library.
    let nameless = symbol.starts_with("0x") || symbol.starts_with("00");
    Some((share / 100.0, if nameless { format!("({program})") } else { symbol }))
}
