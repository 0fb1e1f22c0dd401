//! A recorded review as a write: the same stored object, the same writer, the same new object.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use cni_steward::policy::Policy;
use cni_steward::telemetry::clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::http::{Client, Kept, Reply};
use crate::support::until;

/// Where an object is in the API.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    kind: String,
    namespace: String,
    name: String,
}

impl Place {
    pub(crate) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn folder(&self) -> String {
        let namespace = &self.namespace;
        match &*self.kind {
            "DaemonSet" => format!("/apis/apps/v1/namespaces/{namespace}/daemonsets"),
            "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
            "ConfigMap" => format!("/api/v1/namespaces/{namespace}/configmaps"),
            "ClusterRole" => "/apis/rbac.authorization.k8s.io/v1/clusterroles".to_owned(),
            "ClusterRoleBinding" => "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings".to_owned(),
            "CustomResourceDefinition" => {
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned()
            }
            other => panic!("no path for {other}"),
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.name)
    }

    pub(crate) fn dry_run(&self, manager: &str) -> String {
        format!("{}?dryRun=All&fieldManager={manager}", self.path())
    }

    /// The smallest object there, for kinds of the core group.
    pub(crate) fn object(&self) -> Value {
        json!({"apiVersion": "v1", "kind": self.kind, "metadata": {"name": self.name, "namespace": self.namespace}})
    }
}

/// What became of a write, as far as CEL can tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    /// With these labels and annotations.
    Stored(BTreeMap<String, String>, BTreeMap<String, String>),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", format!("{self:?}").chars().take(3000).collect::<String>())
    }
}

impl Outcome {
    /// What our server answers to the review.
    pub(crate) fn of_the_webhook(review: &Value, policy: &Policy) -> Self {
        let body = review.to_string();
        let answer = cni_steward::admission::answer(body.as_bytes(), policy, clock::now());
        let answer: Value = serde_json::from_slice(&answer.body.whole(body.as_bytes())).unwrap();
        let response = &answer["response"];
        if response["allowed"] != true {
            return Self::Refused;
        }
        let mut object = review["request"]["object"].clone();
        if let Some(patch) = response["patch"].as_str() {
            let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
            json_patch::patch(&mut object, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap())
                .unwrap();
        }
        Self::stored(&object)
    }

    fn stored(object: &Value) -> Self {
        let map = |map: &str| {
            let pairs = object["metadata"][map].as_object().into_iter().flatten();
            // The API server's own, about the spec.
            let pairs = pairs.filter(|(key, _)| *key != "deprecated.daemonset.template.generation");
            pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
        };
        Self::Stored(map("labels"), map("annotations"))
    }

    pub(crate) fn is_refused(&self) -> bool {
        *self == Self::Refused
    }

    /// Whether something was changed on the way.
    pub(crate) fn is_amended(&self, replay: &Replay) -> bool {
        !self.is_refused() && *self != Self::stored(&replay.review["request"]["object"])
    }
}

const JSON: &str = "application/json";
const APPLY: &str = "application/apply-patch+yaml";

/// Sends method, path, media type and body.
type Request<'r> = dyn FnMut(&str, &str, &str, &Value) -> Reply + 'r;

/// A review to be written again.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) name: String,
    pub(crate) review: Value,
    /// A verdict that depends on the time, which policies that change objects do not know.
    pub(crate) only_with_a_clock: bool,
}

impl Replay {
    fn read(path: &Path) -> Self {
        let review = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Self { name: path.display().to_string(), review, only_with_a_clock: false }
    }

    fn manager(&self) -> Option<&str> {
        self.review["request"]["options"]["fieldManager"].as_str()
    }

    pub(crate) fn creates(&self) -> bool {
        self.review["request"]["operation"] == "CREATE"
    }

