//! The Lease in the cluster.

use tokio::sync::watch;

use crate::cluster::Writer;

/// Sees whether this replica leads.
#[derive(Debug, Clone)]
pub struct Leadership(watch::Receiver<Option<Writer>>);

impl Leadership {
    /// The right to write while this replica leads, `None` while it does not. A copy of the right ends with the term.
    pub fn subscribe(&self) -> watch::Receiver<Option<Writer>> {
        self.0.clone()
    }

    /// The right to write at this moment.
    pub fn writer(&self) -> Option<Writer> {
        self.0.borrow().clone().filter(Writer::is_current)
    }
}
