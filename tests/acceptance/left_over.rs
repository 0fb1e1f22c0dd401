//! What is live and not rendered.

use serde_json::{Value, json};

use super::ask::{ask, rendered_settings, rendered_workload, settings, workload};

fn two() -> Value {
    json!({"f:data": {"f:a": {}, "f:b": {}}})
}

#[test]
fn helm_4_prunes_what_its_own_entry_alone_holds() {
    let chart = rendered_settings(&json!({"a": "1"}));
    let live = json!({"a": "1", "b": "2"});
    for (entries, holders, pruned) in [
        (vec![("helm", two())], vec!["helm/Apply"], true),
        (vec![("helm*", two())], vec!["helm/Apply"], true),
        (vec![("helm", two()), ("eks", two())], vec!["helm/Apply", "eks/Apply"], false),
        (vec![("eks", two())], vec!["eks/Apply"], false),
        (vec![("helm", two()), ("kubectl-edit*", two())], vec!["helm/Apply", "kubectl-edit/Update"], false),
    ] {
        let forecast = ask(&settings(&live, &entries), &chart);
        let found: Vec<_> = forecast.leftovers.iter().map(|left| (left.path.as_str(), left.pruned)).collect();
        assert_eq!(found, [(".data.b", pruned)], "{entries:?}");
        assert_eq!(forecast.leftovers[0].holders, holders);
    }
}

#[test]
fn what_nobody_holds_is_a_default_and_what_is_ours_is_not_the_chart_s() {
    let mut live = workload(
        &json!({"image": "a", "terminationMessagePath": "/dev/termination-log"}),
        &[("helm", json!({".": {}, "f:name": {}, "f:image": {}}))],
    );
    live["metadata"]["labels"]["cni-steward.dev/installed-by"] = json!("eks");
    live["metadata"]["labels"]["aws.cluster.x-k8s.io/prevent-deletion"] = json!("true");
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"] = json!({"f:labels": {
        "f:cni-steward.dev/installed-by": {}, "f:aws.cluster.x-k8s.io/prevent-deletion": {}}});
    assert_eq!(ask(&live, &rendered_workload(&json!({"image": "a"}))).leftovers, []);
}

#[test]
fn a_whole_item_is_named_once_and_each_leftover_has_its_command() {
    let item = json!({".": {}, "f:name": {}, "f:value": {}});
    let fields = json!({".": {}, "f:name": {}, "f:env": {"k:{\"name\":\"A\"}": item}, "f:args": {},
        "f:volumeMounts": {"k:{\"mountPath\":\"/it's\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}});
    let container = json!({"args": ["-v"], "env": [{"name": "A", "value": "1"}],
        "volumeMounts": [{"mountPath": "/it's", "name": "v"}]});
    let mut live = workload(&container, &[("helm", fields)]);
    live["metadata"]["labels"]["team"] = json!("net");
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"] = json!({"f:labels": {"f:team": {}}});
    let mut rendered =
        rendered_workload(&json!({"env": [], "volumeMounts": [{"mountPath": "/b", "name": "b"}]}));
    rendered["metadata"]["labels"]["app"] = json!("x");
    let forecast = ask(&live, &rendered);
    let commands: Vec<&str> = forecast.leftovers.iter().map(|left| left.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "kubectl label daemonset aws-node -n kube-system team-",
            "kubectl patch daemonset aws-node -n kube-system --type=strategic -p \
             '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"aws-node\",\"args\":null}]}}}}'",
            "kubectl set env daemonset aws-node -n kube-system -c aws-node A-",
            "kubectl patch daemonset aws-node -n kube-system --type=strategic -p \
             '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"aws-node\",\"volumeMounts\":[\
             {\"mountPath\":\"/it'\\''s\",\"$patch\":\"delete\"}]}]}}}}'",
        ]
    );
}
