//! What has to be written to a stored object so that admission would leave it alone. Pure.
//!
//! The stored object is put before the same [`decide`] as a review, as object and as old object, written by nobody in
//! particular. Changes are written in two steps, because the API server records what a PATCH changes as the patcher's: labels
//! and annotations together with the transfer, then `managedFields` alone, which is stored as sent and gives the stamps
//! to the owner. Whatever lies between them, also the end of this program, the next look at the object finds what is left.
//!
//! Less is written than admission would: in a stored object the entry of the managed add-on looks like the bootstrap's, so
//! with `managedAddon: Unknown` an object with an entry of `eks` is told about and left, but for `clusterApi: Release`,
//! which is about such objects.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::step::Step;
use super::wanted::{self, Wanted, last_writer, path_of, path_of_moved};
use crate::admission::object;
use crate::fields::entry::Known;
use crate::policy::change::{Changes, Edit, STAMP_PATHS, Why};
use crate::policy::decide::Subject;
use crate::policy::object::Object;
use crate::policy::rules::{ClusterApi, EKS, ManagedAddon, Mode, Policy};
use crate::policy::writer::STEWARD;
use crate::policy::{Decision, Reason, Target, Verdict, decide, pattern};

/// How a stored object stands to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Admission would leave it.
    InOrder,
    /// Admission missed a write, and it is being repaired.
    Repairing,
    /// The managed add-on may own it, so a person has to say that it does not.
    HeldBack,
    /// Mode Observe, and another mode would act.
    Observed,
    /// Somebody changes every repair back, so it is left as it is.
    Contested,
    /// A pause, the managed add-on's mark, another release, an exempt writer: not ours to repair.
    Left(Reason),
    /// It is being deleted.
    Going,
    /// It cannot be understood, so it is not changed.
    Odd,
}

/// What to do about one stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How it stands.
    pub state: State,
    /// One sentence for people.
    pub message: String,
    /// Its `resourceVersion`.
    pub version: String,
    /// The field manager that wrote last.
    pub writer: String,
    /// What admission would have changed, whether it may be repaired or not. Empty while a repair is being finished.
    pub wanted: Vec<Wanted>,
    /// What to write now.
    pub step: Option<Step>,
}

impl Plan {
    /// For an object that cannot be understood.
    pub(super) fn odd(problem: &str) -> Self {
        Self {
            state: State::Odd,
            message: problem.to_owned(),
            version: String::new(),
            writer: String::new(),
            wanted: Vec::new(),
            step: None,
        }
    }
}

#[derive(Deserialize)]
struct Head {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) resource_version: String,
    deletion_timestamp: Option<IgnoredAny>,
}

impl Metadata {
    /// Of a stored object, given as JSON text.
    pub(super) fn of(stored: &str) -> Option<Self> {
        serde_json::from_str::<Head>(stored).ok().map(|head| head.metadata)
    }
}

