//! The verdict as a value: who, how sure, on what.

/// Who owns the VPC CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is no VPC CNI.
    None,
    /// Nothing could be seen.
    Unknown,
    /// EKS: its bootstrap, or its managed add-on.
    Eks,
    /// The EKS managed add-on, for sure.
    EksAddon,
    /// A Helm release.
    Helm,
    /// Flux.
    Flux,
    /// Argo CD.
    ArgoCd,
    /// Stamped for a release that Helm has no record of.
    Stamped,
    /// Somebody with kubectl, Terraform or another tool.
    Other,
    /// A `DaemonSet` of that name that is no VPC CNI.
    Foreign,
    /// Several at once.
    Disputed,
}

impl Owner {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::Eks => "eks",
            Self::EksAddon => "eks-addon",
            Self::Helm => "helm",
            Self::Flux => "flux",
            Self::ArgoCd => "argocd",
            Self::Stamped => "stamped",
            Self::Other => "other",
            Self::Foreign => "foreign",
            Self::Disputed => "disputed",
        }
    }
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Records that only the owner makes say it.
    Certain,
    /// All that can be seen says it, but what would prove it lies elsewhere.
    Likely,
    /// Guessed from little.
    Unsure,
}

impl Certainty {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Unsure => "unsure",
        }
    }
}

/// Who owns the VPC CNI, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub owner: Owner,
    /// How sure.
    pub certainty: Certainty,
    /// The release (namespace, name) that the objects name, if they name one.
    pub release: Option<(String, String)>,
    /// One line.
    pub sentence: String,
    /// What it rests on, a clause each.
    pub evidence: Vec<String>,
}
