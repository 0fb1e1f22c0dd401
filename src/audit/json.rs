//! The report as JSON, described by `docs/schemas/audit.schema.json`. Names and words are a contract, versioned by `apiVersion`: what is
//! there stays as it is, and more may come. Every key is always there; what there is nothing to say about is null, or an empty list.

use serde_json::{Value, json};

use super::{Report, Row, Seen, State};
use crate::findings;

/// The report as indented JSON.
pub fn json(report: &Report) -> String {
    let document = json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "Audit",
        "time": report.time.to_string(),
        "summary": {
            "clusters": report.rows.len(),
            "clear": report.count(State::Clear),
            "withWarnings": report.count(State::Warnings),
            "withProblems": report.count(State::Problems),
            "notAudited": report.count(State::NotAudited),
        },
        "clusters": report.rows.iter().map(cluster).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn cluster(row: &Row) -> Value {
    let seen = row.outcome.as_ref().ok();
    let gap = row.outcome.as_ref().err();
    let release = seen.and_then(|seen| seen.release.as_ref());
    let said = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let text = |of: fn(&Seen) -> &str| seen.map_or(Value::Null, |seen| said(of(seen)));
    json!({
        "context": row.context,
        "server": said(&row.server),
        "owner": text(|seen| seen.owner.name()),
        "certainty": text(|seen| seen.certainty.name()),
        "release": release.map(|(namespace, name)| json!({"namespace": namespace, "name": name})),
        "installedBy": text(|seen| &seen.installed_by),
        "vpcCniVersion": text(|seen| &seen.cni),
        "kubernetesVersion": text(|seen| &seen.kubernetes),
        "mode": text(|seen| &seen.mode),
        "findings": seen.map(|seen| findings::list(&seen.findings)).unwrap_or_default(),
        "notAudited": gap.map(|gap| json!({"reason": gap.reason, "message": gap.message})),
    })
}
