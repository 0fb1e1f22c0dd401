//! A cluster with our image on both nodes and a certificate of `certs/make.sh` in a Secret: what a person has before they
//! install our chart.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cell;
use crate::cluster::{ADDRESSES, Cluster, PATIENCE};
use crate::support::control_plane::{ADDRESS, Helm, User};
use crate::support::http::Client;
use crate::support::{Output, until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/cni-steward");
const RELEASE: &str = "cni-steward";
pub(crate) const OURS: (&str, &str, &str) = ("pods", "kube-system", "app.kubernetes.io/name=cni-steward");

/// The entries that review targets; the others are for our own dry runs.
const ENTRIES: [&str; 3] = ["namespaced", "cluster", "schema"];

/// What the API server has counted about our webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) answered: u64,
    pub(crate) failed_open: u64,
    /// `rejection_count` with another `error_type` than `no_error`.
    pub(crate) failed: u64,
}

impl Counted {
    /// What was counted since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            answered: self.answered - before.answered,
            failed_open: self.failed_open - before.failed_open,
            failed: self.failed - before.failed,
        }
    }
}

pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    helm: Helm,
}

impl Stage {
    pub(crate) fn set(helm: Helm) -> Self {
        let stage = Self { cluster: Cluster::start(), helm };
        stage.cluster.import(&image());
        stage.bring_certificate(&[]);
        stage
    }

    /// With no certificate: our servers shall make one.
    pub(crate) fn bare(helm: Helm) -> Self {
        let stage = Self { cluster: Cluster::start(), helm };
        stage.cluster.import(&image());
        stage
    }

    /// `helm <command> cni-steward` with no more than the image and these values.
    pub(crate) fn helm_bare(&self, command: &str, values: &str) {
        // Without kube-proxy nobody answers at the address of Service kubernetes.
        let api = format!("k8sServiceHost={ADDRESS},k8sServicePort={}", self.cluster.plane.port());
        let values = format!("--set=image.repository=cni-steward,image.tag=dev,{api},{values}");
        let words = [command, RELEASE, CHART, "--namespace=kube-system", &values];
        self.cluster.plane.helm(self.helm, &words).ok();
    }

    fn pki() -> PathBuf {
        cell::folder().join("pki")
    }

