//! What our own installation tells: does the API server call us, do we answer, and are the objects as the policy wants them.

use jiff::{SignedDuration, Timestamp};

use super::{Code, Found, named};
use crate::cluster::inventory::{Installation, Item, PolicySource};
use crate::policy::rules::Mode;
use crate::reconcile::plan::{State, plan};

/// A leader renews its Lease every two seconds; who has not for this long is dead.
const DEAD: SignedDuration = SignedDuration::from_mins(1);

impl Found<'_> {
    pub(super) fn steward(&mut self) {
        self.webhooks();
        let live = self.live;
        for one in &live.installations {
            self.serves(one);
            self.leads(one);
        }
        if let PolicySource::Broken(problem) = &live.policy_from {
            let place =
                live.installations.first().map(|one| format!(" -n {}", one.namespace)).unwrap_or_default();
            let next = format!("kubectl get configmap{place} -l app.kubernetes.io/name=cni-steward -o yaml");
            self.say(
                Code::BrokenPolicy,
                &[],
                format!("the policy in the cluster cannot be used: {problem}"),
                next,
            );
        }
        self.policy();
    }

    fn webhooks(&mut self) {
        let live = self.live;
        if live.webhooks.is_empty() && self.saw("mutatingwebhookconfigurations.admissionregistration.k8s.io")
        {
            for one in live.installations.iter().filter(|one| one.rollout.is_some()) {
                let message = format!(
                    "cni-steward runs in {}/{}, but no webhook configuration leads to it, so it sees no write",
                    one.namespace, one.name
                );
                let next = format!(
                    "helm upgrade {} CHART --reuse-values -n {}    # CHART is the chart of cni-steward",
                    one.name, one.namespace
                );
                self.say(Code::NoWebhook, &[], message, next);
            }
        }
        for webhook in &live.webhooks {
            let next = format!("kubectl get mutatingwebhookconfiguration {} -o yaml", webhook.name);
            let bare: Vec<&str> =
                webhook.entries.iter().filter(|entry| !entry.ca_bundle).map(|entry| &*entry.name).collect();
            if !bare.is_empty() {
                let message = format!(
                    "webhook configuration {} has no caBundle in {}: the API server trusts nobody there, and writes pass unseen",
                    webhook.name,
                    bare.join(", ")
                );
                self.say(Code::Untrusted, &[], message, next.clone());
            }
            if webhook.entries.iter().any(|entry| entry.failure_policy == "Fail") {
                let message = format!(
                    "webhook configuration {} has failurePolicy Fail: while no replica answers, EKS's own writes fail too",
                    webhook.name
                );
                self.say(Code::FailsClosed, &[], message, next);
            }
        }
    }

    fn serves(&mut self, one: &Installation) {
        let (namespace, name) = (&one.namespace, &one.name);
        let message = match one.rollout {
            None if one.missing => {
                format!(
                    "a webhook configuration leads to {namespace}/{name}, but there is no such Deployment"
                )
            }
            Some(rollout) if rollout.ready == 0 => {
                format!("no replica of {namespace}/{name} is ready: writes pass unseen")
            }
            _ => return,
        };
        self.say(
            Code::NobodyServes,
            &[],
            message,
            format!("kubectl -n {namespace} get pods,deployments -l app.kubernetes.io/name=cni-steward"),
        );
    }

    fn leads(&mut self, one: &Installation) {
        if one.rollout.is_none_or(|rollout| rollout.ready == 0) || !self.saw("leases.coordination.k8s.io") {
            return;
        }
        let fresh = one.leader.as_ref().is_some_and(|(_, renewed)| {
            renewed.parse::<Timestamp>().is_ok_and(|renewed| self.now.duration_since(renewed) < DEAD)
        });
        if !fresh {
            let (namespace, name) = (&one.namespace, &one.name);
            let message = format!(
                "no replica of {namespace}/{name} leads: nothing is repaired, and no certificate is renewed"
            );
            self.say(
                Code::NoLeader,
                &[],
                message,
                format!("kubectl -n {namespace} get lease {name} -o yaml"),
            );
        }
    }

    /// Asks of each object what the reconciler would ask. Without a policy there is nothing to ask.
    fn policy(&mut self) {
        let live = self.live;
        let counts = matches!(live.policy_from, PolicySource::Given | PolicySource::Installed(..));
        if !counts || live.policy.mode == Mode::Observe {
            return;
        }
        let (mut held, mut wanting) = (Vec::new(), Vec::new());
        let (mut why_held, mut why_wanting) = (String::new(), String::new());
        for item in &live.targets {
            let (Some(target), Some(object)) = (item.target(), item.live()) else { continue };
            let plan = plan(target, object.text.get(), &live.policy, &|_| false, self.now);
            match plan.state {
                State::HeldBack => note(&mut held, &mut why_held, item, plan.message),
                State::Repairing => note(&mut wanting, &mut why_wanting, item, plan.message),
                _ => {}
            }
        }
        if !held.is_empty() {
            let next = "aws eks describe-addon --addon-name vpc-cni --cluster-name CLUSTER";
            self.say(Code::HeldBack, &held, why_held, next);
        }
        if !wanting.is_empty() {
            let message = format!("{}: not as the policy wants it; needed: {why_wanting}", named(&wanting));
            // Adopting is refused in Block: there it is the leading replica's alone.
            let next = match live.installations.first() {
                Some(one) if live.policy.mode == Mode::Block => {
                    format!("kubectl logs -n {} deployment/{}", one.namespace, one.name)
                }
                _ => "cni-steward adopt --plan".to_owned(),
            };
            self.say(Code::NotAsPolicy, &wanting, message, next);
        }
    }
}

/// Takes note of an object; the last one's reason stands for all, because the workload comes last and says most.
fn note<'i>(items: &mut Vec<&'i Item>, why: &mut String, item: &'i Item, message: String) {
    *why = message;
    items.push(item);
}
