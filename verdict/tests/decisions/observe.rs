//! `mode: Observe`, which is also what a server without a policy does.

use cni_steward_verdict::policy::Policy;
use serde_json::json;

use super::write::{Write, adopt, daemon_set, target};

#[test]
fn it_changes_nothing_and_says_what_the_others_would_do() {
    let seen = Write::create(&daemon_set()).judge(&Policy::default());
    seen.assert_left("observed");
    let warnings = seen.warnings();
    assert!(warnings.iter().any(|text| text.contains("Adopt would stamp it for")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("Block would refuse")), "{warnings:?}");
    assert!(warnings.iter().all(|text| text.chars().count() <= 120), "{warnings:?}");
    assert_eq!(seen.response["warnings"], json!(warnings));
    let audit = &seen.response["auditAnnotations"];
    assert_eq!((&audit["verdict"], &audit["reason"]), (&json!("leave"), &json!("observed")));
    assert_eq!(audit["policy"].as_str().unwrap(), Policy::default().hash());
}

#[test]
fn it_is_silent_where_nothing_would_happen() {
    let adopted = Write::create(&daemon_set()).judge(&adopt()).object;
    let seen = Write::update(&adopted, &adopted).manager("helm").judge(&Policy::default());
    seen.assert_left("in-order");
    assert_eq!(seen.warnings(), &[] as &[String]);
}

#[test]
fn it_says_that_adopt_would_protect_from_cluster_api() {
    let mut adopted = Write::create(&daemon_set()).judge(&adopt()).object;
    adopted["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .remove("aws.cluster.x-k8s.io/prevent-deletion")
        .unwrap();
    let write = Write::update(&adopted, &adopted).manager("helm");
    assert_eq!(write.judge(&adopt()).verdict(), "amend");
    write.judge(&Policy::default()).assert_left("observed");
}

#[test]
fn it_says_that_a_write_of_the_managed_addon_would_be_marked() {
    let seen = Write::create(&daemon_set()).addon().judge(&Policy::default());
    seen.assert_left("observed");
    assert_eq!(
        seen.warnings(),
        ["cni-steward observes: Adopt would mark it as the managed add-on's and leave it alone"]
    );
}

#[test]
fn it_says_nothing_about_blocking_what_block_lets_through() {
    let seen = Write::create(&target("ConfigMap")).judge(&Policy::default());
    assert!(seen.warnings().iter().all(|text| !text.contains("Block")), "{:?}", seen.warnings());
    let seen = Write::create(&daemon_set()).addon().judge(&Policy::default());
    assert!(seen.warnings().iter().all(|text| !text.contains("Block")), "{:?}", seen.warnings());
}