    /// Makes or renews the certificate and puts it into the Secret.
    pub(crate) fn bring_certificate(&self, more: &[&str]) {
        let pki = Self::pki();
        let mut make = Command::new(format!("{ROOT}/certs/make.sh"));
        make.arg("--out").arg(&pki).args(more);
        Output::of(make, None).ok();
        let file = |option: &str, name: &str| format!("--{option}={}", pki.join(name).display());
        let (cert, key) = (file("cert", "tls.crt"), file("key", "tls.key"));
        let words = [
            "create",
            "secret",
            "tls",
            "cni-steward-tls",
            "-n",
            "kube-system",
            "--dry-run=client",
            "-o",
            "yaml",
        ];
        let secret = self.cluster.kubectl(&[&words[..], &[&cert, &key]].concat());
        self.cluster.plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], secret.ok()).ok();
    }

    /// `helm <command> cni-steward` with the certificate, the image and this mode.
    pub(crate) fn helm(&self, command: &str, mode: &str) {
        let ca = format!("certificate.caBundle={}", Self::pki().join("ca.crt").display());
        let mode = format!("policy.mode={mode}");
        let words = [
            command,
            RELEASE,
            CHART,
            "--namespace=kube-system",
            "--set=image.repository=cni-steward,image.tag=dev,certificate.secretName=cni-steward-tls",
            "--set",
            &mode,
            "--set-file",
            &ca,
        ];
        self.cluster.plane.helm(self.helm, &words).ok();
    }

    /// Installs with this mode; returns when both replicas are ready and the API server's calls arrive.
    pub(crate) fn install(&self, mode: &str) {
        self.helm("install", mode);
        let nodes = self.await_ready();
        assert_eq!(nodes, ["node1", "node2"], "expected a replica on each node");
        let before = self.counted();
        until("the API server called the webhook", PATIENCE, || {
            self.create_a_target();
            (self.counted().answered > before.answered).then_some(())
        })
        .unwrap();
    }

    pub(crate) fn uninstall(&self) {
        self.cluster.plane.helm(self.helm, &["uninstall", RELEASE, "-n", "kube-system"]).ok();
    }

    /// Asks for a target without leaving a trace.
    pub(crate) fn create_a_target(&self) -> Output {
        self.cluster.kubectl(&[
            "create",
            "serviceaccount",
            "aws-node",
            "-n",
            "kube-system",
            "--dry-run=server",
        ])
    }

    /// Waits for two ready replicas and no third; gives their nodes.
    #[track_caller]
    pub(crate) fn await_ready(&self) -> Vec<String> {
        self.cluster.await_list("both replicas were ready", OURS, |pods| {
            let ready = pods.iter().filter(|pod| is_ready(pod));
            let mut nodes: Vec<String> =
                ready.map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned()).collect();
            nodes.sort();
            (nodes.len() == 2 && pods.len() == 2).then_some(nodes)
        })
    }

    /// Name, number of restarts and so on of each replica: what a restart would change.
    pub(crate) fn replicas(&self) -> Vec<(String, u64)> {
        let pods = self.cluster.list(OURS.0, OURS.1, OURS.2);
        let mut replicas: Vec<_> = pods
            .iter()
            .map(|pod| {
                // One that was just created has no container yet.
                let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0);
                (pod["metadata"]["name"].as_str().unwrap().to_owned(), restarts)
            })
            .collect();
        replicas.sort();
        replicas
    }

    /// The metrics page of the replica on each node.
    pub(crate) fn pages() -> Vec<String> {
        let pages = ADDRESSES.iter().filter_map(|address| {
            let client = Client::plain(9444).at(address.parse::<Ipv4Addr>().unwrap());
            Some(client.get("/metrics").ok()?.text())
        });
        pages.collect()
    }

    /// What each replica says of itself.
    pub(crate) fn verbose() -> Vec<String> {
        let pages = ADDRESSES.iter().filter_map(|address| {
            let client = Client::plain(9444).at(address.parse::<Ipv4Addr>().unwrap());
            Some(client.get("/readyz?verbose").ok()?.text())
        });
        pages.collect()
    }

    /// How much of each replica is in memory, in MB.
    pub(crate) fn resident() -> Vec<f64> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let status = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok());
        let ours = status.filter(|status| status.starts_with("Name:\tcni-steward\n"));
        let megabytes = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.to_owned();
            Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
        };
        ours.filter_map(megabytes).collect()
    }

    /// Waits until each replica's metrics page says so.
    #[track_caller]
    pub(crate) fn await_pages(what: &str, says: impl Fn(&str) -> bool) {
        until(what, PATIENCE, || {
            let pages = Self::pages();
            (pages.len() == 2 && pages.iter().all(|page| says(page))).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", Self::pages().join("\n---\n")));
    }

    /// A number from each replica's metrics page.
    pub(crate) fn numbers(metric: &str) -> Vec<String> {
        let value = |page: String| {
            let line = page.lines().find(|line| line.starts_with(metric)).unwrap_or_default().to_owned();
            line.rsplit(' ').next().unwrap_or_default().to_owned()
        };
        Self::pages().into_iter().map(value).collect()
    }

    pub(crate) fn counted(&self) -> Counted {
        let page = self.cluster.plane.client(User::Admin).get("/metrics").unwrap().text();
        let sum = |metric: &str, which: &dyn Fn(&str) -> bool| {
            let lines = page.lines().filter(|line| {
                line.starts_with(&format!("apiserver_admission_webhook_{metric}{{"))
                    && ENTRIES.iter().any(|entry| line.contains(&format!("name=\"{entry}.cni-steward.dev\"")))
                    && which(line)
            });
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Counted {
            answered: sum("request_total", &|line| line.contains("code=\"200\"")),
            failed_open: sum("fail_open_count", &|_| true),
            failed: sum("rejection_count", &|line| !line.contains("error_type=\"no_error\"")),
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// The archive that `make image` made.
fn image() -> PathBuf {
    let given = std::env::var_os("CNI_STEWARD_IMAGE").map(PathBuf::from);
    let path = given.unwrap_or_else(|| {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        format!("{ROOT}/dist/{arch}/cni-steward.tar").into()
    });
    assert!(path.exists(), "expected the image at {}; `make image` makes it", path.display());
    path
}
