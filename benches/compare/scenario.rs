//! What is asked of whom.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::Caller;
use crate::process::Server;
use crate::reviews::Story;

/// One program with one policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Floor,
    Ours(&'static str),
    Go,
    Kube,
}

/// One row of the table.
pub struct Scenario {
    pub name: &'static str,
    pub who: Who,
    pub story: Story,
}

const TRANSFER: Who = Who::Ours("mode: Adopt");

/// The rows; the floor is the first.
pub const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "floor: constant allow", who: Who::Floor, story: Story::Upgrade },
    Scenario { name: "outside the catalogue", who: TRANSFER, story: Story::Stranger },
    Scenario { name: "Observe", who: Who::Ours("mode: Observe"), story: Story::Upgrade },
    Scenario {
        name: "Adopt, stamps only",
        who: Who::Ours("mode: Adopt\nfields: Stamp"),
        story: Story::Upgrade,
    },
    Scenario { name: "Adopt with transfer", who: TRANSFER, story: Story::Upgrade },
    Scenario { name: "Adopt, `eks` comes back", who: TRANSFER, story: Story::Return },
    Scenario { name: "Block refuses a CREATE", who: Who::Ours("mode: Block"), story: Story::Create },
    Scenario { name: "Go, standard library, three stamps", who: Who::Go, story: Story::Upgrade },
    Scenario { name: "Rust, axum and kube's types, three stamps", who: Who::Kube, story: Story::Upgrade },
];

/// Where the programs and their files are.
pub struct Place {
    folder: PathBuf,
    go: Option<PathBuf>,
    kube: Option<PathBuf>,
}

impl Place {
    /// Writes certificates; the peers are where the Makefile has put them.
    pub fn new(folder: &Path, ca: &str, cert: &str, key: &str) -> Self {
        for (name, text) in [("ca.crt", ca), ("tls.crt", cert), ("tls.key", key)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let peer =
            |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
        Self { folder: folder.to_owned(), go: peer("BENCH_GO"), kube: peer("BENCH_KUBE") }
    }

    /// The program, if it is there.
    pub fn program(&self, who: Who) -> Option<PathBuf> {
        match who {
            Who::Floor => std::env::current_exe().ok(),
            Who::Ours(_) => Some(env!("CARGO_BIN_EXE_cni-steward").into()),
            Who::Go => self.go.clone(),
            Who::Kube => self.kube.clone(),
        }
    }

    /// Starts it.
    pub fn start(&self, who: Who, caller: &Caller, body: &[u8]) -> Option<Server> {
        let program = self.program(who)?;
        let (cert, key) = (self.folder.join("tls.crt"), self.folder.join("tls.key"));
        Some(Server::start(caller, body, |address: SocketAddr| {
            let mut command = Command::new(&program);
            match who {
                Who::Floor => command.arg("floor").arg(address.to_string()).arg(&cert).arg(&key),
                Who::Go | Who::Kube => command.arg(address.to_string()).arg(&cert).arg(&key),
                Who::Ours(policy) => {
                    let file = self.folder.join(format!("{}.yaml", policy.replace(['\n', ':', ' '], "-")));
                    std::fs::write(&file, policy).unwrap();
                    command
                        .args(["serve", "--telemetry", "off", "--log-format", "json", "--listen"])
                        .arg(address.to_string())
                        .arg("--policy")
                        .arg(file)
                        .arg("--cert")
                        .arg(&cert)
                        .arg("--key")
                        .arg(&key)
                }
            };
            command
        }))
    }
}
