//! Which object, or which kind of object in which place: what a request is about and what an error names.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::Resource;

use crate::policy::Target;

/// One object in the API, by its coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    kind: &'static str,
    namespace: Option<String>,
    name: String,
}

impl Reference {
    /// The object of a generated type. `namespace` is `None` for cluster-scoped kinds.
    pub fn of<K: Resource>(namespace: Option<&str>, name: &str) -> Self {
        Self::new((K::GROUP, K::VERSION, K::URL_PATH_SEGMENT, K::KIND), namespace, name)
    }

    /// Any object: group, version, plural resource and kind; the namespace if the kind has one; the name.
    pub fn new(
        (group, version, resource, kind): (&'static str, &'static str, &'static str, &'static str),
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        Self {
            group,
            version,
            resource,
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// A target of the catalogue.
    pub fn target(target: &Target<'_>) -> Self {
        let (group, resource) = target.kind.group_resource();
        let namespace = Some(target.namespace).filter(|_| target.kind.namespaced());
        Self::new((group, "v1", resource, target.kind.name()), namespace, target.name)
    }

    /// All objects of a kind, in a namespace or everywhere.
    pub fn all(
        kind: (&'static str, &'static str, &'static str, &'static str),
        namespace: Option<&str>,
    ) -> Self {
        Self::new(kind, namespace, "")
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> Cow<'static, str> {
        if self.group.is_empty() {
            Cow::Borrowed(self.version)
        } else {
            Cow::Owned(format!("{}/{}", self.group, self.version))
        }
    }

    /// `DaemonSet`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Where it lives; `None` if it is cluster-scoped.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `daemonsets.apps`, as RBAC and `kubectl auth can-i` write it.
    pub fn resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    /// The URL path of all objects of the kind in the place.
    pub(super) fn collection(&self) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let api = self.api_version();
        match &self.namespace {
            Some(namespace) => format!("{root}/{api}/namespaces/{namespace}/{}", self.resource),
            None => format!("{root}/{api}/{}", self.resource),
        }
    }

    /// The URL path of the object.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }
}

/// `DaemonSet kube-system/aws-node`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) if self.name.is_empty() => write!(f, "every {} in {namespace}", self.kind),
            None if self.name.is_empty() => write!(f, "every {}", self.kind),
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use k8s_openapi::api::core::v1::Secret;
    use k8s_openapi::api::rbac::v1::ClusterRole;

    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let daemon_set = Reference::of::<DaemonSet>(Some("kube-system"), "aws-node");
        assert_eq!(daemon_set.object(), "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node");
        assert_eq!(daemon_set.resource(), "daemonsets.apps");
        let secret = Reference::of::<Secret>(Some("a"), "b");
        assert_eq!(secret.object(), "/api/v1/namespaces/a/secrets/b");
        let role = Reference::of::<ClusterRole>(None, "aws-node");
        assert_eq!(role.collection(), "/apis/rbac.authorization.k8s.io/v1/clusterroles");
        assert_eq!(role.to_string(), "ClusterRole aws-node");
    }
}
