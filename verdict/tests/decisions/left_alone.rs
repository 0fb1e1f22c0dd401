//! What is none of ours, or not to be touched now.

use serde_json::{Value, json};

use super::write::{Write, adopt, daemon_set, policy, see, target};

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

/// Every order of these.
fn orders<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = all.split_first() else { return vec![Vec::new()] };
    let with_first = |order: Vec<T>| {
        (0..all.len()).map(move |at| [&order[..at], std::slice::from_ref(first), &order[at..]].concat())
    };
    orders(rest).into_iter().flat_map(with_first).collect()
}

#[test]
fn keys_in_any_order_are_understood() {
    let block = policy("mode: Block");
    let pods = json!({"group": "", "version": "v1", "resource": "pods"});
    for (review, reason) in [
        (Write::create(&target("DaemonSet")), "blocked"),
        (Write::create(&target("ClusterRole")), "blocked"),
        (Write::create(&target("DaemonSet")).set("namespace", json!("default")), "outside-catalogue"),
        (Write::create(&target("DaemonSet")).set("resource", pods), "outside-catalogue"),
    ] {
        let request = review.review["request"].as_object().unwrap();
        for order in orders(&["uid", "resource", "name", "namespace", "operation", "object"]) {
            let told = order.iter().map(|key| ((*key).to_owned(), request[*key].clone()));
            let rest = request.iter().filter(|(key, _)| !order.contains(&key.as_str()));
            let rest = rest.map(|(key, value)| (key.clone(), value.clone()));
            let request: serde_json::Map<String, Value> = told.chain(rest).collect();
            let (version, kind) = ("admission.k8s.io/v1", "AdmissionReview");
            for body in [
                json!({"apiVersion": version, "kind": kind, "request": request}),
                json!({"request": request, "apiVersion": version, "kind": kind}),
            ] {
                assert_eq!(see(body.to_string().as_bytes(), &block).reason(), reason, "{order:?}");
            }
        }
    }
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

#[test]
fn where_another_webhook_touched_several_entries_eks_counts_as_the_writer_at_every_look() {
    let entry = |manager: &str, time: &str, fields: Value| {
        json!({"apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": manager,
            "operation": "Apply", "time": time})
    };
    let old = Write::create(&daemon_set()).judge(&adopt()).object;
    let helm = old["metadata"]["managedFields"][0].clone();
    assert_eq!(helm["manager"], "helm");
    let now = "2026-01-01T11:59:00Z";
    let written_by = |manager: &str| {
        let mut object = old.clone();
        let new = [entry(manager, now, json!({})), entry("helm", now, json!({})), helm.clone()];
        object["metadata"]["managedFields"] = json!(new);
        Write::update(&old, &object).manager("")
    };
    let first = written_by("eks").judge(&adopt());
    assert_eq!(first.answer.record.manager, "eks");
    // Both of Helm's are the stored one again, beside which an entry of eks would be all that is new.
    assert_eq!(first.object["metadata"]["managedFields"], json!([helm]));
    assert_eq!(Write::update(&old, &first.object).manager("").judge(&adopt()).patch, None);
    assert_eq!(written_by("kubectl").judge(&adopt()).answer.record.manager, "");
}

#[test]
fn entries_that_come_back_from_a_backup_are_no_write_of_theirs() {
    let mut old = Write::create(&daemon_set()).judge(&adopt()).object;
    old["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T11:30:00Z");
    let mut object = old.clone();
    let mut entries = daemon_set()["metadata"]["managedFields"].clone();
    entries[0]["time"] = json!("2025-12-01T00:00:00Z");
    entries.as_array_mut().unwrap().extend(old["metadata"]["managedFields"].as_array().unwrap().clone());
    object["metadata"]["managedFields"] = entries;
    let restored = Write::update(&old, &object).manager("").judge(&adopt());
    assert_eq!(restored.answer.record.manager, "");
    restored.assert_left("in-order");
    object["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T11:30:00Z");
    let written = Write::update(&old, &object).manager("").judge(&adopt());
    assert_eq!(written.answer.record.manager, "eks", "in the second of the write before");
}
