//! The report for scripts: stable and versioned, as `docs/schemas/status.schema.json` describes it.

use serde_json::{Value, json};

use super::{Finding, Report};
use crate::cluster::inventory::{Evidence, Installation, Inventory, Item, Network, PolicySource, Presence};

/// The report as JSON.
pub fn json(live: &Inventory, report: &Report) -> Value {
    let verdict = &report.verdict;
    let release = |(namespace, name): &(String, String)| json!({"namespace": namespace, "name": name});
    let unseen: Vec<Value> = live
        .unseen
        .iter()
        .map(|unseen| {
            json!({
                "verb": unseen.verb,
                "resource": unseen.resource,
                "namespace": unseen.namespace,
                "name": unseen.name,
                "why": unseen.why,
            })
        })
        .collect();
    json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "Status",
        "cluster": {"server": live.server, "version": live.version, "uid": live.uid},
        "policy": policy(live),
        "verdict": {
            "owner": verdict.owner.name(),
            "certainty": verdict.certainty.name(),
            "release": verdict.release.as_ref().map(release),
            "sentence": verdict.sentence,
            "evidence": verdict.evidence,
        },
        "objects": live.targets.iter().map(object).collect::<Vec<_>>(),
        "neighbours": live.neighbours.iter().map(object).collect::<Vec<_>>(),
        "networks": live.networks.iter().map(network).collect::<Vec<_>>(),
        "nodes": {
            "total": live.nodes.len(),
            "ready": live.nodes.iter().filter(|node| node.ready).count(),
            "schedulable": live.nodes.iter().filter(|node| node.schedulable).count(),
            "withVpcCni": live.nodes.iter().filter(|node| node.vpc_cni).count(),
            "withoutOtherNetwork": live.nodes_without_other_network().len(),
        },
        "installations": live.installations.iter().map(installation).collect::<Vec<_>>(),
        "findings": list(&report.findings),
        "unseen": unseen,
    })
}

/// The findings, as each document that has some holds them.
pub fn list(findings: &[Finding]) -> Vec<Value> {
    let finding = |finding: &Finding| {
        json!({
            "code": finding.code.id(),
            "severity": finding.code.severity().name(),
            "message": finding.message,
            "objects": finding.objects,
            "next": finding.next,
        })
    };
    findings.iter().map(finding).collect()
}

fn policy(live: &Inventory) -> Value {
    let (from, place) = match &live.policy_from {
        PolicySource::Given => ("given", None),
        PolicySource::Installed(namespace, name) => ("installed", Some(format!("{namespace}/{name}"))),
        PolicySource::Broken(_) => ("broken", None),
        PolicySource::Unseen(_) => ("unseen", None),
        PolicySource::Nowhere => ("none", None),
    };
    json!({"from": from, "place": place, "mode": live.policy.mode_name(), "hash": live.policy.hash()})
}

fn object(item: &Item) -> Value {
    let state = match item.state {
        Presence::Stands(_) => "stands",
        Presence::Absent => "absent",
        Presence::Unseen => "unseen",
    };
    let mut out = json!({
        "kind": item.reference.kind(),
        "namespace": item.reference.namespace(),
        "name": item.reference.name(),
        "optional": item.optional,
        "state": state,
    });
    let (Some(facts), Some(map)) = (item.facts(), out.as_object_mut()) else { return out };
    let managers: Vec<String> = facts
        .managers
        .iter()
        .map(|manager| {
            let subresource = if manager.subresource.is_empty() {
                String::new()
            } else {
                format!("/{}", manager.subresource)
            };
            format!("{}/{}{subresource}", manager.name, manager.operation.as_str())
        })
        .collect();
    let evidence = match &facts.provenance.evidence {
        Evidence::Label => "label",
        Evidence::Creator(_) => "creator",
        Evidence::Marker(_) => "marker",
        Evidence::Manager(_) => "manager",
        Evidence::Release => "release",
        Evidence::None => "none",
    };
    let release =
        facts.stamps.release().map(|(namespace, name)| json!({"namespace": namespace, "name": name}));
    let more = json!({
        "managers": managers,
        "managedBy": facts.stamps.managed_by,
        "release": release,
        "installedBy": facts.provenance.word,
        "evidence": evidence,
        "chart": facts.chart,
        "version": facts.version,
        "pausedUntil": facts.pause,
        "managedAddon": facts.managed_addon,
        "preventDeletion": facts.prevent_deletion,
        "deleting": facts.deleting.is_some(),
        "parked": facts.parked,
        "desired": facts.rollout.map(|rollout| rollout.desired),
        "ready": facts.rollout.map(|rollout| rollout.ready),
    });
    if let Value::Object(more) = more {
        map.extend(more);
    }
    out
}

fn network(network: &Network) -> Value {
    json!({
        "product": network.product,
        "namespace": network.namespace,
        "name": network.name,
        "readyOn": network.ready_on.len(),
        "needsVpcCni": network.chained.is_some(),
    })
}

fn installation(one: &Installation) -> Value {
    json!({
        "namespace": one.namespace,
        "name": one.name,
        "image": one.image,
        "desired": one.rollout.map(|rollout| rollout.desired),
        "ready": one.rollout.map(|rollout| rollout.ready),
        "leader": one.leader.as_ref().map(|(holder, _)| holder),
    })
}
