//! A Go program that answers line by line. It ends when its standard input does, so it cannot outlive the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::tools::Tool;

pub(crate) struct Oracle {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start(tool: Tool) -> Self {
        let mut command = Command::new(tool.path().unwrap_or_else(|missing| panic!("{missing}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", tool.name()));
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.to.as_mut().unwrap().write_all(text.as_bytes()).expect("the oracle reads");
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the oracle answers in UTF-8");
        assert!(line.ends_with('\n'), "the oracle stopped; what it said is above");
        line
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.to.take());
        drop(self.child.wait());
    }
}
