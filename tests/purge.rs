//! What a purge plans for what is live: the order, what stays, and that nothing but a person's word opens a lock.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

use std::collections::BTreeSet;

use cni_steward::cluster::Reference;
use cni_steward::cluster::inventory::{
    Compute, Facts, FluxRelease, HelmRelease, Inventory, Item, Live, Network, Node, Orphan, PolicySource,
    Presence, Unseen,
};
use cni_steward::policy::rules::ManagedAddon;
use cni_steward::policy::{Kind, Policy, Target};
use cni_steward::purge::addon::Stated;
use cni_steward::purge::need::Dependents;
use cni_steward::purge::{Plan, Refusal, Wish, interlock, words};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn object(target: &Target<'_>, manager: &str) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": target.kind.name(),
        "metadata": {
            "name": target.name, "uid": format!("uid-{}", target.name), "resourceVersion": "1",
            "managedFields": [{
                "manager": manager, "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}},
            }],
        },
    });
    if target.kind.namespaced() {
        object["metadata"]["namespace"] = target.namespace.into();
    }
    if target.kind == Kind::DaemonSet {
        object["spec"] = json!({"template": {"spec": {"containers": [
            {"name": "aws-node", "image": "x/amazon-k8s-cni:v1", "env": [{"name": "CLUSTER_NAME", "value": "shop"}]},
        ]}}});
    }
    object
}

fn stands(object: &Value, kind: Kind) -> Presence {
    let text = RawValue::from_string(object.to_string()).unwrap();
    let facts = Facts::of(text.get(), Some(kind));
    Presence::Stands(Box::new(Live { text, facts }))
}

fn inventory(manager: &str) -> Inventory {
    let policy = Policy::default();
    let targets = Target::all(&policy.targets)
        .iter()
        .map(|target| Item {
            reference: Reference::target(target),
            kind: Some(target.kind),
            optional: false,
            state: stands(&object(target, manager), target.kind),
        })
        .collect();
    Inventory {
        server: "https://cluster".into(),
        version: "v1.36".into(),
        uid: Some("u".into()),
        policy,
        targets,
        ..Inventory::default()
    }
}

fn item(inventory: &mut Inventory, kind: Kind) -> &mut Item {
    inventory.targets.iter_mut().find(|item| item.kind == Some(kind)).unwrap()
}

fn change(inventory: &mut Inventory, kind: Kind, change: impl FnOnce(&mut Value)) {
    let item = item(inventory, kind);
    let mut object: Value = serde_json::from_str(item.live().unwrap().text.get()).unwrap();
    change(&mut object);
    item.state = stands(&object, kind);
}

fn node(name: &str) -> Node {
    Node { name: name.into(), ready: true, schedulable: true, compute: Compute::Machine, vpc_cni: true }
}

fn unseen(verb: &'static str, resource: &str, name: &str) -> Unseen {
    Unseen {
        verb,
        resource: resource.into(),
        namespace: None,
        name: name.into(),
        why: "forbidden".into(),
        forbidden: true,
        reason: "forbidden",
    }
}

const NOBODY: Dependents = Dependents { eni_configs: Ok(0), security_group_policies: Ok(0) };
const WISH: Wish = Wish {
    stated: Stated { policy: ManagedAddon::Unknown, absent_now: false },
    accepted_loss: None,
    ignore_owner: false,
};

fn steps(plan: &Plan<'_>) -> Vec<(Kind, String)> {
    plan.steps.iter().map(|step| (step.kind, step.item.reference.name().to_owned())).collect()
}

