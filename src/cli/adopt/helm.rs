//! What Helm will answer once the adoption is done, where the chart's manifest is at hand.

use std::path::Path;

use serde_json::Value;

use crate::acceptance::Summary;
use crate::adopt::{Plan, Stored};
pub(super) use crate::cli::forecast::Chart;
use crate::cli::forecast::{Outlook, Subject};
use crate::policy::Policy;

impl<'p> Chart<'p> {
    /// Reads the manifest, if one is given.
    pub(super) fn of(file: Option<&Path>, policy: &'p Policy) -> anyhow::Result<Option<Self>> {
        file.map(|file| Self::read(file, policy)).transpose()
    }
}

/// One object's forecast.
pub(super) struct Told<'c> {
    pub(super) subject: Subject<'c>,
    pub(super) outlook: Outlook<'c>,
}

/// The forecasts of all objects that stand.
pub(super) struct Answers<'c> {
    pub(super) chart: &'c Chart<'c>,
    pub(super) objects: Vec<Told<'c>>,
    /// All together; `None` when there is no forecast for any.
    pub(super) summary: Option<Summary>,
}

impl<'c> Answers<'c> {
    /// Foretells for each object as it will stand.
    pub(super) fn of(chart: &'c Chart<'c>, stored: &[Stored<'c>], plan: &Plan) -> Self {
        let mut objects = Vec::new();
        for one in stored {
            let Some(mut live) = one.text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
                continue;
            };
            if let Some(object) =
                plan.objects.iter().find(|object| object.to_string() == one.target.to_string())
            {
                object.after.put(&mut live);
            }
            let subject =
                Subject { kind: one.target.kind, namespace: one.target.namespace, name: one.target.name };
            objects.push(Told { subject, outlook: chart.look(subject, &live) });
        }
        let forecasts: Vec<_> = objects
            .iter()
            .filter_map(|told| match &told.outlook {
                Outlook::Told(_, forecast) => Some((**forecast).clone()),
                Outlook::Silent(_) => None,
            })
            .collect();
        let summary = (!forecasts.is_empty()).then(|| Summary::of(&forecasts));
        Self { chart, objects, summary }
    }
}
