//! Log lines: a constant message, everything else in fields; never object content, never a secret.
//!
//! Decisions come thousands a second, so their JSON is written in one go here; `tracing` calls a visitor for each field
//! and formats each value twice, which costs as much as reading a small review. Same keys, same order, same queue.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;

use super::{clock, sink::Sink};
use crate::admission::Record;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verbosity {
    /// What failed.
    Error,
    /// And what is odd.
    Warn,
    /// And every decision.
    Info,
    /// And every connection that came to nothing.
    Debug,
    /// And what the libraries tell.
    Trace,
}

/// Starts logging to standard error and reports panics there by place only: a panic's text may quote an object.
///
/// Without a `format` a terminal gets text and everything else JSON.
pub fn start(format: Option<Format>, verbosity: Verbosity) -> io::Result<Sink> {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { Format::Text } else { Format::Json });
    let sink = Sink::start(io::stderr())?;
    if format == Format::Json {
        // A second start in one process (tests) keeps the first queue, as it keeps the first subscriber.
        JSON.set(sink.clone()).ok();
    }
    let lines = tracing_subscriber::fmt::layer().with_writer(sink.clone()).with_timer(Utc).with_target(false);
    let registry = tracing_subscriber::registry();
    // A second start in one process (tests) keeps the first subscriber.
    drop(match format {
        Format::Text => registry.with(lines.with_ansi(terminal).with_filter(filter(verbosity))).try_init(),
        Format::Json => registry
            .with(
                lines
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_filter(filter(verbosity)),
            )
            .try_init(),
    });
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Ok(sink)
}

/// Where decisions go as JSON; empty while lines are text.
static JSON: OnceLock<Sink> = OnceLock::new();

/// One decision as a line of JSON.
#[derive(Serialize)]
struct Line<'r> {
    timestamp: String,
    level: &'static str,
    decision: &'r str,
    operation: &'r str,
    resource: &'r str,
    namespace: &'r str,
    name: &'r str,
    user: &'r str,
    manager: &'r str,
    verdict: &'r str,
    reason: &'r str,
    dry_run: bool,
    policy: &'r str,
    message: &'r str,
    duration_us: u64,
}

/// One line for one decision; below `info` for what is none of ours, or a busy cluster would drown the rest.
pub fn decision(record: &Record<'_>, policy: &str, took: Duration) {
    let outside = record.reason == "outside-catalogue";
    if !(if outside { tracing::enabled!(Level::DEBUG) } else { tracing::enabled!(Level::INFO) }) {
        return;
    }
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let decision = record.decision();
    if let Some(sink) = JSON.get() {
        let line = Line {
            timestamp: format!("{:.6}", clock::now()),
            level: if outside { "DEBUG" } else { "INFO" },
            decision,
            operation: record.operation,
            resource: record.resource,
            namespace: &record.namespace,
            name: &record.name,
            user: &record.username,
            manager: &record.manager,
            verdict: record.verdict,
            reason: record.reason,
            dry_run: record.dry_run,
            policy,
            message: &record.message,
            duration_us,
        };
        let mut text = Vec::with_capacity(640);
        // Plain strings and numbers always serialise.
        serde_json::to_writer(&mut text, &line).ok();
        text.push(b'\n');
        return sink.send(text);
    }
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                decision,
                operation = record.operation,
                resource = record.resource,
                namespace = &*record.namespace,
                name = &*record.name,
                user = &*record.username,
                manager = &*record.manager,
                verdict = record.verdict,
                reason = record.reason,
                dry_run = record.dry_run,
                policy,
                message = record.message,
                duration_us,
            )
        };
    }
    if outside { line!(Level::DEBUG) } else { line!(Level::INFO) }
}

/// Our own lines at the level asked for; those of libraries only from `warn` on, except at `trace`.
fn filter(verbosity: Verbosity) -> Targets {
    let (ours, theirs) = match verbosity {
        Verbosity::Error => (Level::ERROR, Level::ERROR),
        Verbosity::Warn => (Level::WARN, Level::WARN),
        Verbosity::Info => (Level::INFO, Level::WARN),
        Verbosity::Debug => (Level::DEBUG, Level::WARN),
        Verbosity::Trace => (Level::TRACE, Level::TRACE),
    };
    Targets::new().with_target("cni_steward", ours).with_default(LevelFilter::from_level(theirs))
}

/// RFC 3339 in UTC with microseconds, from our own clock.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        write!(line, "{:.6}", clock::now())
    }
}