fn codes(plan: &Plan<'_>) -> Vec<&'static str> {
    plan.refusals.iter().map(cni_steward::purge::Refusal::code).collect()
}

#[test]
fn the_workload_goes_first_then_what_it_used_and_last_what_it_was_told() {
    let inventory = inventory("kubectl");
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    let expected = [
        (Kind::DaemonSet, "aws-node"),
        (Kind::ClusterRoleBinding, "aws-node"),
        (Kind::ClusterRole, "aws-node"),
        (Kind::ServiceAccount, "aws-node"),
        (Kind::ConfigMap, "amazon-vpc-cni"),
        (Kind::ConfigMap, "aws-node"),
        (Kind::CustomResourceDefinition, "eniconfigs.crd.k8s.amazonaws.com"),
    ];
    assert_eq!(steps(&plan), expected.map(|(kind, name)| (kind, name.to_owned())));
    assert!(plan.refusals.is_empty() && plan.kept.is_empty(), "{plan:?}");
}

#[test]
fn what_is_absent_is_not_mentioned_and_nothing_is_nothing() {
    let mut inventory = inventory("kubectl");
    for item in &mut inventory.targets {
        item.state = Presence::Absent;
    }
    inventory.nodes = vec![node("a")];
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    assert!(plan.is_empty() && plan.refusals.is_empty() && plan.notes.is_empty(), "{plan:?}");
}

#[test]
fn settings_and_schema_stay_where_they_are_needed_or_that_cannot_be_seen() {
    let kept = |inventory: &Inventory, dependents: &Dependents| {
        let plan = Plan::new(inventory, dependents, WISH);
        assert_eq!(plan.kept.len() + plan.steps.len(), 7);
        plan.kept.iter().map(|kept| format!("{}: {}", kept.item.reference, kept.why)).collect::<Vec<_>>()
    };
    let mut inventory = inventory("kubectl");
    let settings = "ConfigMap kube-system/amazon-vpc-cni: ";
    let schema = "CustomResourceDefinition eniconfigs.crd.k8s.amazonaws.com: ";
    let expect = |found: Vec<String>, expected: &[String]| assert_eq!(found, expected);
    expect(
        kept(&inventory, &Dependents { eni_configs: Ok(2), ..NOBODY }),
        &[format!("{schema}2 objects of kind ENIConfig: each would be deleted with it")],
    );
    expect(
        kept(&inventory, &Dependents { eni_configs: Err("no right".into()), ..NOBODY }),
        &[format!("{schema}whether there is any ENIConfig, which needs it, could not be seen: no right")],
    );
    expect(
        kept(&inventory, &Dependents { security_group_policies: Ok(1), ..NOBODY }),
        &[format!("{settings}1 SecurityGroupPolicy has its Pods' interfaces set up by it")],
    );
    change(&mut inventory, Kind::ConfigMap, |object| object["data"] = json!({"enable-windows-ipam": "true"}));
    expect(
        kept(&inventory, &NOBODY),
        &[format!("{settings}it says enable-windows-ipam: \"true\", which Windows nodes need")],
    );
    inventory.nodes = vec![Node { compute: Compute::Windows, ..node("w") }];
    expect(kept(&inventory, &NOBODY), &[format!("{settings}1 Windows node gets its addresses by it")]);
}

#[test]
fn what_cannot_be_seen_is_a_reason_to_do_nothing() {
    let mut inventory = inventory("kubectl");
    item(&mut inventory, Kind::ClusterRole).state = Presence::Unseen;
    inventory.unseen = vec![
        unseen("get", "clusterroles.rbac.authorization.k8s.io", "aws-node"),
        unseen("list", "nodes", ""),
    ];
    let plan = Plan::new(&inventory, &NOBODY, Wish { accepted_loss: Some(0), ..WISH });
    assert_eq!(codes(&plan), ["unseen", "nodes-unseen"]);
    let next: Vec<String> = plan.refusals.iter().flat_map(cni_steward::purge::Refusal::next).collect();
    assert!(
        next[0].starts_with("kubectl auth can-i get clusterroles.rbac.authorization.k8s.io/aws-node "),
        "{next:?}"
    );
    assert!(next[1].starts_with("kubectl auth can-i list nodes "), "{next:?}");
}

#[test]
fn all_that_forbids_it_is_said_at_once() {
    let mut inventory = inventory("eks");
    inventory.nodes = vec![node("b"), node("a")];
    inventory.flux = vec![FluxRelease {
        namespace: "flux".into(),
        name: "cni".into(),
        release: ("kube-system".into(), "by-flux".into()),
        suspended: false,
        ready: None,
    }];
    inventory.releases = vec![HelmRelease {
        namespace: "kube-system".into(),
        name: "aws-vpc-cni".into(),
        revision: 1,
        status: "deployed".into(),
    }];
    for (kind, release) in
        [(Kind::DaemonSet, "aws-vpc-cni"), (Kind::ClusterRole, "by-flux"), (Kind::ServiceAccount, "gone")]
    {
        change(&mut inventory, kind, |object| {
            object["metadata"]["annotations"] = json!({
                "meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "kube-system",
                "argocd.argoproj.io/tracking-id": "app:apps/DaemonSet:kube-system/aws-node",
            });
        });
    }
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    assert_eq!(codes(&plan), ["network-loss", "managed-addon", "owned", "owned", "owned"], "{plan:?}");
    let said: Vec<String> = plan.refusals.iter().map(cni_steward::purge::Refusal::sentence).collect();
    let said = said.join("\n");
    assert!(said.contains("a, b") && !said.contains("by-flux") && !said.contains("gone"), "{said}");
    let next: Vec<String> = plan.refusals.iter().flat_map(cni_steward::purge::Refusal::next).collect();
    assert!(next.iter().any(|line| line.contains("--cluster-name shop ")), "{next:?}");
    assert!(next.iter().any(|line| line == "helm uninstall aws-vpc-cni -n kube-system"), "{next:?}");

    let said = Wish {
        stated: Stated { absent_now: true, ..WISH.stated },
        accepted_loss: Some(2),
        ignore_owner: true,
    };
    let plan = Plan::new(&inventory, &NOBODY, said);
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert_eq!(
        plan.notes.iter().filter(|note| note.starts_with("not asked: ")).count(),
        3,
        "{:?}",
        plan.notes
    );
    // A stamp without a release is nobody's, unless nobody could look.
    inventory.unseen = vec![unseen("list", "secrets", "")];
    let plan = Plan::new(&inventory, &NOBODY, Wish { ignore_owner: false, ..said });
    assert_eq!(
        plan.refusals
            .iter()
            .filter(|refusal| refusal.sentence().contains("release kube-system/gone"))
            .count(),
        1
    );
}

#[test]
fn a_daemon_set_of_somebody_else_s_is_not_ours_to_delete() {
    let mut inventory = inventory("kubectl");
    change(&mut inventory, Kind::DaemonSet, |object| {
        object["spec"]["template"]["spec"]["containers"] =
            json!([{"name": "main", "image": "example.org/logs"}]);
    });
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), ["foreign"]);
}

