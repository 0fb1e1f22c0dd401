//! What has to be done next about the certificates of a cluster, in the order in which trust demands it.
//!
//! A new leaf goes the same way whether its authority is new or not: made and stored as *coming*; its authority told to
//! the API servers; served for the canary's name alone until an API server has been seen to trust it there, and every
//! other has had time to hear of it; then put in force. So a leaf that no API server would accept (a clock far ahead, a
//! bundle that does not arrive) is found out before anybody depends on it.
//!
//! Each step is one write, of the Secret or of the `caBundle`, against the version that was read; [`plan`] is made anew
//! from what is stored after each. Nothing is remembered between steps but for how long something has been seen, so it
//! does not matter who makes the next one, or when. The configuration is to be read before the Secret: then a bundle
//! that was planned from an old Secret cannot overwrite one that was written from a newer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::keeping::{Authority, Leaf};
use super::{AUTHORITY_LIFE, Bundle, Coverage, Fingerprint, Keeping, days};

pub mod carry_out;
mod due;

pub use carry_out::{Changes, carry_out};

/// How long things live, and how long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authority; it is replaced when a third is left.
    pub authority: SignedDuration,
    /// A leaf; it is renewed when a third is left.
    pub leaf: SignedDuration,
    /// How long an API server may take to hear of a change.
    pub settle: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { authority: AUTHORITY_LIFE, leaf: days(90), settle: Duration::from_mins(2) }
    }
}

/// With nothing served yet there is nothing to lose, only the first reviews to win.
pub(super) const FIRST: Duration = Duration::from_secs(2);
/// An answer of the canary that is older says nothing about now.
const FRESH: Duration = Duration::from_secs(20);
/// How many settling times a leaf waits that cannot be proven but is needed.
const UNPROVEN: u32 = 5;
/// Clocks that differ by more are not both right.
const DOUBT: SignedDuration = SignedDuration::from_mins(15);

/// What the canary said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// It was not sent yet, or did not come back.
    Silent,
    /// An API server trusted this leaf, so long ago.
    Trusted(Fingerprint, Duration),
}

/// What was seen beside the Secret.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The time by the API server: it is the one that judges.
    pub now: Timestamp,
    /// The time by our own clock, a second witness.
    pub own: Timestamp,
    /// The moment on the monotonic clock.
    pub at: Duration,
    /// What each entry of ours holds; empty when there is none.
    pub entries: &'a [Bundle],
    /// Whether the configuration is as it was created, our first write aside: then nobody was told to trust anything.
    pub young: bool,
    /// For how long.
    pub coverage: &'a Coverage,
    /// The canary.
    pub canary: Canary,
    /// The last Secret with a whole leaf that this replica saw.
    pub memory: Option<&'a Keeping>,
    /// What this replica serves.
    pub served: Option<&'a Leaf>,
}

/// What to do next; both may be done, in this order.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What every entry has to hold, when one does not.
    pub trust: Option<Bundle>,
    /// What has to be written into the Secret.
    pub secret: Option<Step>,
    /// What is being waited for.
    pub waiting: Option<Waiting>,
}

/// One write of the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write again what this replica remembers, because it is gone or damaged.
    Restore,
    /// Make a coming authority, and a coming leaf under it.
    NewAuthority(String),
    /// Make a coming leaf under the authority of this fingerprint.
    NewLeaf(Fingerprint, String),
    /// Put what is coming in force.
    Promote {
        /// Whether an API server was seen to trust it.
        proven: bool,
    },
    /// Keep the list of replaced authorities true: add what is trusted and unknown, drop what has expired.
    Remember,
}

