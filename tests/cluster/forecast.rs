//! The forecast against real Helms: the same answer, the same conflicts path by path, the same left over.

use std::process::Command;

use cni_steward::acceptance::Summary;
use cni_steward::acceptance::forecast::{Answer, Forecast};
use cni_steward::policy::Kind;

use crate::answers::{Conflicts, assert_complaint, ended, forecasts, foretold, of_install, told};
use crate::scene::{ADOPT, NEW_HELM_3, NEW_HELM_4, OLD_HELM_4, Scene};
use crate::support::Output;
use crate::support::control_plane::{Helm, User, Version};
use crate::support::fixtures;
use crate::support::suite::Case;
use crate::support::tools::Tool;
use crate::support::watchdog::Folder;

pub(crate) const CASES: &[Case] = &[
    Case { name: "forecast::an_eks_apply_that_nobody_adopted", needs: NEW_HELM_4, run: raw },
    Case { name: "forecast::an_adopted_one_helm_3", needs: NEW_HELM_3, run: || adopted(Helm::V3) },
    Case { name: "forecast::an_adopted_one_helm_4", needs: NEW_HELM_4, run: || adopted(Helm::V4) },
    Case { name: "forecast::an_adopted_one_helm_4_kubernetes_1_24", needs: OLD_HELM_4, run: old },
    Case { name: "forecast::stamps_alone", needs: NEW_HELM_4, run: stamps },
    Case { name: "forecast::what_kubectl_set_before", needs: NEW_HELM_4, run: kubectl_before },
    Case { name: "forecast::a_chart_that_renders_less_helm_3", needs: NEW_HELM_3, run: || less(Helm::V3) },
    Case { name: "forecast::a_chart_that_renders_less_helm_4", needs: NEW_HELM_4, run: || less(Helm::V4) },
    Case { name: "forecast::another_pull_policy", needs: NEW_HELM_4, run: pull_policy },
    Case { name: "forecast::another_selector_helm_3", needs: NEW_HELM_3, run: || selector(Helm::V3) },
    Case { name: "forecast::another_selector_helm_4", needs: NEW_HELM_4, run: || selector(Helm::V4) },
    Case { name: "forecast::a_crd_that_was_not_transferred", needs: NEW_HELM_4, run: crd },
    Case { name: "forecast::a_release_that_helm_3_made_stays_client_side", needs: BOTH, run: client_side },
    Case { name: "forecast::what_helm_3_wrote_before", needs: NEW_HELM_4, run: helm_3_before },
];

const BOTH: &[Tool] = &[Tool::ApiServer136, Tool::Etcd, Tool::Kubectl, Tool::Helm3, Tool::Helm4];

/// What the chart renders with the values of a person who adopts, and more.
fn rendered(more: &[&str]) -> String {
    let home = Folder::new();
    let mut helm = Command::new(Tool::Helm4.path().or(Tool::Helm3.path()).unwrap());
    helm.args(["template", "aws-vpc-cni", fixtures::CHART, "-n", "kube-system", "--include-crds"]);
    helm.args(["-f", fixtures::VALUES]).args(more).env("HOME", home.path());
    Output::of(helm, None).ok().to_owned()
}

fn foretell(scene: &Scene, more: &[&str]) -> Vec<Forecast> {
    let forecasts = forecasts(&rendered(more), &scene.objects(), "helm");
    assert_eq!(forecasts.len(), fixtures::OBJECTS.len());
    forecasts
}

/// Forecasts, installs, and expects the one to be like the other. Gives both, to be looked at.
#[track_caller]
pub(crate) fn compare(scene: &Scene, helm: Helm, skip_crds: bool, more: &[&str]) -> (Vec<Forecast>, Output) {
    let forecasts = foretell(scene, more);
    let summary = Summary::of(&forecasts);
    let args = if skip_crds { [more, &["--skip-crds"]].concat() } else { more.to_vec() };
    let output = scene.helm(helm, "install", &args);
    let expected = of_install(&summary, helm, skip_crds);
    assert_eq!(ended(&output), expected, "{forecasts:#?}\n{output}");
    let is_crd = |forecast: &&Forecast| forecast.kind == Kind::CustomResourceDefinition;
    match expected {
        Answer::NotOwned => assert_complaint(&output, &forecasts.iter().collect::<Vec<_>>()),
        Answer::Conflicts => {
            let crds = foretold(forecasts.iter().filter(is_crd));
            let others = foretold(forecasts.iter().filter(|forecast| !is_crd(forecast)));
            let expected = if skip_crds || crds.is_empty() { others } else { crds };
            assert_eq!(told(&output.stderr), expected, "{output}");
        }
        _ => {}
    }
    (forecasts, output)
}

