//! What a webhook adds to a write: server-side applies of `DaemonSet aws-node` by field manager `eks`, each changing one
//! value, through a real API server.
//!
//! Every contender has a namespace of its own and all are registered at once, so that one round is one write in each,
//! a few milliseconds apart. What a contender adds is its write less that of the namespace where nothing answers, in
//! the same round. The registration is what `export webhook` gives, but for the namespace and `failurePolicy: Fail`.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::floor::LESSONS;
use crate::process::Server;
use crate::rounds::quantile;
use crate::scenario::{Place, Who};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::http::{Client, Kept};
use crate::support::tools::{self, Tool};
use crate::support::{fixtures, until};

/// How a contender answers.
enum By {
    Nobody,
    Webhook(Who),
    Policy,
}

struct Contender {
    name: &'static str,
    namespace: &'static str,
    by: By,
}

pub const NOTHING: usize = 0;
pub const PRECOMPUTED: usize = 2;
pub const OURS: usize = 3;
pub const OURS_STAMPS: usize = 4;
pub const GO: usize = 5;

const CONTENDERS: [Contender; 7] = [
    Contender { name: "nothing", namespace: "bench-nothing", by: By::Nobody },
    Contender { name: "constant allow", namespace: "bench-allow", by: By::Webhook(Who::Allow) },
    Contender {
        name: "our patch, precomputed",
        namespace: "bench-precomputed",
        by: By::Webhook(Who::Precomputed("mode: Adopt\ntargets: {namespace: bench-precomputed}")),
    },
    Contender {
        name: "ours, Adopt with transfer",
        namespace: "bench-adopt",
        by: By::Webhook(Who::Ours("mode: Adopt\ntargets: {namespace: bench-adopt}")),
    },
    Contender {
        name: "ours, Adopt, stamps only",
        namespace: "bench-stamp",
        by: By::Webhook(Who::Ours("mode: Adopt\nfields: Stamp\ntargets: {namespace: bench-stamp}")),
    },
    Contender { name: "Go, standard library, three stamps", namespace: "bench-go", by: By::Webhook(Who::Go) },
    Contender { name: "MutatingAdmissionPolicy, three stamps", namespace: "bench-policy", by: By::Policy },
];

/// What one contender adds.
#[derive(Debug, Clone)]
pub struct Added {
    pub name: &'static str,
    /// Median time of a write, in ms.
    pub write: f64,
    /// Median of what it adds, in ms, and the middle half.
    pub added: f64,
    pub spread: (f64, f64),
}

/// What was seen, or why nothing was.
#[derive(Debug, Clone)]
pub struct Seen {
    pub rows: Vec<Option<Added>>,
    pub rounds: usize,
    pub version: &'static str,
}

impl Seen {
    /// What one contender adds for each ms that another adds.
    pub fn ratio(&self, one: usize, other: usize) -> Option<f64> {
        Some(self.rows[one].as_ref()?.added / self.rows[other].as_ref()?.added)
    }
}

/// Runs it; an error says what is missing.
pub fn run(place: &Place, rounds: usize) -> Result<Seen, String> {
    let needs = [Tool::ApiServer136, Tool::Etcd, Tool::Kubectl];
    if let Some(missing) = tools::missing(needs) {
        return Err(missing.to_string());
    }
    let plane = ControlPlane::start(Version::V1_36);
    let client = plane.client(User::Admin);
    let mut stage =
        Stage { manifest: manifest(), servers: Vec::new(), kept: client.keep().unwrap(), writes: 0 };
    let mut there = Vec::new();
    for contender in &CONTENDERS {
        there.push(stage.set_up(place, &client, contender));
    }
    let run = |stage: &mut Stage, at: usize| there[at].then(|| stage.write(&CONTENDERS[at]));
    // Until every object has settled.
    for _ in 0..LESSONS + 14 {
        for at in 0..CONTENDERS.len() {
            run(&mut stage, at);
        }
    }
    let calls = |metrics: &str, contender: &Contender| calls(metrics, contender.namespace);
    let before = client.get("/metrics").unwrap().text();
    let mut times: Vec<Vec<f64>> = CONTENDERS.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for step in 0..CONTENDERS.len() {
            // Each has each place in the round as often.
            let step =
                if (round / CONTENDERS.len()).is_multiple_of(2) { step } else { CONTENDERS.len() - 1 - step };
            let at = (step + round) % CONTENDERS.len();
            times[at].extend(run(&mut stage, at).map(|time| time.as_secs_f64() * 1e3));
        }
    }
    let after = client.get("/metrics").unwrap().text();
    for (contender, there) in CONTENDERS.iter().zip(&there) {
        if matches!(contender.by, By::Webhook(_)) && *there {
            // More where the API server found the object changed under it and began anew.
            let called = calls(&after, contender) - calls(&before, contender);
            assert!(called >= rounds as u64, "{called} calls of {} in {rounds} rounds", contender.name);
        }
    }
    check(&client, &there);
    let rows =
        CONTENDERS.iter().zip(&times).map(|(contender, row)| added(contender.name, row, &times[NOTHING]));
    Ok(Seen { rows: rows.collect(), rounds, version: Version::V1_36.minor() })
}

