//! The way of one review through the house: read, decide, write.

use std::borrow::Cow;

use jiff::Timestamp;

use super::patch;
use super::reply::{self, Audit, Say};
use super::review::{Operation, Review, Unreadable};
use super::said::Said;
use crate::policy::decide::{Decision, Subject};
use crate::policy::object::Object;
use crate::policy::{Policy, Verdict, decide};

/// The API server cuts all warnings of a request once they hold 4096 characters (apiserver `filters/warning.go`).
const MAX_WARNINGS: usize = 10;

/// A UID has 36 characters.
const LONGEST_UID: usize = 64;

/// In bytes, of a name that is told of: an object's may have 253 characters, a field manager's 128, and a user's none too many.
const LONGEST_NAME: usize = 512;

/// In bytes, of the sentence that is told of a decision.
const LONGEST_MESSAGE: usize = 4096;

/// What a review is answered with, and what there is to tell about it.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// HTTP status: 200 for every answered review (a refusal too), 400 for one that cannot be read.
    pub status: u16,
    /// JSON body: an `AdmissionReview`, or a `Status` that says why the review cannot be read.
    pub body: Said,
    /// For the log line and the metrics.
    pub record: Record<'a>,
}

/// What was decided, for people and counters. Holds no object content; borrows from the body. Each text is cut to some hundred
/// bytes: log and Events keep them longer than the body, which may be of anybody and nothing but one name.
#[derive(Debug, Clone, Default)]
pub struct Record<'a> {
    /// `request.uid`; one that is longer than any UID is cut.
    pub uid: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, or `""` when it could not be read.
    pub operation: &'static str,
    /// `daemonsets`, `serviceaccounts`, …; `other` outside the catalogue (bounded, it is a metric label).
    pub resource: &'static str,
    /// `kube-system` or `""`.
    pub namespace: Cow<'a, str>,
    /// Object name.
    pub name: Cow<'a, str>,
    /// `request.userInfo.username`.
    pub username: Cow<'a, str>,
    /// Field manager of the write, as told or inferred.
    pub manager: Cow<'a, str>,
    /// `dryRun`.
    pub dry_run: bool,
    /// `leave`, `amend`, `refuse` or `error`.
    pub verdict: &'static str,
    /// Stable reason code in kebab case (`outside-catalogue`, `adopted`, `blocked`, `paused`, …; bounded).
    pub reason: &'static str,
    /// One sentence for people.
    pub message: String,
    /// Warnings sent to the client.
    pub warnings: Vec<String>,
}

impl Record<'_> {
    /// The decision's identifier, which log line, audit annotation and Event share: `request.uid`, which the API server makes
    /// anew for each call.
    pub fn decision(&self) -> &str {
        &self.uid
    }
}

/// A review that could be read, with the objects that a verdict borrows from.
#[derive(Debug)]
pub struct Received<'a> {
    /// The envelope.
    pub review: Review<'a>,
}

/// What was decided about a review that could be read.
#[derive(Debug)]
pub enum Judged<'r> {
    /// None of ours: answered from the head.
    Outside,
    /// A target, but an object that is not understood: it passes unchanged, with a warning.
    Odd(String),
    /// A target, decided.
    Decided(&'r Object<'r>, Decision<'r>),
}

impl<'a> Received<'a> {
    /// Reads the body of a review.
    pub fn read(body: &'a [u8], policy: &Policy) -> Result<Self, Unreadable> {
        Ok(Self { review: Review::parse(body, &policy.targets)? })
    }

    /// Decides it.
    pub fn judge<'r>(&'r self, policy: &'r Policy, now: Timestamp) -> Judged<'r> {
        match self.subject(policy) {
            Ok(subject) => Judged::Decided(subject.object, decide(&subject, policy, now)),
            Err(Some(problem)) => Judged::Odd(problem),
            Err(None) => Judged::Outside,
        }
    }

