//! `cni-steward review --chart-manifest`.

use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ask::{rendered_settings, settings};

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new(policy: &str, object: &Value) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        let kind = object["kind"].as_str().unwrap();
        let group = object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |(group, _)| group);
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "u", "operation": "CREATE", "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": format!("{}s", kind.to_lowercase())},
            "namespace": "kube-system", "name": object["metadata"]["name"],
            "userInfo": {"username": "eks:cluster-bootstrap"}, "object": object,
            "options": {"fieldManager": "eks"}}});
        desk.write("review.json", &review.to_string());
        desk.write("policy.yaml", policy);
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn review(&self, more: &[&str]) -> assert_cmd::assert::Assert {
        let mut command = Command::cargo_bin("cni-steward").unwrap();
        command.current_dir(self.folder.path()).env_remove("CNI_STEWARD_POLICY");
        command.args(["review", "--policy", "policy.yaml"]).args(more).arg("review.json").assert()
    }
}

fn eks() -> Value {
    let mut object =
        settings(&json!({"a": "1", "b": "2"}), &[("eks", json!({"f:data": {"f:a": {}, "f:b": {}}}))]);
    object["metadata"]["annotations"] = json!({});
    object
}

fn chart() -> String {
    format!("---\n# Source: c/templates/cm.yaml\n{}\n", rendered_settings(&json!({"a": "x"})))
}

fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_forecast_is_of_the_object_as_our_patch_leaves_it() {
    let desk = Desk::new("mode: Adopt", &eks());
    desk.write("chart.yaml", &chart());
    let text = stdout(&desk.review(&["--chart-manifest", "chart.yaml"]).success());
    assert!(text.starts_with("AMEND "), "{text}");
    let forecast = text.split_once("\n\n").unwrap().1;
    assert_eq!(
        forecast,
        "\
chart   chart.yaml, document 1 (line 1)
Helm 3  install takes the object over
        (so does Helm 4's upgrade of a release that Helm 3 made: it stays client-side)
Helm 4  install takes the object over
left over: live, but not rendered by the chart
  .data.b  held by helm/Apply: Helm 3 leaves it for ever, Helm 4 removes it with its first apply
      kubectl patch configmap amazon-vpc-cni -n kube-system --type=strategic -p '{\"data\":{\"b\":null}}'
"
    );
}

#[test]
fn refusals_are_told_with_their_paths_and_change_no_exit_code() {
    let desk = Desk::new("mode: Observe", &eks());
    desk.write("chart.yaml", &chart());
    let text = stdout(&desk.review(&["--chart-manifest", "chart.yaml"]).success());
    let forecast = text.split_once("\n\n").unwrap().1;
    assert_eq!(
        forecast,
        "\
chart   chart.yaml, document 1 (line 1)
Helm 3  install is refused: invalid ownership metadata
  annotation meta.helm.sh/release-name must be set to \"aws-vpc-cni\": missing
  annotation meta.helm.sh/release-namespace must be set to \"kube-system\": missing
Helm 4  install is refused: invalid ownership metadata
  annotation meta.helm.sh/release-name must be set to \"aws-vpc-cni\": missing
  annotation meta.helm.sh/release-namespace must be set to \"kube-system\": missing
  conflict with \"eks\", Apply:
    .data.a
left over: live, but not rendered by the chart
  .data.b  held by eks/Apply: both Helms leave it for ever
      kubectl patch configmap amazon-vpc-cni -n kube-system --type=strategic -p '{\"data\":{\"b\":null}}'
"
    );
}

fn json(assert: &assert_cmd::assert::Assert) -> Value {
    serde_json::from_str(&stdout(assert)).unwrap()
}

#[test]
fn for_scripts_the_forecast_is_one_json_document_with_a_version() {
    let desk = Desk::new("mode: Observe", &eks());
    desk.write("chart.yaml", &chart());
    let output = json(&desk.review(&["--chart-manifest", "chart.yaml", "-o", "json"]).success());
    let missing =
        |key: &str, wanted: &str| json!({"map": "annotations", "key": key, "wanted": wanted, "found": null});
    let ownership = [
        missing("meta.helm.sh/release-name", "aws-vpc-cni"),
        missing("meta.helm.sh/release-namespace", "kube-system"),
    ];
    let command =
        "kubectl patch configmap amazon-vpc-cni -n kube-system --type=strategic -p '{\"data\":{\"b\":null}}'";
    let expected = json!({
        "apiVersion": "cni-steward.dev/v1alpha1",
        "kind": "Forecast",
        "object": {"kind": "ConfigMap", "namespace": "kube-system", "name": "amazon-vpc-cni"},
        "manager": "helm",
        "release": {"name": "aws-vpc-cni", "namespace": "kube-system"},
        "chart": {"file": "chart.yaml", "document": 1, "line": 1, "fromCrds": false},
        "noForecast": null,
        "helm3": {"answer": "NotOwned", "ownership": ownership, "invalid": [], "differs": []},
        "helm4": {"answer": "NotOwned", "ownership": ownership, "invalid": [], "conflicts": [
            {"manager": "eks", "operation": "Apply", "subresource": "", "paths": [".data.a"]},
        ]},
        "leftovers": [{"path": ".data.b", "heldBy": ["eks/Apply"], "removedByHelm4": false, "command": command}],
        "offLimitsCrds": [],
    });
    assert_eq!(output, expected);
    let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
    assert_eq!(keys, expected.as_object().unwrap().keys().collect::<Vec<_>>(), "in this order");
}

#[test]
fn json_says_why_there_is_no_forecast_and_keeps_every_key() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
               metadata: {name: policyendpoints.networking.k8s.aws}\n";
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "aws-node", "namespace": "kube-system"}});
    let none = "mode: Adopt\nowner: {manager: argocd-controller, release: null}";
    for (policy, object, reason, code) in [
        ("mode: Adopt", &eks(), "NotRendered", 0),
        (none, &eks(), "NoRelease", 0),
        ("mode: Block", &account, "NoObject", 1),
    ] {
        let desk = Desk::new(policy, object);
        desk.write("chart.yaml", crd);
        let output = json(&desk.review(&["--chart-manifest", "chart.yaml", "-o", "json"]).code(code));
        assert_eq!(output["noForecast"]["reason"], reason, "{output:#}");
        assert!(output["noForecast"]["message"].as_str().is_some_and(|text| text.len() > 20), "{output:#}");
        for key in ["helm3", "helm4", "leftovers"] {
            assert_eq!(output.get(key), Some(&Value::Null), "{key}");
        }
        assert_eq!(output["offLimitsCrds"], json!(["policyendpoints.networking.k8s.aws"]));
        assert_eq!(output["chart"]["document"], Value::Null);
    }
}

