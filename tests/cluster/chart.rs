//! Our own chart on real API servers, with both Helms.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cni_steward::trust::rendered::{differences, read};
use serde_json::{Value, json};

use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{
    self, ApiServer124, ApiServer130, ApiServer136, Etcd, Helm3, Helm4, Kubectl,
};
use crate::support::watchdog::{Background, Folder};
use crate::support::{tail, until};

/// The chart under test.
pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/cni-steward");
/// A certificate of one's own.
const OWN: &str = concat!("--values=", env!("CARGO_MANIFEST_DIR"), "/charts/cni-steward/tests/values.yaml");
/// With it, a bundle that cert-manager writes.
const INJECTED: &[&str] =
    &["--set=certificate.caBundle=,certificate.certManager.injectCaFrom=kube-system/cni-steward"];
const BOTH_HELMS: &[Tool] = &[Helm3, Helm4];

pub(crate) const CASES: &[Case] = &[
    Case { name: "chart::it_registers_what_export_webhook_prints", needs: BOTH_HELMS, run: same_webhook },
    Case {
        name: "chart::it_exports_the_policies_that_the_program_prints",
        needs: BOTH_HELMS,
        run: same_policies,
    },
    Case { name: "chart::a_value_that_cannot_be_is_refused_by_its_name", needs: BOTH_HELMS, run: bad_values },
    Case { name: "chart::its_test_pod_passes_with_every_policy", needs: BOTH_HELMS, run: test_pod },
    Case {
        name: "chart::api_server_1_24_takes_whatever_it_renders",
        needs: &[ApiServer124, Etcd, Kubectl, Helm3, Helm4],
        run: || taken_by(Version::V1_24, &[Helm::V3, Helm::V4]),
    },
    Case {
        name: "chart::api_server_1_30_takes_whatever_it_renders",
        needs: &[ApiServer130, Etcd, Kubectl, Helm3, Helm4],
        run: || taken_by(Version::V1_30, &[Helm::V3, Helm::V4]),
    },
    Case {
        name: "chart::api_server_1_36_takes_whatever_it_renders",
        needs: &[ApiServer136, Etcd, Kubectl, Helm3, Helm4],
        run: || taken_by(Version::V1_36, &[Helm::V3, Helm::V4]),
    },
    Case {
        name: "chart::an_upgrade_that_changes_ports_leaves_no_old_one_behind_with_helm_3",
        needs: &[ApiServer136, Etcd, Kubectl, Helm3],
        run: || ports(Helm::V3),
    },
    Case {
        name: "chart::an_upgrade_that_changes_ports_leaves_no_old_one_behind_with_helm_4",
        needs: &[ApiServer136, Etcd, Kubectl, Helm4],
        run: || ports(Helm::V4),
    },
    Case {
        name: "chart::going_over_to_a_certificate_of_one_s_own_takes_the_servers_entry_away_with_helm_3",
        needs: &[ApiServer136, Etcd, Kubectl, Helm3],
        run: || own_certificate(Helm::V3, &[]),
    },
    Case {
        name: "chart::going_over_to_a_certificate_of_one_s_own_takes_the_servers_entry_away_with_helm_4",
        needs: &[ApiServer136, Etcd, Kubectl, Helm4],
        // The bundle is the servers' until then.
        run: || own_certificate(Helm::V4, &["--force-conflicts"]),
    },
];

/// What the account may do in mode Adopt: a right from each role and each binding.
pub(crate) const RIGHTS: [&str; 7] = [
    "patch clusterroles.rbac.authorization.k8s.io/aws-node",
    "patch mutatingwebhookconfigurations.admissionregistration.k8s.io/cni-steward",
    // By the binding to the VPC CNI's own role.
    "list pods",
    "patch daemonsets.apps/aws-node",
    "patch configmaps/amazon-vpc-cni",
    "patch leases.coordination.k8s.io/cni-steward",
    "create events.events.k8s.io",
];

/// `helm install` of our chart into kube-system.
pub(crate) fn install(plane: &ControlPlane, helm: Helm, more: &[&str]) -> Output {
    in_cluster(plane, helm, "install", more)
}

