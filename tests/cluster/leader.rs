//! Which of several replicas leads, on a real API server: hand-over, death, an API server that hangs, rights that lack.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::NEW;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::steward::Steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, Etcd, Kubectl};
use crate::support::{until, watchdog};

const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cni-steward";
/// How long the lease is good, and how long a leader relies on it.
const GOOD_FOR: Duration = Duration::from_secs(15);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_mins(1);

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "leader::one_of_two_leads_and_hands_over_at_once_when_it_leaves_on_1_24",
        needs: OLD,
        run: || hands_over(Version::V1_24),
    },
    Case {
        name: "leader::one_of_two_leads_and_hands_over_at_once_when_it_leaves_on_1_36",
        needs: NEW,
        run: || hands_over(Version::V1_36),
    },
    Case { name: "leader::a_killed_leader_is_followed_when_its_lease_has_run_out", needs: NEW, run: killed },
    Case {
        name: "leader::while_the_api_server_hangs_nobody_leads_and_reviews_are_answered",
        needs: NEW,
        run: hangs,
    },
    Case { name: "leader::a_right_that_lacks_is_named_and_everything_else_goes_on", needs: NEW, run: rights },
    Case { name: "leader::a_lease_that_somebody_deletes_or_takes_is_given_up", needs: NEW, run: taken_away },
];

fn replica(plane: &ControlPlane, identity: &str) -> Steward {
    replica_as(&plane.kubeconfig(User::Admin), identity)
}

fn replica_as(kubeconfig: &std::path::Path, identity: &str) -> Steward {
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let identity = format!("--identity={identity}");
    let request_timeout = "--request-timeout=2s";
    Steward::start_with(
        "mode: Observe",
        &["--instance=kube-system/cni-steward", &identity, &kubeconfig, request_timeout],
    )
}

fn leads(steward: &Steward) -> bool {
    steward.metrics().lines().any(|line| line == "cni_steward_leading 1")
}

#[track_caller]
fn await_leader(steward: &Steward, who: &str, limit: Duration) {
    until(&format!("{who} led"), limit, || leads(steward).then_some(()))
        .unwrap_or_else(|error| panic!("{error}\n{}", steward.log_lines().join("\n")));
}

