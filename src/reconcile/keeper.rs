//! Follows every target by its name while this replica leads, and writes what the plan says.
//!
//! Nothing is asked of the API server but one list and one watch for each target, and what a repair writes. The newest text of
//! each object is at hand, so a plan that has to wait (a pause, a contest, a failure, a budget) is made again from it.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::contest::Contests;
use super::item::{Item, News};
use super::pace::Budget;
use super::plan::{Plan, State, plan};
use super::step::Step;
use super::teller::{Teller, label};
use super::wanted::UNDONE;
use crate::cluster::{ApiError, Cluster, Patch, Watching, Writer};
use crate::faults;
use crate::leader::lease::Leadership;
use crate::policy::writer::STEWARD;
use crate::policy::{Policy, Target};
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::events::Events;
use crate::telemetry::metrics::repairs::RepairMetrics;

/// Until a changed policy file has reached all replicas (the kubelet looks once a minute). Until then their webhooks would
/// undo each other's repairs.
const SETTLE: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_secs(1);
/// Looks at one object in a row: two writes, two conflicts, and the look that finds it in order.
const LOOKS: usize = 5;
/// What takes longer than a millisecond to plan gets a thread of its own.
const LARGE: usize = 128 * 1024;

/// Keeps the targets as the policy wants them.
#[derive(Debug)]
pub struct Keeper {
    cluster: Cluster,
    policy: Arc<ArcSwap<Policy>>,
    teller: Teller,
}

/// What lasts while this replica leads.
struct Term<'w> {
    writer: &'w Writer,
    begun: Stopwatch,
    budget: Budget,
    contests: Contests,
    policy: String,
    settled: Duration,
}

/// What became of a write.
enum Sent {
    Stored,
    /// Somebody else wrote first; the object at hand is the newest.
    Overtaken,
    /// Nothing can be written now.
    Failed,
}

impl Term<'_> {
    fn now(&self) -> Duration {
        self.begun.elapsed() * faults::haste()
    }
}

impl Keeper {
    /// Reads the policy of each moment from `policy`.
    pub fn new(
        cluster: Cluster,
        policy: Arc<ArcSwap<Policy>>,
        events: Events,
        metrics: RepairMetrics,
    ) -> Self {
        Self { cluster, policy, teller: Teller { events, metrics } }
    }

    /// Never ends. Does nothing but wait while this replica does not lead.
    pub async fn run(self, leadership: Leadership) -> Infallible {
        let mut seen = leadership.subscribe();
        let mut settled = Duration::ZERO;
        loop {
            let writer = seen.borrow_and_update().clone();
            let lasts = tokio::select! {
                changed = seen.changed() => {
                    settled = Duration::ZERO;
                    changed.is_ok()
                }
                () = self.lead(writer.as_ref(), settled) => {
                    settled = SETTLE;
                    true
                }
            };
            self.teller.metrics.nothing_is_followed();
            if !lasts {
                return pending().await;
            }
        }
    }

