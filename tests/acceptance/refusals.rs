//! What stands in the way besides conflicts: ownership marks, immutable places, CRDs.

use cni_steward::acceptance::fault::Why;
use cni_steward::acceptance::{Answer, Summary};
use serde_json::{Value, json};

use super::ask::{ask, conflicts, entry, rendered_settings, rendered_workload, settings, workload};

#[test]
fn missing_and_wrong_marks_are_named_in_helm_s_order_and_stop_both_helms() {
    let mut live = settings(&json!({}), &[("eks", json!({"f:data": {}}))]);
    live["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("other");
    live["metadata"]["labels"] = json!({});
    let forecast = ask(&live, &rendered_settings(&json!({})));
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::NotOwned, Answer::NotOwned));
    let told: Vec<_> =
        forecast.unowned.iter().map(|unowned| (unowned.key, unowned.found.as_deref())).collect();
    assert_eq!(told, [("app.kubernetes.io/managed-by", None), ("meta.helm.sh/release-name", Some("other"))]);
}

fn with_selector(labels: &Value) -> Value {
    let mut object = rendered_workload(&json!({}));
    object["spec"]["selector"]["matchLabels"] = labels.clone();
    object["spec"]["template"]["metadata"]["labels"] =
        json!({"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"});
    object
}

#[test]
fn another_selector_is_refused_and_the_value_that_cures_it_is_named() {
    let live = workload(&json!({}), &[("helm", json!({"f:image": {}}))]);
    let forecast = ask(&live, &with_selector(&json!({"app.kubernetes.io/name": "aws-node"})));
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Invalid, Answer::Invalid));
    assert_eq!(forecast.faults_4[0].why, Why::Immutable);
    assert_eq!(forecast.faults_4[0].original_match_labels, Some(true));
    // Helm 3 merges the labels of both.
    assert!(forecast.faults_3[0].wanted.contains("k8s-app"), "{}", forecast.faults_3[0].wanted);

    let mut live = live;
    live["spec"]["selector"]["matchLabels"] = json!({"app.kubernetes.io/name": "aws-node"});
    let forecast = ask(&live, &with_selector(&json!({"k8s-app": "aws-node"})));
    assert_eq!(forecast.faults_4[0].original_match_labels, Some(false));
}

#[test]
fn a_value_that_becomes_a_reference_makes_both_where_the_merge_keeps_the_value() {
    let fields = json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:value": {}}}});
    let reference =
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]});
    let value = json!({"env": [{"name": "A", "value": "1"}]});
    for (manager, helm_4) in [("eks", Answer::Invalid), ("helm", Answer::Accepts)] {
        let forecast = ask(&workload(&value, &[(manager, fields.clone())]), &rendered_workload(&reference));
        assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Invalid, helm_4), "held by {manager}");
        assert_eq!(forecast.faults_3[0].wanted, "value, valueFrom");
    }
}

fn schema(name: &str, manager: &str) -> (Value, Value) {
    let spec = json!({"f:group": {}, "f:preserveUnknownFields": {}, "f:versions": {}});
    let versions = json!([{"name": "v1", "served": true, "storage": true}]);
    let live = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "managedFields": [entry("apiextensions.k8s.io/v1", manager, &json!({"f:spec": spec}))]},
        "spec": {"group": "g", "versions": versions}});
    let rendered = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name}, "spec": {"group": "g", "versions": versions, "preserveUnknownFields": false}});
    (live, rendered)
}

#[test]
fn a_crd_needs_no_marks_and_conflicts_on_the_zero_value_that_is_never_stored() {
    let (live, rendered) = schema("eniconfigs.crd.k8s.amazonaws.com", "eks");
    let forecast = ask(&live, &rendered);
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Skips, Answer::Conflicts));
    assert_eq!(forecast.differs, Vec::<String>::new(), "false and nothing are the same in a stored CRD");
    assert_eq!(conflicts(&forecast), ["eks: .spec.preserveUnknownFields"]);
    assert!(Summary::of(&[forecast]).skip_crds);

    let (live, rendered) = schema("eniconfigs.crd.k8s.amazonaws.com", "helm");
    let forecast = ask(&live, &rendered);
    assert_eq!(forecast.helm_4, Answer::Accepts);
    assert!(!Summary::of(&[forecast]).skip_crds);
}