    /// What there is to decide about; `Err(None)` if nothing is, else what is odd.
    pub fn subject<'r>(&'r self, policy: &Policy) -> Result<Subject<'r>, Option<String>> {
        let review = &self.review;
        let target = review.target(&policy.targets).ok_or(None)?;
        let object = match &review.object {
            Some((_, Ok(object))) => object,
            Some((_, Err(problem))) => return Err(Some(format!("its object is odd: {problem}"))),
            None => return Err(Some(format!("a {} without an object", review.operation.name()))),
        };
        let old = match (review.operation, &review.old) {
            (Operation::Update, Some((_, Ok(old)))) => Some(old),
            (Operation::Update, Some((_, Err(problem)))) => {
                return Err(Some(format!("its old object is odd: {problem}")));
            }
            (Operation::Update, None) => return Err(Some("an UPDATE without an old object".to_owned())),
            _ => None,
        };
        Ok(Subject {
            target,
            username: &review.username,
            groups: &review.groups,
            manager: &review.manager,
            object,
            old,
        })
    }
}

/// Answers one review.
pub fn answer<'a>(body: &'a [u8], policy: &Policy, now: Timestamp) -> Answer<'a> {
    match Received::read(body, policy) {
        Ok(received) => reply_to(body, &received, policy, now),
        Err(problem) => {
            let message = problem.to_string();
            let body = reply::error(400, "BadRequest", &message);
            let reason = "unreadable";
            Answer {
                status: 400,
                body: body.into(),
                record: Record { resource: "other", verdict: "error", reason, message, ..Record::default() },
            }
        }
    }
}

fn reply_to<'a>(body: &'a [u8], received: &Received<'a>, policy: &Policy, now: Timestamp) -> Answer<'a> {
    let review = &received.review;
    let mut record = Record {
        uid: cut(review.uid.clone(), LONGEST_UID),
        operation: review.operation.name(),
        resource: "other",
        namespace: cut(review.namespace.clone(), LONGEST_NAME),
        name: cut(review.name.clone(), LONGEST_NAME),
        username: cut(review.username.clone(), LONGEST_NAME),
        manager: cut(review.manager.clone(), LONGEST_NAME),
        dry_run: review.dry_run,
        verdict: "leave",
        reason: "outside-catalogue",
        ..Record::default()
    };
    let refusal;
    let mut say = Say::Allow;
    match received.judge(policy, now) {
        Judged::Outside => {
            let body = reply::review(&review.uid, Say::Allow, &[], None);
            return Answer { status: 200, body, record };
        }
        Judged::Odd(problem) => {
            record.reason = "odd-object";
            record.warnings.push(reply::warning(&format!("cni-steward left this write alone: {problem}")));
            record.message = told(problem);
        }
        Judged::Decided(object, decision) => {
            record.reason = decision.reason.code();
            record.message = told(decision.message);
            record.manager = cut(decision.manager.into(), LONGEST_NAME);
            record.warnings =
                decision.warnings.iter().take(MAX_WARNINGS).map(|text| reply::warning(text)).collect();
            match decision.verdict {
                Verdict::Leave => {}
                Verdict::Amend(changes) => {
                    record.verdict = "amend";
                    say = Say::Patch(patch::write(changes, object), body);
                }
                Verdict::Refuse(message) => {
                    record.verdict = "refuse";
                    refusal = message;
                    say = Say::Refuse(&refusal);
                }
            }
        }
    }
    record.resource = review.kind.map_or("other", |kind| kind.group_resource().1);
    let audit = Audit {
        verdict: record.verdict,
        reason: record.reason,
        policy: policy.hash(),
        decision: record.decision(),
    };
    let body = reply::review(&review.uid, say, &record.warnings, Some(audit));
    Answer { status: 200, body, record }
}

/// One line, and not too long: what it quotes of an object may be anything.
fn told(text: String) -> String {
    let text = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text };
    cut(text.into(), LONGEST_MESSAGE).into_owned()
}

/// At most so many bytes of a text, and whole characters. What is left does not keep the room of what is not.
fn cut(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text;
    }
    let end = text.floor_char_boundary(most);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(..end).unwrap_or_default().to_owned()),
    }
}
