//! The plan as people and as scripts read it, and what is said when it is done.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::plan::{Plan, Step};
use crate::cluster::inventory::Inventory;
use crate::policy::rules::{Mode, Names, Policy};

/// What no command of ours touches, and who owns it.
pub const OFF_LIMITS: &str = "CRDs cninodes, securitygrouppolicies and policyendpoints, the vpc-resource-controller's rights and webhooks";

/// What only a new node is without.
pub const ON_THE_NODES: &str = "\
The nodes keep what the VPC CNI made on them: network interfaces and addresses, ip rules, iptables chains AWS-SNAT-CHAIN-* and
AWS-CONNMARK-CHAIN-*, /etc/cni/net.d/10-aws.conflist and /opt/cni/bin/aws-cni. Pods that run keep their address until they are
restarted. Only a node that is replaced is clean.
";

/// The plan for scripts; fields are only ever added.
pub fn json(plan: &Plan<'_>, inventory: &Inventory) -> Value {
    let steps: Vec<Value> = plan.steps.iter().map(step).collect();
    let kept: Vec<Value> = plan
        .kept
        .iter()
        .map(|kept| {
            let reference = &kept.item.reference;
            json!({
                "kind": reference.kind(), "namespace": reference.namespace(), "name": reference.name(), "why": kept.why,
            })
        })
        .collect();
    let refusals: Vec<Value> = plan
        .refusals
        .iter()
        .map(|refusal| json!({"code": refusal.code(), "message": refusal.sentence(), "next": refusal.next()}))
        .collect();
    json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "PurgePlan",
        "server": inventory.server,
        "clusterUid": inventory.uid,
        "delete": steps,
        "keep": kept,
        "refusals": refusals,
        "notes": plan.notes,
    })
}

fn step(step: &Step<'_>) -> Value {
    let reference = &step.item.reference;
    json!({
        "kind": reference.kind(),
        "namespace": reference.namespace(),
        "name": reference.name(),
        "uid": step.live.facts.uid,
        "deleting": step.is_going(),
        "why": step.why(),
    })
}

/// How it stays away.
pub fn keep_it_away(policy: &Policy) -> String {
    if policy.mode == Mode::Block {
        return "Your policy (mode: Block) keeps it away.\n".to_owned();
    }
    let mut out = String::from(
        "Runbooks, Terraform and colleagues apply it again. This policy of cni-steward keeps it away (chart: --set policy.mode=Block):\n\n\
         apiVersion: cni-steward.dev/v1alpha1\nkind: Policy\nmode: Block\n",
    );
    let Names { name, namespace, settings } = &policy.targets;
    if policy.targets != Names::default() {
        writeln!(out, "targets: {{name: {name}, namespace: {namespace}, settings: {settings}}}").ok();
    }
    out.push('\n');
    out
}
