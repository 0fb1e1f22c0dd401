//! The policy as CEL, so that the API server itself can decide when no server of ours answers.
//!
//! Two policies of the API server: one refuses what Block refuses, one sets the labels and annotations that Adopt and
//! `clusterApi` set. The expressions in [`text`] are the same for every policy; what a policy says comes before them, as
//! variables, so that a reader finds it in one place and the chart's template can render it too. What CEL cannot say is
//! said by [`limits`]; `decide` stays the only authority, and tests hold both to the same verdicts.

mod limits;
mod text;
mod words;

pub use limits::limits;

use super::rules::{ClusterApi, Mode, Policy};
use super::target::{Kind, SCHEMA};

/// First Kubernetes minor with `ValidatingAdmissionPolicy` v1 (KEP-3488).
pub const VALIDATING: u32 = 30;
/// First Kubernetes minor with `MutatingAdmissionPolicy` v1, on by default (KEP-3962).
pub const MUTATING: u32 = 36;

/// A named expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As which it is referred to.
    pub name: &'static str,
    /// CEL.
    pub expression: String,
}

impl Named {
    fn new(name: &'static str, expression: impl Into<String>) -> Self {
        Self { name, expression: expression.into() }
    }
}

/// What both kinds of policy have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The kinds that are looked at.
    pub kinds: Vec<Kind>,
    /// Of these writes.
    pub operations: &'static [&'static str],
    /// Whether it is about a target at all.
    pub condition: Named,
    /// What the policy says first, then what follows from it and the write.
    pub variables: Vec<Named>,
}

/// Refuses what Block refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which writes.
    pub scope: Scope,
    /// True for a write that passes.
    pub expression: &'static str,
    /// For the client, as CEL.
    pub message: &'static str,
}

/// Sets labels and annotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamping {
    /// Which writes.
    pub scope: Scope,
    /// Gives a list of `JSONPatch`.
    pub expression: &'static str,
}

/// What refuses as `policy` does; `None` where it refuses nothing.
pub fn refusal(policy: &Policy) -> Option<Refusal> {
    (policy.mode == Mode::Block).then(|| Refusal {
        scope: scope(policy, Kind::core_four, &["CREATE"], &[exempt(policy)], text::REFUSAL),
        expression: text::MAY_BE_CREATED,
        message: text::REFUSED,
    })
}

/// What sets the labels and annotations that `policy` sets; `None` where it sets none.
pub fn stamping(policy: &Policy) -> Option<Stamping> {
    let (kinds, operations): (fn(Kind) -> bool, &[&str]) = match policy.mode {
        Mode::Observe => return None,
        Mode::Block if policy.cluster_api == ClusterApi::Leave => return None,
        // A CREATE of these is refused or left alone, never amended.
        Mode::Block => (Kind::core_four, &["UPDATE"]),
        Mode::Adopt => (|_| true, &["CREATE", "UPDATE"]),
    };
    let release = match (policy.mode, &policy.owner.release) {
        (Mode::Adopt, Some(release)) => format!(
            "{{\"name\": {}, \"namespace\": {}}}",
            words::literal(&release.name),
            words::literal(&release.namespace)
        ),
        _ => "{}".to_owned(),
    };
    let cluster_api = match policy.cluster_api {
        ClusterApi::Protect => "Protect",
        ClusterApi::Release => "Release",
        ClusterApi::Leave => "Leave",
    };
    let says = [
        Named::new("mode", words::literal(policy.mode_name())),
        Named::new("release", release),
        Named::new("clusterApi", words::literal(cluster_api)),
        exempt(policy),
    ];
    Some(Stamping { scope: scope(policy, kinds, operations, &says, text::STAMPING), expression: text::PATCH })
}

fn exempt(policy: &Policy) -> Named {
    Named::new("exempt", words::exempt(&policy.exempt))
}

fn scope(
    policy: &Policy,
    wanted: impl Fn(Kind) -> bool,
    operations: &'static [&'static str],
    says: &[Named],
    follows: &[(&'static str, &'static str)],
) -> Scope {
    let names = &policy.targets;
    // A name that the API server has yet to make up is not there, and an error here would refuse the write.
    let expression = format!(
        "request.?namespace.orValue('') in ['', '{}'] && (request.resource.resource == 'customresourcedefinitions' \
         ? request.?name.orValue('') == '{SCHEMA}' \
         : request.?name.orValue('') == '{}' \
         || (request.resource.resource == 'configmaps' && request.?name.orValue('') == '{}'))",
        names.namespace, names.name, names.settings
    );
    let follows = follows.iter().map(|(name, expression)| Named::new(name, *expression));
    Scope {
        kinds: Kind::ALL.into_iter().filter(|kind| wanted(*kind)).collect(),
        operations,
        condition: Named::new("vpc-cni-by-name", expression),
        // The manager first, as exemption may depend on it.
        variables: text::MANAGER
            .iter()
            .map(|(name, expression)| Named::new(name, *expression))
            .chain(says.iter().cloned())
            .chain(follows)
            .collect(),
    }
}

/// The expressions that no policy changes, for the chart: name of the part, its variables, its expressions.
pub fn constant_parts() -> [(&'static str, &'static [(&'static str, &'static str)]); 5] {
    [
        ("manager", text::MANAGER),
        ("refusal", text::REFUSAL),
        ("refuse", &[("expression", text::MAY_BE_CREATED), ("message", text::REFUSED)]),
        ("stamping", text::STAMPING),
        ("stamp", &[("expression", text::PATCH)]),
    ]
}
