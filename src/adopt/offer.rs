//! Who else holds fields of the objects themselves, and could give them up: people's tools, old installers.

use super::Stored;
use crate::admission::object::alone;
use crate::policy::pattern;
use crate::policy::rules::{Fields, Policy};
use crate::policy::writer::STEWARD;

/// Writers that are part of Kubernetes and go on writing.
const NEVER: [&str; 4] = ["kube-apiserver", "kube-controller-manager", "kubelet", STEWARD];

/// A manager that keeps its fields unless a person says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The manager.
    pub manager: String,
    /// How many paths it holds, of all objects together.
    pub paths: usize,
    /// The objects, as in `DaemonSet kube-system/aws-node`.
    pub objects: Vec<String>,
}

/// The managers that the effective policy does not absorb, those with the most paths first.
pub(super) fn find(stored: &[Stored<'_>], policy: &Policy) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    if policy.fields == Fields::Stamp {
        return offers;
    }
    for one in stored {
        let Some(Ok(object)) = one.text.map(alone) else { continue };
        let entries = object.managed_fields.iter().flat_map(|list| &list.entries);
        for known in entries.filter_map(|entry| entry.known.as_ref()) {
            let stays = known.is_root()
                && known.manager != policy.owner.manager
                && !NEVER.contains(&&*known.manager)
                && !pattern::any(&policy.absorb, &known.manager);
            let paths = known.set().map(|set| set.len()).unwrap_or_default();
            if !stays || paths == 0 {
                continue;
            }
            let name = one.target.to_string();
            match offers.iter_mut().find(|offer| offer.manager == known.manager) {
                Some(offer) => {
                    offer.paths += paths;
                    if !offer.objects.contains(&name) {
                        offer.objects.push(name);
                    }
                }
                None => {
                    offers.push(Offer { manager: known.manager.to_string(), paths, objects: vec![name] });
                }
            }
        }
    }
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.paths));
    offers
}
