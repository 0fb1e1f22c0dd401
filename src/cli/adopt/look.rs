//! What has to be known of a cluster before an adoption can be planned: the objects, whose policy, and what else is there.

use anyhow::bail;
use serde_json::value::RawValue;

use super::{AdoptArgs, Tool};
use crate::adopt::{Plan, Stored};
use crate::cli::greeting::say;
use crate::cluster::inventory::{Inventory, PolicySource, Presence, Unseen};
use crate::layout::quoted;
use crate::policy::Policy;
use crate::policy::rules::{Mode, Owner, Release};
use crate::purge::unseen;
use crate::undo::Place;

/// The field manager of Flux.
const FLUX: &str = "helm-controller";
/// Where it is seen whether we are installed.
const INSTALLED: [&str; 2] =
    ["mutatingwebhookconfigurations.admissionregistration.k8s.io", "deployments.apps"];

/// What has to be seen before anything can be planned.
pub(super) fn seen(live: &Inventory) -> anyhow::Result<Place> {
    let blind = live.targets.iter().filter(|item| matches!(item.state, Presence::Unseen));
    let mut missing: Vec<String> = Vec::new();
    for item in blind {
        missing.push(match live.unseen(&item.reference) {
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
            PolicySource::Unseen(unseen) => {
                bail!(
                    "nothing was changed: cni-steward is installed here, and its policy could not be seen: {}. Or give one with \
                     --policy FILE",
                    sentence(unseen)
                )
            }
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
            Some(Tool::Flux) => owner(FLUX, Some(release.unwrap_or_else(fallback))),
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
    if live.policy_from == PolicySource::Nowhere
        && let Some(unseen) = live.unseen.iter().find(|unseen| INSTALLED.contains(&&*unseen.resource))
    {
        plan.notes.push(format!(
            "whether a cni-steward with a policy of its own is installed could not be seen ({}), so the defaults count; name its \
             policy with --policy FILE if there is one",
            unseen::told(unseen)
        ));
    }
    let Some(release) = &policy.owner.release else { return };
    let own = |name: &str, namespace: &str| name == release.name && namespace == release.namespace;
    for found in live.releases.iter().filter(|found| own(&found.name, &found.namespace)) {
        let next = match &*found.status {
            "deployed" | "failed" | "superseded" => {
                "`helm upgrade` it, `helm install` will say that the name is in use".to_owned()
            }
            _ => format!(
                "neither `helm install` nor `helm upgrade` goes on from there; see helm history {} -n {}",
                quoted(&found.name),
                quoted(&found.namespace)
            ),
        };
        plan.notes.push(format!(
            "release {release} is there already (revision {}, {}): {next}",
            found.revision, found.status
        ));
    }
    for found in live.flux.iter().filter(|found| !found.suspended) {
        let (namespace, name) = (&found.release.0, &found.release.1);
        let why = match &*policy.owner.manager {
            "helm" => "it would take the fields from helm again",
            FLUX if !own(name, namespace) => "that is another release than this one",
            _ => continue,
        };
        plan.notes.push(format!(
            "Flux installs the VPC CNI as HelmRelease {}/{}: {why}; adopt for it with --owner flux --release {}",
            found.namespace,
            found.name,
            quoted(&format!("{namespace}/{name}"))
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
    use crate::cluster::inventory::{FluxRelease, HelmRelease};

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: AdoptArgs,
    }

    #[test]
    fn an_installed_policy_that_cannot_be_seen_is_not_replaced_by_the_defaults() {
        let unseen = Unseen {
            verb: "get",
            resource: "configmaps".into(),
            namespace: Some("kube-system".into()),
            name: "cni-steward-policy".into(),
            why: "forbidden".into(),
            forbidden: true,
            reason: "forbidden",
        };
        let live = Inventory { policy_from: PolicySource::Unseen(unseen), ..Inventory::default() };
        let error = Command::try_parse_from(["adopt"]).unwrap().args.policy(&live).unwrap_err().to_string();
        for words in [
            "its policy could not be seen",
            "kubectl auth can-i get configmaps/cni-steward-policy",
            "--policy FILE",
        ] {
            assert!(error.contains(words), "expected {words:?} in {error}");
        }
    }

    #[rstest::rstest]
    #[case("mode: Adopt", "deployed", "`helm upgrade` it")]
    #[case("mode: Adopt", "uninstalled", "see helm history aws-vpc-cni -n kube-system")]
    #[case(
        "mode: Adopt",
        "deployed",
        "it would take the fields from helm again; adopt for it with --owner flux --release flux/cni"
    )]
    #[case(
        "mode: Adopt\nowner: {manager: helm-controller}",
        "deployed",
        "that is another release than this one"
    )]
    fn what_else_installs_it_is_noted_with_what_to_do(
        #[case] policy: &str,
        #[case] status: &str,
        #[case] words: &str,
    ) {
        let release = HelmRelease {
            namespace: "kube-system".into(),
            name: "aws-vpc-cni".into(),
            revision: 3,
            status: status.into(),
        };
        let flux = FluxRelease {
            namespace: "flux-system".into(),
            name: "cni".into(),
            release: ("flux".into(), "cni".into()),
            suspended: false,
            ready: None,
        };
        let live = Inventory { releases: vec![release], flux: vec![flux], ..Inventory::default() };
        let mut plan = Plan::default();
        notes(&live, &Policy::parse("policy.yaml", policy).unwrap(), &mut plan);
        assert!(plan.notes.iter().any(|note| note.contains(words)), "expected {words:?} in {:?}", plan.notes);
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
