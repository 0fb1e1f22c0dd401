//! `clusterApi`: the label that current Cluster API Provider AWS reads, and the one that old versions read.

use serde_json::json;

use super::write::{Write, daemon_set, policy, target};

const CAPA: &str = "aws.cluster.x-k8s.io/prevent-deletion";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

#[test]
fn protect_in_block_labels_what_exists_and_writes_nothing_else() {
    let object = daemon_set();
    let seen =
        Write::update(&object, &object).manager("helm").judge(&policy("mode: Block\nclusterApi: Protect"));
    assert_eq!((seen.verdict(), seen.reason()), ("amend", "cluster-api"));
    let mut expected = object;
    expected["metadata"]["labels"][CAPA] = json!("true");
    assert_eq!(seen.object, expected);
}

#[test]
fn protect_keeps_whatever_value_the_label_has() {
    let mut object = daemon_set();
    object["metadata"]["labels"][CAPA] = json!("yes, please");
    let seen = Write::update(&object, &object).judge(&policy("mode: Adopt"));
    assert_eq!(seen.label(CAPA), Some("yes, please"));
}

#[test]
fn release_makes_every_version_free_to_delete_what_eks_wrote() {
    let mut object = daemon_set();
    object["metadata"]["labels"][CAPA] = json!("true");
    let seen = Write::update(&object, &object).judge(&policy("mode: Block\nclusterApi: Release"));
    assert_eq!(seen.label(CAPA), None);
    assert_eq!(seen.label(MANAGED_BY), Some("eks"));
}

#[test]
fn release_leaves_managed_by_where_a_release_claims_or_eks_never_wrote() {
    let release = policy("mode: Block\nclusterApi: Release");
    let mut claimed = daemon_set();
    claimed["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "x"});
    Write::update(&claimed, &claimed).manager("helm").judge(&release).assert_left("in-order");
    let mut foreign = daemon_set();
    foreign["metadata"]["managedFields"][0]["manager"] = json!("helm");
    Write::update(&foreign, &foreign).manager("helm").judge(&release).assert_left("in-order");
}

#[rstest::rstest]
fn settings_and_schema_are_not_cluster_api_s(#[values("ConfigMap", "CustomResourceDefinition")] kind: &str) {
    let object = target(kind);
    Write::update(&object, &object)
        .judge(&policy("mode: Block\nclusterApi: Protect"))
        .assert_left("in-order");
}

#[test]
fn release_goes_with_adopt_when_the_owner_has_no_release() {
    let text = "mode: Adopt\nowner: {manager: argocd-controller, release: null}\nclusterApi: Release";
    let object = daemon_set();
    assert_eq!(Write::update(&object, &object).judge(&policy(text)).label(MANAGED_BY), Some("eks"));
}

#[test]
fn an_exempt_write_is_not_labelled() {
    let object = daemon_set();
    Write::update(&object, &object)
        .addon()
        .judge(&policy("mode: Block\nclusterApi: Protect"))
        .assert_left("exempt");
}
