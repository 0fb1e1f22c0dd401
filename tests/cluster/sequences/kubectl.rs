//! What a person does with kubectl, in all its ways.

use std::fmt;

use serde_json::{Value, json};

use super::plan::pick;
use crate::draw::Draw;

/// One command.
#[derive(Debug)]
pub(crate) enum Way {
    /// A command line, with a manifest on stdin if there is one.
    Run(Vec<String>, Option<Value>),
    /// `kubectl edit`, the editor played by these words for sed.
    Edit(&'static str, String),
    /// `kubectl replace` of the live object after this merge patch.
    Replace(&'static str, Value),
}

const KINDS: [(&str, &str); 5] = [
    ("daemonset", "aws-node"),
    ("configmap", "amazon-vpc-cni"),
    ("serviceaccount", "aws-node"),
    ("clusterrole", "aws-node"),
    ("clusterrolebinding", "aws-node"),
];

const CLIENT_SIDE: [&str; 3] = ["apply", "-f", "-"];

fn run(words: &[&str]) -> Way {
    Way::Run(words.iter().map(|&word| word.to_owned()).collect(), None)
}

/// The workload with one container as given.
fn container(fields: &Value) -> Value {
    let mut container = fields.clone();
    container["name"] = json!("aws-node");
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

fn whole(kind: &str, rest: &Value) -> Value {
    let (api_version, kind, name) = match kind {
        "daemonset" => ("apps/v1", "DaemonSet", "aws-node"),
        "serviceaccount" => ("v1", "ServiceAccount", "aws-node"),
        _ => ("v1", "ConfigMap", "amazon-vpc-cni"),
    };
    let mut object = rest.clone();
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!("kube-system");
    object
}

impl Way {
    /// `wide`: a manager of one's own would not be absorbed, so a person keeps to kubectl's.
    pub(crate) fn draw(draw: &mut Draw, wide: bool) -> Self {
        let (kind, name) = KINDS[usize::try_from(draw.below(5)).unwrap()];
        let target = format!("{kind}/{name}");
        let value = draw.below(3).to_string();
        let variable =
            pick(draw.below(4), &["WARM_ENI_TARGET", "MINE", "CHART_ONE", "EKS_ONE"].map(Value::from));
        let variable = variable.as_str().unwrap();
        match draw.below(16) {
            0 => run(&["set", "env", "daemonset/aws-node", "-c", "aws-node", &format!("{variable}={value}")]),
            1 => run(&["set", "env", "daemonset/aws-node", "-c", "aws-node", &format!("{variable}-")]),
            2 => run(&["set", "image", "daemonset/aws-node", &format!("aws-node=example.org/cni:{value}")]),
            3 => {
                let requests = format!("--requests=cpu={}m", 25 + draw.below(3));
                run(&["set", "resources", "daemonset/aws-node", "-c", "aws-node", &requests])
            }
            4 => run(&["rollout", "restart", "daemonset/aws-node"]),
            5 => match draw.below(3) {
                0 => run(&["annotate", &target, "meta.helm.sh/release-name=mine", "--overwrite"]),
                1 => run(&["annotate", &target, "meta.helm.sh/release-name-"]),
                _ => run(&["annotate", &target, &format!("example.org/note={value}"), "--overwrite"]),
            },
            6 => match draw.below(3) {
                0 => run(&["label", &target, "app.kubernetes.io/managed-by=me", "--overwrite"]),
                1 => run(&["label", &target, "app.kubernetes.io/version=mine", "--overwrite"]),
                _ => run(&["label", &target, &format!("example.org/team={value}"), "--overwrite"]),
            },
            7 => {
                let mut patch = container(&json!({"env": [{"name": variable, "value": value}]}));
                patch["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] =
                    json!(10 + draw.below(3));
                run(&["patch", "daemonset", "aws-node", "--type=strategic", "-p", &patch.to_string()])
            }
            8 => {
                let data = json!({"data": {"warm-ip-target": value, "mine": pick(draw.below(2), &[json!("1"), Value::Null])}});
                run(&["patch", "configmap", "amazon-vpc-cni", "--type=merge", "-p", &data.to_string()])
            }
            9 => {
                let patch = json!([
                    {"op": "add", "path": "/metadata/labels/app.kubernetes.io~1version", "value": value},
                    {"op": "add", "path": "/metadata/labels/example.org~1patched", "value": "yes"},
                ]);
                run(&["patch", kind, name, "--type=json", "-p", &patch.to_string()])
            }
            10 => Self::Edit(
                "daemonset",
                format!(
                    "s/terminationGracePeriodSeconds: .*/terminationGracePeriodSeconds: 2{value}/; /managed-by: Helm/d"
                ),
            ),
            11 => Self::Edit(
                "configmap",
                format!("s/minimum-ip-target: .*/minimum-ip-target: \"{value}\"/; /enable-windows-ipam/d"),
            ),
            12..=14 => Self::with_manifest(draw, wide, (variable, &value)),
            _ => match draw.below(2) {
                0 => run(&["delete", "configmap", "amazon-vpc-cni", "--ignore-not-found"]),
                _ => run(&["delete", "serviceaccount", "aws-node", "--ignore-not-found"]),
            },
        }
    }

    /// Those that send an object.
    fn with_manifest(draw: &mut Draw, wide: bool, (variable, value): (&str, &str)) -> Self {
        let labels = json!({"k8s-app": "aws-node"});
        let own = if wide || draw.one_in(2) { "kubectl" } else { "platform" };
        let server_side = [
            "apply",
            "--server-side",
            "--validate=false",
            "--force-conflicts",
            "--field-manager",
            own,
            "-f",
            "-",
        ];
        let (args, manifest) = match draw.below(7) {
            0 => {
                let data = json!({"data": {"warm-ip-target": value, "replaced": "yes"}});
                return Self::Replace("configmap", data);
            }
            1 => {
                let patch = json!({"metadata": {"annotations": null}, "secrets": [{"name": value}]});
                return Self::Replace("serviceaccount", patch);
            }
            2 => {
                let key = if draw.one_in(2) { "warm-ip-target" } else { "applied" };
                let settings = json!({"metadata": {"labels": labels}, "data": {key: value}});
                (&CLIENT_SIDE[..], whole("configmap", &settings))
            }
            3 => {
                let metadata = json!({"labels": labels, "annotations": {"example.org/applied": value}});
                (&CLIENT_SIDE[..], whole("serviceaccount", &json!({"metadata": metadata})))
            }
            4 => {
                let settings = json!({"metadata": {"labels": labels}, "data": {"warm-ip-target": value}});
                (&server_side[..], whole("configmap", &settings))
            }
            5 => {
                let env = json!([{"name": variable, "value": value}, {"name": "APPLIED", "value": "1"}]);
                (&server_side[..], whole("daemonset", &container(&json!({"env": env}))))
            }
            _ => {
                let metadata = json!({"labels": {"example.org/applied": value}});
                (&server_side[..], whole("daemonset", &json!({"metadata": metadata})))
            }
        };
        Self::Run(args.iter().map(|&word| word.to_owned()).collect(), Some(manifest))
    }

    /// Whether it says what shall be, so that saying it again changes nothing.
    pub(crate) fn is_apply(&self) -> bool {
        matches!(self, Self::Run(args, Some(_)) if args[0] == "apply")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(args, None) => write!(f, "kubectl {}", args.join(" ")),
            Self::Run(args, Some(manifest)) => write!(f, "kubectl {} <<< {manifest}", args.join(" ")),
            Self::Edit(kind, script) => write!(f, "kubectl edit {kind} with sed '{script}'"),
            Self::Replace(kind, patch) => write!(f, "kubectl replace {kind} after {patch}"),
        }
    }
}
