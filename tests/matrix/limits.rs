//! What some versions of Helm cannot do, whatever we do. Each limit is held to what is seen: a pair that fails in another way has failed,
//! and one that does not fail, too.

use crate::pair::{Pair, Part};
use crate::support::versions::Helm;

/// A limit that a version has by itself.
#[derive(Debug)]
pub(crate) struct Limit {
    helm: Helm,
    part: Part,
    /// What stands in the table.
    pub(crate) told: &'static str,
    /// In what was said when it was met.
    pub(crate) says: &'static str,
    /// What stands under the table.
    pub(crate) note: &'static str,
}

const LIMITS: &[Limit] = &[
    Limit {
        helm: Helm::First3,
        part: Part::Adopts,
        told: "does not adopt",
        says: "rendered manifests contain a resource that already exists",
        note: "Helm 3.0.0 knows no adoption: it refuses what exists, stamped or not. The stamps are read from Helm 3.2.0 on \
               ([helm#7649](https://github.com/helm/helm/pull/7649)).",
    },
    Limit {
        helm: Helm::First3,
        part: Part::Installs,
        told: "does not install",
        says: "not defined",
        note: "Helm 3.0.0 lacks template functions that our chart uses: `function \"fromYamlArray\" not defined`. That one came with 3.2.0 \
               ([helm#7712](https://github.com/helm/helm/pull/7712)), others later. Between it and 3.6.0 nothing was played, since these \
               tests need `helm template --kube-version`, which is of 3.6.0.",
    },
    Limit {
        helm: Helm::First4,
        part: Part::Adopts,
        told: "does not adopt",
        says: "metadata.managedFields must be nil",
        note: "Helm 4.0.0 fails at each object that it takes over: `metadata.managedFields must be nil`. Mended in 4.0.1 \
               ([helm#31510](https://github.com/helm/helm/issues/31510)).",
    },
    Limit {
        helm: Helm::First4,
        part: Part::Installs,
        told: "installs, an upgrade fails",
        says: "conflict with \"helm\" using",
        note: "Helm 4.0.0 creates what an upgrade adds in another way than what it installed, and a later upgrade that changes such an \
               object meets itself: `conflict with \"helm\" using rbac.authorization.k8s.io/v1: .rules`. Mended in 4.0.1 \
               ([helm#31516](https://github.com/helm/helm/issues/31516)).",
    },
];

/// The limit that stands in the way of this part.
pub(crate) fn of(pair: Pair, part: Part) -> Option<&'static Limit> {
    LIMITS.iter().find(|limit| limit.helm == pair.helm && limit.part == part)
}

/// Its number on the page.
pub(crate) fn number(limit: &Limit) -> usize {
    LIMITS.iter().position(|one| std::ptr::eq(one, limit)).map_or(0, |at| at + 1)
}

/// The notes under the table.
pub(crate) fn notes() -> String {
    let notes = LIMITS.iter().enumerate().map(|(at, limit)| format!("{}. {}\n", at + 1, limit.note));
    notes.collect::<Vec<_>>().concat()
}
