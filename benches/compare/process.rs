//! One server as a process: started, waited for, and read from `/proc`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::{Caller, Request};

/// A server process; ends with this value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From start to the first answer.
    pub start: Duration,
    /// Resident set before any load, in kB.
    pub idle_kb: u64,
}

impl Server {
    /// Starts the program that `command` makes for an address, and waits for its first answer.
    pub fn start(caller: &Caller, first: &Request, command: impl Fn(SocketAddr) -> Command) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let begin = Instant::now();
        let mut child = command(address).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !caller.answers(address, first) {
            assert!(begin.elapsed() < Duration::from_secs(20), "a server did not start");
            assert!(child.try_wait().unwrap().is_none(), "a server ended at once");
            std::thread::sleep(Duration::from_micros(200));
        }
        let start = begin.elapsed();
        let mut server = Self { child, address, start, idle_kb: 0 };
        server.idle_kb = server.status("VmRSS:");
        server
    }

    /// Its number, for whoever looks at it from outside.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far, in nanoseconds, user and system.
    pub fn cpu(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Largest resident set so far, in kB.
    pub fn peak_kb(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Size of a program, in bytes.
pub fn size(program: &Path) -> u64 {
    fs::metadata(program).map_or(0, |file| file.len())
}
