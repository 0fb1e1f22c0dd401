//! Field ownership: what `metadata.managedFields` says, and how it moves to the owner. Pure.

pub mod element;
pub mod entry;
pub mod set;
pub mod transfer;
