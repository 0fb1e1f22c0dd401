//! A person with a terminal, a folder and a kubeconfig, and the exact bytes of what is stored.

use std::path::PathBuf;
use std::process::Command;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::Output;
use crate::support::control_plane::{ControlPlane, User};
use crate::support::fixtures::OBJECTS;
use crate::support::steward::BINARY;
use crate::support::watchdog::Folder;

pub(super) const PAUSE: &str = "cni-steward.dev/allow-until";

/// Where somebody works on one cluster.
#[derive(Debug)]
pub(super) struct Desk<'p> {
    pub(super) plane: &'p ControlPlane,
    folder: Folder,
}

impl<'p> Desk<'p> {
    pub(super) fn at(plane: &'p ControlPlane) -> Self {
        Self { plane, folder: Folder::new() }
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.folder.path());
        command.env("KUBECONFIG", self.plane.kubeconfig(User::Joe)).env("HOME", self.folder.path());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args), None)
    }

    /// Dies at this point.
    pub(super) fn die_at(&self, point: &str, args: &[&str]) {
        let mut command = self.command(args);
        command.env("CNI_STEWARD_FAULT", point);
        let output = Output::of(command, None);
        assert_eq!(output.code, -1, "expected it to die at {point}\n{output}");
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The undo files in the folder.
    pub(super) fn undo_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.contains("cni-steward-undo-")).collect();
        names.sort();
        names
    }

    /// The only undo file.
    #[track_caller]
    pub(super) fn undo_file(&self) -> String {
        let files = self.undo_files();
        assert_eq!(files.len(), 1, "expected one undo file, found {files:?}");
        files[0].clone()
    }

    pub(super) fn forget(&self) {
        for file in self.undo_files() {
            std::fs::remove_file(self.file(&file)).unwrap();
        }
    }

    /// Takes the pause of an undo off, as its owner may.
    pub(super) fn end_pause(&self) {
        let client = self.plane.client(User::Joe);
        for (kind, name) in OBJECTS {
            let patch = json!({"metadata": {"annotations": {PAUSE: null}}});
            let reply = client.patch(&path(kind, name), "application/merge-patch+json", &patch).unwrap();
            assert!(matches!(reply.status, 200 | 404), "{}", reply.text());
        }
    }
}

pub(super) fn path(kind: &str, name: &str) -> String {
    let folder = match kind {
        "DaemonSet" => "apis/apps/v1/namespaces/kube-system/daemonsets",
        "ServiceAccount" => "api/v1/namespaces/kube-system/serviceaccounts",
        "ConfigMap" => "api/v1/namespaces/kube-system/configmaps",
        "ClusterRole" => "apis/rbac.authorization.k8s.io/v1/clusterroles",
        "ClusterRoleBinding" => "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        _ => "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    };
    format!("/{folder}/{name}")
}

/// One stored object, and its field ownership as bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) object: Value,
    pub(super) managed_fields: String,
}

#[derive(serde::Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    metadata: Parts<'a>,
}

#[derive(serde::Deserialize)]
struct Parts<'a> {
    #[serde(borrow, rename = "managedFields")]
    managed_fields: Option<&'a RawValue>,
}

/// What is stored of the six, as the API server gives it.
pub(super) fn stored(plane: &ControlPlane) -> Vec<Stored> {
    let client = plane.client(User::Admin);
    let found = OBJECTS.iter().filter_map(|(kind, name)| {
        let reply = client.get(&path(kind, name)).unwrap();
        (reply.status == 200).then(|| {
            let text = reply.text();
            let whole: Whole<'_> = serde_json::from_str(&text).unwrap();
            let managed_fields =
                whole.metadata.managed_fields.map(RawValue::get).unwrap_or_default().to_owned();
            Stored { object: serde_json::from_str(&text).unwrap(), managed_fields }
        })
    });
    found.collect()
}

impl Stored {
    pub(super) fn name(&self) -> String {
        crate::scene::named(&self.object)
    }

    /// The bytes that an undo brings back: everything, without the version and the pause that it sets.
    pub(super) fn bytes(&self) -> String {
        let mut object = self.object.clone();
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("resourceVersion".into(), Value::Null);
        metadata.insert("managedFields".into(), Value::Null);
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(PAUSE);
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
        format!("{object}\n{}", self.managed_fields)
    }

    pub(super) fn paused(&self) -> bool {
        self.object["metadata"]["annotations"][PAUSE].is_string()
    }
}

/// Expects everything to be as it was, byte for byte.
#[track_caller]
pub(super) fn assert_back(before: &[Stored], now: &[Stored], why: &str) {
    assert_eq!(before.len(), now.len(), "{why}");
    for (before, now) in before.iter().zip(now) {
        assert_eq!(before.bytes(), now.bytes(), "{why}: {}", now.name());
    }
}

/// The versions of all objects.
pub(super) fn versions(stored: &[Stored]) -> Vec<Value> {
    stored.iter().map(|one| one.object["metadata"]["resourceVersion"].clone()).collect()
}
