//! Field ownership: what `metadata.managedFields` says, and how it moves to the owner. Pure.
//!
//! A forward path: [`entry`] reads the list, [`set`] and its kin hold one entry's paths, [`mod@transfer`] decides
//! the new list, [`mod@compare`] says what changed, path by path, [`mod@restore`] takes it back. Nothing here reads a clock or a file.

mod canon;
mod closed;
pub mod compare;
mod decode;
pub mod element;
mod encode;
pub mod entry;
mod gather;
pub(crate) mod json;
mod order;
pub mod path;
pub mod pieces;
mod plain;
pub mod restore;
mod rewrite;
mod room;
mod scan;
pub mod set;
pub(crate) mod text;
pub mod transfer;
pub mod value;
mod withdraw;

pub use compare::{PathChange, alike, compare};
pub use entry::{Entry, Known, List, Operation};
pub use json::Malformed;
pub use pieces::Pieces;
pub use restore::{Restored, Undoing, restore};
pub use set::Set;
pub use transfer::{Moved, Outcome, Transfer, Wish, transfer};
pub use withdraw::withdraw;
