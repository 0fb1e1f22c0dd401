//! A disk that takes nothing more.

use std::path::Path;
use std::process::{Command, Output};

use cni_steward::telemetry::clock;
use cni_steward::trust::{Source, State};
use jiff::ToSpan as _;

use crate::client::{Client, trusting};
use crate::place::{BINARY, READY, block_on};
use crate::program::{Program, arg};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[Case {
    name: "disk::fault_45_on_a_full_or_read_only_disk_it_says_so_and_serves_what_it_has",
    needs: &[],
    run: || {
        from_nothing();
        near_its_end();
        read_only();
    },
}];

/// From here on a file may hold no byte: to the program as if the disk were full.
const FULL: &str = "ulimit -f 0; trap '' XFSZ";

/// `serve` on this state, after these commands of a shell.
fn serve(before: &str, state: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), BINARY, "serve", "--standalone"]);
    command.args(["--state", arg(state), "--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    command
}

#[track_caller]
fn is_ready(program: &Program, ca: &str) {
    let reply = block_on(async {
        let mut client = Client::connect(program.reviews, trusting(ca), "localhost").await.unwrap();
        client.send(READY).await;
        client.reply().await.unwrap()
    });
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Nothing is there, and nothing can be made.
fn from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let output = serve(FULL, &state).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains(arg(&state)) && said(&output).contains("File too large"),
        "{}",
        said(&output)
    );
    for name in ["ca.key", "ca.crt", "tls.key", "tls.crt"] {
        assert!(!state.join(name).exists(), "half of a set: {name}");
    }
    // With room again it needs nobody's help.
    drop(Program::start(serve("true", &state)));
}

/// A leaf that is due and cannot be renewed is still a leaf.
fn near_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = State {
        directory: folder.path().join("state"),
        names: ["127.0.0.1", "::1", "localhost"].map(|name| name.parse().unwrap()).into(),
    };
    let made = clock::now().checked_sub((24 * 300).hours()).unwrap();
    Source::State(state.clone()).load(made).unwrap();
    let read = |name: &str| std::fs::read_to_string(state.directory.join(name)).unwrap();
    let old = read("tls.crt");
    let mut program = Program::start(serve(FULL, &state.directory));
    program.hears("File too large");
    is_ready(&program, &read("ca.crt"));
    assert_eq!(read("tls.crt"), old);
    drop(program);
    // With room again it is renewed.
    drop(Program::start(serve("true", &state.directory)));
    assert_ne!(read("tls.crt"), old);
}

/// Mounted read-only where that may be done; else a folder that may not be written to.
fn read_only() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    drop(Program::start(serve("true", &state)));
    let mounting = format!("mount --bind {0} {0} && mount -o remount,ro,bind {0}", arg(&state));
    let may = Command::new("unshare").args(["--mount", "sh", "-c", &mounting]).output();
    let mut command = if may.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("{mounting} && exec \"$0\" \"$@\""), BINARY]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("chmod -R a-w {} && exec \"$0\" \"$@\"", arg(&state)), BINARY]);
        command
    };
    command.args(["serve", "--standalone", "--state", arg(&state)]);
    command.args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    let program = Program::start(command);
    is_ready(&program, &std::fs::read_to_string(state.join("ca.crt")).unwrap());
    drop(program);
    Command::new("chmod").args(["-R", "u+w", arg(&state)]).status().unwrap();
}