fn left(forecasts: &[Forecast], pruned: bool) -> Vec<&str> {
    let all = forecasts.iter().flat_map(|forecast| &forecast.leftovers);
    all.filter(|leftover| leftover.pruned == pruned).map(|leftover| leftover.path.as_str()).collect()
}

const CLUSTER_NAME: &str = r#".spec.template.spec.containers[name="aws-node"].env[name="CLUSTER_NAME"]"#;
const VPC_ID: &str = r#".spec.template.spec.containers[name="aws-node"].env[name="VPC_ID"]"#;
const AGENT: &str = r#".spec.template.spec.containers[name="aws-eks-nodeagent"]"#;

fn variables(scene: &Scene) -> Vec<String> {
    let object = scene.daemon_set();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let all = containers.iter().flat_map(|container| container["env"].as_array().into_iter().flatten());
    all.map(|env| env["name"].as_str().unwrap().to_owned()).collect()
}

fn raw() {
    let scene = Scene::after_eks(Version::V1_36, "mode: Observe");
    if Tool::Helm3.path().is_ok() {
        compare(&scene, Helm::V3, false, &[]);
    }
    let (forecasts, _) = compare(&scene, Helm::V4, false, &[]);
    let summary = Summary::of(&forecasts);
    assert_eq!((summary.helm_4, summary.helm_4_without_crds), (Answer::Conflicts, Answer::NotOwned));
    compare(&scene, Helm::V4, true, &[]);
}

/// Adopted: no refusal; what EKS set and the chart does not goes with Helm 4 and stays with Helm 3.
fn adopted(helm: Helm) {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    let (before, _) = compare(&scene, helm, false, &[]);
    assert_eq!((left(&before, true), left(&before, false)), (vec![CLUSTER_NAME, VPC_ID], vec![]));
    let stays = variables(&scene).iter().any(|name| name == "CLUSTER_NAME" || name == "VPC_ID");
    assert_eq!(stays, helm == Helm::V3);
    let after = foretell(&scene, &[]);
    assert_eq!(left(&after, true).is_empty(), helm == Helm::V4);
    assert_eq!(Summary::of(&after).helm_4, Answer::Accepts);
    removed(&scene, &after, &[]);
}

fn old() {
    let scene = Scene::new(Version::V1_24, ADOPT);
    scene.eks_apply();
    compare(&scene, Helm::V4, false, &[]);
    assert_eq!(left(&foretell(&scene, &[]), true), Vec::<&str>::new());
}

/// Runs the command of each leftover, after which none is left.
#[track_caller]
fn removed(scene: &Scene, forecasts: &[Forecast], more: &[&str]) {
    for leftover in forecasts.iter().flat_map(|forecast| &forecast.leftovers) {
        let words = leftover.command.strip_prefix("kubectl ").unwrap();
        let kubectl = scene.plane.shell(User::Joe, words);
        kubectl.ok();
    }
    let after = foretell(scene, more);
    assert_eq!((left(&after, true), left(&after, false)), (vec![], vec![]));
}

fn stamps() {
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nfields: Stamp");
    scene.eks_apply();
    let (forecasts, _) = compare(&scene, Helm::V4, true, &[]);
    assert_eq!(Summary::of(&forecasts).helm_4_without_crds, Answer::Conflicts);
    assert_eq!(left(&forecasts, false), [CLUSTER_NAME, VPC_ID]);
}

fn kubectl_before() {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    scene
        .kubectl(&["set", "env", "daemonset/aws-node", "-c", "aws-node", "WARM_ENI_TARGET=8", "MINE=2"])
        .ok();
    let (forecasts, output) = compare(&scene, Helm::V4, false, &[]);
    let expected: Conflicts = [(
        "kube-system/aws-node Kind=DaemonSet".to_owned(),
        [(
            "\"kubectl-set\" Update".to_owned(),
            r#".spec.template.spec.containers[name="aws-node"].env[name="WARM_ENI_TARGET"].value"#.to_owned(),
        )]
        .into(),
    )]
    .into();
    assert_eq!(told(&output.stderr), expected);
    assert!(left(&forecasts, false).iter().any(|path| path.contains("MINE")), "{forecasts:#?}");
}

