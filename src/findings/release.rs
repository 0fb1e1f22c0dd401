//! What Helm's and Flux's records tell.

use super::{Code, Found, Owner, named, owner};
use crate::adopt::selector;
use crate::layout::quoted;

impl Found<'_> {
    pub(super) fn releases(&mut self) {
        self.stamped_for_several();
        self.several_records();
        self.no_record();
        self.unwell();
    }

    fn stamped_for_several(&mut self) {
        let mut releases: Vec<(&str, &str)> =
            self.live.standing().filter_map(|(_, facts)| facts.stamps.release()).collect();
        releases.sort_unstable();
        releases.dedup();
        if releases.len() < 2 {
            return;
        }
        let sides: Vec<String> = releases
            .iter()
            .map(|release| {
                let theirs = self.which(|_, facts| facts.stamps.release() == Some(*release));
                format!("{}/{} claims {}", release.0, release.1, named(&theirs))
            })
            .collect();
        let stamped = self.which(|_, facts| facts.stamps.release().is_some());
        let message = format!("objects are stamped for different releases: {}", sides.join("; "));
        self.say(Code::TwoStamps, &stamped, message, "helm list --all-namespaces --filter vpc-cni");
    }

    fn several_records(&mut self) {
        let helm = self.live.releases.iter().map(|release| (&*release.namespace, &*release.name));
        let flux = self.live.flux.iter().map(|flux| (&*flux.release.0, &*flux.release.1));
        let mut claims: Vec<(&str, &str)> = helm.chain(flux).collect();
        claims.sort_unstable();
        claims.dedup();
        if claims.len() > 1 && self.owner != Owner::None {
            let names: Vec<String> =
                claims.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            let message = format!("there are {} releases of the VPC CNI: {}", names.len(), names.join(", "));
            self.say(Code::TwoReleases, &[], message, "helm list --all-namespaces --filter vpc-cni");
        }
    }

    fn no_record(&mut self) {
        if !self.saw("secrets") || matches!(self.owner, Owner::Flux | Owner::ArgoCd | Owner::Foreign) {
            return;
        }
        let live = self.live;
        let found = self.which(|_, facts| {
            facts.stamps.release().is_some_and(|release| !owner::has_record(live, release))
        });
        let Some((namespace, name)) = found.first().and_then(|item| item.facts()?.stamps.release()) else {
            return;
        };
        let message = format!(
            "stamped for release {namespace}/{name}, which Helm has no record of: `helm list` does not show it, and its next \
             install or upgrade decides"
        );
        let stored = live.workload().and_then(|item| selector(item.live()?.text.get()));
        let next = format!(
            "helm upgrade --install {} eks/aws-vpc-cni -n {}{}",
            quoted(name),
            quoted(namespace),
            if stored == Some(false) { "" } else { " --set originalMatchLabels=true" }
        );
        self.say(Code::NoRelease, &found, message, next);
    }

    fn unwell(&mut self) {
        for release in &self.live.releases {
            if release.status != "deployed" {
                let (namespace, name) = (&release.namespace, &release.name);
                let message = format!(
                    "release {namespace}/{name}: revision {} is {}",
                    release.revision, release.status
                );
                self.say(Code::ReleaseUnwell, &[], message, format!("helm history {name} -n {namespace}"));
            }
        }
        for flux in &self.live.flux {
            let what = match (flux.suspended, flux.ready) {
                (true, _) => "is suspended",
                (false, Some(false)) => "is not ready",
                _ => continue,
            };
            let (namespace, name) = (&flux.namespace, &flux.name);
            let message = format!("HelmRelease {namespace}/{name} {what}");
            self.say(
                Code::ReleaseUnwell,
                &[],
                message,
                format!("flux get helmrelease {name} -n {namespace}"),
            );
        }
    }
}
