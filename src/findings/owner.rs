//! Who owns the VPC CNI of a cluster, and how sure that is.
//!
//! Each object says whose it is; what most say is the verdict, and what contradicts it makes it a dispute. `managed-by: Helm`
//! alone proves nothing, since EKS sets it too; nor does the field manager `eks` tell the managed add-on from EKS's bootstrap.

use jiff::{SignedDuration, Timestamp};

use super::verdict::{Certainty, Owner, Verdict};
use crate::cluster::inventory::{Evidence, Facts, Inventory, Item, Presence};
use crate::policy::rules::ManagedAddon;
use crate::policy::{Kind, provenance};

/// Whose one object is.
fn of(live: &Inventory, item: &Item, facts: &Facts) -> Owner {
    let holds = |word: &str| facts.root_managers().iter().any(|manager| provenance::word(manager) == word);
    if is_foreign(item, facts) {
        Owner::Foreign
    } else if facts.managed_addon {
        Owner::EksAddon
    } else if facts.flux.is_some() {
        Owner::Flux
    } else if facts.argo.is_some() || holds("argocd") {
        Owner::ArgoCd
    } else if let Some(release) = facts.stamps.release() {
        if has_record(live, release) { Owner::Helm } else { Owner::Stamped }
    } else if facts.provenance.word == "eks" || holds("eks") {
        Owner::Eks
    } else {
        Owner::Other
    }
}

/// Whether a `DaemonSet` called like the VPC CNI runs something else.
pub(super) fn is_foreign(item: &Item, facts: &Facts) -> bool {
    item.kind == Some(Kind::DaemonSet)
        && facts.image.as_deref().is_some_and(|image| !image.contains("amazon-k8s-cni"))
        && !facts.chart.as_deref().is_some_and(|chart| chart.starts_with("aws-vpc-cni-"))
}

pub(super) fn has_record(live: &Inventory, (namespace, name): (&str, &str)) -> bool {
    live.releases.iter().any(|release| release.namespace == namespace && release.name == name)
}

pub(super) fn verdict(live: &Inventory) -> Verdict {
    // The schema outlives every owner, so it does not say whose the rest is.
    let objects: Vec<(&Item, &Facts)> =
        live.standing().filter(|(item, _)| item.kind != Some(Kind::CustomResourceDefinition)).collect();
    let claims: Vec<Owner> = objects.iter().map(|(item, facts)| of(live, item, facts)).collect();
    let mut releases: Vec<(&str, &str)> =
        objects.iter().filter_map(|(_, facts)| facts.stamps.release()).collect();
    releases.sort_unstable();
    releases.dedup();
    let workload = objects.iter().find(|(item, _)| item.kind == Some(Kind::DaemonSet)).copied();
    let owner = match (claims.first(), workload.map(|(item, facts)| of(live, item, facts))) {
        (None, _) if live.targets.iter().any(|item| matches!(item.state, Presence::Unseen)) => Owner::Unknown,
        (None, _) => Owner::None,
        (_, Some(Owner::Foreign)) => Owner::Foreign,
        _ if releases.len() > 1 || objects.iter().any(|(_, facts)| in_turn(facts).is_some()) => {
            Owner::Disputed
        }
        (Some(first), _) => {
            // Who wrote without leaving a claim contradicts nobody.
            let mut of_note = claims.iter().filter(|claim| **claim != Owner::Other);
            let owner = of_note.next().unwrap_or(first);
            if of_note.all(|claim| claim == owner) { *owner } else { Owner::Disputed }
        }
    };
    let own = |(namespace, name): &(&str, &str)| ((*namespace).to_owned(), (*name).to_owned());
    let release = releases.first().filter(|_| releases.len() == 1).map(own);
    let case = Case { live, objects, claims, releases, owner };
    let mut sentence = case.sentence();
    if workload.is_some_and(|(_, facts)| facts.parked) {
        sentence.push_str(&parked(live));
    }
    Verdict { owner, certainty: case.certainty(), release, sentence, evidence: case.evidence() }
}

