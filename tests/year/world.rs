//! A cluster as certificates see it: one Secret, one webhook configuration that each API server learns of a little later,
//! and replicas that read and write both, step by step, interleaved.
//!
//! No API server is played by itself. Any of them may have any version of the configuration that was in force within the
//! last settling time, so a leaf that is served has to be covered by all of these.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cni_steward::pki::coverage::Version;
use cni_steward::pki::keeping::Texts;
use cni_steward::pki::rotation::carry_out::apply;
use cni_steward::pki::rotation::{Canary, Lifetimes, Plan};
use cni_steward::pki::{Bundle, Certificate, Fingerprint, Keeping, Name, Replica};
use jiff::{SignedDuration, Timestamp};

use crate::random::Random;

pub const SECOND: u64 = 1000;
pub const DAY: u64 = 86_400 * SECOND;
/// 1 January 2027, Unix time in milliseconds.
const START: i64 = 1_798_761_600_000;
const YEAR: u64 = 365 * DAY;
/// At the end nothing goes wrong any more, so that all can heal.
const QUIET: u64 = 40 * DAY;
/// How far honest clocks differ, either way.
const SKEW: u64 = 600 * SECOND;

pub const LIVES: Lifetimes = Lifetimes {
    authority: SignedDuration::from_hours(24 * 200),
    leaf: SignedDuration::from_hours(24 * 40),
    settle: Duration::from_mins(2),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Deaths, pauses, hand-overs and partitions.
    Gentle,
    /// And everything that people, tools and clocks can do.
    Rough,
}

/// The webhook configuration from one moment on.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub at: u64,
    pub uid: u64,
    pub generation: i64,
    /// Empty while it is deleted.
    pub entries: Vec<Bundle>,
    /// What all entries trust.
    trusted: BTreeSet<Fingerprint>,
    /// Somebody else wrote it, or took it away: what it says is not our doing.
    pub theirs: bool,
    /// Leaves that were served as it was written, and that no copy told of: see [`World::trust`].
    unknowable: BTreeSet<Fingerprint>,
}

impl Configuration {
    fn new(at: u64, uid: u64, generation: i64, entries: Vec<Bundle>, theirs: bool) -> Self {
        let in_all = |one: &Fingerprint| entries.iter().all(|entry| entry.holds(*one));
        let trusted = entries.iter().flat_map(Bundle::fingerprints).filter(in_all).collect();
        Self { at, uid, generation, entries, trusted, theirs, unknowable: BTreeSet::new() }
    }

    fn covers(&self, authority: Fingerprint) -> bool {
        self.entries.is_empty() || self.trusted.contains(&authority)
    }
}

#[derive(Debug, Clone)]
pub struct Secret {
    pub version: u64,
    pub texts: Texts,
    pub keeping: Arc<Keeping>,
}

#[derive(Debug, Clone)]
enum Phase {
    Read,
    ReadSecret { configuration: usize },
    Trust { plan: Box<Plan>, configuration: usize, secret: Option<u64> },
    Write { plan: Box<Plan>, secret: Option<u64> },
}

#[derive(Debug)]
pub struct Node {
    replica: Option<Replica>,
    born: u64,
    pub due: u64,
    phase: Phase,
    pub leads: bool,
    /// Cannot reach the API server before.
    pub alone_until: u64,
    /// Milliseconds that its clock is ahead.
    pub clock: i64,
    pub clock_jumps_until: u64,
    /// Milliseconds that the clock of the API server it asked last is ahead.
    server: i64,
    mounted: Option<Arc<Keeping>>,
    serves: Option<(Fingerprint, Fingerprint)>,
    /// How often in a row it found nothing to do but wait.
    waits: u64,
    /// A write was refused.
    rests: bool,
}

impl Node {
    fn rest(&mut self) {
        self.rests = true;
    }
}

