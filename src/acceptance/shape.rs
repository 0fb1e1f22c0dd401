//! The schema of the catalogued kinds, as far as it decides who owns what.
//!
//! Source: client-go 0.36.3 `applyconfigurations/internal/internal.go` (the schema that the API server merges by, in
//! text), for the CRD apiextensions-apiserver 0.36.3 `pkg/apis/apiextensions/v1/types.go`. Only what differs from the
//! rule is listed: an object is a struct whose fields are owned one by one, a list is atomic and owned as a whole.
//! Kubernetes 1.24 says the same, but for fields that it does not have yet.

use crate::policy::Kind;

/// How the API server merges what stands in one place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// The rule above, for this place and all below.
    Plain,
    /// One value, owned as a whole.
    Atomic,
    /// An object with free keys.
    Map,
    /// An object with named fields; those not listed are plain.
    Struct(&'static [(&'static str, Shape)]),
    /// A list whose items are told apart by these keys, with the item's shape.
    Items(&'static [Key], &'static Shape),
    /// A list of scalars, each an item of its own.
    Scalars,
}

/// A key field of an item, and what it counts as when it is left out.
pub(super) type Key = (&'static str, Option<&'static str>);

use Shape::{Atomic, Items, Map, Plain, Scalars, Struct};

const NAME: &[Key] = &[("name", None)];

const METADATA: Shape = Struct(&[
    ("annotations", Map),
    ("finalizers", Scalars),
    ("labels", Map),
    ("ownerReferences", Items(&[("uid", None)], &Atomic)),
]);

const RESOURCES: Shape = Struct(&[("claims", Items(NAME, &Plain)), ("limits", Map), ("requests", Map)]);

const ENV: Shape = Struct(&[(
    "valueFrom",
    Struct(&[
        ("configMapKeyRef", Atomic),
        ("fieldRef", Atomic),
        ("fileKeyRef", Atomic),
        ("resourceFieldRef", Atomic),
        ("secretKeyRef", Atomic),
    ]),
)]);

const CONTAINER: Shape = Struct(&[
    ("env", Items(NAME, &ENV)),
    ("ports", Items(&[("containerPort", None), ("protocol", Some("TCP"))], &Plain)),
    ("resources", RESOURCES),
    ("volumeDevices", Items(&[("devicePath", None)], &Plain)),
    ("volumeMounts", Items(&[("mountPath", None)], &Plain)),
]);

const SECRET: Shape = Struct(&[("secretRef", Atomic)]);

const CLAIM: Shape = Struct(&[
    ("metadata", METADATA),
    (
        "spec",
        Struct(&[
            ("dataSource", Atomic),
            ("resources", Struct(&[("limits", Map), ("requests", Map)])),
            ("selector", Atomic),
        ]),
    ),
]);

const VOLUME: Shape = Struct(&[
    ("cephfs", SECRET),
    ("cinder", SECRET),
    ("csi", Struct(&[("nodePublishSecretRef", Atomic), ("volumeAttributes", Map)])),
    ("ephemeral", Struct(&[("volumeClaimTemplate", CLAIM)])),
    ("flexVolume", Struct(&[("options", Map), ("secretRef", Atomic)])),
    ("iscsi", SECRET),
    ("rbd", SECRET),
    ("scaleIO", SECRET),
    ("storageos", SECRET),
]);

const SPREAD: Shape = Struct(&[("labelSelector", Atomic)]);

const POD: Shape = Struct(&[
    (
        "affinity",
        Struct(&[("nodeAffinity", Struct(&[("requiredDuringSchedulingIgnoredDuringExecution", Atomic)]))]),
    ),
    ("containers", Items(NAME, &CONTAINER)),
    ("ephemeralContainers", Items(NAME, &CONTAINER)),
    ("hostAliases", Items(&[("ip", None)], &Plain)),
    ("imagePullSecrets", Items(NAME, &Atomic)),
    ("initContainers", Items(NAME, &CONTAINER)),
    ("nodeSelector", Atomic),
    ("overhead", Map),
    ("resourceClaims", Items(NAME, &Plain)),
    ("resources", RESOURCES),
    ("schedulingGates", Items(NAME, &Plain)),
    ("topologySpreadConstraints", Items(&[("topologyKey", None), ("whenUnsatisfiable", None)], &SPREAD)),
    ("volumes", Items(NAME, &VOLUME)),
]);

const DAEMON_SET: Shape = Struct(&[
    ("metadata", METADATA),
    ("spec", Struct(&[("selector", Atomic), ("template", Struct(&[("metadata", METADATA), ("spec", POD)]))])),
]);

const SERVICE_ACCOUNT: Shape = Struct(&[("metadata", METADATA), ("secrets", Items(NAME, &Atomic))]);
const CONFIG_MAP: Shape = Struct(&[("binaryData", Map), ("data", Map), ("metadata", METADATA)]);
const BINDING: Shape = Struct(&[("metadata", METADATA), ("roleRef", Atomic)]);
const PLAIN: Shape = Struct(&[("metadata", METADATA)]);

/// The shape of a whole object.
pub(super) const fn of(kind: Kind) -> Shape {
    match kind {
        Kind::DaemonSet => DAEMON_SET,
        Kind::ServiceAccount => SERVICE_ACCOUNT,
        Kind::ConfigMap => CONFIG_MAP,
        Kind::ClusterRoleBinding => BINDING,
        Kind::ClusterRole | Kind::CustomResourceDefinition => PLAIN,
    }
}

impl Shape {
    /// The shape of a field of an object of this shape.
    pub(super) fn field(self, name: &str) -> Self {
        match self {
            Self::Struct(fields) => {
                fields.iter().find(|(known, _)| *known == name).map_or(Self::Plain, |(_, shape)| *shape)
            }
            _ => Self::Plain,
        }
    }

    /// The shape of an item of a list of this shape.
    pub(super) const fn item(self) -> Self {
        match self {
            Self::Items(_, item) => *item,
            _ => Self::Plain,
        }
    }
}
