//! The targets. Those that take text take it as it is; those whose input would hardly ever get past the first check draw a
//! well-formed one from the bytes and spoil it afterwards, if at all.

pub mod decide;
pub mod fields;
pub mod growth;
pub mod patch;
pub mod pem;
pub mod policy;
pub mod review;
pub mod secret;
pub mod socket;
pub mod transfer;
pub mod undo;
pub mod undo_file;
