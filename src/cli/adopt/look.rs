//! What has to be known of a cluster before an adoption can be planned: the objects, whose policy, and what else is there.

use anyhow::bail;
use serde_json::value::RawValue;

use super::{AdoptArgs, Tool};
use crate::adopt::{Plan, Stored};
use crate::cli::greeting::say;
use crate::cluster::inventory::{Inventory, PolicySource, Presence, Unseen};
use crate::policy::Policy;
use crate::policy::rules::{Mode, Owner, Release};
use crate::purge::unseen;
use crate::undo::Place;

/// What has to be seen before anything can be planned.
pub(super) fn seen(live: &Inventory) -> anyhow::Result<Place> {
    let blind = live.targets.iter().filter(|item| matches!(item.state, Presence::Unseen));
    let mut missing: Vec<String> = Vec::new();
    for item in blind {
        let same = |unseen: &&Unseen| {
            unseen.resource == item.reference.resource() && unseen.name == item.reference.name()
        };
        missing.push(match live.unseen.iter().find(same) {
            Some(unseen) => sentence(unseen),
            None => format!("cannot read {}", item.reference),
        });
    }
    let uid = live.uid.clone().unwrap_or_default();
    if uid.is_empty() {
        let namespace = |unseen: &&Unseen| unseen.resource == "namespaces";
        missing.push(match live.unseen.iter().find(namespace) {
            Some(unseen) => format!("{}; its uid tells this cluster from others", sentence(unseen)),
            None => "Namespace kube-system has no uid, which tells this cluster from others".into(),
        });
    }
    if !missing.is_empty() {
        bail!("nothing was changed: what is installed could not be seen:\n  {}", missing.join("\n  "));
    }
    Ok(Place { uid, url: live.server.clone() })
}

impl AdoptArgs {
    /// The policy that says who shall own it.
    pub(super) fn policy(&self, live: &Inventory) -> anyhow::Result<Policy> {
        let policy = match &live.policy_from {
            PolicySource::Given | PolicySource::Installed(..) => live.policy.clone(),
            PolicySource::Nowhere => Policy::with_mode(Mode::Adopt),
            PolicySource::Broken(why) => {
                bail!(
                    "the policy in the cluster cannot be used: {why}. Repair it, or give one with --policy FILE"
                )
            }
        };
        for warning in policy.warnings() {
            say(&format!("warning: {warning}"));
        }
        if self.owner.is_none() && self.release.is_none() {
            return Ok(policy);
        }
        let fallback = || Release { name: "aws-vpc-cni".into(), namespace: "kube-system".into() };
        let release = self.release.clone().or(policy.owner.release.clone());
        let owner = match self.owner {
            None => owner(&policy.owner.manager, release),
            Some(Tool::Helm) => owner("helm", Some(release.unwrap_or_else(fallback))),
            Some(Tool::Flux) => owner("helm-controller", Some(release.unwrap_or_else(fallback))),
            Some(Tool::Argocd) if self.release.is_some() => {
                bail!("Argo CD installs no Helm release: leave --release out")
            }
            Some(Tool::Argocd) => owner("argocd-controller", None),
        };
        if matches!(live.policy_from, PolicySource::Installed(..)) && policy.owner != owner {
            say(&format!(
                "warning: the policy of the cni-steward in this cluster names owner {}; in mode Adopt it would take back \
                 what is adopted for {}, so set the owner there first",
                policy.owner.manager, owner.manager
            ));
        }
        Ok(policy.with_owner(owner))
    }
}

/// What is worth knowing about the rest of the cluster.
pub(super) fn notes(live: &Inventory, policy: &Policy, plan: &mut Plan) {
    let Some(release) = &policy.owner.release else { return };
    let own = |name: &str, namespace: &str| name == release.name && namespace == release.namespace;
    for found in live.releases.iter().filter(|found| own(&found.name, &found.namespace)) {
        plan.notes.push(format!(
            "release {release} is there already (revision {}, {}): `helm upgrade` it, `helm install` will say that the name \
             is in use",
            found.revision, found.status
        ));
    }
    for found in live.flux.iter().filter(|found| policy.owner.manager == "helm" && !found.suspended) {
        plan.notes.push(format!(
            "Flux installs the VPC CNI as HelmRelease {}/{}: it would take the fields from helm again; adopt for it with \
             --owner flux",
            found.namespace, found.name
        ));
    }
}

/// The targets of the policy as they are stored.
pub(super) fn stored(live: &Inventory) -> Vec<Stored<'_>> {
    live.targets
        .iter()
        .filter_map(|item| {
            Some(Stored { target: item.target()?, text: item.live().map(|live| RawValue::get(&live.text)) })
        })
        .collect()
}

fn owner(manager: &str, release: Option<Release>) -> Owner {
    Owner { manager: manager.to_owned(), release }
}

fn sentence(unseen: &Unseen) -> String {
    format!("{}; {}", unseen::told(unseen), unseen::next(unseen))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: AdoptArgs,
    }

    #[rstest::rstest]
    #[case("", "mode: Adopt")]
    #[case("--owner helm", "mode: Adopt")]
    #[case("--owner flux", "mode: Adopt\nowner: {manager: helm-controller}")]
    #[case("--owner argocd", "mode: Adopt\nowner: {manager: argocd-controller}")]
    #[case("--release net/cni", "mode: Adopt\nowner: {release: {name: cni, namespace: net}}")]
    fn an_owner_on_the_command_line_counts_for_the_hash_as_one_in_a_file(
        #[case] words: &str,
        #[case] file: &str,
    ) {
        let words = ["adopt"].into_iter().chain(words.split_whitespace());
        let policy = Command::try_parse_from(words).unwrap().args.policy(&Inventory::default()).unwrap();
        let written = Policy::parse("policy.yaml", file).unwrap();
        assert_eq!((&policy.owner, policy.hash()), (&written.owner, written.hash()));
    }
}