#[test]
fn a_workload_that_is_gone_or_going_locks_nothing() {
    for gone in [false, true] {
        let mut inventory = inventory("kubectl");
        inventory.nodes = vec![node("a")];
        if gone {
            item(&mut inventory, Kind::DaemonSet).state = Presence::Absent;
        } else {
            change(&mut inventory, Kind::DaemonSet, |object| {
                object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            });
        }
        let plan = Plan::new(&inventory, &NOBODY, WISH);
        assert_eq!(codes(&plan), Vec::<&str>::new());
        let waited = plan.notes.iter().any(|note| note.contains("being deleted already and is waited for"));
        assert_eq!(waited, !gone, "{:?}", plan.notes);
    }
}

#[test]
fn a_workload_that_goes_without_its_pods_locks_as_one_that_stands() {
    let mut inventory = inventory("kubectl");
    inventory.nodes = vec![node("a")];
    change(&mut inventory, Kind::DaemonSet, |object| {
        object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        object["metadata"]["finalizers"] = json!(["orphan"]);
    });
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), ["network-loss"]);
}

#[test]
fn pods_that_run_without_the_workload_keep_what_they_need() {
    let mut inventory = inventory("kubectl");
    let orphan = |going| Orphan { namespace: "kube-system".into(), name: "aws-node-a".into(), going };
    inventory.orphans = vec![orphan(false)];
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), Vec::<&str>::new(), "they have a DaemonSet");
    item(&mut inventory, Kind::DaemonSet).state = Presence::Absent;
    let next = |inventory: &Inventory| {
        let plan = Plan::new(inventory, &NOBODY, WISH);
        assert_eq!(codes(&plan), ["orphaned-pods"]);
        plan.refusals[0].next().join("\n")
    };
    assert!(next(&inventory).contains("kubectl delete pods -n kube-system -l k8s-app=aws-node"));
    inventory.orphans = vec![orphan(true)];
    assert_eq!(next(&inventory), "they are being deleted: run purge again in a moment");
}

#[test]
fn where_pods_cannot_be_seen_none_is_taken_to_be_gone_with_the_workload() {
    let mut inventory = inventory("kubectl");
    item(&mut inventory, Kind::DaemonSet).state = Presence::Absent;
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), Vec::<&str>::new());
    inventory.unseen = vec![Unseen { namespace: Some("kube-system".into()), ..unseen("list", "pods", "") }];
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    assert_eq!(codes(&plan), ["unseen"]);
    assert!(plan.refusals[0].sentence().starts_with("cannot list pods: forbidden"));
    inventory.unseen[0].namespace = Some("elsewhere".into());
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), Vec::<&str>::new(), "nobody's Pods of ours");
}

