//! The verdict: leave, amend or refuse, for one write of one target.
//!
//! The order is the rule: an exempt writer, a live pause and a managed add-on are left alone before anything is
//! computed; then the mode decides. Observe computes what Adopt and Block would do and says it.

mod amend;
mod claim;
pub mod explain;
mod reason;
mod words;

use std::borrow::Cow;

use jiff::Timestamp;

use super::change::{ALLOW_UNTIL, Changes, Edit, MANAGED_ADDON, Map, Why};
use super::object::Object;
use super::pause::{self, Pause};
use super::rules::{ManagedAddon, Mode, Policy};
use super::target::{Kind, Target};
use super::writer::{self, Writer};
use crate::fields::entry::List;

/// A write of a target.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// What is written.
    pub target: Target<'a>,
    /// `userInfo.username`.
    pub username: &'a str,
    /// `userInfo.groups`.
    pub groups: &'a [Cow<'a, str>],
    /// `options.fieldManager`, `""` when the client sent none.
    pub manager: &'a str,
    /// The object as it would be stored.
    pub object: &'a Object<'a>,
    /// The object as it is stored; `None` on CREATE.
    pub old: Option<&'a Object<'a>>,
}

pub use reason::Reason;

/// What happens to the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It passes as it is.
    Leave,
    /// It passes with these changes.
    Amend(Changes<'a>),
    /// It is refused with this message: what and why, then what to do instead.
    Refuse(String),
}

/// A verdict, its reason, and what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The verdict.
    pub verdict: Verdict<'a>,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// For the client, each at most 120 characters once cut by the reply.
    pub warnings: Vec<String>,
    /// Field manager, as told or inferred.
    pub manager: String,
}

/// Decides one write.
pub fn decide<'a>(subject: &Subject<'a>, policy: &'a Policy, now: Timestamp) -> Decision<'a> {
    let list = subject.object.managed_fields.as_ref();
    let old_list = subject.old.and_then(|old| old.managed_fields.as_ref());
    let manager = if subject.manager.is_empty() {
        writer::infer(list, subject.old).to_owned()
    } else {
        subject.manager.to_owned()
    };
    let case = Case {
        subject,
        policy,
        now,
        writer: Writer::tell(subject.username, &manager, policy),
        manager: &manager,
        list,
        old_list,
    };
    let mut told = Told::default();
    let (verdict, reason, message) = case.decide(&mut told);
    Decision { verdict, reason, message, warnings: told.warnings, manager }
}

/// Warnings gathered on the way.
#[derive(Default)]
struct Told {
    warnings: Vec<String>,
}

impl Told {
    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

type Outcome<'a> = (Verdict<'a>, Reason, String);

fn leave<'a>(reason: Reason, message: impl Into<String>) -> Outcome<'a> {
    (Verdict::Leave, reason, message.into())
}

struct Case<'c, 'a> {
    subject: &'c Subject<'a>,
    policy: &'a Policy,
    now: Timestamp,
    writer: Writer<'c>,
    manager: &'c str,
    list: Option<&'c List<'a>>,
    old_list: Option<&'c List<'a>>,
}

