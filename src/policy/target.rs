//! The catalogue: which objects are targets, and what may be done to each.
//!
//! Six objects of the `aws-vpc-cni` chart and its optional `ConfigMap`. What the EKS control plane owns (`cninodes`,
//! `securitygrouppolicies`, `policyendpoints`, the vpc-resource-controller's RBAC) is off limits by not being here.

use super::rules::Names;

/// Name of the one CRD that the chart brings and that is ours to hand over.
pub const SCHEMA: &str = "eniconfigs.crd.k8s.amazonaws.com";

/// Which catalogued object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `DaemonSet aws-node`, the workload.
    DaemonSet,
    /// `ServiceAccount aws-node`, identity.
    ServiceAccount,
    /// `ClusterRole aws-node`, identity.
    ClusterRole,
    /// `ClusterRoleBinding aws-node`, identity.
    ClusterRoleBinding,
    /// `ConfigMap amazon-vpc-cni` or the optional `ConfigMap aws-node`, settings.
    ConfigMap,
    /// `CustomResourceDefinition eniconfigs.crd.k8s.amazonaws.com`, the schema.
    CustomResourceDefinition,
}

impl Kind {
    /// Every kind, in the order in which AWS applies them.
    pub const ALL: [Self; 6] = [
        Self::CustomResourceDefinition,
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
        Self::DaemonSet,
    ];

    /// API group and plural resource name. All are served as version `v1`, and no other version is understood.
    pub const fn group_resource(self) -> (&'static str, &'static str) {
        match self {
            Self::DaemonSet => ("apps", "daemonsets"),
            Self::ServiceAccount => ("", "serviceaccounts"),
            Self::ClusterRole => ("rbac.authorization.k8s.io", "clusterroles"),
            Self::ClusterRoleBinding => ("rbac.authorization.k8s.io", "clusterrolebindings"),
            Self::ConfigMap => ("", "configmaps"),
            Self::CustomResourceDefinition => ("apiextensions.k8s.io", "customresourcedefinitions"),
        }
    }

    /// `DaemonSet`, `ConfigMap`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::DaemonSet => "DaemonSet",
            Self::ServiceAccount => "ServiceAccount",
            Self::ClusterRole => "ClusterRole",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::ConfigMap => "ConfigMap",
            Self::CustomResourceDefinition => "CustomResourceDefinition",
        }
    }

    /// The kind of a resource, whatever its name.
    pub fn of(group: &str, version: &str, resource: &str) -> Option<Self> {
        if version != "v1" {
            return None;
        }
        Self::ALL.into_iter().find(|kind| kind.group_resource() == (group, resource))
    }

    /// Whether objects of this kind live in a namespace.
    pub const fn namespaced(self) -> bool {
        matches!(self, Self::DaemonSet | Self::ServiceAccount | Self::ConfigMap)
    }

    /// Workload and identity: what Cluster API deletes, and what Block keeps from coming back.
    pub const fn core_four(self) -> bool {
        matches!(self, Self::DaemonSet | Self::ServiceAccount | Self::ClusterRole | Self::ClusterRoleBinding)
    }

    /// Helm never stamps what it installs from `crds/`, so the schema gets field ownership only.
    pub const fn stamped(self) -> bool {
        !matches!(self, Self::CustomResourceDefinition)
    }
}

/// One target of this cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Which object.
    pub kind: Kind,
    /// Its namespace, `""` for cluster-scoped ones.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Target<'a> {
    /// The target that these coordinates name, if they name one.
    pub fn find(kind: Kind, namespace: &'a str, name: &'a str, names: &Names) -> Option<Self> {
        let right_namespace =
            if kind.namespaced() { namespace == names.namespace } else { namespace.is_empty() };
        let right_name = match kind {
            Kind::CustomResourceDefinition => name == SCHEMA,
            Kind::ConfigMap => name == names.settings || name == names.name,
            _ => name == names.name,
        };
        (right_namespace && right_name).then_some(Self { kind, namespace, name })
    }
}