pub struct World {
    pub seed: u64,
    pub kind: Kind,
    pub random: Random,
    pub now: u64,
    pub names: Vec<Name>,
    pub configurations: Vec<Configuration>,
    pub secret: Option<Secret>,
    pub versions: u64,
    pub nodes: Vec<Node>,
    pub canary_breaks_until: u64,
    pub trust_forbidden_until: u64,
    pub secret_forbidden_until: u64,
    pub bad_server_until: u64,
    pub faults: u64,
    /// Backups of the Secret.
    pub history: Vec<Texts>,
    writes: u64,
    events: u64,
    log: VecDeque<String>,
}

impl World {
    pub fn new(seed: u64, kind: Kind) -> Self {
        let mut random = Random::new(seed);
        let names = ["cni-steward.kube-system.svc", "cni-steward-canary.kube-system.svc"];
        let nodes = (0..random.between(2, 4))
            .map(|index| Node {
                replica: Some(Replica::new(LIVES, None)),
                born: 0,
                due: random.below(SECOND),
                phase: Phase::Read,
                leads: index == 0,
                alone_until: 0,
                clock: random.between(0, 2 * SKEW).cast_signed() - SKEW.cast_signed(),
                clock_jumps_until: 0,
                server: 0,
                mounted: None,
                serves: None,
                waits: 0,
                rests: false,
            })
            .collect();
        let entries = vec![Bundle::default(); 4];
        let configuration = Configuration::new(0, 0, 1, entries, true);
        Self {
            seed,
            kind,
            random,
            now: 0,
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
            configurations: vec![configuration],
            secret: None,
            versions: 0,
            nodes,
            canary_breaks_until: 0,
            trust_forbidden_until: 0,
            secret_forbidden_until: 0,
            bad_server_until: 0,
            faults: 0,
            history: Vec::new(),
            writes: 0,
            events: 0,
            log: VecDeque::new(),
        }
    }

    /// One year; an error says what went wrong, when, and what came before.
    pub fn live(mut self) -> Result<(), String> {
        let mut fault = self.random.below(3 * DAY);
        while self.now < YEAR {
            let next = (0..self.nodes.len()).min_by_key(|&index| self.nodes[index].due).unwrap();
            if fault < self.nodes[next].due && fault < YEAR - QUIET {
                self.now = self.now.max(fault);
                self.fault();
                fault = self.now
                    + match self.random.below(3) {
                        0 => self.random.between(1, 200 * SECOND),
                        1 => self.random.between(1, DAY),
                        _ => self.random.between(1, 25 * DAY),
                    };
            } else {
                self.now = self.now.max(self.nodes[next].due);
                self.act(next);
            }
            // More than any year needs: nobody may write or ask again and again.
            self.events += 1;
            if self.events > 100_000 {
                return Err(self.report("too much is being done"));
            }
            self.check().map_err(|error| self.report(&error))?;
        }
        self.healed().map_err(|error| self.report(&error))
    }

    pub fn note(&mut self, what: &str) {
        self.log.push_back(format!("{} {what}", self.time(0)));
        if self.log.len() > 40 {
            self.log.pop_front();
        }
    }

    fn report(&self, error: &str) -> String {
        let log: Vec<_> = self.log.iter().map(String::as_str).collect();
        format!(
            "CNI_STEWARD_YEAR={} ({:?}), at {}: {error}\n{}",
            self.seed,
            self.kind,
            self.time(0),
            log.join("\n")
        )
    }

    /// The true time, or what a clock shows that is ahead.
    pub fn time(&self, ahead: i64) -> Timestamp {
        Timestamp::from_millisecond(START + self.now.cast_signed() + ahead).unwrap()
    }

    pub fn configuration(&self) -> &Configuration {
        self.configurations.last().unwrap()
    }

    /// What some API server may have now.
    fn visible(&self) -> impl Iterator<Item = &Configuration> {
        let settle = LIVES.settle.as_secs() * SECOND;
        let end = self.configurations.len();
        let stale = self.configurations.iter().rposition(|one| one.at + settle <= self.now).unwrap_or(0);
        self.configurations[stale..end].iter()
    }

