//! What forbids a purge, and what each refusal says to do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::ground::{Ground, said};
use crate::scene::{NEW, NEW_HELM_4};
use crate::support::control_plane::{Helm, User, Version};
use crate::support::steward::BINARY;
use crate::support::suite::Case;
use crate::support::{Output, fixtures, until};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "purge::it_is_refused_while_a_schedulable_node_has_no_other_network_unless_their_number_is_said",
        needs: NEW,
        run: interlock,
    },
    Case {
        name: "purge::what_may_be_the_managed_add_on_s_is_aws_s_to_remove",
        needs: NEW,
        run: managed_add_on,
    },
    Case {
        name: "purge::what_a_helm_release_owns_is_helm_s_to_uninstall",
        needs: NEW_HELM_4,
        run: helm_release,
    },
    Case { name: "purge::what_flux_or_argo_cd_own_they_would_bring_back", needs: NEW, run: flux_and_argo },
    Case { name: "purge::pods_without_their_daemon_set_keep_what_they_need", needs: NEW, run: orphans },
    Case {
        name: "purge::what_a_cluster_says_steers_no_terminal_and_is_one_word_of_a_command",
        needs: NEW,
        run: hostile,
    },
    Case { name: "purge::a_foreign_daemon_set_of_that_name_is_not_touched", needs: NEW, run: foreign },
    Case { name: "purge::each_missing_right_is_named_before_anything_is_deleted", needs: NEW, run: rights },
];

#[track_caller]
fn refused(ground: &Ground, args: &[&str], says: &[&str]) -> Output {
    let never = ground.file("never");
    let all = [args, &["--undo-file", &never]].concat();
    let answer = ground.plane.assert_writes_nothing(|| ground.purge(&all));
    assert_eq!(answer.code, 1, "expected a refusal, got {answer}");
    for words in says {
        assert!(said(&answer).contains(words), "expected {words:?} in {answer}");
    }
    assert!(!std::path::Path::new(&never).exists(), "expected no undo file");
    answer
}

fn interlock() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a", "b", "c"]);
    ground.node(&json!({"name": "cordoned"}), &json!({"unschedulable": true}));
    let fargate = json!({"name": "f", "labels": {"eks.amazonaws.com/compute-type": "fargate"}});
    ground.node(&fargate, &json!({}));
    ground.runs("cilium", &["c"]);
    let yes = ["--yes", "--managed-addon-absent"];
    let says = [
        "network-loss",
        "2 schedulable nodes have no other network that is ready: a, b",
        "--accept-network-loss 2",
    ];
    refused(&ground, &yes, &says);
    for wrong in ["1", "3", "0"] {
        let args = [&yes[..], &["--accept-network-loss", wrong]].concat();
        refused(&ground, &args, &[&format!("2 schedulable nodes, not {wrong}, have no other network")]);
    }
    // Policies only: without the VPC CNI it gives no Pod an address.
    ground.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": {"cni-chaining-mode": "aws-cni"},
    }));
    refused(&ground, &yes, &["3 schedulable nodes have no other network that is ready: a, b, c"]);
    ground.plane.kubectl(User::Admin, &["delete", "configmap", "cilium-config", "-n", "kube-system"]).ok();
    ground.runs("antrea-agent", &["a", "b"]);
    let antrea = |mode: &str| {
        ground.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "antrea-config", "namespace": "kube-system"},
            "data": {"antrea-agent.conf": format!("# trafficEncapMode: encap\n{mode}\n")},
        }));
    };
    antrea("trafficEncapMode: \"networkPolicyOnly\"");
    refused(&ground, &yes, &["2 schedulable nodes have no other network that is ready: a, b"]);
    antrea("trafficEncapMode: encap");
    let plan = ground.purge(&["--plan", "--managed-addon-absent"]);
    assert!(said(&plan).contains("another network that is ready: Antrea, Cilium"), "{plan}");
    ground.plane.kubectl(User::Admin, &["delete", "daemonset", "antrea-agent", "-n", "kube-system"]).ok();

    let _collector = ground.collector();
    let undo = ground.file("undo");
    let args = [&yes[..], &["--accept-network-loss", "2", "--undo-file", &undo]].concat();
    let done = ground.purge(&args);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    assert!(said(&done).contains("these nodes will have no network: a, b"), "{done}");
    assert!(said(&done).contains("cordoned, and not counted: cordoned"), "{done}");
}

