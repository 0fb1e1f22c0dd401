//! A watch, and what breaks it.

use std::time::Duration;

use cni_steward::cluster::Watching;
use serde_json::{Value, json};

use crate::script::{Answer, Script};
use crate::{config_map, status};

fn list(version: &str, items: &[Value]) -> Answer {
    let list = json!({
        "kind": "ConfigMapList", "apiVersion": "v1",
        "metadata": {"resourceVersion": version}, "items": items,
    });
    Answer::Now("200 OK", list.to_string())
}

fn stored(value: &str) -> Value {
    json!({"metadata": {"name": "amazon-vpc-cni"}, "data": {"value": value}})
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

/// The `value` of what is told next.
async fn value(watching: &mut Watching) -> Option<String> {
    let object: Option<Value> = watching.next().await.unwrap();
    let object = object?;
    assert_eq!(object["kind"], "ConfigMap", "an object says what it is, from a list too");
    Some(object["data"]["value"].as_str().unwrap().to_owned())
}

fn complete(value: &str) -> Value {
    let mut object = stored(value);
    object["kind"] = "ConfigMap".into();
    object["apiVersion"] = "v1".into();
    object
}

#[tokio::test]
async fn a_watch_tells_every_state_and_reads_anew_what_was_forgotten() {
    let gone =
        json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
    let script = Script::new(vec![
        list("5", &[stored("listed")]),
        Answer::Open(
            event("MODIFIED", &complete("changed"))
                + &event("BOOKMARK", &json!({"metadata": {"resourceVersion": "6"}}))
                + &event("DELETED", &complete("changed"))
                + &event("ADDED", &complete("made anew"))
                + &event("ERROR", &gone),
        ),
        list("9", &[]),
        Answer::Now("429 Too Many Requests\r\nretry-after: 1", status(429, "too many")),
        list("11", &[stored("back")]),
        Answer::Open(event("MODIFIED", &complete("last"))),
    ]);
    let mut watching = script.cluster().await.watch(config_map());
    assert_eq!(value(&mut watching).await.as_deref(), Some("listed"));
    assert_eq!(value(&mut watching).await.as_deref(), Some("changed"));
    assert_eq!(value(&mut watching).await, None, "deleted");
    assert_eq!(value(&mut watching).await.as_deref(), Some("made anew"));
    let error = watching.next::<Value>().await.unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert_eq!(value(&mut watching).await, None, "read anew, and it is not there");
    let error = watching.next::<Value>().await.unwrap_err();
    assert_eq!(error.reason(), "too_many_requests");
    let start = std::time::Instant::now();
    assert_eq!(value(&mut watching).await.as_deref(), Some("back"));
    assert!(start.elapsed() >= Duration::from_millis(900), "the server asked for a second");
    assert_eq!(value(&mut watching).await.as_deref(), Some("last"));

    let asked = script.asked();
    let list = "GET /api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Damazon-vpc-cni";
    assert!(asked.iter().all(|line| line.starts_with(list)), "everything is asked by name: {asked:#?}");
    assert!(asked[1].contains("&watch=1&") && asked[1].contains("&resourceVersion=5"), "{}", asked[1]);
    assert_eq!(asked.len(), 6, "{asked:#?}");
}

#[tokio::test]
async fn a_watch_that_is_dropped_and_taken_up_again_loses_nothing() {
    let script = Script::new(vec![
        list("5", &[stored("listed")]),
        Answer::Open(event("MODIFIED", &complete("changed"))),
    ]);
    let mut watching = script.cluster().await.watch(config_map());
    assert_eq!(value(&mut watching).await.as_deref(), Some("listed"));
    let patience = std::time::Instant::now();
    loop {
        assert!(patience.elapsed() < Duration::from_secs(20), "the change was lost");
        // Most of these are cut off in the middle.
        if let Ok(seen) = tokio::time::timeout(Duration::from_millis(3), value(&mut watching)).await {
            return assert_eq!(seen.as_deref(), Some("changed"));
        }
    }
}

#[tokio::test]
async fn a_watch_that_ends_at_once_is_not_asked_for_in_a_loop() {
    let script = Script::new(vec![list("5", &[]), Answer::Now("200 OK", String::new())]);
    let mut watching = script.cluster().await.watch(config_map());
    assert!(watching.next::<Value>().await.unwrap().is_none());
    assert!(watching.next::<Value>().await.is_err());
    // Each further turn waits longer: list fails on an empty answer now.
    let turns = async {
        loop {
            drop(watching.next::<Value>().await);
        }
    };
    let Err(_) = tokio::time::timeout(Duration::from_secs(2), turns).await;
    let asked = script.asked().len();
    assert!(asked <= 6, "{asked} requests in two seconds");
}

/// The trust keeper looks around each second while a certificate is coming; an API server may take longer for an answer.
#[tokio::test]
async fn who_looks_around_more_often_than_a_slow_server_answers_is_told_all_the_same() {
    let script = Script::answering(0, |turn, _| {
        std::thread::sleep(Duration::from_millis(400));
        match turn {
            0 => list("5", &[stored("listed")]),
            _ => Answer::Open(event("MODIFIED", &complete("changed"))),
        }
    });
    let mut told = script.cluster().await.watch(config_map()).told::<Value>();
    let mut seen = Vec::new();
    let patience = std::time::Instant::now();
    while seen.len() < 2 {
        assert!(patience.elapsed() < Duration::from_secs(20), "only {seen:?} was told");
        if let Ok(object) = tokio::time::timeout(Duration::from_millis(20), told.recv()).await {
            seen.push(object.unwrap().unwrap().unwrap()["data"]["value"].clone());
        }
    }
    assert_eq!(seen, ["listed", "changed"]);
    assert_eq!(script.asked().len(), 2, "each question is asked once");
}
