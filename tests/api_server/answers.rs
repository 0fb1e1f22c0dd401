//! One answer each.

use std::time::Duration;

use cni_steward::cluster::{Patch, Writer};
use serde_json::{Value, json};

use crate::script::{Answer, Script};
use crate::{config_map, status};

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

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_no_request() {
    let script = Script::new(vec![Answer::Kept("200 OK", "{}".into())]);
    let cluster = script.cluster().await;
    for _ in 0..20 {
        let got: Option<Value> = cluster.get(&config_map()).await.unwrap();
        assert_eq!(got, Some(json!({})));
        script.hang_up();
    }
    assert_eq!(script.asked().len(), 20, "each was asked once");
}
