//! The API server's order of entries, and times.
//!
//! apimachinery `internal/managedfields.go`, `sortEncodedManagedFields`: operation, time in whole seconds (none
//! is the oldest), manager, apiVersion, subresource. The order matters because the check that spares an etcd
//! write compares entries pair by pair (apiserver `fieldmanager/equality.go`).

use jiff::Timestamp;

use super::entry::{Known, Operation};

/// Seconds since 1970; none and what is no time count as 0, the oldest.
fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_second)
}

/// What the API server sorts by, the first thing first.
pub(super) type Key<'k> = (Operation, i64, &'k str, &'k str, &'k str);

/// Where an entry stands in a list that the API server wrote.
pub(super) fn key<'k>(known: &'k Known<'_>) -> Key<'k> {
    let time = seconds(known.time.as_deref());
    (known.operation, time, &known.manager, &known.api_version, &known.subresource)
}

/// Where `entry` belongs among `others`: before the first understood one that comes after it.
pub(super) fn place<'k>(entry: &Known<'_>, others: impl Iterator<Item = Option<&'k Known<'k>>>) -> usize {
    let own = key(entry);
    others.take_while(|other| other.is_none_or(|known| key(known) <= own)).count()
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
