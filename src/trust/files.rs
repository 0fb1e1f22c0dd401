//! A certificate and key that somebody else looks after: read, checked, never written.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::certified::{Unusable, certified};
use super::{Loaded, TrustError};
use crate::pki::Certificate;

/// `--cert` and `--key`.
#[derive(Debug, Clone)]
pub struct Files {
    /// PEM, the leaf first, then what leads to the root.
    pub cert: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Files {
    /// Reads both and checks that they can be served at `now`.
    pub fn load(&self, now: Timestamp) -> Result<Loaded, TrustError> {
        let (chain, key) = (read(&self.cert)?, read(&self.key)?);
        let certified = certified(chain.as_bytes(), key.as_bytes()).map_err(|error| {
            let path = if matches!(error, Unusable::Certificate) { &self.cert } else { &self.key };
            match error {
                Unusable::Mismatch => {
                    TrustError::unusable(path, format!("is not the private key of {}", self.cert.display()))
                }
                error => TrustError::unusable(path, error.to_string()),
            }
        })?;
        let leaf = Certificate::read(&chain).map_err(|why| TrustError::from((self.cert.as_path(), why)))?;
        if now >= leaf.not_after {
            return Err(TrustError::unusable(&self.cert, format!("it expired on {}", leaf.not_after)));
        }
        let mut notes = Vec::new();
        if now < leaf.not_before {
            notes.push(format!("{} is valid only from {} on", self.cert.display(), leaf.not_before));
        }
        if leaf.names.is_empty() {
            notes.push(format!(
                "{} has no subjectAltName, and the API server reads no other name",
                self.cert.display()
            ));
        }
        Ok(Loaded { certified, expires: leaf.not_after, notes })
    }
}

/// Reads a text file of moderate size, following links.
fn read(path: &Path) -> Result<String, TrustError> {
    let bytes = fs::read(path).map_err(TrustError::io("read", path))?;
    String::from_utf8(bytes).map_err(|_| TrustError::unusable(path, "it is not PEM text"))
}
