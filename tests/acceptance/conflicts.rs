//! Whom Helm 4 meets on the paths that it writes.

use cni_steward::acceptance::Answer;
use serde_json::{Value, json};

use super::ask::{ask, conflicts, rendered_settings, rendered_workload, settings, workload};

fn data(keys: &[&str]) -> Value {
    let fields: serde_json::Map<String, Value> =
        keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
    json!({"f:data": fields})
}

#[test]
fn another_s_value_that_the_chart_changes_is_a_conflict_and_an_equal_one_is_shared() {
    let live = settings(&json!({"a": "1", "b": "2"}), &[("eks", data(&["a", "b"]))]);
    let forecast = ask(&live, &rendered_settings(&json!({"a": "1", "b": "3"})));
    assert_eq!(conflicts(&forecast), ["eks: .data.b"]);
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Accepts, Answer::Conflicts));
    let forecast = ask(&live, &rendered_settings(&json!({"a": "1", "b": "2"})));
    assert_eq!(forecast.helm_4, Answer::Accepts);
}

#[test]
fn a_value_that_nobody_holds_or_helm_itself_is_no_conflict() {
    for entries in [vec![("eks", data(&["b"]))], vec![("helm", data(&["a"]))], vec![("helm*", data(&["a"]))]]
    {
        let live = settings(&json!({"a": "1"}), &entries);
        let forecast = ask(&live, &rendered_settings(&json!({"a": "2"})));
        assert_eq!(conflicts(&forecast), Vec::<String>::new(), "{entries:?}");
    }
}

#[test]
fn each_manager_is_named_with_its_own_paths() {
    let entries = [("kubectl-edit*", data(&["a"])), ("eks", data(&["a", "b"]))];
    let live = settings(&json!({"a": "1", "b": "2"}), &entries);
    let forecast = ask(&live, &rendered_settings(&json!({"a": "x", "b": "y"})));
    assert_eq!(conflicts(&forecast), ["eks: .data.a", "eks: .data.b", "kubectl-edit: .data.a"]);
}

#[test]
fn an_object_that_says_nothing_about_its_fields_conflicts_with_what_was_before_the_first_apply() {
    let live = settings(&json!({"a": "1", "b": "2"}), &[]);
    let forecast = ask(&live, &rendered_settings(&json!({"a": "2"})));
    assert_eq!(conflicts(&forecast), ["before-first-apply: .data.a"]);
}

#[rstest::rstest]
#[case::args_are_one_value(json!({"args": ["-a"]}), json!({"args": ["-a", "-b"]}), json!({"f:args": {}}), &[".args"])]
#[case::variables_go_by_name(
    json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}),
    json!({"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}),
    json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:value": {}}, "k:{\"name\":\"B\"}": {".": {}, "f:value": {}}}}),
    &[".env[name=\"B\"].value"]
)]
#[case::a_port_without_a_protocol_is_a_tcp_port(
    json!({"ports": [{"containerPort": 61678, "protocol": "TCP", "name": "metrics"}]}),
    json!({"ports": [{"containerPort": 61678, "name": "other"}]}),
    json!({"f:ports": {"k:{\"containerPort\":61678,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}),
    &[".ports[containerPort=61678,protocol=\"TCP\"].name"]
)]
#[case::quantities_are_compared_as_text(
    json!({"resources": {"requests": {"cpu": "25m"}}}),
    json!({"resources": {"requests": {"cpu": "0.025"}}}),
    json!({"f:resources": {"f:requests": {"f:cpu": {}}}}),
    &[".resources.requests.cpu"]
)]
#[case::an_empty_value_is_not_stored_and_so_is_new_each_time(
    json!({"env": [{"name": "A"}]}),
    json!({"env": [{"name": "A", "value": ""}]}),
    json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}),
    &[".env[name=\"A\"].value"]
)]
#[case::numbers_are_compared_by_value(
    json!({"livenessProbe": {"timeoutSeconds": 10}}),
    json!({"livenessProbe": {"timeoutSeconds": 10.0}}),
    json!({"f:livenessProbe": {"f:timeoutSeconds": {}}}),
    &[]
)]
fn lists_and_scalars_are_compared_as_the_api_server_does(
    #[case] live: Value,
    #[case] rendered: Value,
    #[case] fields: Value,
    #[case] expected: &[&str],
) {
    let live = workload(&live, &[("eks", fields)]);
    let prefix = "eks: .spec.template.spec.containers[name=\"aws-node\"]";
    let expected: Vec<String> = expected.iter().map(|path| format!("{prefix}{path}")).collect();
    assert_eq!(conflicts(&ask(&live, &rendered_workload(&rendered))), expected);
}

/// `annotations:` with nothing behind it, as many templates render it.
#[test]
fn an_empty_map_in_the_chart_takes_nothing_away() {
    let fields = json!({"f:data": {".": {}, "f:a": {}}});
    let live = settings(&json!({"a": "1"}), &[("eks", fields)]);
    let forecast = ask(&live, &rendered_settings(&Value::Null));
    assert_eq!((forecast.helm_4, conflicts(&forecast)), (Answer::Accepts, vec![]));
}

#[test]
fn names_with_dots_and_slashes_are_written_as_the_api_server_writes_them() {
    let fields = json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/version": {}}}});
    let mut live = settings(&json!({}), &[("eks", fields)]);
    live["metadata"]["labels"]["app.kubernetes.io/version"] = json!("v1");
    let mut rendered = rendered_settings(&json!({}));
    rendered["metadata"]["labels"]["app.kubernetes.io/version"] = json!("v2");
    assert_eq!(conflicts(&ask(&live, &rendered)), ["eks: .metadata.labels.app.kubernetes.io/version"]);
}
