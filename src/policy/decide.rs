//! The verdict: leave, amend or refuse, for one write of one target.
//!
//! The order is the rule: an exempt writer, a live pause and a managed add-on are left alone before anything is
//! computed; then the mode decides. Observe computes what Adopt and Block would do and says it.

use std::borrow::Cow;

use jiff::Timestamp;

use super::change::{
    ALLOW_UNTIL, Changes, Edit, HELM, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, Map, PREVENT_DELETION, RELEASE_NAME,
    RELEASE_NAMESPACE, STAMP_PATHS, Why,
};
use super::object::Object;
use super::pause::{self, Pause};
use super::pattern;
use super::provenance;
use super::rules::{ClusterApi, EKS, Fields, ManagedAddon, Mode, Policy, Release};
use super::target::{Kind, Target};
use super::writer::{self, Writer};
use crate::fields::entry::List;
use crate::fields::transfer::{self, Transfer, Wish};

/// Most bytes of annotations an object may carry (apimachinery `TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

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

/// Why; [`Reason::code`] is a stable word for logs, metrics and audit annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing has to change.
    InOrder,
    /// Adopt amended the target.
    Adopted,
    /// `clusterApi` amended the target.
    ClusterApi,
    /// The exempt managed add-on wrote, and the target now says so.
    ManagedAddonMarked,
    /// The writer is exempt.
    Exempt,
    /// A live pause.
    Paused,
    /// The target carries the managed add-on's mark.
    ManagedAddon,
    /// Stamped for another release.
    OtherRelease,
    /// No room for another annotation.
    AnnotationsFull,
    /// Block, but this `DaemonSet` can run nowhere.
    Parked,
    /// Observe, and another mode would have acted.
    Observed,
    /// Block refused the re-creation.
    Blocked,
}