fn holder(plane: &ControlPlane) -> Option<String> {
    let lease = plane.client(User::Admin).get(LEASE).ok()?;
    lease.json()["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

fn hands_over(version: Version) {
    let plane = ControlPlane::start(version);
    let mut first = replica(&plane, "first");
    await_leader(&first, "the first", SLACK);
    let second = replica(&plane, "second");
    assert_eq!(holder(&plane).as_deref(), Some("first"));
    until("the Event was there", SLACK, || {
        let events = plane.kubectl(User::Admin, &["get", "events", "-n", "kube-system", "-o", "json"]);
        let events: Value = serde_json::from_str(events.ok()).unwrap();
        let of_ours = |event: &Value| {
            event["reason"] == "LeaderElection"
                && event["involvedObject"]["name"] == "cni-steward"
                && event["message"].as_str().is_some_and(|text| text.contains("first"))
        };
        events["items"].as_array()?.iter().any(of_ours).then_some(())
    })
    .unwrap();
    assert!(!leads(&second), "expected one leader");

    first.process().signal("TERM");
    let left = Instant::now();
    await_leader(&second, "the second", GOOD_FOR);
    let took = left.elapsed();
    assert!(took + Duration::from_secs(5) < GOOD_FOR, "expected a hand-over, but it took {took:?}");
    assert_eq!(holder(&plane).as_deref(), Some("second"));
    let lease = plane.client(User::Admin).get(LEASE).unwrap().json();
    assert_eq!(lease["spec"]["leaseTransitions"], json!(1), "{lease}");
    until("the first had ended", Duration::from_secs(20), || first.process_mut().ended())
        .map(|status| assert!(status.success(), "expected a clean end, got {status}"))
        .unwrap();
}

fn killed() {
    let plane = ControlPlane::start(Version::V1_36);
    let first = replica(&plane, "first");
    await_leader(&first, "the first", SLACK);
    let second = replica(&plane, "second");
    until("the second had seen the lease", SLACK, || {
        let seen = "cni_steward_lease_seen_timestamp_seconds 0";
        (!second.metrics().lines().any(|line| line == seen)).then_some(())
    })
    .unwrap();
    first.process().signal("KILL");
    let died = Instant::now();
    await_leader(&second, "the second", GOOD_FOR + SLACK);
    let took = died.elapsed();
    // The last renewal was seen up to five seconds before: renewed every three, looked at every two.
    assert!(took + Duration::from_secs(6) > GOOD_FOR, "the lease was good for longer than {took:?}");
}

fn hangs() {
    let plane = ControlPlane::start(Version::V1_36);
    let only = replica(&plane, "only");
    await_leader(&only, "the only one", SLACK);
    let [server, _] = plane.pids();
    watchdog::signal(server, "STOP");
    let stopped = Instant::now();
    until("nobody led", GOOD_FOR, || (!leads(&only)).then_some(()))
        .unwrap_or_else(|error| panic!("{error}\n{}", only.log_lines().join("\n")));
    assert!(stopped.elapsed() > Duration::from_secs(2), "one slow answer is no reason to stop leading");
    let ready = only.client().get("/readyz").unwrap();
    assert_eq!(ready.status, 200, "readiness depends on no API server");
    watchdog::signal(server, "CONT");
    await_leader(&only, "the only one", SLACK);
    only.await_log("leases.coordination.k8s.io kube-system/cni-steward: no answer within 2s");
}

fn taken_away() {
    let plane = ControlPlane::start(Version::V1_36);
    let only = replica(&plane, "only");
    await_leader(&only, "the only one", SLACK);
    let terms = || {
        let metrics = only.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("cni_steward_lease_terms_total "));
        line.and_then(|count| count.parse::<u32>().ok()).unwrap()
    };
    assert_eq!(terms(), 1);
    let admin = plane.client(User::Admin);
    admin.delete(LEASE).unwrap();
    until("it led anew", SLACK, || (terms() == 2 && leads(&only)).then_some(())).unwrap();

    let somebody = json!({"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3_000_000}});
    admin.patch(LEASE, "application/merge-patch+json", &somebody).unwrap();
    until("it led no more", SLACK, || (!leads(&only)).then_some(())).unwrap();
    assert_eq!(holder(&plane).as_deref(), Some("somebody"), "a living holder is waited for");
}

/// The rights of our chart's account on the Lease and Events, less one at a time.
fn rights() {
    let plane = ControlPlane::start(Version::V1_36);
    let account = Account::new(&plane);
    let all = ["get", "create", "patch"];
    for lacks in all {
        plane.client(User::Admin).delete(LEASE).unwrap();
        if lacks == "patch" {
            // Held by somebody who is gone: it has to be patched.
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "cni-steward", "namespace": "kube-system"},
                "spec": {},
            });
            plane
                .client(User::Admin)
                .post("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", &lease)
                .unwrap();
        }
        account.may(&all.into_iter().filter(|verb| *verb != lacks).collect::<Vec<_>>());
        let steward = replica_as(&account.kubeconfig, "first");
        let named = format!("cannot {lacks} leases.coordination.k8s.io kube-system/cni-steward");
        let checked = format!(
            "kubectl auth can-i {lacks} leases.coordination.k8s.io/cni-steward -n kube-system \
             --as=system:serviceaccount:kube-system:cni-steward"
        );
        until(&format!("{named:?} was logged"), SLACK, || {
            let log = steward.log_lines().join("\n");
            (log.contains(&named) && log.contains(&checked)).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", steward.log_lines().join("\n")));
        assert_eq!(steward.client().get("/readyz").unwrap().status, 200);
        assert!(!leads(&steward), "without the right to {lacks}");

        account.may(&all);
        await_leader(&steward, "who had got the right", SLACK);
        // It may make no Events at all; that costs nothing but the Events.
        until("the lost Event was counted", SLACK, || {
            let lost = "cni_steward_events_total{outcome=\"failed\"} 1";
            steward.metrics().lines().any(|line| line == lost).then_some(())
        })
        .unwrap();
    }
}

/// A service account, and a kubeconfig with its token.
struct Account<'p> {
    plane: &'p ControlPlane,
    token: String,
    kubeconfig: PathBuf,
}

impl<'p> Account<'p> {
    fn new(plane: &'p ControlPlane) -> Self {
        let kubectl = |words: &str| {
            let args = [&words.split_whitespace().collect::<Vec<_>>()[..], &["-n", "kube-system"]].concat();
            plane.kubectl(User::Admin, &args)
        };
        kubectl("create serviceaccount cni-steward").ok();
        kubectl("create rolebinding cni-steward --role=cni-steward --serviceaccount=kube-system:cni-steward")
            .ok();
        let token = kubectl("create token cni-steward");
        let admins = std::fs::read_to_string(plane.kubeconfig(User::Admin)).unwrap();
        let mut config: Value = serde_json::from_str(&admins).unwrap();
        let token = token.ok().trim().to_owned();
        config["users"][0]["user"]["token"] = token.clone().into();
        let kubeconfig = plane.folder().join("account.kubeconfig");
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        Self { plane, token, kubeconfig }
    }

    /// From a moment later on.
    fn may(&self, verbs: &[&str]) {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "cni-steward", "namespace": "kube-system"},
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}],
        });
        self.plane
            .kubectl_stdin(
                User::Admin,
                &["apply", "--server-side", "--force-conflicts", "-f", "-"],
                &role.to_string(),
            )
            .ok();
        for verb in ["get", "create", "patch"] {
            let right = format!("{verb} leases.coordination.k8s.io/cni-steward");
            self.plane.await_rights(&self.token, verbs.contains(&verb), &[&right]);
        }
    }
}
