//! Where the fixtures are. What they stand for is said in `tests/fixtures/README.md`.

/// The chart of the VPC CNI.
pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chart");
/// What a person who adopts gives to Helm.
pub(crate) const VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/values.yaml");
/// What EKS installs differently.
pub(crate) const EKS_VALUES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/eks-values.yaml"
);
/// What EKS applies.
pub(crate) const EKS_APPLY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/eks-apply.yaml");
/// What a later EKS release applies.
pub(crate) const EKS_APPLY_NEXT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/eks-apply-next.yaml"
);

/// The six objects, as kind and name.
pub(crate) const OBJECTS: [(&str, &str); 6] = [
    (
        "CustomResourceDefinition",
        "eniconfigs.crd.k8s.amazonaws.com",
    ),
    ("ServiceAccount", "aws-node"),
    ("ConfigMap", "amazon-vpc-cni"),
    ("ClusterRole", "aws-node"),
    ("ClusterRoleBinding", "aws-node"),
    ("DaemonSet", "aws-node"),
];
/// The four of them that Cluster API deletes and that `Block` guards.
pub(crate) const CORE_FOUR: [&str; 4] = [
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "DaemonSet",
];