impl<'a> Case<'_, 'a> {
    fn decide(&self, told: &mut Told) -> Outcome<'a> {
        let object = self.subject.object;
        match pause::read(object.annotations.get(ALLOW_UNTIL), self.now) {
            Pause::None => {}
            Pause::Until(until) => {
                return leave(Reason::Paused, format!("{} is paused until {until}", self.subject.target));
            }
            Pause::Unreadable => {
                told.warn(format!("{ALLOW_UNTIL} is not an RFC 3339 time and does not count"));
            }
            Pause::TooFar => told.warn(format!("{ALLOW_UNTIL} lies more than 24 h ahead and does not count")),
        }
        match self.policy.mode {
            Mode::Observe => self.observe(told),
            Mode::Adopt => self.adopt(told),
            Mode::Block => self.block(told),
        }
    }

    fn exempt(&self) -> bool {
        let groups = self.subject.groups.iter().map(|group| &**group);
        self.policy.exempts(self.subject.username, groups, self.manager)
    }

    fn marked(&self) -> bool {
        self.subject.object.annotations.get(MANAGED_ADDON) == Some("true")
    }

    fn observe(&self, told: &mut Told) -> Outcome<'a> {
        let mut would = Vec::new();
        let mut unheard = Told::default();
        match self.adopt(&mut unheard) {
            (Verdict::Amend(_), Reason::ManagedAddonMarked, _) => {
                would.push("Adopt would mark it as the managed add-on's and leave it alone".to_owned());
            }
            (Verdict::Amend(_), _, message) => would.push(format!("Adopt would {message}")),
            (Verdict::Leave, Reason::OtherRelease | Reason::AnnotationsFull, message) => {
                would.push(format!("Adopt would leave it: {message}"));
            }
            (Verdict::Leave | Verdict::Refuse(_), _, _) => {}
        }
        if matches!(self.block(&mut unheard).0, Verdict::Refuse(_)) {
            would.push(format!("Block would refuse this CREATE of {}", self.subject.target));
        }
        if would.is_empty() {
            return leave(Reason::InOrder, "neither Adopt nor Block would do anything");
        }
        for sentence in &would {
            told.warn(format!("cni-steward observes: {sentence}"));
        }
        leave(Reason::Observed, would.join("; "))
    }

    fn adopt(&self, told: &mut Told) -> Outcome<'a> {
        if let Some(outcome) = self.left_to_others(told, true) {
            return outcome;
        }
        if let Some(outcome) = self.claimed_by_another(told) {
            return outcome;
        }
        let mut changes = Changes::default();
        let mut overwritten = self.stamps(&mut changes, told);
        self.provenance(&mut changes, &mut overwritten);
        self.cluster_api(&mut changes);
        if let Some(outcome) = self.annotations_full(&changes, told) {
            return outcome;
        }
        self.fields(&mut changes, &overwritten, told);
        if changes.is_empty() {
            return leave(Reason::InOrder, format!("{} is as the policy wants it", self.subject.target));
        }
        let message = words::describe(&changes, self.policy);
        (Verdict::Amend(changes), Reason::Adopted, message)
    }

    fn block(&self, told: &mut Told) -> Outcome<'a> {
        let target = self.subject.target;
        let creates_core = self.subject.old.is_none() && target.kind.core_four();
        if creates_core && !self.exempt() {
            if target.kind == Kind::DaemonSet && self.subject.object.parked() {
                return leave(Reason::Parked, format!("{target} can run on no node"));
            }
            return (
                Verdict::Refuse(self.refusal()),
                Reason::Blocked,
                format!("re-creation of {target} is refused"),
            );
        }
        if let Some(outcome) = self.left_to_others(told, false) {
            return outcome;
        }
        let mut changes = Changes::default();
        self.cluster_api(&mut changes);
        if changes.is_empty() {
            return leave(Reason::InOrder, format!("mode Block leaves this write of {target} alone"));
        }
        let message = words::describe(&changes, self.policy);
        (Verdict::Amend(changes), Reason::ClusterApi, message)
    }

    /// Exempt writers and targets of the managed add-on.
    fn left_to_others(&self, told: &mut Told, mark: bool) -> Option<Outcome<'a>> {
        let target = self.subject.target;
        if self.exempt() {
            if !mark || self.writer != Writer::EksAddon || self.marked() {
                return Some(leave(Reason::Exempt, format!("{} is exempt", self.subject.username)));
            }
            if self.policy.managed_addon == ManagedAddon::Absent {
                told.warn("the policy says managedAddon: Absent, but the managed add-on wrote this object");
            }
            let mut changes = Changes::default();
            changes.edits.push(Edit {
                map: Map::Annotations,
                key: MANAGED_ADDON,
                value: Some("true".into()),
                why: Why::ManagedAddon,
            });
            if let Some(outcome) = self.annotations_full(&changes, told) {
                return Some(outcome);
            }
            let message = format!("the EKS managed add-on wrote {target}: marked, otherwise left alone");
            return Some((Verdict::Amend(changes), Reason::ManagedAddonMarked, message));
        }
        if self.marked() {
            told.warn(format!("{target} belongs to the EKS managed add-on: cni-steward leaves it alone"));
            return Some(leave(Reason::ManagedAddon, format!("the EKS managed add-on owns {target}")));
        }
        None
    }
}

fn value_of<'o>(object: &'o Object<'_>, map: Map, key: &str) -> Option<&'o str> {
    match map {
        Map::Labels => object.labels.get(key),
        Map::Annotations => object.annotations.get(key),
    }
}
