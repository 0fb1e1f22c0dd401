//! What the reconciler sees and does. Only the leader's numbers mean anything; a target is one of at most seven, named by
//! the policy.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    target: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    target: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Missed {
    target: String,
    writer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    target: String,
    outcome: &'static str,
}

/// Clones count together.
#[derive(Debug, Clone, Default)]
pub struct RepairMetrics {
    states: Family<Standing, Gauge>,
    missed: Family<Missed, Counter>,
    repairs: Family<Ended, Counter>,
    writes: Family<Of, Counter>,
    contested: Family<Of, Gauge>,
    contests: Family<Of, Counter>,
}

impl RepairMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        registry.register(
            "target_state",
            "1 for the state that the leader sees a target in",
            m.states.clone(),
        );
        registry.register(
            "missed_writes",
            "Stored objects that admission would have amended, by field manager",
            m.missed.clone(),
        );
        registry.register("repairs", "Repairs, by how they ended", m.repairs.clone());
        registry.register("repair_writes", "Writes of repairs that were stored", m.writes.clone());
        registry.register(
            "contested_paths",
            "Paths that are not repaired because somebody else changes them back",
            m.contested.clone(),
        );
        registry.register("contests", "How often a path became contested", m.contests.clone());
        m
    }

    /// A target is in this state, and no other.
    pub fn stands(&self, target: &str, before: Option<&'static str>, state: &'static str) {
        if let Some(before) = before {
            self.states.remove(&Standing { target: target.to_owned(), state: before });
        }
        self.states.get_or_create(&Standing { target: target.to_owned(), state }).set(1);
    }

    /// This replica follows no target any more.
    pub fn nothing_is_followed(&self) {
        self.states.clear();
        self.contested.clear();
    }

    /// Admission missed a write of `writer`, one of a fixed list of words.
    pub fn missed(&self, target: &str, writer: &'static str) {
        self.missed.get_or_create(&Missed { target: target.to_owned(), writer }).inc();
    }

    /// A repair ended: `done`, `conflict` or `failed`.
    pub fn ended(&self, target: &str, outcome: &'static str) {
        self.repairs.get_or_create(&Ended { target: target.to_owned(), outcome }).inc();
    }

    /// One write was stored.
    pub fn wrote(&self, target: &str) {
        self.writes.get_or_create(&Of { target: target.to_owned() }).inc();
    }

    /// So many paths of a target are contested now.
    pub fn contested(&self, target: &str, paths: usize) {
        let paths = i64::try_from(paths).unwrap_or(i64::MAX);
        self.contested.get_or_create(&Of { target: target.to_owned() }).set(paths);
    }

    /// Another path became contested.
    pub fn contest(&self, target: &str) {
        self.contests.get_or_create(&Of { target: target.to_owned() }).inc();
    }
}
