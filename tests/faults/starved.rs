//! Hardly any CPU, or less memory than it takes: what a container's limits do.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::client::post;
use crate::place::{BINARY, Place, READY, TIMEOUT, block_on};
use crate::support::cage::{Cage, Limit};
use crate::support::suite::Case;
use crate::support::tools::Tool;

const NEEDS: &[Tool] = &[Tool::ControlGroups];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "starved::fault_49_a_flood_never_reaches_the_chart_s_memory_limit",
        needs: NEEDS,
        run: || block_on(within_the_limit()),
    },
    Case {
        name: "starved::fault_49_no_review_becomes_more_than_the_chart_s_memory_limit",
        needs: NEEDS,
        run: || block_on(blown_up()),
    },
    Case {
        name: "starved::fault_49_killed_for_memory_it_starts_again_on_what_is_stored",
        needs: NEEDS,
        run: || block_on(killed()),
    },
    Case {
        name: "starved::fault_50_on_a_hundredth_of_a_core_reviews_are_answered_in_time",
        needs: NEEDS,
        run: || block_on(throttled()),
    },
];

/// `resources.limits.memory` of the chart, in bytes.
fn chart_limit() -> u64 {
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/cni-steward/values.yaml");
    let values: Value = serde_saphyr::from_str(&std::fs::read_to_string(values).unwrap()).unwrap();
    let limit = values["resources"]["limits"]["memory"].as_str().unwrap();
    limit.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() << 20
}

