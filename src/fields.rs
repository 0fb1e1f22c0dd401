//! Field ownership: what `metadata.managedFields` says, and how it moves to the owner. Pure.
//!
//! A forward path: [`entry`] reads the list, [`set`] and its kin hold one entry's paths, [`mod@transfer`] decides
//! the new list, [`mod@compare`] says what changed, path by path. Nothing here reads a clock or a file.

mod decode;
pub mod element;
mod encode;
pub mod entry;
mod json;
pub mod set;
pub mod transfer;
pub mod value;

pub use entry::{Entry, Known, List, Operation};
pub use json::Malformed;
pub use set::Set;
pub use transfer::{Moved, Outcome, Transfer, Wish, transfer};

