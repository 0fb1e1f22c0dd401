//! How things stood before a command changed them, and the way back. Pure: text in, text and plans out.
//!
//! [`text`] is the undo file: written whole before the first write, sealed with a checksum, and followed by marks of
//! progress, each a line of its own, so that nothing that was written is ever written again. [`mod@restore`] compares three
//! states of one object (before, as we left it, as it stands) and plans the next write that brings it back; it
//! needs no memory of its own, so an undo that was cut off is simply begun again.

pub mod metadata;
pub mod restore;
pub mod text;

use jiff::Timestamp;

pub use metadata::Metadata;
pub use restore::{Restoration, State, restore};
pub use text::UndoError;

/// One run of a command: where, when, and every object that it is going to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// The command that changed things: `adopt`, `purge`.
    pub command: String,
    /// When the file was made.
    pub made_at: Timestamp,
    /// Hash of the policy that the command followed.
    pub policy: String,
    /// Which cluster.
    pub cluster: Place,
    /// The objects, in the order in which they are changed.
    pub objects: Vec<Saved>,
    /// What is known of the progress.
    pub marks: Vec<Mark>,
}

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `metadata.uid` of namespace kube-system: what a cluster has for a name.
    pub uid: String,
    /// Where its API server was.
    pub url: String,
}

/// One object as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; `""` for a cluster-scoped one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The whole object as JSON text, as the API server gave it, in one line.
    pub before: String,
    /// What the command makes of it.
    pub after: After,
}

/// What a command makes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Its metadata will be this.
    Changed(Metadata),
    /// It is deleted.
    Deleted,
}

/// A step of progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A write of the object at this place was answered, and left its metadata like this.
    Wrote(usize, Metadata),
    /// Nothing more is written to the object at this place.
    Done(usize),
    /// The command came to its end.
    Finished,
    /// The file was used to undo the command.
    Undone,
}

impl Undo {
    /// Whether the command stopped in the middle and nobody has undone it.
    pub fn unfinished(&self) -> bool {
        !self.marks.iter().any(|mark| matches!(mark, Mark::Finished | Mark::Undone))
    }

    /// How the command left the object at this place, if it is known that it had done with it.
    pub fn left(&self, place: usize) -> Option<&Metadata> {
        self.marks.contains(&Mark::Done(place)).then_some(())?;
        self.marks.iter().rev().find_map(|mark| match mark {
            Mark::Wrote(at, metadata) if *at == place => Some(metadata),
            _ => None,
        })
    }
}

/// `DaemonSet kube-system/aws-node`.
impl std::fmt::Display for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.kind, self.namespace, self.name)
    }
}