    pub fn configure(&mut self, entries: Vec<Bundle>, theirs: bool) {
        let before = self.configuration();
        let (uid, generation) =
            if before.entries.is_empty() { (before.uid + 1, 1) } else { (before.uid, before.generation + 1) };
        self.configurations.push(Configuration::new(self.now, uid, generation, entries, theirs));
        self.wake();
    }

    pub fn store(&mut self, texts: Option<Texts>) {
        self.versions += 1;
        let version = self.versions;
        self.history.extend(texts.clone().filter(|_| self.random.once_in(4)));
        self.secret = texts.map(|texts| {
            let keeping = Arc::new(Keeping::read(&texts, &self.names));
            Secret { version, texts, keeping }
        });
        self.wake();
    }

    /// The watches tell.
    fn wake(&mut self) {
        for node in &mut self.nodes {
            if node.replica.is_some() && matches!(node.phase, Phase::Read) && node.alone_until <= self.now {
                node.due = node.due.min(self.now + self.random.between(20, 900));
            }
        }
    }

    /// The process dies; it comes back with what is mounted.
    pub fn kill(&mut self, index: usize) {
        self.note(&format!("replica {index} dies"));
        let back = self.now + self.random.between(SECOND, 120 * SECOND);
        let node = &mut self.nodes[index];
        node.replica = None;
        node.serves = None;
        node.phase = Phase::Read;
        node.due = back;
    }

    fn act(&mut self, index: usize) {
        let now = self.now;
        if self.nodes[index].clock_jumps_until <= now {
            self.nodes[index].clock %= SKEW.cast_signed();
        }
        if self.nodes[index].replica.is_none() {
            let mounted = self.nodes[index].mounted.as_deref().cloned();
            let node = &mut self.nodes[index];
            node.replica = Some(Replica::new(LIVES, mounted));
            node.born = now;
            self.serve(index);
        }
        if self.nodes[index].alone_until > now {
            self.nodes[index].phase = Phase::Read;
            self.nodes[index].due = now + 30 * SECOND + (self.nodes[index].alone_until - now) / 2;
            self.serve(index);
            return;
        }
        if self.random.once_in(200) && now < YEAR - QUIET {
            return self.kill(index);
        }
        // A process may be paused at any point, for long.
        let pause = match self.random.below(200) {
            0 if now < YEAR - QUIET => self.random.between(SECOND, 3600 * SECOND),
            _ => self.random.between(1, 300),
        };
        let phase = std::mem::replace(&mut self.nodes[index].phase, Phase::Read);
        self.nodes[index].due = now + pause;
        self.nodes[index].phase = match phase {
            Phase::Read => self.read(index),
            Phase::ReadSecret { configuration } => return self.read_secret(index, configuration),
            Phase::Trust { plan, configuration, secret } => {
                self.trust(index, &plan, configuration);
                Phase::Write { plan, secret }
            }
            Phase::Write { plan, secret } => {
                self.write(index, &plan, secret);
                let rest = std::mem::take(&mut self.nodes[index].rests);
                let pause = if rest { 7200 * SECOND } else { 2 * SECOND };
                self.nodes[index].due = now + self.random.between(pause / 20, pause);
                Phase::Read
            }
        };
    }

    fn read(&mut self, index: usize) -> Phase {
        let configuration = self.configuration();
        let version = Version { uid: configuration.uid.to_string(), generation: configuration.generation };
        let version = (!configuration.entries.is_empty()).then_some(version);
        let (at, entries) = (self.at(index), configuration.entries.clone());
        let replica = self.nodes[index].replica.as_mut().unwrap();
        replica.see_configuration(at, version.as_ref(), entries);
        Phase::ReadSecret { configuration: self.configurations.len() - 1 }
    }

    fn at(&self, index: usize) -> Duration {
        Duration::from_millis(self.now - self.nodes[index].born)
    }

