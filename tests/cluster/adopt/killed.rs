//! Killed after each single write of adopt and of its undo; and stopped by a person.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use super::desk::{Desk, Stored, assert_back, stored};
use crate::scene::assert_stamped_and_owned;
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures;
use crate::support::watchdog;

/// Two for each object, one for the schema, which has no stamps.
const WRITES: usize = 11;
/// Two for each object.
const UNDO_WRITES: usize = 12;

pub(super) fn all() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let desk = Desk::at(&plane);
    let before = stored(&plane);
    let undo = |words: &[&str]| {
        let file = desk.undo_file();
        [&["adopt", "--undo", &file, "--yes"], words]
            .concat()
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    for write in 1..=WRITES {
        let why = format!("killed after write {write}");
        desk.die_at(&format!("after-write-{write}"), &["adopt", "--yes"]);
        let output = desk.run(&["adopt", "--yes"]);
        output.ok();
        if write < WRITES {
            assert!(output.stderr.contains("going on with the run that was cut off"), "{why}: {output}");
        }
        for one in stored(&plane) {
            assert_stamped_and_owned(&one.object);
        }
        // The undo is killed as well, after a write of its own.
        let words = undo(&[]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        desk.die_at(&format!("after-write-{write}"), &words);
        let output = desk.run(&words);
        assert_back(&before, &stored(&plane), &format!("{why}, and so was its undo\n{output}"));
        output.ok();
        desk.end_pause();
        desk.forget();

        // Undone at once, from the middle.
        desk.die_at(&format!("after-write-{write}"), &["adopt", "--yes"]);
        let words = undo(&[]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = desk.run(&words);
        assert_back(&before, &stored(&plane), &format!("{why}, then undone\n{output}"));
        output.ok();
        desk.end_pause();
        desk.forget();
    }
    desk.run(&["adopt", "--yes"]).ok();
    let words = undo(&[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    desk.die_at(&format!("after-write-{UNDO_WRITES}"), &words);
    desk.run(&words).ok();
    assert_back(&before, &stored(&plane), "killed after the last write of the undo");
}

/// With a file of its own for the second run, both can be undone.
pub(super) fn stale() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let desk = Desk::at(&plane);
    let annotate = |note: &str| {
        let note = format!("note={note}");
        let args = ["annotate", "--overwrite", "daemonset", "aws-node", "-n", "kube-system", &note];
        plane.kubectl(User::Joe, &args).ok();
    };
    annotate("x");
    for (colleague, more) in [(true, &[][..]), (false, &["--absorb", "kubectl-annotate"])] {
        let before = stored(&plane);
        desk.die_at("after-write-4", &["adopt", "--yes"]);
        let first = desk.undo_file();
        if colleague {
            annotate("y");
        }
        let named = desk.run(&[&["adopt", "--yes", "--undo-file", &first], more].concat());
        assert!(named.code == 2 && named.stderr.contains("no run goes on with it"), "{named}");
        let output = desk.run(&[&["adopt", "--yes"], more].concat());
        output.ok();
        assert!(!output.stderr.contains("going on with"), "{output}");
        let how = format!("undo this run first, then: cni-steward adopt --undo ./{first}");
        assert!(output.stderr.contains(&how), "expected {how:?} in\n{output}");
        let files = desk.undo_files();
        assert_eq!((files.len(), &files[0]), (2, &first), "{output}");
        for file in files.iter().rev() {
            desk.run(&["adopt", "--undo", file, "--yes"]).ok();
        }
        if colleague {
            let found = stored(&plane).pop().unwrap();
            assert_eq!(found.object["metadata"]["annotations"]["note"], "y", "his stays");
            annotate("x");
        }
        let but_for_him =
            |all: &[Stored]| all.iter().take(all.len() - usize::from(colleague)).cloned().collect::<Vec<_>>();
        assert_back(&but_for_him(&before), &but_for_him(&stored(&plane)), &format!("{more:?}"));
        desk.end_pause();
        desk.forget();
    }
}

/// A person at a terminal, which `script` (util-linux) makes; without it there is nothing to see here.
pub(super) fn asked() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let desk = Desk::at(&plane);
    let before = stored(&plane);
    let adopt = format!("{} adopt", crate::support::steward::BINARY);
    let answers = |answer: &str| {
        let ours = desk.command(&[]);
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &adopt, "/dev/null"]).current_dir(desk.file("."));
        command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
        Output::of(command, Some(answer))
    };
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let no = answers("no\n");
    assert!(no.stdout.contains("Change the metadata of 6 objects at https://127.0.0.1"), "{no}");
    assert!(no.stdout.contains("nothing was changed") && no.code == 1, "{no}");
    assert_eq!(stored(&plane), before, "{no}");
    let yes = answers("yes\n");
    assert!(yes.stdout.contains("adopted: 11 writes") && yes.code == 0, "{yes}");
    for one in stored(&plane) {
        assert_stamped_and_owned(&one.object);
    }
}

pub(super) fn interrupted() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let before = stored(&plane);
    for signal in ["INT", "HUP"] {
        let desk = Desk::at(&plane);
        let mut command = desk.command(&["adopt", "--yes"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("\n2/11 ") {
            assert!(lines.read_line(&mut told).unwrap() > 0, "ended early: {told}");
        }
        // The next write hangs until the signal has surely arrived.
        let [server, _] = plane.pids();
        watchdog::signal(server, "STOP");
        watchdog::signal(child.id(), signal);
        std::thread::sleep(std::time::Duration::from_millis(200));
        watchdog::signal(server, "CONT");
        lines.read_to_string(&mut told).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(1), "{signal}: {told}");
        for word in
            ["stopped: ", " of 11 writes are done and every object is whole", "go on with: ", "--undo "]
        {
            assert!(told.contains(word), "{signal}: expected {word:?} in\n{told}");
        }
        assert!(!told.contains("11/11"), "{signal}: {told}");
        let file = desk.undo_file();
        desk.run(&["adopt", "--yes"]).ok();
        desk.run(&["adopt", "--undo", &file, "--yes"]).ok();
        assert_back(&before, &stored(&plane), signal);
        desk.end_pause();
    }
}