    fn place(&self) -> Place {
        let request = &self.review["request"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Place::new(&text(&request["kind"]["kind"]), &text(&request["namespace"]), &text(&request["name"]))
    }

    /// Its creation as a dry run by `client`, whatever is stored.
    pub(crate) fn try_as(&self, client: &Client) -> std::io::Result<Reply> {
        client
            .post(&format!("{}?dryRun=All", self.place().folder()), &bare(&self.review["request"]["object"]))
    }

    /// Writes it as a dry run. `setup` is the user who puts the stored object there.
    pub(crate) fn write(&self, kept: &mut Kept, admin: &Client, setup: &str) -> Outcome {
        let request = &self.review["request"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = self.place();
        let mut request_as = |client: &Client, method: &str, path: &str, media_type: &str, body: &Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            kept.become_as(client).send(method, path, media_type, &body).unwrap()
        };
        let setup = admin.acting_as(setup, &["system:masters"]);
        self.prepare(&place, &mut |method, path, media_type, body| {
            request_as(&setup, method, path, media_type, body)
        });

        let user = text(&request["userInfo"]["username"]);
        let mut groups: Vec<&str> = request["userInfo"]["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group.as_str().unwrap())
            .collect();
        if !["joe", "eks:addon-manager"].contains(&&*user) && !groups.contains(&"system:masters") {
            // They may write; no policy here names the group.
            groups.push("system:masters");
        }
        let writer = admin.acting_as(&user, &groups);
        let entries = request["object"]["metadata"]["managedFields"].as_array().unwrap();
        let object = bare(&request["object"]);
        let (query, agent) = match self.manager() {
            Some(manager) => (format!("?dryRun=All&fieldManager={manager}"), String::new()),
            // As an old client does it: named after the program.
            None => ("?dryRun=All".to_owned(), text(&entries.last().unwrap()["manager"])),
        };
        let writer = writer.as_program(&agent);
        let applies = entries.iter().any(|entry| {
            Some(entry["manager"].as_str().unwrap()) == self.manager()
                && entry["operation"] == "Apply"
                && entry["subresource"].is_null()
        });
        let path = place.path();
        let reply = if applies {
            request_as(&writer, "PATCH", &format!("{path}{query}&force=true"), APPLY, &object)
        } else if self.creates() {
            request_as(&writer, "POST", &format!("{}{query}", place.folder()), JSON, &object)
        } else {
            request_as(&writer, "PUT", &format!("{path}{query}"), JSON, &object)
        };
        self.outcome(&reply)
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        match reply.status {
            200 | 201 => Outcome::stored(&reply.json()),
            // An odd time makes an expression fail, which refuses as well, in other words.
            403 | 422 if reply.text().contains("ValidatingAdmissionPolicy") => Outcome::Refused,
            _ => panic!("{}: {}", self.name, reply.text()),
        }
    }

    /// The stored object, or none; its entries as old or as new beside it as they were.
    fn prepare(&self, place: &Place, request: &mut Request<'_>) {
        let old = &self.review["request"]["oldObject"];
        // A CRD takes a second to go. All that are recorded are alike, but for their entries.
        let mut reply = match request("GET", &place.path(), JSON, &Value::Null) {
            found if found.status == 200 && place.kind == "CustomResourceDefinition" && !old.is_null() => {
                found
            }
            found => {
                if found.status == 200 {
                    request("DELETE", &place.path(), JSON, &Value::Null);
                    until(&format!("{place:?} was gone"), Duration::from_mins(2), || {
                        (request("GET", &place.path(), JSON, &Value::Null).status == 404).then_some(())
                    })
                    .unwrap();
                }
                if old.is_null() {
                    return;
                }
                request("POST", &place.folder(), JSON, &bare(old))
            }
        };
        assert!([200, 201].contains(&reply.status), "{}: {}", self.name, reply.text());
        let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let stored = reply.json();
        let created = time(&stored["metadata"]["creationTimestamp"])
            .unwrap_or_else(|| panic!("{}: {stored}", self.name));
        let later = time(&old["metadata"]["creationTimestamp"])
            .map_or(SignedDuration::ZERO, |recorded| created.duration_since(recorded));
        let mut entries = old["metadata"]["managedFields"].clone();
        for entry in entries.as_array_mut().into_iter().flatten() {
            if let Some(recorded) = time(&entry["time"]) {
                entry["time"] = json!(recorded.checked_add(later).unwrap().to_string());
            }
        }
        let patch = json!({"metadata": {"managedFields": entries}});
        reply = request("PATCH", &place.path(), "application/merge-patch+json", &patch);
        assert_eq!(reply.status, 200, "{}: {}", self.name, reply.text());
    }
}

/// Without what the API server says of an object.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        metadata.remove(key);
    }
    object
}