    fn read_secret(&mut self, index: usize, configuration: usize) {
        let keeping = self.secret.as_ref().map_or_else(Arc::default, |secret| Arc::clone(&secret.keeping));
        if keeping.leaf.is_some() && self.random.once_in(2) {
            self.nodes[index].mounted = Some(Arc::clone(&keeping));
        }
        let node = &mut self.nodes[index];
        node.replica.as_mut().unwrap().see_secret(keeping);
        self.serve(index);
        let server = self.random.between(0, 2 * SKEW).cast_signed() - SKEW.cast_signed();
        let bad = self.bad_server_until > self.now && self.random.once_in(2);
        let server = if bad { 400 * DAY.cast_signed() } else { server };
        self.nodes[index].server = server;
        let canary = self.canary(index, server);
        let (api, own, at) = (self.time(server), self.time(self.nodes[index].clock), self.at(index));
        let node = &self.nodes[index];
        let replica = node.replica.as_ref().unwrap();
        let plan = replica.plan(api, own, at, canary);
        let busy = plan.waiting.is_some() || replica.holds_back();
        if node.leads && (plan.trust.is_some() || plan.secret.is_some()) {
            let (plan, secret) = (Box::new(plan), self.secret.as_ref().map(|secret| secret.version));
            self.nodes[index].phase = Phase::Trust { plan, configuration, secret };
            return;
        }
        self.nodes[index].waits = if busy { self.nodes[index].waits + 1 } else { 0 };
        // A program would ask every few seconds all the time; after a hundred it learns nothing new.
        let pause = match self.nodes[index].waits {
            1..100 => (5 * SECOND, 15 * SECOND),
            _ => (DAY / 4, DAY),
        };
        self.nodes[index].due = self.now + self.random.between(pause.0, pause.1);
    }

    fn serve(&mut self, index: usize) {
        let (at, own) = (self.at(index), self.time(self.nodes[index].clock));
        let node = &mut self.nodes[index];
        let replica = node.replica.as_mut().unwrap();
        replica.settle(at, own);
        let serves = replica.served().map(|leaf| (leaf.certificate.fingerprint(), leaf.signer.fingerprint()));
        if serves != node.serves {
            node.serves = serves;
            self.note(&format!("replica {index} serves {serves:?}"));
        }
    }

