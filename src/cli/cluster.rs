//! How a command reaches a cluster, and which installation in it `serve` belongs to.

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;
use crate::cluster::instance::{Instance, Place};
use crate::cluster::{ApiError, Cluster, Connection};

/// The options of every command that talks to a cluster.
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
            kubeconfig: self.kubeconfig.clone(),
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
