//! Everything that may ever change on a target (law 2): three stamps, our own label and annotations, the Cluster API
//! label, and `managedFields`.

use crate::fields::Pieces;
use crate::fields::transfer::Moved;

/// Helm's ownership label. EKS sets it too, so alone it proves nothing.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`] that Helm requires (helm `pkg/action/validate.go`).
pub const HELM: &str = "Helm";
/// Helm's release-name annotation.
pub const RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// Helm's release-namespace annotation.
pub const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Who installed the target first; set once.
pub const INSTALLED_BY: &str = "cni-steward.dev/installed-by";
/// Set by a write of the EKS managed add-on; keeps everybody's hands off until a person runs `adopt`.
pub const MANAGED_ADDON: &str = "cni-steward.dev/managed-addon";
/// The time-boxed pause, RFC 3339.
pub const ALLOW_UNTIL: &str = "cni-steward.dev/allow-until";
/// Cluster API Provider AWS ≥ 2.6.1 deletes what lacks this label key when `vpcCni.disable` is set.
pub const PREVENT_DELETION: &str = "aws.cluster.x-k8s.io/prevent-deletion";

/// Where the stamps live, as paths into the object.
pub const STAMP_PATHS: [&[&str]; 3] = [
    &["metadata", "labels", MANAGED_BY],
    &["metadata", "annotations", RELEASE_NAME],
    &["metadata", "annotations", RELEASE_NAMESPACE],
];

/// Where the provenance lives.
pub const INSTALLED_BY_PATH: &[&str] = &["metadata", "labels", INSTALLED_BY];

/// One of the two maps in `metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// `metadata.labels`.
    Labels,
    /// `metadata.annotations`.
    Annotations,
}

impl Map {
    /// The key in `metadata`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }
}

/// Why a label or annotation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A stamp that was missing.
    Stamp,
    /// A stamp or our own label that this write dropped or overwrote.
    PutBack,
    /// Who installed the target, recorded before the other evidence goes.
    Provenance,
    /// `clusterApi: Protect`.
    Protect,
    /// `clusterApi: Release`.
    Release,
    /// The managed add-on wrote this target.
    ManagedAddon,
    /// A person adopts it, and so states that the managed add-on is gone.
    Unmark,
}

impl Why {
    /// The reason in words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Stamp => "Helm's ownership check requires it",
            Self::PutBack => "this write dropped or overwrote it",
            Self::Provenance => "records who installed the object",
            Self::Protect => "Cluster API must not delete the object",
            Self::Release => "Cluster API may delete the object",
            Self::ManagedAddon => "the EKS managed add-on owns the object",
            Self::Unmark => "the EKS managed add-on is gone",
        }
    }
}

/// One label or annotation that is set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Labels or annotations.
    pub map: Map,
    /// Its key.
    pub key: &'static str,
    /// The new value, or `None` to remove it.
    pub value: Option<std::borrow::Cow<'a, str>>,
    /// What for.
    pub why: Why,
}

/// What an `Amend` verdict changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Labels and annotations.
    pub edits: Vec<Edit<'a>>,
    /// The whole new `metadata.managedFields` as JSON text, if it changes.
    pub managed_fields: Option<Pieces<'a>>,
    /// Entries that were merged into the owner's.
    pub moved: Vec<Moved>,
}

impl Changes<'_> {
    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.managed_fields.is_none()
    }
}
