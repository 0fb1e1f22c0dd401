//! What a terminal shows: colours only where they are wanted, lines that fit, and pipes that may close.

use std::process::{Command, Stdio};

use crate::support::Output;
use crate::support::steward::BINARY;
use crate::support::suite::Case;
use crate::support::watchdog::Folder;

pub(crate) const CASES: &[Case] = &[
    Case { name: "terminal::colour_is_for_terminals_and_for_who_asks", needs: &[], run: colour },
    Case { name: "terminal::lines_fit_the_terminal_and_a_pipe_has_none", needs: &[], run: width },
    Case { name: "terminal::a_reader_that_goes_away_is_no_error", needs: &[], run: closed_pipe },
];

/// Three contexts that nobody answers for, of which one has a long name.
fn folder() -> Folder {
    let folder = Folder::new();
    let names = ["here", "生产集群", "arn:aws:eks:eu-west-1:111122223333:cluster/payments-production"];
    let contexts = names.map(|name| format!("{{name: '{name}', context: {{cluster: a}}}}"));
    let kubeconfig = format!(
        "{{contexts: [{}], clusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:1'}}}}]}}",
        contexts.join(", ")
    );
    std::fs::write(folder.join("kubeconfig"), kubeconfig).unwrap();
    folder
}

/// Takes away what this machine says of colours and widths. `CI` is one of them: with it a terminal has colours, even a dumb one.
fn unaffected(command: &mut Command) -> &mut Command {
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
}

/// Runs `audit` under `script`, which gives it a terminal of its own.
fn on_terminal(folder: &Folder, args: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new("script");
    let line = format!("{BINARY} audit --all-contexts {args}");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).env("KUBECONFIG", folder.join("kubeconfig"));
    unaffected(&mut command).env("TERM", "xterm").envs(variables.iter().copied());
    Output::of(command, None).stdout.replace("\r\n", "\n")
}

fn piped(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(BINARY);
    command.args(["audit", "--all-contexts"]).args(args).env("KUBECONFIG", folder.join("kubeconfig"));
    unaffected(&mut command).envs(variables.iter().copied());
    let output = Output::of(command, None);
    assert_eq!(output.code, 2, "{output}");
    output.stdout
}

fn colour() {
    let folder = folder();
    for (told, expected) in [
        (on_terminal(&folder, "", &[]), true),
        (on_terminal(&folder, "", &[("NO_COLOR", "1")]), false),
        (on_terminal(&folder, "", &[("TERM", "dumb")]), false),
        (on_terminal(&folder, "", &[("TERM", "dumb"), ("CI", "true")]), true),
        (on_terminal(&folder, "--color never", &[]), false),
        (on_terminal(&folder, "--color always", &[("NO_COLOR", "1")]), true),
        (piped(&folder, &[], &[]), false),
        (piped(&folder, &[], &[("CLICOLOR_FORCE", "1")]), true),
        (piped(&folder, &["--color", "always"], &[]), true),
    ] {
        assert!(told.contains("not audited: unreachable"), "{told}");
        assert_eq!(told.contains('\x1b'), expected, "{told:?}");
    }
}

fn width() {
    let folder = folder();
    for columns in ["50", "80", "120"] {
        let told = on_terminal(&folder, "--color never", &[("COLUMNS", columns)]);
        let limit = columns.parse::<usize>().unwrap();
        // Seven columns have a least width.
        let limit = limit.max(7 * 8 + 6 * 2);
        for line in told.lines() {
            // Chinese characters take two columns.
            let wide = line.chars().map(|c| if c > '\u{2e80}' { 2 } else { 1 }).sum::<usize>();
            assert!(wide <= limit, "{columns}: {line:?} has {wide} columns");
        }
        assert!(told.contains("生产集群"), "{told}");
    }
    let told = piped(&folder, &[], &[("COLUMNS", "50")]);
    assert!(told.contains("arn:aws:eks:eu-west-1:111122223333:cluster/payments-production  -"), "{told}");
}

fn closed_pipe() {
    let folder = folder();
    let cases: [(&[&str], i32); 5] = [
        (&["audit", "--all-contexts"], 2),
        (&["audit", "--all-contexts", "-o", "html"], 2),
        (&["export", "policies", "--policy", "examples/block.yaml", "--kube-version", "1.36"], 0),
        (&["export", "webhook", "--url", "https://127.0.0.1:1/mutate"], 0),
        (&["review", "--policy", "examples/block.yaml", "examples/review.json"], 1),
    ];
    for (args, expected) in cases {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env("KUBECONFIG", folder.join("kubeconfig"))
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), &*stderr), (Some(expected), ""), "{args:?}");
    }
}
