//! The pages, as a new user goes through them: from top to bottom, each command typed into a shell, what it prints compared with
//! what the page shows. CONTRIBUTING.md says how a page is marked.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::purge::ground::{Beside, Ground};
use crate::support::Output;
use crate::support::book::{
    self, Block, Class, How, Page, flags, flags_in, is_shown, simple_commands, spans,
};
use crate::support::control_plane::{User, Version};
use crate::support::fixtures;
use crate::support::steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer136, Etcd, Helm3, Helm4, Kubectl};
use crate::support::watchdog::Folder;

const ALL: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm3, Helm4];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "docs::kubectl_and_helm_know_every_flag_on_the_pages",
        needs: &[Kubectl, Helm3, Helm4],
        run: known,
    },
    Case { name: "docs::every_page_with_a_stage_is_played", needs: &[], run: complete },
    Case { name: "docs::readme", needs: ALL, run: || play("README.md") },
    Case {
        name: "docs::charts_cni_steward_readme",
        needs: ALL,
        run: || play("charts/cni-steward/README.md"),
    },
    Case { name: "docs::should_i_use_this", needs: ALL, run: || play("docs/should-i-use-this.md") },
    Case { name: "docs::quick_start", needs: ALL, run: || play("docs/quick-start.md") },
    Case { name: "docs::adopt_with_helm", needs: ALL, run: || play("docs/adopt-with-helm.md") },
    Case { name: "docs::adopt_with_flux", needs: ALL, run: || play("docs/adopt-with-flux.md") },
    Case { name: "docs::adopt_with_argocd", needs: ALL, run: || play("docs/adopt-with-argocd.md") },
    Case { name: "docs::adopt_with_terraform", needs: ALL, run: || play("docs/adopt-with-terraform.md") },
    Case { name: "docs::replace_with_cilium", needs: ALL, run: || play("docs/replace-with-cilium.md") },
    Case { name: "docs::replace_with_calico", needs: ALL, run: || play("docs/replace-with-calico.md") },
    Case { name: "docs::audit", needs: ALL, run: || play("docs/audit.md") },
    Case { name: "docs::cluster_api", needs: ALL, run: || play("docs/cluster-api.md") },
    Case { name: "docs::verify", needs: ALL, run: verify },
];

fn complete() {
    let staged = book::pages().into_iter().filter(|page| !book::stages(page).is_empty());
    let names = staged.map(|page| {
        let name = page.name.strip_suffix(".md").unwrap();
        format!(
            "docs::{}",
            name.strip_prefix("docs/").unwrap_or(name).to_lowercase().replace(['-', '/'], "_")
        )
    });
    for name in names {
        assert!(CASES.iter().any(|case| case.name == name), "expected a case {name} for its page");
    }
}

