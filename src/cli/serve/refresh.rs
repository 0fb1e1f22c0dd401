//! Keeps the served certificate up to date: asks the source again every minute, by the wall clock of that moment, so
//! that a machine that slept notices too. What cannot be loaded is logged and the last good certificate stays.

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::server::tls::CertSlot;
use crate::telemetry::{clock, metrics::Metrics};
use crate::trust::Source;

const EVERY: Duration = Duration::from_mins(1);

/// Never ends.
pub(super) async fn refresh(source: &Source, slot: &CertSlot, metrics: &Metrics) -> Infallible {
    let mut ticks = interval_at(tokio::time::Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let source = source.clone();
        match spawn_blocking(move || source.load(clock::now())).await {
            Ok(Ok(loaded)) => {
                for note in &loaded.notes {
                    tracing::warn!(note, "certificate");
                }
                metrics.certificate_expiry.set(loaded.expires.as_second());
                if !slot.serves(&loaded.certified) {
                    slot.publish(loaded.certified);
                    tracing::info!(expires = %loaded.expires, "serving a new certificate");
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot renew the certificate, serving the last good one");
            }
            Err(error) => {
                tracing::error!(%error, "cannot renew the certificate, serving the last good one");
            }
        }
    }
}
