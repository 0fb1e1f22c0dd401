//! What is no review, and what is told about it.

use cni_steward::telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Reply, post};
use crate::server::{Server, echo, echoing, short, start};

async fn ask(server: &Server, request: &str) -> Reply {
    let mut client = server.connect().await;
    client.send(request).await;
    client.reply().await.unwrap()
}

async fn get(server: &Server, path: &str) -> String {
    let mut plain = TcpStream::connect(server.telemetry).await.unwrap();
    plain
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut page = String::new();
    plain.read_to_string(&mut page).await.unwrap();
    page
}

/// Fault 26.
#[tokio::test]
async fn only_json_is_a_review() {
    let server = echoing().await;
    for good in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(ask(&server, &post("{}").replace("application/json", good)).await.status, 200, "{good}");
    }
    for bad in ["application/vnd.kubernetes.protobuf", "text/json", "application/jsonx", ""] {
        let reply = ask(&server, &post("{}").replace("application/json", bad)).await;
        assert_eq!(reply.status, 415, "{bad}");
        assert!(reply.body.contains("must have Content-Type: application/json"), "{}", reply.body);
        assert!(reply.body.starts_with(r#"{"kind":"Status","apiVersion":"v1""#), "{}", reply.body);
    }
    let none = post("{}").replace("content-type: application/json\r\n", "");
    assert_eq!(ask(&server, &none).await.status, 415);
    let gzip = post("{}").replace("host: x", "content-encoding: gzip");
    let reply = ask(&server, &gzip).await;
    assert_eq!(reply.status, 415);
    assert!(reply.body.contains("must not be compressed"), "{}", reply.body);
}

/// Fault 28.
#[tokio::test]
async fn wrong_methods_and_paths_are_told_the_right_ones() {
    let server = echoing().await;
    let reply = ask(&server, "GET /mutate HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(reply.status, 405);
    assert!(reply.head.contains("allow: post\r\n"), "{}", reply.head);
    assert_eq!(ask(&server, &post("{}").replace("POST", "PUT")).await.status, 405);
    assert_eq!(ask(&server, &post("{}").replace("/mutate", "/readyz")).await.status, 405);
    let reply = ask(&server, &post("{}").replace("/mutate", "/validate")).await;
    assert_eq!(reply.status, 404);
    assert!(reply.body.contains("reviews go to /mutate"), "{}", reply.body);
    server.counts(r#"cni_steward_requests_refused_total{code="405"} 3"#).await;
}

#[tokio::test]
async fn probes_answer_over_tls_and_on_the_plain_listener() {
    let server = echoing().await;
    for path in ["/livez", "/readyz"] {
        let reply = ask(&server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
        assert!(get(&server, path).await.starts_with("HTTP/1.1 200"));
    }
    assert!(get(&server, "/mutate").await.starts_with("HTTP/1.1 404"));
}

/// Faults 38, 39: no client would accept us, so no review sent now would be answered.
#[tokio::test]
async fn with_an_expired_certificate_it_is_alive_and_not_ready() {
    let server = echoing().await;
    server.metrics.serve_until(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    let page = get(&server, "/readyz").await;
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("the certificate has expired"), "{page}");
    let page = get(&server, "/readyz?verbose").await;
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("certificate: expires 2023-11-14"), "{page}");
    assert!(get(&server, "/livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_tell_what_was_decided() {
    let server = echoing().await;
    ask(&server, &post("{}")).await;
    let page = get(&server, "/metrics").await;
    assert!(
        page.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{page}"
    );
    for line in [
        r#"cni_steward_reviews_total{operation="CREATE",resource="daemonsets",verdict="leave",reason="test"} 1"#,
        "cni_steward_review_duration_seconds_count 1",
        "cni_steward_reviews_in_flight 0",
        "cni_steward_request_bytes_total 2",
        "cni_steward_response_bytes_total 11",
        r#"cni_steward_connections{door="telemetry"} 1"#,
        r#"cni_steward_policy_info{hash="abc",mode="Observe"} 1"#,
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "no {line} in {page}");
    }
}

/// Fault 34.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = echoing().await;
    let mut client = server.connect().await;
    client.send((0..50).map(|size| post(&" ".repeat(size))).collect::<String>()).await;
    for size in 0..50 {
        assert_eq!(client.reply().await.unwrap().body, format!("{{\"bytes\":{size}}}"));
    }
}

/// Fault 27. RFC 9112 §6.1: `Transfer-Encoding` wins and the connection ends, so nothing can hide behind it.
#[tokio::test]
async fn a_request_with_two_lengths_smuggles_nothing() {
    let server = echoing().await;
    for lengths in
        ["content-length: 4\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 4"]
    {
        let mut client = server.connect().await;
        let hidden = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
        let head = format!(
            "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{lengths}\r\n\r\n"
        );
        client.send(format!("{head}0\r\n\r\n{hidden}")).await;
        assert_eq!(client.reply().await.unwrap().body, r#"{"bytes":0}"#);
        assert!(client.is_closed().await, "{lengths}");
    }
    let mut client = server.connect().await;
    client.send(post("{}").replace("host: x", "content-length: 3")).await;
    assert_eq!(client.reply().await.unwrap().status, 400);
}

/// Fault 31: slow headers, and the pause between two requests.
#[tokio::test]
async fn a_slow_head_and_an_idle_connection_are_closed() {
    let server = start(short(), echo).await;
    let (mut slow, mut idle) = (server.connect().await, server.connect().await);
    slow.send("POST /mut").await;
    idle.send(post("{}")).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    assert!(idle.is_closed().await);
    assert!(slow.reply().await.is_none_or(|reply| reply.status == 408));
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let server = echoing().await;
    let mut client = server.connect().await;
    let endless = format!("POST /mutate HTTP/1.1\r\nx: {}\r\n", "y".repeat(1 << 20));
    client.try_send(endless).await.ok();
    assert!(client.reply().await.is_none_or(|reply| reply.status == 431));
}

/// The page and its documentation tell of the same metrics with the same labels, and no other.
#[tokio::test]
async fn every_metric_is_documented_and_every_documented_metric_is_there() {
    let server = echoing().await;
    ask(&server, &post("{}")).await;
    ask(&server, "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").await;
    drop(TcpStream::connect(server.address).await.unwrap());
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="closed_by_client"} 1"#).await;
    // What only happens in a cluster.
    let Metrics { lease, loops, repairs, trust, .. } = &*server.metrics;
    lease.failed("conflict");
    loops.set("repair", true);
    repairs.stands("DaemonSet/aws-node", None, "in-order");
    repairs.missed("DaemonSet/aws-node", "eks");
    repairs.ended("DaemonSet/aws-node", "done");
    repairs.wrote("DaemonSet/aws-node");
    repairs.contested("DaemonSet/aws-node", 1);
    repairs.contest("DaemonSet/aws-node");
    // A 0 would be an alarm where the certificate is somebody else's to look after.
    let page = get(&server, "/metrics").await;
    assert!(!page.lines().any(|line| line.starts_with("cni_steward_trust_in_order")), "{page}");
    trust.probe("webhook", true);
    trust.probed(1);
    trust.in_order(true);
    trust.authority_expires(1);
    trust.step("trust");
    trust.failed("trust", "conflict");
    trust.differs("rules", 0);
    let mut served: Vec<_> = get(&server, "/metrics").await.lines().filter_map(sample).collect();
    served.sort();
    served.dedup();
    let page = include_str!("../../docs/metrics.md");
    let mut told: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `cni_steward_")?.split('`').next())
        .map(|name| format!("cni_steward_{name}"))
        .collect();
    told.sort();
    assert_eq!(served, told);
}

/// `name{label,label}` of a line of the page, a histogram under its own name.
fn sample(line: &str) -> Option<String> {
    let name = line.rsplit_once(' ').filter(|_| line.starts_with("cni_steward_"))?.0;
    // `x{}` is the series `x`.
    let name = name.strip_suffix("{}").unwrap_or(name);
    let (name, labels) = name.split_once('{').unwrap_or((name, ""));
    if name.ends_with("_sum") || name.ends_with("_count") {
        return None;
    }
    let Some(name) = name.strip_suffix("_bucket").or(Some(name)).filter(|_| !labels.is_empty()) else {
        return Some(name.to_owned());
    };
    let labels: Vec<_> =
        labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label).collect();
    Some(if labels == ["le"] { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) })
}
