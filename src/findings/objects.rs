//! What the objects themselves tell.

use jiff::{SignedDuration, Timestamp};

use super::{Code, Found, Owner, named, owner, plural};
use crate::cluster::inventory::{Facts, Item, Presence};
use crate::layout::quoted;
use crate::policy::Kind;
use crate::policy::change::HELM;

impl Found<'_> {
    pub(super) fn objects(&mut self) {
        self.missing();
        self.foreign();
        self.half_stamped();
        self.unclaimed();
        self.written_in_turn();
        self.shared_fields();
        self.managed_addon();
        self.pauses();
        self.deleting();
        self.cluster_api();
        self.odd();
        self.rollout();
        self.skip_crds();
    }

    fn missing(&mut self) {
        let live = self.live;
        let absent: Vec<&Item> = live
            .targets
            .iter()
            .filter(|item| !item.optional && matches!(item.state, Presence::Absent))
            // Charts before 1.14 have no settings; the workload's own chart says which it is.
            .filter(|item| {
                item.kind != Some(Kind::ConfigMap) || self.chart().is_none_or(|chart| chart >= (1, 14, 0))
            })
            .collect();
        let stands = self.which(|item, _| item.kind != Some(Kind::CustomResourceDefinition));
        if absent.is_empty() || stands.is_empty() {
            return;
        }
        let message =
            format!("the VPC CNI is not whole; missing: {}; there: {}", named(&absent), named(&stands));
        let next = match self.release() {
            Some((namespace, name)) if self.owner == Owner::Helm => {
                format!(
                    "helm upgrade {} eks/aws-vpc-cni -n {} --reuse-values",
                    quoted(name),
                    quoted(namespace)
                )
            }
            _ => "cni-steward purge --plan".to_owned(),
        };
        self.say(Code::Incomplete, &absent, message, next);
    }

    fn foreign(&mut self) {
        let found = self.which(owner::is_foreign);
        for item in &found {
            let image = item.facts().and_then(|facts| facts.image.clone()).unwrap_or_default();
            let message = format!("{} runs {image}, which is not the VPC CNI", item.reference);
            let namespace = item.reference.namespace().unwrap_or_default();
            let next = format!("kubectl -n {namespace} get daemonset {} -o yaml", item.reference.name());
            self.say(Code::Foreign, &[item], message, next);
        }
    }

    fn half_stamped(&mut self) {
        let half = |item: &Item, facts: &Facts| {
            let stamps = &facts.stamps;
            let annotations =
                usize::from(stamps.release_name.is_some()) + usize::from(stamps.release_namespace.is_some());
            let labelled = stamps.managed_by.as_deref() == Some(HELM);
            item.kind.is_some_and(Kind::stamped) && (annotations == 1 || annotations == 2 && !labelled)
        };
        let found = self.which(half);
        if !found.is_empty() {
            let message = format!(
                "{}: not all three marks of Helm's ownership are there, so Helm refuses",
                named(&found)
            );
            self.say(Code::HalfStamped, &found, message, "cni-steward adopt --plan");
        }
    }

    fn unclaimed(&mut self) {
        let found = self.which(|item, facts| {
            item.kind.is_some_and(Kind::stamped)
                && facts.stamps.release().is_none()
                && facts.provenance.word == "eks"
        });
        if self.owner == Owner::Eks && !found.is_empty() {
            let message = "no release claims these objects: `helm install` refuses them, and Helm 4 meets the fields of eks";
            self.say(Code::Unclaimed, &found, message, "cni-steward adopt --plan");
        }
    }

    /// Two installers hold fields and both have written since the object was made. What a reconciler of ours has told counts
    /// too.
    fn written_in_turn(&mut self) {
        for fight in &self.live.fights {
            let recent = fight
                .when
                .parse::<Timestamp>()
                .is_ok_and(|when| self.now.duration_since(when) < SignedDuration::from_hours(1));
            if recent {
                let next = format!(
                    "kubectl get events -n {} --field-selector reason=Contested",
                    self.live.policy.targets.namespace
                );
                self.findings.push(super::Finding {
                    code: Code::Fight,
                    message: fight.note.clone(),
                    objects: vec![fight.object.clone()],
                    next,
                });
            }
        }
        let found = self.which(|_, facts| owner::in_turn(facts).is_some());
        let Some(((first, second), item)) =
            found.iter().find_map(|item| Some((owner::in_turn(item.facts()?)?, *item)))
        else {
            return;
        };
        let message = format!(
            "{first} and {second} write the same object{} in turn: {}. Each takes back what the other sets",
            plural(found.len()),
            named(&found)
        );
        let namespace =
            item.reference.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        let next = format!(
            "kubectl get {} {}{namespace} --show-managed-fields -o yaml",
            item.reference.resource(),
            item.reference.name()
        );
        self.say(Code::Fight, &found, message, next);
    }

    /// Installers beside the owner hold fields.
    fn shared_fields(&mut self) {
        let own = match self.owner {
            Owner::Helm | Owner::Stamped => "helm",
            Owner::Flux => "helm-controller",
            Owner::ArgoCd => "argocd-controller",
            _ => return,
        };
        let others = |facts: &Facts| {
            facts
                .root_managers()
                .into_iter()
                .filter(|name| *name != own)
                .find_map(|name| owner::installer(name).map(|_| name.to_owned()))
        };
        let found = self.which(|_, facts| others(facts).is_some());
        let mut names: Vec<String> = found.iter().filter_map(|item| others(item.facts()?)).collect();
        names.sort_unstable();
        names.dedup();
        if !names.is_empty() {
            let message = format!(
                "{} hold{} fields of {} beside {own}: where values differ, Helm 4 answers with conflicts",
                names.join(" and "),
                if names.len() == 1 { "s" } else { "" },
                named(&found)
            );
            self.say(Code::SharedFields, &found, message, "cni-steward adopt --plan");
        }
    }

    fn cluster_api(&mut self) {
        let core = |item: &Item| item.kind.is_some_and(Kind::core_four);
        let without = self.which(|item, facts| core(item) && !facts.prevent_deletion);
        let with = self.which(|item, facts| core(item) && facts.prevent_deletion);
        if !with.is_empty() && !without.is_empty() {
            let message = format!(
                "{} would be deleted by Cluster API (vpcCni.disable), while {} carr{} prevent-deletion",
                named(&without),
                named(&with),
                if with.len() == 1 { "ies" } else { "y" }
            );
            let namespace = &self.live.policy.targets.namespace;
            let kinds: Vec<&str> = without.iter().map(|item| item.reference.kind()).collect();
            let next = format!(
                "kubectl -n {namespace} label {} {} aws.cluster.x-k8s.io/prevent-deletion=true",
                kinds.join(",").to_lowercase(),
                self.live.policy.targets.name
            );
            self.say(Code::PartlyProtected, &without, message, next);
        }
        let released =
            self.which(|item, facts| core(item) && facts.stamps.managed_by.as_deref() == Some("eks"));
        if !released.is_empty() {
            let message =
                "labelled managed-by: eks, so a Cluster API before 2.6 with vpcCni.disable deletes them";
            let next = "kubectl --context MANAGEMENT get awsmanagedcontrolplane -A -o jsonpath='{.items[*].spec.vpcCni.disable}'";
            self.say(Code::Released, &released, message, next);
        }
    }

    fn odd(&mut self) {
        let live = self.live;
        for (item, facts) in live.standing() {
            if let Some(problem) = &facts.odd {
                let message = format!(
                    "{} cannot be understood, so nothing of ours changes it: {problem}",
                    item.reference
                );
                let place = item.reference.namespace().map(|namespace| format!(" -n {namespace}"));
                let next = format!(
                    "kubectl get {} {}{} -o json",
                    item.reference.resource(),
                    item.reference.name(),
                    place.unwrap_or_default()
                );
                self.say(Code::Odd, &[item], message, next);
            }
        }
    }

    fn rollout(&mut self) {
        let live = self.live;
        let Some(item) = live.workload() else { return };
        let Some(rollout) = item.facts().filter(|facts| !facts.parked).and_then(|facts| facts.rollout) else {
            return;
        };
        if rollout.ready < rollout.desired {
            let message =
                format!("{} is ready on {} of {} nodes", item.reference, rollout.ready, rollout.desired);
            let names = &live.policy.targets;
            let next = format!("kubectl -n {} get pods -l k8s-app=aws-node -o wide", names.namespace);
            self.say(Code::NotReady, &[item], message, next);
        }
    }

    fn skip_crds(&mut self) {
        let brings = self.chart().filter(|chart| ((1, 14, 0)..=(1, 22, 3)).contains(chart));
        if let Some((major, minor, patch)) = brings {
            let message = format!(
                "chart {major}.{minor}.{patch} brings the CRD policyendpoints, which the EKS control plane owns; Helm 4 meets its fields"
            );
            let next = "helm install … --skip-crds, or a chart from 1.22.4 on";
            self.say(Code::SkipCrds, &[], message, next);
        }
    }

    /// The chart's version, as the objects say it.
    fn chart(&self) -> Option<(u64, u64, u64)> {
        let chart = self.live.standing().filter_map(|(_, facts)| facts.chart.as_deref()).last()?;
        let mut parts = chart.strip_prefix("aws-vpc-cni-")?.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??, parts.next()??))
    }

    /// The release that the objects name.
    pub(super) fn release(&self) -> Option<(&str, &str)> {
        self.live.standing().find_map(|(_, facts)| facts.stamps.release())
    }
}
