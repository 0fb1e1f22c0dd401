//! The time-boxed pause: an annotation with a time, at most 24 h ahead, during which nothing of ours acts on a target.
//!
//! The limit keeps a pause from becoming a forgotten permanent switch; CEL has no clock, so only we can decide it.

use jiff::{Timestamp, ToSpan};

/// What the annotation says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// There is none, or it is over.
    None,
    /// It holds until then.
    Until(Timestamp),
    /// It is not an RFC 3339 time.
    Unreadable,
    /// It lies more than 24 h ahead and does not count.
    TooFar,
}

/// Reads the annotation's value.
pub fn read(value: Option<&str>, now: Timestamp) -> Pause {
    let Some(value) = value else { return Pause::None };
    let Ok(until) = value.trim().parse::<Timestamp>() else { return Pause::Unreadable };
    // Timestamps reach to the year 9999; one day before the end of time the limit is the end of time.
    let limit = now.checked_add(24.hours()).unwrap_or(Timestamp::MAX);
    if until > limit {
        Pause::TooFar
    } else if until > now {
        Pause::Until(until)
    } else {
        Pause::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::none(None, Pause::None)]
    #[case::over(Some("2026-01-01T11:59:59Z"), Pause::None)]
    #[case::now(Some("2026-01-01T12:00:00Z"), Pause::None)]
    #[case::live(Some("2026-01-01T12:00:01Z"), Pause::Until("2026-01-01T12:00:01Z".parse().unwrap()))]
    #[case::offset(Some("2026-01-01T14:00:01+02:00"), Pause::Until("2026-01-01T12:00:01Z".parse().unwrap()))]
    #[case::exactly_a_day(Some("2026-01-02T12:00:00Z"), Pause::Until("2026-01-02T12:00:00Z".parse().unwrap()))]
    #[case::too_far(Some("2026-01-02T12:00:01Z"), Pause::TooFar)]
    #[case::date_only(Some("2026-01-01"), Pause::Unreadable)]
    #[case::words(Some("tomorrow"), Pause::Unreadable)]
    #[case::empty(Some(""), Pause::Unreadable)]
    fn a_pause_is_live_until_its_time_and_at_most_a_day(
        #[case] value: Option<&str>,
        #[case] expected: Pause,
    ) {
        assert_eq!(read(value, "2026-01-01T12:00:00Z".parse().unwrap()), expected);
    }
}
