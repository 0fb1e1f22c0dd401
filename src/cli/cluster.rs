//! How a command reaches a cluster, and which installation in it `serve` belongs to.

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use super::duration;
use crate::cluster::instance::{Instance, Place};
use crate::cluster::{ApiError, Cluster, Connection, Kubeconfig};
use crate::layout::quoted;

/// Where a person's kubeconfig is, and how patient the person is.
#[derive(Debug, Clone, Args)]
pub struct KubeconfigArgs {
    /// The kubeconfig [default: $KUBECONFIG, then ~/.kube/config].
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// How long each answer of the API server may take.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s", help_heading = "Cluster")]
    pub request_timeout: Duration,
    #[arg(long, hide = true, env = "KUBECONFIG", hide_env = true)]
    kubeconfig_list: Option<OsString>,
}

impl KubeconfigArgs {
    /// The kubeconfig, for who looks at several of its contexts.
    pub fn read(&self) -> anyhow::Result<Kubeconfig> {
        let files = self.files().context(NO_KUBECONFIG)?;
        Kubeconfig::read(&files).map_err(anyhow::Error::msg)
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        kubeconfig_files(self.kubeconfig.as_deref(), self.kubeconfig_list.as_deref())
    }
}

const NO_KUBECONFIG: &str = "there is no kubeconfig: $KUBECONFIG is not set and ~/.kube/config does not exist; give --kubeconfig FILE, or \
     have one written: aws eks update-kubeconfig --name CLUSTER";

/// The files that count for kubectl: the given one, else those that `KUBECONFIG` lists, else that of the home folder if it is there.
pub fn kubeconfig_files(given: Option<&Path>, list: Option<&OsStr>) -> Option<Vec<PathBuf>> {
    if let Some(file) = given {
        return Some(vec![file.to_owned()]);
    }
    let listed = list.into_iter().flat_map(std::env::split_paths).filter(|path| !path.as_os_str().is_empty());
    let listed: Vec<_> = listed.collect();
    if !listed.is_empty() {
        return Some(listed);
    }
    let home = std::env::home_dir().map(|home| home.join(".kube").join("config"));
    home.filter(|file| file.exists()).map(|file| vec![file])
}

/// How a person's command reaches a cluster: as kubectl does, and in a Pod by its account.
#[derive(Debug, Clone, Args)]
pub struct ReachArgs {
    #[command(flatten)]
    kubeconfig: KubeconfigArgs,
    /// The context in the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_HOST", hide_env = true)]
    service_host: Option<String>,
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_PORT", hide_env = true)]
    service_port: Option<u16>,
}

impl ReachArgs {
    /// A client for the cluster that the command line names; sends nothing.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        let in_pod = self.service_host.is_some() && self.context.is_none();
        let connection = Connection {
            kubeconfig: match self.kubeconfig.files() {
                Some(files) => files,
                None if in_pod => Vec::new(),
                None => bail!(NO_KUBECONFIG),
            },
            context: self.context.clone(),
            service: self.service_host.clone().zip(self.service_port),
            request_timeout: self.kubeconfig.request_timeout,
        };
        Ok(Cluster::connect(&connection).await?)
    }
}

/// The command line that undoes what `command` did and wrote to `file`, in the cluster that this command line names.
pub fn undo_with(command: &str, file: &Path) -> String {
    let file = quoted(&file.display().to_string());
    format!("cni-steward {command} --undo {file}{}", reach(std::env::args()))
}

/// Of a command line, what says which cluster it is about.
fn reach(mut args: impl Iterator<Item = String>) -> String {
    let mut words = String::new();
    while let Some(word) = args.next() {
        let value = match word.as_str() {
            "--context" | "--kubeconfig" => args.next(),
            _ if word.starts_with("--context=") || word.starts_with("--kubeconfig=") => None,
            _ => continue,
        };
        for word in std::iter::once(word).chain(value) {
            words.push(' ');
            words.push_str(&quoted(&word));
        }
    }
    words
}

/// Runs a person's command that talks to a cluster. What still runs when it is done, such as a credential plugin that hangs, is not
/// waited for.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_is_about_the_same_cluster() {
        let of = |line: &str| reach(line.split(' ').map(str::to_owned));
        assert_eq!(of("cni-steward purge --context prod --yes"), " --context prod");
        assert_eq!(of("cni-steward purge --kubeconfig=a$b --context=x"), " '--kubeconfig=a$b' --context=x");
        assert_eq!(of("cni-steward purge --plan"), "");
    }
}
