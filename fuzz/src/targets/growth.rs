//! Whether a piece of a review that is repeated eight times as often costs much more than eight times as much.
//!
//! What is drawn is the piece, the place where it is repeated, and what is written over: nothing, or an object whose list
//! has as many entries.

use std::fmt::Write as _;

use crate::Target;
use crate::draw::Draw;
use crate::growth::{TIMES, excess};
use crate::review_laws::ask;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The target.
pub const TARGET: Target = Target {
    name: "growth",
    about: "a drawn piece repeated n and 8 n times in a review: not above three times what eight of the smaller cost",
    seeds: &[],
    dictionary: "fields.dict",
    longest: 256,
    run,
};

/// Bytes of the smaller review: below, what does not grow weighs too much.
const SMALL: usize = 16 << 10;
/// The same where two lists are compared: steps are cheap, so it takes more of them.
const SMALL_UPDATE: usize = 4 * SMALL;

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let policy = &super::policy::all()[draw.below(super::policy::all().len())];
    let place = draw.below(10);
    let (manager, fields, text) = (draw.manager(), draw.fields(), draw.text());
    let (update, reversed, untold) = (draw.flag(), draw.flag(), draw.flag());
    let stamped = format!(r#"{{"f:metadata":{{"f:labels":{{"f:{MANAGED_BY}":{{}}}}}},"f:spec":{{}}}}"#);
    let new = |at: usize| match place {
        9 => piece(1, at, &manager, &stamped, &text),
        _ => piece(place, at, &manager, &fields, &text),
    };
    let old = |at: usize| match place {
        9 => piece(1, at, &manager, r#"{"f:spec":{}}"#, &text),
        _ => new(at),
    };
    let length = if update { SMALL_UPDATE } else { SMALL };
    let times = length / new(1000).len().max(1) + 1;
    let written = |times: usize| {
        let all = joined(place, (0..times).map(new));
        let before = match (update, reversed) {
            (false, _) => None,
            (true, false) => Some(joined(place, (0..times).map(old))),
            (true, true) => Some(joined(place, (0..times).rev().map(old))),
        };
        let before = before.map_or("null".to_owned(), |all| holding(place, &all, times, "Helm"));
        let groups = if place == 6 { all.as_str() } else { "" };
        review(&holding(place, &all, times, "eks"), &before, groups, if untold { "" } else { "eks" })
    };
    let (small, large) = (written(times), written(times * TIMES));
    let costs = excess(&small, &large, |body| {
        let said = ask(body.as_bytes(), policy);
        drop(said.body.whole(body.as_bytes()));
    });
    if let Some((of_small, of_large)) = costs {
        panic!(
            "{TIMES} times {} bytes cost {of_small} ns, {} bytes {of_large} ns; place {place}, update {update}, \
             reversed {reversed}, untold {untold}, piece {}",
            small.len(),
            large.len(),
            new(1)
        );
    }
}

fn piece(place: usize, at: usize, manager: &str, fields: &str, text: &str) -> String {
    let quoted = |text: String| serde_json::Value::from(text).to_string();
    let entry = |manager: String| {
        format!(
            r#"{{"manager":{},"operation":"Update","apiVersion":"apps/v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}}"#,
            quoted(manager)
        )
    };
    match place {
        0 => entry(manager.to_owned()),
        1 => entry(format!("{manager}{at}")),
        2 => format!("{}:{fields}", quoted(format!("f:{text}{at}"))),
        3 => format!("{}:{fields}", quoted(format!("f:{text}"))),
        4 => format!("{}:{fields}", quoted(format!("k:{{\"name\":\"{at}\"}}"))),
        5 => format!("{}:{fields}", quoted(format!("v:{at}"))),
        6 => quoted(format!("{text}{at}")),
        7 => format!("{}:\"x\"", quoted(format!("{text}{at}"))),
        _ => format!("{}:{{", quoted(format!("f:{text}"))),
    }
}

/// All the pieces, as they stand in this place.
fn joined(place: usize, pieces: impl Iterator<Item = String>) -> String {
    let mut all = String::new();
    for (at, piece) in pieces.enumerate() {
        write!(all, "{}{piece}", if at > 0 && place != 8 { "," } else { "" }).expect("a String takes all");
    }
    all
}

/// An object with so many pieces in this place.
fn holding(place: usize, all: &str, times: usize, managed_by: &str) -> String {
    let entry = |fields: &str| {
        format!(
            r#"{{"manager":"eks","operation":"Update","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
        )
    };
    let list = match place {
        0 | 1 | 9 => format!("[{all}]"),
        2..=5 => format!("[{},{}]", entry(&format!("{{{all}}}")), entry(r#"{"f:spec":{}}"#)),
        6 | 7 => "[]".to_owned(),
        // Deep, not long.
        _ => format!("[{}]", entry(&format!("{{{all}}}{}", "}".repeat(times)))),
    };
    let labels = match place {
        7 => all.to_owned(),
        9 => format!(r#""{MANAGED_BY}":"{managed_by}""#),
        _ => String::new(),
    };
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","labels":{{{labels}}},"managedFields":{list}}}}}"#
    )
}

fn review(object: &str, old: &str, groups: &str, manager: &str) -> String {
    let operation = if old == "null" { "CREATE" } else { "UPDATE" };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7f0c","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"{operation}","userInfo":{{"username":"admin","groups":[{groups}]}},"object":{object},"oldObject":{old},"options":{{"fieldManager":"{manager}"}}}}}}"#
    )
}
