//! A story: one object, one policy, and a row of writes by everybody who writes to the VPC CNI.

use crate::manifest::KINDS;
use crate::policies::RULES;
use crate::random::Random;

/// What happens next; the details come from the step's own seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// EKS applies by force.
    Eks,
    /// EKS applies without force, as an add-on update with `resolveConflicts=NONE`.
    EksAsks,
    /// The managed add-on applies.
    Addon,
    /// Helm 4, Flux or Argo CD applies.
    OwnerApplies,
    /// Helm 3 patches.
    OwnerPatches,
    /// `kubectl apply`.
    KubectlApplies,
    /// `kubectl apply --server-side`, or another tool that applies a few fields.
    SomebodyApplies,
    /// `kubectl edit`, `label`, `set`, `patch`, or any other client.
    SomebodyEdits,
    /// Somebody changes or takes off our own labels and annotations.
    SomebodyTakesStamps,
    /// `kubectl replace` of a file.
    Replace,
    /// Somebody clears `managedFields` or writes it by hand.
    ListByHand,
    /// Many clients, one after another, so that the API server lumps the oldest together.
    Crowd,
    /// A controller writes the status.
    Status,
    /// Deleted; the next write creates.
    Delete,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) what: What,
    pub(crate) seed: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) kind: &'static str,
    /// Place in [`RULES`].
    pub(crate) rule: usize,
    /// How many steps happen before we are installed.
    pub(crate) before: usize,
    pub(crate) steps: Vec<Step>,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // The DaemonSet has by far the richest fields, and the status.
        let kind = if random.once_in(3) { "DaemonSet" } else { random.of(&KINDS) };
        let rule = random.below(RULES.len());
        let before =
            if random.once_in(2) || RULES[rule].text.contains("Block") { 1 + random.below(3) } else { 0 };
        let count = 4 + random.below(9);
        let steps = (0..count).map(|at| step(at, kind, &mut random)).collect();
        Self { seed, kind, rule, before, steps }
    }
}

fn step(at: usize, kind: &str, random: &mut Random) -> Step {
    let what = match random.below(100) {
        30..=33 => What::EksAsks,
        34 => What::Addon,
        35..=48 => What::OwnerApplies,
        49..=55 => What::OwnerPatches,
        56..=60 => What::KubectlApplies,
        61..=66 => What::SomebodyApplies,
        67..=78 => What::SomebodyEdits,
        79..=85 => What::SomebodyTakesStamps,
        86..=88 => What::Replace,
        89..=91 => What::ListByHand,
        92 => What::Crowd,
        93..=97 if matches!(kind, "DaemonSet" | "CustomResourceDefinition") => What::Status,
        0..=29 | 93..=97 => What::Eks,
        _ => What::Delete,
    };
    // Most objects start with EKS.
    let what = if at == 0 && !random.once_in(6) { What::Eks } else { what };
    Step { what, seed: random.next() }
}
