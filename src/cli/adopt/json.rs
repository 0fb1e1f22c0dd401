//! The plan for scripts: `-o json`. Names and words here are a contract, versioned by `apiVersion`: what is there stays as it is,
//! and more may come.

use serde_json::{Value, json};

use super::helm::Answers;
use super::text::Told;
use crate::acceptance::Summary;
use crate::adopt::{ObjectPlan, State};
use crate::cli::forecast::word;

/// The document.
pub(super) fn plan(told: &Told<'_>, answers: Option<&Answers<'_>>) -> anyhow::Result<String> {
    let owner = &told.policy.owner;
    let release = owner.release.as_ref();
    let refusals: Vec<Value> = told
        .plan
        .refusals
        .iter()
        .map(|refusal| json!({"code": refusal.code, "message": refusal.message, "next": refusal.next}))
        .collect();
    let offers: Vec<Value> = told
        .plan
        .offers
        .iter()
        .map(|offer| json!({"manager": offer.manager, "paths": offer.paths, "objects": offer.objects}))
        .collect();
    let whole = json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "AdoptionPlan",
        "cluster": {"uid": told.place.uid, "url": told.place.url},
        "owner": {
            "manager": owner.manager,
            "release": release.map(|release| json!({"name": release.name, "namespace": release.namespace})),
        },
        "policy": {"from": told.source(), "hash": told.policy.hash()},
        "objects": told.plan.objects.iter().map(object).collect::<Vec<_>>(),
        "refusals": refusals,
        "offers": offers,
        "notes": told.plan.notes,
        "originalMatchLabels": told.plan.original_match_labels,
        "helm": answers.map(helm).transpose()?,
    });
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

fn object(object: &ObjectPlan) -> Value {
    let edits: Vec<Value> = object
        .edits
        .iter()
        .map(|edit| {
            json!({"map": edit.map.name(), "key": edit.key, "from": edit.from, "to": edit.to, "why": edit.why.sentence()})
        })
        .collect();
    let fields: Vec<Value> = object
        .fields
        .iter()
        .map(|change| json!({"path": change.path, "from": change.from, "to": change.to}))
        .collect();
    json!({
        "kind": object.kind.name(),
        "namespace": object.namespace,
        "name": object.name,
        "state": match object.state {
            State::Absent => "Absent",
            State::Adopted => "Adopted",
            State::ToAdopt => "ToAdopt",
        },
        "edits": edits,
        "fields": fields,
    })
}

fn helm(answers: &Answers<'_>) -> anyhow::Result<Value> {
    let summary = answers.summary.as_ref().map(|summary: &Summary| {
        json!({
            "helm3": word(summary.helm_3),
            "helm4": word(summary.helm_4),
            "helm4SkipCrds": word(summary.helm_4_without_crds),
        })
    });
    let mut forecasts: Vec<Value> = Vec::new();
    for told in &answers.objects {
        let name = (Some(told.subject.kind.name()), told.subject.namespace, told.subject.name);
        forecasts.push(serde_json::from_str(&answers.chart.json(name, &told.outlook)?)?);
    }
    Ok(json!({"summary": summary, "forecasts": forecasts}))
}
