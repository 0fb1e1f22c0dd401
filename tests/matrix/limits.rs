//! What some versions of Helm cannot do, whatever we do. Each limit is held to what is seen: a pair that fails in another way has failed,
//! and one that does not fail, too.

use crate::pair::{Pair, Part};
use crate::support::versions::Helm;

/// A limit that a version has by itself.
#[derive(Debug)]
pub(crate) struct Limit {
    helm: Helm,
    part: Part,
    /// In what was said when it was met.
    pub(crate) says: &'static str,
    /// What stands under the table.
    pub(crate) note: &'static str,
}

const LIMITS: &[Limit] = &[];

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
    LIMITS.iter().enumerate().map(|(at, limit)| format!("{}. {}\n", at + 1, limit.note)).collect()
}
