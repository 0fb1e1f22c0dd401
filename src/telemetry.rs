//! What the program tells about itself: log lines, metrics, and the one place that reads the clock.
//!
//! Nothing here can hold up a review: log lines go through a bounded queue that drops when full ([`sink`]), and
//! label values are bounded, so that no request can grow the metrics ([`metrics`]).

pub mod clock;
pub mod events;
pub mod logs;
pub mod metrics;
pub mod sink;
pub mod standing;
