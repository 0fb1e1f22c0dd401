//! `mode: Adopt`.

use serde_json::{Value, json};

use super::write::{Write, adopt, daemon_set, eks_entry, entry, policy, target};

const NAME: &str = "meta.helm.sh/release-name";
const NAMESPACE: &str = "meta.helm.sh/release-namespace";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const INSTALLED_BY: &str = "cni-steward.dev/installed-by";
const CAPA: &str = "aws.cluster.x-k8s.io/prevent-deletion";

/// An object as it is stored after Adopt saw its creation.
fn adopted(kind: &str) -> Value {
    let mut object = Write::create(&target(kind)).judge(&adopt()).object;
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T11:00:00Z");
    object
}

#[rstest::rstest]
fn an_eks_create_becomes_the_release_s(
    #[values("DaemonSet", "ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding")] kind: &str,
) {
    let seen = Write::create(&target(kind)).judge(&adopt());
    assert_eq!((seen.verdict(), seen.reason()), ("amend", "adopted"));
    assert_eq!(seen.label(MANAGED_BY), Some("Helm"));
    assert_eq!(seen.annotation(NAME), Some("aws-vpc-cni"));
    assert_eq!(seen.annotation(NAMESPACE), Some("kube-system"));
    assert_eq!(seen.label(INSTALLED_BY), Some("eks"));
    assert_eq!(seen.label(CAPA), (kind != "ConfigMap").then_some("true"), "only the core four are protected");
    assert_eq!(seen.owners(), ["helm/Apply"]);
    let fields = seen.fields_of("helm");
    assert_eq!(
        fields["f:metadata"]["f:annotations"][format!("f:{NAME}")],
        json!({}),
        "the stamps are owned too"
    );
    assert_eq!(fields["f:spec"]["f:template"], json!({}), "what eks held has moved");
    assert_eq!(
        fields["f:metadata"]["f:labels"].get("f:cni-steward.dev/installed-by"),
        None,
        "our labels stay unowned"
    );
}

#[test]
fn the_schema_gets_field_ownership_and_nothing_else() {
    let before = target("CustomResourceDefinition");
    let seen = Write::create(&before).judge(&adopt());
    assert_eq!(seen.owners(), ["helm/Apply"]);
    assert_eq!(seen.object["metadata"].get("labels"), None);
    assert_eq!(seen.object["metadata"].get("annotations"), None);
}

#[rstest::rstest]
fn fault_22_a_second_look_at_the_result_changes_nothing(
    #[values("DaemonSet", "ServiceAccount", "ConfigMap", "ClusterRole", "CustomResourceDefinition")]
    kind: &str,
) {
    let first = Write::create(&target(kind)).judge(&adopt());
    Write::create(&first.object).judge(&adopt()).assert_left("in-order");
}

#[test]
fn a_repeated_eks_apply_is_answered_with_the_stored_list() {
    let old = adopted("DaemonSet");
    let mut object = old.clone();
    let mut back = eks_entry();
    back.as_object_mut().unwrap().remove("time");
    object["metadata"]["managedFields"].as_array_mut().unwrap().insert(0, back);
    let seen = Write::update(&old, &object).judge(&adopt());
    assert_eq!(seen.object, old, "the stored object comes out, so the API server writes nothing");
}

#[test]
fn an_update_that_drops_the_stamps_gets_value_and_ownership_back() {
    let old = adopted("DaemonSet");
    let mut object = daemon_set();
    object["metadata"]["managedFields"] = json!([
        entry(
            "helm",
            "Apply",
            json!({"f:metadata": {"f:labels": {"f:k8s-app": {}}}, "f:spec": {"f:template": {}}})
        ),
        entry("kubectl-replace", "Update", json!({"f:spec": {"f:updateStrategy": {}}})),
    ]);
    object["metadata"]["labels"].as_object_mut().unwrap().remove(MANAGED_BY);
    let seen = Write::update(&old, &object).manager("kubectl-replace").judge(&adopt());
    assert_eq!(seen.label(MANAGED_BY), Some("Helm"));
    assert_eq!(seen.annotation(NAME), Some("aws-vpc-cni"));
    assert_eq!(seen.label(INSTALLED_BY), Some("eks"), "the provenance survives a replace");
    assert_eq!(seen.label(CAPA), Some("true"));
    assert_eq!(seen.fields_of("helm")["f:metadata"]["f:labels"][format!("f:{MANAGED_BY}")], json!({}));
    assert_eq!(seen.owners(), ["helm/Apply", "kubectl-replace/Update"], "an honest field stays its writer's");
    assert!(seen.warnings().iter().any(|text| text.contains("put back")), "{:?}", seen.warnings());
}

