//! What must hold after a step.

use std::collections::BTreeMap;

use cni_steward::acceptance::forecast::{Answer, Forecast};
use serde_json::Value;

use super::plan::Rules;
use super::things::{self, Things};
use crate::scene::{RELEASE_NAME, annotation, assert_stamped, owners};

/// Title → object as stored.
pub(crate) type Objects = BTreeMap<String, Value>;

/// What is on an object although no chart renders it.
const NOT_THE_CHART_S: [&str; 6] = [
    ".metadata.labels.cni-steward.dev/installed-by",
    ".metadata.labels.aws.cluster.x-k8s.io/prevent-deletion",
    ".metadata.annotations.meta.helm.sh/release-name",
    ".metadata.annotations.meta.helm.sh/release-namespace",
    ".metadata.annotations.deprecated.daemonset.template.generation",
    // Held by nobody where EKS or the chart does not set it.
    ".spec.template.spec.terminationGracePeriodSeconds",
];

/// No absorbed manager has a root entry on what was written, the owner has one, and the stamps are there.
///
/// An `eks` entry that came while we were not asked waits for a write by `eks`, unless there is no managed add-on.
#[track_caller]
pub(crate) fn absorbed(rules: Rules, before: &Objects, after: &Objects, by_eks: bool) {
    for (title, object) in after {
        let same = before
            .get(title)
            .is_some_and(|old| old["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"]);
        let schema = object["kind"] == "CustomResourceDefinition";
        // The API server writes the status of a CRD by itself.
        if (same || schema) && !by_eks {
            continue;
        }
        // What another release had before us is left alone.
        if annotation(object, RELEASE_NAME).is_some_and(|name| name != "aws-vpc-cni") {
            continue;
        }
        let owners = owners(object);
        let of_eks = "eks/Apply".to_owned();
        let had = before.get(title).is_some_and(|old| crate::scene::owners(old).contains(&of_eks));
        let stays = had && !rules.absent && !by_eks;
        assert!(!stays || owners.contains(&of_eks), "expected the eks entry of {title} to wait: {owners:?}");
        for owner in &owners {
            let manager = owner.split('/').next().unwrap();
            let waits = manager == "eks" && !rules.absent && !by_eks;
            assert!(waits || !rules.absorbs(manager), "{manager} holds root paths of {title}: {owners:?}");
        }
        assert_eq!(owners.iter().filter(|o| *o == "helm/Apply").count(), 1, "on {title}: {owners:?}");
        assert!(!owners.contains(&"helm/Update".to_owned()), "on {title}: {owners:?}");
        if !schema {
            assert_stamped(object);
        }
    }
}

/// Whatever a manifest says is live.
#[track_caller]
pub(crate) fn says(after: &Objects, wanted: &BTreeMap<String, Things>) {
    for (title, wanted) in wanted {
        let object = after.get(title).unwrap_or_else(|| panic!("expected {title} to exist"));
        let live = things::of(object);
        for (path, value) in wanted {
            assert_eq!(live.get(path), Some(value), "{path} of {title}");
        }
    }
}

/// How a Helm command ends on an object of the release, whose stamps it does not look at.
pub(crate) fn upgrade(forecasts: &[&Forecast], server_side: bool) -> Answer {
    let any = |is: &dyn Fn(&Forecast) -> bool| forecasts.iter().any(|forecast| is(forecast));
    match server_side {
        true if any(&|forecast| !forecast.conflicts.is_empty()) => Answer::Conflicts,
        true if any(&|forecast| !forecast.faults_4.is_empty()) => Answer::Invalid,
        false if any(&|forecast| !forecast.faults_3.is_empty()) => Answer::Invalid,
        _ => Answer::Accepts,
    }
}

/// What a Helm command did, to be compared with what was rendered and foretold.
#[derive(Debug)]
pub(crate) struct Done<'d> {
    pub(crate) after: &'d Objects,
    pub(crate) rendered: &'d BTreeMap<String, Things>,
    /// What the release said before.
    pub(crate) previous: Option<&'d BTreeMap<String, Things>>,
    pub(crate) forecasts: &'d [Forecast],
    pub(crate) server_side: bool,
}

impl Done<'_> {
    /// What is live and not rendered was named beforehand, with its fate; what the chart renders no more is gone.
    /// Gives how many values went and how many stayed.
    #[track_caller]
    pub(crate) fn leaves_what_was_named(&self) -> (usize, usize) {
        let (mut went, mut stayed) = (0, 0);
        for (title, rendered) in self.rendered {
            let live = things::of(&self.after[title]);
            let named = |path: &str| {
                let forecast =
                    self.forecasts.iter().find(|f| format!("{}/{}", f.kind.name(), f.name) == *title);
                let leftovers = forecast.into_iter().flat_map(|forecast| &forecast.leftovers);
                leftovers.filter(|l| !self.server_side || !l.pruned).any(|l| is_of(path, &l.path))
            };
            for path in live.keys().filter(|path| !rendered.contains_key(*path) && !is_ours(path)) {
                // A field with a default is back at it.
                assert!(
                    named(path) || path.ends_with(".imagePullPolicy"),
                    "{path} of {title} is live and not rendered, and no forecast named it; {:#?}",
                    self.forecasts
                );
                stayed += 1;
            }
            let previous = self.previous.and_then(|previous| previous.get(title));
            for path in previous.into_iter().flat_map(BTreeMap::keys) {
                if rendered.contains_key(path) {
                    continue;
                }
                let gone = !live.contains_key(path);
                assert!(
                    gone || (self.server_side && named(path)),
                    "{path} of {title} was removed from the chart"
                );
                went += usize::from(gone);
            }
        }
        (went, stayed)
    }
}

/// Whether one path is the other, or below or above it.
fn is_of(path: &str, leftover: &str) -> bool {
    let below = |path: &str, root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    below(path, leftover) || below(leftover, path)
}

fn is_ours(path: &str) -> bool {
    NOT_THE_CHART_S.contains(&path)
}
