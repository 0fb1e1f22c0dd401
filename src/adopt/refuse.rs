//! What speaks against an adoption: each a word for scripts, a sentence, and the command that helps.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Stored, Wish};
use crate::admission::object::alone;
use crate::fields::Known;
use crate::policy::change::{ALLOW_UNTIL, MANAGED_ADDON, MANAGED_BY, Map};
use crate::policy::object::{ARGO_TRACKING, FLUX_NAME};
use crate::policy::rules::{ClusterApi, EKS, ManagedAddon, Mode, Policy};
use crate::policy::{Kind, Reason, Target, pattern};
use crate::purge::addon::cluster_name;

/// The bootstrap writes an object once and at once; the managed add-on comes back.
const BOOTSTRAP: SignedDuration = SignedDuration::from_mins(10);

/// What the chart calls itself, and its image.
const CHART: &str = "aws-vpc-cni";
const IMAGE: &str = "amazon-k8s-cni";

/// One reason why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub code: &'static str,
    /// Why.
    pub message: String,
    /// What to do about it, with the command where there is one.
    pub next: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: next.into() }
    }

    /// An object that cannot be understood.
    pub(super) fn odd(target: &Target<'_>, problem: &str) -> Self {
        let message = format!("{target} cannot be understood, so it is not changed: {problem}");
        Self::new("odd-object", message, format!("look at it: kubectl get {} -o yaml", named(target)))
    }

    /// An object that the policy leaves alone.
    pub(super) fn left(target: &Target<'_>, reason: Reason, message: &str) -> Self {
        let object = named(target);
        match reason {
            Reason::Paused => Self::new(
                "paused",
                format!("{message}, so nobody of ours changes it"),
                format!("end the pause: kubectl annotate {object} {ALLOW_UNTIL}-"),
            ),
            Reason::OtherRelease => Self::new(
                "other-release",
                message,
                "name that release with --release NAMESPACE/NAME, or, if it is gone, take its stamps off: kubectl annotate \
                 "
                .to_owned()
                    + &object
                    + " meta.helm.sh/release-name- meta.helm.sh/release-namespace-",
            ),
            other => Self::new(
                other.code(),
                message,
                format!("look at it: kubectl get {object} -o yaml --show-managed-fields"),
            ),
        }
    }
}

/// As kubectl names it.
fn named(target: &Target<'_>) -> String {
    let namespace =
        if target.namespace.is_empty() { String::new() } else { format!(" -n {}", target.namespace) };
    let (group, resource) = target.kind.group_resource();
    let dot = if group.is_empty() { "" } else { "." };
    format!("{resource}{dot}{group}/{}{namespace}", target.name)
}

/// What in the policy speaks against it.
pub(super) fn of_policy(policy: &Policy) -> Vec<Refusal> {
    let mut found = Vec::new();
    if policy.mode == Mode::Block {
        found.push(Refusal::new(
            "mode-block",
            "the policy's mode is Block, which keeps the VPC CNI away",
            "to adopt it, give a policy of mode Adopt or Observe: cni-steward adopt --policy FILE",
        ));
    }
    if policy.cluster_api == ClusterApi::Release && policy.owner.release.is_some() {
        found.push(Refusal::new(
            "cluster-api-release",
            "the policy says clusterApi: Release, which takes the label managed-by: Helm away, and a release needs it",
            "set clusterApi to Protect or Leave in the policy",
        ));
    }
    found
}

