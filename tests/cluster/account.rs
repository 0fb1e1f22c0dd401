//! What the account that our chart makes may do on a real API server, and above all what it may not.

use std::time::Duration;

use crate::chart;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::fixtures::{self, OBJECTS};
use crate::support::suite::Case;
use crate::support::tools::Tool::{
    self, ApiServer124, ApiServer130, ApiServer136, Etcd, Helm3, Helm4, Kubectl,
};
use crate::support::{Output, until};

const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl, Helm3];
const NEW: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm4];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "account::it_may_do_its_work_on_1_24_and_nothing_else",
        needs: OLD,
        run: || work(Version::V1_24, Helm::V3),
    },
    Case {
        name: "account::it_may_do_its_work_on_1_36_and_nothing_else",
        needs: NEW,
        run: || work(Version::V1_36, Helm::V4),
    },
    Case {
        name: "account::where_the_policy_exists_only_metadata_is_its_own_on_1_36",
        needs: NEW,
        run: || metadata_only(Version::V1_36),
    },
    Case {
        name: "account::where_the_policy_exists_only_metadata_is_its_own_on_1_30",
        needs: FIRST,
        run: || metadata_only(Version::V1_30),
    },
    Case { name: "account::the_policy_holds_even_for_a_cluster_admin", needs: NEW, run: cluster_admin },
    Case { name: "account::it_may_write_only_what_the_policy_writes", needs: OLD, run: by_mode },
];

/// The first API server that has such policies.
const FIRST: &[Tool] = &[ApiServer130, Etcd, Kubectl, Helm4];

/// Our account, as whoever has its token.
struct Account {
    plane: ControlPlane,
    token: String,
}

impl Account {
    /// The VPC CNI is there, and our chart in mode Adopt beside it.
    fn new(version: Version, helm: Helm) -> Self {
        let plane = ControlPlane::start(version);
        plane.eks_apply(fixtures::EKS_APPLY).ok();
        chart::install(&plane, helm, &["--set=policy.mode=Adopt"]).ok();
        // It points to a Service that nobody serves here.
        plane.kubectl(User::Admin, &["delete", "mutatingwebhookconfiguration", "cni-steward"]).ok();
        let token = plane.kubectl(User::Admin, &["create", "token", "cni-steward", "-n", "kube-system"]);
        let account = Self { token: token.ok().trim().to_owned(), plane };
        account.plane.await_rights(&account.token, true, &chart::RIGHTS);
        account.await_policy();
        account
    }

    fn try_to(&self, args: &[&str], stdin: Option<&str>) -> Output {
        let token = format!("--token={}", self.token);
        let args = [args, &["-n", "kube-system", &token]].concat();
        match stdin {
            Some(stdin) => self.plane.kubectl_stdin(User::Admin, &args, stdin),
            None => self.plane.kubectl(User::Admin, &args),
        }
    }

    fn type_in(&self, words: &str) -> Output {
        self.try_to(&words.split_whitespace().collect::<Vec<_>>(), None)
    }

    fn patch(&self, object: &str, kind: &str, patch: &str) -> Output {
        self.try_to(&["patch", object, "--type", kind, "-p", patch], None)
    }

    /// From 1.30 on the API server holds the account to metadata, a moment after the chart was installed.
    fn await_policy(&self) {
        if self.plane.version() == Version::V1_24 {
            return;
        }
        until("the policy was in force", Duration::from_mins(1), || {
            let args = ["patch", "ds/aws-node", "--type=merge", "--dry-run=server", "-p", POD_LABEL];
            (self.try_to(&args, None).code != 0).then_some(())
        })
        .unwrap();
    }
}

/// Expects an answer that says: no rights.
#[track_caller]
fn refused(what: &str, output: &Output) {
    assert!(output.code != 0, "expected to be refused: {what}\n{output}");
    let said = output.stderr.to_lowercase();
    assert!(
        said.contains("forbidden") || said.contains("denied"),
        "refused, but not for want of rights: {what}\n{output}"
    );
}

const POD_LABEL: &str = r#"{"spec":{"template":{"metadata":{"labels":{"evil":"yes"}}}}}"#;
const SET_IMAGE: &str =
    r#"[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"evil:1"}]"#;
const STAMP: &str = r#"{"metadata":{
    "labels":{"app.kubernetes.io/managed-by":"Helm","cni-steward.dev/installed-by":"eks","aws.cluster.x-k8s.io/prevent-deletion":"true"},
    "annotations":{"meta.helm.sh/release-name":"aws-vpc-cni","meta.helm.sh/release-namespace":"kube-system","cni-steward.dev/test":"1"}}}"#;