impl<'a> Target<'a> {
    /// Every target of a cluster with these names, in the order in which AWS applies them.
    pub fn all(names: &'a Names) -> Vec<Self> {
        let mut targets = Vec::with_capacity(7);
        for kind in Kind::ALL {
            let namespace = if kind.namespaced() { names.namespace.as_str() } else { "" };
            let called: &[&str] = match kind {
                Kind::CustomResourceDefinition => &[SCHEMA],
                Kind::ConfigMap if names.settings != names.name => &[&names.settings, &names.name],
                _ => &[&names.name],
            };
            targets.extend(called.iter().map(|name| Self { kind, namespace, name }));
        }
        targets
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind.name(), self.name)
        } else {
            write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_target(group: &str, version: &str, resource: &str, namespace: &str, name: &str) -> bool {
        Kind::of(group, version, resource)
            .and_then(|kind| Target::find(kind, namespace, name, &Names::default()))
            .is_some()
    }

    #[test]
    fn all_targets_are_found_by_their_own_coordinates() {
        let same = Names { settings: "aws-node".into(), ..Names::default() };
        for (names, count) in [(Names::default(), 7), (same, 6)] {
            let all = Target::all(&names);
            assert_eq!(all.len(), count);
            for target in all {
                assert_eq!(
                    Target::find(target.kind, target.namespace, target.name, &names),
                    Some(target),
                    "{target}"
                );
            }
        }
    }

    #[rstest::rstest]
    #[case("apps", "v1", "daemonsets", "kube-system", "aws-node")]
    #[case("", "v1", "serviceaccounts", "kube-system", "aws-node")]
    #[case("", "v1", "configmaps", "kube-system", "amazon-vpc-cni")]
    #[case("", "v1", "configmaps", "kube-system", "aws-node")]
    #[case("rbac.authorization.k8s.io", "v1", "clusterroles", "", "aws-node")]
    #[case("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "", "aws-node")]
    #[case("apiextensions.k8s.io", "v1", "customresourcedefinitions", "", SCHEMA)]
    fn the_chart_s_objects_are_targets(
        #[case] group: &str,
        #[case] version: &str,
        #[case] resource: &str,
        #[case] namespace: &str,
        #[case] name: &str,
    ) {
        assert!(is_target(group, version, resource, namespace, name));
    }

    #[rstest::rstest]
    #[case::name_resembles("apps", "v1", "daemonsets", "kube-system", "aws-node-termination-handler")]
    #[case::upper_case("apps", "v1", "daemonsets", "kube-system", "AWS-node")]
    #[case::no_name("apps", "v1", "daemonsets", "kube-system", "")]
    #[case::other_namespace("apps", "v1", "daemonsets", "default", "aws-node")]
    #[case::other_group("extensions", "v1", "daemonsets", "kube-system", "aws-node")]
    #[case::other_version("apps", "v1beta2", "daemonsets", "kube-system", "aws-node")]
    #[case::pods("", "v1", "pods", "kube-system", "aws-node")]
    #[case::deployment("apps", "v1", "deployments", "kube-system", "aws-node")]
    #[case::secret("", "v1", "secrets", "kube-system", "aws-node")]
    #[case::role("rbac.authorization.k8s.io", "v1", "roles", "kube-system", "aws-node")]
    #[case::controller_role(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "",
        "vpc-resource-controller-role"
    )]
    #[case::cninodes(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "",
        "cninodes.vpcresources.k8s.aws"
    )]
    #[case::policyendpoints(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "",
        "policyendpoints.networking.k8s.aws"
    )]
    #[case::securitygrouppolicies(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "",
        "securitygrouppolicies.vpcresources.k8s.aws"
    )]
    #[case::namespaced_cluster_role(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "kube-system",
        "aws-node"
    )]
    fn everything_else_is_not(
        #[case] group: &str,
        #[case] version: &str,
        #[case] resource: &str,
        #[case] namespace: &str,
        #[case] name: &str,
    ) {
        assert!(!is_target(group, version, resource, namespace, name));
    }
}
