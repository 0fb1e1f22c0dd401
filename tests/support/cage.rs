//! A control group of this machine for one program: little memory, or hardly any CPU. Needs root; where no group can be made, the
//! tests that need one are left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::watchdog::{Folder, Groups};

const ROOT: &str = "/sys/fs/cgroup";

/// What a group limits, each in a hierarchy of its own in version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// In bytes.
    Memory(u64),
    /// In hundredths of a core.
    Cpu(u64),
}

/// A group with a limit. Dropped, it is removed with whoever is in it gone.
#[derive(Debug)]
pub(crate) struct Cage {
    _groups: Groups,
    path: PathBuf,
    _name: Folder,
}

/// Whether groups can be made here.
pub(crate) fn can_be_made() -> bool {
    [Limit::Memory(0), Limit::Cpu(0)].iter().all(|limit| {
        let trial = hierarchy(*limit).join(format!("cni-steward-trial-{}", std::process::id()));
        prepare(*limit);
        let made = std::fs::create_dir(&trial).is_ok() && trial.join(file(*limit)).exists();
        std::fs::remove_dir(&trial).ok();
        made
    })
}

fn is_version_2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

fn hierarchy(limit: Limit) -> PathBuf {
    let name = match limit {
        _ if is_version_2() => "",
        Limit::Memory(_) => "memory",
        Limit::Cpu(_) => "cpu",
    };
    Path::new(ROOT).join(name)
}

/// In version 2 a group has a limit where the group around it says so.
fn prepare(limit: Limit) {
    let controller = if matches!(limit, Limit::Memory(_)) { "+memory" } else { "+cpu" };
    if is_version_2() {
        std::fs::write(Path::new(ROOT).join("cgroup.subtree_control"), controller).ok();
    }
}

fn file(limit: Limit) -> &'static str {
    match (limit, is_version_2()) {
        (Limit::Memory(_), true) => "memory.max",
        (Limit::Memory(_), false) => "memory.limit_in_bytes",
        (Limit::Cpu(_), true) => "cpu.max",
        (Limit::Cpu(_), false) => "cpu.cfs_quota_us",
    }
}

impl Cage {
    pub(crate) fn new(limit: Limit) -> Self {
        let name = Folder::new();
        let word = name.path().file_name().unwrap().to_str().unwrap();
        prepare(limit);
        let path = hierarchy(limit).join(word);
        let groups = Groups::new(word);
        std::fs::create_dir(&path).unwrap();
        // Of each tenth of a second.
        let value = match limit {
            Limit::Memory(bytes) => bytes.to_string(),
            Limit::Cpu(hundredths) if is_version_2() => format!("{} 100000", hundredths * 1000),
            Limit::Cpu(hundredths) => (hundredths * 1000).to_string(),
        };
        std::fs::write(path.join(file(limit)), value).unwrap();
        Self { _groups: groups, path, _name: name }
    }

    /// `program`, in here from its first instruction on.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"echo $$ >"$0" && exec "$@""#])
            .arg(self.path.join("cgroup.procs"))
            .arg(program);
        command
    }

    /// Takes in a program that runs already.
    pub(crate) fn take(&self, pid: u32) {
        std::fs::write(self.path.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// How often this was counted, such as `oom_kill` or `nr_throttled`.
    pub(crate) fn counted(&self, what: &str) -> u64 {
        let files = ["memory.events", "memory.oom_control", "cpu.stat"];
        let pages = files.iter().filter_map(|file| std::fs::read_to_string(self.path.join(file)).ok());
        let text = pages.collect::<Vec<_>>().join("\n");
        let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {what} in {text}")).trim().parse().unwrap()
    }
}
