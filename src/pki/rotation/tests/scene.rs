//! A replica alone with a Secret and a configuration, both of them values, and a clock that is moved by hand.

use jiff::ToSpan as _;

use super::super::carry_out::apply;
use super::super::*;
use super::LIVES;
use crate::pki::coverage::Version;
use crate::pki::keeping::Texts;
use crate::pki::{Name, Replica};

pub(super) struct Scene {
    pub(super) texts: Texts,
    pub(super) replica: Replica,
    pub(super) now: Timestamp,
    pub(super) at: Duration,
    pub(super) generation: i64,
    pub(super) entries: Vec<Bundle>,
}

pub(super) fn names() -> Vec<Name> {
    vec!["a.b.svc".parse().unwrap(), "a-canary.b.svc".parse().unwrap()]
}

impl Scene {
    /// Nothing is there but the entries.
    pub(super) fn new() -> Self {
        let mut scene = Self {
            texts: Texts::new(),
            replica: Replica::new(LIVES, None),
            now: "2026-11-23T12:00:00Z".parse().unwrap(),
            at: Duration::ZERO,
            generation: 1,
            entries: vec![Bundle::default(); 2],
        };
        scene.see();
        scene
    }

    /// Bootstrapped and quiet.
    pub(super) fn settled() -> Self {
        let mut scene = Self::new();
        scene.work(Canary::Silent);
        scene.pass(5);
        assert_eq!(scene.work(Canary::Silent), ["promote"]);
        assert!(scene.work(Canary::Silent).is_empty());
        scene
    }

    pub(super) fn see(&mut self) {
        let version = Version { uid: "1".into(), generation: self.generation };
        self.replica.see_configuration(self.at, Some(&version), self.entries.clone());
        self.replica.see_secret(std::sync::Arc::new(Keeping::read(&self.texts, &names())));
        self.replica.settle(self.at, self.now);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.at += Duration::from_secs(seconds);
        self.now = self.now.checked_add(i64::try_from(seconds).unwrap().seconds()).unwrap();
        self.see();
    }

    pub(super) fn plan(&self, canary: Canary) -> Plan {
        self.replica.plan(self.now, self.now, self.at, canary)
    }

    /// Does what is planned until there is nothing to do, and says what that was.
    pub(super) fn work(&mut self, canary: Canary) -> Vec<&'static str> {
        let mut done = Vec::new();
        for _ in 0..10 {
            let plan = self.plan(canary);
            if let Some(bundle) = plan.trust {
                self.entries = vec![bundle; 2];
                self.generation += 1;
                done.push("trust");
            } else if let Some(step) = plan.secret {
                let changes = self.replica.carry_out(&step, self.now, self.now, &names()).unwrap();
                self.texts = apply(&self.texts, &changes);
                done.push(step.name());
            } else {
                return done;
            }
            self.see();
        }
        panic!("no end of {done:?}");
    }

    pub(super) fn trusted(&self) -> Canary {
        let next = self.replica.keeping().next_leaf.as_ref().unwrap();
        Canary::Trusted(next.certificate.fingerprint(), Duration::ZERO)
    }
}
