//! What a person's terminal can show, and how text gets there: width, colour, progress, and the ends that are no errors.
//!
//! Results go to standard output, everything else to standard error. Colour is for terminals; `--color`, `NO_COLOR`, `CLICOLOR`,
//! `CLICOLOR_FORCE`, `TERM=dumb` and `CI` say otherwise, as for `--help`. The same words are printed either way.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::layout::printable;
pub use crate::layout::{Terminal, Tone};
use crate::telemetry::clock::Stopwatch;

/// The exit code of a command that Ctrl-C ended, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where nobody sees a line change, one is written so often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Narrower than this nothing can be read any more, and what says so is mostly wrong.
const NARROWEST: usize = 40;

/// The options of every command that prints for people.
#[derive(Debug, Clone, Args)]
pub struct TerminalArgs {
    /// Whether to colour what is printed.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    color: When,
    #[arg(long, hide = true, env = "COLUMNS", hide_env = true)]
    columns: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl TerminalArgs {
    /// What standard output is. A pipe or a file has no width; for a terminal `COLUMNS` goes before what it says itself.
    pub fn stdout(&self) -> Terminal {
        let stdout = io::stdout();
        let color = match self.color {
            When::Auto => AutoStream::choice(&stdout) != ColorChoice::Never,
            When::Always => true,
            When::Never => false,
        };
        let asked = self.columns.as_ref().and_then(|columns| columns.parse().ok());
        let width = if stdout.is_terminal() { asked.or_else(|| columns(&stdout)) } else { None };
        Terminal { color, width: width.map_or(usize::MAX, |width| width.max(NARROWEST)) }
    }
}

#[cfg(unix)]
fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

#[cfg(windows)]
fn columns(stream: &impl std::os::windows::io::AsHandle) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

/// Prints a result to standard output; a reader that has gone away (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// The same with bytes.
pub fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

/// One line on standard error about what is going on; nothing if nobody sees it.
pub fn progress(line: &str) {
    if io::stderr().is_terminal() {
        writeln!(io::stderr(), "{}", printable(line)).ok();
    }
}

/// Ends when the person presses Ctrl-C, which no longer ends the program by itself once this is waited for. Who waits says how things
/// stand, and leaves with [`INTERRUPTED`].
pub async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Says on standard error how far something is, once it takes longer than a second: on a terminal in one line that changes,
/// else in a line now and then.
#[derive(Debug)]
pub struct Progress {
    since: Stopwatch,
    told: Option<Stopwatch>,
    live: bool,
}

impl Progress {
    /// Begins to wait.
    pub fn start() -> Self {
        Self { since: Stopwatch::start(), told: None, live: io::stderr().is_terminal() }
    }

    /// Says it, if it is time to.
    pub fn tell(&mut self, line: &str) {
        if self.since.elapsed() < PATIENCE {
            return;
        }
        if self.live {
            // A line that wraps could not be written over.
            let room = columns(&io::stderr()).unwrap_or(80).saturating_sub(1);
            let short: String = printable(line).chars().take(room).collect();
            write!(io::stderr(), "\r\x1b[2K{short}").ok();
        } else if self.told.as_ref().is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            writeln!(io::stderr(), "{}", printable(line)).ok();
        } else {
            return;
        }
        self.told = Some(Stopwatch::start());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live && self.told.is_some() {
            write!(io::stderr(), "\r\x1b[2K").ok();
        }
    }
}
