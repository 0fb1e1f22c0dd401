//! `export policies`: the policy as objects that the API server itself decides by, without a server of ours.
//!
//! The CEL comes from `policy::cel`; here it is put into objects. Refusing fails closed (an error of an expression refuses
//! this one CREATE), changing fails open, as the webhook does.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use k8s_openapi::api::admissionregistration::v1::{
    JSONPatch, MatchCondition, MatchResources, MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding,
    MutatingAdmissionPolicyBindingSpec, MutatingAdmissionPolicySpec, Mutation, NamedRuleWithOperations,
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec, Validation, Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::minor;
use crate::cli::policy_from;
use crate::cli::terminal::print;
use crate::policy::Policy;
use crate::policy::cel::{self, Named, Refusal, Scope, Stamping};

/// What the command does, in a line.
pub const ABOUT: &str = "The policy as `ValidatingAdmissionPolicy` and `MutatingAdmissionPolicy`, as YAML: a backstop without a server";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward export policies --policy examples/block.yaml --kube-version 1.30 | kubectl apply -f -
      refuses what the webhook would refuse, also while no replica can be reached
  cni-steward export policies --policy examples/adopt.yaml | kubectl apply -f -
      sets the stamps in the API server itself (Kubernetes 1.36); field ownership stays the webhook's work";

/// Arguments of `export policies`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct PoliciesArgs {
    /// Policy file; without it the policy is Observe, and there is nothing to export.
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// The API server's version: refusing needs 1.30, setting labels and annotations 1.36.
    #[arg(long, value_name = "1.MINOR", default_value = "1.36")]
    kube_version: String,
    /// What the objects' names begin with.
    #[arg(long, value_name = "NAME", default_value = "cni-steward")]
    name: String,
}

/// Prints the objects as YAML, after comments that say what they cannot do.
pub fn policies(args: &PoliciesArgs) -> anyhow::Result<ExitCode> {
    let policy = policy_from(args.policy.as_deref())?;
    let minor = minor(&args.kube_version)?;
    if minor < cel::VALIDATING {
        bail!(
            "--kube-version {}: Kubernetes has such policies from 1.{} on; below, the webhook is the only way",
            args.kube_version,
            cel::VALIDATING
        );
    }
    print(&text(&policy, minor, &args.name)?)?;
    Ok(ExitCode::SUCCESS)
}

/// All of the output.
fn text(policy: &Policy, minor: u32, name: &str) -> anyhow::Result<String> {
    let mut out = format!(
        "# The cni-steward policy {} (mode {}) as policies of the API server itself, Kubernetes 1.{minor}.\n\
         # What they do not do:\n",
        policy.hash(),
        policy.mode_name()
    );
    for sentence in cel::limits(policy, minor) {
        for (number, line) in wrapped(&sentence).into_iter().enumerate() {
            out.push_str(if number == 0 { "# - " } else { "#   " });
            out.push_str(&line);
            out.push('\n');
        }
    }
    let mut documents = Vec::new();
    if let Some(refusal) = cel::refusal(policy) {
        documents.extend(validating(&format!("{name}-block"), refusal)?);
    }
    if let Some(stamping) = cel::stamping(policy).filter(|_| minor >= cel::MUTATING) {
        documents.extend(mutating(&format!("{name}-stamps"), stamping)?);
    }
    for document in documents {
        out.push_str("---\n");
        out.push_str(&document);
    }
    Ok(out)
}

/// Lines of at most 100 characters.
fn wrapped(sentence: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn yaml(object: &impl serde::Serialize) -> anyhow::Result<String> {
    serde_saphyr::to_string(object).context("the policy cannot be written as YAML")
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

fn validating(name: &str, refusal: Refusal) -> anyhow::Result<[String; 2]> {
    let validation = Validation {
        expression: refusal.expression.to_owned(),
        message: Some("the cni-steward policy (mode Block) keeps the VPC CNI from coming back".to_owned()),
        message_expression: Some(refusal.message.to_owned()),
        reason: Some("Forbidden".to_owned()),
    };
    let policy = ValidatingAdmissionPolicy {
        metadata: named(name),
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(constraints(&refusal.scope)),
            match_conditions: Some(vec![condition(&refusal.scope)]),
            variables: Some(variables(refusal.scope)),
            validations: Some(vec![validation]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    };
    let binding = ValidatingAdmissionPolicyBinding {
        metadata: named(name),
        spec: ValidatingAdmissionPolicyBindingSpec {
            policy_name: name.to_owned(),
            validation_actions: vec!["Deny".to_owned()],
            ..ValidatingAdmissionPolicyBindingSpec::default()
        },
    };
    Ok([yaml(&policy)?, yaml(&binding)?])
}

fn mutating(name: &str, stamping: Stamping) -> anyhow::Result<[String; 2]> {
    let mutation = Mutation {
        json_patch: Some(JSONPatch { expression: Some(stamping.expression.to_owned()) }),
        patch_type: "JSONPatch".to_owned(),
        ..Mutation::default()
    };
    let policy = MutatingAdmissionPolicy {
        metadata: named(name),
        spec: Some(MutatingAdmissionPolicySpec {
            failure_policy: Some("Ignore".to_owned()),
            reinvocation_policy: Some("IfNeeded".to_owned()),
            match_constraints: Some(constraints(&stamping.scope)),
            match_conditions: Some(vec![condition(&stamping.scope)]),
            variables: Some(variables(stamping.scope)),
            mutations: Some(vec![mutation]),
            ..MutatingAdmissionPolicySpec::default()
        }),
    };
    let binding = MutatingAdmissionPolicyBinding {
        metadata: named(name),
        spec: Some(MutatingAdmissionPolicyBindingSpec {
            policy_name: Some(name.to_owned()),
            ..MutatingAdmissionPolicyBindingSpec::default()
        }),
    };
    Ok([yaml(&policy)?, yaml(&binding)?])
}

fn constraints(scope: &Scope) -> MatchResources {
    let mut rules: Vec<NamedRuleWithOperations> = Vec::new();
    for kind in &scope.kinds {
        let (group, resource) = kind.group_resource();
        let same = |rule: &&mut NamedRuleWithOperations| {
            rule.api_groups.as_ref().is_some_and(|groups| groups.iter().any(|known| known == group))
        };
        if let Some(resources) = rules.iter_mut().find(same).and_then(|rule| rule.resources.as_mut()) {
            resources.push(resource.to_owned());
            continue;
        }
        rules.push(NamedRuleWithOperations {
            api_groups: Some(vec![group.to_owned()]),
            api_versions: Some(vec!["v1".to_owned()]),
            operations: Some(scope.operations.iter().map(|&operation| operation.to_owned()).collect()),
            resources: Some(vec![resource.to_owned()]),
            ..NamedRuleWithOperations::default()
        });
    }
    MatchResources {
        match_policy: Some("Equivalent".to_owned()),
        resource_rules: Some(rules),
        ..MatchResources::default()
    }
}

fn condition(scope: &Scope) -> MatchCondition {
    let Named { name, expression } = &scope.condition;
    MatchCondition { name: (*name).to_owned(), expression: expression.clone() }
}

fn variables(scope: Scope) -> Vec<Variable> {
    let variable = |Named { name, expression }: Named| Variable { name: name.to_owned(), expression };
    scope.variables.into_iter().map(variable).collect()
}