/// Plans the next write of a stored object, given as JSON text. `stops` says which paths are not to be repaired now.
pub fn plan(
    target: Target<'_>,
    stored: &str,
    policy: &Policy,
    stops: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Plan {
    let object = match object::alone(stored) {
        Ok(object) => object,
        Err(problem) => return Plan::odd(&problem),
    };
    let Some(head) = Metadata::of(stored) else {
        return Plan::odd("it has no resourceVersion");
    };
    let mut plan = Plan::odd("");
    plan.version = head.resource_version;
    if head.deletion_timestamp.is_some() {
        plan.state = State::Going;
        plan.message = format!("{target} is being deleted");
        return plan;
    }
    let last = last_writer(object.managed_fields.as_ref());
    last.map_or("", |known| &*known.manager).clone_into(&mut plan.writer);
    Case { target, object: &object, last, policy, stops, now }.fill(plan)
}

struct Case<'c, 'a> {
    target: Target<'a>,
    object: &'a Object<'a>,
    last: Option<&'c Known<'a>>,
    policy: &'a Policy,
    stops: &'c dyn Fn(&str) -> bool,
    now: Timestamp,
}

impl Case<'_, '_> {
    fn fill(&self, mut plan: Plan) -> Plan {
        if self.policy.mode != Mode::Observe && pattern::any(&self.policy.exempt.managers, &plan.writer) {
            plan.state = State::Left(Reason::Exempt);
            plan.message = format!("{} is exempt and wrote {} last", plan.writer, self.target);
            return plan;
        }
        let decision = review(self.target, self.object, self.policy, self.now);
        if let Some(held) = self.held_back() {
            plan.state = State::HeldBack;
            plan.message = held;
        } else {
            plan.message = decision.message;
            plan.state = match decision.reason {
                Reason::InOrder => State::InOrder,
                Reason::Observed => State::Observed,
                Reason::Adopted | Reason::ClusterApi => State::Repairing,
                other => State::Left(other),
            };
        }
        let mut changes = match decision.verdict {
            Verdict::Amend(changes) => changes,
            Verdict::Leave | Verdict::Refuse(_) => Changes::default(),
        };
        match plan.state {
            State::HeldBack => {
                changes.edits.retain(|edit| edit.why == Why::Release);
                changes.managed_fields = None;
                changes.moved.clear();
            }
            State::InOrder | State::Repairing if self.policy.mode != Mode::Observe => {}
            _ => return plan,
        }
        plan.wanted = wanted::by(&changes, self.object, self.last);
        let stopped = self.without_stopped(&mut changes);
        plan.step = Step::of(changes, self.object, &plan.version);
        match (plan.state, &plan.step) {
            (State::InOrder, Some(_)) => {
                plan.state = State::Repairing;
                plan.message =
                    format!("take the repair's own entry out of the managedFields of {}", self.target);
            }
            (State::Repairing, None) if stopped => plan.state = State::Contested,
            _ => {}
        }
        plan
    }

    /// Why nothing is written although Adopt would: only a person can know whose the entry of `eks` is.
    fn held_back(&self) -> Option<String> {
        if self.policy.mode != Mode::Adopt || self.policy.managed_addon == ManagedAddon::Absent {
            return None;
        }
        let mut entries = self.object.managed_fields.iter().flat_map(|list| &list.entries);
        if !entries
            .any(|entry| entry.known.as_ref().is_some_and(|known| known.is_root() && known.manager == EKS))
        {
            return None;
        }
        let mut absent = self.policy.clone();
        absent.managed_addon = ManagedAddon::Absent;
        let would = review(self.target, self.object, &absent, self.now);
        let Verdict::Amend(changes) = &would.verdict else { return None };
        let released = |edit: &Edit<'_>| edit.why == Why::Release;
        if self.policy.cluster_api == ClusterApi::Release
            && changes.managed_fields.is_none()
            && changes.edits.iter().all(released)
        {
            return None;
        }
        Some(format!(
            "{} was written by eks, which may be the managed add-on, so it is left alone; once `aws eks describe-addon \
             --addon-name vpc-cni` says that there is none, set managedAddon: Absent, and cni-steward will {}",
            self.target, would.message
        ))
    }

    /// Takes out what is not to be repaired now; says whether there was any. Who holds a stamp goes with its value.
    fn without_stopped(&self, changes: &mut Changes<'_>) -> bool {
        let stopped = |edit: &Edit<'_>| (self.stops)(&path_of(edit));
        let stamp =
            |edit: &Edit<'_>| STAMP_PATHS.iter().any(|path| path.last().is_some_and(|key| *key == edit.key));
        let fields = (self.stops)(".metadata.managedFields")
            || changes.edits.iter().any(|edit| stamp(edit) && stopped(edit))
            || changes.moved.iter().any(|moved| (self.stops)(&path_of_moved(&moved.manager)));
        let any = fields || changes.edits.iter().any(stopped);
        changes.edits.retain(|edit| !stopped(edit));
        if fields {
            changes.managed_fields = None;
            changes.moved.clear();
        }
        any
    }
}

/// The same question as in admission, about an object that nobody writes just now.
fn review<'a>(
    target: Target<'a>,
    object: &'a Object<'a>,
    policy: &'a Policy,
    now: Timestamp,
) -> Decision<'a> {
    let subject = Subject { target, username: "", groups: &[], manager: STEWARD, object, old: Some(object) };
    decide(&subject, policy, now)
}
