//! Our binary beside such an API server: it answers reviews, says what is wrong, and asks slowly.

use std::time::Duration;

use serde_json::json;

use crate::script::{self, Answer, Script};
use crate::status;
use crate::support::steward::Steward;
use crate::support::{free_port, until};

fn goes_on(answer: Answer, reason: &str, says: &str) {
    let script = Script::new(vec![answer]);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = format!("--kubeconfig={}", script.kubeconfig(folder.path()).display());
    let steward = Steward::start_with(
        "mode: Observe",
        &["--instance=kube-system/cni-steward", &kubeconfig, "--request-timeout=500ms"],
    );
    let counted = format!("cni_steward_lease_failures_total{{reason=\"{reason}\"}}");
    until(&format!("{counted} was there"), Duration::from_secs(20), || {
        steward.metrics().contains(&counted).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", steward.metrics()));
    let names = "leases.coordination.k8s.io kube-system/cni-steward: ";
    until(&format!("{says:?} was logged"), Duration::from_secs(20), || {
        let log = steward.log_lines().join("\n");
        (log.contains(names) && log.contains(says)).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", steward.log_lines().join("\n")));
    assert_eq!(steward.client().get("/readyz").unwrap().status, 200);

    let before = script.asked().len();
    std::thread::sleep(Duration::from_secs(3));
    let asked = script.asked().len() - before;
    assert!(asked <= 4, "{asked} requests in three seconds");
    let complaints =
        steward.log_lines().iter().filter(|line| line.contains("cannot be looked after")).count();
    assert_eq!(complaints, 1, "the same is not said again and again");
    assert!(steward.metrics().lines().any(|line| line == "cni_steward_leading 0"));
}

#[test]
fn overloaded() {
    let busy = Answer::Now("429 Too Many Requests\r\nretry-after: 1", status(429, "too many requests"));
    goes_on(busy, "too_many_requests", "too many requests (status 429)");
}

#[test]
fn broken() {
    let broken =
        Answer::Now("500 Internal Server Error", status(500, "etcdserver: mvcc: database space exceeded"));
    goes_on(broken, "server_error", "etcd is full");
}

#[test]
fn not_one() {
    goes_on(Answer::Now("200 OK", "<html>".into()), "garbage", "the answer cannot be understood");
}

#[test]
fn silent() {
    goes_on(Answer::Silence, "timeout", "no answer within 500ms");
}

#[test]
fn of_strangers() {
    let stranger = Answer::Now("401 Unauthorized", status(401, "Unauthorized"));
    goes_on(stranger, "unauthorized", "the credentials are not accepted: has the token expired?");
}

#[test]
fn down_and_then_there() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let kubeconfig = format!("--kubeconfig={}", script::kubeconfig(folder.path(), port).display());
    let steward = Steward::start_with("mode: Observe", &["--instance=kube-system/cni-steward", &kubeconfig]);
    let counted = "cni_steward_lease_failures_total{reason=\"unreachable\"}";
    until("it was found to be down", Duration::from_secs(20), || {
        steward.metrics().contains(counted).then_some(())
    })
    .unwrap();
    assert_eq!(steward.client().get("/readyz").unwrap().status, 200);

    let lease = json!({"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": null}});
    let _server = Script::at(port, vec![Answer::Now("200 OK", lease.to_string())]);
    until("it led", Duration::from_secs(20), || {
        steward.metrics().lines().any(|line| line == "cni_steward_leading 1").then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", steward.log_lines().join("\n")));
}
