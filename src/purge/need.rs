//! What stays because somebody else needs it: the settings and the schema.
//!
//! The vpc-resource-controller, which AWS runs and nobody sees, reads the settings for Windows nodes and for security groups of
//! Pods. With the schema every `ENIConfig` would go, and they are written by hand. What could not be looked at counts as needed.

use serde_json::Value;

use super::saved::text;
use crate::cluster::inventory::{Compute, Inventory};
use crate::policy::Kind;

/// How many objects of a kind there are, or why that could not be seen.
pub type Count = Result<usize, String>;

/// What may need a target besides the VPC CNI.
#[derive(Debug, Clone)]
pub struct Dependents {
    /// Objects of the schema.
    pub eni_configs: Count,
    /// `SecurityGroupPolicy`s of the vpc-resource-controller.
    pub security_group_policies: Count,
}

/// Why a target stays; `None` if nobody needs it. `settings` is the name of the settings.
pub fn why(
    kind: Kind,
    name: &str,
    object: &Value,
    inventory: &Inventory,
    dependents: &Dependents,
) -> Option<String> {
    match kind {
        Kind::CustomResourceDefinition => {
            counted(&dependents.eni_configs, "ENIConfig", "would be deleted with it")
        }
        Kind::ConfigMap if name == inventory.policy.targets.settings => {
            settings(object, inventory, &dependents.security_group_policies)
        }
        _ => None,
    }
}

fn settings(object: &Value, inventory: &Inventory, policies: &Count) -> Option<String> {
    let windows = inventory.nodes.iter().filter(|node| node.compute == Compute::Windows).count();
    if windows > 0 {
        return Some(match windows {
            1 => "1 Windows node gets its addresses by it".to_owned(),
            count => format!("{count} Windows nodes get their addresses by it"),
        });
    }
    for key in ["enable-windows-ipam", "enable-windows-prefix-delegation"] {
        let value = text(object, &["data", key]);
        // As the vpc-resource-controller reads it: by Go's strconv.ParseBool.
        if matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True") {
            return Some(format!("it says {key}: \"{value}\", which Windows nodes need"));
        }
    }
    if let Some(nodes) = inventory.unseen.iter().find(|unseen| unseen.resource == "nodes") {
        return Some(format!(
            "whether there are Windows nodes, which need it, could not be seen: {}",
            nodes.why
        ));
    }
    counted(policies, "SecurityGroupPolicy", "has its Pods' interfaces set up by it")
}

fn counted(count: &Count, kind: &str, verb: &str) -> Option<String> {
    match count {
        Ok(0) => None,
        Ok(1) => Some(format!("1 {kind} {verb}")),
        Ok(count) => Some(format!("{count} objects of kind {kind}: each {verb}")),
        Err(problem) => {
            Some(format!("whether there is any {kind}, which needs it, could not be seen: {problem}"))
        }
    }
}