impl Step {
    /// Its name: in metrics, logs and tests that stop here.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::NewAuthority(_) => "new_authority",
            Self::NewLeaf(..) => "new_leaf",
            Self::Promote { .. } => "promote",
            Self::Remember => "remember",
        }
    }

    /// All names, and that of the write that is no Secret's.
    pub const NAMES: [&'static str; 6] =
        ["restore", "new_authority", "new_leaf", "promote", "remember", "trust"];
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Waiting {
    /// An entry lacks the coming authority.
    #[error("for every entry of the webhook configuration to trust the coming authority")]
    Bundle,
    /// Time.
    #[error("for every API server to hear of the coming authority")]
    Settling,
    /// Proof.
    #[error("for an API server to call the canary's name and trust the coming leaf there")]
    Canary,
    /// The clocks.
    #[error("because this clock and the API server's differ by more than 15 minutes")]
    Clocks,
}

/// Says what to do next. `keeping` is what the Secret holds, empty when there is none.
pub fn plan(lives: &Lifetimes, keeping: &Keeping, seen: &Seen<'_>) -> Plan {
    let doubt = seen.own.duration_since(seen.now).abs() > DOUBT;
    // Expired is what both witnesses call so.
    let judged = seen.now.min(seen.own);
    let wanted =
        Bundle::wanted(keeping, seen.memory, seen.served.map(|leaf| &leaf.signer), seen.entries, judged);
    let in_order = wanted.is_empty() || seen.entries.iter().all(|entry| entry.says(&wanted));
    let mut plan = Plan { trust: (!in_order).then_some(wanted), ..Plan::default() };
    if keeping.leaf.is_none() && seen.memory.is_some_and(|memory| memory.leaf.is_some()) {
        plan.secret = Some(Step::Restore);
        return plan;
    }
    // One clock that is wrong must not bring about what it fears.
    let urgent = [seen.now, seen.own].iter().all(|now| is_urgent(lives, keeping.leaf.as_ref(), *now));
    match due::making(lives, keeping, seen, urgent) {
        Some(_) if doubt && !(urgent && keeping.next_leaf.is_none()) => plan.waiting = Some(Waiting::Clocks),
        Some(step) => plan.secret = Some(step),
        None => match (&keeping.next_leaf, doubt && !urgent) {
            (Some(_), true) => plan.waiting = Some(Waiting::Clocks),
            (Some(next), false) => match promotion(lives, keeping, next, seen, urgent) {
                Ok(step) => plan.secret = Some(step),
                Err(waiting) => plan.waiting = Some(waiting),
            },
            (None, _) => {}
        },
    }
    if plan.secret.is_none() && !doubt && due::forgetful(keeping, seen.entries, judged) {
        plan.secret = Some(Step::Remember);
    }
    plan
}

/// True when waiting for proof costs more than it can save.
fn is_urgent(lives: &Lifetimes, leaf: Option<&Leaf>, now: Timestamp) -> bool {
    leaf.is_none_or(|leaf| {
        now < leaf.certificate.not_before || leaf.certificate.not_after.duration_since(now) < lives.leaf / 10
    })
}

fn promotion(
    lives: &Lifetimes,
    keeping: &Keeping,
    next: &Leaf,
    seen: &Seen<'_>,
    urgent: bool,
) -> Result<Step, Waiting> {
    let covered = seen.coverage.of(seen.at, &next.signer).ok_or(Waiting::Bundle)?;
    let nobody_serves = seen.young && keeping.leaf.is_none() && keeping.old.is_empty();
    let proven = matches!(seen.canary, Canary::Trusted(leaf, ago)
        if leaf == next.certificate.fingerprint() && ago <= FRESH);
    if nobody_serves && covered >= FIRST.min(lives.settle) {
        return Ok(Step::Promote { proven });
    }
    if covered < lives.settle {
        return Err(Waiting::Settling);
    }
    if proven || (urgent && covered >= lives.settle * UNPROVEN) {
        return Ok(Step::Promote { proven });
    }
    Err(Waiting::Canary)
}

/// Law 9, as every replica keeps it by itself: whether to serve `offered`, the Secret's leaf, instead of `served`.
/// `covered` is for how long this replica has seen the bundle cover it.
pub fn may_serve(
    lives: &Lifetimes,
    served: Option<&Leaf>,
    offered: &Leaf,
    covered: Option<Duration>,
    now: Timestamp,
) -> bool {
    served.is_none_or(|served| {
        served.signer.fingerprint() == offered.signer.fingerprint()
            || now >= served.certificate.not_after
            || covered.is_some_and(|covered| covered >= lives.settle)
    })
}

/// True while an authority can sign.
fn signs(authority: &Authority, now: Timestamp) -> bool {
    authority.key.is_some() && now < authority.certificate.not_after
}

#[cfg(test)]
mod tests;