fn parked(live: &Inventory) -> String {
    let others: Vec<&str> = live.networks.iter().map(|network| network.product).collect();
    match others.as_slice() {
        [] => " It is parked: its DaemonSet can run on no node.".to_owned(),
        _ => format!(
            " It is parked: its DaemonSet can run on no node. The network is {}.",
            others.join(" and ")
        ),
    }
}

/// What may install the VPC CNI and come again, by the words of provenance.
const INSTALLERS: [&str; 6] = ["eks", "helm", "flux", "argocd", "pulumi", "terraform"];

/// The field manager's word, if it is one that installs.
pub(super) fn installer(manager: &str) -> Option<&'static str> {
    // Terraform's provider for Helm writes as the release, under a name of its own.
    if manager.starts_with("terraform-provider-helm") {
        return Some("helm");
    }
    Some(provenance::word(manager)).filter(|word| INSTALLERS.contains(word))
}

/// Two installers of an object that have both written since it was made: each takes back what the other sets.
pub(super) fn in_turn(facts: &Facts) -> Option<(&'static str, &'static str)> {
    let created: Timestamp = facts.created.parse().ok()?;
    let later = |time: &str| {
        time.parse::<Timestamp>()
            .is_ok_and(|time| time.duration_since(created) > SignedDuration::from_secs(2))
    };
    let mut words: Vec<&'static str> = Vec::new();
    for manager in facts.managers.iter().filter(|manager| manager.subresource.is_empty()) {
        let Some(word) = installer(&manager.name) else { continue };
        if !manager.time.as_deref().is_some_and(later) {
            return None;
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [first, second, ..] => Some((first, second)),
        _ => None,
    }
}

struct Case<'i> {
    live: &'i Inventory,
    objects: Vec<(&'i Item, &'i Facts)>,
    claims: Vec<Owner>,
    releases: Vec<(&'i str, &'i str)>,
    owner: Owner,
}

