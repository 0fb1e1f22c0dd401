//! One cluster's row, from what is live there.

use jiff::Timestamp;

use super::{Gap, Seen};
use crate::cluster::inventory::{Item, PolicySource, Presence, Unseen};
use crate::cluster::{ApiError, Inventory};
use crate::findings;

impl Gap {
    /// Why a cluster could not be reached, or a question was not answered.
    pub fn of(error: &ApiError) -> Self {
        Self { reason: error.reason(), message: error.to_string() }
    }
}

/// What the row says. A gap where a target could not be seen: who owns the others is then a guess.
pub fn row(live: &Inventory, now: Timestamp) -> Result<Seen, Gap> {
    if live.targets.iter().any(|item| matches!(item.state, Presence::Unseen)) {
        return Err(unseen(live));
    }
    let workload = live.workload().and_then(Item::facts);
    let any = workload.or_else(|| live.standing().map(|(_, facts)| facts).next());
    let cni = workload.and_then(|facts| version(facts.image.as_deref()?).or(facts.version.as_deref()));
    let findings::Report { verdict, findings } = findings::Report::of(live, now);
    Ok(Seen {
        owner: verdict.owner,
        certainty: verdict.certainty,
        release: verdict.release,
        installed_by: any.map(|facts| facts.provenance.word.clone()).unwrap_or_default(),
        cni: cni.unwrap_or_default().to_owned(),
        kubernetes: live.version.clone(),
        mode: mode(live).to_owned(),
        findings,
    })
}

fn unseen(live: &Inventory) -> Gap {
    let is = |unseen: &Unseen, item: &Item| {
        unseen.resource == item.reference.resource() && unseen.name == item.reference.name()
    };
    // The last target is the workload, which says most.
    let dark = live.targets.iter().rev().find(|item| matches!(item.state, Presence::Unseen));
    let Some(one) = dark.and_then(|item| live.unseen.iter().find(|unseen| is(unseen, item))) else {
        return Gap { reason: "other", message: "a target could not be seen".to_owned() };
    };
    let more = match live.unseen.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more questions without an answer"),
    };
    let what = format!("cannot {} {} {}: ", one.verb, one.resource, one.name);
    // What is forbidden the API server says in full.
    let what = if one.forbidden { "" } else { &what };
    Gap { reason: one.reason, message: format!("{what}{}{more}", one.why) }
}

/// The tag of an image, without its digest.
fn version(image: &str) -> Option<&str> {
    let image = image.split('@').next()?;
    image.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

/// The mode in force where we are installed. A server outside of the cluster (`serve --standalone`) has its policy there.
fn mode(live: &Inventory) -> &'static str {
    match live.policy_from {
        PolicySource::Installed(..) => live.policy.mode_name(),
        _ if live.installations.is_empty() && live.webhooks.is_empty() => "",
        _ => "not known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_tag_is_its_version() {
        let registry = "602401143452.dkr.ecr.us-west-2.amazonaws.com:443/amazon-k8s-cni";
        assert_eq!(version(&format!("{registry}:v1.19.0-eksbuild.1")), Some("v1.19.0-eksbuild.1"));
        assert_eq!(version(&format!("{registry}:v1.19.0@sha256:abc")), Some("v1.19.0"));
        assert_eq!(version(registry), None);
        assert_eq!(version(&format!("{registry}@sha256:abc")), None);
    }
}
