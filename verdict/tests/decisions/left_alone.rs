//! What is none of ours, or not to be touched now.

use serde_json::{Value, json};

use super::write::{Write, adopt, daemon_set, see, target};

#[test]
fn fault_18_deletion_subresources_and_connections_pass() {
    let object = daemon_set();
    let delete = Write::create(&object)
        .set("operation", json!("DELETE"))
        .set("object", Value::Null)
        .set("oldObject", object.clone());
    delete.judge(&adopt()).assert_left("outside-catalogue");
    let collection = delete.set("name", json!(""));
    collection.judge(&adopt()).assert_left("outside-catalogue");
    for subresource in ["status", "scale"] {
        let write = Write::update(&object, &object).set("subResource", json!(subresource));
        write.judge(&adopt()).assert_left("outside-catalogue");
    }
    Write::create(&object)
        .set("operation", json!("CONNECT"))
        .judge(&adopt())
        .assert_left("outside-catalogue");
}

#[test]
fn fault_21_a_name_that_is_still_to_be_generated_is_no_target() {
    let mut object = daemon_set();
    object["metadata"].as_object_mut().unwrap().remove("name");
    object["metadata"]["generateName"] = json!("aws-node");
    Write::create(&object).judge(&adopt()).assert_left("outside-catalogue");
}

#[rstest::rstest]
#[case::resembles("aws-node-2", "kube-system")]
#[case::prefix("aws", "kube-system")]
#[case::case("Aws-Node", "kube-system")]
#[case::namespace("aws-node", "default")]
fn names_that_only_resemble_ours_pass(#[case] name: &str, #[case] namespace: &str) {
    let mut object = daemon_set();
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!(namespace);
    Write::create(&object).judge(&adopt()).assert_left("outside-catalogue");
}

#[test]
fn the_same_kind_in_another_group_passes() {
    let write = Write::create(&daemon_set()).set(
        "resource",
        json!({"group": "extensions.example.org", "version": "v1", "resource": "daemonsets"}),
    );
    write.judge(&adopt()).assert_left("outside-catalogue");
}

#[test]
fn fault_24_what_an_over_broad_rule_sends_is_answered_from_the_head() {
    let head = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"name":"p","namespace":"n","operation":"CREATE","userInfo":{"username":"x"},"object":"#;
    let mut body = head.to_vec();
    body.extend_from_slice(b"this is not JSON, and is not looked at");
    let seen = see(&body, &adopt());
    seen.assert_left("outside-catalogue");
    assert_eq!(seen.response["uid"], "u");
}

#[test]
fn a_live_pause_keeps_our_hands_off() {
    let mut object = daemon_set();
    object["metadata"]["annotations"] = json!({"cni-steward.dev/allow-until": "2026-01-01T12:59:59Z"});
    Write::update(&daemon_set(), &object).judge(&adopt()).assert_left("paused");
}

#[test]
fn keys_in_any_order_are_understood() {
    let review = Write::create(&daemon_set()).review;
    let request = review["request"].as_object().unwrap();
    let reversed: serde_json::Map<String, Value> =
        request.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect();
    let body = json!({"request": reversed, "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
    assert_eq!(see(body.to_string().as_bytes(), &adopt()).reason(), "adopted");
    let pods = Write::create(&target("DaemonSet"))
        .set("resource", json!({"group": "", "version": "v1", "resource": "pods"}))
        .review;
    let body =
        json!({"request": pods["request"], "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
    assert_eq!(see(body.to_string().as_bytes(), &adopt()).reason(), "outside-catalogue");
}

#[test]
fn fault_20_an_untold_field_manager_is_inferred_from_what_changed() {
    let old = daemon_set();
    let mut object = old.clone();
    object["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T11:59:00Z");
    let write = Write::update(&old, &object).set("options", json!({"kind": "UpdateOptions"}));
    let seen = write.judge(&adopt());
    assert_eq!(seen.answer.record.manager, "eks");
    assert_eq!(seen.owners(), ["helm/Apply"]);
    Write::update(&old, &object).set("options", Value::Null).judge(&adopt());
}