#[test]
fn an_overwritten_stamp_is_put_back_and_taken_from_its_writer() {
    let old = adopted("DaemonSet");
    let mut object = old.clone();
    object["metadata"]["labels"][MANAGED_BY] = json!("me");
    let list = object["metadata"]["managedFields"].as_array_mut().unwrap();
    list[0]["fieldsV1"]["f:metadata"]["f:labels"].as_object_mut().unwrap().remove(&format!("f:{MANAGED_BY}"));
    list.push(entry(
        "kubectl-label",
        "Update",
        json!({"f:metadata": {"f:labels": {format!("f:{MANAGED_BY}"): {}}}}),
    ));
    let seen = Write::update(&old, &object).manager("kubectl-label").judge(&adopt());
    assert_eq!(seen.object, old, "value, ownership and bytes are as they were");
    assert_eq!(seen.warnings().len(), 1, "{:?}", seen.warnings());
}

#[test]
fn somebody_else_s_honest_field_stays_theirs() {
    let old = adopted("DaemonSet");
    let mut object = old.clone();
    let honest = entry("kubectl-set", "Update", json!({"f:spec": {"f:template": {"f:spec": {"f:x": {}}}}}));
    object["metadata"]["managedFields"].as_array_mut().unwrap().push(honest);
    Write::update(&old, &object).manager("kubectl-set").judge(&adopt()).assert_left("in-order");
}

#[test]
fn eks_moves_only_in_its_own_write_unless_no_managed_addon_exists() {
    let old = daemon_set();
    let write = Write::update(&old, &old).manager("kubectl-annotate");
    assert_eq!(write.judge(&adopt()).owners(), ["eks/Apply", "helm/Apply"]);
    let absent = policy("mode: Adopt\nmanagedAddon: Absent");
    assert_eq!(write.judge(&absent).owners(), ["helm/Apply"]);
}

#[test]
fn other_absorbed_managers_move_in_every_write() {
    let mut old = daemon_set();
    let legacy = entry("kubectl-client-side-apply", "Update", json!({"f:spec": {"f:a": {}}}));
    old["metadata"]["managedFields"] = json!([legacy]);
    let globs = policy("mode: Adopt\nabsorb: [eks, 'kubectl*']");
    let seen = Write::update(&old, &old).manager("terraform").judge(&globs);
    assert_eq!(seen.owners(), ["helm/Apply"]);
}

#[test]
fn the_managed_addon_s_write_is_marked_once_and_then_nobody_amends_the_target() {
    let seen = Write::create(&daemon_set()).addon().judge(&adopt());
    assert_eq!((seen.verdict(), seen.reason()), ("amend", "managed-addon-marked"));
    let mut expected = daemon_set();
    expected["metadata"]["annotations"] = json!({"cni-steward.dev/managed-addon": "true"});
    assert_eq!(seen.object, expected, "exactly one change");
    let marked = seen.object;
    Write::update(&marked, &marked).addon().judge(&adopt()).assert_left("exempt");
    let by_person = Write::update(&marked, &marked).manager("kubectl-annotate").judge(&adopt());
    by_person.assert_left("managed-addon");
    assert!(by_person.warnings()[0].contains("managed add-on"), "{:?}", by_person.warnings());
    let absent = policy("mode: Adopt\nmanagedAddon: Absent");
    Write::update(&marked, &marked).judge(&absent).assert_left("managed-addon");
}

#[test]
fn a_managed_addon_that_was_said_to_be_absent_is_marked_and_reported() {
    let seen = Write::create(&daemon_set()).addon().judge(&policy("mode: Adopt\nmanagedAddon: Absent"));
    assert_eq!(seen.reason(), "managed-addon-marked");
    assert!(seen.warnings()[0].contains("Absent"), "{:?}", seen.warnings());
}

