//! The harness itself: two nodes run pods without a CNI, clusters do not meet, and nothing is left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cell::{self, Cell};
use crate::cluster::{Cluster, NEEDS, PATIENCE, PAUSE};
use crate::support::control_plane::User;
use crate::support::suite::Case;
use crate::support::victim::Victim;
use crate::support::watchdog::{self, Groups};
use crate::support::{tail, until};

pub(crate) const CASES: &[Case] = &[Case {
    name: "harness::two_nodes_without_a_cni_run_what_uses_their_network",
    needs: NEEDS,
    run: runs_pods,
}];

/// These look at cells from outside.
pub(crate) const OUTSIDE: &[Case] = &[
    Case { name: "harness::two_clusters_side_by_side_do_not_meet", needs: NEEDS, run: side_by_side },
    Case { name: "harness::nothing_is_left_after_a_failed_assertion", needs: NEEDS, run: after_a_panic },
    Case { name: "harness::nothing_is_left_after_ctrl_c", needs: NEEDS, run: || after("INT") },
    Case {
        name: "harness::nothing_is_left_after_the_test_process_is_killed",
        needs: NEEDS,
        run: || after("KILL"),
    },
];

/// What the cases above start, and what nobody starts by hand.
pub(crate) const HIDDEN: &[Case] =
    &[Case { name: HANGS, needs: NEEDS, run: hangs }, Case { name: FAILS, needs: NEEDS, run: fails }];

const HANGS: &str = "harness::a_cluster_that_hangs";
const FAILS: &str = "harness::a_case_that_fails";

const POD_ON_EACH: &str = r"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: early, namespace: kube-system}
spec:
  selector: {matchLabels: {app: early}}
  template:
    metadata: {labels: {app: early}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      containers: [{name: early, image: 'cni-steward.test/pause:1', imagePullPolicy: Never}]
";

fn with_a_pod_on_each() -> Cluster {
    let cluster = Cluster::start();
    cluster.plane.kubectl_stdin(User::Admin, &["apply", "-f", "-"], POD_ON_EACH).ok();
    let running =
        cluster.await_list("a pod ran on each node", ("pods", "kube-system", "app=early"), |pods| {
            let mut nodes: Vec<String> = pods
                .iter()
                .filter(|pod| pod["status"]["containerStatuses"][0]["ready"] == true)
                .map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned())
                .collect();
            nodes.sort();
            (nodes.len() == 2).then_some(nodes)
        });
    assert_eq!(running, ["node1", "node2"]);
    cluster
}

