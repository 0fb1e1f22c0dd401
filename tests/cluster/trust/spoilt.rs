//! What other people do to the webhook configuration.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{HOOKS, SLACK, Scene, counted};
use crate::support::control_plane::Version;
use crate::support::http::Client;
use crate::support::load::Load;
use crate::support::until;

const JSON_PATCH: &str = "application/json-patch+json";

impl Scene {
    /// All bundles are gone.
    pub(super) fn wipe(&self) {
        let entries = self.bundles().len();
        let remove =
            |index| json!({"op": "remove", "path": format!("/webhooks/{index}/clientConfig/caBundle")});
        self.spoil("somebody", &(0..entries).map(remove).collect());
    }

    /// All entries trust somebody else, and nobody but him.
    fn exchange(&self, manager: &str) {
        let theirs = STANDARD.encode(std::fs::read(self.plane.folder().join("ca.crt")).unwrap());
        let replace = |index| json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": theirs});
        self.spoil(manager, &(0..self.bundles().len()).map(replace).collect());
    }

    fn spoil(&self, manager: &str, patch: &Value) {
        let reply = self.api.patch(&format!("{HOOKS}?fieldManager={manager}"), JSON_PATCH, patch).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Waits until the bundles are these again, and says how long it took.
    fn await_bundles(&self, whole: &[String]) -> Duration {
        let spoilt = Instant::now();
        let mut kept = self.api.keep().unwrap();
        self.eventually("the bundles were whole again", || {
            let hooks = kept.send("GET", HOOKS, "application/json", "").unwrap().json();
            (super::bundles_of(&hooks) == whole).then_some(())
        });
        spoilt.elapsed()
    }

    /// The Event with this reason whose note holds this text.
    fn await_event(&self, reason: &str, text: &str) -> Value {
        self.eventually(&format!("an Event {reason} said {text:?}"), || self.event(reason, text))
    }

    fn event(&self, reason: &str, text: &str) -> Option<Value> {
        let events = self.api.get("/apis/events.k8s.io/v1/namespaces/kube-system/events").unwrap().json();
        let mut events = events["items"].as_array().unwrap().clone().into_iter();
        events.find(|event| event["reason"] == reason && event["note"].as_str().unwrap().contains(text))
    }

    fn metrics(&self) -> String {
        Client::plain(self.telemetry).get("/metrics").unwrap().text()
    }

    fn await_metric(&self, line: &str) {
        self.eventually(&format!("a metric was {line}"), || {
            self.metrics().lines().any(|found| found == line).then_some(())
        });
    }
}

type Spoil = (&'static str, fn(&Scene));

/// Under load, since only who is called is not trusted. What passed unseen is counted by the API server, and told by us.
pub(super) fn heals() {
    let scene = Scene::new(Version::V1_36);
    scene.plane.eks_apply(crate::support::fixtures::EKS_APPLY).ok();
    let _steward = scene.start("");
    scene.await_trust("from nothing");
    let whole = scene.bundles();
    let load = Load::start(&scene.plane, 100);
    let unseen_before = scene.fail_opens();
    load.await_sent(100);
    assert_eq!(scene.fail_opens(), unseen_before, "before anybody spoils anything");
    let spoils: [Spoil; 3] = [
        ("wiped", Scene::wipe),
        ("exchanged", |scene| scene.exchange("kubectl-edit")),
        ("wiped again", Scene::wipe),
    ];
    for (how, spoil) in spoils {
        let unseen = scene.fail_opens();
        spoil(&scene);
        let took = scene.await_bundles(&whole);
        assert!(took <= Duration::from_secs(2), "{how}: expected at most 2 s, it took {took:?}");
        scene.await_trust(how);
        println!("{how}: healed in {took:.1?}, {} reviews failed open", scene.fail_opens() - unseen);
    }
    // On a machine that has nothing else to do no write may fall into the moment before it is healed.
    for _ in 0..40 {
        if scene.event("TrustWritten", "passed unseen").is_some() {
            break;
        }
        scene.wipe();
        scene.await_bundles(&whole);
        scene.await_trust("wiped once more");
    }
    let seen = load.stop();
    assert!(seen.failed.is_empty(), "expected no write to fail: {:?}", seen.failed);
    let unseen = scene.fail_opens() - unseen_before;
    let untrusted =
        counted(&scene.metrics(), "cni_steward_tls_handshake_failures_total", "certificate_not_trusted");
    assert!(unseen > 0 && untrusted > 0, "{unseen} failed open, {untrusted} connections were seen to end");
    let event = scene.await_event("TrustWritten", "passed unseen");
    assert_eq!(event["type"], "Warning", "{event}");
}

/// Fault 42.
pub(super) fn fought() {
    let scene = Scene::new(Version::V1_36);
    let _steward = scene.start("");
    scene.await_trust("from nothing");
    let whole = scene.bundles();
    for _ in 0..5 {
        scene.exchange("argocd-controller");
        let took = scene.await_bundles(&whole);
        assert!(took <= Duration::from_secs(2), "expected at most 2 s, it took {took:?}");
        std::thread::sleep(Duration::from_secs(1).saturating_sub(took));
    }
    scene.await_metric("cni_steward_trust_contested 1");
    scene.await_metric("cni_steward_trust_contests_total 1");
    let event = scene.await_event("TrustContested", "argocd-controller changes the caBundle");
    let note = event["note"].as_str().unwrap();
    assert!(note.contains("3 times in ten minutes") && note.contains("ignoreDifferences"), "{note}");
    // Who takes it away leaves no name, and it is healed as before.
    scene.wipe();
    scene.await_bundles(&whole);
    scene.await_trust("after all that");
}

pub(super) fn changed() {
    let scene = Scene::new(Version::V1_36);
    let _steward = scene.start("");
    scene.await_trust("from nothing");
    let telemetry = Client::plain(scene.telemetry);
    let says = |text: &str| {
        until(&format!("/readyz?verbose said {text:?}"), SLACK, || {
            let page = telemetry.get("/readyz?verbose").ok()?;
            assert_eq!(page.status, 200, "readiness does not depend on it: {}", page.text());
            page.text().contains(text).then_some(())
        })
        .unwrap_or_else(|error| scene.fail(&error));
    };
    says("webhook: the webhook configuration is as rendered");
    scene.await_metric("cni_steward_webhook_differences{part=\"rules\"} 0");
    let stored = scene.api.get(HOOKS).unwrap().json()["webhooks"].clone();
    for (what, path, value) in [
        ("rules", "rules/0/operations", json!(["CREATE"])),
        ("matchConditions", "matchConditions", json!([{"name": "never", "expression": "false"}])),
        ("namespaceSelector", "namespaceSelector", json!({"matchLabels": {"x": "y"}})),
        ("objectSelector", "objectSelector", json!({"matchLabels": {"x": "y"}})),
        ("failurePolicy", "failurePolicy", json!("Fail")),
        ("timeoutSeconds", "timeoutSeconds", json!(1)),
        ("clientConfig", "clientConfig/service/path", json!("/elsewhere")),
    ] {
        scene.spoil(
            "kubectl-edit",
            &json!([{"op": "add", "path": format!("/webhooks/0/{path}"), "value": value}]),
        );
        says(&format!(
            "webhook: the webhook configuration is not as rendered: namespaced.cni-steward.dev {what}\n"
        ));
        scene.await_metric(&format!("cni_steward_webhook_differences{{part=\"{what}\"}} 1"));
        scene.spoil("kubectl-edit", &json!([{"op": "replace", "path": "/webhooks/0", "value": stored[0]}]));
        says("webhook: the webhook configuration is as rendered");
    }
    scene.spoil("kubectl-edit", &json!([{"op": "remove", "path": "/webhooks/0"}]));
    says("namespaced.cni-steward.dev missing");
    scene.await_event("WebhookChanged", "namespaced.cni-steward.dev missing");
    let told = || scene.log().lines().filter(|line| line.contains("is not as rendered")).count();
    scene.eventually("the log said so", || (told() > 0).then_some(()));
    let lines = told();
    // Of what stood only a moment some may have been told; what stands is told once.
    assert!(lines <= 8, "{lines} lines");
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(told(), lines, "told again though nothing is new");

    // Fault 43: made anew, as an upgrade of the chart would.
    assert_eq!(scene.api.delete(HOOKS).unwrap().status, 200);
    says("missing, cluster.cni-steward.dev missing");
    scene.configure();
    says("webhook: the webhook configuration is as rendered");
    scene.await_trust("made anew");
}
