//! The stable words for why a verdict is what it is.

/// Why; [`Reason::code`] is a stable word for logs, metrics and audit annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing has to change.
    InOrder,
    /// Adopt amended the target.
    Adopted,
    /// `clusterApi` amended the target.
    ClusterApi,
    /// The exempt managed add-on wrote, and the target now says so.
    ManagedAddonMarked,
    /// The writer is exempt.
    Exempt,
    /// A live pause.
    Paused,
    /// The target carries the managed add-on's mark.
    ManagedAddon,
    /// Stamped for another release.
    OtherRelease,
    /// No room for another annotation.
    AnnotationsFull,
    /// Block, but this `DaemonSet` can run nowhere.
    Parked,
    /// Observe, and another mode would have acted.
    Observed,
    /// Block refused the re-creation.
    Blocked,
}

impl Reason {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InOrder => "in-order",
            Self::Adopted => "adopted",
            Self::ClusterApi => "cluster-api",
            Self::ManagedAddonMarked => "managed-addon-marked",
            Self::Exempt => "exempt",
            Self::Paused => "paused",
            Self::ManagedAddon => "managed-addon",
            Self::OtherRelease => "other-release",
            Self::AnnotationsFull => "annotations-full",
            Self::Parked => "parked",
            Self::Observed => "observed",
            Self::Blocked => "blocked",
        }
    }
}
