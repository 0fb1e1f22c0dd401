//! The policy file: strict YAML, and one error that says where, what was found and what is allowed.
//!
//! An unknown key is an error rather than a warning: a misspelt `clusterAPI` that is silently ignored would let
//! Cluster API delete the network of a cluster.

mod source;

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::pattern::Pattern;
use super::rules::{ClusterApi, EKS, Fields, ManagedAddon, Mode, Policy, PolicyError, Release};
use super::writer::STEWARD;
use source::Source;

const API_VERSION: &str = "cni-steward.dev/v1alpha1";
/// Longest release name Helm accepts.
const MAX_RELEASE: usize = 53;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    mode: Mode,
    owner: Option<Spanned<OwnerPart>>,
    fields: Option<Spanned<Fields>>,
    absorb: Option<Spanned<Vec<Spanned<String>>>>,
    cluster_api: Option<Spanned<ClusterApi>>,
    managed_addon: Option<ManagedAddon>,
    exempt: Option<ExemptPart>,
    targets: Option<TargetsPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerPart {
    manager: Option<Spanned<String>>,
    #[serde(default)]
    release: ReleaseChoice,
}

/// `owner.release`, where leaving it out and writing `null` are two things.
#[derive(Default)]
enum ReleaseChoice {
    #[default]
    Default,
    /// `null`: the owner has no release.
    None,
    Named(ReleasePart),
}

impl<'de> Deserialize<'de> for ReleaseChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::None, Self::Named))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleasePart {
    name: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExemptPart {
    usernames: Option<Vec<Spanned<String>>>,
    groups: Option<Vec<Spanned<String>>>,
    managers: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetsPart {
    name: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
    settings: Option<Spanned<String>>,
}

/// Reads the file's text; `name` is only for error texts.
pub(super) fn parse(name: &str, text: &str) -> Result<Policy, PolicyError> {
    let source = Source { name, text };
    if text.trim().is_empty() {
        return Err(
            source.error(None, "the file is empty; it needs at least `mode: Observe`, `Adopt` or `Block`")
        );
    }
    let file: File = serde_saphyr::from_str(text).map_err(|error| source.syntax(&error))?;
    source.check(file)
}

impl Source<'_> {
    fn check(&self, file: File) -> Result<Policy, PolicyError> {
        self.exactly(file.api_version.as_ref(), "apiVersion", API_VERSION)?;
        self.exactly(file.kind.as_ref(), "kind", "Policy")?;
        let mut policy = Policy::with_mode(file.mode);
        if file.mode == Mode::Block {
            let ignored = [
                file.owner.as_ref().map(|part| ("owner", part.referenced)),
                file.fields.as_ref().map(|part| ("fields", part.referenced)),
                file.absorb.as_ref().map(|part| ("absorb", part.referenced)),
            ];
            for (key, at) in ignored.into_iter().flatten() {
                policy.warnings.push(
                    self.error(
                        Some(at),
                        &format!("`{key}` is ignored: mode Block gives the targets to nobody"),
                    )
                    .0,
                );
            }
        }
        if let Some(owner) = file.owner {
            self.owner(owner.value, &mut policy)?;
        }
        if let Some(fields) = file.fields {
            policy.fields = fields.value;
            if fields.value == Fields::Stamp && policy.owner.release.is_none() {
                return Err(self.error(
                    Some(fields.referenced),
                    "`fields: Stamp` with `owner.release: null` would change nothing; \
                     set a release, or `fields: Transfer`",
                ));
            }
        }
        if let Some(absorb) = file.absorb {
            for pattern in &absorb.value {
                self.manager(pattern, "absorb")?;
                if pattern.value == "*" {
                    policy.warnings.push(
                        self.error(
                            Some(pattern.referenced),
                            "`absorb: ['*']` also moves what people set by hand to the owner; name the managers",
                        )
                        .0,
                    );
                }
            }
            policy.absorb = absorb.value.into_iter().map(|pattern| Pattern::new(pattern.value)).collect();
        }
        if let Some(cluster_api) = file.cluster_api {
            policy.cluster_api = cluster_api.value;
            if let (ClusterApi::Release, Mode::Adopt, Some(release)) =
                (cluster_api.value, file.mode, &policy.owner.release)
            {
                return Err(self.error(
                    Some(cluster_api.referenced),
                    &format!(
                        "`clusterApi: Release` contradicts `mode: Adopt` for release {release}: old Cluster API versions \
                         delete only what is not `managed-by: Helm`, and Helm owns only what is; allowed here: Protect, \
                         Leave, or `owner.release: null`, or `mode: Block`"
                    ),
                ));
            }
        }
        if let Some(managed_addon) = file.managed_addon {
            policy.managed_addon = managed_addon;
        }
        if let Some(exempt) = file.exempt {
            let lists = [
                (exempt.usernames, "exempt.usernames", &mut policy.exempt.usernames),
                (exempt.groups, "exempt.groups", &mut policy.exempt.groups),
                (exempt.managers, "exempt.managers", &mut policy.exempt.managers),
            ];
            for (given, key, patterns) in lists {
                if let Some(given) = given {
                    if let Some(empty) = given.iter().find(|pattern| pattern.value.is_empty()) {
                        return Err(self.error(
                            Some(empty.referenced),
                            &format!("`{key}` holds an empty text; allowed: a name, or a pattern with `*`"),
                        ));
                    }
                    *patterns = given.into_iter().map(|pattern| Pattern::new(pattern.value)).collect();
                }
            }
        }
        if let Some(targets) = file.targets {
            let names = [
                (targets.name, "targets.name", 253, &mut policy.targets.name),
                (targets.namespace, "targets.namespace", 63, &mut policy.targets.namespace),
                (targets.settings, "targets.settings", 253, &mut policy.targets.settings),
            ];
            for (given, key, longest, name) in names {
                if let Some(given) = given {
                    *name = self.dns_name(given, key, longest)?;
                }
            }
        }
        Ok(policy.sealed())
    }

    fn owner(&self, part: OwnerPart, policy: &mut Policy) -> Result<(), PolicyError> {
        if let Some(manager) = part.manager {
            self.manager(&manager, "owner.manager")?;
            let problem = match manager.value.as_str() {
                EKS => Some("EKS takes what it does not know of from itself with its next apply"),
                STEWARD => Some("cni-steward gives the fields to an owner and keeps none"),
                name if name.contains('*') => {
                    Some("this is the name of one field manager, in which `*` stands for nothing else")
                }
                _ => None,
            };
            if let Some(problem) = problem {
                return Err(self.error(
                    Some(manager.referenced),
                    &format!(
                        "`owner.manager` is `{}`, but {problem}; allowed: the manager as `kubectl get --show-managed-fields` \
                         shows it, such as `helm`, `helm-controller` or `argocd-controller`",
                        manager.value
                    ),
                ));
            }
            if matches!(part.release, ReleaseChoice::Default) && manager.value.starts_with("argocd") {
                policy.owner.release = None;
            }
            policy.owner.manager = manager.value;
        }
        match part.release {
            ReleaseChoice::Default => {}
            ReleaseChoice::None => policy.owner.release = None,
            ReleaseChoice::Named(release) => {
                let mut named = Release { name: "aws-vpc-cni".into(), namespace: "kube-system".into() };
                if let Some(name) = release.name {
                    named.name = self.dns_name(name, "owner.release.name", MAX_RELEASE)?;
                }
                if let Some(namespace) = release.namespace {
                    named.namespace = self.dns_name(namespace, "owner.release.namespace", 63)?;
                }
                policy.owner.release = Some(named);
            }
        }
        Ok(())
    }
}
