//! What a decision may look at: borrowed from the review, nothing of it owned.

use std::borrow::Cow;

use super::change::{
    ALLOW_UNTIL, INSTALLED_BY, MANAGED_ADDON, MANAGED_BY, PREVENT_DELETION, RELEASE_NAME, RELEASE_NAMESPACE,
};
use crate::fields::entry::List;
use crate::fields::json::{Cursor, Malformed};
use crate::fields::text::unescape;

/// Flux's label on what its helm-controller installs.
pub const FLUX_NAME: &str = "helm.toolkit.fluxcd.io/name";
/// Argo CD's tracking annotation.
pub const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// The label and annotation keys that a decision can depend on; all others are skipped while reading.
pub const KEYS: [&str; 9] = [
    MANAGED_BY,
    RELEASE_NAME,
    RELEASE_NAMESPACE,
    INSTALLED_BY,
    MANAGED_ADDON,
    ALLOW_UNTIL,
    PREVENT_DELETION,
    FLUX_NAME,
    ARGO_TRACKING,
];

/// `metadata.labels` or `metadata.annotations`: whether the map is there, and the [`KEYS`] it holds.
#[derive(Debug, Clone, Default)]
pub struct Meta<'a> {
    /// `false` when the map is absent or null, so that a patch has to create it.
    pub present: bool,
    /// The pairs that matter.
    pub pairs: Vec<(&'static str, Cow<'a, str>)>,
    /// Bytes of all keys and values together, what the API server's 256 KiB limit counts.
    pub size: usize,
}

impl Meta<'_> {
    /// The value of one of the [`KEYS`].
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| *found == key).map(|(_, value)| &**value)
    }
}

/// An object of a review.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    /// Its whole JSON text.
    pub raw: &'a str,
    /// Its `apiVersion`.
    pub api_version: Cow<'a, str>,
    /// `metadata.name`; empty with `generateName`.
    pub name: Cow<'a, str>,
    /// `metadata.creationTimestamp`; empty on CREATE.
    pub created: Cow<'a, str>,
    /// `metadata.labels`.
    pub labels: Meta<'a>,
    /// `metadata.annotations`.
    pub annotations: Meta<'a>,
    /// JSON text of `spec`; empty when absent.
    pub spec: &'a str,
    /// `metadata.managedFields`, if it is a list.
    pub managed_fields: Option<List<'a>>,
}

/// Node selector keys that no node carries: how a `DaemonSet` is switched off without being deleted.
///
/// The first is what cilium-cli sets instead of deleting `aws-node`; the others are the ones that Calico's and
/// Cilium's guides use. Whether *some* node carries a label cannot be known from a review, so no other key counts.
const PARKING: [&str; 4] = ["io.cilium/aws-node-enabled", "non-calico", "non-existing", "no-such-node"];

impl Object<'_> {
    /// Whether this is a `DaemonSet` whose node selector can match no node. Reads its pod's spec, so ask last.
    pub fn parked(&self) -> bool {
        let mut found = false;
        let read = pod_spec(self.spec, &mut |cursor, key| {
            if key != "nodeSelector" || cursor.token() == Some(b'n') {
                return cursor.skip().map(|_| ());
            }
            cursor.members("an object was expected", |cursor, key| {
                found |= PARKING.contains(&key);
                cursor.string().map(|_| ())
            })
        });
        read.is_ok() && found
    }

    /// Whether it runs images that only EKS ships (`…-eksbuild.N`). Reads its pod's spec, so ask last.
    pub fn eks_images(&self) -> bool {
        let mut found = false;
        let read = pod_spec(self.spec, &mut |cursor, key| {
            if key != "containers" || cursor.token() == Some(b'n') {
                return cursor.skip().map(|_| ());
            }
            cursor.items("a list was expected", |cursor| {
                cursor.members("an object was expected", |cursor, key| {
                    let value = cursor.skip()?;
                    found |= key == "image" && unescape(value).contains("-eksbuild.");
                    Ok(())
                })
            })
        });
        read.is_ok() && found
    }
}

/// Calls `member` with each key of `template.spec`.
fn pod_spec<'a>(
    spec: &'a str,
    member: &mut dyn FnMut(&mut Cursor<'a>, &str) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let inside = |wanted: &str,
                  cursor: &mut Cursor<'a>,
                  then: &mut dyn FnMut(&mut Cursor<'a>) -> Result<(), Malformed>| {
        cursor.members("an object was expected", |cursor, key| {
            if key == wanted { then(cursor) } else { cursor.skip().map(|_| ()) }
        })
    };
    inside("template", &mut Cursor::new(spec), &mut |cursor| {
        inside("spec", cursor, &mut |cursor| cursor.members("an object was expected", &mut *member))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_spec(spec: &str) -> String {
        format!(
            r#"{{"selector":{{}},"template":{{"metadata":{{}},"spec":{spec}}},"spec":{{"nodeSelector":{{"non-calico":"x"}}}}}}"#
        )
    }

    #[rstest::rstest]
    #[case(r#"{"nodeSelector":{"io.cilium/aws-node-enabled":"true"}}"#, true)]
    #[case(r#"{"nodeSelector":{"non-calico":"true","x":"y"}}"#, true)]
    #[case(r#"{"nodeSelector":{"kubernetes.io/os":"linux"}}"#, false)]
    #[case(r#"{"nodeSelector":{"team":"blue"}}"#, false)]
    #[case(r#"{"nodeSelector":{}}"#, false)]
    #[case(r#"{"nodeSelector":null}"#, false)]
    #[case(r#"{"nodeSelector":["io.cilium/aws-node-enabled"]}"#, false)]
    #[case("{}", false)]
    fn only_a_selector_that_is_known_to_park_counts_as_parked(#[case] spec: &str, #[case] parked: bool) {
        let spec = with_spec(spec);
        assert_eq!(Object { spec: &spec, ..Object::default() }.parked(), parked, "{spec}");
    }

    #[test]
    fn an_eksbuild_image_is_recognised() {
        let spec =
            with_spec(r#"{"containers":[{"name":"a"},{"image":"x/amazon-k8s-cni:v1.19.0-eksbuild.1"}]}"#);
        assert!(Object { spec: &spec, ..Object::default() }.eks_images());
        let spec = with_spec(r#"{"containers":[{"image":"x/amazon-k8s-cni:v1.19.0"}]}"#);
        assert!(!Object { spec: &spec, ..Object::default() }.eks_images());
    }
}
