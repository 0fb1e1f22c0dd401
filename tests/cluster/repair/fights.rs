//! Repairs that somebody else, or the end of the program, gets in the way of.

use std::path::Path;
use std::time::{Duration, Instant};

use cni_steward::faults::POINTS;
use serde_json::Value;

use super::{
    ABSENT, after_eks, assert_repaired, await_state, eventually, keeper, kubectl, metric, objects, sum,
    versions,
};
use crate::scene::{CAPA, MANAGED_BY, label, owners};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::steward::{BINARY, Steward, run};
use crate::support::watchdog::{Background, Folder};
use crate::support::{free_port, tail, until};

pub(super) fn killed() {
    for point in POINTS.into_iter().filter(|point| point.starts_with("repair-")) {
        let plane = after_eks(Version::V1_36);
        killed_at(point, &plane);
        let half =
            objects(&plane).iter().any(|object| owners(object).contains(&"cni-steward/Update".to_owned()));
        assert_eq!(half, point == "repair-stamped", "{point}");
        let steward = keeper(&plane, ABSENT);
        await_state(&steward, "in-order", 6);
        objects(&plane).iter().for_each(assert_repaired);
    }
}

/// A server that ends at this point of its first repair.
fn killed_at(point: &str, plane: &ControlPlane) {
    let folder = Folder::new();
    std::fs::write(folder.join("policy.yaml"), ABSENT).unwrap();
    let log = folder.join("steward.log");
    let args = [
        format!("CNI_STEWARD_FAULT={point}"),
        BINARY.to_owned(),
        "serve".to_owned(),
        "--standalone".to_owned(),
        format!("--state={}", folder.join("state").display()),
        format!("--listen=127.0.0.1:{}", free_port()),
        "--telemetry=off".to_owned(),
        format!("--policy={}", folder.join("policy.yaml").display()),
        "--instance=kube-system/cni-steward".to_owned(),
        format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display()),
    ];
    let mut process = Background::start(Path::new("/usr/bin/env"), &args, &log);
    let ended = until(&format!("it ended at {point}"), Duration::from_mins(1), || process.ended())
        .unwrap_or_else(|error| panic!("{error}\n{}", tail(&log, 20)));
    assert_eq!(ended.code(), None, "expected a signal to end it: {ended}\n{}", tail(&log, 20));
}

pub(super) fn contested() {
    let plane = after_eks(Version::V1_36);
    let steward = keeper(&plane, ABSENT);
    await_state(&steward, "in-order", 6);
    let stands = || label(&plane.get("DaemonSet", "aws-node"), MANAGED_BY).unwrap_or_default().to_owned();
    let contests = || metric(&steward, "cni_steward_contests_total{target=\"daemonsets/aws-node\"}");
    let mut repairs = 0;
    while contests() == 0 {
        assert!(repairs < 10, "expected a contest\n{}", steward.log_lines().join("\n"));
        kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
        eventually(&steward, "it was repaired or contested", || {
            (stands() == "Helm" || contests() > 0).then_some(())
        });
        repairs += u64::from(stands() == "Helm");
    }
    assert_eq!(repairs, 3, "expected the third time back to be the last");
    await_state(&steward, "contested", 1);
    assert_eq!(metric(&steward, "cni_steward_contested_paths{target=\"daemonsets/aws-node\"}"), 1);

    // Another path of the same object is still repaired, and this one still is not.
    kubectl(&plane, &format!("label ds aws-node {CAPA}-"));
    eventually(&steward, "the other path was repaired", || {
        (label(&plane.get("DaemonSet", "aws-node"), CAPA) == Some("true")).then_some(())
    });
    assert_eq!(stands(), "me");

    let note = eventually(&steward, "the Event was there", || {
        let events = plane.kubectl(User::Admin, &["get", "events", "-n", "kube-system", "-o", "json"]);
        let events: Value = serde_json::from_str(events.ok()).unwrap();
        let mut found = events["items"].as_array().unwrap().iter().cloned();
        found.find(|event| event["reason"] == "Contested")
    })["message"]
        .to_string();
    for word in [
        "kubectl-label changes",
        "cni-steward",
        ".metadata.labels.app.kubernetes.io/managed-by",
        "exempt.managers",
    ] {
        assert!(note.contains(word), "expected {word} in {note}");
    }
    let kubeconfig = plane.kubeconfig(User::Joe);
    let status = run(&["status", "-o", "json", "--kubeconfig", kubeconfig.to_str().unwrap()]);
    let told: Value =
        serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status}"));
    assert_eq!(told["findings"][0]["code"], "CS007", "{told:#}");
    assert!(told["findings"][0]["message"].as_str().unwrap().contains("kubectl-label changes"), "{told:#}");
}

