//! What a shell offers after a tab.

use std::path::Path;
use std::process::Command;

use crate::support::Output;
use crate::support::steward::{self, BINARY};
use crate::support::suite::Case;
use crate::support::tools::Tool::{Fish, Zsh};
use crate::support::watchdog::Folder;

pub(crate) const CASES: &[Case] = &[
    Case { name: "completion::commands_options_values_and_contexts_are_offered", needs: &[], run: offers },
    Case { name: "completion::every_command_and_option_can_be_completed", needs: &[], run: everything },
    Case { name: "completion::bash_offers_it", needs: &[], run: bash },
    Case { name: "completion::zsh_offers_it", needs: &[Zsh], run: zsh },
    Case { name: "completion::fish_offers_it", needs: &[Fish], run: fish },
    Case { name: "completion::powershells_script_is_there", needs: &[], run: powershell },
];

const ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";

/// A folder with a kubeconfig of three contexts, and the program beside it.
fn folder() -> Folder {
    let folder = Folder::new();
    let contexts = ["dev", "staging", ARN].map(|name| format!("{{name: '{name}', context: {{cluster: a}}}}"));
    let kubeconfig = format!("{{contexts: [{}]}}", contexts.join(", "));
    std::fs::write(folder.join("kubeconfig"), kubeconfig).unwrap();
    std::os::unix::fs::symlink(BINARY, folder.join("cni-steward")).unwrap();
    folder
}

/// The candidates for the last word, as the shells' scripts ask for them.
fn asked(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(BINARY);
    command.args(["__complete", "--"]).args(words).env("KUBECONFIG", folder.join("kubeconfig"));
    let output = Output::of(command, None);
    output.ok().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn offers() {
    let folder = folder();
    let folder = folder.path();
    let none: [&str; 1] = [":4"];
    let cases: [(&[&str], &[&str]); 14] = [
        (&["aud"], &["audit", ":4"]),
        (&["export", "w"], &["webhook", ":4"]),
        (&["audit", "--al"], &["--all-contexts", ":4"]),
        (&["audit", "-o", ""], &["table", "json", "csv", "html", ":4"]),
        (&["audit", "--output=j"], &["--output=json", ":4"]),
        (&["audit", "-o", "json", "--contexts", "dev,"], &["dev,staging", &format!("dev,{ARN}"), ":4"]),
        (&["status", "--context", "arn:aws:"], &[ARN, ":4"]),
        (&["status", "--context=st"], &["--context=staging", ":4"]),
        (&["status", "--kubeconfig", "no-such-file", "--context", ""], &none),
        (&["status", "--kubeconfig", ""], &[":0"]),
        (&["review", "--policy", "x.yaml", "rev"], &[":0"]),
        (&["review", "--", "--po"], &[":0"]),
        (&["completion", "f"], &["fish", ":4"]),
        (&["no-such-command", "-"], &["--help", "--version", ":4"]),
    ];
    for (words, expected) in cases {
        assert_eq!(asked(folder, words), expected, "{words:?}");
    }
    assert!(!asked(folder, &[""]).iter().any(|word| word.starts_with("__")), "what is hidden is not offered");
}

/// Walks the whole tree that clap knows.
fn everything() {
    let folder = folder();
    let mut command = cni_steward::cli::command();
    command.build();
    let mut waiting = vec![(Vec::<String>::new(), &command)];
    while let Some((path, command)) = waiting.pop() {
        let offered = |last: &str| {
            let words: Vec<&str> = path.iter().map(String::as_str).chain([last]).collect();
            asked(folder.path(), &words)
        };
        let options = offered("--");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(long) = arg.get_long() else { continue };
            assert!(options.contains(&format!("--{long}")), "{path:?} --{long}: {options:?}");
        }
        let commands = offered("");
        for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
            assert!(commands.contains(&child.get_name().to_owned()), "{path:?}: {commands:?}");
            if child.get_name() != "help" && path.first().is_none_or(|first| first != "help") {
                waiting.push(([path.clone(), vec![child.get_name().to_owned()]].concat(), child));
            }
        }
    }
}

/// Runs a shell with the program in its path.
fn shell(folder: &Folder, shell: &Path, args: &[&str]) -> String {
    // A terminal that never says what is waited for would be waited for without end.
    let mut command = Command::new("timeout");
    command.arg("60").arg(shell);
    let path = format!("{}:{}", folder.path().display(), std::env::var_os("PATH").unwrap().display());
    command
        .args(args)
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("KUBECONFIG", folder.join("kubeconfig"));
    command.env("TERM", "dumb").current_dir(folder.path());
    Output::of(command, None).ok().to_owned()
}