#[test]
fn helm_4_does_not_take_its_own_update_entry_on_a_crd_for_its_own() {
    let (live, rendered) = schema("eniconfigs.crd.k8s.amazonaws.com", "helm*");
    assert_eq!(conflicts(&ask(&live, &rendered)), ["helm: .spec.preserveUnknownFields"]);
}

#[test]
fn for_a_crd_of_the_control_plane_that_differs_skip_crds_is_recommended() {
    let (live, mut rendered) = schema("policyendpoints.networking.k8s.aws", "helm");
    rendered["spec"]["versions"][0]["served"] = json!(false);
    let forecast = ask(&live, &rendered);
    assert!(forecast.off_limits && forecast.differs.contains(&".spec.versions".to_owned()));
    let summary = Summary::of(&[forecast]);
    assert!(summary.skip_crds);
    assert_eq!((summary.helm_3, summary.helm_4_without_crds), (Answer::Accepts, Answer::Accepts));
}

#[test]
fn helm_4_never_gets_past_a_crd_in_conflict_to_the_ownership_check() {
    let (live, rendered) = schema("eniconfigs.crd.k8s.amazonaws.com", "eks");
    let mut unowned = settings(&json!({}), &[("eks", json!({"f:data": {}}))]);
    unowned["metadata"]["annotations"] = json!({});
    let summary = Summary::of(&[ask(&live, &rendered), ask(&unowned, &rendered_settings(&json!({})))]);
    let answers = (summary.helm_3, summary.helm_4, summary.helm_4_without_crds);
    assert_eq!(answers, (Answer::NotOwned, Answer::Conflicts, Answer::NotOwned));
}

#[test]
fn another_source_for_a_volume_makes_two_with_helm_4_where_another_holds_the_first() {
    let with = |source: &Value| {
        let mut object = rendered_workload(&json!({}));
        object["spec"]["template"]["spec"]["volumes"] = json!([{"name": "v"}]);
        let volume = &mut object["spec"]["template"]["spec"]["volumes"][0];
        volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        object
    };
    let mut live = with(&json!({"emptyDir": {}}));
    live["metadata"]["annotations"] = settings(&json!({}), &[])["metadata"]["annotations"].clone();
    let held = json!({"f:spec": {"f:template": {"f:spec": {"f:volumes": {
        "k:{\"name\":\"v\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}}}}}});
    live["metadata"]["managedFields"] = json!([entry("apps/v1", "eks", &held)]);
    let forecast = ask(&live, &with(&json!({"hostPath": {"path": "/x"}})));
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Accepts, Answer::Invalid));
    assert_eq!(forecast.faults_4[0].path, r#".spec.template.spec.volumes[name="v"]"#);
}

#[test]
fn another_handler_for_a_probe_makes_two() {
    let fields = json!({"f:livenessProbe": {"f:exec": {"f:command": {}}}});
    let live = workload(
        &json!({"livenessProbe": {"exec": {"command": ["a"]}, "timeoutSeconds": 1}}),
        &[("eks", fields)],
    );
    let forecast = ask(&live, &rendered_workload(&json!({"livenessProbe": {"tcpSocket": {"port": 1}}})));
    assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Invalid, Answer::Invalid));
}

#[test]
fn a_named_port_that_moves_to_another_number_has_its_name_twice_where_the_merge_keeps_the_old_one() {
    let port = |number: u16| json!({"ports": [{"name": "metrics", "containerPort": number}]});
    let fields = json!({"f:ports": {"k:{\"containerPort\":8162,\"protocol\":\"TCP\"}": {
        ".": {}, "f:containerPort": {}, "f:name": {}}}});
    for (manager, helm_4) in [("eks", Answer::Invalid), ("helm", Answer::Accepts)] {
        let forecast =
            ask(&workload(&port(8162), &[(manager, fields.clone())]), &rendered_workload(&port(8180)));
        assert_eq!((forecast.helm_3, forecast.helm_4), (Answer::Invalid, helm_4), "held by {manager}");
        let fault = &forecast.faults_3[0];
        assert_eq!((fault.why, &*fault.wanted), (Why::Twice, "\"metrics\""));
        assert_eq!(fault.path, r#".spec.template.spec.containers[name="aws-node"].ports"#);
    }
}
