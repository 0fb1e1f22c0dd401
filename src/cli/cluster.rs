//! How a command reaches a cluster, and which installation in it `serve` belongs to.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use super::duration;
use crate::cluster::instance::{Instance, Place};
use crate::cluster::{ApiError, Cluster, Connection, Kubeconfig};

/// How a person's command reaches a cluster: as kubectl does.
#[derive(Debug, Clone, Args)]
pub struct ReachArgs {
    /// The kubeconfig that names the cluster [default: $KUBECONFIG, then ~/.kube/config, then the account of the Pod it runs
    /// in].
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,
    /// How long each answer of the API server may take.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s", help_heading = "Cluster")]
    request_timeout: Duration,
    #[arg(long, hide = true, env = "KUBECONFIG", hide_env = true)]
    kubeconfig_list: Option<OsString>,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_HOST", hide_env = true)]
    service_host: Option<String>,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_PORT", hide_env = true)]
    service_port: Option<u16>,
}

impl ReachArgs {
    /// The kubeconfig files that count; none means the account of the Pod we run in.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        if let Some(file) = &self.kubeconfig {
            return Ok(vec![file.clone()]);
        }
        let list = self.kubeconfig_list.iter().flat_map(std::env::split_paths);
        let listed: Vec<_> = list.filter(|path| !path.as_os_str().is_empty()).collect();
        if !listed.is_empty() {
            return Ok(listed);
        }
        let home = std::env::home_dir().map(|home| home.join(".kube").join("config"));
        match home.filter(|file| file.exists()) {
            Some(file) => Ok(vec![file]),
            None if self.service_host.is_some() && self.context.is_none() => Ok(Vec::new()),
            None => bail!(
                "there is no kubeconfig: $KUBECONFIG is not set and ~/.kube/config does not exist; give --kubeconfig FILE, or \
                 have one written: aws eks update-kubeconfig --name CLUSTER"
            ),
        }
    }

    /// The kubeconfig, for who looks at several of its contexts.
    pub fn kubeconfig(&self) -> anyhow::Result<Kubeconfig> {
        let files = self.files()?;
        if files.is_empty() {
            bail!("there is no kubeconfig, so there are no contexts; give --kubeconfig FILE");
        }
        Kubeconfig::read(&files).map_err(anyhow::Error::msg)
    }

    /// A client for a cluster; sends nothing. `context` is another one than the command line names.
    pub async fn connect_to(&self, context: Option<&str>) -> anyhow::Result<Cluster> {
        let connection = Connection {
            kubeconfig: self.files()?,
            context: context.map(str::to_owned).or_else(|| self.context.clone()),
            service: self.service_host.clone().zip(self.service_port),
            request_timeout: self.request_timeout,
        };
        Ok(Cluster::connect(&connection).await?)
    }

    /// A client for the cluster that the command line names; sends nothing.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        self.connect_to(None).await
    }
}

/// Runs a person's command that talks to a cluster.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

/// The options of `serve` for the cluster it looks after.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// The kubeconfig that names the cluster [default: the account of the Pod it runs in].
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
    /// How long an answer of the API server may take.
    #[arg(long, value_name = "DURATION", env = "CNI_STEWARD_REQUEST_TIMEOUT", value_parser = duration, default_value = "5s")]
    request_timeout: Duration,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_HOST", hide_env = true)]
    service_host: Option<String>,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_PORT", hide_env = true)]
    service_port: Option<u16>,
}

impl ClusterArgs {
    /// A client for the cluster that the options name; sends nothing.
    pub async fn connect(&self) -> Result<Cluster, ApiError> {
        let connection = Connection {
            kubeconfig: self.kubeconfig.iter().cloned().collect(),
            context: self.context.clone(),
            service: self.service_host.clone().zip(self.service_port),
            request_timeout: self.request_timeout,
        };
        Cluster::connect(&connection).await
    }
}

/// The installation that this server belongs to.
#[derive(Debug, Args)]
pub struct InstanceArgs {
    /// Look after the cluster too: the names of our Lease, Service and webhook configuration, and what the name of the
    /// Secret begins with [default: answer reviews and call no API].
    #[arg(long, value_name = "NAMESPACE/NAME", env = "CNI_STEWARD_INSTANCE")]
    pub instance: Option<Place>,
    /// The name of this replica among the others [default: the host's name and a random end].
    #[arg(long, value_name = "NAME", env = "CNI_STEWARD_IDENTITY", requires = "instance")]
    identity: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl InstanceArgs {
    /// The installation and its cluster, if the server is to look after one.
    pub async fn open(&self) -> Result<Option<(Cluster, Instance)>, ApiError> {
        let Some(place) = &self.instance else { return Ok(None) };
        let identity = self.identity.clone().filter(|name| !name.is_empty()).unwrap_or_else(identity);
        let cluster = self.cluster.connect().await?;
        Ok(Some((cluster, Instance::new(place.clone(), identity))))
    }
}

fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("cni-steward").to_owned();
    // Seeded at random by the system.
    format!("{host}-{:08x}", RandomState::new().hash_one(0) & 0xffff_ffff)
}