/// `helm upgrade` of it.
pub(crate) fn upgrade(plane: &ControlPlane, helm: Helm, more: &[&str]) -> Output {
    in_cluster(plane, helm, "upgrade", more)
}

fn in_cluster(plane: &ControlPlane, helm: Helm, command: &str, more: &[&str]) -> Output {
    let args = [&[command, "cni-steward", CHART, "-n", "kube-system"], more].concat();
    plane.helm(helm, &args)
}

/// `helm template`, with no cluster.
fn template(helm: Helm, version: &str, more: &[&str]) -> Output {
    let mut command = Command::new(helm.tool().path().unwrap());
    command.args(["template", "cni-steward", CHART, "-n", "kube-system", "--kube-version", version]);
    command.args(more).env_remove("KUBECONFIG");
    Output::of(command, None)
}

fn rendered(helm: Helm, version: &str, more: &[&str]) -> String {
    template(helm, version, more).ok().to_owned()
}

fn same_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let renamed = folder.path().join("renamed.yaml");
    let targets = "{name: cni, namespace: network, settings: cni-settings}";
    std::fs::write(&renamed, format!("mode: Observe\ntargets: {targets}\n")).unwrap();
    let values = folder.path().join("values.yaml");
    std::fs::write(&values, format!("policy: {{mode: Observe, targets: {targets}}}\n")).unwrap();
    let policy = format!("--policy={}", renamed.display());
    let values = format!("--values={}", values.display());
    let same: [(&[&str], &[&str]); 2] = [(&[], &[]), (&[&policy], &[&values])];
    for (to_export, to_helm) in same {
        for version in ["1.24", "1.27", "1.28", "v1.30.4-eks-a737599", "1.36"] {
            let args = [
                &["export", "webhook", "--service=kube-system/cni-steward:443", "--kube-version", version],
                to_export,
            ]
            .concat();
            let exported = webhooks(steward::run(&args).ok());
            for helm in [Helm::V3, Helm::V4] {
                let args = [&["--show-only=templates/webhook.yaml"], to_helm].concat();
                let ours = webhooks(&rendered(helm, version, &args));
                assert_eq!(ours, exported, "{helm:?} for Kubernetes {version} {to_helm:?}");
            }
        }
    }
}

/// Without the caBundle, and without the entries for our own dry runs, which need an installation.
fn webhooks(configuration: &str) -> Value {
    let mut configuration: Value = serde_saphyr::from_str(configuration).unwrap();
    let mut webhooks = configuration["webhooks"].take();
    let entries = webhooks.as_array_mut().unwrap();
    entries.retain(|webhook| webhook["clientConfig"]["service"]["path"] == "/mutate");
    for webhook in entries {
        webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
    }
    webhooks
}

/// Each way in which a policy shapes what is exported.
const POLICIES: [&str; 9] = [
    "mode: Observe",
    "mode: Adopt",
    "mode: Adopt\nowner: {manager: argocd-controller}\nclusterApi: Release",
    "mode: Adopt\nowner: {manager: argocd-controller, release: {name: cni}}",
    "mode: Adopt\nowner: {release: null}\ntargets: {name: cni, namespace: network, settings: cni-settings}",
    "mode: Block",
    "mode: Block\nclusterApi: Protect\nexempt: {managers: [helm, 'kubectl-*'], groups: ['a.b|\"c\\*<&>']}",
    "mode: Block\nclusterApi: Release\nexempt: {usernames: []}",
    "mode: Block\nexempt: {usernames: ['eks:*', joe], groups: [ops]}",
];

fn same_policies() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, values) = (folder.path().join("policy.yaml"), folder.path().join("values.yaml"));
    let mut found = 0;
    for text in POLICIES {
        std::fs::write(&policy, text).unwrap();
        let indented = text.replace('\n', "\n  ");
        std::fs::write(&values, format!("exportedPolicies: {{enabled: true}}\npolicy:\n  {indented}\n"))
            .unwrap();
        let (policy, values) = (policy.to_str().unwrap(), format!("--values={}", values.display()));
        for version in ["1.30", "1.36"] {
            let exported =
                steward::run(&["export", "policies", "--policy", policy, "--kube-version", version]);
            let exported = policies(exported.ok());
            found += exported.len();
            for helm in [Helm::V3, Helm::V4] {
                // A template without output is no template to Helm, so all is rendered.
                let ours = policies(&rendered(helm, version, &[&values]));
                assert_eq!(ours, exported, "{helm:?} for Kubernetes {version}: {text}");
            }
        }
    }
    assert!(found > 20, "expected policies to be exported, got {found} objects");
}

