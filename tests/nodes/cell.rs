//! Namespaces for one case: processes, mounts and network of its own. Nothing in there has a name or a port outside, so two
//! runs cannot meet, and the kernel ends all of it when the first process in there is killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::suite::Case;
use crate::support::watchdog::{Background, Folder, Groups};
use crate::support::{Output, tail, until};

/// Set inside; its value is the name of the run's cgroups.
const INSIDE: &str = "CNI_STEWARD_CELL";

/// The first process in there. Of each cgroup hierarchy it sees only one branch, by the name of this run, as the whole.
const INIT: &str = r#"
for folder in /run /var/log; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/netns /run/lock
# There is nobody to ask, and nobody shall wait for that to be found out.
echo 'nameserver 127.0.0.1' >/run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf
ip link set lo up
# Read before it grows.
hierarchies=$(awk '$3 ~ /^cgroup2?$/ { print $2, $3 }' /proc/mounts)
export hierarchies
while read -r at kind; do
  mkdir -p "$at/$CNI_STEWARD_CELL"
  for set in cpuset.cpus cpuset.mems; do
    # A new set of CPUs of version 1 is empty, and nothing can run in it.
    if [ $kind = cgroup ] && [ -e "$at/$set" ]; then cat "$at/$set" >"$at/$CNI_STEWARD_CELL/$set"; fi
  done
  echo $$ >"$at/$CNI_STEWARD_CELL/cgroup.procs"
done <<ALL
$hierarchies
ALL
exec unshare --cgroup sh -euc "$1" "$0" "$@"
"#;

/// The same process, a namespace later. It waits for the case, and for whatever containers leave orphaned.
const SECOND: &str = r#"
shift
while read -r at kind; do
  mount --bind "$at/$CNI_STEWARD_CELL" "$at"
  # In version 2 a group has either processes or branches.
  if [ $kind = cgroup2 ]; then mkdir -p "$at/init" && echo $$ >"$at/init/cgroup.procs"; fi
done <<ALL
$hierarchies
ALL
status=0
"$0" "$@" || status=$?
exit $status
"#;

pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// What this machine lacks, in one line.
pub(crate) fn lacks() -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control-plane/missing.sh");
    let mut command = Command::new("bash");
    command.arg(script);
    let line = Output::of(command, None).ok().trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// Runs the case in a cell and fails as it fails.
pub(crate) fn run(case: &Case) {
    // What is inside plans for an end of its own; this is for what hangs.
    Cell::start(case.name).expect_success(Duration::from_mins(30));
}

/// A case that runs in namespaces of its own. Dropped, all of it ends.
#[derive(Debug)]
pub(crate) struct Cell {
    // In this order they are dropped.
    process: Background,
    _groups: Groups,
    folder: Folder,
}

impl Cell {
    pub(crate) fn start(case: &str) -> Self {
        let folder = Folder::new();
        let name = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let groups = Groups::new(&name);
        let inside = format!("{INSIDE}={name}");
        let temporary = format!("TMPDIR={}", folder.path().display());
        let program = std::env::current_exe().unwrap();
        let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut args = vec![inside.as_str(), &temporary, "unshare"];
        args.extend(namespaces);
        args.extend(["sh", "-euc", INIT, program.to_str().unwrap(), SECOND, "--exact", case]);
        let process = Background::start(Path::new("env"), &args, &folder.join("case.log"));
        Self { process, _groups: groups, folder }
    }

    /// Lives as long as the cell, and is the folder for temporary files in there.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process outside that all in there hangs on.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    #[track_caller]
    pub(crate) fn expect_success(mut self, limit: Duration) {
        let status = until("the case ended", limit, || self.process.ended());
        let log = tail(self.process.log(), 120);
        match status {
            Ok(status) if status.success() => {
                for line in log.lines().filter_map(|line| Some(line.split_once(REPORT)?.1)) {
                    eprintln!("\n  {line}");
                }
            }
            Ok(_) => panic!("{log}"),
            Err(error) => panic!("{error}\n{log}"),
        }
    }
}

const REPORT: &str = "report: ";

/// A number that whoever runs the tests shall see although all went well.
pub(crate) fn report(line: &str) {
    eprintln!("{REPORT}{line}");
}

/// A folder that is removed with the cell, and not before: what runs in here may have mounts below it.
pub(crate) fn folder() -> PathBuf {
    std::env::temp_dir()
}