fn orphans() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a", "b"]);
    ground.runs("cilium", &["a", "b"]);
    ground.pods_of_the_workload(&["a", "b"]);
    // Nobody collects its Pods here.
    let delete = ["delete", "daemonset", "aws-node", "-n", "kube-system", "--cascade=background"];
    ground.plane.kubectl(User::Joe, &delete).ok();
    let yes = ["--yes", "--managed-addon-absent"];
    let says = [
        "orphaned-pods",
        "2 Pods run without the DaemonSet, with the account and the rights that would go: aws-node-a, aws-node-b",
        "kubectl delete pods -n kube-system -l k8s-app=aws-node",
    ];
    let refused = refused(&ground, &yes, &says);

    // What the refusal says to do, word for word.
    let (_, next) = refused.stdout.split_once("another network: kubectl ").unwrap();
    let next: Vec<&str> = next.lines().next().unwrap().split(' ').collect();
    ground.plane.kubectl(User::Joe, &[&next[..], &["--grace-period=0", "--force"]].concat()).ok();
    let done = ground.purge(&[&yes[..], &["--undo-file", &ground.file("undo")]].concat());
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
}

fn hostile() {
    let ground = Ground::with_eks(Version::V1_36);
    let stamps = json!({"metadata": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": "x\u{1b}[2J; touch it #", "meta.helm.sh/release-namespace": "kube-system",
            "argocd.argoproj.io/tracking-id": "a\u{1b}]0;b\u{7} $(touch it):apps/DaemonSet:kube-system/aws-node",
        },
    }});
    let patch = ["patch", "daemonset", "aws-node", "-n", "kube-system", "--type=merge", "-p"];
    ground.plane.kubectl(User::Joe, &[&patch[..], &[&stamps.to_string()]].concat()).ok();
    let plan = ground.purge(&["--plan"]);
    let run = |words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(words).args(["--kubeconfig", ground.plane.kubeconfig(User::Joe).to_str().unwrap()]);
        Output::of(command, None)
    };
    let (status, adopt) = (run(&["status"]), run(&["adopt", "--plan"]));
    for (told, says) in [
        (&plan, r"argocd app delete 'a\u{1b}]0;b\u{7} $(touch it)'"),
        (&status, r"helm upgrade --install 'x\u{1b}[2J; touch it #' eks/aws-vpc-cni"),
        (&adopt, r"x\u{1b}[2J; touch it #"),
    ] {
        assert!(said(told).contains(says), "expected {says:?} in {told}");
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!told.stdout.contains(steers) && !told.stderr.contains(steers), "{:?}", told.stdout);
    }
}

fn managed_add_on() {
    let ground = Ground::with_eks(Version::V1_36);
    let of = "--cluster-name example --addon-name vpc-cni";
    let says = [
        "managed-addon".to_owned(),
        format!("aws eks describe-addon {of}"),
        format!("aws eks delete-addon {of} "),
        format!("aws eks delete-addon {of} --preserve"),
        "--managed-addon-absent".to_owned(),
    ];
    let says: Vec<&str> = says.iter().map(String::as_str).collect();
    refused(&ground, &["--yes"], &says);

    // What a policy says is enough for entries, but not against the mark, which is newer.
    let policy = ground.file("policy.yaml");
    std::fs::write(&policy, "mode: Block\nmanagedAddon: Absent\n").unwrap();
    let plan = ground.purge(&["--plan", "--policy", &policy]);
    assert_eq!(plan.code, 0, "{plan}");
    let mark =
        ["annotate", "daemonset", "aws-node", "-n", "kube-system", "cni-steward.dev/managed-addon=true"];
    ground.plane.kubectl(User::Joe, &mark).ok();
    refused(&ground, &["--yes", "--policy", &policy], &["the EKS managed add-on wrote it"]);

    let _collector = ground.collector();
    let done = ground.purge(&[
        "--yes",
        "--policy",
        &policy,
        "--managed-addon-absent",
        "--undo-file",
        &ground.file("undo"),
    ]);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    assert!(said(&done).contains("Your policy (mode: Block) keeps it away"), "{done}");
}