/// Kind, name and content of the exported policies among some documents.
fn policies(documents: &str) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for text in documents.split("\n---\n").filter(|text| text.contains("AdmissionPolicy")) {
        let mut object: Value = serde_saphyr::from_str(text).unwrap();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (word(&object["kind"]), word(&object["metadata"]["name"]));
        if !name.ends_with("-own-account") && kind.contains("AdmissionPolicy") {
            found.push((kind, name, object["spec"].take()));
        }
    }
    found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    found
}

fn bad_values() {
    let cases = [
        ("polcy.mode=Adopt", "polcy"),
        ("policy.mode=adopt", "/policy/mode"),
        ("policy.mode=null", "mode"),
        ("policy.clusterAPI=Protect", "clusterAPI"),
        ("policy.owner.release.name=UPPER", "/policy/owner/release/name"),
        ("webhook.port=443", "/webhook/port"),
        ("webhook.port=70000", "/webhook/port"),
        ("webhook.port=https", "/webhook/port"),
        ("webhook.timeoutSeconds=0", "/webhook/timeoutSeconds"),
        ("webhook.failurePolicy=ignore", "/webhook/failurePolicy"),
        ("telemetry.port=80", "/telemetry/port"),
        ("telemetry.port=9443", "telemetry.port: 9443 is webhook.port too"),
        ("replicaCount=0", "/replicaCount"),
        ("image.digest=latest", "/image/digest"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("certificate.secretName=", "certificate.caBundle: this is for a certificate of your own"),
        (
            "certificate.secretName=,certificate.caBundle=,serviceAccount.automountServiceAccountToken=false",
            "serviceAccount.automountServiceAccountToken",
        ),
        ("certificate.caBundle=", "certificate.caBundle: the API server has to trust"),
        ("certificate.caBundle=MIIB", "/certificate/caBundle"),
        ("certificate.certManager.injectCaFrom=name", "/certificate/certManager/injectCaFrom"),
        ("certificate.certManager.injectCaFrom=a/b", "set only one of them"),
        ("strategy.rollingUpdate.maxSurge=1", "strategy.rollingUpdate.maxSurge: must be 0 with hostNetwork"),
        ("logLevel=loud", "/logLevel"),
        ("policy.owner.manager=terraform*", "/policy/owner/manager"),
        ("policy.owner.manager=eks", "policy.owner.manager: eks"),
        ("policy.mode=Adopt,policy.clusterApi=Release", "policy.clusterApi: Release contradicts"),
        ("policy.fields=Stamp,policy.owner.release=null", "policy.fields: Stamp would change nothing"),
        ("serviceAccount.create=false", "serviceAccount.name: name the account"),
    ];
    for helm in [Helm::V3, Helm::V4] {
        let old = template(helm, "1.23", &[]);
        assert!(
            old.refused().contains("kubeVersion: >=1.24"),
            "{helm:?}: expected 1.23 to be refused\n{old}"
        );
    }
    for (value, named) in cases {
        for helm in [Helm::V3, Helm::V4] {
            let output = template(helm, "1.36", &[OWN, "--set", value]);
            assert!(
                output.refused().contains(named),
                "{helm:?}: expected {value} to be refused naming {named:?}\n{output}"
            );
        }
    }
}

/// The program answers what the test pod asks it, with the policy that the chart writes: `helm test` without a node.
fn test_pod() {
    let policies = [
        "--set=policy.mode=Observe",
        "--set=policy.mode=Block,policy.clusterApi=Protect",
        "--set=policy.mode=Adopt,policy.targets.name=cni,policy.targets.namespace=network",
        "--set=policy.mode=Adopt,policy.owner.manager=argocd-controller,policy.owner.release=null",
        "--set-json=policy={\"mode\":\"Adopt\",\"fields\":\"Stamp\",\"absorb\":[\"eks\",\"kubectl*\"],\"managedAddon\":\"Absent\",\"exempt\":{\"groups\":[\"g\"]}}",
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.as_str().unwrap()).unwrap();
        path.display().to_string()
    };
    for values in policies {
        for helm in [Helm::V3, Helm::V4] {
            let one = |template: &str| -> Value {
                let only = format!("--show-only=templates/{template}.yaml");
                serde_saphyr::from_str(&rendered(helm, "1.36", &[values, &only])).unwrap()
            };
            let pod = one("tests/review");
            assert_eq!(pod["spec"]["containers"][0]["args"][0], "review", "{pod}");
            let review = file("review.json", &pod["metadata"]["annotations"]["cni-steward.dev/review"]);
            let policy = file("policy.yaml", &one("policy")["data"]["policy.yaml"]);
            let said = steward::run(&["review", "--policy", &policy, &review]);
            let verdict = if values.contains("Observe") { "ALLOW" } else { "AMEND" };
            assert!(said.ok().starts_with(verdict), "{helm:?} {values}: expected {verdict}\n{said}");
        }
    }
}

