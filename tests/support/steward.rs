//! Our real binary as a person would run it: `serve --standalone`, registered with an API server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::control_plane::{ControlPlane, User};
use super::http::Client;
use super::watchdog::{Background, Folder};
use super::{Output, free_port, tail, until};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cni-steward");

/// The same, or the one that `CNI_STEWARD_BINARY` names: what is in the image, where speed matters. That one has no points to die at.
pub(crate) fn binary() -> String {
    std::env::var_os("CNI_STEWARD_BINARY")
        .map_or_else(|| BINARY.to_owned(), |path| path.into_string().unwrap())
}

/// Runs one of our commands to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    run_stdin(args, None)
}

/// With something on stdin.
pub(crate) fn run_stdin(args: &[&str], stdin: Option<&str>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args);
    Output::of(command, stdin)
}

/// A webhook server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Steward {
    process: Background,
    folder: Folder,
    port: u16,
    telemetry: Client,
}

impl Steward {
    /// Serves `policy` (YAML) and returns when it is ready.
    pub(crate) fn start(policy: &str) -> Self {
        Self::start_with(policy, &[])
    }

    /// With more arguments for `serve`.
    pub(crate) fn start_with(policy: &str, more: &[&str]) -> Self {
        Self::start_in(policy, more, &[])
    }

    /// And with more in its environment, each `NAME=VALUE`.
    pub(crate) fn start_in(policy: &str, more: &[&str], environment: &[&str]) -> Self {
        let folder = Folder::new();
        std::fs::write(folder.join("policy.yaml"), policy).unwrap();
        let log = folder.join("steward.log");
        for _ in 0..5 {
            match Self::attempt(&folder, &log, more, environment) {
                Ok((process, port, telemetry)) => {
                    return Self { process, folder, port, telemetry };
                }
                Err(_) if tail(&log, 100).to_lowercase().contains("in use") => {}
                Err(error) => panic!("cni-steward serve: {error}\n{}", tail(&log, 20)),
            }
        }
        panic!("cni-steward serve: found no free port in five attempts")
    }

    fn attempt(
        folder: &Folder,
        log: &Path,
        more: &[&str],
        environment: &[&str],
    ) -> Result<(Background, u16, Client), String> {
        let (port, telemetry) = (free_port(), free_port());
        let state = folder.join("state");
        let mut args: Vec<String> = environment.iter().map(|&setting| setting.to_owned()).collect();
        args.extend([
            BINARY.to_owned(),
            "serve".to_owned(),
            "--standalone".to_owned(),
            format!("--state={}", state.display()),
            format!("--listen=127.0.0.1:{port}"),
            format!("--telemetry=127.0.0.1:{telemetry}"),
            format!("--policy={}", folder.join("policy.yaml").display()),
        ]);
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        let mut process = Background::start(Path::new("/usr/bin/env"), &args, log);
        until("/readyz answered 200", Duration::from_mins(1), || {
            if let Some(status) = process.ended() {
                return Some(Err(format!("ended with {status}")));
            }
            let ca = std::fs::read(state.join("ca.crt")).ok()?;
            let reply = Client::tls(port, &ca).get("/readyz").ok()?;
            (reply.status == 200).then_some(Ok(()))
        })??;
        Ok((process, port, Client::plain(telemetry)))
    }

    /// The port of the webhook on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn process(&self) -> &Background {
        &self.process
    }

    /// To wait for the end after a signal.
    pub(crate) fn process_mut(&mut self) -> &mut Background {
        &mut self.process
    }

    /// The certificate of the authority it made for itself.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("state/ca.crt")
    }

    /// The policy file it watches.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.join("policy.yaml")
    }

    /// HTTPS to the webhook.
    pub(crate) fn client(&self) -> Client {
        Client::tls(self.port, &std::fs::read(self.ca()).unwrap())
    }

    /// What it has logged so far.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        let log = std::fs::read(self.process.log()).unwrap();
        String::from_utf8_lossy(&log).lines().map(str::to_owned).collect()
    }

    /// Its first line with this text, once it is there: metrics and objects may tell of something a moment before the log does.
    pub(crate) fn await_log(&self, text: &str) -> String {
        until(&format!("{text:?} was logged"), Duration::from_mins(2), || {
            self.log_lines().into_iter().find(|line| line.contains(text))
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.log_lines().join("\n")))
    }

    /// The metrics page.
    pub(crate) fn metrics(&self) -> String {
        self.telemetry.get("/metrics").unwrap().text()
    }

    /// The webhook configuration that `export` gives for this server, but for its 3 s: on a busy machine an answer may take longer, and
    /// a write that is let pass unanswered says nothing about us.
    pub(crate) fn webhook_manifest(&self, plane: &ControlPlane) -> String {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        let ca = self.ca();
        let ca = ca.to_str().unwrap();
        run(&["export", "webhook", "--url", &url, "--ca", ca, "--kube-version", plane.version().minor()])
            .ok()
            .replace("timeoutSeconds: 3\n", "timeoutSeconds: 30\n")
    }

    /// When lines with this message were logged.
    pub(crate) fn logged(&self, message: &str) -> Vec<Timestamp> {
        let lines = self.log_lines();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["message"] == message)
            .map(|line| line["timestamp"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// Registers the webhook and returns when the API server really calls it.
    pub(crate) fn register(&self, plane: &ControlPlane) {
        let manifest = self.webhook_manifest(plane);
        let client = plane.client(User::Admin);
        let metrics = || client.get("/metrics").unwrap().text();
        let before = metrics();
        let applied =
            plane.kubectl_stdin(User::Admin, &["apply", "--server-side", "-o", "json", "-f", "-"], &manifest);
        let configuration: Value = serde_json::from_str(applied.ok()).unwrap();
        // One object, or a List of several.
        let objects = configuration["items"]
            .as_array()
            .map_or_else(|| vec![&configuration], |items| items.iter().collect());
        let hooks = objects.iter().filter_map(|object| object["webhooks"].as_array()).flatten();
        let names: Vec<&str> = hooks.filter_map(|hook| hook["name"].as_str()).collect();
        assert!(!names.is_empty(), "expected the exported configuration to hold webhooks\n{applied}");

        // A write that every policy lets through and that leaves no trace, until the API server counts an answer of ours.
        let probe = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system", "labels": {"k8s-app": "aws-node"}},
        });
        until("the API server called the webhook", Duration::from_mins(1), || {
            client.post("/api/v1/namespaces/kube-system/configmaps?dryRun=All", &probe).ok()?;
            (answers(&metrics(), &names) > answers(&before, &names)).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", tail(self.process.log(), 20)));
    }
}

/// How many answers of these webhooks the API server's metrics page counts. A call that failed has another code than 200.
fn answers(metrics: &str, webhooks: &[&str]) -> u64 {
    let counted = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_request_total{code=\"200\"")
            && webhooks.iter().any(|name| line.contains(&format!("name=\"{name}\"")))
    });
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