/// What in the objects speaks against it, as a whole.
pub(super) fn of_objects(stored: &[Stored<'_>], wish: &Wish<'_>) -> Vec<Refusal> {
    let standing: Vec<(Target<'_>, &str)> =
        stored.iter().filter_map(|one| Some((one.target, one.text?))).collect();
    if standing.is_empty() {
        return vec![Refusal::new(
            "nothing-here",
            "there is no object of the VPC CNI in this cluster",
            "look where you are: kubectl config current-context; names other than the chart's defaults belong into the \
             policy's `targets`",
        )];
    }
    let mut found = Vec::new();
    for (target, text) in &standing {
        let whole: Value = serde_json::from_str(text).unwrap_or_default();
        if whole.pointer("/metadata/deletionTimestamp").is_some() {
            found.push(Refusal::new(
                "being-deleted",
                format!("{target} is being deleted"),
                format!("wait until it is gone: kubectl wait --for=delete {} --timeout=120s", named(target)),
            ));
        }
        if target.kind == Kind::DaemonSet && !is_aws(&whole) {
            found.push(Refusal::new(
                "foreign-daemonset",
                format!(
                    "{target} is not the VPC CNI's: no container has an image called {IMAGE}, and label helm.sh/chart \
                     names no {CHART}"
                ),
                format!("look at it: kubectl get {} -o wide", named(target)),
            ));
        }
    }
    found.extend(other_owners(&standing, wish));
    if !wish.addon_absent && wish.policy.managed_addon == ManagedAddon::Unknown {
        let ask = ask(stored);
        found.extend(standing.iter().find_map(|(target, text)| addon(target, text, &ask)));
    }
    found
}

/// Whether a `DaemonSet` is AWS's: the name alone proves nothing.
fn is_aws(whole: &Value) -> bool {
    let containers =
        |name: &str| whole.pointer(&format!("/spec/template/spec/{name}")).and_then(Value::as_array);
    let mut images = ["containers", "initContainers"].into_iter().filter_map(containers).flatten();
    let chart = whole.pointer("/metadata/labels/helm.sh~1chart").and_then(Value::as_str);
    images.any(|one| one.get("image").and_then(Value::as_str).is_some_and(|image| image.contains(IMAGE)))
        || chart.is_some_and(|chart| chart.starts_with(CHART))
}

/// Flux and Argo CD, where they are at work on objects that another owner shall have: each would take them back.
fn other_owners(standing: &[(Target<'_>, &str)], wish: &Wish<'_>) -> Vec<Refusal> {
    let owner = wish.policy.owner.manager.as_str();
    let tools = [
        ("Flux", "flux", "helm-controller", Map::Labels, FLUX_NAME),
        ("Argo CD", "argocd", "argocd-controller", Map::Annotations, ARGO_TRACKING),
    ];
    let mut found = Vec::new();
    for (tool, word, manager, map, key) in tools {
        if owner == manager
            || pattern::any(wish.absorb, manager)
            || pattern::any(&wish.policy.absorb, manager)
        {
            continue;
        }
        let marked = |text: &str| {
            alone(text).is_ok_and(|object| match map {
                Map::Labels => object.labels.get(key).is_some(),
                Map::Annotations => object.annotations.get(key).is_some(),
            })
        };
        let names: Vec<String> =
            standing.iter().filter(|(_, text)| marked(text)).map(|(target, _)| target.to_string()).collect();
        if !names.is_empty() {
            found.push(Refusal::new(
                "other-owner",
                format!("{tool} manages {}, and {owner} shall own them", names.join(", ")),
                format!(
                    "to leave them with {tool}: cni-steward adopt --owner {word}; to take them from {tool}, remove them there \
                     first, then: cni-steward adopt --absorb {manager}"
                ),
            ));
        }
    }
    found
}

/// The command that tells whether there is a managed add-on.
pub(super) fn ask(stored: &[Stored<'_>]) -> String {
    let workload = stored.iter().find(|one| one.target.kind == Kind::DaemonSet).and_then(|one| one.text);
    let workload: Option<Value> = workload.and_then(|text| serde_json::from_str(text).ok());
    let cluster = cluster_name(workload.as_ref()).unwrap_or("CLUSTER");
    format!("aws eks describe-addon --cluster-name {cluster} --addon-name vpc-cni")
}

/// Signs of the managed add-on on one object.
fn addon(target: &Target<'_>, text: &str, ask: &str) -> Option<Refusal> {
    let object = alone(text).ok()?;
    let sign = if object.annotations.get(MANAGED_ADDON) == Some("true") {
        format!("it carries {MANAGED_ADDON}, which was set when the managed add-on wrote it")
    } else if object.labels.get(MANAGED_BY) == Some("EKS") {
        format!("label {MANAGED_BY} says EKS, as the managed add-ons' do")
    } else {
        let late = object.managed_fields.iter().flat_map(|list| &list.entries).find_map(|entry| {
            let known = entry.known.as_ref().filter(|known| known.is_root() && known.manager == EKS)?;
            written_late(known, &object.created)
        })?;
        format!("eks wrote it at {late}, long after it was created at {}", object.created)
    };
    Some(Refusal::new(
        "managed-addon",
        format!("the EKS managed add-on seems to own {target} ({sign}); it would take back what is adopted"),
        format!(
            "ask AWS: {ask}. If it finds one, end it and keep the objects: {}. Then run adopt again with --managed-addon-absent",
            ask.replace("describe-addon", "delete-addon --preserve")
        ),
    ))
}

fn written_late<'k>(known: &'k Known<'_>, created: &str) -> Option<&'k str> {
    let time = known.time.as_deref()?;
    let (written, created): (Timestamp, Timestamp) = (time.parse().ok()?, created.parse().ok()?);
    (written.duration_since(created) > BOOTSTRAP).then_some(time)
}
