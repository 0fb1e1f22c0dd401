//! `mode: Block`.

use cni_steward_verdict::policy::Policy;
use serde_json::json;

use super::write::{Write, daemon_set, policy, target};

fn block() -> Policy {
    policy("mode: Block")
}

#[rstest::rstest]
fn the_core_four_are_not_created_again(
    #[values("DaemonSet", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")] kind: &str,
) {
    let seen = Write::create(&target(kind)).judge(&block());
    assert_eq!((seen.verdict(), seen.reason()), ("refuse", "blocked"));
    assert_eq!(seen.answer.status, 200, "a refusal is an answer, not an HTTP error");
    assert_eq!(seen.response["allowed"], false);
    let status = &seen.response["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
    let message = status["message"].as_str().unwrap();
    assert_eq!(message.matches(". ").count(), 1, "two sentences: {message}");
    assert!(message.contains(kind) && message.contains("mode Block"), "{message}");
    assert!(
        message.contains("cni-steward.dev/allow-until=2026-01-01T13:00:00Z"),
        "a command that works: {message}"
    );
}

#[rstest::rstest]
fn settings_and_schema_may_be_created(#[values("ConfigMap", "CustomResourceDefinition")] kind: &str) {
    Write::create(&target(kind)).judge(&block()).assert_left("in-order");
}

#[test]
fn an_update_is_never_refused() {
    let object = daemon_set();
    Write::update(&object, &object).judge(&block()).assert_left("in-order");
}

#[test]
fn exempt_writers_may_create() {
    Write::create(&daemon_set()).addon().judge(&block()).assert_left("exempt");
    let exempt = policy("mode: Block\nexempt: {managers: ['terraform*'], groups: [cni-admins]}");
    Write::create(&daemon_set()).manager("terraform-x").judge(&exempt).assert_left("exempt");
    let by_group =
        Write::create(&daemon_set()).set("userInfo", json!({"username": "joe", "groups": ["cni-admins"]}));
    by_group.judge(&exempt).assert_left("exempt");
    assert_eq!(Write::create(&daemon_set()).judge(&exempt).reason(), "blocked");
}

#[test]
fn a_parked_daemon_set_may_be_created() {
    let mut object = daemon_set();
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"io.cilium/aws-node-enabled": "true"});
    Write::create(&object).judge(&block()).assert_left("parked");
}

#[test]
fn a_live_pause_lets_a_create_through_and_a_dead_one_does_not() {
    let mut object = daemon_set();
    object["metadata"]["annotations"] = json!({"cni-steward.dev/allow-until": "2026-01-01T12:30:00Z"});
    Write::create(&object).judge(&block()).assert_left("paused");
    for dead in ["2026-01-01T11:59:59Z", "2026-01-02T12:00:01Z", "soon"] {
        object["metadata"]["annotations"] = json!({"cni-steward.dev/allow-until": dead});
        let seen = Write::create(&object).judge(&block());
        assert_eq!(seen.reason(), "blocked", "{dead}");
        let said = seen.warnings().iter().any(|text| text.contains("does not count"));
        assert_eq!(said, !dead.starts_with("2026-01-01"), "{dead}: {:?}", seen.warnings());
    }
}

#[test]
fn nothing_is_stamped() {
    let mut object = daemon_set();
    object["metadata"].as_object_mut().unwrap().remove("labels");
    Write::update(&object, &object).judge(&block()).assert_left("in-order");
}

#[test]
fn fault_19_dry_runs_are_decided_alike() {
    let seen = Write::create(&daemon_set()).set("dryRun", json!(true)).judge(&block());
    assert_eq!(seen.reason(), "blocked");
    assert!(seen.answer.record.dry_run);
}
