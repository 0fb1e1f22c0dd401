//! One answer each.

use std::time::Duration;

use cni_steward::cluster::{Cluster, Connection, Patch, Writer};
use serde_json::{Value, json};

use crate::script::{Answer, Script};
use crate::support::steward::{Steward, run};
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

/// As kubectl does: whoever answers there has shown no certificate.
#[tokio::test]
async fn over_plain_http_nobody_is_told_who_we_are() {
    let script = Script::new(vec![Answer::Now("200 OK", "{}".into())]);
    let plugin = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-program"});
    for user in [json!({"token": "hush"}), json!({"tokenFile": "no-such-file"}), json!({"exec": plugin})] {
        let got: Option<Value> = script.cluster_as(&user).await.get(&config_map()).await.unwrap();
        assert_eq!(got, Some(json!({})), "{user}");
    }
    for head in script.asked() {
        assert!(!head.to_lowercase().contains("authorization") && !head.contains("hush"), "{head}");
    }
    assert_eq!(script.asked().len(), 3);
}

/// They hold whole manifests, with whatever values a person gave to Helm.
#[tokio::test]
async fn of_helm_s_records_only_metadata_is_asked_for() {
    let nothing = json!({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}).to_string();
    let script = Script::new(vec![Answer::Now("200 OK", nothing)]);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = script.kubeconfig(folder.path());
    let output = run(&["status", "--kubeconfig", kubeconfig.to_str().unwrap()]);
    let asked = script.asked();
    let secrets: Vec<_> = asked.iter().filter(|head| head.contains("/secrets")).collect();
    assert!(!secrets.is_empty(), "expected questions about Helm's records, got {asked:#?}\n{output}");
    for head in secrets {
        assert!(head.starts_with("GET ") && head.contains("as=PartialObjectMetadataList"), "{head}");
    }
}

/// Any server of TLS will do to ask in vain; ours says what it was asked.
#[tokio::test]
async fn a_server_that_is_not_the_cluster_s_is_told_nothing() {
    let server = Steward::start("mode: Observe");
    let own = std::fs::read_to_string(server.ca()).unwrap();
    let other = cni_steward::pki::authority::make(cni_steward::telemetry::clock::now()).unwrap().cert;
    let folder = tempfile::tempdir().unwrap();
    let ask = async |authority: &str, name: &str| {
        std::fs::write(folder.path().join("ca.crt"), authority).unwrap();
        let url = format!("https://127.0.0.1:{}", server.port());
        let cluster = json!({"server": url, "certificate-authority": "ca.crt", "tls-server-name": name});
        let config = json!({
            "clusters": [{"name": "a", "cluster": cluster}], "users": [{"name": "a", "user": {"token": "hush"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}], "current-context": "a",
        });
        let file = folder.path().join("config");
        std::fs::write(&file, config.to_string()).unwrap();
        let request_timeout = Duration::from_secs(20);
        let connection = Connection { kubeconfig: vec![file], context: None, service: None, request_timeout };
        let cluster = Cluster::connect(&connection).await.unwrap();
        cluster.get::<Value>(&config_map()).await.is_ok_and(|object| object.is_some())
    };
    let code = "cni_steward_requests_refused_total{code=\"404\"}";
    let refused = || server.metrics().lines().filter(|line| line.starts_with(code)).count();
    for (authority, name) in [(&other, "localhost"), (&own, "wrong.example")] {
        assert!(!ask(authority, name).await);
        assert_eq!(refused(), 0, "{name}: it was asked\n{}", server.metrics());
    }
    assert!(!ask(&own, "localhost").await);
    assert_eq!(refused(), 1, "expected it to be asked when all is well\n{}", server.metrics());
}
