//! What is asked of whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::{Caller, Request, request};
use crate::process::Server;
use crate::reviews::{Story, review};

/// One program with one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A constant allow.
    Floor,
    /// An allow that an API server takes.
    Allow,
    /// The patch of ours under this policy, learned once.
    Precomputed(&'static str),
    Ours(&'static str),
    Go,
    Kube,
}

impl Who {
    /// Whether it is somebody else's way of doing it.
    pub fn is_peer(self) -> bool {
        matches!(self, Who::Go | Who::Kube)
    }
}

/// One row of the table.
pub struct Scenario {
    pub name: &'static str,
    pub who: Who,
    pub story: Story,
}

/// The policies that are compared.
pub const ADOPT: Who = Who::Ours("mode: Adopt");
pub const OBSERVE: Who = Who::Ours("mode: Observe");
pub const BLOCK: Who = Who::Ours("mode: Block");

/// The rows; the floor is the first.
pub const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "floor: constant allow", who: Who::Floor, story: Story::Upgrade },
    Scenario { name: "outside the catalogue", who: ADOPT, story: Story::Stranger },
    Scenario { name: "Observe", who: OBSERVE, story: Story::Upgrade },
    Scenario {
        name: "Adopt, stamps only",
        who: Who::Ours("mode: Adopt\nfields: Stamp"),
        story: Story::Upgrade,
    },
    Scenario { name: "Adopt with transfer", who: ADOPT, story: Story::Upgrade },
    Scenario { name: "Adopt, `eks` comes back", who: ADOPT, story: Story::Return },
    Scenario { name: "Block refuses a CREATE", who: BLOCK, story: Story::Create },
    Scenario { name: "Go, standard library, three stamps", who: Who::Go, story: Story::Upgrade },
    Scenario { name: "Rust, axum and kube's types, three stamps", who: Who::Kube, story: Story::Upgrade },
];

/// Rows that the promises of the table speak of.
pub const FLOOR_ROW: usize = 0;
pub const OUTSIDE_ROW: usize = 1;
pub const OBSERVE_ROW: usize = 2;
pub const TRANSFER_ROW: usize = 4;
pub const GO_ROW: usize = 7;

/// Where the programs and their files are, and who asks them.
pub struct Place {
    pub caller: Caller,
    pub ca: String,
    folder: PathBuf,
    go: Option<PathBuf>,
    kube: Option<PathBuf>,
    first: Request,
}

impl Place {
    /// Makes certificates; the peers are where the Makefile has put them.
    pub fn new(folder: &Path) -> Self {
        cni_steward::server::tls::install_provider();
        let now = jiff::Timestamp::now();
        let ca = cni_steward::pki::authority::make(now).unwrap();
        let names = ["127.0.0.1".parse().unwrap(), "localhost".parse().unwrap()];
        let leaf = cni_steward::pki::leaf::make(now, &ca, &names).unwrap();
        for (name, text) in [("tls.crt", &leaf.cert), ("tls.key", &leaf.key)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let peer =
            |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
        Self {
            caller: Caller::new(&ca.cert),
            ca: ca.cert.clone(),
            folder: folder.to_owned(),
            go: peer("BENCH_GO"),
            kube: peer("BENCH_KUBE"),
            first: request(&review(Story::Stranger, 2_000)),
        }
    }

    /// The program, if it is there.
    pub fn program(&self, who: Who) -> Option<PathBuf> {
        match who {
            Who::Floor | Who::Allow | Who::Precomputed(_) => std::env::current_exe().ok(),
            Who::Ours(_) => Some(
                std::env::var_os("BENCH_OURS")
                    .map_or_else(|| env!("CARGO_BIN_EXE_cni-steward").into(), PathBuf::from),
            ),
            Who::Go => self.go.clone(),
            Who::Kube => self.kube.clone(),
        }
    }

    /// Starts it; `None` if it is not there.
    pub fn start(&self, who: Who) -> Option<Server> {
        let program = self.program(who)?;
        let (cert, key) = (self.folder.join("tls.crt"), self.folder.join("tls.key"));
        let policy = |text: &str| {
            let file =
                self.folder.join(format!("{}.yaml", text.replace(|c: char| !c.is_alphanumeric(), "-")));
            std::fs::write(&file, text).unwrap();
            file
        };
        Some(Server::start(&self.caller, &self.first, |address: SocketAddr| {
            let mut command = Command::new(&program);
            match who {
                Who::Floor => command.arg("floor"),
                Who::Allow => command.arg("allow"),
                Who::Precomputed(_) => command.arg("precomputed"),
                Who::Go | Who::Kube => &mut command,
                Who::Ours(text) => {
                    // As in a cluster: telemetry on, a log line for every target.
                    command.args(["serve", "--telemetry", "127.0.0.1:0", "--log-format", "json", "--listen"]);
                    command.arg(address.to_string()).arg("--policy").arg(policy(text));
                    command.arg("--cert").arg(&cert).arg("--key").arg(&key);
                    return command;
                }
            };
            command.arg(address.to_string()).arg(&cert).arg(&key);
            if let Who::Precomputed(text) = who {
                command.arg(policy(text));
            }
            command
        }))
    }
}

/// The servers that stand side by side, one for each program and policy of the table.
pub struct Servers(Vec<(Who, Server)>);

impl Servers {
    pub fn start(place: &Place) -> Self {
        let mut servers: Vec<(Who, Server)> = Vec::new();
        for Scenario { who, .. } in &SCENARIOS {
            if !servers.iter().any(|(found, _)| found == who)
                && let Some(server) = place.start(*who)
            {
                servers.push((*who, server));
            }
        }
        Self(servers)
    }

    pub fn of(&self, who: Who) -> Option<&Server> {
        self.0.iter().find(|(found, _)| *found == who).map(|(_, server)| server)
    }
}

/// Requests that were made already: a review of 6 MiB takes its time.
#[derive(Default)]
pub struct Requests(BTreeMap<(u8, usize), Request>);

impl Requests {
    pub fn get(&mut self, story: Story, size: usize) -> Request {
        let made = self.0.entry((story as u8, size)).or_insert_with(|| request(&review(story, size)));
        Request::clone(made)
    }
}
