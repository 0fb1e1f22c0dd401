//! A disk that takes nothing more.

use std::path::Path;
use std::process::{Command, Output};

use cni_steward::telemetry::clock;
use cni_steward::trust::{Source, State};
use jiff::ToSpan as _;

use crate::client::Client;
use crate::client::trusting;
use crate::place::{BINARY, READY, block_on};
use crate::program::{Program, arg};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[Case {
    name: "disk::fault_45_on_a_full_or_read_only_disk_it_says_so_and_serves_what_it_has",
    needs: &[],
    run: || {
        from_nothing();
        near_its_end("ulimit -f 0; trap '' XFSZ", "File too large");
        read_only();
    },
}];

/// `serve` on this state, after these commands of a shell.
fn serve(before: &str, state: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), BINARY, "serve", "--standalone"]);
    command.args(["--state", arg(state), "--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file may hold no byte: to the program as if the disk were full.
fn from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let output = serve("ulimit -f 0; trap '' XFSZ", &state).output().unwrap();
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
fn near_its_end(before: &str, says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let state = State {
        directory: folder.path().join("state"),
        names: ["127.0.0.1", "::1", "localhost"].map(|name| name.parse().unwrap()).into(),
    };
    let made = clock::now().checked_sub((24 * 300).hours()).unwrap();
    Source::State(state.clone()).load(made).unwrap();
    let (ca, leaf) = ("ca.crt", "tls.crt");
    let read = |name: &str| std::fs::read_to_string(state.directory.join(name)).unwrap();
    let old = read(leaf);
    let mut program = Program::start(serve(before, &state.directory));
    program.hears(says);
    let (address, ca) = (program.reviews, read(ca));
    block_on(async move {
        let mut client = Client::connect(address, trusting(&ca), "localhost").await.unwrap();
        client.send(READY).await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    });
    assert_eq!(read(leaf), old);
    drop(program);
    // With room again it is renewed.
    drop(Program::start(serve("true", &state.directory)));
    assert_ne!(read(leaf), old);
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
        Command::new("sh");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("chmod -R a-w {} && exec \"$0\" \"$@\"", arg(&state)), BINARY]);
        command
    };
    command.args(["serve", "--standalone", "--state", arg(&state)]);
    command.args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    let program = Program::start(command);
    let ca = std::fs::read_to_string(state.join("ca.crt")).unwrap();
    let address = program.reviews;
    block_on(async move {
        let mut client = Client::connect(address, trusting(&ca), "localhost").await.unwrap();
        client.send(READY).await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    });
    drop(program);
    Command::new("chmod").args(["-R", "u+w", arg(&state)]).status().unwrap();
}
