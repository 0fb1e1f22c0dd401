//! Why a verdict is what it is, rule by rule, for people. Each line is the answer of the very function that decided.

use super::claim::Claim;
use super::{Case, Decision, Reason, Subject, Verdict};
use crate::policy::change::{ALLOW_UNTIL, MANAGED_ADDON};
use crate::policy::pattern;
use crate::policy::pause::{self, Pause};
use crate::policy::rules::{ADDON_MANAGER, Mode, Policy};
use crate::policy::writer::Writer;
use jiff::Timestamp;

/// A rule and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which rule.
    pub rule: &'static str,
    /// What it found, in a clause.
    pub found: String,
    /// It decided, so that no later rule was asked.
    pub decides: bool,
}

/// The rules that led to `decision` about `subject`, in their order.
pub fn explain(subject: &Subject<'_>, policy: &Policy, now: Timestamp, decision: &Decision<'_>) -> Vec<Step> {
    let case = Case {
        subject,
        policy,
        now,
        writer: Writer::tell(subject.username, &decision.manager, policy),
        manager: &decision.manager,
        list: subject.object.managed_fields.as_ref(),
        old_list: subject.old.and_then(|old| old.managed_fields.as_ref()),
    };
    let mut steps = Steps { reason: decision.reason, steps: Vec::new() };
    steps.say("target", &[], case.target());
    steps.say("writer", &[], case.who());
    steps.say("pause", &[Reason::Paused], case.pause());
    let mode = policy.mode;
    steps.say("mode", &[], format!("{}: {}", mode.name(), purpose(mode)));
    let core = match subject.old {
        None if subject.target.kind.core_four() => "a CREATE of one of the core four",
        None => "a CREATE, but not of one of the core four",
        Some(_) => "an UPDATE: it exists already",
    };
    if mode == Mode::Block {
        steps.say("block", &[Reason::Blocked, Reason::Parked], core.to_owned());
    }
    steps.say("exempt", &[Reason::Exempt, Reason::ManagedAddonMarked], case.whether_exempt());
    steps.say("managed add-on", &[Reason::ManagedAddon], case.mark());
    if mode != Mode::Block {
        steps.say("claim", &[Reason::OtherRelease], case.claim());
    }
    let last =
        [Reason::InOrder, Reason::Adopted, Reason::ClusterApi, Reason::AnnotationsFull, Reason::Observed];
    steps.say("changes", &last, changes(decision));
    steps.steps
}

/// Takes steps until one has decided.
struct Steps {
    reason: Reason,
    steps: Vec<Step>,
}

impl Steps {
    fn say(&mut self, rule: &'static str, reasons: &[Reason], found: String) {
        if !self.steps.last().is_some_and(|step| step.decides) {
            self.steps.push(Step { rule, found, decides: reasons.contains(&self.reason) });
        }
    }
}

const fn purpose(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "nothing is changed; what Adopt and Block would do is said",
        Mode::Adopt => "stamps, provenance and field ownership",
        Mode::Block => "the core four do not come back",
    }
}

fn changes(decision: &Decision<'_>) -> String {
    match &decision.verdict {
        Verdict::Amend(changes) => {
            let fields = if changes.managed_fields.is_some() { " and managedFields" } else { "" };
            let count = changes.edits.len();
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} label{plural} or annotation{plural}{fields}, as listed above")
        }
        Verdict::Leave | Verdict::Refuse(_) => decision.message.clone(),
    }
}

impl Case<'_, '_> {
    fn target(&self) -> String {
        let target = self.subject.target;
        let core = if target.kind.core_four() { "one of the core four" } else { "not one of the core four" };
        let stamped = if target.kind.stamped() { "" } else { ", and Helm never stamps it" };
        format!("{target} is in the catalogue: {core}{stamped}")
    }

    fn who(&self) -> String {
        let manager = self.manager;
        let how = match (self.subject.manager, manager) {
            ("", "") => "the request names no field manager, and no single entry of managedFields tells one"
                .to_owned(),
            ("", _) => format!(
                "the request names no field manager; this write made or touched the entry of {manager} in managedFields"
            ),
            _ => format!("the request names field manager {manager} (any client may)"),
        };
        let word = match self.writer {
            Writer::EksAddon => format!("the managed add-on, because the user is {ADDON_MANAGER}"),
            Writer::Eks => "EKS, or somebody who names its field manager".to_owned(),
            Writer::Owner => "the policy's owner".to_owned(),
            Writer::Steward => "ourselves".to_owned(),
            Writer::Other(_) => "somebody else".to_owned(),
        };
        format!("{word}: {how}")
    }

    fn pause(&self) -> String {
        let value = self.subject.object.annotations.get(ALLOW_UNTIL);
        match pause::read(value, self.now) {
            Pause::Until(until) => format!("{ALLOW_UNTIL} holds until {until}; it is {}", self.now),
            Pause::Unreadable => format!("{ALLOW_UNTIL} is not an RFC 3339 time and does not count"),
            Pause::TooFar => format!("{ALLOW_UNTIL} lies more than 24 h ahead and does not count"),
            Pause::None if value.is_some() => format!("{ALLOW_UNTIL} is over"),
            Pause::None => format!("no annotation {ALLOW_UNTIL}"),
        }
    }

    fn whether_exempt(&self) -> String {
        let exempt = &self.policy.exempt;
        let user = self.subject.username;
        let groups = || self.subject.groups.iter().find(|group| pattern::any(&exempt.groups, group));
        if pattern::any(&exempt.usernames, user) {
            format!("exempt.usernames has {user}")
        } else if pattern::any(&exempt.managers, self.manager) {
            format!("exempt.managers has {}", self.manager)
        } else if let Some(group) = groups() {
            format!("exempt.groups has {group}")
        } else {
            "neither the user, nor a group, nor the field manager is exempt".to_owned()
        }
    }

    fn mark(&self) -> String {
        if self.marked() {
            format!("{MANAGED_ADDON} says that the managed add-on owns it")
        } else {
            format!("no annotation {MANAGED_ADDON}")
        }
    }

    fn claim(&self) -> String {
        let Some(ours) = &self.policy.owner.release else {
            return "the policy names no release, so none is in the way".to_owned();
        };
        let tell = |claim: Claim| match claim {
            Claim::Nobody => "nobody".to_owned(),
            Claim::Ours => format!("our release {ours}"),
            Claim::Theirs(name) => format!("release {name}"),
        };
        let now = tell(Claim::of(self.subject.object, ours));
        match self.subject.old.map(|old| tell(Claim::of(old, ours))) {
            Some(before) if before != now => {
                format!("the stamps name {now}, before this write they named {before}")
            }
            _ => format!("the stamps name {now}"),
        }
    }
}