fn bash() {
    let folder = folder();
    // What readline hands over: the line, where the cursor is, and the words as bash cuts them.
    let script = r#"
        source <(cni-steward completion bash)
        complete -p cni-steward kubectl-cni_steward
        ask() { COMP_LINE=$1 COMP_POINT=${#1}; COMPREPLY=(); _cni_steward cni-steward; echo "$1|${COMPREPLY[*]}"; }
        ask 'cni-steward aud'
        ask 'cni-steward audit --out'
        ask 'cni-steward audit -o '
        ask 'cni-steward status --context arn:aws:eks'
        ask 'cni-steward status --context=dev'
        ask 'cni-steward completion x'
        COMP_LINE='cni-steward aud now' COMP_POINT=15; _cni_steward; echo "middle|${COMPREPLY[*]}"
    "#;
    let told = shell(&folder, Path::new("bash"), &["--norc", "-c", script]);
    let expected = [
        "complete -o default -F _cni_steward cni-steward",
        "complete -o default -F _cni_steward kubectl-cni_steward",
        "cni-steward aud|audit",
        "cni-steward audit --out|--output",
        "cni-steward audit -o |table json csv html",
        // bash replaces only what follows the last colon or equals sign.
        "cni-steward status --context arn:aws:eks|eks:eu-west-1:111122223333:cluster/prod",
        "cni-steward status --context=dev|dev",
        "cni-steward completion x|",
        "middle|audit",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

fn fish() {
    let folder = folder();
    let ask = |line: &str| {
        let script = format!("cni-steward completion fish | source; complete --do-complete '{line}'");
        let told = shell(&folder, Fish.path().unwrap(), &["--no-config", "-c", &script]);
        told.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ask("cni-steward aud"), ["audit"]);
    assert_eq!(ask("cni-steward audit --output "), ["table", "json", "csv", "html"]);
    assert_eq!(ask("cni-steward status --context arn:aws"), [ARN]);
    assert_eq!(ask("cni-steward status --kubeconfig kube"), ["kubeconfig"]);
}

fn zsh() {
    let folder = folder();
    // A real interactive zsh on a terminal of its own; it is ready when it asks the terminal to mark what is pasted (2004h). A
    // bell in the middle of a word would say that it takes the answer for none.
    let script = r#"
        zmodload zsh/zpty
        zpty inner 'TERM=dumb PS1="ready> " zsh -f -i'
        expect() { local text; zpty -r inner text "*$~1" || exit 1 }
        expect 'ready> *2004h'
        zpty -w inner 'autoload -U compinit && compinit -u && source <(cni-steward completion zsh) && PS1="set""> "'
        expect 'set> *2004h'
        ask() { zpty -w -n inner "$1"$'\t'; expect "$2"; zpty -w -n inner $'\x15'; print }
        ask 'cni-steward aud' 'audit '
        ask 'cni-steward audit --outp' '--output '
        ask 'cni-steward audit --output=j' 'json '
        ask 'cni-steward status --context arn:' 'cluster/prod '
        ask 'cni-steward completion f' 'fish '
        zpty -d inner
        print done
    "#;
    let told = shell(&folder, Zsh.path().unwrap(), &["-f", "-c", script]);
    assert!(told.ends_with("done\n"), "{told:?}");
    // As a file in a folder of functions, which zsh loads when it is needed.
    let functions = folder.join("functions");
    std::fs::create_dir(&functions).unwrap();
    let written = steward::run(&["completion", "zsh"]);
    std::fs::write(functions.join("_cni-steward"), written.ok()).unwrap();
    let script =
        "fpath=($HOME/functions $fpath); autoload -U compinit && compinit -u; print ${_comps[cni-steward]}";
    assert_eq!(shell(&folder, Zsh.path().unwrap(), &["-f", "-c", script]).trim(), "_cni-steward");
}

/// No PowerShell to try it with: at least it names the program and asks as the others do.
fn powershell() {
    let script = steward::run(&["completion", "powershell"]);
    for piece in
        ["Register-ArgumentCompleter -Native -CommandName 'cni-steward'", "& $program __complete -- @words"]
    {
        assert!(script.ok().contains(piece), "expected {piece:?} in {script}");
    }
}