fn added(name: &'static str, times: &[f64], nothing: &[f64]) -> Option<Added> {
    let more = || times.iter().zip(nothing).map(|(time, nothing)| time - nothing);
    (!times.is_empty()).then(|| Added {
        name,
        write: quantile(times.iter().copied(), 0.5),
        added: quantile(more(), 0.5),
        spread: (quantile(more(), 0.25), quantile(more(), 0.75)),
    })
}

/// The `DaemonSet` as EKS applies it.
fn manifest() -> Value {
    let text = std::fs::read_to_string(fixtures::EKS_APPLY).unwrap();
    let documents = text.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    documents.into_iter().find(|object| object["kind"] == "DaemonSet").expect("a DaemonSet that EKS applies")
}

struct Stage {
    manifest: Value,
    // Held, so that they run.
    servers: Vec<Server>,
    kept: Kept,
    writes: u32,
}

impl Stage {
    /// Makes the namespace and registers who answers there; returns when the API server asks. False if it is not here.
    fn set_up(&mut self, place: &Place, client: &Client, contender: &Contender) -> bool {
        let namespace = contender.namespace;
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        create(client, "/api/v1/namespaces", &object);
        match contender.by {
            By::Nobody => {}
            By::Webhook(who) => {
                let Some(server) = place.start(who) else { return false };
                let address = server.address;
                create(
                    client,
                    &format!("{REGISTRATION}/mutatingwebhookconfigurations"),
                    &json!({
                        "apiVersion": "admissionregistration.k8s.io/v1",
                        "kind": "MutatingWebhookConfiguration",
                        "metadata": {"name": namespace},
                        "webhooks": [hook(place, namespace, &format!("https://{address}/mutate"))],
                    }),
                );
                self.servers.push(server);
                self.until_so("the API server called the webhook", contender, || {
                    calls(&client.get("/metrics").unwrap().text(), namespace) > 0
                });
            }
            By::Policy => {
                for (resource, object) in stamping(namespace) {
                    create(client, &format!("{REGISTRATION}/{resource}"), &object);
                }
                let object = path(namespace);
                self.until_so("the policy stamped", contender, || {
                    stamped(&client.get(&object).unwrap().json())
                });
            }
        }
        true
    }

    /// Writes until it is so.
    fn until_so(&mut self, what: &str, contender: &Contender, probe: impl Fn() -> bool) {
        until(&format!("{what} ({})", contender.name), Duration::from_secs(20), || {
            self.write(contender);
            probe().then_some(())
        })
        .unwrap();
    }

    /// One apply that changes one value; the time it took.
    fn write(&mut self, contender: &Contender) -> Duration {
        self.writes += 1;
        self.manifest["metadata"]["namespace"] = contender.namespace.into();
        let variable = &mut self.manifest["spec"]["template"]["spec"]["containers"][0]["env"][0];
        variable["value"] = format!("{:08}", self.writes).into();
        let body = self.manifest.to_string();
        let path = format!("{}?fieldManager=eks&force=true", path(contender.namespace));
        let begin = Instant::now();
        let reply = self.kept.send("PATCH", &path, "application/apply-patch+yaml", &body).unwrap();
        let time = begin.elapsed();
        assert!(matches!(reply.status, 200 | 201), "{}: {}", contender.name, reply.text());
        time
    }
}

