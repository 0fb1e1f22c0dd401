//! Metrics by Prometheus convention under `cni_steward_`. Label values come from fixed lists only, so that no request
//! can grow them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::events::EventMetrics;
use self::labels::{Cause, Code, Decision, Door, Effective, Reload, Subject};
use self::lease::LeaseMetrics;
use self::loops::LoopMetrics;
use self::repairs::RepairMetrics;
use self::trust::TrustMetrics;
use super::standing::{InForce, Part, Standing};
use crate::admission::Record;
use crate::server::tls;

pub mod events;
mod labels;
pub mod lease;
pub mod loops;
pub mod repairs;
pub mod trust;

/// What `/metrics` answers with: `OpenMetrics`, which ends in `# EOF`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; a review of a small object takes 20 µs, one of 6 MiB some 10 ms.
const BUCKETS: [f64; 11] = [10e-6, 20e-6, 40e-6, 80e-6, 160e-6, 320e-6, 640e-6, 2.5e-3, 10e-3, 100e-3, 1.0];

/// Every metric of the program, handed to those who count.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Decision, Counter>,
    duration: Histogram,
    /// Reviews being read or decided now.
    pub in_flight: Gauge,
    /// Bytes of review bodies and large answers in memory now.
    pub bodies: Gauge,
    /// Bytes of review bodies.
    pub request_bytes: Counter,
    /// Bytes of answers.
    pub response_bytes: Counter,
    handshake_failures: Family<Cause, Counter>,
    refusals: Family<Code, Counter>,
    connections: Family<Door, Gauge>,
    spared: Counter,
    /// Reviews lost to a panic.
    pub panics: Counter,
    certificate_expiry: Gauge,
    policy: Family<Effective, Gauge>,
    reloads: Family<Reload, Counter>,
    reload_successful: Family<Subject, Gauge>,
    /// What this replica decides and serves with.
    pub standing: Arc<Standing>,
    /// The lease.
    pub lease: LeaseMetrics,
    /// Kubernetes Events.
    pub events: EventMetrics,
    /// What the reconciler sees and does.
    pub repairs: RepairMetrics,
    /// What runs beside the reviews.
    pub loops: LoopMetrics,
    /// Certificates that we look after.
    pub trust: TrustMetrics,
}

