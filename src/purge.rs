//! Taking the Amazon VPC CNI out of a cluster: what goes, in which order, what stays and why, and what forbids it; and bringing
//! it back. Pure: `cli::purge` looks, asks, and carries out.
//!
//! The order is the one in which nothing is ever missing to something that still runs: the workload first, until its last Pod is
//! gone; then the binding, the role and the account, which nobody uses any more; then settings and schema, if nobody else needs
//! them. Whoever dies in between leaves objects that nothing depends on, and the next run goes on from what is there.

pub mod addon;
pub mod interlock;
pub mod need;
pub mod owner;
pub mod plan;
pub mod refusal;
pub mod restore;
pub mod saved;
pub mod unseen;
pub mod words;

pub use plan::{Plan, Wish};
pub use refusal::Refusal;
