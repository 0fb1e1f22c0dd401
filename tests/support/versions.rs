//! Which Kubernetes and which Helm a test runs with. Each has a folder of its own in `tests/control-plane`.

use super::tools::Tool;

/// Which Kubernetes, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// The oldest we promise to work with; has no matchConditions.
    V1_24,
    V1_25,
    V1_26,
    V1_27,
    /// The first with matchConditions that need no switch.
    V1_28,
    V1_29,
    /// The first with `ValidatingAdmissionPolicy` v1.
    V1_30,
    V1_31,
    V1_32,
    V1_33,
    V1_34,
    V1_35,
    /// What most tests run on.
    V1_36,
    V1_37,
}

impl Version {
    /// All that `make matrix` runs on.
    pub(crate) const ALL: [Self; 14] = [
        Self::V1_24,
        Self::V1_25,
        Self::V1_26,
        Self::V1_27,
        Self::V1_28,
        Self::V1_29,
        Self::V1_30,
        Self::V1_31,
        Self::V1_32,
        Self::V1_33,
        Self::V1_34,
        Self::V1_35,
        Self::V1_36,
        Self::V1_37,
    ];

    /// As in `--kube-version`.
    pub(crate) fn minor(self) -> &'static str {
        let server = self.server().name();
        server.rsplit_once('-').map_or(server, |(_, minor)| minor)
    }

    pub(crate) fn server(self) -> Tool {
        match self {
            Self::V1_24 => Tool::ApiServer124,
            Self::V1_25 => Tool::ApiServer125,
            Self::V1_26 => Tool::ApiServer126,
            Self::V1_27 => Tool::ApiServer127,
            Self::V1_28 => Tool::ApiServer128,
            Self::V1_29 => Tool::ApiServer129,
            Self::V1_30 => Tool::ApiServer130,
            Self::V1_31 => Tool::ApiServer131,
            Self::V1_32 => Tool::ApiServer132,
            Self::V1_33 => Tool::ApiServer133,
            Self::V1_34 => Tool::ApiServer134,
            Self::V1_35 => Tool::ApiServer135,
            Self::V1_36 => Tool::ApiServer136,
            Self::V1_37 => Tool::ApiServer137,
        }
    }
}

/// Which Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helm {
    /// The newest 3.
    V3,
    /// The newest 4.
    V4,
    /// The first 3 that there was.
    First3,
    /// The oldest 3 that was found to work: one whose `helm template` knows `--kube-version`.
    Old3,
    /// The first 4 that there was.
    First4,
    /// The oldest 4 that works.
    Old4,
}

impl Helm {
    /// All that `make matrix` runs, from old to new.
    pub(crate) const ALL: [Self; 6] =
        [Self::First3, Self::Old3, Self::V3, Self::First4, Self::Old4, Self::V4];

    /// Whether it applies on the client's side, as every 3 does.
    pub(crate) fn is_3(self) -> bool {
        matches!(self, Self::First3 | Self::Old3 | Self::V3)
    }

    pub(crate) fn tool(self) -> Tool {
        match self {
            Self::V3 => Tool::Helm3,
            Self::V4 => Tool::Helm4,
            Self::First3 => Tool::Helm3First,
            Self::Old3 => Tool::Helm3Old,
            Self::First4 => Tool::Helm4First,
            Self::Old4 => Tool::Helm4Old,
        }
    }
}