const NEW_RULE: &str =
    r#"[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}}]"#;

/// What the program does: read, stamp, move ownership, hold the lease.
fn all_that_it_does(account: &Account) {
    for (kind, name) in OBJECTS {
        let object = format!("{kind}/{name}");
        let named = format!("metadata.name={name}");
        account.try_to(&["get", &object], None).ok();
        account.try_to(&["get", kind, "--field-selector", &named], None).ok();
        account.patch(&object, "merge", STAMP).ok();
        account
            .patch(&object, "merge", r#"{"metadata":{"labels":{"cni-steward.dev/installed-by":null}}}"#)
            .ok();
        let live = account.plane.get(kind, name);
        let mut entries = live["metadata"]["managedFields"].clone();
        entries.as_array_mut().unwrap().iter_mut().for_each(|entry| {
            if entry["manager"] == "eks" {
                entry["manager"] = "helm".into();
            }
        });
        let metadata = serde_json::json!({"metadata": {
            "managedFields": entries, "resourceVersion": live["metadata"]["resourceVersion"],
        }});
        account.patch(&object, "merge", &metadata.to_string()).ok();
        let entries = account.plane.get(kind, name)["metadata"]["managedFields"].to_string();
        assert!(!entries.contains(r#""manager":"eks""#), "expected ownership to have moved, got {entries}");
    }
    let lease = |holder: &str| {
        serde_json::json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "cni-steward"}, "spec": {"holderIdentity": holder}})
        .to_string()
    };
    account.try_to(&["create", "-f", "-"], Some(&lease("one"))).ok();
    account.try_to(&["replace", "-f", "-"], Some(&lease("two"))).ok();
    account.patch("lease/cni-steward", "merge", r#"{"spec":{"holderIdentity":"three"}}"#).ok();
    account.try_to(&["auth", "can-i", "patch", "daemonset/aws-node"], None).ok();
    let secret = |kind: &str, annotations: &serde_json::Value| {
        serde_json::json!({"apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": "cni-steward-certificate", "annotations": annotations}, "data": {"tls.crt": "eA=="}})
        .to_string()
    };
    if account.plane.version() != Version::V1_24 {
        // Kubernetes would put the token of that account into it.
        let of = serde_json::json!({"kubernetes.io/service-account.name": "default"});
        let token = secret("kubernetes.io/service-account-token", &of);
        refused("a Secret for a token", &account.try_to(&["create", "-f", "-"], Some(&token)));
    }
    account.try_to(&["create", "-f", "-"], Some(&secret("Opaque", &serde_json::Value::Null))).ok();
    account.patch("secret/cni-steward-certificate", "merge", r#"{"data":{"tls.crt":"eQ=="}}"#).ok();
    account
        .plane
        .kubectl(User::Admin, &["delete", "secret", "cni-steward-certificate", "-n", "kube-system"])
        .ok();
    let canary = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cni-steward-canary"}}"#;
    account.try_to(&["create", "--dry-run=server", "-f", "-"], Some(canary)).ok();
    let event = serde_json::json!({"apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"generateName": "test", "namespace": "kube-system"}, "type": "Normal", "reason": "Test",
        "action": "Test", "eventTime": "2026-01-01T00:00:00.000000Z", "note": "x", "reportingController": "cni-steward",
        "reportingInstance": "x", "regarding": {"kind": "DaemonSet", "namespace": "kube-system", "name": "aws-node"}});
    account.try_to(&["create", "-f", "-"], Some(&event.to_string())).ok();
}

fn work(version: Version, helm: Helm) {
    let account = Account::new(version, helm);
    let admin = |args: &[&str]| drop(account.plane.kubectl(User::Admin, args).ok().to_owned());
    admin(&["create", "serviceaccount", "other", "-n", "kube-system"]);
    admin(&["create", "configmap", "other", "-n", "kube-system"]);
    admin(&["create", "configmap", "amazon-vpc-cni", "-n", "default"]);
    admin(&["create", "serviceaccount", "aws-node", "-n", "default"]);
    admin(&["create", "secret", "generic", "other", "-n", "kube-system"]);
    admin(&["create", "clusterrole", "other", "--verb=get", "--resource=pods"]);
    admin(&[
        "create",
        "clusterrolebinding",
        "other",
        "--clusterrole=other",
        "--serviceaccount=default:other",
    ]);
    all_that_it_does(&account);

    let others = "serviceaccount/other configmap/other clusterrole/other clusterrolebinding/other secret/other \
                  namespace/kube-system mutatingwebhookconfiguration/other daemonset/other deployment/cni-steward lease/other";
    for object in others.split_whitespace() {
        refused(object, &account.patch(object, "merge", STAMP));
        refused(object, &account.try_to(&["delete", object], None));
    }
    for (kind, name) in OBJECTS {
        let object = format!("{kind}/{name}");
        refused("deletion", &account.try_to(&["delete", &object], None));
    }
    for object in ["configmap/amazon-vpc-cni", "serviceaccount/aws-node", "daemonset/aws-node"] {
        let token = format!("--token={}", account.token);
        let args = ["patch", object, "--type=merge", "-p", STAMP, "-n", "default", &token];
        refused("another namespace", &account.plane.kubectl(User::Admin, &args));
    }
    for words in [
        "get secret other",
        "get secrets",
        "get configmaps",
        "get daemonsets -A",
        "get secret cni-steward-tls",
        "create clusterrolebinding new --clusterrole=cluster-admin --serviceaccount=kube-system:cni-steward",
        "create token aws-node",
        "create serviceaccount new",
        "run new --image=evil:1",
        "get namespaces --as=joe",
        "patch ds/aws-node --subresource=status --type=merge -p STAMP",
    ] {
        refused(words, &account.type_in(words));
    }
    if version == Version::V1_24 {
        // What the chart's README and NOTES warn of: a role cannot say "metadata only".
        account.patch("daemonset/aws-node", "json", SET_IMAGE).ok();
    }
    refused("a new rule in aws-node", &account.patch("clusterrole/aws-node", "json", NEW_RULE));
    refused(
        "another role in the binding",
        &account.patch("clusterrolebinding/aws-node", "merge", r#"{"roleRef":{"name":"cluster-admin"}}"#),
    );
}

fn metadata_only(version: Version) {
    let account = Account::new(version, Helm::V4);
    let lease = r#"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"other"}}"#;
    refused("another lease", &account.try_to(&["create", "-f", "-"], Some(lease)));
    for object in [
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"other"}}"#,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cni-steward-canary"}}"#,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"}}"#,
    ] {
        let output = account.try_to(&["create", "-f", "-"], Some(object));
        refused(object, &output);
        assert!(output.stderr.contains("cni-steward-own-account"), "not by the policy: {object}\n{output}");
    }
    for (object, patch) in [
        ("ds/aws-node", SET_IMAGE),
        ("ds/aws-node", POD_LABEL),
        ("ds/aws-node", r#"{"spec":{"template":{"spec":{"nodeSelector":{"no":"where"}}}}}"#),
        ("sa/aws-node", r#"{"secrets":[{"name":"evil"}]}"#),
        ("sa/aws-node", r#"{"imagePullSecrets":[{"name":"evil"}]}"#),
        ("sa/aws-node", r#"{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"evil"}}}"#),
        ("cm/amazon-vpc-cni", r#"{"data":{"enable-network-policy-controller":"evil"}}"#),
        ("cm/amazon-vpc-cni", r#"{"data":null}"#),
        ("clusterrole/aws-node", r#"{"rules":[]}"#),
        (
            "clusterrolebinding/aws-node",
            r#"{"subjects":[{"kind":"ServiceAccount","name":"evil","namespace":"default"}]}"#,
        ),
        ("crd/eniconfigs.crd.k8s.amazonaws.com", r#"{"spec":{"names":{"shortNames":["evil"]}}}"#),
        ("ds/aws-node", r#"{"metadata":{"finalizers":["evil.dev/never"]}}"#),
        (
            "ds/aws-node",
            r#"{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"1"}]}}"#,
        ),
        ("ds/aws-node", r#"{"metadata":{"labels":{"k8s-app":null}}}"#),
        ("ds/aws-node", r#"{"metadata":{"labels":{"k8s-app":"other"}}}"#),
        ("ds/aws-node", r#"{"metadata":{"labels":{"other":"label"}}}"#),
        ("ds/aws-node", r#"{"metadata":{"annotations":{"other":"annotation"}}}"#),
    ] {
        let kind = if patch.starts_with('[') { "json" } else { "merge" };
        let output = account.patch(object, kind, patch);
        refused(patch, &output);
        assert!(output.stderr.contains("cni-steward-own-account"), "not by the policy: {patch}\n{output}");
    }
    trust_only(&account);
    // All of that was refused by the rules and not by chance.
    all_that_it_does(&account);
}

/// Of the webhook configuration the account may change whom the API server trusts, and not whom it calls about what.
fn trust_only(account: &Account) {
    // One that nothing calls, as nobody serves here.
    let entry = serde_json::json!({"name": "cluster.cni-steward.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"service": {"name": "cni-steward", "namespace": "kube-system", "path": "/mutate"}}});
    let configuration = serde_json::json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration", "metadata": {"name": "cni-steward"}, "webhooks": [entry]});
    account.plane.kubectl_stdin(User::Admin, &["create", "-f", "-"], &configuration.to_string()).ok();
    let object = "mutatingwebhookconfiguration/cni-steward";
    let all = r#"[{"op":"add","path":"/webhooks/0/rules","value":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["*"],"resources":["*"]}]}]"#;
    for patch in [
        all,
        r#"[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"url":"https://evil.example.org/"}}]"#,
        r#"[{"op":"replace","path":"/webhooks/0/clientConfig/service/name","value":"evil"}]"#,
        r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]"#,
        r#"[{"op":"remove","path":"/webhooks/0"}]"#,
        r#"[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]"#,
    ] {
        let output = account.patch(object, "json", patch);
        refused(patch, &output);
        assert!(output.stderr.contains("cni-steward-own-account"), "not by the policy: {patch}\n{output}");
    }
    let pem = std::fs::read(account.plane.folder().join("ca.crt")).unwrap();
    let bundle = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    let patch = format!(r#"[{{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"{bundle}"}}]"#);
    account.patch(object, "json", &patch).ok();
}

fn cluster_admin() {
    let account = Account::new(Version::V1_36, Helm::V4);
    let grant = "create clusterrolebinding too-much --clusterrole=cluster-admin \
                 --serviceaccount=kube-system:cni-steward";
    account.plane.shell(User::Admin, grant).ok();
    until("the account could read Secrets", Duration::from_secs(20), || {
        (account.try_to(&["get", "secrets"], None).code == 0).then_some(())
    })
    .unwrap();
    for words in [
        "delete daemonset/aws-node",
        "create configmap new",
        "create secret generic new",
        "create token aws-node",
        "run new --image=evil:1",
        "delete namespace default",
        "scale deployment/cni-steward --replicas=0",
        "label namespace kube-system a=b",
        "patch ds/aws-node --subresource=status --type=merge -p {\"status\":{\"numberReady\":9}}",
        "set image daemonset/aws-node aws-node=evil:1",
    ] {
        refused(words, &account.type_in(words));
    }
    refused("a new rule in aws-node", &account.patch("clusterrole/aws-node", "json", NEW_RULE));
    account.plane.kubectl(User::Joe, &["label", "namespace", "default", "a=b"]).ok();
    all_that_it_does(&account);
}

fn by_mode() {
    let account = Account::new(Version::V1_24, Helm::V3);
    let may = |kind: &str, name: &str, verb: &str| {
        let object = format!("{kind}/{name}");
        let asked = account.try_to(&["auth", "can-i", verb, &object], None);
        asked.stdout.trim() == "yes"
    };
    for (values, core_four, others) in [
        ("--set=policy.mode=Observe", false, false),
        ("--set=policy.mode=Block", false, false),
        ("--set=policy.mode=Block,policy.clusterApi=Protect", true, false),
        ("--set=policy.mode=Adopt", true, true),
    ] {
        chart::upgrade(&account.plane, Helm::V3, &[values]).ok();
        for (kind, name) in OBJECTS {
            let expected = if fixtures::CORE_FOUR.contains(&kind) { core_four } else { others };
            until(&format!("{values}: patch of {kind} was {expected}"), Duration::from_secs(20), || {
                (may(kind, name, "patch") == expected).then_some(())
            })
            .unwrap();
            assert!(may(kind, name, "get"), "{values}: expected to be able to read {kind}");
            assert!(!may(kind, name, "delete"), "{values}: expected not to be able to delete {kind}");
        }
        // Only one watches and tells, whatever it may write.
        for (kind, name) in [("lease", "cni-steward"), ("secret", "cni-steward-certificate")] {
            assert!(may(kind, name, "patch"), "{values}: expected to be able to patch {kind}");
        }
        assert!(!may("secret", "other", "get"), "{values}: expected no other Secret to be readable");
    }
}
