//! The loops beside the reviews.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Loop {
    name: &'static str,
}

/// Which loops run. Empty for a server that belongs to no installation. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct LoopMetrics(Family<Loop, Gauge>);

impl LoopMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "loop_running",
            "1 while a loop beside the reviews runs, 0 after it has ended, which is a defect",
            metrics.0.clone(),
        );
        metrics
    }

    /// Whether the loop of this name runs.
    pub fn set(&self, name: &'static str, running: bool) {
        self.0.get_or_create(&Loop { name }).set(i64::from(running));
    }
}