/// Values that between them switch on every template that needs no CRD of others.
const VARIATIONS: [&[&str]; 7] = [
    &[],
    &["--set=policy.mode=Adopt,dashboard.enabled=true,exportedPolicies.enabled=true"],
    &[
        "--set=policy.mode=Block,policy.clusterApi=Protect,policy.targets.namespace=network,exportedPolicies.enabled=true",
    ],
    &[OWN],
    &["--set=policy.mode=Block,policy.clusterApi=Release,policy.managedAddon=Absent"],
    &[
        "--set=hostNetwork=false,replicaCount=1,telemetry.enabled=false,k8sServiceHost=10.0.0.1,k8sServicePort=6443",
    ],
    &[OWN, INJECTED[0], "--set=webhook.failurePolicy=Fail"],
];

/// With each of these Helms a release comes, changes and goes without a trace; and the API server knows every field of what it renders
/// and has nothing to warn of.
pub(crate) fn taken_by(version: Version, helms: &[Helm]) {
    let plane = ControlPlane::start(version);
    plane.kubectl(User::Admin, &["create", "namespace", "network"]).ok();
    for &helm in helms {
        let ((), changes) = plane.writes_of(|| {
            install(&plane, helm, VARIATIONS[1]).ok();
            for values in VARIATIONS {
                upgrade(&plane, helm, values).ok();
                is_as_rendered(&plane);
                strangers_pass(&plane);
            }
            plane.helm(helm, &["uninstall", "cni-steward", "-n", "kube-system"]).ok();
        });
        assert_eq!(changes, "", "{helm:?}: expected uninstall to leave nothing");
    }
    for values in VARIATIONS {
        for &helm in helms {
            let manifest = rendered(helm, version.minor(), values);
            let args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
            let applied = plane.kubectl_stdin(User::Admin, &args, &manifest);
            let said = applied.ok();
            for object in ["deployment.apps/cni-steward", "pod/cni-steward-test"] {
                assert!(said.contains(object), "{helm:?} {values:?}: no {object}\n{applied}");
            }
            assert!(!applied.stderr.contains("Warning"), "{helm:?} {values:?}: {applied}");
            let held = said.contains("validatingadmissionpolicybinding");
            assert_eq!(held, version >= Version::V1_30, "{helm:?} {values:?}: {applied}");
        }
    }
}

/// What the API server adds to the webhook configuration of its own accord is no difference to the program.
fn is_as_rendered(plane: &ControlPlane) {
    let settings = plane.get("ConfigMap", "cni-steward-policy");
    let Some(text) = settings["data"]["webhooks.json"].as_str() else { return };
    let stored = plane.get("MutatingWebhookConfiguration", "cni-steward");
    let found = differences(&read(text).unwrap(), stored["webhooks"].as_array().unwrap(), |_| true);
    assert_eq!(found, [], "{stored}");
}

