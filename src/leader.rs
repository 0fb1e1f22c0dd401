//! Which replica may change the cluster: the one that holds the Lease.
//!
//! All replicas answer reviews; only repair, rotation and injection ask for the lease. [`claim`] decides from what was
//! observed, [`lease`] asks the API server.

pub mod claim;
pub mod lease;
mod stored;
