//! What one replica knows of the cluster's certificates, and what it serves.
//!
//! Every replica sees the Secret and the webhook configuration, and decides by itself what to serve ([`Replica::settle`]):
//! it takes nothing half, and no leaf that it has not seen the bundle cover for long enough, whoever wrote it into the
//! Secret. What it has seen whole it remembers, and as the leader it writes that again when the Secret is lost.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::Error;

use super::coverage::Version;
use super::keeping::Leaf;
use super::rotation::carry_out::Materials;
use super::rotation::{self, Canary, Changes, Lifetimes, Plan, Seen, Step};
use super::{Bundle, Coverage, Keeping, Name};

/// What one replica knows and serves.
#[derive(Debug, Clone)]
pub struct Replica {
    lives: Lifetimes,
    /// The Secret as seen last; empty when there is none.
    keeping: Arc<Keeping>,
    /// The last one with a whole leaf.
    memory: Option<Arc<Keeping>>,
    entries: Vec<Bundle>,
    coverage: Coverage,
    served: Option<Leaf>,
}

impl Replica {
    /// Knows nothing yet, but for the copy of the Secret that is mounted, if there is one.
    pub fn new(lives: Lifetimes, mounted: Option<Keeping>) -> Self {
        let memory = mounted.filter(|mounted| mounted.leaf.is_some()).map(Arc::new);
        let served = memory.as_ref().and_then(|memory| memory.leaf.clone());
        Self {
            lives,
            keeping: Arc::default(),
            memory,
            entries: Vec::new(),
            coverage: Coverage::default(),
            served,
        }
    }

    /// Takes note of the Secret.
    pub fn see_secret(&mut self, keeping: Arc<Keeping>) {
        if keeping.leaf.is_some() {
            self.memory = Some(Arc::clone(&keeping));
        }
        self.keeping = keeping;
    }

    /// Takes note of the webhook configuration at the moment `at`.
    pub fn see_configuration(&mut self, at: Duration, version: Option<&Version>, entries: Vec<Bundle>) {
        self.coverage.see(at, version, &entries);
        self.entries = entries;
    }

    /// Decides what to serve from now on; true when that is another leaf than before.
    pub fn settle(&mut self, at: Duration, now: Timestamp) -> bool {
        let Some(offered) = &self.keeping.leaf else { return false };
        let print = offered.certificate.fingerprint();
        if self.served.as_ref().is_some_and(|served| served.certificate.fingerprint() == print) {
            return false;
        }
        let covered = self.coverage.of(at, &offered.signer);
        if !rotation::may_serve(&self.lives, self.served.as_ref(), offered, covered, now) {
            return false;
        }
        self.served = Some(offered.clone());
        true
    }

    /// True while the Secret's leaf waits for its authority to be trusted long enough.
    pub fn holds_back(&self) -> bool {
        match (&self.keeping.leaf, &self.served) {
            (Some(offered), Some(served)) => {
                offered.certificate.fingerprint() != served.certificate.fingerprint()
            }
            _ => false,
        }
    }

    /// What is served for every name but the canary's.
    pub fn served(&self) -> Option<&Leaf> {
        self.served.as_ref()
    }

    /// What is served for the canary's name instead, once every API server can have been told to trust it: before, each
    /// question would be counted as one that went unanswered.
    pub fn coming(&self, at: Duration) -> Option<&Leaf> {
        let told = |leaf: &&Leaf| {
            let covered = self.coverage.of(at, &leaf.signer);
            covered.is_some_and(|covered| covered >= rotation::FIRST.min(self.lives.settle))
        };
        self.keeping.next_leaf.as_ref().filter(told)
    }

    /// The Secret as seen last.
    pub fn keeping(&self) -> &Keeping {
        &self.keeping
    }

    /// The last Secret with a whole leaf.
    pub fn memory(&self) -> Option<&Keeping> {
        self.memory.as_deref()
    }

    /// What each entry of ours holds.
    pub fn entries(&self) -> &[Bundle] {
        &self.entries
    }

    /// What a step of its plan writes into the Secret.
    pub fn carry_out(
        &self,
        step: &Step,
        now: Timestamp,
        own: Timestamp,
        names: &[Name],
    ) -> Result<Changes, Error> {
        let (lives, memory, entries) = (&self.lives, self.memory(), self.entries());
        rotation::carry_out(step, &self.keeping, &Materials { lives, memory, entries, names, now, own })
    }

    /// What the leader has to do next; `now` is the API server's time, `own` ours.
    pub fn plan(&self, now: Timestamp, own: Timestamp, at: Duration, canary: Canary) -> Plan {
        let seen = Seen {
            now,
            own,
            at,
            entries: &self.entries,
            young: self.coverage.is_young(),
            coverage: &self.coverage,
            canary,
            memory: self.memory(),
            served: self.served(),
        };
        rotation::plan(&self.lives, &self.keeping, &seen)
    }
}