#[test]
fn nothing_goes_under_a_policy_that_cannot_be_seen() {
    let mut inventory = inventory("kubectl");
    inventory.policy_from = PolicySource::Unseen(unseen("get", "configmaps", "cni-steward-policy"));
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), ["unseen"]);
    // It says what they are called: that nothing is there under the usual names means nothing then.
    for item in &mut inventory.targets {
        item.state = Presence::Absent;
    }
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), ["unseen"]);
    inventory.policy_from = PolicySource::Broken("line 3: unknown key".into());
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    assert_eq!(codes(&plan), ["policy"]);
    assert!(plan.refusals[0].sentence().ends_with("cannot be used: line 3: unknown key"));
    inventory.policy_from = PolicySource::Nowhere;
    assert_eq!(codes(&Plan::new(&inventory, &NOBODY, WISH)), Vec::<&str>::new());
}

#[test]
fn the_right_to_check_is_that_of_all_namespaces_where_all_were_asked() {
    let mut inventory = inventory("kubectl");
    inventory.unseen = vec![unseen("list", "daemonsets.apps", "")];
    let plan = Plan::new(&inventory, &NOBODY, WISH);
    let next: Vec<String> = plan.refusals.iter().flat_map(Refusal::next).collect();
    let expected = "kubectl auth can-i list daemonsets.apps --all-namespaces";
    assert!(next.iter().any(|next| next.starts_with(expected)), "expected {expected:?} in {next:?}");
}

#[test]
fn an_owner_that_may_not_be_looked_at_is_an_owner() {
    let mut inventory = inventory("kubectl");
    let said = |inventory: &Inventory| -> Vec<String> {
        let plan = Plan::new(inventory, &NOBODY, WISH);
        plan.refusals.iter().map(|refusal| format!("{}: {}", refusal.code(), refusal.sentence())).collect()
    };
    change(&mut inventory, Kind::DaemonSet, |object| {
        object["metadata"]["labels"] =
            json!({"helm.toolkit.fluxcd.io/name": "cni", "helm.toolkit.fluxcd.io/namespace": "flux-system"});
    });
    assert_eq!(said(&inventory), Vec::<String>::new(), "its HelmRelease is gone");
    inventory.unseen = vec![unseen("list", "helmreleases.helm.toolkit.fluxcd.io", "")];
    let told = said(&inventory);
    assert!(
        told.len() == 1
            && told[0].starts_with("owned: it is labelled as installed by HelmRelease flux-system/cni"),
        "{told:?}"
    );
}

#[test]
fn what_argo_cd_tracks_by_a_label_is_its_own_too() {
    let mut inventory = inventory("argocd-controller");
    let owned = |inventory: &Inventory| -> Vec<String> {
        let plan = Plan::new(inventory, &NOBODY, WISH);
        plan.refusals.iter().map(cni_steward::purge::Refusal::sentence).collect()
    };
    assert_eq!(owned(&inventory), ["Argo CD owns fields of it: an application of its would bring it back"]);
    change(&mut inventory, Kind::DaemonSet, |object| {
        object["metadata"]["annotations"] =
            json!({"argocd.argoproj.io/tracking-id": "network:apps/DaemonSet:kube-system/aws-node"});
    });
    assert_eq!(owned(&inventory), ["Argo CD owns it by application network and would bring it back"]);
}

#[test]
fn windows_is_switched_on_in_each_way_that_go_reads_as_true_and_maybe_where_nobody_sees_the_nodes() {
    let mut inventory = inventory("kubectl");
    item(&mut inventory, Kind::DaemonSet).state = Presence::Absent;
    let kept = |inventory: &Inventory| -> Vec<String> {
        Plan::new(inventory, &NOBODY, WISH).kept.iter().map(|kept| kept.why.clone()).collect()
    };
    for (value, is_on) in
        [("1", true), ("t", true), ("True", true), ("TRUE", true), ("false", false), ("yes", false)]
    {
        change(&mut inventory, Kind::ConfigMap, |object| {
            object["data"] = json!({"enable-windows-ipam": value});
        });
        assert_eq!(kept(&inventory).len(), usize::from(is_on), "{value}");
    }
    inventory.unseen = vec![unseen("list", "nodes", "")];
    assert_eq!(
        kept(&inventory),
        ["whether there are Windows nodes, which need it, could not be seen: forbidden"]
    );
}