/// Starts 64 clients that send 8 MiB each; they end when `over` says so.
fn flood(place: &Place, over: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<()>> {
    let body = Arc::new(post(&" ".repeat((8 << 20) - 1)));
    let senders = (0..64).map(|_| {
        let (target, body, over) = (place.target(), Arc::clone(&body), Arc::clone(over));
        tokio::spawn(async move { target.flood(&body, || over.load(Ordering::Relaxed)).await })
    });
    senders.collect()
}

async fn within_the_limit() {
    let cage = Cage::new(Limit::Memory(chart_limit()));
    let mut place = Place::start_as(tempfile::tempdir().unwrap(), cage.command(BINARY));
    let over = Arc::new(AtomicBool::new(false));
    let senders = flood(&place, &over);
    let (mut kept, begun, mut answered) = (None, Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(6) {
        // In a flood 503 is an answer too: it says when to ask again.
        let reply = place.target().ask(&mut kept, &post(crate::place::REVIEW)).await;
        assert!([200, 503].contains(&reply.status), "{reply:?}");
        answered += u32::from(reply.status == 200);
    }
    over.store(true, Ordering::Relaxed);
    assert!(!place.program.has_ended(), "{}", place.program.said());
    assert_eq!(cage.counted("oom_kill"), 0);
    assert!(answered > 10, "{answered} reviews answered beside the flood");
    senders.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A review of about so many bytes, with a piece of it as often as fits.
fn of_pieces(bytes: usize, place: &str, piece: &dyn Fn(usize) -> String) -> String {
    let (mut text, mut at) = (String::new(), 0);
    while text.len() + 4000 < bytes {
        text.push_str(if at > 0 { "," } else { "" });
        text.push_str(&piece(at));
        at += 1;
    }
    let entry = |fields: &str| {
        format!(
            r#"{{"manager":"eks","operation":"Apply","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{{{fields}}}}}"#
        )
    };
    let (mut labels, mut managed, mut groups) = (String::new(), entry(""), String::new());
    let (mut uid, mut user, mut manager) = ("u".to_owned(), "admin".to_owned(), "eks".to_owned());
    match place {
        "uid" => uid = text,
        "user" => user = text,
        "manager" => manager = text,
        "groups" => groups = text,
        "labels" => labels = text,
        "entries" => managed = text,
        "sets" => {
            // Two that differ in every path, so that both are opened.
            let (one, two) = text.split_at(text[..text.len() / 2].rfind(r#","f:"#).unwrap());
            managed = format!("{},{}", entry(one), entry(&two[1..]).replace("Apply", "Update"));
        }
        _ => managed = entry(&text),
    }
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{uid}","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"CREATE","userInfo":{{"username":"{user}","groups":[{groups}]}},"object":{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","labels":{{{labels}}},"managedFields":[{managed}]}}}},"oldObject":null,"dryRun":true,"options":{{"fieldManager":"{manager}"}}}}}}"#
    )
}

/// What it is, where it stands, and how the n-th is written.
type Piece<'p> = (&'p str, &'p str, &'p dyn Fn(usize) -> String);

/// What is made of a body takes more than the body; for whatever small pieces, never more than the container has.
async fn blown_up() {
    let cage = Cage::new(Limit::Memory(chart_limit()));
    let mut place = Place::start_as(tempfile::tempdir().unwrap(), cage.command(BINARY));
    let chain = |at: usize| format!(r#""f:{at:06}":{}{{}}{}"#, r#"{"f:":"#.repeat(250), "}".repeat(250));
    let pieces: [Piece<'_>; 14] = [
        ("names in order", "fields", &|at| format!(r#""f:{at:06}":{{}}"#)),
        ("names in no order", "fields", &|at| format!(r#""f:{at}":{{}}"#)),
        ("names in two entries", "sets", &|at| format!(r#""f:{at:06}":{{}}"#)),
        ("items in order", "fields", &|at| format!(r#""k:{{\"a\":{}}}":{{"f:a":{{}}}}"#, at + 1_000_000)),
        ("items in no order", "fields", &|at| format!(r#""k:{{\"a\":{at}}}":{{"f:a":{{}}}}"#)),
        ("chains in order", "fields", &chain),
        ("chains in no order", "fields", &|at| chain(at ^ 1)),
        ("chains in two entries", "sets", &chain),
        ("entries that are none", "entries", &|_| "0".to_owned()),
        ("labels", "labels", &|at| format!(r#""{at}":"""#)),
        ("groups", "groups", &|_| r#""""#.to_owned()),
        ("a long uid", "uid", &|_| format!("a{}", "ü".repeat(1000))),
        ("a long user", "user", &|_| format!("a{}", "ü".repeat(1000))),
        ("a long field manager", "manager", &|_| format!("a{}", "ü".repeat(1000))),
    ];
    // As large as may be, and small enough to be read.
    for (bytes, (what, place_of_it, piece)) in
        [8 << 20, 2 << 20, 512 << 10].into_iter().flat_map(|bytes| pieces.map(|piece| (bytes, piece)))
    {
        let mut client = place.target().connect().await.unwrap();
        client.try_send(post(&of_pieces(bytes, place_of_it, piece))).await.ok();
        let reply = client.reply().await;
        assert!(!place.program.has_ended(), "{what} of {bytes} bytes: {}", place.program.said());
        assert_eq!(cage.counted("oom_kill"), 0, "{what} of {bytes} bytes");
        let reply = reply.unwrap_or_else(|| panic!("{what} of {bytes} bytes: no answer"));
        let most = place.program.memory("VmHWM");
        println!("{what} of {bytes} bytes: {}, until now {most} kB at most", reply.status);
        assert!([200, 400].contains(&reply.status), "{what} of {bytes} bytes: {reply:?}");
    }
}

async fn killed() {
    // It starts in so little, and a flood's bodies do not fit.
    let cage = Cage::new(Limit::Memory(14 << 20));
    let mut place = Place::start_as(tempfile::tempdir().unwrap(), cage.command(BINARY));
    place.target().review(&mut None).await;
    let over = Arc::new(AtomicBool::new(false));
    let senders = flood(&place, &over);
    let status = tokio::task::spawn_blocking(move || (place.program.end(), place)).await.unwrap();
    let (status, place) = status;
    over.store(true, Ordering::Relaxed);
    senders.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(status.signal(), Some(9), "{status}: {}", place.program.said());
    assert!(cage.counted("oom_kill") > 0, "killed by somebody else");
    let ca = place.ca.clone();
    let place = Place::start_as(place.leave(), Command::new(BINARY));
    assert_eq!(place.ca, ca, "nobody has to register it again");
    place.target().review(&mut None).await;
}

async fn throttled() {
    let place = Place::start();
    let cage = Cage::new(Limit::Cpu(1));
    cage.take(place.program.pid());
    let target = place.target();
    let (mut kept, mut slowest) = (None, Duration::ZERO);
    for turn in 0..30 {
        // A new connection now and then: its handshake costs more than a review.
        if turn % 10 == 0 {
            kept = None;
        }
        let begun = Instant::now();
        target.review(&mut kept).await;
        slowest = slowest.max(begun.elapsed());
        sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(target.ask(&mut kept, READY).await.status, 200, "ready all the same");
    println!("the slowest review took {slowest:?} of {TIMEOUT:?}");
    assert!(cage.counted("nr_throttled") > 0, "it was never held back");
}
