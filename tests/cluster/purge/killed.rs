//! `kill -9` before and after every single write, of the purge and of its undo: the second run ends right.

use super::ground::{Ground, said};
use crate::scene::NEW;
use crate::support::control_plane::{User, Version};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case { name: "purge::killed_around_each_deletion_the_second_run_ends_right", needs: NEW, run: deletions },
    Case {
        name: "purge::what_was_changed_since_a_run_that_was_cut_off_needs_an_undo_file_of_its_own",
        needs: NEW,
        run: changed,
    },
    Case {
        name: "purge::without_a_name_the_undo_file_of_a_run_that_was_cut_off_is_found_beside",
        needs: NEW,
        run: unnamed,
    },
    Case {
        name: "purge::killed_around_each_write_of_the_undo_the_second_run_ends_right",
        needs: NEW,
        run: returns,
    },
];

/// In the order in which they go.
const KINDS: [&str; 6] = [
    "DaemonSet",
    "ClusterRoleBinding",
    "ClusterRole",
    "ServiceAccount",
    "ConfigMap",
    "CustomResourceDefinition",
];
const ABORTED: i32 = -1;

fn deletions() {
    let ground = Ground::with_eks(Version::V1_36);
    ground.nodes(&["a"]);
    let before = ground.objects();
    let _collector = ground.collector();
    for (number, kind) in KINDS.into_iter().enumerate() {
        for point in [format!("before-delete-{kind}"), format!("after-delete-{kind}")] {
            let undo = ground.file(&point);
            let args = ["--yes", "--managed-addon-absent", "--accept-network-loss", "1", "--undo-file"];
            let died = ground.purge_until(&point, &[&args[..], &[&undo]].concat());
            assert_eq!(died.code, ABORTED, "expected it to die at {point}, got {died}");
            let left = ground.names();
            for gone in &KINDS[..number] {
                assert!(
                    !left.contains(&(*gone).to_owned()),
                    "expected {gone} to be gone at {point}: {left:?}"
                );
            }
            for stays in &KINDS[number + 1..] {
                assert!(
                    left.contains(&(*stays).to_owned()),
                    "expected {stays} to be there at {point}: {left:?}"
                );
            }

            // The very same command; the nodes have lost their network already.
            let done = ground.purge(&[&args[..], &[&undo]].concat());
            assert_eq!((done.code, ground.names()), (0, Vec::new()), "after {point}: {done}");

            let back = ground.purge(&["--undo", &undo, "--yes"]);
            assert_eq!(back.code, 0, "after {point}: {back}");
            ground.assert_back(&before);
        }
    }
}

fn changed() {
    let ground = Ground::with_eks(Version::V1_36);
    let _collector = ground.collector();
    let undo = ground.file("undo");
    let args = ["--yes", "--managed-addon-absent", "--undo-file"];
    let died = ground.purge_until("before-delete-ServiceAccount", &[&args[..], &[&undo]].concat());
    assert_eq!(died.code, ABORTED, "{died}");
    let role = "eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/new";
    let words = ["annotate", "serviceaccount", "aws-node", "-n", "kube-system", role];
    ground.plane.kubectl(User::Joe, &words).ok();

    let refused = ground.plane.assert_writes_nothing(|| ground.purge(&[&args[..], &[&undo]].concat()));
    assert_eq!(refused.code, 2, "{refused}");
    for words in [
        "ServiceAccount kube-system/aws-node does not stand as it was saved there",
        "is not overwritten; nothing was changed. Name another file",
    ] {
        assert!(said(&refused).contains(words), "expected {words:?} in {refused}");
    }
    let second = ground.file("second");
    let done = ground.purge(&[&args[..], &[&second]].concat());
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    for file in [&second, &undo] {
        let back = ground.purge(&["--undo", file, "--yes"]);
        assert_eq!(back.code, i32::from(file == &undo), "the first file knows another account: {back}");
    }
    let account = ground.plane.get("ServiceAccount", "aws-node");
    assert_eq!(
        account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
        role.split_once('=').unwrap().1
    );
}

fn unnamed() {
    let ground = Ground::with_eks(Version::V1_36);
    let before = ground.objects();
    let _collector = ground.collector();
    let args = ["--yes", "--managed-addon-absent"];
    let died = ground.purge_until("before-delete-ServiceAccount", &args);
    assert_eq!(died.code, ABORTED, "{died}");
    let done = ground.purge(&args);
    assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
    assert!(said(&done).contains("going on with the run that was cut off"), "{done}");
    let files: Vec<_> = std::fs::read_dir(ground.file(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("cni-steward-undo-"))
        .collect();
    assert_eq!(files.len(), 1, "expected one file for both runs: {files:?}");

    // A plan of the way back changes nothing, the file neither: a mark that was cut off stays as it is.
    let undo = ground.file(&files[0]);
    let text = std::fs::read_to_string(&undo).unwrap() + "{\"ma";
    std::fs::write(&undo, &text).unwrap();
    ground.purge(&["--undo", &undo, "--plan"]);
    assert_eq!(std::fs::read_to_string(&undo).unwrap(), text);
    let back = ground.purge(&["--undo", &undo, "--yes"]);
    assert_eq!(back.code, 0, "{back}");
    ground.assert_back(&before);
}

fn returns() {
    let ground = Ground::with_eks(Version::V1_36);
    let before = ground.objects();
    let _collector = ground.collector();
    for kind in KINDS {
        for point in ["before-create", "after-create", "before-owners", "after-owners"] {
            let point = format!("{point}-{kind}");
            let undo = ground.file(&point);
            let done = ground.purge(&["--yes", "--managed-addon-absent", "--undo-file", &undo]);
            assert_eq!((done.code, ground.names()), (0, Vec::new()), "{done}");
            let died = ground.purge_until(&point, &["--undo", &undo, "--yes"]);
            assert_eq!(died.code, ABORTED, "expected it to die at {point}, got {died}");
            let back = ground.purge(&["--undo", &undo, "--yes"]);
            assert_eq!(back.code, 0, "after {point}: {back}");
            ground.assert_back(&before);
        }
    }
}
