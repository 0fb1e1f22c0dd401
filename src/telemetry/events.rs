//! Kubernetes Events: what happened, told where people look first.
//!
//! Saying something costs a place in a bounded queue; when that is full, it is dropped and counted. So it may be done
//! anywhere, also beside a review. A task of its own posts what is said, slowly: the same about the same object once in
//! ten minutes, and a burst of some before one in a few seconds. An Event that cannot be posted is lost: log and metrics
//! say the same things.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::clock;
use super::metrics::events::{EventMetrics, Fate};
use crate::admission::Record;
use crate::cluster::{Cluster, Instance, Reference};
use crate::policy::Target;
use crate::policy::target as catalogue;

const QUEUE: usize = 64;
/// How many different ones are remembered, so that each comes once in a while only.
const REMEMBERED: usize = 256;
const AGAIN_AFTER: Duration = Duration::from_mins(10);
const BURST: u32 = 20;
const ONE_MORE_EACH: Duration = Duration::from_secs(5);
/// The API server refuses longer ones.
const LONGEST_NOTE: usize = 1024;

/// Whether a person has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is as it should be.
    Normal,
    /// It is not.
    Warning,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Occurrence {
    /// In one `CamelCase` word, for machines.
    pub reason: &'static str,
    /// In a sentence or two, for people.
    pub note: String,
    /// Whether a person has to do something.
    pub kind: Kind,
    /// The object it is about.
    pub regarding: Reference,
    /// The decision that it tells of, if it is one. The same thing decided twice is still the same thing.
    pub decision: Option<String>,
}

impl Occurrence {
    fn same(&self, other: &Self) -> bool {
        (self.reason, &self.note, self.kind, &self.regarding)
            == (other.reason, &other.note, other.kind, &other.regarding)
    }
}

/// Takes what happened. Never blocks, never fails.
#[derive(Debug, Clone)]
pub struct Events {
    queue: Option<mpsc::Sender<(Timestamp, Occurrence)>>,
    metrics: EventMetrics,
}

/// Posts what was said.
#[derive(Debug)]
pub struct Poster {
    queue: mpsc::Receiver<(Timestamp, Occurrence)>,
    metrics: EventMetrics,
    said: Vec<(Instant, Occurrence)>,
    tokens: u32,
    refilled: Instant,
}

impl Events {
    /// A queue, and what empties it.
    pub fn new(metrics: EventMetrics) -> (Self, Poster) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let poster = Poster {
            queue: receiver,
            metrics: metrics.clone(),
            said: Vec::new(),
            tokens: BURST,
            refilled: Instant::now(),
        };
        (Self { queue: Some(sender), metrics }, poster)
    }

    /// For who has no cluster to tell: what is said is not even counted.
    pub fn unheard() -> Self {
        Self { queue: None, metrics: EventMetrics::default() }
    }

    /// Tells what happened.
    pub fn say(&self, mut occurrence: Occurrence) {
        let Some(queue) = &self.queue else { return };
        occurrence.note = shortened(occurrence.note, LONGEST_NOTE);
        match queue.try_send((clock::now(), occurrence)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => self.metrics.count(Fate::Dropped),
        }
    }
}

/// What a decision about a review is worth telling: that something was changed, refused, or passed in a pause.
pub fn of_decision(record: &Record<'_>) -> Option<Occurrence> {
    if record.dry_run {
        return None;
    }
    let (reason, kind) = match (record.verdict, record.reason) {
        ("refuse", _) => ("Refused", Kind::Warning),
        ("amend", _) => ("Amended", Kind::Normal),
        (_, "paused") => ("Paused", Kind::Normal),
        _ => return None,
    };
    let target = catalogue::Kind::ALL.into_iter().find(|kind| kind.group_resource().1 == record.resource)?;
    let target = Target { kind: target, namespace: &record.namespace, name: &record.name };
    Some(Occurrence {
        reason,
        note: format!("{} by {} ({}): {}", record.operation, record.username, record.manager, record.message),
        kind,
        regarding: Reference::target(&target),
        decision: Some(record.decision().to_owned()),
    })
}

impl Poster {
    /// Posts, until nobody can say anything any more.
    pub async fn run(mut self, cluster: Cluster, instance: Instance) {
        while let Some((when, occurrence)) = self.queue.recv().await {
            if !self.worth_it(&occurrence) {
                self.metrics.count(Fate::Repeated);
                continue;
            }
            self.wait_for_a_turn().await;
            let (reference, event) = body(&instance, when, &occurrence);
            match cluster.note(&reference, &event).await {
                Ok(()) => self.metrics.count(Fate::Posted),
                Err(error) => {
                    self.metrics.count(Fate::Failed);
                    tracing::debug!(%error, reason = occurrence.reason, "an Event is lost");
                }
            }
        }
    }

