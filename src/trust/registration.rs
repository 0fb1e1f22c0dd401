//! Looks whether the webhook configuration is as the chart rendered it, and says so. It is the chart's, so nothing is put right
//! here; readiness does not depend on it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Means;
use super::inject::Configuration;
use super::rendered::{self, Difference};
use super::tell;
use crate::telemetry::clock::Stopwatch;

const PATIENCE: Duration = Duration::from_secs(2);

/// What was found last.
#[derive(Debug)]
pub(super) struct Registration {
    /// A copy of what was rendered; in a Pod the kubelet brings it, up to a minute after an upgrade.
    file: Option<PathBuf>,
    stored: Vec<Value>,
    due: bool,
    differences: Vec<Difference>,
    since: Stopwatch,
    told: bool,
}

impl Registration {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let (stored, differences) = (Vec::new(), Vec::new());
        Self { file, stored, due: false, differences, since: Stopwatch::start(), told: true }
    }

    /// Takes note of the configuration.
    pub(super) fn see(&mut self, found: Option<&Configuration>) {
        self.stored = found.map(|found| found.entries().to_vec()).unwrap_or_default();
        self.due = true;
    }

    /// What was rendered may have changed.
    pub(super) fn is_due(&mut self) {
        self.due = true;
    }

    /// Compares both when that is due, and tells people of what has stood for so long that no upgrade is under way.
    pub(super) async fn look(&mut self, means: &Means, settle: Duration) {
        if std::mem::take(&mut self.due)
            && let Some(file) = self.file.clone()
        {
            self.compare(means, file).await;
        }
        if !self.told && self.since.elapsed() >= settle {
            self.told = true;
            tell::registered(means, &self.differences);
        }
    }

    async fn compare(&mut self, means: &Means, file: PathBuf) {
        let path = file.display().to_string();
        let read = spawn_blocking(move || std::fs::read_to_string(file).map_err(|error| error.to_string()));
        // A disk may hang, and certificates have to be looked after.
        let read = match timeout(PATIENCE, read).await {
            Ok(read) => read.unwrap_or_else(|error| Err(error.to_string())),
            Err(_) => Err("it is not read within 2 s".to_owned()),
        };
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
}