#[test]
fn a_managed_addon_that_is_not_exempt_is_absorbed_like_anybody() {
    let seen = Write::create(&daemon_set()).addon().judge(&policy("mode: Adopt\nexempt: {usernames: []}"));
    assert_eq!((seen.reason(), seen.owners()), ("adopted", vec!["helm/Apply".to_owned()]));
}

#[test]
fn fault_23_a_target_of_another_release_is_left_and_both_are_named() {
    let mut object = daemon_set();
    object["metadata"]["annotations"] = json!({NAME: "their-cni", NAMESPACE: "net"});
    for write in
        [Write::create(&object), Write::update(&daemon_set(), &object), Write::update(&object, &daemon_set())]
    {
        let seen = write.judge(&adopt());
        seen.assert_left("other-release");
        let warning = &seen.warnings()[0];
        assert!(
            warning.contains("net/their-cni") && warning.contains("kube-system/aws-vpc-cni"),
            "{warning}"
        );
    }
}

#[test]
fn our_own_stamp_is_put_back_even_when_another_release_claims_the_target() {
    let old = adopted("DaemonSet");
    let mut object = old.clone();
    object["metadata"]["annotations"][NAME] = json!("their-cni");
    let seen = Write::update(&old, &object).manager("helm").judge(&adopt());
    assert_eq!(seen.annotation(NAME), Some("aws-vpc-cni"));
}

#[test]
fn stamp_mode_leaves_eks_its_own_entry() {
    let seen = Write::create(&daemon_set()).judge(&policy("mode: Adopt\nfields: Stamp"));
    assert_eq!(seen.owners(), ["eks/Apply", "helm/Apply"]);
    assert_eq!(seen.object["metadata"]["managedFields"][0], eks_entry());
    assert_eq!(seen.fields_of("helm").as_object().unwrap().keys().collect::<Vec<_>>(), ["f:metadata"]);
    Write::create(&target("CustomResourceDefinition"))
        .judge(&policy("mode: Adopt\nfields: Stamp"))
        .assert_left("in-order");
}

#[test]
fn argo_cd_gets_the_fields_and_no_stamps() {
    let seen =
        Write::create(&daemon_set()).judge(&policy("mode: Adopt\nowner: {manager: argocd-controller}"));
    assert_eq!(seen.owners(), ["argocd-controller/Apply"]);
    assert_eq!(seen.annotation(NAME), None);
    assert_eq!(seen.label(INSTALLED_BY), Some("eks"));
}

#[rstest::rstest]
#[case::helm("helm", "helm")]
#[case::flux("helm-controller", "flux")]
#[case::argo("argocd-controller", "argocd")]
#[case::kubectl("kubectl-client-side-apply", "kubectl")]
#[case::terraform("terraform-provider-helm_v3.1.2_x5", "terraform")]
#[case::somebody("my-tool", "other")]
fn the_creator_is_recorded(#[case] manager: &str, #[case] word: &str) {
    let mut object = daemon_set();
    object["metadata"]["managedFields"][0]["manager"] = json!(manager);
    assert_eq!(Write::create(&object).manager(manager).judge(&adopt()).label(INSTALLED_BY), Some(word));
}

