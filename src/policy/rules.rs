//! The effective policy: what the file says, with its defaults, checked.

use serde::Serialize;

use super::pattern::{self, Pattern};

/// Username of the EKS managed add-on's writer.
pub const ADDON_MANAGER: &str = "eks:addon-manager";
/// Field manager of everything EKS applies.
pub const EKS: &str = "eks";

/// What the program is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Mode {
    /// Change nothing, say what would be done.
    Observe,
    /// Put the owner's stamps, the provenance and field ownership on the targets.
    Adopt,
    /// Refuse re-creation of the core four.
    Block,
}

impl Mode {
    /// The word of the policy file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "Observe",
            Self::Adopt => "Adopt",
            Self::Block => "Block",
        }
    }
}

/// How much field ownership Adopt gives to the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Fields {
    /// Everything the absorbed managers hold.
    Transfer,
    /// Just the stamps; EKS goes on pruning its own fields.
    Stamp,
}

/// What Cluster API Provider AWS shall find on the core four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum ClusterApi {
    /// Its `prevent-deletion` label.
    Protect,
    /// No such label, and no `managed-by: Helm` on what EKS wrote: every version may delete them.
    Release,
    /// Whatever is there.
    Leave,
}

/// What a person states about the EKS managed add-on, which the API server cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum ManagedAddon {
    /// Nothing: a stored `eks` entry may be its own.
    Unknown,
    /// There is none (`aws eks describe-addon` tells).
    Absent,
}

/// A Helm (or Flux) release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Release name.
    pub name: String,
    /// Release namespace.
    pub namespace: String,
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who shall own the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Field manager, at most 128 bytes.
    pub manager: String,
    /// The release that the stamps name; none for Argo CD.
    pub release: Option<Release>,
}

/// Whose writes are not ours to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exempt {
    /// `userInfo.username`.
    pub usernames: Vec<Pattern>,
    /// Any of `userInfo.groups`.
    pub groups: Vec<Pattern>,
    /// Field manager.
    pub managers: Vec<Pattern>,
}

/// The chart's overridable names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// `fullnameOverride`: `DaemonSet`, identity and the optional `ConfigMap`.
    pub name: String,
    /// Namespace of the namespaced targets.
    pub namespace: String,
    /// The settings `ConfigMap`.
    pub settings: String,
}

impl Default for Names {
    fn default() -> Self {
        Self { name: "aws-node".into(), namespace: "kube-system".into(), settings: "amazon-vpc-cni".into() }
    }
}

/// A checked policy. [`Default`] is the policy of a server that was given none: Observe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The main switch.
    pub mode: Mode,
    /// Who shall own the targets.
    pub owner: Owner,
    /// How much the owner gets.
    pub fields: Fields,
    /// Managers whose fields move to the owner.
    pub absorb: Vec<Pattern>,
    /// What Cluster API shall find.
    pub cluster_api: ClusterApi,
    /// What is stated about the managed add-on.
    pub managed_addon: ManagedAddon,
    /// Whose writes are left alone.
    pub exempt: Exempt,
    /// What the targets are called here.
    pub targets: Names,
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
    #[serde(skip)]
    pub(super) hash: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self::with_mode(Mode::Observe)
    }
}

/// Why a policy file cannot be used; its text names file, line, column, what was found and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

impl Policy {
    /// The defaults of DESIGN §3 for this mode.
    pub fn with_mode(mode: Mode) -> Self {
        let policy = Self {
            mode,
            owner: Owner {
                manager: "helm".into(),
                release: Some(Release { name: "aws-vpc-cni".into(), namespace: "kube-system".into() }),
            },
            fields: Fields::Transfer,
            absorb: vec![Pattern::new(EKS)],
            cluster_api: match mode {
                // Observe writes nothing, and says what Adopt would do.
                Mode::Adopt | Mode::Observe => ClusterApi::Protect,
                Mode::Block => ClusterApi::Leave,
            },
            managed_addon: ManagedAddon::Unknown,
            exempt: Exempt {
                usernames: vec![Pattern::new(ADDON_MANAGER)],
                groups: Vec::new(),
                managers: Vec::new(),
            },
            targets: Names::default(),
            warnings: Vec::new(),
            hash: String::new(),
        };
        policy.sealed()
    }

    /// Reads a policy file; `name` is the file's name for error texts.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        super::file::parse(name, text)
    }

    /// Short stable hash of the effective policy, 12 hex digits: two replicas with the same hash decide alike (law 12).
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The same policy for another owner.
    #[must_use]
    pub fn with_owner(self, owner: Owner) -> Self {
        Self { owner, ..self }.sealed()
    }

    /// The mode's name: `Observe`, `Adopt` or `Block`.
    pub const fn mode_name(&self) -> &'static str {
        self.mode.name()
    }

    /// Settings that are ignored or look like a mistake, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether writes by this user and manager are left alone.
    pub fn exempts<'g>(
        &self,
        username: &str,
        mut groups: impl Iterator<Item = &'g str>,
        manager: &str,
    ) -> bool {
        pattern::any(&self.exempt.usernames, username)
            || pattern::any(&self.exempt.managers, manager)
            || groups.any(|group| pattern::any(&self.exempt.groups, group))
    }

    /// Sets the hash; the last step of making a policy.
    pub(super) fn sealed(mut self) -> Self {
        use std::fmt::Write as _;
        let text = serde_json::to_string(&self).unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        self.hash = digest.as_ref().iter().take(6).fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            write!(hex, "{byte:02x}").ok();
            hex
        });
        self
    }
}
