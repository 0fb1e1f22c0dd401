//! Who leads, and how the lease does.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    reason: &'static str,
}

/// The lease as this replica sees it. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct LeaseMetrics {
    /// 1 while this replica leads.
    pub leading: Gauge,
    /// Terms of this replica.
    pub terms: Counter,
    /// When the lease was last seen in order (held by whomever, and renewed), by the wall clock.
    pub seen: Gauge,
    failures: Family<Failure, Counter>,
}

impl LeaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        registry.register("leading", "1 while this replica holds the lease", m.leading.clone());
        registry.register("lease_terms", "How often this replica took the lease", m.terms.clone());
        registry.register_with_unit(
            "lease_seen_timestamp",
            "When somebody was last seen to hold the lease, 0 if never",
            Unit::Seconds,
            m.seen.clone(),
        );
        registry.register(
            "lease_failures",
            "Requests about the lease that failed, by reason",
            m.failures.clone(),
        );
        m
    }

    /// Counts a request that failed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Failure { reason }).inc();
    }
}
