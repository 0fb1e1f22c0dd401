//! A copy of this test program that starts something and hangs, to be ended in the middle.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::watchdog;

/// Killed when dropped.
pub(crate) struct Victim(Child);

impl Victim {
    /// Starts it, told by `variable` what it is; also gives the first line that it prints.
    pub(crate) fn start(variable: &str) -> (Self, String) {
        let child = command().env(variable, "yes").stdout(Stdio::piped()).spawn().unwrap();
        let mut victim = Self(child);
        let mut line = String::new();
        BufReader::new(victim.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (victim, line.trim_end().to_owned())
    }

    /// Sends a signal by name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        watchdog::signal(self.0.id(), name);
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// This very program; with Ctrl-C switched on again where whoever started us had it ignored, as a shell's `&` does.
fn command() -> Command {
    let program = std::env::current_exe().unwrap();
    let gnu_env = Command::new("env").args(["--default-signal=INT", "true"]).output();
    if gnu_env.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(program);
        return command;
    }
    Command::new(program)
}