/// Nobody answers, and the names are still to be made up: whatever `failurePolicy` says, this is none of ours.
fn strangers_pass(plane: &ControlPlane) {
    let objects =
        [("v1", "ConfigMap"), ("v1", "ServiceAccount"), ("rbac.authorization.k8s.io/v1", "ClusterRole")];
    for (version, kind) in objects {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"generateName": "any-"}});
        let args = ["create", "--dry-run=server", "-n", "kube-system", "-f", "-"];
        plane.kubectl_stdin(User::Admin, &args, &object.to_string()).ok();
    }
}

/// A chart that a server made itself trusted in goes over to a certificate of one's own, with its bundle and with another's
/// to write it.
fn own_certificate(helm: Helm, force: &[&str]) {
    let plane = ControlPlane::start(Version::V1_36);
    let bundles = || -> Vec<String> {
        let hooks = plane.get("MutatingWebhookConfiguration", "cni-steward");
        let bundle = |entry: &Value| entry["clientConfig"]["caBundle"].as_str().unwrap_or("").to_owned();
        hooks["webhooks"].as_array().unwrap().iter().map(bundle).collect()
    };
    let folder = Folder::new();
    install(&plane, helm, &[]).ok();
    for (more, rendered) in [(&[][..], true), (INJECTED, false)] {
        let args = [
            steward::binary(),
            "serve".to_owned(),
            "--instance=kube-system/cni-steward".to_owned(),
            format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display()),
            "--listen=127.0.0.1:0".to_owned(),
            "--telemetry=127.0.0.1:0".to_owned(),
            "--policy=examples/adopt.yaml".to_owned(),
        ];
        let server = Background::start(Path::new("/usr/bin/env"), &args, &folder.join("steward.log"));
        let all = || Some(bundles()).filter(|all| all.len() == 4 && !all.iter().any(String::is_empty));
        let by_server = until("the server wrote a bundle into all four entries", Duration::from_mins(1), all)
            .unwrap_or_else(|error| panic!("{error}\n{}", tail(&folder.join("steward.log"), 40)));
        drop(server);
        upgrade(&plane, helm, &[&[OWN], more, force].concat()).ok();
        let now = bundles();
        assert_eq!(now.len(), 3, "expected the entry for the servers' own next leaf to be gone: {now:?}");
        assert_eq!(
            now[0] != by_server[0],
            rendered,
            "expected a bundle of one's own where one is given: {now:?}"
        );
        upgrade(&plane, helm, &[&["--set=certificate.caBundle="], force].concat()).ok();
    }
}

fn ports(helm: Helm) {
    let plane = ControlPlane::start(Version::V1_36);
    let pod = || plane.get("Deployment", "cni-steward")["spec"]["template"]["spec"].take();
    let numbers = |key: &str| -> Vec<u64> {
        let pod = pod();
        let ports = pod["containers"][0]["ports"].as_array().unwrap();
        ports.iter().filter_map(|port| port[key].as_u64()).collect()
    };
    let listens = || pod()["containers"][0]["args"].to_string();
    install(&plane, helm, &[]).ok();
    assert_eq!((numbers("containerPort"), numbers("hostPort")), (vec![9443, 9444], vec![9443, 9444]));
    assert!(plane.find("NetworkPolicy", "cni-steward").is_none(), "no NetworkPolicy with hostNetwork");

    upgrade(&plane, helm, &["--set=webhook.port=9543,telemetry.port=9544"]).ok();
    assert_eq!((numbers("containerPort"), numbers("hostPort")), (vec![9543, 9544], vec![9543, 9544]));
    assert!(listens().contains("--listen=[::]:9543"), "{}", listens());
    let service = plane.get("Service", "cni-steward");
    let called = &service["spec"]["ports"][0];
    assert_eq!((&called["port"], &called["targetPort"]), (&443.into(), &"https".into()), "{service}");

    upgrade(&plane, helm, &["--set=hostNetwork=false"]).ok();
    assert_eq!((numbers("containerPort"), numbers("hostPort")), (vec![9443, 9444], vec![]));
    assert_ne!(pod()["hostNetwork"], true);
    plane.get("NetworkPolicy", "cni-steward");

    let refused = upgrade(&plane, helm, &["--set=telemetry.port=9443"]);
    assert!(refused.refused().contains("telemetry.port: 9443 is webhook.port too"), "{refused}");
    assert_eq!(numbers("containerPort"), [9443, 9444], "a refused upgrade changes nothing");
}