impl Metrics {
    /// Registers everything; `log_lines_dropped` is the log sink's own counter.
    pub fn new(policy_hash: &str, policy_mode: &'static str, log_lines_dropped: Counter) -> Self {
        let mut registry = Registry::with_prefix("cni_steward");
        let metrics = Self {
            reviews: Family::default(),
            duration: Histogram::new(BUCKETS),
            in_flight: Gauge::default(),
            bodies: Gauge::default(),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
            handshake_failures: Family::default(),
            refusals: Family::default(),
            connections: Family::default(),
            spared: Counter::default(),
            panics: Counter::default(),
            certificate_expiry: Gauge::default(),
            policy: Family::default(),
            reloads: Family::default(),
            reload_successful: Family::default(),
            standing: Arc::new(Standing::new(policy_hash, policy_mode)),
            lease: LeaseMetrics::register(&mut registry),
            events: EventMetrics::register(&mut registry),
            repairs: RepairMetrics::register(&mut registry),
            loops: LoopMetrics::register(&mut registry),
            trust: TrustMetrics::register(&mut registry),
            registry: Registry::default(),
        };
        let m = &metrics;
        registry.register("reviews", "Reviews answered", m.reviews.clone());
        registry.register_with_unit(
            "review_duration",
            "Time to decide a review, from its last byte read to its answer ready",
            Unit::Seconds,
            m.duration.clone(),
        );
        registry.register("reviews_in_flight", "Reviews being read or decided", m.in_flight.clone());
        registry.register_with_unit(
            "reviews_in_flight",
            "Memory of review bodies and large answers",
            Unit::Bytes,
            m.bodies.clone(),
        );
        registry.register_with_unit("request", "Size of review bodies", Unit::Bytes, m.request_bytes.clone());
        registry.register_with_unit("response", "Size of answers", Unit::Bytes, m.response_bytes.clone());
        registry.register(
            "tls_handshake_failures",
            "Connections lost before a request could be read",
            m.handshake_failures.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests that are no review: wrong path, type, size, or too many",
            m.refusals.clone(),
        );
        registry.register("connections", "Open connections", m.connections.clone());
        registry.register(
            "connections_closed_for_room",
            "Connections closed because another wanted in and there was no room",
            m.spared.clone(),
        );
        registry.register("panics", "Reviews lost to a panic", m.panics.clone());
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the served certificate expires",
            Unit::Seconds,
            m.certificate_expiry.clone(),
        );
        registry.register("log_lines_dropped", "Log lines lost because nobody read them", log_lines_dropped);
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("policy_info", "The policy in force", m.policy.clone());
        registry.register(
            "reloads",
            "Files read anew because they had changed or could not be taken before",
            m.reloads.clone(),
        );
        registry.register(
            "reload_successful",
            "1 while the newest file is in force, 0 while an earlier one is",
            m.reload_successful.clone(),
        );
        m.policy.get_or_create(&Effective { hash: policy_hash.to_owned(), mode: policy_mode }).set(1);
        for part in Part::ALL {
            m.reload_successful.get_or_create(&Subject { part: part.name() }).set(1);
            for outcome in ["taken", "refused"] {
                drop(m.reloads.get_or_create(&Reload { part: part.name(), outcome }));
            }
        }
        Self { registry, ..metrics }
    }

    /// Counts one answered review.
    pub fn review(&self, record: &Record<'_>, took: Duration) {
        let decision = Decision {
            operation: known_operation(record.operation),
            resource: record.resource,
            verdict: record.verdict,
            reason: record.reason,
        };
        self.reviews.get_or_create(&decision).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts a connection that ended before its first request.
    pub fn handshake_failed(&self, cause: &'static str) {
        self.handshake_failures.get_or_create(&Cause { cause }).inc();
    }

    /// How many connections ended because the other side did not trust us.
    pub fn untrusted(&self) -> u64 {
        self.handshake_failures.get_or_create(&Cause { cause: tls::NOT_TRUSTED }).get()
    }

    /// Counts a request that was turned away.
    pub fn refused(&self, code: u16) {
        self.refusals.get_or_create(&Code { code }).inc();
    }

    /// From now on this policy decides.
    pub fn decide_by(&self, hash: &str, mode: &'static str) {
        self.policy.clear();
        self.policy.get_or_create(&Effective { hash: hash.to_owned(), mode }).set(1);
        self.standing.decide_by(InForce { hash: hash.to_owned(), mode });
    }

    /// The certificate that is served expires then.
    pub fn serve_until(&self, expires: Timestamp) {
        self.certificate_expiry.set(expires.as_second());
        self.standing.serve_until(expires);
    }

    /// A changed file was read and taken.
    pub fn taken(&self, part: Part) {
        self.reloads.get_or_create(&Reload { part: part.name(), outcome: "taken" }).inc();
    }

    /// A file was read and refused; what was in force before still is.
    pub fn refused_file(&self, part: Part) {
        self.reloads.get_or_create(&Reload { part: part.name(), outcome: "refused" }).inc();
        self.set_in_order(part, false);
    }

    /// Whether the newest file of a part is in force.
    pub fn set_in_order(&self, part: Part, in_order: bool) {
        self.reload_successful.get_or_create(&Subject { part: part.name() }).set(i64::from(in_order));
        self.standing.refused(part, !in_order);
    }

    /// Counts a connection that was closed to make room.
    pub fn spared(&self) {
        self.spared.inc();
    }

    /// The gauge of open connections of one listener.
    pub fn connections(&self, door: &'static str) -> Gauge {
        self.connections.get_or_create(&Door { door }).clone()
    }

    /// The text of `/metrics`.
    pub fn encode(&self) -> String {
        let mut page = String::with_capacity(8 * 1024);
        // Writing to a String cannot fail; a half page would be seen by its missing `# EOF`.
        text::encode(&mut page, &self.registry).ok();
        page
    }
}

fn known_operation(operation: &str) -> &'static str {
    match operation {
        "CREATE" => "CREATE",
        "UPDATE" => "UPDATE",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_operation_is_counted_as_other() {
        let metrics = Metrics::new("abc", "Observe", Counter::default());
        let record = Record { operation: "PATCH", verdict: "error", ..Record::default() };
        metrics.review(&record, Duration::from_micros(15));
        let page = metrics.encode();
        assert!(page.contains(r#"cni_steward_reviews_total{operation="other","#), "{page}");
        assert!(
            page.contains(r#"cni_steward_review_duration_seconds_bucket{le="2e-5"} 1"#)
                || page.contains("0.00002"),
            "{page}"
        );
        assert!(page.contains(r#"cni_steward_policy_info{hash="abc",mode="Observe"} 1"#), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }
}
