//! What the cluster room makes of an API server that is overloaded, full, silent or not one at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cni_steward::cluster::{Cluster, Connection, Patch, Reference, Watching, Writer};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

/// What is answered to each request in turn; the last is answered for ever.
#[derive(Clone)]
enum Answer {
    /// Status line and headers, body.
    Now(&'static str, String),
    /// A body that begins so and does not end.
    Open(String),
    /// Nothing.
    Silence,
}

/// Answers plain HTTP, and remembers the request lines.
struct Script {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let Some(line) = request(&connection) else { continue };
                let turn = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(line);
                    seen.len() - 1
                };
                let answer = answers.get(turn).or(answers.last()).unwrap();
                open.push(answer_with(connection, answer));
            }
        });
        Self { port, asked }
    }

    async fn cluster(&self) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let server = format!("http://127.0.0.1:{}", self.port);
        let config = json!({
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        });
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let request_timeout = Duration::from_millis(700);
        Cluster::connect(&Connection { kubeconfig: Some(kubeconfig), context: None, request_timeout })
            .await
            .unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The request line, once the whole head is read.
fn request(connection: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next()?.ok()?;
    for line in lines {
        if line.ok()?.is_empty() {
            break;
        }
    }
    Some(first)
}

fn answer_with(mut connection: TcpStream, answer: &Answer) -> Option<TcpStream> {
    match answer {
        Answer::Silence => Some(connection),
        Answer::Now(head, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            connection.write_all(text.as_bytes()).ok();
            None
        }
        Answer::Open(body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n");
            connection.write_all(text.as_bytes()).ok();
            Some(connection)
        }
    }
}

fn config_map() -> Reference {
    Reference::of::<ConfigMap>(Some("kube-system"), "amazon-vpc-cni")
}

fn status(code: u16, message: &str) -> String {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": message}).to_string()
}

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

#[tokio::test]
async fn an_overloaded_server_says_when_to_ask_again() {
    let busy = Answer::Now("429 Too Many Requests\r\nretry-after: 7", status(429, "too many"));
    let script = Script::new(vec![busy]);
    let error = script.cluster().await.get::<Value>(&config_map()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(!error.is_refused(), "{error}");
    assert_eq!(script.asked().len(), 1, "who asked decides whether to ask again");
}

#[tokio::test]
async fn a_full_etcd_is_named() {
    let full =
        Answer::Now("500 Internal Server Error", status(500, "etcdserver: mvcc: database space exceeded"));
    let script = Script::new(vec![full]);
    let cluster = script.cluster().await;
    let patch = Patch::Merge { manager: "cni-steward" };
    let error =
        cluster.patch::<Value>(&Writer::operator(), &config_map(), patch, &json!({})).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot patch configmaps kube-system/amazon-vpc-cni: "), "{text}");
    assert!(text.contains("database space exceeded") && text.contains("etcd is full"), "{text}");
    assert_eq!(error.reason(), "server_error");
}

#[tokio::test]
async fn what_is_no_api_server_is_not_believed() {
    for answer in [
        Answer::Now("200 OK", "<html>welcome</html>".into()),
        Answer::Now("200 OK", String::new()),
        Answer::Now("200 OK", "[".repeat(100_000)),
    ] {
        let script = Script::new(vec![answer]);
        let error = script.cluster().await.get::<Value>(&config_map()).await.unwrap_err();
        assert_eq!(error.reason(), "garbage", "{error}");
    }
    let script = Script::new(vec![Answer::Now("502 Bad Gateway", "<html>a proxy</html>".repeat(100))]);
    let error = script.cluster().await.get::<Value>(&config_map()).await.unwrap_err();
    assert_eq!(error.code(), Some(502));
    assert!(error.to_string().len() < 400, "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let script = Script::new(vec![Answer::Open(" ".repeat(9 << 20))]);
    let error = script.cluster().await.get::<Value>(&config_map()).await.unwrap_err();
    assert!(matches!(error.reason(), "unreachable" | "timeout"), "{error}");
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_time_limit() {
    let script = Script::new(vec![Answer::Silence]);
    let cluster = script.cluster().await;
    let start = std::time::Instant::now();
    let error = cluster.get::<Value>(&config_map()).await.unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error}");
    assert!(error.to_string().ends_with("no answer within 700ms"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    let mut watching = cluster.watch(config_map());
    assert_eq!(watching.next::<Value>().await.unwrap_err().reason(), "timeout");
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
