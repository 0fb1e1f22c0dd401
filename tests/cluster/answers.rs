//! What Helm really said, and what the forecast says it will: brought to one form, to be compared.

use std::collections::{BTreeMap, BTreeSet};

use cni_steward::acceptance::forecast::{Answer, Conflict, Forecast, Question, Release, forecast};
use cni_steward::acceptance::{Manifest, Summary, Unowned};
use cni_steward::fields::Operation;
use cni_steward::policy::Kind;
use cni_steward::policy::change::Map;
use serde_json::Value;

use crate::support::Output;
use crate::support::control_plane::Helm;

pub(crate) const RELEASE: Release<'static> = Release { name: "aws-vpc-cni", namespace: "kube-system" };

/// What is foretold of an install by this Helm.
pub(crate) fn of_install(summary: &Summary, helm: Helm, skip_crds: bool) -> Answer {
    match (helm.is_3(), skip_crds) {
        (true, _) => summary.helm_3,
        (false, true) => summary.helm_4_without_crds,
        (false, false) => summary.helm_4,
    }
}

/// Object → manager with its operation → paths.
pub(crate) type Conflicts = BTreeMap<String, BTreeSet<(String, String)>>;

/// The forecast for each live object that the manifest renders.
pub(crate) fn forecasts(manifest: &str, objects: &[Value], manager: &str) -> Vec<Forecast> {
    let manifest =
        Manifest::parse("chart.yaml", manifest, RELEASE.namespace).unwrap_or_else(|e| panic!("{e}"));
    let forecasts = objects.iter().filter_map(|live| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == live["kind"]).unwrap();
        let namespace = live["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = live["metadata"]["name"].as_str().unwrap();
        let document = manifest.find(kind, namespace, name, RELEASE.namespace)?;
        Some(forecast(&Question {
            kind,
            live,
            rendered: &document.object,
            from_crds: document.from_crds,
            manager,
            release: RELEASE,
        }))
    });
    forecasts.collect()
}

/// An object as Helm names it in a conflict.
fn title(forecast: &Forecast) -> String {
    format!("{}/{} Kind={}", forecast.namespace, forecast.name, forecast.kind.name())
}

/// The conflicts that are forecast for these objects.
pub(crate) fn foretold<'f>(forecasts: impl IntoIterator<Item = &'f Forecast>) -> Conflicts {
    let mut conflicts = Conflicts::new();
    for forecast in forecasts {
        for Conflict { manager, operation, subresource, paths } in &forecast.conflicts {
            let mut name = format!("\"{manager}\"");
            if !subresource.is_empty() {
                name = format!("{name} with subresource \"{subresource}\"");
            }
            if *operation == Operation::Update {
                name.push_str(" Update");
            }
            let all = conflicts.entry(title(forecast)).or_default();
            all.extend(paths.iter().map(|path| (name.clone(), path.clone())));
        }
    }
    conflicts
}

/// The conflicts in what Helm 4 printed.
pub(crate) fn told(stderr: &str) -> Conflicts {
    let mut conflicts = Conflicts::new();
    // Before it stands a log line that says the same in other quotes.
    let error = &stderr[stderr.rfind("Error: ").unwrap_or_default()..];
    for part in error.split("conflict occurred while applying object ").skip(1) {
        let part = part.split(" && ").next().unwrap();
        let (object, rest) = part.split_once(": Apply failed with ").expect("the object and its conflicts");
        let (place, kind) = object.split_once(", Kind=").unwrap();
        let place = place.rsplit_once(' ').unwrap().0;
        let all = conflicts.entry(format!("{place} Kind={kind}")).or_default();
        let (count, rest) = rest.split_once(' ').unwrap();
        let rest = rest.split_once(": ").unwrap().1;
        if count == "1" {
            let (manager, path) = rest.strip_prefix("conflict with ").unwrap().split_once(": .").unwrap();
            all.insert((by(manager), format!(".{}", path.lines().next().unwrap())));
            continue;
        }
        let mut manager = String::new();
        for line in rest.lines() {
            if let Some(name) = line.strip_prefix("conflicts with ") {
                manager = by(name.trim_end_matches(':'));
            } else if let Some(path) = line.strip_prefix("- ") {
                all.insert((manager.clone(), path.to_owned()));
            }
        }
    }
    conflicts
}

/// `"x" using apps/v1` is an Update entry of x.
fn by(manager: &str) -> String {
    match manager.split_once(" using ") {
        Some((name, _)) => format!("{name} Update"),
        None => manager.to_owned(),
    }
}

/// How an install ended.
pub(crate) fn ended(output: &Output) -> Answer {
    let stderr = &output.stderr;
    if output.code == 0 {
        Answer::Accepts
    } else if stderr.contains("invalid ownership metadata") {
        Answer::NotOwned
    } else if stderr.contains("conflict occurred while applying") {
        Answer::Conflicts
    } else if stderr.contains(" is invalid: ") {
        Answer::Invalid
    } else {
        panic!("an answer nobody thought of\n{output}");
    }
}

/// What Helm writes about one missing or wrong mark.
pub(crate) fn complaint(unowned: &Unowned) -> String {
    let Unowned { map, key, wanted, found } = unowned;
    let map = if *map == Map::Labels { "label" } else { "annotation" };
    match found {
        None => format!("{map} validation error: missing key \"{key}\": must be set to \"{wanted}\""),
        Some(found) => format!(
            "{map} validation error: key \"{key}\" must equal \"{wanted}\": current value is \"{found}\""
        ),
    }
}

/// Expects the ownership check to complain about one of these objects, and in these words.
#[track_caller]
pub(crate) fn assert_complaint(output: &Output, forecasts: &[&Forecast]) {
    let named = forecasts.iter().filter(|forecast| !forecast.unowned.is_empty()).find(|forecast| {
        let object = format!("{} \"{}\" in namespace", forecast.kind.name(), forecast.name);
        output.stderr.contains(&object)
    });
    let Some(forecast) = named else { panic!("Helm names an object that is not forecast\n{output}") };
    for unowned in &forecast.unowned {
        assert!(output.stderr.contains(&complaint(unowned)), "expected {}\n{output}", complaint(unowned));
    }
    let count = output.stderr.matches(" validation error: ").count();
    assert_eq!(count, forecast.unowned.len(), "complaints\n{output}");
}
