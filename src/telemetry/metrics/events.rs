//! What became of Events.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What became of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The API server has it.
    Posted,
    /// The queue was full.
    Dropped,
    /// The same was said a short time ago.
    Repeated,
    /// The API server did not take it.
    Failed,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Posted, Self::Dropped, Self::Repeated, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Dropped => "dropped",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts Events. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct EventMetrics(Family<Outcome, Counter>);

impl EventMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("events", "Kubernetes Events, by what became of them", metrics.0.clone());
        for fate in Fate::ALL {
            drop(metrics.0.get_or_create(&Outcome { outcome: fate.name() }));
        }
        metrics
    }

    /// Counts one.
    pub fn count(&self, fate: Fate) {
        self.0.get_or_create(&Outcome { outcome: fate.name() }).inc();
    }

    /// How many there were.
    pub fn counted(&self, fate: Fate) -> u64 {
        self.0.get_or_create(&Outcome { outcome: fate.name() }).get()
    }
}
