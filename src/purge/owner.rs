//! Who would bring the targets back: a Helm release, Flux, Argo CD.
//!
//! What is deleted under a release is created again by its next upgrade, and the release goes on saying `deployed`. So the owner is
//! asked to remove them, with the command that does it; only a person who knows better deletes under it. Stamps without a release
//! are nobody's: they are what remains of an adoption that Helm never finished.

use super::unseen;
use crate::cluster::inventory::{Inventory, Unseen};
use crate::layout::quoted;
use crate::policy::provenance;

/// Who owns targets and would bring them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A `HelmRelease` of Flux: namespace and name.
    Flux(String, String),
    /// The labels of Flux name this `HelmRelease` (namespace, name), and whether there is one could not be seen.
    Labelled(String, String, Unseen),
    /// An application of Argo CD; its name, unless Argo CD tracks by a label.
    Argo(Option<String>),
    /// A Helm release: namespace and name.
    Helm(String, String),
    /// Targets are stamped for this release (namespace, name), and whether there is one could not be seen.
    Stamped(String, String, Unseen),
}

impl Owner {
    /// One clause.
    pub fn sentence(&self) -> String {
        match self {
            Self::Flux(namespace, name) => {
                format!("Flux installs the VPC CNI by HelmRelease {namespace}/{name} and would bring it back")
            }
            Self::Labelled(namespace, name, unseen) => format!(
                "it is labelled as installed by HelmRelease {namespace}/{name} of Flux, and whether there is one could not be \
                 seen: {}",
                unseen::told(unseen)
            ),
            Self::Argo(Some(application)) => {
                format!("Argo CD owns it by application {application} and would bring it back")
            }
            Self::Argo(None) => {
                "Argo CD owns fields of it: an application of its would bring it back".to_owned()
            }
            Self::Helm(namespace, name) => format!(
                "Helm release {namespace}/{name} owns it: it would go on saying that it is deployed, and its next upgrade \
                 would bring the VPC CNI back"
            ),
            Self::Stamped(namespace, name, unseen) => format!(
                "it is stamped for Helm release {namespace}/{name}, and whether there is one could not be seen: {}",
                unseen::told(unseen)
            ),
        }
    }

    /// What to do instead.
    pub fn next(&self) -> String {
        match self {
            Self::Flux(namespace, name) => format!(
                "take HelmRelease {name} out of its Git repository (for now: flux suspend helmrelease {} -n {})",
                quoted(name),
                quoted(namespace)
            ),
            Self::Argo(Some(application)) => {
                format!(
                    "take it out of the application's source, or: argocd app delete {}",
                    quoted(application)
                )
            }
            Self::Argo(None) => {
                "find the application (argocd app list) and take it out of its source".to_owned()
            }
            Self::Helm(namespace, name) => {
                format!("helm uninstall {} -n {}", quoted(name), quoted(namespace))
            }
            Self::Stamped(_, _, unseen) | Self::Labelled(_, _, unseen) => unseen::next(unseen),
        }
    }
}

/// Everybody who owns a target that stands, each once.
pub fn all(inventory: &Inventory) -> Vec<Owner> {
    let mut found = Vec::new();
    // One that is suspended brings nothing back.
    let awake = || inventory.flux.iter().filter(|flux| !flux.suspended);
    found.extend(awake().map(|flux| Owner::Flux(flux.namespace.clone(), flux.name.clone())));
    let of_flux = |of: &str, name: &str| awake().any(|flux| flux.release.0 == of && flux.release.1 == name);
    let unseen = |what: &str| inventory.unseen.iter().find(|unseen| unseen.resource == what);
    let secrets = unseen("secrets");
    let applications = inventory.standing().any(|(_, facts)| facts.argo.is_some());
    for (_, facts) in inventory.standing() {
        if let Some((namespace, name)) = &facts.flux
            && !inventory.flux.iter().any(|flux| flux.name == *name)
            && let Some(unseen) = unseen("helmreleases.helm.toolkit.fluxcd.io")
        {
            found.push(Owner::Labelled(namespace.clone(), name.clone(), unseen.clone()));
        }
        found.extend(facts.argo.clone().map(|application| Owner::Argo(Some(application))));
        if !applications && facts.root_managers().iter().any(|manager| provenance::word(manager) == "argocd")
        {
            found.push(Owner::Argo(None));
        }
        let Some((namespace, name)) = facts.stamps.release() else { continue };
        let (of, called) = (namespace.to_owned(), name.to_owned());
        if of_flux(namespace, name) {
            continue;
        }
        if inventory.releases.iter().any(|release| release.namespace == of && release.name == called) {
            found.push(Owner::Helm(of, called));
        } else if let Some(unseen) = secrets {
            found.push(Owner::Stamped(of, called, unseen.clone()));
        }
    }
    let mut each = Vec::new();
    for owner in found {
        if !each.contains(&owner) {
            each.push(owner);
        }
    }
    each
}
