//! Plays the steps of a sequence and looks after each.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::check::{self, Objects};
use super::kubectl::Way;
use super::plan::{AWAY, Manifest, Rules, Step};
use super::release::Revision;
use super::{eks, things};
use crate::support::control_plane::{ControlPlane, User};
use crate::support::http::Client;
use crate::support::{Output, until};

/// All that a sequence can make, and where.
const PLACES: [(&str, &str); 7] = [
    (
        "CustomResourceDefinition/eniconfigs.crd.k8s.amazonaws.com",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/eniconfigs.crd.k8s.amazonaws.com",
    ),
    ("ServiceAccount/aws-node", "/api/v1/namespaces/kube-system/serviceaccounts/aws-node"),
    ("ConfigMap/amazon-vpc-cni", "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni"),
    ("ConfigMap/aws-node", "/api/v1/namespaces/kube-system/configmaps/aws-node"),
    ("ClusterRole/aws-node", "/apis/rbac.authorization.k8s.io/v1/clusterroles/aws-node"),
    ("ClusterRoleBinding/aws-node", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aws-node"),
    ("DaemonSet/aws-node", "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node"),
];
pub(super) const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets?labelSelector=owner%3Dhelm";
pub(super) const KUBE_SYSTEM: [&str; 2] = ["-n", "kube-system"];

/// What a sequence came upon, counted over all of them.
pub(crate) type Counts = BTreeMap<String, usize>;

/// One sequence on an API server that it has for itself while it lasts.
#[derive(Debug)]
pub(crate) struct Play<'p> {
    pub(super) plane: &'p ControlPlane,
    pub(super) client: Client,
    pub(super) rules: Rules,
    /// Of the release, by number.
    pub(super) revisions: BTreeMap<u64, Revision>,
    counts: &'p mut Counts,
}

impl<'p> Play<'p> {
    pub(crate) fn new(plane: &'p ControlPlane, rules: Rules, counts: &'p mut Counts) -> Self {
        Self { plane, client: plane.client(User::Admin), rules, revisions: BTreeMap::new(), counts }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Eks { manifest, away, again } => self.eks(manifest, *away, *again),
            Step::Helm { client, values, server_side, bold, again } => {
                self.helm(*client, values, (*server_side, *bold, *again));
            }
            Step::Rollback { client, back } => self.rollback(*client, *back),
            Step::Kubectl { way, again } => self.kubectl(way, *again),
        }
    }

    /// Leaves nothing for the next sequence.
    pub(crate) fn clean(self) {
        for (_, path) in PLACES {
            self.client.delete(path).unwrap();
        }
        assert_eq!(self.client.delete(SECRETS).unwrap().status, 200);
        until("all objects were gone", Duration::from_secs(20), || self.objects().is_empty().then_some(()))
            .unwrap();
    }

    pub(super) fn objects(&self) -> Objects {
        let found = PLACES.iter().filter_map(|(title, path)| {
            let reply = self.client.get(path).unwrap();
            assert!([200, 404].contains(&reply.status), "{}", reply.text());
            (reply.status == 200).then(|| ((*title).to_owned(), reply.json()))
        });
        found.collect()
    }

    pub(super) fn count(&mut self, what: impl Into<String>, times: usize) {
        *self.counts.entry(what.into()).or_default() += times;
    }

    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.plane.folder().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn eks(&mut self, manifest: &Manifest, away: bool, again: bool) {
        let manifest = eks::manifest(manifest);
        let file = self.file("eks.yaml", &manifest);
        let before = self.objects();
        let output = if away {
            let mut args = vec!["apply", "--server-side", "--force-conflicts", "--field-manager", "eks"];
            args.extend(["--as", AWAY, "--as-group", "system:masters", "-f", file.to_str().unwrap()]);
            self.plane.kubectl(User::Admin, &args)
        } else {
            self.plane.eks_apply(file.to_str().unwrap())
        };
        // The chart moved the agent's port, EKS knows it by its old number, and no two ports may have one name: so it is
        // between any two appliers (a port is told by its number), with or without us.
        if output.code != 0 && output.stderr.contains("ports[1].name: Duplicate value") {
            assert!(
                before["DaemonSet/aws-node"].to_string().contains(r#""containerPort":8180"#),
                "expected another port of this name\n{output}"
            );
            self.count("eks applies refused for a moved port", 1);
            return;
        }
        output.ok();
        if away {
            self.plane.await_crd();
        }
        let after = self.objects();
        check::says(&after, &things::of_manifest(&manifest));
        if !away {
            check::absorbed(self.rules, &before, &after, true);
        }
        if again {
            self.plane.assert_writes_nothing(|| self.plane.eks_apply(file.to_str().unwrap()).ok().to_owned());
            self.count("repeated eks applies", 1);
        }
    }

    fn kubectl(&mut self, way: &Way, again: bool) {
        let before = self.objects();
        let output = match way {
            Way::Run(args, stdin) => {
                // kubectl restarts once a second and no more.
                until("kubectl to restart again", Duration::from_secs(20), || {
                    let output = self.run(args, stdin.as_ref());
                    (!output.stderr.contains("within the past second")).then_some(output)
                })
                .unwrap()
            }
            Way::Edit(kind, script) => self.edit(kind, script),
            Way::Replace(kind, patch) => {
                let title =
                    if *kind == "configmap" { "ConfigMap/amazon-vpc-cni" } else { "ServiceAccount/aws-node" };
                let Some(object) = before.get(title) else { return };
                let mut object = object.clone();
                json_patch::merge(&mut object, patch);
                for field in ["managedFields", "resourceVersion"] {
                    object["metadata"].as_object_mut().unwrap().remove(field);
                }
                self.run(&["replace", "-f", "-"].map(str::to_owned), Some(&object))
            }
        };
        // Somebody may have deleted it before.
        if output.stderr.contains("NotFound") || output.stderr.contains("not found") {
            return;
        }
        output.ok();
        check::absorbed(self.rules, &before, &self.objects(), false);
        if let Way::Run(args, Some(manifest)) = way
            && again
            && way.is_apply()
        {
            self.plane.assert_writes_nothing(|| self.run(args, Some(manifest)).ok().to_owned());
            self.count("repeated kubectl applies", 1);
        }
    }

    fn run(&self, args: &[String], stdin: Option<&Value>) -> Output {
        let mut words = KUBE_SYSTEM.to_vec();
        words.extend(args.iter().map(String::as_str));
        match stdin {
            None => self.plane.kubectl(User::Joe, &words),
            Some(manifest) => self.plane.kubectl_stdin(User::Joe, &words, &manifest.to_string()),
        }
    }

    /// `kubectl edit` with an editor that a script plays.
    fn edit(&self, kind: &str, script: &str) -> Output {
        let editor = self.file("editor.sh", &format!("#!/bin/sh\nsed -i -e '{script}' \"$1\"\n"));
        std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
        let name = if kind == "configmap" { "amazon-vpc-cni" } else { "aws-node" };
        let args = ["-n", "kube-system", "edit", kind, name];
        self.plane.kubectl_env(User::Joe, &args, &[("KUBE_EDITOR", &editor)])
    }
}
