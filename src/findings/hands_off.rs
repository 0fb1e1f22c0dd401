//! Objects that are to be left alone: the managed add-on's, paused ones, and ones that are being deleted.

use super::{Code, Found, named};
use crate::policy::pause::{self, Pause};

impl Found<'_> {
    pub(super) fn managed_addon(&mut self) {
        let marked = self.which(|_, facts| facts.managed_addon);
        if marked.is_empty() {
            return;
        }
        let next = "aws eks describe-addon --addon-name vpc-cni --cluster-name CLUSTER";
        let claimed = self.which(|_, facts| facts.managed_addon && facts.stamps.release().is_some());
        if !claimed.is_empty() {
            let message = format!("{}: a release claims what the EKS managed add-on writes", named(&claimed));
            self.say(Code::AddonContradicted, &claimed, message, next);
        } else if self.live.policy.managed_addon == crate::policy::rules::ManagedAddon::Absent {
            let message = format!(
                "{}: the policy says managedAddon: Absent, but the EKS managed add-on wrote",
                named(&marked)
            );
            self.say(Code::AddonContradicted, &marked, message, next);
        } else {
            let message = "the EKS managed add-on writes these objects, so they are left alone until a person runs adopt";
            self.say(Code::ManagedAddon, &marked, message, next);
        }
    }

    pub(super) fn pauses(&mut self) {
        let live = self.live;
        for (item, facts) in live.standing() {
            let object = format!("{} {}", item.reference.resource(), item.reference.name());
            let namespace =
                item.reference.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
            let next = format!("kubectl annotate {object}{namespace} cni-steward.dev/allow-until-");
            match pause::read(facts.pause.as_deref(), self.now) {
                Pause::None => {}
                Pause::Until(until) => {
                    let message = format!(
                        "{} is paused until {until}: nothing of ours changes or refuses it",
                        item.reference
                    );
                    self.say(Code::Paused, &[item], message, next);
                }
                Pause::Unreadable | Pause::TooFar => {
                    let value = facts.pause.as_deref().unwrap_or_default();
                    let message = format!(
                        "{}: the pause {value:?} does not count; it has to be an RFC 3339 time at most 24 h ahead",
                        item.reference
                    );
                    self.say(Code::BadPause, &[item], message, next);
                }
            }
        }
    }

    pub(super) fn deleting(&mut self) {
        let found = self.which(|_, facts| facts.deleting.is_some());
        let Some(first) = found.first() else { return };
        let mut waits: Vec<&str> = found
            .iter()
            .filter_map(|item| item.facts())
            .flat_map(|facts| &facts.finalizers)
            .map(String::as_str)
            .collect();
        waits.sort_unstable();
        waits.dedup();
        let waits =
            if waits.is_empty() { String::new() } else { format!(", which waits for {}", waits.join(", ")) };
        let message = format!("{}: being deleted{waits}", named(&found));
        let namespace =
            first.reference.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        let next = format!(
            "kubectl get {} {}{namespace} -o jsonpath='{{.metadata.finalizers}}'",
            first.reference.resource(),
            first.reference.name()
        );
        self.say(Code::Deleting, &found, message, next);
    }
}
