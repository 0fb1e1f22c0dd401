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
use tokio::task::spawn_blocking;

use super::access::Access;
use super::error::{ApiError, Cause};
use super::wire::Wire;
use crate::telemetry::clock;

/// How to reach the API server.
#[derive(Debug, Clone)]
pub struct Connection {
    /// A kubeconfig file; `None` means the account of the Pod we run in.
    pub kubeconfig: Option<PathBuf>,
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
        let made = spawn_blocking(move || match (&asked.kubeconfig, &asked.service) {
            (Some(file), _) => Access::of_kubeconfig(file, asked.context.as_deref()),
            (None, Some((host, port))) => Access::of_pod(host, *port),
            (None, None) => {
                Err("this is no Pod (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig".into())
            }
        });
        let made = made.await.map_err(|error| error.to_string()).and_then(|access| Wire::new(access?));
        let wire = made.map_err(|error| ApiError::connect(Cause::Configuration(error)))?;
        let ahead = Arc::new(AtomicI64::new(i64::MIN));
        Ok(Self { wire: Arc::new(wire), timeout: options.request_timeout, ahead })
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

    /// Where the API server is.
    pub fn url(&self) -> String {
        self.wire.url()
    }
}
