//! The real binary, started on free ports, and stopped when the test ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A running `serve`.
pub struct Program {
    child: Child,
    said: Arc<Mutex<String>>,
    pub reviews: SocketAddr,
    pub metrics: SocketAddr,
}

/// `serve` with these arguments on free ports.
pub fn serve(arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cni-steward"));
    command.arg("serve").args(arguments).args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    Program::start(command)
}

impl Program {
    /// Starts and waits until it says where it listens.
    pub fn start(command: Command) -> Self {
        Self::spawn(command, usize::MAX)
    }

    /// As `start`, but its standard error is not read any more after the greeting.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn start_deaf(command: Command) -> Self {
        Self::spawn(command, 0)
    }

    fn spawn(mut command: Command, further: usize) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&said));
        thread::spawn(move || {
            let mut left = usize::MAX;
            for line in lines.map_while(Result::ok) {
                if line.starts_with("stop it with") {
                    left = further;
                }
                let mut said = heard.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
                drop(said);
                if left == 0 {
                    // Holds the pipe open without reading it.
                    loop {
                        thread::park();
                    }
                }
                left -= 1;
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut program = Self { child, said, reviews: nowhere, metrics: nowhere };
        program.hears("stop it with Ctrl-C");
        program.reviews = program.told("https://", "/mutate");
        program.metrics = program.told("http://", "/metrics");
        program
    }

    /// All it has written to standard error.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has written `text`.
    pub fn hears(&mut self, text: &str) {
        until(|| self.said().contains(text) || self.child.try_wait().unwrap().is_some());
        assert!(self.said().contains(text), "no {text:?} in {}", self.said());
    }

    /// Sends `TERM`, `INT` or `KILL`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// True when it has ended.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Open file descriptors.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// CPU time used so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// A page of the plain listener, head and body.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn page(&self, path: &str) -> String {
        let mut plain = TcpStream::connect(self.metrics).unwrap();
        write!(plain, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        plain.read_to_string(&mut page).unwrap();
        page
    }

    /// A line of `/proc/PID/status` in KiB, such as `VmRSS`.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let found = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')).unwrap();
        found.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn told(&self, before: &str, after: &str) -> SocketAddr {
        let said = self.said();
        let line = said.lines().find(|line| line.ends_with(after) && line.contains(before)).unwrap();
        line.split(before).nth(1).unwrap().strip_suffix(after).unwrap().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a `serve` that does not get far says, and its exit code.
pub fn refused(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_cni-steward")).arg("serve").args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Waits for a condition, but not for ever.
pub fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