#[test]
fn what_cannot_be_is_told_as_values_and_not_as_text() {
    let mut live = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}}, "template": {
            "metadata": {"labels": {"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"}},
            "spec": {"containers": [{"name": "aws-node", "env": [{"name": "A", "value": "1"}],
                "ports": [{"name": "metrics", "containerPort": 1, "protocol": "TCP"}]}]}}}});
    let desk = Desk::new("mode: Adopt", &live);
    live["spec"]["selector"] = json!({"matchLabels": {"app.kubernetes.io/name": "aws-node"}});
    let container = &mut live["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]);
    container["ports"][0]["containerPort"] = json!(2);
    desk.write("chart.yaml", &live.to_string());
    let output = json(&desk.review(&["--chart-manifest", "chart.yaml", "-o", "json"]).success());
    let path = |rest: &str| format!(".spec.template.spec.containers[name=\"aws-node\"]{rest}");
    let labels = |labels: Value| json!({"matchLabels": labels});
    assert_eq!(
        output["helm3"]["invalid"],
        json!([
            {"path": ".spec.selector", "reason": "Immutable", "originalMatchLabels": true,
             "live": labels(json!({"k8s-app": "aws-node"})),
             "wanted": labels(json!({"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"}))},
            {"path": path(".env[name=\"A\"]"), "reason": "OneOf", "live": null,
             "wanted": ["value", "valueFrom"], "originalMatchLabels": null},
            {"path": path(".ports"), "reason": "Duplicate", "live": null, "wanted": "metrics",
             "originalMatchLabels": null},
        ])
    );
    assert_eq!(output["helm3"]["answer"], "Invalid");
    let text = stdout(&desk.review(&["--chart-manifest", "chart.yaml"]).success());
    assert!(text.contains(".ports would have the name \"metrics\" twice\n"), "{text}");
}

#[test]
fn a_chart_without_the_object_and_one_with_a_foreign_crd_are_told_in_a_sentence() {
    let desk = Desk::new("mode: Adopt", &eks());
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
               metadata: {name: policyendpoints.networking.k8s.aws}\n";
    desk.write("chart.yaml", crd);
    let text = stdout(&desk.review(&["--chart-manifest", "chart.yaml"]).success());
    let forecast = text.split_once("\n\n").unwrap().1;
    assert_eq!(
        forecast,
        "\
chart   chart.yaml renders 1 object, ConfigMap kube-system/amazon-vpc-cni is none of them: Helm neither checks nor changes it
note    the chart brings CRD policyendpoints.networking.k8s.aws, which the EKS control plane owns: install with --skip-crds
"
    );
}

#[test]
fn an_owner_without_a_release_has_no_forecast() {
    let desk = Desk::new("mode: Adopt\nowner: {manager: argocd-controller, release: null}", &eks());
    desk.write("chart.yaml", &chart());
    let text = stdout(&desk.review(&["--chart-manifest", "chart.yaml"]).success());
    assert!(
        text.ends_with("no forecast: the policy names no Helm release (`owner.release` is null)\n"),
        "{text}"
    );
}

#[test]
fn bad_input_ends_with_2_and_names_the_file() {
    let desk = Desk::new("mode: Adopt", &eks());
    desk.write("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    std::fs::write(desk.folder.path().join("latin.yaml"), b"a: 1\nb: \xe4\n").unwrap();
    for (arguments, expected) in [
        (&["--chart-manifest", "list.yaml"][..], "list.yaml: document 1 (line 1): a List of several objects"),
        (&["--chart-manifest", "none.yaml"], "cannot read none.yaml"),
        (&["--chart-manifest", "latin.yaml"], "latin.yaml: line 2: not YAML, for it is not UTF-8"),
        (&["--chart-manifest", "list.yaml", "-o", "review"], "say --output text or --output json"),
        (&["-o", "json"], "name what the chart renders with --chart-manifest FILE"),
    ] {
        let stderr = desk.review(arguments).code(2).get_output().stderr.clone();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(stderr.contains(expected), "expected {expected}\ngot {stderr}");
    }
}
