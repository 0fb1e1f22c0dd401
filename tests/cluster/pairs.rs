//! placeholder
use crate::support::suite::Case;
pub(crate) const CASES: &[Case] = &[];