impl Case<'_> {
    fn sentence(&self) -> String {
        let chart = self.objects.iter().rev().find_map(|(_, facts)| facts.chart.as_deref());
        let what = chart.map_or("the VPC CNI".to_owned(), |chart| format!("the VPC CNI ({chart})"));
        let release = self.releases.first().map(|(namespace, name)| format!("{namespace}/{name}"));
        let release = release.unwrap_or_default();
        match self.owner {
            Owner::None => "There is no VPC CNI in this cluster.".into(),
            Owner::Unknown => "Who owns the VPC CNI cannot be said: its objects could not be seen.".into(),
            Owner::Eks if self.live.policy.managed_addon == ManagedAddon::Absent => {
                format!("EKS installed {what} and owns it; no release claims it.")
            }
            Owner::Eks => format!(
                "EKS owns {what}: by its bootstrap or its managed add-on, which only AWS can tell; no release claims it."
            ),
            Owner::EksAddon => format!("The EKS managed add-on owns {what}."),
            Owner::Helm => format!("The Helm release {release} owns {what}."),
            Owner::Flux => match self.live.flux.first() {
                Some(flux) => format!("Flux owns {what}: HelmRelease {}/{}.", flux.namespace, flux.name),
                None => format!("Flux owns {what}."),
            },
            Owner::ArgoCd => match self.objects.iter().find_map(|(_, facts)| facts.argo.as_deref()) {
                Some(application) => format!("Argo CD owns {what}: application {application}."),
                None => format!("Argo CD owns {what}."),
            },
            Owner::Stamped if !self.records_seen() => {
                format!("Release {release} claims {what}; whether Helm has a record of it could not be seen.")
            }
            Owner::Stamped => {
                format!("Release {release} claims {what}, but Helm has no record of such a release.")
            }
            Owner::Other => format!("{} installed {what}; no release claims it.", self.installer()),
            Owner::Foreign => "The DaemonSet of that name is not the VPC CNI.".into(),
            Owner::Disputed => match self.objects.iter().find_map(|(_, facts)| in_turn(facts)) {
                Some((first, second)) => format!("{first} and {second} write {what} in turn."),
                None => format!("Several claim {what}: {}.", self.sides().join("; ")),
            },
        }
    }

    fn installer(&self) -> &str {
        let words = self.objects.iter().rev().map(|(_, facts)| &*facts.provenance.word);
        words.clone().find(|word| !matches!(*word, "unknown" | "other")).unwrap_or("Somebody")
    }

    /// Each owner, or release, and its objects.
    fn sides(&self) -> Vec<String> {
        let claim = |at: usize| {
            let release = self.objects.get(at).and_then(|(_, facts)| facts.stamps.release());
            let owner = self.claims.get(at).map_or("", |owner| owner.name());
            match release {
                Some((namespace, name)) => format!("{owner} (release {namespace}/{name})"),
                None => owner.to_owned(),
            }
        };
        let mut sides: Vec<(String, Vec<&Item>)> = Vec::new();
        for (at, (item, _)) in self.objects.iter().enumerate() {
            let claim = claim(at);
            match sides.iter_mut().find(|(side, _)| *side == claim) {
                Some((_, items)) => items.push(item),
                None => sides.push((claim, vec![item])),
            }
        }
        sides.into_iter().map(|(side, items)| format!("{side} {}", super::named(&items))).collect()
    }

    fn records_seen(&self) -> bool {
        !self.live.unseen.iter().any(|unseen| unseen.resource == "secrets")
    }

    fn certainty(&self) -> Certainty {
        match self.owner {
            Owner::None | Owner::EksAddon | Owner::Helm | Owner::Foreign | Owner::Disputed => {
                Certainty::Certain
            }
            Owner::Eks if self.live.policy.managed_addon == ManagedAddon::Absent => Certainty::Certain,
            Owner::Flux if !self.live.flux.is_empty() => Certainty::Certain,
            Owner::Stamped if !self.records_seen() => Certainty::Unsure,
            Owner::Eks | Owner::Flux | Owner::ArgoCd | Owner::Stamped => Certainty::Likely,
            Owner::Other | Owner::Unknown => Certainty::Unsure,
        }
    }

    fn evidence(&self) -> Vec<String> {
        let mut out = Vec::new();
        // The workload is applied last and says most.
        if let Some((item, facts)) = self.objects.last() {
            let kind = item.reference.kind();
            let word = &facts.provenance.word;
            out.push(match &facts.provenance.evidence {
                Evidence::Label => format!("label cni-steward.dev/installed-by of the {kind}: {word}"),
                Evidence::Creator(manager) => {
                    format!("field manager {manager} wrote the {kind} when it was created")
                }
                Evidence::Marker(key) => format!("the {kind} carries {key}"),
                Evidence::Manager(manager) => format!("field manager {manager} holds fields of the {kind}"),
                Evidence::Release => format!("the {kind} carries the annotation of a release"),
                Evidence::None => format!("nothing tells who installed the {kind}"),
            });
            out.push(format!("field managers of the {kind}: {}", facts.root_managers().join(", ")));
            let stamps = &facts.stamps;
            match (stamps.managed_by.as_deref(), stamps.release()) {
                (_, Some((namespace, name))) => out.push(format!("stamped for release {namespace}/{name}")),
                (Some(by), None) => out.push(format!("label managed-by: {by}, but no release annotations")),
                (None, None) => {}
            }
        }
        for release in &self.live.releases {
            let (namespace, name) = (&release.namespace, &release.name);
            out.push(format!(
                "Helm's record of {namespace}/{name}: revision {}, {}",
                release.revision, release.status
            ));
        }
        if self.live.releases.is_empty() && self.records_seen() && !self.objects.is_empty() {
            out.push("Helm has no record of a release in question".into());
        }
        out
    }
}