fn helm_release() {
    let ground = Ground::bare(Version::V1_36);
    let helm = |words: &[&str]| ground.plane.helm(Helm::V4, words);
    helm(&["install", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "-f", fixtures::VALUES]).ok();
    ground.plane.await_crd();
    let says = [
        "Helm release kube-system/aws-vpc-cni owns it",
        "helm uninstall aws-vpc-cni -n kube-system",
        "--ignore-owner",
    ];
    refused(&ground, &["--yes"], &says);
    let plan = ground.purge(&["--plan", "--ignore-owner"]);
    assert_eq!(plan.code, 0, "{plan}");
    assert!(said(&plan).contains("its next upgrade would bring the VPC CNI back"), "{plan}");

    // What the refusal says to do, word for word; purge does the rest.
    helm(&["uninstall", "aws-vpc-cni", "-n", "kube-system"]).ok();
    let done = ground.purge(&["--yes", "--undo-file", &ground.file("undo")]);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
}

fn flux_and_argo() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": {"kind": "HelmRelease", "plural": "helmreleases"},
            "versions": [{
                "name": "v2", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    }));
    let wait =
        ["wait", "--for=condition=Established", "--timeout=30s", "crd/helmreleases.helm.toolkit.fluxcd.io"];
    ground.plane.kubectl(User::Admin, &wait).ok();
    ground.apply(&json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "cni", "namespace": "default"},
        "spec": {"releaseName": "aws-vpc-cni", "targetNamespace": "kube-system", "chart": {"spec": {"chart": "aws-vpc-cni"}}},
    }));
    let argo = ["annotate", "daemonset", "aws-node", "-n", "kube-system"];
    let id = "argocd.argoproj.io/tracking-id=network:apps/DaemonSet:kube-system/aws-node";
    ground.plane.kubectl(User::Joe, &[&argo[..], &[id]].concat()).ok();
    let says = [
        "Flux installs the VPC CNI by HelmRelease default/cni",
        "flux suspend helmrelease cni -n default",
        "Argo CD owns it by application network",
    ];
    refused(&ground, &["--yes", "--managed-addon-absent"], &says);
    let suspend = r#"{"spec":{"suspend":true}}"#;
    ground.plane.kubectl(User::Admin, &["patch", "helmrelease", "cni", "--type=merge", "-p", suspend]).ok();
    let answer = refused(&ground, &["--yes", "--managed-addon-absent"], &["application network"]);
    assert!(!said(&answer).contains("Flux"), "one that is suspended brings nothing back: {answer}");
}

fn foreign() {
    let ground = Ground::bare(Version::V1_36);
    ground.runs("aws-node", &[]);
    let says = ["foreign", "DaemonSet kube-system/aws-node is not the VPC CNI", "example.org/agent"];
    refused(&ground, &["--yes"], &says);
}

/// A rule of the least role that may purge: API group, resource, verbs.
type Rule = (&'static str, &'static str, &'static [&'static str]);

const ALL: [Rule; 15] = [
    ("", "namespaces", &["get"]),
    ("", "nodes", &["list"]),
    ("", "pods", &["list"]),
    ("", "configmaps", &["get", "delete"]),
    ("", "serviceaccounts", &["get", "delete"]),
    ("", "secrets", &["list"]),
    ("", "events", &["list"]),
    ("apps", "daemonsets", &["get", "list", "delete"]),
    ("apps", "deployments", &["get", "list"]),
    ("rbac.authorization.k8s.io", "clusterroles", &["get", "delete"]),
    ("rbac.authorization.k8s.io", "clusterrolebindings", &["get", "delete"]),
    ("apiextensions.k8s.io", "customresourcedefinitions", &["get", "delete"]),
    ("crd.k8s.amazonaws.com", "eniconfigs", &["list"]),
    ("vpcresources.k8s.aws", "securitygrouppolicies", &["list"]),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", &["list"]),
];

