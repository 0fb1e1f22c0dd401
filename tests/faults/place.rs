//! The real program with a state of its own, and clients that do as the API server does.

use std::process::Command;
use std::time::Duration;

use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::client::{Client, Reply, ask, post, trusting};
use crate::program::{Program, arg};

/// What the API server gives a webhook of ours.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);
/// A review of a target.
pub(crate) const REVIEW: &str = include_str!("../../examples/review.json");
pub(crate) const READY: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cni-steward");

/// `serve --standalone` in mode Adopt.
pub(crate) struct Place {
    pub(crate) program: Program,
    pub(crate) ca: String,
    folder: TempDir,
}

impl Place {
    pub(crate) fn start() -> Self {
        Self::start_as(tempfile::tempdir().unwrap(), Command::new(BINARY))
    }

    /// By this command, on a state that may be there already.
    pub(crate) fn start_as(folder: TempDir, mut command: Command) -> Self {
        let state = folder.path().join("state");
        command.args(["serve", "--standalone", "--state", arg(&state), "--policy", "examples/adopt.yaml"]);
        command.args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0", "--log-level", "error"]);
        let program = Program::start(command);
        let ca = std::fs::read_to_string(state.join("ca.crt")).unwrap();
        Self { program, ca, folder }
    }

    /// Ends it, whatever is left of it, and gives its state.
    pub(crate) fn leave(self) -> TempDir {
        drop(self.program);
        self.folder
    }

    pub(crate) fn target(&self) -> Target {
        Target { address: self.program.reviews, config: trusting(&self.ca) }
    }
}

/// Where to ask, and whom to trust.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: std::net::SocketAddr,
    config: ClientConfig,
}

impl Target {
    pub(crate) async fn connect(&self) -> std::io::Result<Client> {
        Client::connect(self.address, self.config.clone(), "localhost").await
    }

    /// On a kept connection, or on a new one where that was closed, as often as it takes within the API server's time.
    pub(crate) async fn ask(&self, kept: &mut Option<Client>, request: &str) -> Reply {
        let asking = ask(kept, (self.address, &self.config), request);
        timeout(TIMEOUT, asking).await.unwrap_or_else(|_| panic!("no answer within {TIMEOUT:?}"))
    }

    /// A review that is answered in time.
    pub(crate) async fn review(&self, kept: &mut Option<Client>) {
        let reply = self.ask(kept, &post(REVIEW)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Sends 8 MiB again and again, until `over` or the end of the server.
    pub(crate) async fn flood(&self, body: &str, over: impl Fn() -> bool) {
        while !over() {
            match self.connect().await {
                Ok(mut client) => {
                    if client.try_send(body).await.is_ok() {
                        drop(client.reply().await);
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Runs to the end on two threads.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}