/// Ten minutes are half a minute here: the reconciler's time passes twenty times faster.
pub(super) fn resumes() {
    let plane = after_eks(Version::V1_36);
    let kubeconfig = format!("--kubeconfig={}", plane.kubeconfig(User::Admin).display());
    let args = ["--instance=kube-system/cni-steward", &kubeconfig];
    let steward = Steward::start_in(ABSENT, &args, &["CNI_STEWARD_HASTE=20"]);
    await_state(&steward, "in-order", 6);
    let stands = || label(&plane.get("DaemonSet", "aws-node"), MANAGED_BY).unwrap_or_default().to_owned();
    let contests = || metric(&steward, "cni_steward_contests_total{target=\"daemonsets/aws-node\"}");
    let fights = || {
        let begun = contests();
        eventually(&steward, "the path was contested", || {
            if stands() == "Helm" {
                kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
            }
            (contests() > begun).then_some(())
        });
        assert_eq!(stands(), "me");
        Instant::now()
    };
    let left_alone = fights();
    eventually(&steward, "it was repaired once nobody had touched it", || (stands() == "Helm").then_some(()));
    let took = left_alone.elapsed();
    assert!(took > Duration::from_secs(25), "expected half a minute of quiet, took {took:?}");
    await_state(&steward, "in-order", 6);
    // Changed back again it stops at once, for twice as long.
    kubectl(&plane, "label ds aws-node app.kubernetes.io/managed-by=me --overwrite");
    eventually(&steward, "the path was contested again", || (contests() == 2).then_some(()));
    assert_eq!(stands(), "me");
}

/// Each replica's webhook is asked about every write, the other's repairs too, which is worse than any Service would make it.
pub(super) fn two_policies() {
    let other = "mode: Adopt\nmanagedAddon: Absent\nowner: {manager: argocd-controller}\nclusterApi: Release";
    let plane = after_eks(Version::V1_36);
    let first = keeper(&plane, ABSENT);
    await_state(&first, "in-order", 6);
    let second = keeper(&plane, other);
    for (steward, name) in [(&first, "a-cni-steward"), (&second, "b-cni-steward")] {
        let manifest = steward.webhook_manifest(&plane);
        let renamed = manifest.replacen("name: cni-steward\n", &format!("name: {name}\n"), 1);
        assert_ne!(manifest, renamed);
        plane.kubectl_stdin(User::Admin, &["apply", "--server-side", "-f", "-"], &renamed).ok();
    }
    let writes =
        || sum(&first, "cni_steward_repair_writes_total") + sum(&second, "cni_steward_repair_writes_total");
    let before = writes();
    // Until both are really asked, every one of these writes may start something.
    eventually(&first, "both webhooks were asked", || {
        kubectl(&plane, "annotate ds aws-node touched=yes --overwrite");
        kubectl(&plane, "annotate ds aws-node touched-");
        let asked = |steward| sum(steward, "cni_steward_reviews_total") > 0;
        (asked(&first) && asked(&second)).then_some(())
    });
    kubectl(&plane, &format!("label ds,sa,clusterrole,clusterrolebinding aws-node {CAPA}-"));
    let contests = || sum(&first, "cni_steward_contests_total") + sum(&second, "cni_steward_contests_total");
    eventually(&first, "the leader noticed on each of the four that it is undone", || {
        (contests() == 4).then_some(())
    });
    // What a try has left in managedFields is taken out before the object is left alone.
    await_state(&first, "contested", 4);
    let (settled, stored) = (writes(), versions(&plane));
    first.await_log("\"by\":\"another admission webhook\"");
    assert!(settled - before <= 4 * 4, "expected three tries for each of the four, got {}", settled - before);
    // That nothing happens cannot be waited for but by the clock.
    std::thread::sleep(Duration::from_mins(1));
    assert_eq!(writes(), settled, "expected no write any more");
    assert_eq!(contests(), 4);
    assert_eq!(versions(&plane), stored);
}

/// The webhooks of the other replicas may still decide by the old policy.
pub(super) fn settles() {
    let plane = after_eks(Version::V1_36);
    let before = objects(&plane);
    let steward = keeper(&plane, "mode: Adopt");
    await_state(&steward, "held-back", 6);
    let changed = Instant::now();
    std::fs::write(steward.policy_file(), ABSENT).unwrap();
    await_state(&steward, "repairing", 6);
    assert_eq!(objects(&plane), before, "told at once, but not yet written");
    eventually(&steward, "all was repaired", || {
        (sum(&steward, "cni_steward_repairs_total") >= 6).then_some(())
    });
    let took = changed.elapsed();
    assert!(took > Duration::from_secs(85), "expected 90 s of waiting, took {took:?}");
    objects(&plane).iter().for_each(assert_repaired);
}
