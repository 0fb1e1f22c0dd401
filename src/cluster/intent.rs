//! How a write is meant: what kind of patch, and which object exactly a deletion is about.

use serde_json::{Value, json};

/// How a patch is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch<'a> {
    /// JSON Merge Patch; one that carries `metadata.resourceVersion` fails when somebody else wrote before.
    Merge {
        /// The field manager.
        manager: &'a str,
    },
    /// JSON Patch, a list of operations.
    Json {
        /// The field manager.
        manager: &'a str,
    },
}

impl Patch<'_> {
    /// The operation of a JSON patch that makes it a conflict for an object of another version.
    pub fn at(version: &str) -> Value {
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version})
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Merge { .. } => "application/merge-patch+json",
            Self::Json { .. } => "application/json-patch+json",
        }
    }

    pub(super) fn query(self) -> String {
        match self {
            Self::Merge { manager } | Self::Json { manager } => format!("fieldManager={manager}"),
        }
    }
}

/// Which object exactly a deletion means, and what becomes of those that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion<'a> {
    /// Only the object with this `metadata.uid`; a conflict otherwise.
    pub uid: &'a str,
    /// Only this `metadata.resourceVersion` of it; a conflict otherwise.
    pub version: &'a str,
    /// What becomes of its dependents (a `DaemonSet`'s Pods).
    pub propagation: Propagation,
}

/// What becomes of an object's dependents when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
}

impl Deletion<'_> {
    /// The body of the request. A DELETE that has one ignores its query, so a dry run has to be asked for in here.
    pub(super) fn options(&self, dry_run: bool) -> Value {
        let mut options = json!({
            "preconditions": {"uid": self.uid, "resourceVersion": self.version},
            "propagationPolicy": match self.propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
            },
        });
        if let Some(fields) = options.as_object_mut().filter(|_| dry_run) {
            fields.insert("dryRun".to_owned(), json!(["All"]));
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_names_the_object_and_a_rehearsed_one_says_so_in_its_body() {
        let deletion = Deletion { uid: "u", version: "7", propagation: Propagation::Foreground };
        let options = json!({
            "preconditions": {"uid": "u", "resourceVersion": "7"}, "propagationPolicy": "Foreground",
        });
        assert_eq!(deletion.options(false), options);
        assert_eq!(deletion.options(true)["dryRun"], json!(["All"]));
    }
}
