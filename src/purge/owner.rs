//! Who would bring the targets back: a Helm release, Flux, Argo CD.
//!
//! What is deleted under a release is created again by its next upgrade, and the release goes on saying `deployed`. So the owner is
//! asked to remove them, with the command that does it; only a person who knows better deletes under it. Stamps without a release
//! are nobody's: they are what remains of an adoption that Helm never finished.

use super::unseen;
use crate::cluster::inventory::{Inventory, Unseen};

/// Who owns targets and would bring them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A `HelmRelease` of Flux: namespace and name.
    Flux(String, String),
    /// An application of Argo CD.
    Argo(String),
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
            Self::Argo(application) => {
                format!("Argo CD owns it by application {application} and would bring it back")
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
                "take HelmRelease {name} out of its Git repository (for now: flux suspend helmrelease {name} -n {namespace})"
            ),
            Self::Argo(application) => {
                format!("take it out of the application's source, or: argocd app delete {application}")
            }
            Self::Helm(namespace, name) => format!("helm uninstall {name} -n {namespace}"),
            Self::Stamped(_, _, unseen) => unseen::next(unseen),
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
    let secrets = inventory.unseen.iter().find(|unseen| unseen.resource == "secrets");
    for (_, facts) in inventory.standing() {
        found.extend(facts.argo.clone().map(Owner::Argo));
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
