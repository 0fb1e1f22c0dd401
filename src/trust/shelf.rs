//! What a replica decided to serve, put where TLS takes it from.

use std::sync::Arc;
use std::time::Duration;

use super::certified::certified;
use crate::pki::keeping::Leaf;
use crate::pki::{Fingerprint, Keeping, Name, Replica};
use crate::server::tls::CertSlot;
use crate::telemetry::metrics::Metrics;

/// The slot, and what is in it.
#[derive(Debug)]
pub struct Shelf {
    slot: Arc<CertSlot>,
    metrics: Arc<Metrics>,
    served: Option<Fingerprint>,
    coming: Option<Fingerprint>,
}

impl Shelf {
    /// Nothing is in it yet.
    pub fn new(slot: Arc<CertSlot>, metrics: Arc<Metrics>) -> Self {
        Self { slot, metrics, served: None, coming: None }
    }

    /// Serves what the replica has decided to.
    pub fn fill(&mut self, replica: &Replica, at: Duration) {
        if let Some(leaf) = replica.served() {
            let print = leaf.certificate.fingerprint();
            if self.served != Some(print) && self.publish(leaf) {
                self.served = Some(print);
            }
        }
        let coming = replica.coming(at);
        let print = coming.map(|leaf| leaf.certificate.fingerprint());
        if self.coming != print {
            self.slot.announce(
                coming.and_then(|leaf| certified(leaf.pair.cert.as_bytes(), leaf.pair.key.as_bytes()).ok()),
            );
            self.coming = print;
        }
    }

    fn publish(&self, leaf: &Leaf) -> bool {
        match certified(leaf.pair.cert.as_bytes(), leaf.pair.key.as_bytes()) {
            Ok(pair) => {
                let expires = leaf.certificate.not_after;
                self.slot.publish(pair);
                self.metrics.serve_until(expires);
                let (leaf, authority) = (leaf.certificate.fingerprint(), &leaf.signer.subject);
                tracing::info!(%expires, %leaf, authority, "serving a certificate");
                true
            }
            Err(error) => {
                tracing::error!(%error, "the Secret's certificate cannot be served, the last good one stays");
                false
            }
        }
    }
}

/// The copy of the Secret that the kubelet mounted, for a start without an API server. Read once: the API tells the rest.
pub fn mounted(folder: &std::path::Path, names: &[Name]) -> Keeping {
    let texts = ["ca.crt", "tls.crt", "tls.key"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), std::fs::read_to_string(folder.join(key)).ok()?)))
        .collect();
    Keeping::read(&texts, names)
}
