//! Certificates that the program looks after by itself, and whether the API server reaches and trusts it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Subject {
    subject: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    step: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

/// None: one series, and only once there is something to say. A 0 of what is not looked after would be an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Alone {}

/// Trust as this replica sees it. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct TrustMetrics {
    success: Family<Subject, Gauge>,
    probed: Family<Alone, Gauge>,
    in_order: Family<Alone, Gauge>,
    authority_expiry: Family<Alone, Gauge>,
    /// 1 while somebody changes the caBundle back again and again.
    pub contested: Gauge,
    /// How often that began.
    pub contests: Counter,
    differences: Family<Part, Gauge>,
    steps: Family<Step, Counter>,
    failures: Family<Failure, Counter>,
}

impl TrustMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        registry.register(
            "probe_success",
            "1 when an API server called and trusted a replica with the last self-probe, by the Service's name \
             (webhook) or the canary's",
            m.success.clone(),
        );
        registry.register_with_unit(
            "probe_timestamp",
            "When the last self-probe came back",
            Unit::Seconds,
            m.probed.clone(),
        );
        registry.register(
            "trust_in_order",
            "1 while every entry of the webhook configuration trusts the authorities it has to",
            m.in_order.clone(),
        );
        registry.register_with_unit(
            "authority_expiry_timestamp",
            "When the authority in force expires",
            Unit::Seconds,
            m.authority_expiry.clone(),
        );
        registry.register(
            "trust_contested",
            "1 while somebody changes the caBundle back again and again, on the leader",
            m.contested.clone(),
        );
        registry.register("trust_contests", "Such fights begun", m.contests.clone());
        registry.register(
            "webhook_differences",
            "Entries of the webhook configuration that are not as rendered, by the part that differs",
            m.differences.clone(),
        );
        registry.register(
            "rotation_steps",
            "Writes of the Secret and of the caBundle (trust)",
            m.steps.clone(),
        );
        registry.register(
            "rotation_failures",
            "Writes and reads that failed, by step and reason",
            m.failures.clone(),
        );
        m
    }

    /// The last probe came back at this second, whatever it said.
    pub fn probed(&self, second: i64) {
        self.probed.get_or_create(&Alone {}).set(second);
    }

    /// Whether every entry of the webhook configuration trusts what it has to.
    pub fn in_order(&self, is: bool) {
        self.in_order.get_or_create(&Alone {}).set(i64::from(is));
    }

    /// The authority in force expires at this second.
    pub fn authority_expires(&self, second: i64) {
        self.authority_expiry.get_or_create(&Alone {}).set(second);
    }

    /// What the last self-probe found.
    pub fn probe(&self, subject: &'static str, success: bool) {
        self.success.get_or_create(&Subject { subject }).set(i64::from(success));
    }

    /// So many entries of the webhook configuration differ in this part from what was rendered.
    pub fn differs(&self, part: &'static str, entries: usize) {
        let entries = i64::try_from(entries).unwrap_or(i64::MAX);
        self.differences.get_or_create(&Part { part }).set(entries);
    }

    /// Counts a write.
    pub fn step(&self, step: &'static str) {
        self.steps.get_or_create(&Step { step }).inc();
    }

    /// Counts a request that failed.
    pub fn failed(&self, step: &'static str, reason: &'static str) {
        self.failures.get_or_create(&Failure { step, reason }).inc();
    }
}
