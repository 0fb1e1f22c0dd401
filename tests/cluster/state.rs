//! Random live objects, made by random writers, and random charts that render them.

use std::time::Duration;

use cni_steward::fields::{List, Transfer, Wish, transfer};
use serde_json::{Value, json};

use crate::draw::Draw;
use crate::features::{Features, change};
use crate::support::control_plane::Helm;
use crate::support::http::Client;
use crate::support::until;

/// A kind of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Workload,
    Account,
    Settings,
    Role,
    Binding,
    Schema,
}

impl Kind {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        match draw.below(12) {
            0 => Self::Account,
            1 | 2 => Self::Settings,
            3 => Self::Role,
            4 => Self::Binding,
            5 => Self::Schema,
            _ => Self::Workload,
        }
    }
}

/// An object of one trial.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    name: String,
    features: std::cell::Cell<Features>,
}

const APPLY: &str = "application/apply-patch+yaml";

impl Object {
    pub(crate) fn new(kind: Kind, pair: u64, helm: Helm) -> Self {
        let helm = if helm == Helm::V3 { "three" } else { "four" };
        let name = match kind {
            Kind::Schema => format!("things.{helm}{pair}.example.com"),
            _ => format!("aws-node-{helm}-{pair}"),
        };
        Self { kind, name, features: [0; 20].into() }
    }

    fn folder(&self) -> &'static str {
        match self.kind {
            Kind::Workload => "/apis/apps/v1/namespaces/kube-system/daemonsets",
            Kind::Account => "/api/v1/namespaces/kube-system/serviceaccounts",
            Kind::Settings => "/api/v1/namespaces/kube-system/configmaps",
            Kind::Role => "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            Kind::Binding => "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            Kind::Schema => "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.name)
    }

    pub(crate) fn get(&self, client: &Client) -> Value {
        let reply = client.get(&self.path()).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// The smallest one.
    pub(crate) fn plain(&self) -> Value {
        crate::features::object(self.kind, &self.name, &[0; 20])
    }

    /// A server-side apply without force.
    pub(crate) fn try_apply(&self, client: &Client, manager: &str, object: &Value) -> Value {
        let path = format!("{}?fieldManager={manager}", self.path());
        client.patch(&path, APPLY, object).unwrap().json()
    }

    /// A forced server-side apply. One that the API server calls invalid leaves the object as it is.
    #[track_caller]
    pub(crate) fn apply(&self, client: &Client, manager: &str, object: &Value) {
        let path = format!("{}?fieldManager={manager}&force=true", self.path());
        let reply = client.patch(&path, APPLY, object).unwrap();
        assert!(reply.status < 300 || reply.status == 422, "apply by {manager}: {}\n{object}", reply.text());
    }

    /// Makes it live. Gives it as stored, and who wrote.
    pub(crate) fn make(&self, client: &Client, draw: &mut Draw) -> (Value, String) {
        let mut features: Features = [0; 20].map(|_: u64| draw.below(60));
        self.features.set(features);
        self.apply(client, "eks", &self.object(&features));
        if self.kind == Kind::Schema {
            until("the CRD was established", Duration::from_secs(10), || {
                let object = self.get(client);
                let mut conditions = object["status"]["conditions"].as_array()?.iter();
                conditions.any(|c| c["type"] == "Established" && c["status"] == "True").then_some(())
            })
            .unwrap();
        }
        let mut history = "eks".to_owned();
        for _ in 0..draw.below(3) {
            change(&mut features, draw, 2);
            match draw.below(4) {
                0 => self.apply(client, "eks", &self.object(&features)),
                1 => self.update(client, "kubectl-edit", &features),
                2 => self.update(client, "helm", &features),
                _ => self.apply(client, "helm", &self.stamped(&features)),
            }
            history.push_str(", write");
        }
        if self.kind != Kind::Schema && !draw.one_in(8) {
            self.apply(client, "cni-steward", &self.stamps(draw.one_in(12)));
            history.push_str(", stamps");
        }
        let absorb: &[&str] = match draw.below(6) {
            0..3 => &[],
            3 | 4 => &["eks", "cni-steward"],
            _ => &["eks", "cni-steward", "kubectl-edit"],
        };
        if !absorb.is_empty() {
            self.transfer(client, absorb);
            history.push_str(", transfer of ");
            history.push_str(&absorb.join("+"));
        }
        if draw.one_in(5) {
            change(&mut features, draw, 2);
            self.update(client, "kubectl-set", &features);
            history.push_str(", kubectl-set");
        }
        if draw.one_in(6) {
            let nothing = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
            client.patch(&self.path(), "application/json-patch+json", &nothing).unwrap();
            history.push_str(", no managedFields");
        }
        self.features.set(features);
        (self.get(client), history)
    }

    /// What the chart renders: like what is live, but for a few features.
    pub(crate) fn rendered(&self, draw: &mut Draw) -> Value {
        let mut features = self.features.get();
        let changes = draw.below(7);
        change(&mut features, draw, changes);
        let mut object = self.object(&features);
        // Now and then what the API server lets nobody change.
        if draw.one_in(9) {
            match self.kind {
                Kind::Workload => {
                    let labels = json!({"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"});
                    object["spec"]["selector"] = json!({"matchLabels": labels});
                }
                Kind::Binding => object["roleRef"]["name"] = json!("another"),
                _ => {}
            }
        }
        object
    }

    fn object(&self, features: &Features) -> Value {
        crate::features::object(self.kind, &self.name, features)
    }

    fn stamps(&self, wrong: bool) -> Value {
        let plain = self.plain();
        let release = if wrong { "another" } else { "aws-vpc-cni" };
        json!({
            "apiVersion": plain["apiVersion"],
            "kind": plain["kind"],
            "metadata": {
                "name": self.name,
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "meta.helm.sh/release-name": release,
                    "meta.helm.sh/release-namespace": "kube-system",
                },
            },
        })
    }

