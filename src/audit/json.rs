//! The report as JSON, described by `docs/schemas/audit.json`. Names and words are a contract, versioned by `apiVersion`: what is
//! there stays as it is, and more may come. Every key is always there; what there is nothing to say about is null, or an empty list.

use serde_json::{Map, Value, json};

use super::{Report, Row, State};

/// The report as indented JSON.
pub fn json(report: &Report) -> String {
    let document = json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "Audit",
        "time": report.time.to_string(),
        "summary": {
            "clusters": report.rows.len(),
            "clear": report.count(State::Clear),
            "withFindings": report.count(State::Findings),
            "notAudited": report.count(State::NotAudited),
        },
        "clusters": report.rows.iter().map(cluster).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn cluster(row: &Row) -> Value {
    let seen = row.outcome.as_ref().ok();
    let gap = row.outcome.as_ref().err();
    let mut cluster = Map::new();
    let mut put = |key: &str, value: Value| cluster.insert(key.to_owned(), value);
    put("context", row.context.as_str().into());
    put("server", said(&row.server));
    for (key, text) in [
        ("owner", seen.map(|seen| &seen.owner)),
        ("installedBy", seen.map(|seen| &seen.installed_by)),
        ("vpcCniVersion", seen.map(|seen| &seen.cni)),
        ("kubernetesVersion", seen.map(|seen| &seen.kubernetes)),
        ("mode", seen.map(|seen| &seen.mode)),
    ] {
        put(key, text.map_or(Value::Null, |text| said(text)));
    }
    let findings = seen.map(|seen| seen.findings.as_slice()).unwrap_or_default();
    put(
        "findings",
        findings.iter().map(|finding| json!({"code": finding.code, "message": finding.message})).collect(),
    );
    put("notAudited", gap.map_or(Value::Null, |gap| json!({"reason": gap.reason, "message": gap.message})));
    cluster.into()
}

fn said(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
