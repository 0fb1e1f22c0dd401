//! One Kubernetes with one Helm: what is played, and what came of it.

use std::any::Any;

use crate::limits::{self, Limit};
use crate::scene::{ADOPT, Scene};
use crate::support::control_plane::ControlPlane;
use crate::support::fixtures::{CHART, CORE_FOUR, EKS_APPLY, EKS_APPLY_NEXT, VALUES};
use crate::support::steward::Steward;
use crate::support::versions::{Helm, Version};
use crate::{chart, story};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) version: Version,
    pub(crate) helm: Helm,
}

/// What is played, each on an API server of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A cluster that EKS made becomes Helm's, and in mode Block what was removed does not come back.
    Adopts,
    /// Our own chart comes, changes and goes.
    Installs,
}

pub(crate) const PARTS: [Part; 2] = [Part::Adopts, Part::Installs];

/// For each part nothing, or what did not hold.
pub(crate) type Seen = [Result<(), String>; 2];

/// What a part's result means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meaning {
    Held,
    /// It ended as a known limit of that version says.
    Limit(&'static Limit),
    /// It failed, or held where a limit says that it cannot.
    Failed,
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kubernetes {}, {}", self.version.minor(), self.helm.tool().name())
    }
}

impl Pair {
    /// Plays both parts. A part that panics, as a failed assertion does, has failed.
    pub(crate) fn play(self) -> Seen {
        PARTS.map(|part| {
            let run = move || match part {
                Part::Adopts => adopts(self),
                Part::Installs => chart::taken_by(self.version, &[self.helm]),
            };
            std::thread::spawn(run).join().map_err(|panic| words(&*panic))
        })
    }

    pub(crate) fn meaning(self, part: Part, seen: &Result<(), String>) -> Meaning {
        match (seen, limits::of(self, part)) {
            (Ok(()), None) => Meaning::Held,
            (Err(said), Some(limit)) if said.contains(limit.says) => Meaning::Limit(limit),
            _ => Meaning::Failed,
        }
    }

    /// In a word or two.
    pub(crate) fn told(self, part: Part, seen: &Result<(), String>) -> String {
        let held = match part {
            Part::Adopts => "adopts",
            Part::Installs => "installs",
        };
        match self.meaning(part, seen) {
            Meaning::Held => held.to_owned(),
            Meaning::Limit(limit) => format!("{} ({})", limit.told, limits::number(limit)),
            Meaning::Failed => format!("**failed**: {held}"),
        }
    }

    /// What failed, in full, if something did.
    pub(crate) fn failures(self, seen: &Seen) -> Option<String> {
        let failed = PARTS
            .into_iter()
            .zip(seen)
            .filter(|(part, seen)| matches!(self.meaning(*part, seen), Meaning::Failed));
        let told: Vec<String> = failed
            .map(|(part, seen)| {
                let said =
                    seen.as_ref().err().map_or("it holds, though a limit says that it cannot", |said| said);
                format!("{self}, {part:?}: {said}")
            })
            .collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// EKS made the cluster before we came: Helm refuses. With our webhook there, EKS's next write becomes Helm's, and all of a
/// release's life works with no flags. In the end, in mode Block, EKS cannot bring back what was uninstalled.
fn adopts(Pair { version, helm }: Pair) {
    let plane = ControlPlane::start(version);
    plane.eks_apply(EKS_APPLY).ok();
    plane.helm(helm, &["install", "aws-vpc-cni", CHART, "-n", "kube-system", "-f", VALUES]).refused();

    let mut scene = Scene { plane, steward: Steward::start(ADOPT) };
    scene.steward.register(&scene.plane);
    scene.plane.eks_apply(EKS_APPLY_NEXT).ok();
    scene.assert_helm_owns_all();
    scene.plane.assert_writes_nothing(|| scene.plane.eks_apply(EKS_APPLY_NEXT));
    story::released(&scene, helm);

    scene.steward = Steward::start("mode: Block");
    scene.steward.register(&scene.plane);
    let refused = scene.plane.eks_apply(EKS_APPLY);
    for kind in CORE_FOUR {
        assert!(refused.refused().contains(kind), "expected {kind} to be refused\n{refused}");
        assert!(scene.plane.find(kind, "aws-node").is_none(), "expected no {kind}\n{refused}");
    }
}
