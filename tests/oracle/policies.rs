//! The policies that stories are told under, with what the laws need to know of each, said a second time by hand.

use cni_steward::policy::Policy;

#[expect(clippy::struct_excessive_bools, reason = "each is one question that a law asks")]
pub(crate) struct Rule {
    pub(crate) text: &'static str,
    pub(crate) owner: &'static str,
    /// Adopt with a release: the stamps are wanted.
    pub(crate) release: bool,
    /// Adopt at all.
    pub(crate) adopt: bool,
    /// `fields: Transfer`.
    pub(crate) transfer: bool,
    pub(crate) absorbs: fn(&str) -> bool,
    /// `managedAddon: Absent`.
    pub(crate) absent: bool,
    /// The Cluster API label is wanted.
    pub(crate) protect: bool,
}

fn eks(manager: &str) -> bool {
    manager == "eks"
}

const ADOPT: Rule = Rule {
    text: "mode: Adopt",
    owner: "helm",
    release: true,
    adopt: true,
    transfer: true,
    absorbs: eks,
    absent: false,
    protect: true,
};

/// The more usual ones stand more than once.
pub(crate) const RULES: &[Rule] = &[
    ADOPT,
    ADOPT,
    ADOPT,
    Rule {
        text: "mode: Adopt\nabsorb: [eks, 'kubectl*']",
        absorbs: |manager| manager == "eks" || manager.starts_with("kubectl"),
        ..ADOPT
    },
    Rule {
        text: "mode: Adopt\nabsorb: [eks, 'kubectl*']\nmanagedAddon: Absent",
        absorbs: |manager| manager == "eks" || manager.starts_with("kubectl"),
        absent: true,
        ..ADOPT
    },
    Rule {
        text: "mode: Adopt\nabsorb: ['*']\nmanagedAddon: Absent",
        absorbs: |_| true,
        absent: true,
        ..ADOPT
    },
    Rule {
        text: "mode: Adopt\nmanagedAddon: Absent\nclusterApi: Leave",
        absent: true,
        protect: false,
        ..ADOPT
    },
    Rule { text: "mode: Adopt\nfields: Stamp", transfer: false, ..ADOPT },
    Rule { text: "mode: Adopt\nowner: {manager: helm-controller}", owner: "helm-controller", ..ADOPT },
    Rule {
        text: "mode: Adopt\nowner: {manager: argocd-controller, release: null}",
        owner: "argocd-controller",
        release: false,
        ..ADOPT
    },
    Rule { text: "mode: Block\nclusterApi: Protect", release: false, adopt: false, transfer: false, ..ADOPT },
    Rule { text: "mode: Observe", release: false, adopt: false, transfer: false, protect: false, ..ADOPT },
];

impl Rule {
    pub(crate) fn policy(&self) -> Policy {
        Policy::parse("policy.yaml", self.text).unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }
}
