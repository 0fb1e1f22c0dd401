//! What strangers write into a review: it is told, and can neither pass for something else nor fill anything.

use crate::client::{Client, post, trusting};
use crate::program::{arg, serve};

const FORGED: &str = "a stranger's own line";
const NAME: &str = "joe-of-the-log";

/// A write that Block refuses, by a user whose name is a line of a log and steers a terminal.
fn review(field_manager: &str) -> String {
    let forged = format!("{NAME}\n{{\"level\":\"ERROR\",\"message\":\"{FORGED}\"}}\r\u{1b}[2J\u{202e}");
    serde_json::json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": format!("7f0c\n{forged}"), "kind": {"group": "apps", "version": "v1", "kind": "DaemonSet"},
        "resource": {"group": "apps", "version": "v1", "resource": "daemonsets"},
        "name": "aws-node", "namespace": "kube-system", "operation": "CREATE",
        "userInfo": {"username": forged, "groups": [forged]},
        "object": {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "aws-node", "namespace": "kube-system", "annotations": {"x": "content-of-it"}}},
        "options": {"fieldManager": format!("{field_manager}{forged}")}}})
    .to_string()
}

#[tokio::test]
async fn a_line_of_the_log_cannot_be_forged_and_holds_no_object() {
    for format in ["--log-format=text", "--log-format=json"] {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.yaml");
        std::fs::write(&policy, "mode: Block\nclusterApi: Leave\n").unwrap();
        let state = folder.path().join("state");
        let arguments =
            ["--standalone", "--state", arg(&state), "--policy", arg(&policy), format, "--log-level=debug"];
        let mut program = serve(&arguments);
        let ca = std::fs::read_to_string(state.join("ca.crt")).unwrap();
        let mut client = Client::connect(program.reviews, trusting(&ca), "localhost").await.unwrap();
        for manager in ["kubectl", ""] {
            client.send(post(&review(manager))).await;
            assert_eq!(client.reply().await.unwrap().status, 200);
        }
        // Its path is a stranger's word, too.
        client.send(post("{}").replace("/mutate", &format!("/%0a{FORGED}").replace(' ', "%20"))).await;
        assert_eq!(client.reply().await.unwrap().status, 404);
        program.hears("request refused");
        let said = program.said();
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(FORGED)).collect();
        assert_eq!(lines.len(), 2, "{format}: expected one line for each review in\n{said}");
        for line in &lines {
            assert!(
                !line.starts_with('{') || serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "{line}"
            );
            assert!(line.contains("blocked") && line.contains(NAME), "{line}");
        }
        let starts = |line: &&str| line.starts_with("{\"level\"") || line.starts_with(FORGED);
        assert_eq!(said.lines().find(starts), None, "{format}");
        let steers = |c: char| c.is_control() && c != '\n';
        assert_eq!(said.find(steers), None, "{format}: {said:?}");
        assert!(!said.contains("content-of-it"), "{format}: {said}");
        let metrics = program.page("/metrics");
        assert!(metrics.contains("verdict=\"refuse\""), "{metrics}");
        for word in [NAME, FORGED, "content-of-it", "aws-node"] {
            assert!(!metrics.contains(word), "{word} is on the page of metrics:\n{metrics}");
        }
        let plain = program.page("/mutate");
        assert!(plain.starts_with("HTTP/1.1 404"), "{plain}");
    }
}
