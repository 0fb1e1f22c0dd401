//! The client for one API server.
//!
//! In a cluster the API server is where the environment says (host and port may be set by hand, for clusters whose
//! Service network does not work yet), else where a kubeconfig says. Making a [`Cluster`] connects nothing: the API server
//! may be down when the program starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::header::{DATE, HeaderMap};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::access::Access;
use super::error::{ApiError, Cause};
use super::kubeconfig::Kubeconfig;
use super::wire::Wire;
use crate::telemetry::clock;

/// How to reach the API server.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Kubeconfig files, read as kubectl reads several; none means the account of the Pod we run in.
    pub kubeconfig: Vec<PathBuf>,
    /// Its context, if not the current one.
    pub context: Option<String>,
    /// Host and port that Kubernetes gives to every container.
    pub service: Option<(String, u16)>,
    /// How long an answer may take. Watches have limits of their own.
    pub request_timeout: Duration,
}

/// An API server, and who we are to it. Cheap to clone; all clones share connections.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(super) wire: Arc<Wire>,
    pub(super) timeout: Duration,
    /// Seconds that the API server's clock was ahead of ours when it last answered; `i64::MIN` before.
    ahead: Arc<AtomicI64>,
}

impl Cluster {
    /// Reads the configuration; sends nothing.
    pub async fn connect(options: &Connection) -> Result<Self, ApiError> {
        let asked = options.clone();
        let made = spawn_blocking(move || match (asked.kubeconfig.as_slice(), &asked.service) {
            ([], Some((host, port))) => Access::of_pod(host, *port),
            ([], None) => {
                Err("this is no Pod (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig".into())
            }
            (files, _) => Kubeconfig::read(files)?.access(asked.context.as_deref()),
        });
        let access = made.await.map_err(|error| error.to_string()).flatten();
        Self::new(access, options.request_timeout)
    }

    /// A client for a context of a kubeconfig that was read already; sends nothing.
    pub fn of_context(
        kubeconfig: &Kubeconfig,
        name: &str,
        request_timeout: Duration,
    ) -> Result<Self, ApiError> {
        Self::new(kubeconfig.access(Some(name)), request_timeout)
    }

    fn new(access: Result<Access, String>, timeout: Duration) -> Result<Self, ApiError> {
        let wire = access.and_then(Wire::new);
        let wire = wire.map_err(|error| ApiError::connect(Cause::Configuration(error)))?;
        Ok(Self { wire: Arc::new(wire), timeout, ahead: Arc::new(AtomicI64::new(i64::MIN)) })
    }

    /// The time by the API server, as far as it has told; ours until then. Certificates are judged by its clock.
    pub fn now(&self) -> Timestamp {
        let own = clock::now();
        own.checked_add(SignedDuration::from_secs(self.ahead())).unwrap_or(own)
    }

    /// Seconds that the API server's clock is ahead of ours, as far as it has told.
    pub fn ahead(&self) -> i64 {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|&ahead| ahead != i64::MIN).unwrap_or(0)
    }

    /// Takes note of the time that came with an answer.
    pub(super) fn told(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(Ok(date)) = date.map(rfc2822::parse) {
            let ahead = date.timestamp().as_second() - clock::now().as_second();
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }

    /// Kubernetes' version, empty if we may not know; the first question to a cluster, because an error says that it cannot be
    /// reached, or that our credentials are not taken.
    pub async fn version(&self) -> Result<String, ApiError> {
        match self.text("/version").await {
            Ok(text) => Ok(serde_json::from_slice::<Value>(&text)
                .ok()
                .and_then(|version| version.get("gitVersion")?.as_str().map(str::to_owned))
                .unwrap_or_default()),
            Err(Cause::Answer { status, .. }) if status.code == 403 => Ok(String::new()),
            Err(cause) => Err(ApiError::connect(cause)),
        }
    }

    /// Where the API server is.
    pub fn url(&self) -> String {
        self.wire.url()
    }
}