fn rights() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a"]);
    ground.runs("cilium", &["a"]);
    let account = account(&ground);
    let run = |args: &[&str]| {
        ground.purge_with(
            &account.display().to_string(),
            "",
            &[&["--managed-addon-absent"], args].concat(),
            None,
        )
    };
    let undo = ground.file("undo");
    for (lacks, code, says) in [
        (("daemonsets", "delete"), 2, "cannot delete daemonsets.apps kube-system/aws-node"),
        (
            ("clusterrolebindings", "delete"),
            2,
            "cannot delete clusterrolebindings.rbac.authorization.k8s.io aws-node",
        ),
        (("clusterroles", "delete"), 2, "cannot delete clusterroles.rbac.authorization.k8s.io aws-node"),
        (("serviceaccounts", "delete"), 2, "cannot delete serviceaccounts kube-system/aws-node"),
        (("configmaps", "delete"), 2, "cannot delete configmaps kube-system/amazon-vpc-cni"),
        (
            ("customresourcedefinitions", "delete"),
            2,
            "cannot delete customresourcedefinitions.apiextensions.k8s.io eniconfigs.crd.k8s.amazonaws.com",
        ),
        (("nodes", "list"), 1, "kubectl auth can-i list nodes"),
        (("pods", "list"), 1, "kubectl auth can-i list pods -n kube-system"),
        (("daemonsets", "list"), 1, "kubectl auth can-i list daemonsets.apps"),
        (
            ("clusterroles", "get"),
            1,
            "kubectl auth can-i get clusterroles.rbac.authorization.k8s.io/aws-node",
        ),
        (("daemonsets", "get"), 1, "kubectl auth can-i get daemonsets.apps/aws-node -n kube-system"),
        (("configmaps", "get"), 1, "kubectl auth can-i get configmaps/amazon-vpc-cni -n kube-system"),
    ] {
        may(&ground, &account, Some(lacks));
        let answer = ground.plane.assert_writes_nothing(|| run(&["--yes", "--undo-file", &undo]));
        assert_eq!(answer.code, code, "without {lacks:?}: {answer}");
        assert!(said(&answer).contains(says), "without {lacks:?} expected {says:?} in {answer}");
        assert!(
            !std::path::Path::new(&undo).exists(),
            "expected no undo file of what was never begun: {answer}"
        );
    }
    // What only keeps something is no reason to stop.
    may(&ground, &account, Some(("eniconfigs", "list")));
    let plan = run(&["--plan"]);
    assert_eq!(plan.code, 0, "{plan}");
    assert!(
        said(&plan).contains("whether there is any ENIConfig, which needs it, could not be seen"),
        "{plan}"
    );

    may(&ground, &account, None);
    let _collector = ground.collector();
    let done = run(&["--yes", "--undo-file", &undo]);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
}

/// A service account's kubeconfig.
fn account(ground: &Ground) -> PathBuf {
    let kubectl = |words: &str| {
        let args = [&words.split_whitespace().collect::<Vec<_>>()[..], &["-n", "kube-system"]].concat();
        ground.plane.kubectl(User::Admin, &args)
    };
    kubectl("create serviceaccount purger").ok();
    kubectl("create clusterrolebinding purger --clusterrole=purger --serviceaccount=kube-system:purger").ok();
    let token = kubectl("create token purger");
    let admins = std::fs::read_to_string(ground.plane.kubeconfig(User::Admin)).unwrap();
    let mut config: Value = serde_json::from_str(&admins).unwrap();
    config["users"][0]["user"]["token"] = token.ok().trim().into();
    let file = ground.plane.folder().join("purger.kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// Gives it every right but one, and returns when that is in force.
fn may(ground: &Ground, account: &std::path::Path, lacks: Option<(&str, &str)>) {
    let rules: Vec<Value> = ALL
        .iter()
        .map(|(group, resource, verbs)| {
            let verbs: Vec<&&str> = verbs.iter().filter(|verb| lacks != Some((*resource, **verb))).collect();
            json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
        })
        .filter(|rule| !rule["verbs"].as_array().unwrap().is_empty())
        .collect();
    ground.plane.kubectl(User::Admin, &["delete", "clusterrole", "purger", "--ignore-not-found"]).ok();
    ground.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "purger"}, "rules": rules,
    }));
    let kubeconfig = format!("--kubeconfig={}", account.display());
    until("the rights were in force", Duration::from_secs(20), || {
        ALL.iter()
            .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| (group, resource, verb)))
            .filter(|(_, resource, verb)| {
                matches!(**verb, "delete") || lacks.is_some_and(|lacks| lacks == (**resource, **verb))
            })
            .all(|(group, resource, verb)| {
                let what = format!("{resource}.{group}");
                let what = what.trim_end_matches('.');
                let asked = ground
                    .plane
                    .kubectl(User::Admin, &["auth", "can-i", verb, what, "-n", "kube-system", &kubeconfig]);
                (asked.code == 0) == (lacks != Some((*resource, *verb)))
            })
            .then_some(())
    })
    .unwrap();
}