fn path(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/daemonsets/aws-node")
}

fn create(client: &Client, path: &str, object: &Value) {
    let reply = client.post(path, object).unwrap();
    assert!(reply.status == 201, "{path}: {}", reply.text());
}

const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1";

/// Our own registration of a `DaemonSet`, for another namespace and server.
fn hook(place: &Place, namespace: &str, url: &str) -> Value {
    use base64::Engine as _;
    let program = env!("CARGO_BIN_EXE_cni-steward");
    let mut export = Command::new(program);
    export.args(["export", "webhook", "--url", url, "--kube-version", Version::V1_36.minor()]);
    let output = export.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: Value = serde_saphyr::from_str(&text).unwrap();
    let hooks = exported["webhooks"].as_array().unwrap();
    let mut hook =
        hooks.iter().find(|hook| hook["rules"].to_string().contains("daemonsets")).unwrap().clone();
    hook["name"] = format!("{namespace}.example.com").into();
    hook["failurePolicy"] = "Fail".into();
    hook["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    hook["clientConfig"] =
        json!({"url": url, "caBundle": base64::engine::general_purpose::STANDARD.encode(&place.ca)});
    hook
}

/// How often the API server has called the webhook of a namespace and had an answer.
fn calls(metrics: &str, namespace: &str) -> u64 {
    let counted = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_request_total{code=\"200\"")
            && line.contains(&format!("name=\"{namespace}.example.com\""))
    });
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The three stamps as a policy of the API server itself, with its binding.
fn stamping(namespace: &str) -> [(&'static str, Value); 2] {
    let stamp = |path: &str, key: &str, value: &str| {
        format!(
            "JSONPatch{{op: \"add\", path: \"/metadata/{path}/\" + jsonpatch.escapeKey(\"{key}\"), value: \"{value}\"}}"
        )
    };
    let stamps = [
        stamp("labels", "app.kubernetes.io/managed-by", "Helm"),
        stamp("annotations", "meta.helm.sh/release-name", "aws-vpc-cni"),
        stamp("annotations", "meta.helm.sh/release-namespace", "kube-system"),
    ];
    let rules = json!([{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["daemonsets"], "resourceNames": ["aws-node"]}]);
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {"resourceRules": rules},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": format!("[{}]", stamps.join(", "))}}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {"policyName": namespace, "matchResources": {"namespaceSelector": selector}},
    });
    [("mutatingadmissionpolicies", policy), ("mutatingadmissionpolicybindings", binding)]
}

fn stamped(object: &Value) -> bool {
    object["metadata"]["annotations"]["meta.helm.sh/release-name"] == "aws-vpc-cni"
}

/// What was measured is what was meant: all who stamp have stamped, and the precomputed patch leaves what ours leaves.
fn check(client: &Client, there: &[bool]) {
    let objects: Vec<Value> =
        CONTENDERS.iter().map(|one| client.get(&path(one.namespace)).unwrap().json()).collect();
    for (at, object) in objects.iter().enumerate().filter(|(at, _)| there[*at]) {
        let (seen, name) = (stamped(object), CONTENDERS[at].name);
        assert_eq!(seen, at >= PRECOMPUTED, "whether {name} has stamped: {}", object["metadata"]);
    }
    let fields = |at: usize| -> Vec<Value> {
        let entries = objects[at]["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let known = |entry: &Value| json!([entry["manager"], entry["operation"], entry["fieldsV1"]]);
        entries.iter().map(known).collect()
    };
    assert_eq!(fields(PRECOMPUTED), fields(OURS), "the owners after the precomputed patch, and after ours");
    let owner = &fields(OURS)[0];
    assert!(owner[0] == "helm" && owner[1] == "Apply", "expected the owner to hold all, got {owner}");
}
