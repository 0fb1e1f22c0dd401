//! What the behaviour tests share: a real API server, our real binary beside it, and the fixtures.
//!
//! A test crate takes it with `#[path = "../support/mod.rs"] mod support;`. Helpers panic when something that a test
//! takes for granted does not hold; the message says what was expected and what was seen.

#![allow(dead_code, reason = "each test crate uses its own part of the helpers")]
#![allow(unused_imports, reason = "each test crate uses its own part of the helpers")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

pub(crate) mod balancer;
pub(crate) mod book;
pub(crate) mod cage;
pub(crate) mod control_plane;
pub(crate) mod fixtures;
pub(crate) mod http;
pub(crate) mod line;
pub(crate) mod load;
pub(crate) mod remains;
pub(crate) mod schema;
pub(crate) mod slope;
pub(crate) mod steward;
pub(crate) mod suite;
pub(crate) mod tools;
pub(crate) mod versions;
pub(crate) mod victim;
pub(crate) mod watchdog;

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a command answered.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The command line, for messages.
    pub(crate) command: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Runs `command` to its end, with `stdin` if there is any.
    pub(crate) fn of(mut command: Command, stdin: Option<&str>) -> Self {
        use std::io::Write as _;
        let words = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned());
        let line = words.collect::<Vec<_>>().join(" ");
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
            // A command that does not read to the end says so itself.
            drop(pipe.write_all(text.as_bytes()));
        }
        let output = child.wait_with_output().unwrap();
        Self {
            command: line,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects exit code 0; gives stdout.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert!(self.code == 0, "expected success\n{self}");
        &self.stdout
    }

    /// Expects another exit code than 0; gives stderr.
    #[track_caller]
    pub(crate) fn refused(&self) -> &str {
        assert!(self.code != 0, "expected a failure\n{self}");
        &self.stderr
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "command: {command}\nexit code: {code}\nstdout: {stdout}\nstderr: {stderr}")
    }
}

/// Asks `probe` again and again until it answers; after `limit` the error says `what` did not happen.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T, String> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            return Err(format!("waited {} s in vain until {what}", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A loopback port that is free now. Another program may take it before it is used: who uses it must be ready to try again.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The last lines of a log, for messages.
pub(crate) fn tail(log: &std::path::Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
