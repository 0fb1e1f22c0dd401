//! A cluster with the VPC CNI of EKS, nodes and other networks that exist only as objects, and our command on it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Output;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::fixtures::{self, OBJECTS};
use crate::support::http::Client;
use crate::support::remains::lasting;
use crate::support::steward::BINARY;

pub(crate) const SETTINGS: &str = "amazon-vpc-cni";
const PODS: &str = "/api/v1/namespaces/kube-system/pods";
const WORKLOAD: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node";
const MERGE: &str = "application/merge-patch+json";

pub(crate) struct Ground {
    pub(crate) plane: ControlPlane,
    api: Client,
}

impl Ground {
    pub(crate) fn with_eks(version: Version) -> Self {
        let ground = Self::bare(version);
        ground.plane.eks_apply(fixtures::EKS_APPLY).ok();
        ground
    }

    pub(crate) fn bare(version: Version) -> Self {
        let plane = ControlPlane::start(version);
        Self { api: plane.client(User::Admin), plane }
    }

    /// A file in a folder that ends with the cluster.
    pub(crate) fn file(&self, name: &str) -> String {
        self.plane.folder().join(name).display().to_string()
    }

    pub(crate) fn purge(&self, args: &[&str]) -> Output {
        self.purge_as(User::Joe, args)
    }

    pub(crate) fn purge_as(&self, user: User, args: &[&str]) -> Output {
        self.purge_with(&self.plane.kubeconfig(user).display().to_string(), "", args, None)
    }

    /// Dies at the point `fault`, if that is one.
    pub(crate) fn purge_until(&self, fault: &str, args: &[&str]) -> Output {
        self.purge_with(&self.plane.kubeconfig(User::Joe).display().to_string(), fault, args, None)
    }

    pub(crate) fn purge_with(
        &self,
        kubeconfig: &str,
        fault: &str,
        args: &[&str],
        stdin: Option<&str>,
    ) -> Output {
        let mut command = Command::new(BINARY);
        command.arg("purge").args(["--kubeconfig", kubeconfig]).args(args);
        command.current_dir(self.plane.folder());
        if !fault.is_empty() {
            command.env("CNI_STEWARD_FAULT", fault);
        }
        Output::of(command, stdin)
    }

    pub(crate) fn apply(&self, object: &Value) {
        let args = ["apply", "--server-side", "-f", "-"];
        self.plane.kubectl_stdin(User::Admin, &args, &object.to_string()).ok();
    }

    /// Ready nodes.
    pub(crate) fn nodes(&self, names: &[&str]) {
        for name in names {
            self.node(&json!({"name": name}), &json!({}));
        }
    }

    pub(crate) fn node(&self, metadata: &Value, spec: &Value) {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec,
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        self.post("/api/v1/nodes", &node);
    }

    /// A `DaemonSet` of this name with a ready Pod on each of the nodes.
    pub(crate) fn runs(&self, name: &str, nodes: &[&str]) {
        let labels = json!({"k8s-app": name});
        let container = json!({"name": "agent", "image": "example.org/agent"});
        let daemon_set = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        });
        let stored = self.post("/apis/apps/v1/namespaces/kube-system/daemonsets", &daemon_set);
        self.pods_for(&stored, nodes);
    }

    pub(crate) fn pods_of_the_workload(&self, nodes: &[&str]) {
        self.pods_for(&self.api.get(WORKLOAD).unwrap().json(), nodes);
    }

    fn pods_for(&self, daemon_set: &Value, nodes: &[&str]) {
        let name = daemon_set["metadata"]["name"].as_str().unwrap();
        for node in nodes {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": format!("{name}-{node}"), "labels": daemon_set["spec"]["template"]["metadata"]["labels"],
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": daemon_set["metadata"]["uid"],
                        "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "spec": {"nodeName": node, "containers": [{"name": "agent", "image": "example.org/agent"}]},
            });
            self.post(PODS, &pod);
            let ready =
                json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
            let reply = self.api.patch(&format!("{PODS}/{name}-{node}/status"), MERGE, &ready).unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }

    fn post(&self, path: &str, object: &Value) -> Value {
        let reply = self.api.post(path, object).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()
    }

    /// How many Pods these labels have.
    pub(crate) fn pods(&self, labels: &str) -> usize {
        let list = self.api.get(&format!("{PODS}?labelSelector={labels}")).unwrap().json();
        list["items"].as_array().unwrap().len()
    }

    /// The objects of the VPC CNI that are there, as stored.
    pub(crate) fn objects(&self) -> Vec<Value> {
        OBJECTS.iter().filter_map(|(kind, name)| self.plane.find(kind, name)).collect()
    }

    /// Their kinds.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects().iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Expects each object to be there again, with all that can come back and a live pause.
    #[track_caller]
    pub(crate) fn assert_back(&self, before: &[Value]) {
        let now = self.objects();
        assert_eq!(now.len(), before.len(), "expected all to be back, got {:?}", self.names());
        for (before, now) in before.iter().zip(now) {
            let name = format!("{} {}", before["kind"], before["metadata"]["name"]);
            let pause = now["metadata"]["annotations"]["cni-steward.dev/allow-until"].as_str();
            assert!(pause.is_some(), "expected a pause on {name}: {now:#}");
            assert_eq!(lasting(before), lasting(&now), "{name}");
        }
    }

    /// What kube-controller-manager does about the workload when it is being deleted: its Pods first, then itself.
    pub(crate) fn collector(&self) -> Beside {
        self.collector_after("/")
    }

    /// The same, once this file is there.
    pub(crate) fn collector_after(&self, file: &str) -> Beside {
        let (api, file) = (self.api.clone(), std::path::PathBuf::from(file));
        Beside::start(move || {
            if !file.exists() {
                return;
            }
            let Ok(reply) = api.get(WORKLOAD) else { return };
            if reply.status != 200 || reply.json()["metadata"]["deletionTimestamp"].is_null() {
                return;
            }
            let pods = api.get(&format!("{PODS}?labelSelector=k8s-app=aws-node")).unwrap().json();
            for pod in pods["items"].as_array().into_iter().flatten() {
                let name = pod["metadata"]["name"].as_str().unwrap();
                drop(api.delete(&format!("{PODS}/{name}?gracePeriodSeconds=0")));
            }
            drop(api.patch(WORKLOAD, MERGE, &json!({"metadata": {"finalizers": null}})));
        })
    }

    /// What its controller does all the time: a new version of the workload, in which only the status is new.
    pub(crate) fn busy_controller(&self) -> Beside {
        let api = self.api.as_program("kube-controller-manager");
        let mut count = 0;
        Beside::start(move || {
            count += 1;
            let status = json!({"status": {
                "currentNumberScheduled": count, "numberMisscheduled": 0, "desiredNumberScheduled": count, "numberReady": 0,
            }});
            drop(api.patch(&format!("{WORKLOAD}/status"), MERGE, &status));
        })
    }
}

/// What was printed, with its lines joined: where they are broken says the width of the terminal.
pub(crate) fn said(output: &Output) -> String {
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} {}", joined(&output.stdout), joined(&output.stderr))
}

/// Somebody who does the same again and again until dropped.
pub(crate) struct Beside {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    pub(crate) fn start(mut work: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                work();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
