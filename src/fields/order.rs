//! The API server's order of entries, and times.
//!
//! apimachinery `internal/managedfields.go`, `sortEncodedManagedFields`: operation, time in whole seconds (none
//! is the oldest), manager, apiVersion, subresource. The order matters because the check that spares an etcd
//! write compares entries pair by pair (apiserver `fieldmanager/equality.go`).

use std::cmp::Ordering;

use jiff::Timestamp;

use super::entry::Known;

/// Seconds since 1970; none and what is no time count as 0, the oldest.
fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_second)
}

/// How two entries stand to each other in a list that the API server wrote.
pub(super) fn compare(a: &Known<'_>, b: &Known<'_>) -> Ordering {
    a.operation
        .cmp(&b.operation)
        .then_with(|| seconds(a.time.as_deref()).cmp(&seconds(b.time.as_deref())))
        .then_with(|| a.manager.cmp(&b.manager))
        .then_with(|| a.api_version.cmp(&b.api_version))
        .then_with(|| a.subresource.cmp(&b.subresource))
}

/// Where `entry` belongs among `others`: before the first understood one that comes after it.
pub(super) fn place<'k>(entry: &Known<'_>, others: impl Iterator<Item = Option<&'k Known<'k>>>) -> usize {
    let mut count = 0;
    for other in others {
        if other.is_some_and(|known| compare(known, entry) == Ordering::Greater) {
            break;
        }
        count += 1;
    }
    count
}

/// The later of two times; what is no time never wins.
pub(super) fn later<'t>(a: Option<&'t str>, b: Option<&'t str>) -> Option<&'t str> {
    let parse = |time: Option<&'t str>| {
        time.and_then(|text| Some((text.parse::<Timestamp>().ok()?.as_second(), text)))
    };
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => Some(if b.0 > a.0 { b.1 } else { a.1 }),
        (a, b) => a.or(b).map(|(_, text)| text),
    }
}

/// RFC 3339 in whole seconds, as `metav1.Time` is written.
pub(super) fn stamp(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
