//! Whether a piece of a review that is repeated eight times as often costs much more than eight times as much.
//!
//! What is drawn is the piece and the place where it is repeated. CPU time of this thread is measured, not time, so that
//! other work on the machine does not count; and it is measured again before anything is said.

use std::fmt::Write as _;

use crate::Target;
use crate::draw::Draw;
use crate::review_laws::ask;

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
/// How often the piece is repeated more in the larger one.
const TIMES: usize = 8;
/// The larger review may cost so many times what eight smaller ones cost: n log n and caches that overflow stay below, n² is 8.
const MOST: u128 = 3;
/// Nanoseconds below which nothing is measured: the kernel adds up a thread's time in ticks of four milliseconds.
const LEAST: u128 = 16_000_000;

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let policy = &super::policy::all()[draw.below(super::policy::all().len())];
    let place = draw.below(9);
    let (manager, fields, text) = (draw.manager(), draw.fields(), draw.text());
    let piece = |at: usize| piece(place, at, &manager, &fields, &text);
    let times = SMALL / piece(1000).len().max(1) + 1;
    let (small, large) = (review(place, times, &piece), review(place, times * TIMES, &piece));
    let cost = |body: &str, times: usize| {
        let before = cpu();
        for _ in 0..times {
            let said = ask(body.as_bytes(), policy);
            drop(said.body.whole(body.as_bytes()));
        }
        cpu().saturating_sub(before)
    };
    let (mut of_small, mut of_large) = (0, cost(&large, 1));
    // Only what takes long is looked at more closely, and only what does so each time is told.
    for _ in 0..3 {
        if of_large < LEAST {
            return;
        }
        (of_small, of_large) = (cost(&small, 4 * TIMES), cost(&large, 4));
        if of_large < MOST * of_small.max(LEAST) {
            return;
        }
    }
    panic!(
        "{TIMES} times {} bytes cost {of_small} ns, {} bytes {of_large} ns; place {place}, piece {}",
        small.len(),
        large.len(),
        piece(1)
    );
}

/// Nanoseconds that this thread has run.
fn cpu() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default()
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

/// A CREATE by `eks` with the piece so many times in this place.
fn review(place: usize, times: usize, piece: &dyn Fn(usize) -> String) -> String {
    let mut all = String::new();
    for at in 0..times {
        write!(all, "{}{}", if at > 0 && place != 8 { "," } else { "" }, piece(at))
            .expect("a String takes all");
    }
    let entry = |fields: &str| {
        format!(
            r#"{{"manager":"eks","operation":"Update","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
        )
    };
    let mut list = "[]".to_owned();
    let (mut groups, mut labels) = (String::new(), String::new());
    match place {
        0 | 1 => list = format!("[{all}]"),
        2..=5 => list = format!("[{},{}]", entry(&format!("{{{all}}}")), entry(r#"{"f:spec":{}}"#)),
        6 => groups = all,
        7 => labels = all,
        // Deep, not long.
        _ => list = format!("[{}]", entry(&format!("{{{all}}}{}", "}".repeat(times)))),
    }
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7f0c","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"CREATE","userInfo":{{"username":"admin","groups":[{groups}]}},"object":{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","labels":{{{labels}}},"managedFields":{list}}}}},"oldObject":null,"options":{{"fieldManager":"eks"}}}}}}"#
    )
}
