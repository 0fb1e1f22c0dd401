//! One `managedFields` list as it stands in an object, borrowed from its bytes.

use std::borrow::Cow;

/// What an entry records: a server-side apply or any other write (`ManagedFieldsOperationType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Every other write.
    Update,
}

/// The list, with its own bytes.
#[derive(Debug, Clone, Default)]
#[allow(dead_code)]
pub struct List<'a> {
    /// The JSON text of the whole list, exactly as received.
    pub raw: &'a str,
    /// Its entries in stored order.
    pub entries: Vec<Entry<'a>>,
}

/// One entry of the list.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The JSON text of this entry, exactly as received.
    pub raw: &'a str,
    /// What it says; `None` for an entry that is not of the form of Kubernetes 1.24 to 1.37 (passed through).
    pub known: Option<Known<'a>>,
}

/// An entry that is understood.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Field manager.
    pub manager: Cow<'a, str>,
    /// Apply or Update.
    pub operation: Operation,
    /// `apiVersion` the paths are written in.
    pub api_version: Cow<'a, str>,
    /// RFC 3339 time, seconds; the API server leaves it out of an entry that a no-op apply brought back.
    pub time: Option<Cow<'a, str>>,
    /// JSON text of `fieldsV1` (`{}` when absent or null).
    pub fields: &'a str,
    /// `""` for the object itself, else `status`, `scale`, …
    pub subresource: Cow<'a, str>,
}
impl<'a> List<'a> {
    /// Reads it.
    pub fn parse(_raw: &'a str) -> Option<Self> {
        None
    }
}