    /// One dry-run through one API server, whichever it is, to one replica, whichever it is.
    fn canary(&mut self, index: usize, server: i64) -> Canary {
        let leads = self.nodes[index].leads;
        if !leads || self.canary_breaks_until > self.now || self.secret.is_none() {
            return Canary::Silent;
        }
        let seen = self.random.below(self.visible().count() as u64);
        let answers: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|node| {
                let (replica, at) = (node.replica.as_ref()?, Duration::from_millis(self.now - node.born));
                let leaf = replica.coming(at).or(replica.served())?;
                Some((leaf.certificate.clone(), leaf.signer.fingerprint()))
            })
            .collect();
        if answers.is_empty() {
            return Canary::Silent;
        }
        let (leaf, signer) = self.random.pick(&answers);
        let configuration = self.visible().nth(usize::try_from(seen).unwrap()).unwrap();
        let now = self.time(server);
        let in_time = leaf.not_before <= now && now < leaf.not_after;
        if in_time && !configuration.entries.is_empty() && configuration.covers(*signer) {
            Canary::Trusted(leaf.fingerprint(), Duration::ZERO)
        } else {
            Canary::Silent
        }
    }

    fn trust(&mut self, index: usize, plan: &Plan, read: usize) {
        let Some(bundle) = &plan.trust else { return };
        if self.trust_forbidden_until > self.now {
            return self.nodes[index].rest();
        }
        if read != self.configurations.len() - 1 {
            return;
        }
        let entries = vec![bundle.clone(); self.configuration().entries.len()];
        self.note(&format!("replica {index} tells to trust {:?}", bundle.fingerprints().collect::<Vec<_>>()));
        self.writes += 1;
        let unknowable = self.unknowable(index);
        self.configure(entries, false);
        self.configurations.last_mut().unwrap().unknowable = unknowable;
    }

    /// The leaves that are served now, or mounted to be served after a start without an API server, under an authority of which neither
    /// the bundles nor the Secret tell any more, nor the writer itself. When people set both copies back while a replica or its kubelet
    /// is cut off, no program can know what that one still has.
    fn unknowable(&self, writer: usize) -> BTreeSet<Fingerprint> {
        let replica = self.nodes[writer].replica.as_ref().unwrap();
        let secret = self.secret.iter().flat_map(|secret| secret.keeping.authorities());
        let own = replica.served().map(|leaf| &leaf.signer).into_iter();
        let own = own.chain(replica.memory().into_iter().flat_map(Keeping::authorities));
        let mut known: BTreeSet<_> = secret.chain(own).map(Certificate::fingerprint).collect();
        known.extend(self.configuration().entries.iter().flat_map(Bundle::fingerprints));
        let mounted = self.nodes.iter().filter_map(|node| node.mounted.as_ref()?.leaf.as_ref());
        let mounted = mounted.map(|leaf| (leaf.certificate.fingerprint(), leaf.signer.fingerprint()));
        let served = self.nodes.iter().filter_map(|node| node.serves).chain(mounted);
        served.filter(|(_, signer)| !known.contains(signer)).map(|(leaf, _)| leaf).collect()
    }

    fn write(&mut self, index: usize, plan: &Plan, read: Option<u64>) {
        let Some(step) = &plan.secret else { return };
        let stored = self.secret.as_ref().map(|secret| secret.version);
        if self.secret_forbidden_until > self.now {
            return self.nodes[index].rest();
        }
        if read != stored {
            return;
        }
        let replica = self.nodes[index].replica.as_ref().unwrap();
        let (server, own) = (self.time(self.nodes[index].server), self.time(self.nodes[index].clock));
        let changes = replica.carry_out(step, server, own, &self.names).unwrap();
        let empty = Texts::new();
        let texts = apply(self.secret.as_ref().map_or(&empty, |secret| &secret.texts), &changes);
        self.note(&format!("replica {index} writes {step:?}"));
        self.writes += 1;
        self.store(Some(texts));
    }

    /// Whatever an API server may have, it does not lack an authority of a leaf that is served, by our doing.
    fn check(&self) -> Result<(), String> {
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(leaf) = node.replica.as_ref().and_then(Replica::served) else { continue };
            let (print, signer) = node.serves.unwrap();
            let early = leaf.certificate.not_after <= self.time(0);
            if early && self.kind == Kind::Rough {
                continue;
            }
            let in_time = leaf.certificate.not_before <= self.time(-(SKEW.cast_signed()))
                && self.time(SKEW.cast_signed()) < leaf.certificate.not_after;
            if self.kind == Kind::Gentle && !in_time {
                return Err(format!("replica {index} serves a leaf that is not valid now"));
            }
            for seen in self.visible() {
                if !seen.covers(signer) && !seen.theirs && !seen.unknowable.contains(&print) {
                    return Err(format!(
                        "replica {index} serves a leaf of {signer}, an API server may trust only {:?}",
                        seen.trusted
                    ));
                }
            }
        }
        Ok(())
    }

    /// After a quiet time all is as it should be, and was had with few writes.
    fn healed(&self) -> Result<(), String> {
        let secret = self.secret.as_ref().ok_or("there is no Secret")?;
        let leaf = secret.keeping.leaf.as_ref().ok_or("the Secret has no leaf")?;
        if !secret.keeping.flaws.is_empty() {
            return Err(format!("the Secret has flaws: {:?}", secret.keeping.flaws));
        }
        if leaf.certificate.not_after <= self.time(DAY.cast_signed()) {
            return Err("the leaf is about to expire".into());
        }
        let print = leaf.certificate.fingerprint();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.serves.map(|(leaf, _)| leaf) != Some(print) {
                return Err(format!("replica {index} serves {:?}, the Secret has {print}", node.serves));
            }
        }
        if !self.configuration().covers(leaf.signer.fingerprint()) {
            return Err("the bundle does not cover the leaf".into());
        }
        let allowed = 60 + 20 * self.faults;
        if self.writes > allowed {
            return Err(format!("{} writes, expected at most {allowed}", self.writes));
        }
        Ok(())
    }
}
