//! Looks whether the webhook configuration is as the chart rendered it, and says so. It is the chart's, so nothing is put right
//! here; readiness does not depend on it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::Means;
use super::inject::Configuration;
use super::rendered::{self, Difference};
use super::tell;
use crate::telemetry::clock::Stopwatch;

/// What was found last.
#[derive(Debug)]
pub(super) struct Registration {
    /// A copy of what was rendered; in a Pod the kubelet brings it, up to a minute after an upgrade.
    file: Option<PathBuf>,
    stored: Vec<Value>,
    differences: Vec<Difference>,
    since: Stopwatch,
    told: bool,
}

impl Registration {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let (stored, differences) = (Vec::new(), Vec::new());
        Self { file, stored, differences, since: Stopwatch::start(), told: true }
    }

    /// Takes note of the configuration.
    pub(super) fn see(&mut self, found: Option<&Configuration>) {
        self.stored = found.map(|found| found.entries().to_vec()).unwrap_or_default();
    }

    /// Compares both.
    pub(super) async fn compare(&mut self, means: &Means) {
        let Some(file) = self.file.clone() else { return };
        let path = file.display().to_string();
        let read = spawn_blocking(move || std::fs::read_to_string(file).map_err(|error| error.to_string()));
        let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
        let rendered = match read.and_then(|text| rendered::read(&text)) {
            Ok(rendered) => rendered,
            Err(error) => return tell::not_compared(means, &path, &error),
        };
        let ours = |entry: &Value| Configuration::leads_to(entry, &means.instance);
        let differences = rendered::differences(&rendered, &self.stored, ours);
        tell::compared(means, &differences);
        if differences != self.differences {
            (self.since, self.told) = (Stopwatch::start(), false);
            self.differences = differences;
        }
    }

    /// Tells people of what has stood for so long that no upgrade is under way.
    pub(super) fn tell(&mut self, means: &Means, settle: Duration) {
        if !self.told && self.since.elapsed() >= settle {
            self.told = true;
            tell::registered(means, &self.differences);
        }
    }
}