/// The project's own recordings.
pub(crate) fn recorded() -> Vec<Replay> {
    let mut found: Vec<PathBuf> = Vec::new();
    for version in ["1.24", "1.36"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reviews").join(version);
        found.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    // Creations first: they need the object to be gone.
    found.sort_by_key(|path| (path.file_name().map(ToOwned::to_owned), path.clone()));
    assert!(found.len() >= 40, "only {} recordings found", found.len());
    found.iter().map(|path| Replay::read(path)).collect()
}

type Change = (&'static str, fn(&mut Value));

/// The recordings of 1.36 as they would be with other writers, stamps and marks.
pub(crate) fn varied() -> Vec<Replay> {
    let wanted = ["002-", "006-", "007-", "011-", "014-"];
    let bases = recorded().into_iter().filter(|replay| {
        replay.name.contains("/1.36/")
            && wanted.iter().any(|number| replay.name.contains(&format!("/{number}")))
    });
    let bases: Vec<Replay> = bases.collect();
    assert_eq!(bases.len(), wanted.len());
    let mut found = Vec::new();
    for base in &bases {
        for (name, change) in CHANGES {
            let mut replay = base.clone();
            change(&mut replay.review["request"]);
            replay.name = format!("{} {name}", base.name);
            if name.contains("over or odd") {
                replay.only_with_a_clock = true;
            }
            if replay.review["request"] != base.review["request"] {
                found.push(replay);
            }
        }
    }
    found
}

const CHANGES: [Change; 26] = [
    ("by the managed add-on", |request| user(request, "eks:addon-manager")),
    ("by the bootstrap's user", |request| user(request, "eks:cluster-bootstrap")),
    ("by a user with odd characters", |request| user(request, "a.b|\"c\\")),
    ("by a user who only resembles it", |request| user(request, "axb|\"c\\")),
    ("by a group", |request| request["userInfo"]["groups"] = json!(["platform-blue", "system:masters"])),
    ("by helm", |request| manager(request, "helm")),
    ("by Flux", |request| {
        manager(request, "helm-controller");
        both(request, "labels", "helm.toolkit.fluxcd.io/name", "cni");
    }),
    ("by Argo CD", |request| {
        manager(request, "argocd-controller");
        both(request, "annotations", "argocd.argoproj.io/tracking-id", "x");
    }),
    ("by terraform", |request| manager(request, "Terraform")),
    ("by pulumi", |request| manager(request, "pulumi-kubernetes")),
    ("by eksctl", |request| manager(request, "eksctl")),
    ("by another", |request| manager(request, "other")),
    ("by an untold manager", |request| {
        if request["options"]["fieldManager"] != "eks" {
            request["options"].as_object_mut().unwrap().remove("fieldManager");
        }
    }),
    ("marked", |request| both(request, "annotations", "cni-steward.dev/managed-addon", "true")),
    ("of another release", |request| {
        both(request, "annotations", "meta.helm.sh/release-name", "another");
        both(request, "annotations", "meta.helm.sh/release-namespace", "kube-system");
    }),
    ("with half our stamps", |request| {
        both(request, "annotations", "meta.helm.sh/release-name", "aws-vpc-cni");
    }),
    ("with half of another's stamps", |request| {
        both(request, "annotations", "meta.helm.sh/release-namespace", "x");
    }),
    ("with our stamps", |request| {
        both(request, "annotations", "meta.helm.sh/release-name", "aws-vpc-cni");
        both(request, "annotations", "meta.helm.sh/release-namespace", "kube-system");
    }),
    ("that drops our stamps", |request| {
        for (map, key, value) in OURS {
            put(&mut request["oldObject"], map, key, value);
        }
        manager(request, "kubectl-edit");
    }),
    ("that overwrites our stamps", |request| {
        for (map, key, value) in OURS {
            put(&mut request["oldObject"], map, key, value);
            put(&mut request["object"], map, key, "evil");
        }
        manager(request, "kubectl-edit");
    }),
    ("protected from Cluster API", |request| {
        both(request, "labels", "aws.cluster.x-k8s.io/prevent-deletion", "");
    }),
    ("without labels and annotations", |request| {
        for object in ["object", "oldObject"] {
            let metadata = request.pointer_mut(&format!("/{object}/metadata"));
            if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
                metadata.remove("labels");
                metadata.remove("annotations");
            }
        }
        manager(request, "kubectl-replace");
    }),
    ("parked", |request| {
        if request["kind"]["kind"] == "DaemonSet" {
            request["object"]["spec"]["template"]["spec"]["nodeSelector"] = json!({"non-calico": "true"});
        }
    }),
    ("paused", |request| {
        let until = clock::now().checked_add(SignedDuration::from_hours(1)).unwrap();
        both(request, "annotations", "cni-steward.dev/allow-until", &until.to_string());
    }),
    ("with a pause that is over or odd", |request| {
        let hour = request["kind"]["kind"].as_str().unwrap().len();
        let until = match hour % 4 {
            0 => "2026-01-01T00:00:00Z".to_owned(),
            1 => "2026-02-31T00:00:00Z".to_owned(),
            2 => clock::now().checked_add(SignedDuration::from_hours(25)).unwrap().to_string(),
            _ => "tomorrow".to_owned(),
        };
        both(request, "annotations", "cni-steward.dev/allow-until", &until);
    }),
    ("with hardly room for annotations", |request| {
        let filler = "x".repeat(256 * 1024 - 130);
        both(request, "annotations", "example.org/filler", &filler);
    }),
];

const OURS: [(&str, &str, &str); 4] = [
    ("labels", "app.kubernetes.io/managed-by", "Helm"),
    ("labels", "cni-steward.dev/installed-by", "kubectl"),
    ("annotations", "meta.helm.sh/release-name", "aws-vpc-cni"),
    ("annotations", "meta.helm.sh/release-namespace", "kube-system"),
];

fn user(request: &mut Value, name: &str) {
    request["userInfo"]["username"] = json!(name);
}

/// Another manager writes, and not by an apply.
fn manager(request: &mut Value, name: &str) {
    let old = request["options"]["fieldManager"].take();
    request["options"]["fieldManager"] = json!(name);
    let created = request["operation"] == "CREATE";
    let entries = request["object"]["metadata"]["managedFields"].as_array_mut().unwrap();
    if created {
        for entry in entries.iter_mut().filter(|entry| entry["manager"] == old) {
            entry["manager"] = json!(name);
            entry["operation"] = json!("Update");
        }
    }
}

/// On the new object, and on the stored one where there is one.
fn both(request: &mut Value, map: &str, key: &str, value: &str) {
    put(&mut request["object"], map, key, value);
    put(&mut request["oldObject"], map, key, value);
}

fn put(object: &mut Value, map: &str, key: &str, value: &str) {
    if !object.is_null() {
        object["metadata"][map][key] = json!(value);
    }
}