impl Reason {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InOrder => "in-order",
            Self::Adopted => "adopted",
            Self::ClusterApi => "cluster-api",
            Self::ManagedAddonMarked => "managed-addon-marked",
            Self::Exempt => "exempt",
            Self::Paused => "paused",
            Self::ManagedAddon => "managed-addon",
            Self::OtherRelease => "other-release",
            Self::AnnotationsFull => "annotations-full",
            Self::Parked => "parked",
            Self::Observed => "observed",
            Self::Blocked => "blocked",
        }
    }
}

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
    let list = subject.object.managed_fields.and_then(List::parse);
    let old_list = subject.old.and_then(|old| old.managed_fields).and_then(List::parse);
    let manager = if subject.manager.is_empty() {
        writer::infer(list.as_ref(), old_list.as_ref()).to_owned()
    } else {
        subject.manager.to_owned()
    };
    let case = Case {
        subject,
        policy,
        now,
        writer: Writer::tell(subject.username, &manager, policy),
        manager: &manager,
        list: list.as_ref(),
        old_list: old_list.as_ref(),
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
            Pause::Unreadable => told.warn(format!("{ALLOW_UNTIL} is not an RFC 3339 time and does not count")),
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
            (Verdict::Amend(changes), _, _) => would.push(format!("Adopt would {}", describe(&changes, self.policy))),
            (Verdict::Refuse(_), _, _) => {}
            (Verdict::Leave, Reason::OtherRelease | Reason::AnnotationsFull, message) => {
                would.push(format!("Adopt would leave it: {message}"));
            }
            (Verdict::Leave, _, _) => {}
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
        let overwritten = self.stamps(&mut changes, told);
        self.provenance(&mut changes);
        self.cluster_api(&mut changes);
        if let Some(outcome) = self.annotations_full(&changes, told) {
            return outcome;
        }
        self.fields(&mut changes, &overwritten, told);
        if changes.is_empty() {
            return leave(Reason::InOrder, format!("{} is as the policy wants it", self.subject.target));
        }
        let message = describe(&changes, self.policy);
        (Verdict::Amend(changes), Reason::Adopted, message)
    }

    fn block(&self, told: &mut Told) -> Outcome<'a> {
        let target = self.subject.target;
        let creates_core = self.subject.old.is_none() && target.kind.core_four();
        if creates_core && !self.exempt() {
            if target.kind == Kind::DaemonSet && self.subject.object.parked() {
                return leave(Reason::Parked, format!("{target} can run on no node"));
            }
            return (Verdict::Refuse(self.refusal()), Reason::Blocked, format!("re-creation of {target} is refused"));
        }
        if let Some(outcome) = self.left_to_others(told, false) {
            return outcome;
        }
        let mut changes = Changes::default();
        self.cluster_api(&mut changes);
        if changes.is_empty() {
            return leave(Reason::InOrder, format!("mode Block leaves this write of {target} alone"));
        }
        let message = describe(&changes, self.policy);
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

    /// A target that is stamped for another release is left, unless this write is what overwrote our own stamps.
    fn claimed_by_another(&self, told: &mut Told) -> Option<Outcome<'a>> {
        let ours = self.policy.owner.release.as_ref()?;
        let claim = Claim::of(self.subject.object, ours);
        let before = self.subject.old.map_or(Claim::Nobody, |old| Claim::of(old, ours));
        let theirs = match (before, claim) {
            (Claim::Ours, _) | (_, Claim::Ours) | (Claim::Nobody, Claim::Nobody) => return None,
            (_, Claim::Theirs(name)) | (Claim::Theirs(name), Claim::Nobody) => name,
        };
        let message = format!("{} belongs to release {theirs}, the policy's is {ours}", self.subject.target);
        told.warn(format!("left alone: {message}"));
        Some(leave(Reason::OtherRelease, message))
    }

    /// Adds the stamps that are missing or wrong; returns the paths whose value had been overwritten.
    fn stamps(&self, changes: &mut Changes<'a>, told: &mut Told) -> Vec<&'static [&'static str]> {
        let mut overwritten = Vec::new();
        let Some(release) = self.policy.owner.release.as_ref().filter(|_| self.subject.target.kind.stamped()) else {
            return overwritten;
        };
        let wanted = [
            (Map::Labels, MANAGED_BY, HELM),
            (Map::Annotations, RELEASE_NAME, release.name.as_str()),
            (Map::Annotations, RELEASE_NAMESPACE, release.namespace.as_str()),
        ];
        for ((map, key, value), path) in wanted.into_iter().zip(STAMP_PATHS) {
            let found = value_of(self.subject.object, map, key);
            if found == Some(value) {
                continue;
            }
            let before = self.subject.old.and_then(|old| value_of(old, map, key));
            let why = if before == Some(value) { Why::PutBack } else { Why::Stamp };
            if found.is_some() {
                overwritten.push(path);
            }
            if why == Why::PutBack && self.writer != Writer::Eks {
                told.warn(format!("{key} was put back to {value:?}: release {release} owns this object"));
            }
            changes.edits.push(Edit { map, key, value: Some(value.into()), why });
        }
        overwritten
    }

    fn provenance(&self, changes: &mut Changes<'a>) {
        if !self.subject.target.kind.stamped() {
            return;
        }
        let found = self.subject.object.labels.get(INSTALLED_BY);
        let before = self.subject.old.and_then(|old| old.labels.get(INSTALLED_BY));
        let (value, why) = match (before, found) {
            (Some(before), Some(found)) if before == found => return,
            (Some(before), _) => (Cow::Borrowed(before), Why::PutBack),
            (None, Some(_)) => return,
            (None, None) => {
                let word = match self.subject.old {
                    None => provenance::of_create(self.subject.object, self.subject.username, self.manager),
                    Some(old) => provenance::of_existing(self.subject.target.kind, old, self.old_list),
                };
                (Cow::Borrowed(word), Why::Provenance)
            }
        };
        changes.edits.push(Edit { map: Map::Labels, key: INSTALLED_BY, value: Some(value), why });
    }

    fn cluster_api(&self, changes: &mut Changes<'a>) {
        if !self.subject.target.kind.core_four() {
            return;
        }
        let object = self.subject.object;
        let protected = object.labels.get(PREVENT_DELETION).is_some();
        let mut edit = |key, value: Option<&'static str>, why| {
            changes.edits.push(Edit { map: Map::Labels, key, value: value.map(Cow::Borrowed), why });
        };
        match self.policy.cluster_api {
            ClusterApi::Protect if !protected => edit(PREVENT_DELETION, Some("true"), Why::Protect),
            ClusterApi::Protect | ClusterApi::Leave => {}
            ClusterApi::Release => {
                if protected {
                    edit(PREVENT_DELETION, None, Why::Release);
                }
                let unclaimed = object.annotations.get(RELEASE_NAME).is_none();
                if unclaimed && object.labels.get(MANAGED_BY) == Some(HELM) && self.eks_wrote() {
                    edit(MANAGED_BY, Some(EKS), Why::Release);
                }
            }
        }
    }

    fn eks_wrote(&self) -> bool {
        matches!(self.writer, Writer::Eks | Writer::EksAddon)
            || self.subject.object.labels.get(INSTALLED_BY) == Some(EKS)
            || self.list.is_some_and(|list| {
                list.entries.iter().filter_map(|entry| entry.known.as_ref()).any(|known| known.manager == EKS)
            })
    }

    fn annotations_full(&self, changes: &Changes<'_>, told: &mut Told) -> Option<Outcome<'a>> {
        let added: usize = changes
            .edits
            .iter()
            .filter(|edit| edit.map == Map::Annotations)
            .map(|edit| {
                let found = value_of(self.subject.object, edit.map, edit.key);
                let new = edit.value.as_ref().map_or(0, |value| value.len());
                match found {
                    Some(found) => new.saturating_sub(found.len()),
                    None => edit.key.len() + new,
                }
            })
            .sum();
        if added == 0 || self.subject.object.annotations.size + added <= MAX_ANNOTATIONS {
            return None;
        }
        told.warn("left alone: the annotations would exceed the API server's limit of 256 KiB");
        let message = format!("{} has no room for {added} more bytes of annotations", self.subject.target);
        Some(leave(Reason::AnnotationsFull, message))
    }

    /// Moves field ownership as `fields`, `absorb` and `managedAddon` say.
    fn fields(&self, changes: &mut Changes<'a>, overwritten: &[&[&str]], told: &mut Told) {
        let Some(list) = self.list else { return };
        let stamped = self.policy.owner.release.is_some() && self.subject.target.kind.stamped();
        let merge = self.policy.fields == Fields::Transfer;
        if !merge && !stamped {
            return;
        }
        // In a stored object the managed add-on's entry looks like the bootstrap's, so `eks` moves only in its own write.
        let eks_may_move = self.policy.managed_addon == ManagedAddon::Absent || self.manager == EKS;
        let absorb = |manager: &str| {
            (manager != EKS || eks_may_move) && pattern::any(&self.policy.absorb, manager)
        };
        let own: &[&[&str]] = if stamped { &STAMP_PATHS } else { &[] };
        let wish = Wish {
            owner: &self.policy.owner.manager,
            absorb: &absorb,
            merge,
            api_version: &self.subject.object.api_version,
            own,
            disown: overwritten,
            now: self.now,
        };
        let outcome = transfer::transfer(list, self.old_list, &wish);
        for sentence in outcome.left {
            told.warn(sentence);
        }
        if let Transfer::Replace { list, moved } = outcome.transfer {
            changes.managed_fields = Some(list);
            changes.moved = moved;
        }
    }

    fn refusal(&self) -> String {
        let target = self.subject.target;
        let until = self.now.checked_add(jiff::ToSpan::hours(1)).unwrap_or(self.now);
        let until = until.round(jiff::Unit::Second).unwrap_or(until);
        format!(
            "CREATE of {target} is refused because the cni-steward policy (mode Block) keeps the VPC CNI from coming \
             back. To create it all the same, let it through for an hour: kubectl annotate --local -f FILE \
             {ALLOW_UNTIL}={until} -o yaml | kubectl apply -f -"
        )
    }
}