    /// Ends when the targets have other names. Writes nothing before `settled`.
    async fn lead(&self, writer: Option<&Writer>, settled: Duration) {
        let Some(writer) = writer else { return pending().await };
        let policy = self.policy.load_full();
        let mut term = Term {
            writer,
            begun: Stopwatch::start(),
            budget: Budget::default(),
            contests: Contests::default(),
            policy: policy.hash().to_owned(),
            settled,
        };
        let mut items: Vec<Item> = Target::all(&policy.targets).into_iter().map(Item::new).collect();
        let (tell, mut news) = mpsc::channel(16);
        // Dropped with this future, and the watches with it.
        let mut watches = JoinSet::new();
        for (place, item) in items.iter().enumerate() {
            watches.spawn(follow(self.cluster.watch(item.reference.clone()), place, tell.clone()));
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some((place, news)) = news.recv() => {
                    let Some(item) = items.get_mut(place) else { continue };
                    if item.hears(news, &self.teller) {
                        self.look(&mut term, item).await;
                    }
                }
                _ = ticks.tick() => {
                    let current = self.policy.load_full();
                    if current.targets != policy.targets {
                        return;
                    }
                    let now = term.now();
                    let changed = current.hash() != term.policy;
                    if changed {
                        current.hash().clone_into(&mut term.policy);
                        term.settled = now + SETTLE;
                        term.contests = Contests::default();
                    }
                    for item in &mut items {
                        if changed || item.is_due(now) {
                            self.look(&mut term, item).await;
                        }
                    }
                }
            }
        }
    }

    /// Looks at one object, and writes until it is in order or has to wait.
    async fn look(&self, term: &mut Term<'_>, item: &mut Item) {
        let target = label(&item.reference);
        let (mut before, mut done, mut sent) = (None::<String>, None::<String>, Vec::new());
        for _ in 0..LOOKS {
            let Some(text) = item.text.clone() else {
                item.due = None;
                return self.teller.absent(&item.reference, &mut item.told);
            };
            let policy = self.policy.load_full();
            let mut plan = plan_apart(item, text, Arc::clone(&policy), term.contests.stopped(&target)).await;
            if let Some(before) = before.as_ref().filter(|before| **before != plan.version) {
                item.passed(before);
            }
            for want in plan.wanted.iter_mut().filter(|want| sent.contains(&want.path)) {
                UNDONE.clone_into(&mut want.by);
            }
            let now = term.now();
            let begun = term.contests.seen(&target, &plan.wanted, now);
            let count = term.contests.count(&target);
            self.teller.contested(&item.reference, &policy.owner.manager, count, &begun);
            if !begun.is_empty() {
                continue;
            }
            self.teller.seen(&item.reference, &mut item.told, &plan);
            item.due = due(&plan, now);
            let Some(step) = &plan.step else {
                item.backoff.succeeded();
                if let Some(done) = done.filter(|_| plan.state == State::InOrder) {
                    self.teller.repaired(&item.reference, &done);
                }
                return;
            };
            item.due = Some(now + TICK);
            if item.backoff.pauses(now) || now < term.settled || !term.budget.take(now) {
                return;
            }
            match self.write(term, item, step).await {
                Sent::Stored => {
                    if !plan.wanted.is_empty() || done.is_none() {
                        done = Some(plan.message);
                    }
                    sent.clone_from(&step.paths);
                }
                // What is in order after this, somebody else has put in order.
                Sent::Overtaken => {}
                Sent::Failed => return,
            }
            before = Some(plan.version);
        }
        if done.is_some() {
            self.teller.futile(&item.reference, &mut item.told);
        }
        item.backoff.failed(term.now(), None);
    }

    /// Sends one write.
    async fn write(&self, term: &mut Term<'_>, item: &mut Item, step: &Step) -> Sent {
        let Ok(patch) = RawValue::from_string(step.patch.clone()) else { return Sent::Failed };
        let how = Patch::Json { manager: STEWARD };
        faults::point("repair-planned");
        let stored = self.cluster.patch::<Box<RawValue>>(term.writer, &item.reference, how, &patch).await;
        let now = term.now();
        match stored {
            Ok(stored) => {
                faults::point(if step.first { "repair-stamped" } else { "repair-finished" });
                self.teller.wrote(&item.reference);
                term.contests.repaired(&label(&item.reference), &step.paths, now);
                item.text = Some(stored.get().into());
                Sent::Stored
            }
            // The term's end cuts this short anyway.
            Err(error) if error.is_not_leading() => Sent::Failed,
            Err(error) if error.is_conflict() || error.is_not_found() => {
                self.teller.conflict(&item.reference);
                match self.cluster.get::<Box<RawValue>>(&item.reference).await {
                    Ok(stored) => {
                        item.text = stored.map(|stored| stored.get().into());
                        Sent::Overtaken
                    }
                    Err(error) => self.pause(item, now, &error),
                }
            }
            Err(error) => self.pause(item, now, &error),
        }
    }

    fn pause(&self, item: &mut Item, now: Duration, error: &ApiError) -> Sent {
        self.teller.failed(&item.reference, &mut item.told, error);
        item.backoff.failed(now, error.retry_after());
        Sent::Failed
    }
}

/// Plans off this thread what is large.
async fn plan_apart(item: &Item, text: Arc<str>, policy: Arc<Policy>, stopped: Vec<String>) -> Plan {
    let (kind, namespace, name) = item.coordinates();
    let large = text.len() > LARGE;
    let work = move || {
        let target = Target { kind, namespace: &namespace, name: &name };
        let stops = |path: &str| stopped.iter().any(|stopped| stopped == path);
        plan(target, &text, &policy, &stops, clock::now())
    };
    if large {
        return spawn_blocking(work).await.unwrap_or_else(|_| Plan::odd("it could not be planned"));
    }
    work()
}

/// When to look again although nobody wrote; never where only a write or a new policy can change the answer.
fn due(plan: &Plan, now: Duration) -> Option<Duration> {
    match plan.state {
        State::Contested | State::Left(_) => Some(now + 10 * TICK),
        State::Repairing if plan.step.is_none() => Some(now + 10 * TICK),
        _ => None,
    }
}

/// Hands on how one object stands, for ever.
async fn follow(mut watching: Watching, place: usize, tell: mpsc::Sender<(usize, News)>) {
    loop {
        let news = match watching.next::<Box<RawValue>>().await {
            Ok(Some(stored)) => News::Stands(stored.get().into()),
            Ok(None) => News::Absent,
            Err(error) => News::Unseen(error),
        };
        if tell.send((place, news)).await.is_err() {
            return;
        }
    }
}