/// Asks each program for the help of the command, so that no cluster is needed.
fn known() {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut seen = 0;
    for page in book::pages() {
        let blocks = page.blocks.iter().filter(|block| block.has_commands());
        let commands = blocks.flat_map(Block::commands).map(|command| (command.line, command.text));
        for (line, text) in commands.chain(spans(&page)) {
            for words in simple_commands(&text) {
                let tools: &[Tool] = match words[0].as_str() {
                    "kubectl" if words.get(1).is_some_and(|word| word == "cni-steward") => continue,
                    "kubectl" => &[Kubectl],
                    "helm" => &[Helm3, Helm4],
                    _ => continue,
                };
                seen += 1;
                let path = subcommand(&words);
                if path.is_empty() {
                    continue;
                }
                let help = helps.entry(format!("{} {path}", words[0])).or_insert_with(|| help(tools, &path));
                if help.is_empty() {
                    complaints.push(format!("{}:{line}: {} has no command {path:?}", page.name, words[0]));
                    continue;
                }
                let there: BTreeSet<_> = flags_in(help);
                let missing = flags(&words).into_iter().filter(|flag| !there.contains(flag));
                complaints.extend(
                    missing.map(|flag| format!("{}:{line}: {} {path} has no {flag}", page.name, words[0])),
                );
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    assert!(seen > 40, "expected commands on the pages, got {seen}");
}

/// `rollout status`, `create secret tls`, `get`: the words before the first flag or name that are commands.
fn subcommand(words: &[String]) -> String {
    const NESTED: [&str; 8] = ["auth", "config", "create", "get", "repo", "rollout", "secret", "set"];
    let mut path: Vec<&str> = Vec::new();
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        if matches!(word.as_str(), "-n" | "--namespace" | "--context" | "--kubeconfig") {
            rest.next();
        } else if !word.starts_with('-') {
            path.push(word);
            let is_kubectl_get = words[0] == "kubectl" && word == "get";
            if is_kubectl_get || !NESTED.contains(&word.as_str()) {
                break;
            }
        }
    }
    path.join(" ")
}

/// What these programs say about a command; empty if none has it.
fn help(tools: &[Tool], path: &str) -> String {
    let mut all = String::new();
    for tool in tools {
        let mut command = Command::new(tool.path().unwrap());
        command.args(path.split(' ')).arg("--help").env_remove("KUBECONFIG");
        let output = Output::of(command, None);
        let name = if *tool == Kubectl { "kubectl" } else { "helm" };
        let first = path.split(' ').next().unwrap_or_default();
        if output.code == 0 && output.stdout.contains(&format!("{name} {first}")) {
            all.push_str(&output.stdout);
            if *tool == Kubectl {
                let mut options = Command::new(tool.path().unwrap());
                options.arg("options");
                all.push_str(Output::of(options, None).ok());
            }
        }
    }
    all
}

/// Plays a page on a cluster of its own for each stage.
fn play(name: &str) {
    let page = book::page(name);
    let mut stages = book::stages(&page).into_iter().peekable();
    assert!(stages.peek().is_some(), "expected a stage in {name}");
    while let Some((from, words)) = stages.next() {
        let to = stages.peek().map_or(usize::MAX, |(line, _)| *line);
        let blocks: Vec<&Block> =
            page.blocks.iter().filter(|block| (from..to).contains(&block.line)).collect();
        let stage = Stage::set(&page, &words, from);
        for block in blocks {
            stage.keep(block);
            if let Ok(Class::Run(how)) = block.class()
                && block.has_commands()
            {
                stage.type_in(&page, block, how);
            }
        }
    }
}

/// The folder of a release, for the page of somebody who has nothing else.
const RELEASE: &str = "CNI_STEWARD_RELEASE";

fn verify() {
    if std::env::var_os(RELEASE).is_some() {
        play("docs/verify.md");
    } else {
        eprintln!("docs::verify: left out; `make release-check VERSION=…` plays the page on a release");
    }
}

/// A cluster in the state of a reader who has come so far, and a desk with what lies on his.
struct Stage {
    ground: Ground,
    desk: Folder,
    /// What kube-controller-manager does on the reader's cluster when the workload is deleted.
    _collector: Beside,
}

/// The nodes of a stage that has nodes.
const NODES: [&str; 2] = ["ip-10-0-1-17.ec2.internal", "ip-10-0-2-42.ec2.internal"];

impl Stage {
    fn set(page: &Page, words: &[String], line: usize) -> Self {
        let ground = Ground::bare(Version::V1_36);
        let desk = Folder::new();
        let bin = desk.join("bin");
        std::fs::create_dir(&bin).unwrap();
        if words.iter().any(|word| word == "release") {
            lay_out_release(&desk, &bin);
        } else {
            std::fs::create_dir(desk.join("eks")).unwrap();
            for folder in ["charts", "examples", "certs"] {
                symlink(book::root().join(folder), desk.join(folder)).unwrap();
            }
            symlink(fixtures::CHART, desk.join("eks/aws-vpc-cni")).unwrap();
            symlink(fixtures::EKS_APPLY, desk.join("aws-k8s-cni.yaml")).unwrap();
            symlink(steward::BINARY, bin.join("cni-steward")).unwrap();
        }
        symlink(Kubectl.path().unwrap(), bin.join("kubectl")).unwrap();
        let helm = if words.iter().any(|word| word == "helm-3") { Helm3 } else { Helm4 };
        symlink(helm.path().unwrap(), bin.join("helm")).unwrap();
        for word in words {
            match word.as_str() {
                "empty" | "release" | "helm-3" | "helm-4" => {}
                "eks" => drop(ground.plane.eks_apply(fixtures::EKS_APPLY).ok().to_owned()),
                "nodes" => {
                    ground.nodes(&NODES);
                    ground.pods_of_the_workload(&NODES);
                }
                "cilium" => ground.runs("cilium", &NODES),
                "calico" => ground.runs("calico-node", &NODES),
                _ => panic!("{}:{line}: there is no stage {word:?}", page.name),
            }
        }
        let collector = ground.collector();
        Self { ground, desk, _collector: collector }
    }

    /// A block that begins with its file's name, as a comment, is a file that the reader makes.
    fn keep(&self, block: &Block) {
        let first = block.lines.first().and_then(|line| line.strip_prefix("# "));
        if let Some(file) = first.filter(|file| {
            Path::new(file).extension().is_some_and(|end| end == "yaml") && !file.contains([' ', '/'])
        }) {
            std::fs::write(self.desk.join(file), block.lines.join("\n") + "\n").unwrap();
        }
    }

    fn type_in(&self, page: &Page, block: &Block, how: How) {
        let commands = block.commands();
        let last = commands.len() - 1;
        for (index, command) in commands.iter().enumerate() {
            let (exit, until) = if index == last { (how.exit, how.until) } else { (0, false) };
            let start = Instant::now();
            loop {
                let output = self.shell(&command.text);
                let printed = &output.stdout;
                if std::env::var_os("CNI_STEWARD_TRANSCRIPT").is_some() {
                    eprintln!("{}:{}\n$ {}\n{printed}", page.name, command.line, command.text);
                }
                let wrong = match is_shown(&command.shown, printed) {
                    _ if output.code != exit => format!("expected exit code {exit}"),
                    Err(why) => why,
                    Ok(()) => break,
                };
                assert!(
                    until && start.elapsed() < Duration::from_secs(30),
                    "{}:{}: {wrong}\n$ {}\nexit code {}\n{printed}",
                    page.name,
                    command.line,
                    command.text,
                    output.code
                );
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    }

    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("bash");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.desk.join("bin").display());
        // As on a terminal, what goes to stderr comes in between.
        let line = format!("exec 2>&1\n{line}");
        command.args(["-o", "pipefail", "-c", &line]).current_dir(self.desk.path()).env_clear();
        command.env("PATH", path).env("KUBECONFIG", self.ground.plane.kubeconfig(User::Admin));
        command.env("HOME", self.desk.join("home")).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        Output::of(command, None)
    }
}

/// Copies of the release's files, and cosign; nothing of the project.
fn lay_out_release(desk: &Folder, bin: &Path) {
    let release = std::env::var_os(RELEASE).expect("a stage `release` is played by `make release-check`");
    for file in std::fs::read_dir(release).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), desk.join(file.file_name().to_str().unwrap())).unwrap();
    }
    let mut get = Command::new(book::root().join("tests/control-plane/get.sh"));
    get.args(["--check", "cosign"]);
    let cosign = Output::of(get, None).ok().trim().replace("cosign=", "");
    symlink(cosign, bin.join("cosign")).unwrap();
}