#[test]
fn the_document_for_scripts_says_what_the_text_says() {
    let mut inventory = inventory("eks");
    inventory.nodes = vec![node("a")];
    let plan = Plan::new(&inventory, &Dependents { eni_configs: Ok(1), ..NOBODY }, WISH);
    let document = words::json(&plan, &inventory);
    assert_eq!(document["apiVersion"], "cni-steward.dev/v1alpha1");
    assert_eq!(document["kind"], "PurgePlan");
    assert_eq!(document["clusterUid"], "u");
    assert_eq!(
        document["delete"][0],
        json!({
            "kind": "DaemonSet", "namespace": "kube-system", "name": "aws-node", "uid": "uid-aws-node", "deleting": false,
            "why": plan.steps[0].why(),
        })
    );
    assert_eq!(document["keep"][0]["name"], "eniconfigs.crd.k8s.amazonaws.com");
    assert_eq!(document["refusals"][0]["code"], "network-loss");
    assert_eq!(document["refusals"][1]["code"], "managed-addon");
}

#[test]
fn a_policy_in_block_needs_no_advice_and_other_names_are_written_out() {
    let policy = |text: &str| Policy::parse("policy.yaml", text).unwrap();
    assert_eq!(words::keep_it_away(&policy("mode: Block")), "Your policy (mode: Block) keeps it away.\n");
    let advice = words::keep_it_away(&policy("{mode: Adopt, targets: {name: cni, settings: conf}}"));
    let from = advice.find("apiVersion").unwrap();
    let read = policy(&advice[from..]);
    assert_eq!((read.mode_name(), read.targets.name.as_str()), ("Block", "cni"));
}

proptest! {
    #[test]
    fn nothing_but_the_exact_number_of_losing_nodes_opens_the_lock(
        nodes in proptest::collection::vec((any::<bool>(), 0_usize..4, any::<bool>()), 0..8),
        accepted in proptest::option::of(0_usize..9),
    ) {
        let mut inventory = inventory("kubectl");
        let mut ready_on = BTreeSet::new();
        let mut losing = 0;
        for (number, (schedulable, compute, other)) in nodes.into_iter().enumerate() {
            let compute = [Compute::Machine, Compute::Fargate, Compute::Auto, Compute::Windows][compute];
            let name = format!("n{number}");
            if other {
                ready_on.insert(name.clone());
            }
            losing += usize::from(schedulable && compute == Compute::Machine && !other);
            inventory.nodes.push(Node { name, schedulable, compute, ..node("") });
        }
        inventory.networks = vec![network(ready_on)];
        let plan = Plan::new(&inventory, &NOBODY, Wish { accepted_loss: accepted, ..WISH });
        prop_assert_eq!(interlock::losing(&inventory).len(), losing);
        prop_assert_eq!(plan.refusals.is_empty(), accepted.unwrap_or(0) == losing, "{:?}", plan.refusals);
    }

    #[test]
    fn whatever_is_live_no_step_is_off_limits_and_the_order_holds(
        present in proptest::collection::vec(0_usize..3, 7),
        enis in 0_usize..2,
        groups in 0_usize..2,
    ) {
        let mut inventory = inventory("kubectl");
        for (item, state) in inventory.targets.iter_mut().zip(&present) {
            match state {
                0 => item.state = Presence::Absent,
                1 => item.state = Presence::Unseen,
                _ => {}
            }
        }
        let standing = present.iter().filter(|state| **state == 2).count();
        let dependents = Dependents { eni_configs: Ok(enis), security_group_policies: Ok(groups) };
        let plan = Plan::new(&inventory, &dependents, WISH);
        prop_assert_eq!(plan.steps.len() + plan.kept.len(), standing);
        prop_assert_eq!(plan.refusals.iter().filter(|refusal| refusal.code() == "unseen").count(), present.iter().filter(|state| **state == 1).count());
        let place = |kind: Kind| {
            [Kind::DaemonSet, Kind::ClusterRoleBinding, Kind::ClusterRole, Kind::ServiceAccount, Kind::ConfigMap, Kind::CustomResourceDefinition]
                .iter().position(|other| *other == kind)
        };
        prop_assert!(plan.steps.iter().map(|step| place(step.kind)).is_sorted());
        for step in &plan.steps {
            prop_assert!(step.kind != Kind::CustomResourceDefinition || enis == 0);
            prop_assert!(step.item.reference.name() != "amazon-vpc-cni" || groups == 0);
        }
    }
}

fn network(ready_on: BTreeSet<String>) -> Network {
    Network {
        product: "Cilium",
        namespace: "kube-system".into(),
        name: "cilium".into(),
        ready_on,
        chained: None,
        selector: "k8s-app=cilium".into(),
        settings: "cilium-config".into(),
    }
}