    fn stamped(&self, features: &Features) -> Value {
        let mut object = self.object(features);
        let stamps = self.stamps(false);
        for map in ["labels", "annotations"] {
            for (key, value) in stamps["metadata"][map].as_object().unwrap() {
                object["metadata"][map][key] = value.clone();
            }
        }
        object
    }

    /// A write of the whole object that is no apply. The API server may write a CRD's status in between.
    fn update(&self, client: &Client, manager: &str, features: &Features) {
        let new = self.object(features);
        until("the object was not changed by another", Duration::from_secs(10), || {
            let mut live = self.get(client);
            for part in ["data", "rules", "subjects", "secrets"] {
                if !new[part].is_null() {
                    live[part] = new[part].clone();
                }
            }
            if self.kind == Kind::Workload {
                live["spec"] = new["spec"].clone();
            }
            for (key, value) in new["metadata"]["labels"].as_object().unwrap() {
                live["metadata"]["labels"][key] = value.clone();
            }
            let reply = client.put(&format!("{}?fieldManager={manager}", self.path()), &live).unwrap();
            assert!([200, 409].contains(&reply.status), "{}\n{live}", reply.text());
            (reply.status == 200).then_some(())
        })
        .unwrap();
    }

    /// What our webhook does in Adopt.
    fn transfer(&self, client: &Client, absorb: &[&str]) {
        let live = self.get(client);
        let text = live["metadata"]["managedFields"].to_string();
        let list = List::parse(&text).unwrap();
        let wish = Wish {
            owner: "helm",
            absorb: &|manager| absorb.contains(&manager),
            merge: true,
            api_version: live["apiVersion"].as_str().unwrap(),
            own: &[],
            disown: &[],
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        if let Transfer::Replace { list, .. } = transfer(&list, None, &wish).transfer {
            let list: Value = serde_json::from_str(&list.whole()).unwrap();
            let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": list}]);
            let reply = client.patch(&self.path(), "application/json-patch+json", &patch).unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }
}
