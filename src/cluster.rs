//! The API server as the rooms beside the admission path see it: one client, one way to read, one way to write.
//!
//! Nothing in front of a review comes in here. What is asked for is named by a [`Reference`], so that every failure can
//! name verb, resource and object, and what to do ([`ApiError`]). What changes anything asks for a [`Writer`]: who
//! neither leads nor acts for a person cannot call it. Objects travel as the caller's own types, so that nobody writes
//! back an object that a generated type has decoded and shortened.
//!
//! The client is our own and speaks HTTP/1.1 over what the server has already: kube, of which nothing but the connection was
//! used, made the binary half as large again (`ARCHITECTURE.md` has the numbers).

mod access;
pub mod client;
pub mod error;
pub mod instance;
pub mod intent;
pub mod inventory;
pub mod kubeconfig;
pub mod list;
pub mod reference;
pub mod request;
mod status;
mod token;
pub mod watching;
mod wire;
pub mod writer;

pub use client::{Cluster, Connection};
pub use error::ApiError;
pub use instance::Instance;
pub use intent::{Deletion, Patch, Propagation};
pub use inventory::Inventory;
pub use kubeconfig::Kubeconfig;
pub use list::Query;
pub use reference::Reference;
pub use watching::Watching;
pub use writer::Writer;
