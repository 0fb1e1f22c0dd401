//! I/O around [`pki`](crate::pki): where the serving certificate comes from.
//!
//! In a cluster it looks after them by itself: [`keeper`] is the loop, [`secret`] and [`inject`] read and write, [`probe`]
//! asks the API server whether it trusts us, [`rendered`] says whether it is told to call us, [`fight`] who takes our trust
//! away, [`shelf`] hands over to TLS. Elsewhere there is a [`Source`].
//!
//! A [`Source`] is asked at the start, when its files have changed ([`watch`]) and every minute, always in full: time
//! passes for certificates whose files nobody touches.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;

use crate::cluster::{Cluster, Instance};
use crate::leader::lease::Leadership;
use crate::pki::{Fault, Why};
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;

pub mod certified;
pub mod fight;
pub mod files;
pub mod inject;
pub mod keeper;
pub mod probe;
mod registration;
pub mod rendered;
pub mod secret;
pub mod shelf;
pub mod staging;
pub mod state;
mod tell;
pub mod watch;

pub use files::Files;
pub use state::State;

/// The field manager of what is written into the Secret and the webhook configuration.
const MANAGER: &str = "cni-steward-ca";

/// What looking after a cluster's certificates takes.
#[derive(Debug)]
pub struct Means {
    /// The API server.
    pub cluster: Cluster,
    /// Our names in it.
    pub instance: Instance,
    /// Whether we may write.
    pub leadership: Leadership,
    /// Where people are told.
    pub events: Events,
    /// Where machines are.
    pub metrics: Arc<Metrics>,
}

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A directory of ours, with an authority of our own.
    State(State),
    /// Files of somebody else's.
    Files(Files),
}

/// What is to be served.
#[derive(Debug)]
pub struct Loaded {
    /// Certificate and key, checked.
    pub certified: CertifiedKey,
    /// When the certificate begins to be valid. Moments ahead at most: clocks differ.
    pub begins: Timestamp,
    /// When the certificate expires.
    pub expires: Timestamp,
    /// What was made or put right on the way, a sentence each.
    pub notes: Vec<String>,
}

impl Source {
    /// Reads the certificate; makes or renews it first where it is ours.
    pub fn load(&self, now: Timestamp) -> Result<Loaded, TrustError> {
        match self {
            Self::State(state) => state.load(now),
            Self::Files(files) => files.load(now),
        }
    }

    /// The same at a start, when nothing is served yet: where the disk takes nothing, what is stored is served while it is good.
    /// (Later the last good one stays in force anyway.)
    pub fn load_first(&self, now: Timestamp) -> Result<Loaded, TrustError> {
        let error = match self.load(now) {
            Err(error @ TrustError::Io { .. }) => error,
            loaded => return loaded,
        };
        let Self::State(state) = self else { return Err(error) };
        let Ok(mut loaded) = state.files().load(now) else { return Err(error) };
        loaded
            .notes
            .push(format!("{error}; the certificate that is there is served until {}", loaded.expires));
        Ok(loaded)
    }

    /// The files that others may exchange under us.
    pub fn watched(&self) -> Vec<PathBuf> {
        match self {
            Self::State(_) => Vec::new(),
            Self::Files(files) => [Some(&files.cert), Some(&files.key), files.ca.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        }
    }
}

/// Why there is no certificate to serve. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system refused something.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{0} is locked by another cni-steward that has not let go of it for 10 s")]
    Locked(PathBuf),
    /// Others could exchange the keys.
    #[error("{0} is writable by others, who could exchange the keys in it; choose a directory of your own")]
    Exposed(PathBuf),
    /// A file of ours that is damaged. It may be the only copy of a key that clusters trust.
    #[error(
        "{path}: {fault}; put it back, or move ca.crt, ca.key, tls.crt and tls.key away to start with a new authority (which then has to be registered again). Nothing was changed"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A file of somebody else's that cannot be served.
    #[error("{path}: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

impl TrustError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    fn unusable(path: &Path, why: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), why: why.into() }
    }
}

impl From<(&Path, Why)> for TrustError {
    fn from((path, why): (&Path, Why)) -> Self {
        Self::unusable(path, why.to_string())
    }
}
