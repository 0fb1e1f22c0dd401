//! The connection to one API server.
//!
//! In a cluster the API server is where the environment says (host and port may be set by hand, for clusters whose
//! Service network does not work yet), else where a kubeconfig says. Making a [`Cluster`] connects nothing: the API server
//! may be down when the program starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::http::HeaderValue;
use hyper::http::header::{DATE, HeaderMap, USER_AGENT};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::error::{ApiError, Cause};
use crate::telemetry::clock;

/// How to reach the API server.
#[derive(Debug, Clone)]
pub struct Connection {
    /// A kubeconfig file; `None` means the account of the Pod we run in.
    pub kubeconfig: Option<PathBuf>,
    /// Its context, if not the current one.
    pub context: Option<String>,
    /// How long an answer may take. Watches have limits of their own.
    pub request_timeout: Duration,
}

/// An API server, and who we are to it. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    pub(super) timeout: Duration,
    url: Arc<str>,
    /// Seconds that the API server's clock was ahead of ours when it last answered; `i64::MIN` before.
    ahead: Arc<AtomicI64>,
}

impl Cluster {
    /// Reads the configuration and prepares the client; sends nothing.
    pub async fn connect(options: &Connection) -> Result<Self, ApiError> {
        let configuration = |error: &dyn std::error::Error| {
            let hint =
                if options.kubeconfig.is_none() { " (outside a cluster give --kubeconfig)" } else { "" };
            ApiError::connect(Cause::Configuration(format!("{}{hint}", chain(error))))
        };
        let mut config = match &options.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| configuration(&error))?;
                let chosen =
                    KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
                Config::from_custom_kubeconfig(kubeconfig, &chosen)
                    .await
                    .map_err(|error| configuration(&error))?
            }
            None => Config::incluster().map_err(|error| configuration(&error))?,
        };
        config.connect_timeout = Some(options.request_timeout);
        // Who asks decides whether and when to ask again: it alone knows whether the question is still the same.
        config.default_retry = false;
        let agent = HeaderValue::from_static(concat!("cni-steward/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, agent));
        let url = config.cluster_url.to_string().into();
        let client = kube::Client::try_from(config).map_err(|error| configuration(&error))?;
        let ahead = Arc::new(AtomicI64::new(i64::MIN));
        Ok(Self { client, timeout: options.request_timeout, url, ahead })
    }

    /// kube's own client, for what this room has no words for.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The time by the API server, as far as it has told; ours until then. Certificates are judged by its clock.
    pub fn now(&self) -> Timestamp {
        let (own, ahead) = (clock::now(), self.ahead.load(Ordering::Relaxed));
        let ahead = SignedDuration::from_secs(if ahead == i64::MIN { 0 } else { ahead });
        own.checked_add(ahead).unwrap_or(own)
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
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An error with all its sources, since the last one mostly is the cause.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}
