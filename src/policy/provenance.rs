//! Who installed a target: one word for the label `cni-steward.dev/installed-by`, from evidence.
//!
//! Stamping erases the other evidence, so the word is set before or with the first stamp and never overwritten. A CREATE
//! is evidence by itself. For an object that exists already, the entry whose time equals `creationTimestamp` belongs to
//! the creator; later writes move entry times, and then markers have to do (facts: eks-vpc-cni §3, field managers).

use jiff::Timestamp;

use super::change::RELEASE_NAME;
use super::object::{ARGO_TRACKING, FLUX_NAME, Object};
use super::rules::EKS;
use super::target::Kind;
use crate::fields::entry::{Known, List};

/// The word for nobody in particular.
pub const UNKNOWN: &str = "unknown";

/// The word for a field manager; `""` for managers that never install (controllers of Kubernetes itself).
pub fn word(manager: &str) -> &'static str {
    match manager {
        EKS => "eks",
        "helm" | "Helm" => "helm",
        "eksctl" => "eksctl",
        "helm-controller" | "kustomize-controller" => "flux",
        "kube-controller-manager" | "kube-apiserver" | "kubelet" | "before-first-apply" | "" => "",
        other if other.starts_with("argocd") => "argocd",
        other if other.starts_with("kubectl") => "kubectl",
        other if other.starts_with("pulumi") => "pulumi",
        other if other.to_ascii_lowercase().starts_with("terraform") => "terraform",
        _ => "other",
    }
}

/// Who is installing the object, on CREATE.
pub fn of_create(object: &Object<'_>, username: &str, manager: &str) -> &'static str {
    if username.starts_with("eks:") {
        return "eks";
    }
    match (marker(object), word(manager)) {
        (None, "") => UNKNOWN,
        (Some((word, _)), _) | (None, word) => word,
    }
}

/// Who installed an object that exists already.
pub fn of_existing(kind: Kind, object: &Object<'_>, list: Option<&List<'_>>) -> &'static str {
    tell(Some(kind), object, list).0
}

/// What a word about an object that exists already rests on, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis<'a> {
    /// This manager's entry has the time of the creation.
    Creator(&'a str),
    /// A label or annotation that only one tool writes.
    Marker(&'static str),
    /// This manager holds fields.
    Manager(&'a str),
    /// The annotation of a Helm release.
    Release,
    /// Nothing.
    Nothing,
}

/// Who installed an object that exists already, and how that is known. `kind` is `None` outside the catalogue.
pub fn tell<'o>(
    kind: Option<Kind>,
    object: &Object<'_>,
    list: Option<&'o List<'_>>,
) -> (&'static str, Basis<'o>) {
    let entries = || {
        list.into_iter()
            .flat_map(|list| &list.entries)
            .filter_map(|entry| entry.known.as_ref())
            .filter(|known| known.subresource.is_empty() && !word(&known.manager).is_empty())
    };
    let eks_bootstrap_before_2024 = |manager: &str| {
        manager == "kubectl-client-side-apply" && kind == Some(Kind::DaemonSet) && object.eks_images()
    };
    let marked = marker(object).map(|(word, key)| (word, Basis::Marker(key)));
    let creator = entries().find(|known| written_at(known, &object.created)).map(|known| &*known.manager);
    match creator {
        // What only one tool writes may have come later: EKS writes at a cluster's birth.
        Some(manager) if manager == EKS || eks_bootstrap_before_2024(manager) => {
            return ("eks", Basis::Creator(manager));
        }
        Some(manager) => return marked.unwrap_or_else(|| (word(manager), Basis::Creator(manager))),
        None => {}
    }
    if let Some(marked) = marked {
        return marked;
    }
    let mut managers = entries().map(|known| &*known.manager);
    let first = managers.clone().next();
    if let Some(manager) = managers.find(|manager| *manager == EKS || eks_bootstrap_before_2024(manager)) {
        ("eks", Basis::Manager(manager))
    } else if object.annotations.get(RELEASE_NAME).is_some() {
        ("helm", Basis::Release)
    } else {
        first.map_or((UNKNOWN, Basis::Nothing), |manager| (word(manager), Basis::Manager(manager)))
    }
}

/// What Flux and Argo CD write on everything they install.
fn marker(object: &Object<'_>) -> Option<(&'static str, &'static str)> {
    if object.labels.get(FLUX_NAME).is_some() {
        Some(("flux", FLUX_NAME))
    } else if object.annotations.get(ARGO_TRACKING).is_some() {
        Some(("argocd", ARGO_TRACKING))
    } else {
        None
    }
}

/// Within the two seconds that a create may take to be stored.
fn written_at(known: &Known<'_>, created: &str) -> bool {
    let Some(time) = known.time.as_deref() else { return false };
    if time == created && !created.is_empty() {
        return true;
    }
    match (time.parse::<Timestamp>(), created.parse::<Timestamp>()) {
        (Ok(time), Ok(created)) => (time.as_second() - created.as_second()).abs() <= 2,
        _ => false,
    }
}
