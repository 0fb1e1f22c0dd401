//! The harness itself: it starts, it is quiet, and it leaves nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::control_plane::{ControlPlane, User, Version, difference};
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, ApiServer136, Etcd, Kubectl};
use crate::support::victim::Victim;
use crate::support::{until, watchdog};

const NEW: &[Tool] = &[ApiServer136, Etcd, Kubectl];
const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "harness::an_api_server_1_36_starts_and_knows_its_users",
        needs: NEW,
        run: || starts(Version::V1_36),
    },
    Case {
        name: "harness::an_api_server_1_24_starts_and_knows_its_users",
        needs: OLD,
        run: || starts(Version::V1_24),
    },
    Case { name: "harness::a_write_of_any_kind_is_seen_by_name", needs: NEW, run: a_write_is_seen },
    Case { name: "harness::nothing_runs_on_after_a_failed_assertion", needs: NEW, run: after_a_panic },
    Case {
        name: "harness::nothing_runs_on_after_the_test_process_is_killed",
        needs: NEW,
        run: || after("KILL"),
    },
    Case { name: "harness::nothing_runs_on_after_ctrl_c", needs: NEW, run: || after("INT") },
];

fn starts(version: Version) {
    let plane = ControlPlane::start(version);
    let reported = plane.kubectl(User::Admin, &["version", "-o", "json"]);
    let server: serde_json::Value = serde_json::from_str(reported.ok()).unwrap();
    let server = server["serverVersion"]["gitVersion"].as_str().unwrap().to_owned();
    assert!(
        server.starts_with(&format!("v{}.", version.minor())),
        "expected a {} server, got {server}",
        version.minor()
    );
    for user in [User::Admin, User::AddonManager, User::Joe] {
        plane.kubectl(user, &["auth", "can-i", "delete", "daemonsets", "-n", "kube-system"]).ok();
        // Only this one name is in a group that no rule can hold back.
        let review = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        if version == Version::V1_36 {
            let who = plane.kubectl_stdin(user, &["create", "-o", "json", "-f", "-"], review);
            let who: serde_json::Value = serde_json::from_str(who.ok()).unwrap();
            assert_eq!(who["status"]["userInfo"]["username"], user.name());
            let masters = who["status"]["userInfo"]["groups"].to_string().contains("system:masters");
            assert_eq!(masters, user == User::Admin, "system:masters of {}", user.name());
        }
    }
    plane.assert_writes_nothing(|| plane.kubectl(User::Joe, &["get", "namespaces"]).ok().to_owned());
}

fn a_write_is_seen() {
    let plane = ControlPlane::start(Version::V1_36);
    let before = plane.etcd_state();
    plane.kubectl(User::Joe, &["create", "configmap", "one", "-n", "default"]).ok();
    let created = plane.etcd_state();
    assert_eq!(difference(&before, &created), "\n  created /registry/configmaps/default/one");
    plane.kubectl(User::Joe, &["label", "configmap", "one", "-n", "default", "a=b"]).ok();
    let changed = plane.etcd_state();
    assert_eq!(difference(&created, &changed), "\n  changed /registry/configmaps/default/one");
    plane.kubectl(User::Joe, &["delete", "configmap", "one", "-n", "default"]).ok();
    assert_eq!(difference(&changed, &plane.etcd_state()), "\n  deleted /registry/configmaps/default/one");
}

fn after_a_panic() {
    let (send, receive) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let plane = ControlPlane::start(Version::V1_36);
        send.send((plane.pids(), plane.folder().to_owned())).unwrap();
        panic!("this panic is part of a test that passes");
    });
    assert!(test.join().is_err());
    let (pids, folder) = receive.recv().unwrap();
    expect_nothing_left(&pids, &folder);
}

const VICTIM: &str = "CNI_STEWARD_TEST_VICTIM";

pub(crate) fn is_victim() -> bool {
    std::env::var_os(VICTIM).is_some()
}

/// A test process that has started a control plane and now hangs.
pub(crate) fn victim() -> ! {
    let plane = ControlPlane::start(Version::V1_36);
    let [server, store] = plane.pids();
    println!("{server} {store} {}", plane.folder().display());
    loop {
        std::thread::park();
    }
}

fn after(signal: &str) {
    let (victim, line) = Victim::start(VICTIM);
    let mut words = line.splitn(3, ' ');
    let pids = [(); 2].map(|()| words.next().unwrap().parse::<u32>().unwrap());
    let folder = PathBuf::from(words.next().unwrap());
    for pid in pids {
        assert!(watchdog::runs(pid), "expected process {pid} to run before the signal");
    }
    victim.signal(signal);
    expect_nothing_left(&pids, &folder);
}

fn expect_nothing_left(pids: &[u32], folder: &Path) {
    until(&format!("processes {pids:?} and {} were gone", folder.display()), Duration::from_secs(10), || {
        (!pids.iter().any(|&pid| watchdog::runs(pid)) && !folder.exists()).then_some(())
    })
    .unwrap();
}