    /// Whether the same was not said a short time ago.
    fn worth_it(&mut self, occurrence: &Occurrence) -> bool {
        let now = Instant::now();
        self.said.retain(|(at, _)| now.duration_since(*at) < AGAIN_AFTER);
        if self.said.iter().any(|(_, earlier)| earlier.same(occurrence)) {
            return false;
        }
        if self.said.len() >= REMEMBERED {
            self.said.remove(0);
        }
        self.said.push((now, occurrence.clone()));
        true
    }

    async fn wait_for_a_turn(&mut self) {
        loop {
            while self.tokens < BURST && self.refilled.elapsed() >= ONE_MORE_EACH {
                self.tokens += 1;
                self.refilled += ONE_MORE_EACH;
            }
            if self.tokens == BURST {
                self.refilled = Instant::now();
            }
            if self.tokens > 0 {
                self.tokens -= 1;
                return;
            }
            tokio::time::sleep_until(self.refilled + ONE_MORE_EACH).await;
        }
    }
}

/// At most so many bytes, and no room for more.
fn shortened(note: String, most: usize) -> String {
    if note.len() <= most {
        return note;
    }
    let end = note.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", note.get(..end).unwrap_or_default())
}

/// The Event and its place. About a cluster-scoped object it lies in kube-system, which the API server allows and where
/// the account has a role already.
fn body(instance: &Instance, when: Timestamp, occurrence: &Occurrence) -> (Reference, Value) {
    use k8s_openapi::api::events::v1::Event;
    let regarding = &occurrence.regarding;
    let namespace = regarding.namespace().unwrap_or("kube-system");
    let name = format!("{}.{:x}", regarding.name(), when.as_nanosecond());
    let decision = occurrence.decision.as_ref().map(|id| format!(" (decision {id})")).unwrap_or_default();
    let room = LONGEST_NOTE.saturating_sub(decision.len());
    let note = shortened(occurrence.note.clone(), room) + &decision;
    let event = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "eventTime": format!("{when:.6}"),
        "type": occurrence.kind.name(),
        "reason": occurrence.reason,
        "action": occurrence.reason,
        "note": note,
        "regarding": {
            "apiVersion": regarding.api_version(),
            "kind": regarding.kind(),
            "namespace": regarding.namespace(),
            "name": regarding.name(),
        },
        "reportingController": "cni-steward.dev/cni-steward",
        "reportingInstance": instance.identity,
    });
    (Reference::of::<Event>(Some(namespace), &name), event)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DaemonSet;

    use super::*;

    fn occurrence(note: &str) -> Occurrence {
        Occurrence {
            reason: "Repaired",
            note: note.to_owned(),
            kind: Kind::Normal,
            regarding: Reference::of::<DaemonSet>(Some("kube-system"), "aws-node"),
            decision: None,
        }
    }

    fn decided(note: &str, id: &str) -> Occurrence {
        Occurrence { decision: Some(id.to_owned()), ..occurrence(note) }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let metrics = EventMetrics::default();
        let (events, poster) = Events::new(metrics.clone());
        for number in 0..QUEUE + 3 {
            events.say(occurrence(&number.to_string()));
        }
        assert_eq!(metrics.counted(Fate::Dropped), 3);
        drop(poster);
        events.say(occurrence("nobody posts"));
        assert_eq!(metrics.counted(Fate::Dropped), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_comes_once_in_ten_minutes() {
        let (_events, mut poster) = Events::new(EventMetrics::default());
        assert!(poster.worth_it(&occurrence("a")));
        assert!(!poster.worth_it(&occurrence("a")));
        assert!(!poster.worth_it(&decided("a", "another decision about the same")));
        assert!(poster.worth_it(&occurrence("b")));
        tokio::time::advance(AGAIN_AFTER).await;
        assert!(poster.worth_it(&occurrence("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_they_come_slowly() {
        let (_events, mut poster) = Events::new(EventMetrics::default());
        let start = Instant::now();
        for _ in 0..BURST {
            poster.wait_for_a_turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..3 {
            poster.wait_for_a_turn().await;
        }
        let waited = start.elapsed();
        assert!((ONE_MORE_EACH * 3..ONE_MORE_EACH * 3 + ONE_MORE_EACH).contains(&waited), "{waited:?}");
    }

    #[test]
    fn a_long_note_is_cut_where_a_character_ends() {
        let instance = Instance::new("kube-system/cni-steward".parse().unwrap(), "a".into());
        let long = "ü".repeat(600);
        let (_, event) = body(&instance, Timestamp::UNIX_EPOCH, &occurrence(&long));
        let note = event["note"].as_str().unwrap();
        assert!(note.len() <= LONGEST_NOTE && note.ends_with('…'), "{} bytes", note.len());
        let (_, event) = body(&instance, Timestamp::UNIX_EPOCH, &decided(&long, "1-2-3"));
        let note = event["note"].as_str().unwrap();
        assert!(note.len() <= LONGEST_NOTE && note.ends_with("… (decision 1-2-3)"), "{} bytes", note.len());
        assert_eq!(event["eventTime"], "1970-01-01T00:00:00.000000Z");
    }
}
