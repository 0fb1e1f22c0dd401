//! Several forecasts as one: what `helm install` of the whole chart will say.

use super::forecast::{Answer, Forecast};
use crate::policy::Kind;

/// The whole install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How Helm 3 ends.
    pub helm_3: Answer,
    /// How Helm 4 ends with no flags.
    pub helm_4: Answer,
    /// How Helm 4 ends with `--skip-crds`.
    pub helm_4_without_crds: Answer,
    /// Whether `--skip-crds` is to be recommended: a CRD is the EKS control plane's, or is all that stands in the way.
    pub skip_crds: bool,
    /// Paths in conflict.
    pub conflicts: usize,
    /// Things that Helm 3 leaves for ever.
    pub leftovers: usize,
}

impl Summary {
    /// Draws the forecasts of one chart together.
    pub fn of(forecasts: &[Forecast]) -> Self {
        let is_crd = |forecast: &&Forecast| forecast.kind == Kind::CustomResourceDefinition;
        let worst = |answers: &mut dyn Iterator<Item = Answer>| {
            answers.fold(Answer::Accepts, |worst, answer| {
                if worst == Answer::Accepts && answer == Answer::Skips {
                    Answer::Accepts
                } else {
                    worst.max(answer)
                }
            })
        };
        let crds = worst(&mut forecasts.iter().filter(is_crd).map(|forecast| forecast.helm_4));
        let others =
            worst(&mut forecasts.iter().filter(|forecast| !is_crd(forecast)).map(|forecast| forecast.helm_4));
        let off_limits = forecasts.iter().any(|forecast| {
            forecast.off_limits && (!forecast.differs.is_empty() || !forecast.helm_4.is_well())
        });
        Self {
            helm_3: worst(&mut forecasts.iter().map(|forecast| forecast.helm_3)),
            // Helm 4 applies the CRDs before it looks at anything else.
            helm_4: if crds.is_well() { others } else { crds },
            helm_4_without_crds: others,
            skip_crds: off_limits || !crds.is_well(),
            conflicts: forecasts.iter().flat_map(|forecast| &forecast.conflicts).map(|c| c.paths.len()).sum(),
            leftovers: forecasts.iter().map(|forecast| forecast.leftovers.len()).sum(),
        }
    }
}
