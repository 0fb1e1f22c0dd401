//! Whether the targets may be the EKS managed add-on's, which only AWS may remove: what is deleted here it would bring back.
//!
//! The API server cannot tell: an entry of `eks` may be the bootstrap's. So a person has to say that there is no such add-on,
//! and the command that tells is printed. Our mark is proof that the add-on once wrote the object, so it asks for a statement
//! made for this very run; a policy may have been written before.

use serde_json::Value;

use super::saved::{items, text};
use crate::policy::change::MANAGED_ADDON;
use crate::policy::rules::{EKS, ManagedAddon};

/// What a person says about the managed add-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// In the policy.
    pub policy: ManagedAddon,
    /// On the command line, for this run.
    pub absent_now: bool,
}

/// How the targets look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// `eks` owns fields, as after the bootstrap.
    Entries,
    /// The add-on itself wrote one of them.
    Mark,
}

/// Why the targets may be the add-on's, as long as nobody has said that they are not.
pub fn suspicion<'v>(objects: impl Iterator<Item = &'v Value>, stated: Stated) -> Option<Suspicion> {
    if stated.absent_now {
        return None;
    }
    let mut found = None;
    for object in objects {
        if text(object, &["metadata", "annotations", MANAGED_ADDON]) == "true" {
            return Some(Suspicion::Mark);
        }
        let of_eks =
            |entry: &Value| text(entry, &["manager"]) == EKS && text(entry, &["subresource"]).is_empty();
        if items(object, &["metadata", "managedFields"]).any(of_eks) {
            found = Some(Suspicion::Entries);
        }
    }
    found.filter(|_| stated.policy == ManagedAddon::Unknown)
}

/// The cluster's name in AWS, where the workload tells it.
pub fn cluster_name(workload: Option<&Value>) -> Option<&str> {
    items(workload?, &["spec", "template", "spec", "containers"])
        .flat_map(|container| items(container, &["env"]))
        .find(|variable| text(variable, &["name"]) == "CLUSTER_NAME")
        .map(|variable| text(variable, &["value"]))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(manager: &str, mark: Option<&str>) -> Value {
        json!({"metadata": {"annotations": {MANAGED_ADDON: mark}, "managedFields": [{"manager": manager, "operation": "Apply"}]}})
    }

    #[rstest::rstest]
    #[case::entries("eks", None, ManagedAddon::Unknown, false, Some(Suspicion::Entries))]
    #[case::stated_in_the_policy("eks", None, ManagedAddon::Absent, false, None)]
    #[case::stated_now("eks", None, ManagedAddon::Unknown, true, None)]
    #[case::another("helm", None, ManagedAddon::Unknown, false, None)]
    #[case::mark("helm", Some("true"), ManagedAddon::Unknown, false, Some(Suspicion::Mark))]
    #[case::mark_is_newer_than_the_policy(
        "helm",
        Some("true"),
        ManagedAddon::Absent,
        false,
        Some(Suspicion::Mark)
    )]
    #[case::mark_and_stated_now("eks", Some("true"), ManagedAddon::Absent, true, None)]
    #[case::no_mark("helm", Some("false"), ManagedAddon::Unknown, false, None)]
    fn only_a_person_can_know(
        #[case] manager: &str,
        #[case] mark: Option<&str>,
        #[case] policy: ManagedAddon,
        #[case] absent_now: bool,
        #[case] expected: Option<Suspicion>,
    ) {
        let objects = [object("kubectl", None), object(manager, mark)];
        assert_eq!(suspicion(objects.iter(), Stated { policy, absent_now }), expected);
    }

    #[test]
    fn the_workload_tells_the_cluster_s_name() {
        let workload = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "aws-node", "env": [{"name": "A", "value": "b"}, {"name": "CLUSTER_NAME", "value": "shop"}]},
        ]}}}});
        assert_eq!(cluster_name(Some(&workload)), Some("shop"));
        assert_eq!(cluster_name(Some(&json!({}))), None);
        assert_eq!(cluster_name(None), None);
    }
}
