//! Nothing stays behind: no process and no folder, after a failed assertion, after Ctrl-C, and after `kill -9`.
//!
//! The first two levels are ordinary: [`Background`] and [`Folder`] clean up when dropped. For the rest each test process has
//! one small shell beside it, in a process group of its own, that knows what is running. It reads a pipe, and when the
//! pipe's other end goes away, for whatever reason, it kills and removes what is still listed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = r#"
trap '' HUP INT TERM
set -f
pids= dirs= groups=
while read -r what which; do
  case $what in
    pid) pids="$pids $which" ;;
    dir) dirs="$dirs$which
" ;;
    group) groups="$groups $which" ;;
    forget) rest=; for pid in $pids; do [ "$pid" = "$which" ] || rest="$rest $pid"; done; pids=$rest ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done
for group in $groups; do
  # A group of processes can be removed when the last of them is gone.
  for try in 1 2 3 4 5 6 7 8 9 10; do
    find /sys/fs/cgroup -depth -type d -path "*/$group*" -delete
    [ -z "$(find /sys/fs/cgroup -type d -name "$group")" ] && break
    sleep 0.2
  done
done
IFS='
'
for dir in $dirs; do
  # What was killed may still be writing for a moment.
  for try in 1 2 3 4 5; do rm -rf "$dir" && break; sleep 0.2; done
done
"#;

fn tell(line: &str) {
    static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let pipe = PIPE.get_or_init(|| {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Mutex::new(shell.spawn().expect("a shell to watch over what the tests start").stdin.unwrap())
    });
    let mut pipe = pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(pipe, "{line}").expect("the watching shell reads");
}

/// A program that runs beside the test. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts `program`; what it prints goes to the file `log`.
    pub(crate) fn start<A: AsRef<OsStr>>(program: &Path, args: &[A], log: &Path) -> Self {
        let file = File::create(log).unwrap();
        // The program itself starts only when the watching shell knows its number: if we die before that, `read` fails.
        let mut command = Command::new("sh");
        command.args(["-c", r#"read -r go && exec "$0" "$@""#]).arg(program).args(args);
        command.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let mut child = command.spawn().unwrap();
        tell(&format!("pid {}", child.id()));
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        Self { child, log: log.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.child.kill());
        // Before `wait`: until then the number cannot belong to anybody else.
        tell(&format!("forget {}", self.child.id()));
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- last lines of {}\n{}", self.log.display(), super::tail(&self.log, 12));
        }
    }
}

/// A folder for one test. Dropped, it is removed; `CNI_STEWARD_KEEP=1` keeps it.
#[derive(Debug)]
pub(crate) struct Folder(Option<tempfile::TempDir>, PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cni-steward-").tempdir().unwrap();
        let path = folder.path().to_owned();
        if std::env::var_os("CNI_STEWARD_KEEP").is_some() {
            drop(folder.keep());
            eprintln!("kept: {}", path.display());
            return Self(None, path);
        }
        tell(&format!("dir {}", path.display()));
        Self(Some(folder), path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.1
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.1.join(name)
    }
}

/// A name under which cgroups are made, in whatever hierarchies there are. Dropped, those that are empty are removed.
#[derive(Debug)]
pub(crate) struct Groups(String);

impl Groups {
    pub(crate) fn new(name: &str) -> Self {
        tell(&format!("group {name}"));
        Self(name.to_owned())
    }

    /// The folders there are by this name.
    pub(crate) fn folders(name: &str) -> Vec<PathBuf> {
        let found =
            Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", name]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).lines().map(PathBuf::from).collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let pattern = format!("*/{}*", self.0);
        drop(super::until("the groups were empty", std::time::Duration::from_secs(5), || {
            let mut remove = Command::new("find");
            remove.args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &pattern, "-delete"]);
            remove.stderr(Stdio::null());
            drop(remove.status());
            Self::folders(&self.0).is_empty().then_some(())
        }));
    }
}

/// Sends a signal by name to any process.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "could not send {name} to {pid}");
}

/// Is this process running? One that has ended and waits to be reaped is not.
pub(crate) fn runs(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => Command::new("kill")
            .args(["-0", &pid.to_string()])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
    }
}