fn runs_pods() {
    assert!(POD_ON_EACH.contains(PAUSE));
    let cluster = with_a_pod_on_each();
    for node in ["node1", "node2"] {
        // Otherwise one kubelet may fail to start for the other's socket.
        let socket = cell::folder().join(node).join("kubelet/device-plugins/kubelet.sock");
        assert!(socket.exists(), "{node} shares /var/lib/kubelet: there is no {}", socket.display());
        let node = cluster.plane.get("node", node);
        let conditions = node["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        assert_eq!(ready["status"], "False", "expected a node without a CNI not to be ready: {ready}");
        assert!(ready["message"].as_str().unwrap().contains("cni plugin not initialized"), "{ready}");
    }
}

fn side_by_side() {
    let [one, two] = [0, 1].map(|_| Cell::start(CASES[0].name));
    one.expect_success(PATIENCE * 2);
    two.expect_success(PATIENCE * 2);
}

/// Says that the cluster stands, and waits to be killed.
fn hangs() {
    let _cluster = with_a_pod_on_each();
    std::fs::write(cell::folder().join("stands"), "").unwrap();
    loop {
        std::thread::park();
    }
}

fn fails() {
    let _cluster = with_a_pod_on_each();
    panic!("this panic is part of a test that passes");
}

/// What a cell leaves traces of.
#[derive(Debug)]
struct Traces {
    folder: PathBuf,
    namespace: PathBuf,
}

impl Traces {
    fn of(folder: &Path, pid: u32) -> Self {
        // The namespace of its children; of itself it is the one outside.
        let namespace = std::fs::read_link(format!("/proc/{pid}/ns/pid_for_children")).unwrap();
        Self { folder: folder.to_owned(), namespace }
    }

    fn processes(&self) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        all.filter(|pid| watchdog::runs(*pid) && (self.is_inside(*pid) || self.is_contained(*pid))).collect()
    }

    fn is_inside(&self, pid: u32) -> bool {
        std::fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|seen| seen == self.namespace)
    }

    /// Containers have a namespace of their own below that of the cell.
    fn is_contained(&self, pid: u32) -> bool {
        let name = self.folder.file_name().unwrap().to_str().unwrap();
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(name))
    }

    fn mounts(&self) -> Vec<String> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let folder = self.folder.to_str().unwrap();
        mounts.lines().filter(|line| line.contains(folder)).map(str::to_owned).collect()
    }

    fn groups(&self) -> Vec<PathBuf> {
        Groups::folders(self.folder.file_name().unwrap().to_str().unwrap())
    }

    /// Etcd, API server, two controllers, two nodes of two programs, two pods of two containers and a shim each; and the case
    /// with its two shells.
    #[track_caller]
    fn expect_a_cluster(&self) {
        let processes = self.processes().len();
        assert!(processes >= 17, "expected a cluster to be 17 processes or more, got {processes}");
        assert!(!self.groups().is_empty(), "expected cgroups of this run's name");
    }

    #[track_caller]
    fn expect_nothing(&self) {
        let nothing = || {
            (self.processes().is_empty()
                && !self.folder.exists()
                && self.groups().is_empty()
                && self.mounts().is_empty())
            .then_some(())
        };
        until("nothing was left", Duration::from_secs(20), nothing).unwrap_or_else(|error| {
            panic!(
                "{error}: processes {:?}, groups {:?}, mounts {:?}, folder there: {}",
                self.processes(),
                self.groups(),
                self.mounts(),
                self.folder.exists()
            )
        });
    }
}

fn await_standing(folder: &Path) {
    let stands = folder.join("stands");
    until("the cluster stood", PATIENCE, || stands.exists().then_some(()))
        .unwrap_or_else(|error| panic!("{error}\n{}", tail(&folder.join("case.log"), 40)));
}

fn after_a_panic() {
    let cell = Cell::start(FAILS);
    let seen = std::thread::scope(|scope| {
        let pid = cell.pid();
        let folder = cell.folder().to_owned();
        let traces = until("there was a namespace", PATIENCE, || {
            let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
            let traces = Traces::of(&folder, pid);
            (traces.namespace != own).then_some(traces)
        });
        let failed = scope.spawn(move || cell.expect_success(PATIENCE)).join();
        let said = failed.expect_err("expected the case to fail");
        let said = said.downcast_ref::<String>().expect("a message").clone();
        assert!(said.contains("this panic is part of a test that passes"), "{said}");
        traces.unwrap()
    });
    seen.expect_nothing();
}

const VICTIM: &str = "CNI_STEWARD_TEST_VICTIM";

pub(crate) fn is_victim() -> bool {
    std::env::var_os(VICTIM).is_some() && !cell::is_inside()
}

/// A test process that has started a cluster and now hangs.
pub(crate) fn victim() -> ! {
    let cell = Cell::start(HANGS);
    println!("{} {}", cell.pid(), cell.folder().display());
    loop {
        std::thread::park();
    }
}

fn after(signal: &str) {
    let (victim, line) = Victim::start(VICTIM);
    let (pid, folder) = line.split_once(' ').unwrap();
    await_standing(Path::new(folder));
    let traces = Traces::of(Path::new(folder), pid.parse().unwrap());
    traces.expect_a_cluster();
    victim.signal(signal);
    traces.expect_nothing();
}
