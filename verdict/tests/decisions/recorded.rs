//! Real reviews, byte for byte as API servers sent them: our own recordings in `tests/fixtures/reviews`, and more in the
//! folder that `CNI_STEWARD_REAL_DATA` names.

use std::path::{Path, PathBuf};

use cni_steward_verdict::policy::Policy;
use serde_json::Value;

use super::write::{adopt, owners, policy, see};

fn recordings() -> Vec<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/reviews");
    let mut folders = vec![ours];
    folders
        .extend(std::env::var_os("CNI_STEWARD_REAL_DATA").map(|folder| Path::new(&folder).join("reviews")));
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 10, "only {} recordings found", found.len());
    found
}

fn metadata_free(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("metadata");
    object
}

#[test]
fn a_recorded_review_is_amended_to_a_fixed_point_and_outside_metadata_nothing_changes() {
    let policies: Vec<Policy> = [
        "mode: Adopt",
        "mode: Adopt\nfields: Stamp",
        "mode: Adopt\nmanagedAddon: Absent\nabsorb: ['*']",
        "mode: Block\nclusterApi: Protect",
        "mode: Block\nclusterApi: Release",
    ]
    .map(policy)
    .into();
    for path in recordings() {
        let body = std::fs::read(&path).unwrap();
        let before: Value = serde_json::from_slice(&body).unwrap();
        for policy in &policies {
            let seen = see(&body, policy);
            let place = format!("{} under {} {}", path.display(), policy.mode_name(), policy.hash());
            assert_eq!(seen.answer.status, 200, "{place}: {}", seen.answer.record.message);
            assert_eq!(seen.response["uid"], before["request"]["uid"], "{place}");
            assert_ne!(seen.reason(), "odd-object", "{place}: {}", seen.answer.record.message);
            if seen.object.is_null() {
                continue;
            }
            assert_eq!(
                metadata_free(seen.object.clone()),
                metadata_free(before["request"]["object"].clone()),
                "{place}"
            );
            let mut again = before.clone();
            again["request"]["object"] = seen.object.clone();
            let second = see(again.to_string().as_bytes(), policy);
            assert_eq!(second.patch, None, "{place}: a second look changes nothing");
        }
    }
}

#[test]
fn after_an_eks_write_the_owner_holds_everything_eks_held() {
    for path in recordings() {
        let body = std::fs::read(&path).unwrap();
        let seen = see(&body, &adopt());
        if seen.reason() != "adopted" || seen.answer.record.manager != "eks" {
            continue;
        }
        let owners = owners(&seen.object);
        assert!(!owners.iter().any(|owner| owner.starts_with("eks/")), "{}: {owners:?}", path.display());
        assert_eq!(
            owners.iter().filter(|owner| *owner == "helm/Apply").count(),
            1,
            "{}: {owners:?}",
            path.display()
        );
    }
}

#[test]
fn observe_patches_no_recorded_review() {
    for path in recordings() {
        let seen = see(&std::fs::read(&path).unwrap(), &Policy::default());
        assert_eq!((seen.verdict(), &seen.patch), ("leave", &None), "{}", path.display());
    }
}
