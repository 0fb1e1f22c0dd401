//! The forecast for scripts: `-o json`. Names and words here are a contract, versioned by `apiVersion`: what is there stays as it is,
//! and more may come. Every key is always there; what there is nothing to say about is null, or an empty list.

use serde::Serialize;
use serde_json::Value;

use super::{Outlook, Silence};
use crate::acceptance::fault::Why;
use crate::acceptance::{Answer, Conflict, Document, Fault, Forecast, Leftover, Release, Unowned};

const API_VERSION: &str = "cni-steward.dev/v1alpha1";
const KIND: &str = "Forecast";

/// Which object the document is about.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Object<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// What holds for all objects of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) file: &'a str,
    pub(super) manager: &'a str,
    pub(super) release: Option<Release<'a>>,
    pub(super) off_limits_crds: &'a [&'a str],
}

/// The document.
pub(super) fn write(frame: Frame<'_>, object: Object<'_>, outlook: &Outlook<'_>) -> anyhow::Result<String> {
    let (document, forecast, silence) = match outlook {
        Outlook::Told(document, forecast) => (Some(*document), Some(&**forecast), None),
        Outlook::Silent(silence) => (None, None, Some(silence)),
    };
    let whole = Whole {
        api_version: API_VERSION,
        kind: KIND,
        // On CREATE a review may leave the name to the object.
        object: Object { name: forecast.map_or(object.name, |forecast| &forecast.name), ..object },
        manager: frame.manager,
        release: frame.release.map(|release| Name { name: release.name, namespace: release.namespace }),
        chart: Place::of(frame.file, document),
        no_forecast: silence.map(|silence| Nothing { reason: reason(silence), message: silence.to_string() }),
        helm3: forecast.map(helm_3),
        helm4: forecast.map(helm_4),
        leftovers: forecast.map(|forecast| forecast.leftovers.iter().map(left).collect()),
        off_limits_crds: frame.off_limits_crds,
    };
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    api_version: &'a str,
    kind: &'a str,
    object: Object<'a>,
    manager: &'a str,
    release: Option<Name<'a>>,
    chart: Place<'a>,
    /// Why there is no forecast.
    no_forecast: Option<Nothing>,
    helm3: Option<Helm3<'a>>,
    helm4: Option<Helm4<'a>>,
    leftovers: Option<Vec<Left<'a>>>,
    /// CRDs of the chart that the EKS control plane owns: install with `--skip-crds`.
    off_limits_crds: &'a [&'a str],
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    namespace: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    file: &'a str,
    document: Option<usize>,
    line: Option<usize>,
    from_crds: Option<bool>,
}

impl<'a> Place<'a> {
    fn of(file: &'a str, document: Option<&Document>) -> Self {
        Self {
            file,
            document: document.map(|document| document.number),
            line: document.map(|document| document.line),
            from_crds: document.map(|document| document.from_crds),
        }
    }
}

#[derive(Serialize)]
struct Nothing {
    reason: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Helm3<'a> {
    answer: &'static str,
    ownership: Vec<Missing<'a>>,
    invalid: Vec<Invalid<'a>>,
    /// Paths in which a CRD that Helm 3 leaves alone differs from the chart's.
    differs: &'a [String],
}

#[derive(Serialize)]
struct Helm4<'a> {
    answer: &'static str,
    ownership: Vec<Missing<'a>>,
    conflicts: Vec<Clash<'a>>,
    invalid: Vec<Invalid<'a>>,
}

#[derive(Serialize)]
struct Missing<'a> {
    map: &'static str,
    key: &'a str,
    wanted: &'a str,
    found: Option<&'a str>,
}

#[derive(Serialize)]
struct Clash<'a> {
    manager: &'a str,
    operation: &'static str,
    subresource: &'a str,
    paths: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invalid<'a> {
    path: &'a str,
    reason: &'static str,
    live: Value,
    wanted: Value,
    /// The value of the chart's `originalMatchLabels` that cures it.
    original_match_labels: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Left<'a> {
    path: &'a str,
    held_by: &'a [String],
    /// Whether Helm 4's first apply removes it; Helm 3 never does.
    removed_by_helm4: bool,
    command: &'a str,
}

const fn reason(silence: &Silence) -> &'static str {
    match silence {
        Silence::NoRelease => "NoRelease",
        Silence::NotRendered { .. } => "NotRendered",
        Silence::NotInCatalogue => "NotInCatalogue",
        Silence::NoObject(_) => "NoObject",
    }
}

/// The word of the contract for an answer.
pub(in crate::cli) const fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Accepts => "Accepts",
        Answer::Skips => "Skips",
        Answer::Invalid => "Invalid",
        Answer::Conflicts => "Conflicts",
        Answer::NotOwned => "NotOwned",
    }
}

fn helm_3(forecast: &Forecast) -> Helm3<'_> {
    Helm3 {
        answer: word(forecast.helm_3),
        ownership: forecast.unowned.iter().map(missing).collect(),
        invalid: forecast.faults_3.iter().map(invalid).collect(),
        differs: &forecast.differs,
    }
}

fn helm_4(forecast: &Forecast) -> Helm4<'_> {
    Helm4 {
        answer: word(forecast.helm_4),
        ownership: forecast.unowned.iter().map(missing).collect(),
        conflicts: forecast.conflicts.iter().map(clash).collect(),
        invalid: forecast.faults_4.iter().map(invalid).collect(),
    }
}

fn clash(conflict: &Conflict) -> Clash<'_> {
    let Conflict { manager, operation, subresource, paths } = conflict;
    Clash { manager, operation: operation.as_str(), subresource, paths }
}

fn missing(unowned: &Unowned) -> Missing<'_> {
    let Unowned { map, key, wanted, found } = unowned;
    Missing { map: map.name(), key, wanted, found: found.as_deref() }
}

fn invalid(fault: &Fault) -> Invalid<'_> {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let (reason, wanted) = match fault.why {
        Why::Immutable => ("Immutable", json(&fault.wanted)),
        Why::Labels => ("SelectorMismatch", json(&fault.wanted)),
        Why::OneOf => ("OneOf", fault.wanted.split(", ").collect()),
        Why::Twice => ("Duplicate", json(&fault.wanted)),
    };
    let original_match_labels = fault.original_match_labels;
    Invalid { path: &fault.path, reason, live: json(&fault.live), wanted, original_match_labels }
}

fn left(leftover: &Leftover) -> Left<'_> {
    let Leftover { path, holders, pruned, command } = leftover;
    Left { path, held_by: holders, removed_by_helm4: *pruned, command }
}