fn value_of<'o>(object: &'o Object<'_>, map: Map, key: &str) -> Option<&'o str> {
    match map {
        Map::Labels => object.labels.get(key),
        Map::Annotations => object.annotations.get(key),
    }
}

/// Whom an object's stamps name.
enum Claim {
    Nobody,
    Ours,
    Theirs(String),
}

impl Claim {
    fn of(object: &Object<'_>, ours: &Release) -> Self {
        let name = object.annotations.get(RELEASE_NAME);
        let namespace = object.annotations.get(RELEASE_NAMESPACE);
        match (name, namespace) {
            (None, None) => Self::Nobody,
            (Some(name), Some(namespace)) if name == ours.name && namespace == ours.namespace => Self::Ours,
            // Half a claim that does not contradict ours is a claim of nobody: it is completed.
            (Some(name), None) if name == ours.name => Self::Nobody,
            (None, Some(namespace)) if namespace == ours.namespace => Self::Nobody,
            (name, namespace) => Self::Theirs(format!("{}/{}", namespace.unwrap_or("?"), name.unwrap_or("?"))),
        }
    }
}

/// What a set of changes does, in one clause.
fn describe(changes: &Changes<'_>, policy: &Policy) -> String {
    let mut parts = Vec::new();
    let count = |whys: &[Why]| changes.edits.iter().filter(|edit| whys.contains(&edit.why)).count();
    let stamps = count(&[Why::Stamp]);
    if let (true, Some(release)) = (stamps > 0, &policy.owner.release) {
        parts.push(format!("stamp it for release {release}"));
    }
    let put_back = count(&[Why::PutBack]);
    if put_back > 0 {
        parts.push(format!("put {put_back} overwritten key{} back", plural(put_back)));
    }
    if changes.managed_fields.is_some() {
        let owner = &policy.owner.manager;
        if changes.moved.is_empty() {
            parts.push(format!("record the stamps as {owner}'s"));
        }
        for moved in &changes.moved {
            parts.push(format!("move {} field{} from {} to {owner}", moved.paths, plural(moved.paths), moved.manager));
        }
    }
    for edit in &changes.edits {
        match (edit.why, &edit.value) {
            (Why::Provenance, Some(word)) => parts.push(format!("record that {word} installed it")),
            (Why::Protect, _) => parts.push("protect it from Cluster API".to_owned()),
            (Why::Release, _) => parts.push("release it to Cluster API".to_owned()),
            (Why::ManagedAddon, _) => parts.push("mark it as the managed add-on's".to_owned()),
            _ => {}
        }
    }
    parts.dedup();
    parts.join(", ")
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