fn less(helm: Helm) {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    let more = ["--set", "nodeAgent.enabled=false"];
    let (before, _) = compare(&scene, helm, false, &more);
    assert_eq!(left(&before, true), [CLUSTER_NAME, VPC_ID, AGENT]);
    let object = scene.daemon_set();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap().len();
    assert_eq!(containers, if helm == Helm::V3 { 2 } else { 1 });
    removed(&scene, &foretell(&scene, &more), &more);
}

fn pull_policy() {
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nfields: Stamp");
    scene.eks_apply();
    let (forecasts, _) = compare(&scene, Helm::V4, true, &["--set", "image.pullPolicy=Always"]);
    let conflicts = foretold(&forecasts);
    let paths = &conflicts["kube-system/aws-node Kind=DaemonSet"];
    assert!(paths.iter().any(|(_, path)| path.ends_with(".imagePullPolicy")), "{conflicts:#?}");
}

fn selector(helm: Helm) {
    let scene = Scene::new(Version::V1_36, ADOPT);
    scene.eks_apply();
    let more = ["--set", "originalMatchLabels=false"];
    let (forecasts, _) = compare(&scene, helm, false, &more);
    let faults = forecasts.iter().flat_map(
        |forecast| {
            if helm.is_3() { &forecast.faults_3 } else { &forecast.faults_4 }
        },
    );
    assert_eq!(faults.map(|fault| fault.original_match_labels).collect::<Vec<_>>(), [Some(true)]);
}

fn crd() {
    let scene = Scene::after_eks(Version::V1_36, ADOPT);
    let (forecasts, _) = compare(&scene, Helm::V4, false, &[]);
    let schema = forecasts.iter().find(|forecast| forecast.kind == Kind::CustomResourceDefinition).unwrap();
    assert_eq!((schema.helm_3, schema.helm_4), (Answer::Skips, Answer::Conflicts));
    assert!(Summary::of(&forecasts).skip_crds);
    scene.plane.eks_apply(fixtures::EKS_APPLY_NEXT).ok();
    assert!(!Summary::of(&foretell(&scene, &[])).skip_crds, "transferred");
    compare(&scene, Helm::V4, false, &[]);
}

fn helm_3_before() {
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nfields: Stamp");
    scene.eks_apply();
    let change = r#"{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":11}}}}"#;
    scene.kubectl(&["patch", "daemonset", "aws-node", "--field-manager", "helm", "-p", change]).ok();
    let (forecasts, _) = compare(&scene, Helm::V4, true, &[]);
    let path = ".spec.template.spec.terminationGracePeriodSeconds";
    let conflicts = foretold(&forecasts);
    assert!(!conflicts.values().flatten().any(|(_, other)| other == path), "its own: {conflicts:#?}");
}

/// What is forecast for Helm 3 is what Helm 4 does when it upgrades Helm 3's release, until one upgrade was tried server-side,
/// even in vain: `auto` does what the last revision did.
fn client_side() {
    let scene = Scene::new(Version::V1_36, "mode: Adopt\nfields: Stamp");
    scene.eks_apply();
    compare(&scene, Helm::V3, false, &[]);
    for (value, side, client_side) in [
        ("env.WARM_ENI_TARGET=9", "--server-side=auto", true),
        ("env.WARM_PREFIX_TARGET=9", "--server-side=true", false),
        ("env.WARM_PREFIX_TARGET=9", "--server-side=auto", false),
    ] {
        let forecasts = foretell(&scene, &["--set", value]);
        let summary = Summary::of(&forecasts);
        assert_eq!((summary.helm_3, summary.helm_4_without_crds), (Answer::Accepts, Answer::Conflicts));
        let output = scene.helm(Helm::V4, "upgrade", &["--set", value, side]);
        let expected = if client_side { summary.helm_3 } else { summary.helm_4_without_crds };
        assert_eq!(ended(&output), expected, "{output}");
        if !client_side {
            let templates = forecasts.iter().filter(|f| f.kind != Kind::CustomResourceDefinition);
            assert_eq!(told(&output.stderr), foretold(templates), "{output}");
        }
    }
}