#[test]
fn the_installer_of_an_existing_object_is_told_from_evidence() {
    let installed_by = |change: &dyn Fn(&mut Value)| {
        let mut old = daemon_set();
        old["metadata"]["creationTimestamp"] = json!("2026-01-01T11:00:00Z");
        change(&mut old);
        let seen = Write::update(&old, &old).manager("kubectl-annotate").judge(&adopt());
        seen.label(INSTALLED_BY).map(str::to_owned).unwrap()
    };
    assert_eq!(installed_by(&|_| {}), "eks");
    assert_eq!(
        installed_by(&|old| {
            let mut first = entry("helm", "Apply", json!({"f:spec": {}}));
            first["time"] = json!("2026-01-01T11:00:01Z");
            let list = &mut old["metadata"]["managedFields"];
            list[0]["time"] = json!("2026-01-02T00:00:00Z");
            list.as_array_mut().unwrap().push(first);
        }),
        "helm",
        "the entry as old as the object is its creator's"
    );
    assert_eq!(
        installed_by(&|old| {
            old["metadata"]["managedFields"][0]["manager"] = json!("kubectl-client-side-apply");
        }),
        "eks",
        "EKS before 2024 used kubectl, and its images say so"
    );
    assert_eq!(
        installed_by(&|old| {
            old["metadata"]["managedFields"][0]["manager"] = json!("helm-controller");
            old["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] = json!("cni");
        }),
        "flux"
    );
    for (map, key, word) in [
        ("labels", "helm.toolkit.fluxcd.io/name", "flux"),
        ("annotations", "argocd.argoproj.io/tracking-id", "argocd"),
    ] {
        let marked = installed_by(&|old| {
            old["metadata"]["managedFields"][0]["manager"] = json!("helm");
            old["metadata"][map][key] = json!("cni");
        });
        assert_eq!(marked, word, "its mark counts for more than the manager of an entry");
        let taken_over = installed_by(&|old| old["metadata"][map][key] = json!("cni"));
        assert_eq!(taken_over, "eks", "{word} came after the creator");
    }
    assert_eq!(
        installed_by(&|old| {
            old["metadata"].as_object_mut().unwrap().remove("managedFields");
        }),
        "unknown"
    );
}

#[test]
fn the_provenance_is_set_once_and_never_overwritten() {
    let old = adopted("DaemonSet");
    for forged in [json!("kubectl"), Value::Null] {
        let mut object = old.clone();
        object["metadata"]["labels"][INSTALLED_BY] = forged.clone();
        if forged.is_null() {
            object["metadata"]["labels"].as_object_mut().unwrap().remove(INSTALLED_BY);
        }
        let seen = Write::update(&old, &object).manager("kubectl-label").judge(&adopt());
        assert_eq!(seen.label(INSTALLED_BY), Some("eks"), "after {forged}");
    }
}

#[test]
fn the_log_says_what_is_changed_and_counts_it() {
    for (fields, said) in [
        (json!({"f:spec": {"f:template": {}}}), "move 1 field from eks to helm"),
        (json!({"f:spec": {"f:template": {}, "f:selector": {}}}), "move 2 fields from eks to helm"),
    ] {
        let mut object = daemon_set();
        object["metadata"]["managedFields"] = json!([entry("eks", "Apply", fields)]);
        let message = Write::create(&object).judge(&adopt()).answer.record.message;
        assert!(message.split(", ").any(|part| part == said), "expected {said:?} in {message:?}");
    }
    let old = adopted("DaemonSet");
    for (stamps, said) in [
        (&[NAME][..], "put 1 overwritten key back"),
        (&[NAME, "meta.helm.sh/release-namespace"][..], "put 2 overwritten keys back"),
    ] {
        let mut object = old.clone();
        for stamp in stamps {
            object["metadata"]["annotations"].as_object_mut().unwrap().remove(*stamp);
        }
        let message = Write::update(&old, &object).judge(&adopt()).answer.record.message;
        assert!(message.split(", ").any(|part| part == said), "expected {said:?} in {message:?}");
    }
}

#[test]
fn an_object_whose_managed_fields_were_stripped_gets_stamps_but_no_entry() {
    for list in [Value::Null, json!([])] {
        let mut object = daemon_set();
        object["metadata"]["managedFields"] = list.clone();
        let seen = Write::create(&object).judge(&adopt());
        assert_eq!(seen.annotation(NAME), Some("aws-vpc-cni"));
        assert_eq!(
            seen.object["metadata"]["managedFields"], list,
            "an entry of ours would orphan every other field"
        );
    }
}

#[test]
fn a_target_by_another_name_is_found_when_the_policy_says_so() {
    let renamed =
        policy("mode: Adopt\ntargets: {name: vpc-cni, namespace: network, settings: vpc-cni-settings}");
    let mut object = daemon_set();
    object["metadata"]["name"] = json!("vpc-cni");
    object["metadata"]["namespace"] = json!("network");
    assert_eq!(Write::create(&object).judge(&renamed).reason(), "adopted");
    Write::create(&daemon_set()).judge(&renamed).assert_left("outside-catalogue");
}

#[test]
fn the_answer_is_the_same_for_the_same_bytes() {
    let write = Write::create(&daemon_set());
    assert_eq!(write.judge(&adopt()).answer.body, write.judge(&adopt()).answer.body);
}
