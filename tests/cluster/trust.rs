//! Certificates that the program looks after by itself, on a real API server that calls it by its Services' names.
//!
//! There is no network of Services here: they are `ExternalName` ones that lead to this machine, so the API server asks for
//! the Service's name in TLS, as in a cluster.

mod kills;
mod replicas;
mod secrets;
mod spoilt;
mod watcher;

pub(crate) use watcher::{NAME, Watcher, trusting_anything};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::NEW;
use crate::support::balancer::Replica;
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::http::Client;
use crate::support::steward;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer124, Etcd, Kubectl};
use crate::support::watchdog::{Background, Folder};
use crate::support::{free_port, tail, until};

const OLD: &[Tool] = &[ApiServer124, Etcd, Kubectl];
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cni-steward";
const SECRET: &str = "/api/v1/namespaces/kube-system/secrets/cni-steward-certificate";
const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/cni-steward";
const PROBE: &str = "/api/v1/namespaces/kube-system/configmaps?dryRun=All";
/// Lifetimes of authority and leaf, and how long an API server may take to hear of a change.
const LIVES: &str = "2400h,240h,3s";
const MERGE: &str = "application/merge-patch+json";
/// A busy machine's time for what takes seconds.
const SLACK: Duration = Duration::from_mins(1);

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "trust::a_server_with_nothing_makes_the_api_server_trust_it_on_1_24",
        needs: OLD,
        run: || makes_itself_trusted(Version::V1_24),
    },
    Case {
        name: "trust::a_server_with_nothing_makes_the_api_server_trust_it_on_1_36",
        needs: NEW,
        run: || makes_itself_trusted(Version::V1_36),
    },
    Case {
        name: "trust::a_wiped_or_foreign_bundle_is_healed_in_two_seconds_and_what_passed_unseen_is_told",
        needs: NEW,
        run: spoilt::heals,
    },
    Case {
        name: "trust::a_bundle_that_somebody_spoils_every_second_is_healed_each_time_and_he_is_named",
        needs: NEW,
        run: spoilt::fought,
    },
    Case {
        name: "trust::a_webhook_configuration_that_is_not_as_rendered_is_told",
        needs: NEW,
        run: spoilt::changed,
    },
    Case { name: "trust::a_lost_or_damaged_secret_is_written_again_as_it_was", needs: NEW, run: restores },
    Case { name: "trust::a_new_authority_comes_into_force_and_no_review_fails", needs: NEW, run: rotates },
    Case {
        name: "trust::killed_at_any_step_it_ends_up_trusted_and_never_serves_what_is_not",
        needs: NEW,
        run: kills::all,
    },
    Case {
        name: "trust::three_replicas_that_race_make_one_authority_and_end_with_one_leaf",
        needs: NEW,
        run: replicas::race,
    },
    Case {
        name: "trust::no_review_is_lost_through_two_rotations_two_hand_overs_and_a_deleted_secret",
        needs: NEW,
        run: replicas::no_review_is_lost,
    },
    Case {
        name: "trust::no_key_token_or_object_content_is_logged_whatever_the_level",
        needs: NEW,
        run: secrets::logged_nowhere,
    },
    Case {
        name: "trust::a_stolen_authority_is_got_rid_of_as_the_page_says",
        needs: NEW,
        run: secrets::replaced,
    },
    Case {
        name: "trust::fault_63_what_another_version_stored_is_kept_and_harms_nothing",
        needs: NEW,
        run: replicas::other_version,
    },
    Case {
        name: "trust::it_serves_what_is_mounted_while_there_is_no_api_server",
        needs: NEW,
        run: starts_alone,
    },
];

pub(crate) struct Scene {
    pub(crate) plane: ControlPlane,
    api: Client,
    folder: Folder,
    /// Where the Services lead.
    port: u16,
    telemetry: u16,
}

impl Scene {
    pub(crate) fn new(version: Version) -> Self {
        Self::behind(version, free_port())
    }

    /// With Services that lead to this port.
    fn behind(version: Version, port: u16) -> Self {
        let plane = ControlPlane::start(version);
        let api = plane.client(User::Admin);
        let scene = Self { api, folder: Folder::new(), port, telemetry: free_port(), plane };
        std::fs::write(scene.folder.join("policy.yaml"), "mode: Adopt").unwrap();
        for name in ["cni-steward", "cni-steward-canary"] {
            let service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": scene.port}]},
            });
            let reply = scene.api.post("/api/v1/namespaces/kube-system/services", &service).unwrap();
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
        scene.configure();
        scene
    }

    /// As the chart has it: the entries for targets, and those for dry runs of our own.
    fn configure(&self) {
        let service = format!("--service=kube-system/cni-steward:{}", self.port);
        let version = format!("--kube-version={}", self.plane.version().minor());
        let exported = steward::run(&["export", "webhook", &service, &version]);
        let mut hooks: Value = serde_saphyr::from_str(exported.ok()).unwrap();
        let entries = hooks["webhooks"].as_array_mut().unwrap();
        entries.extend([("probe", "cni-steward"), ("canary", "cni-steward-canary")].map(|(name, service)| {
            json!({
                "name": format!("{name}.cni-steward.dev"), "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Ignore", "timeoutSeconds": 3, "reinvocationPolicy": "Never", "matchPolicy": "Exact",
                "clientConfig": {"service": {
                    "name": service, "namespace": "kube-system", "path": format!("/{name}"), "port": self.port,
                }},
                "objectSelector": {"matchLabels": {"cni-steward.dev/canary": "cni-steward"}},
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                    "operations": ["CREATE"], "scope": "Namespaced",
                }],
            })
        }));
        for entry in entries.iter_mut() {
            // A busy machine's time: an answer that came too late says nothing about trust.
            entry["timeoutSeconds"] = json!(15);
        }
        std::fs::write(self.rendered(), json!(entries).to_string()).unwrap();
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        let reply = self.api.post(path, &hooks).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
    }

    /// The file with the entries as they were rendered.
    fn rendered(&self) -> PathBuf {
        self.folder.join("webhooks.json")
    }

    pub(crate) fn start(&self, die: &str) -> Background {
        self.start_from(&self.plane.kubeconfig(User::Admin), die, &["--drain=0s", "--log-level=debug"])
    }

    /// A replica; it aborts at the point `die`, if that is one.
    fn start_from(&self, kubeconfig: &Path, die: &str, more: &[&str]) -> Background {
        let ports = Replica { reviews: self.port, telemetry: self.telemetry };
        self.replica("", ports, LIVES, kubeconfig, die, more)
    }

    /// One of several.
    fn replica(
        &self,
        identity: &str,
        ports: Replica,
        lives: &str,
        kubeconfig: &Path,
        die: &str,
        more: &[&str],
    ) -> Background {
        let mut args = vec![
            format!("CNI_STEWARD_FAULT={die}"),
            format!("CNI_STEWARD_IDENTITY={identity}"),
            steward::binary(),
            "serve".to_owned(),
            "--instance=kube-system/cni-steward".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--request-timeout=5s".to_owned(),
            format!("--lifetimes={lives}"),
            format!("--listen=127.0.0.1:{}", ports.reviews),
            format!("--telemetry=127.0.0.1:{}", ports.telemetry),
            format!("--policy={}", self.folder.join("policy.yaml").display()),
            format!("--webhooks={}", self.rendered().display()),
        ];
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        Background::start(
            Path::new("/usr/bin/env"),
            &args,
            &self.folder.join(&format!("steward{identity}.log")),
        )
    }

    /// Where reviews go.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port of the metrics.
    pub(crate) fn telemetry(&self) -> u16 {
        self.telemetry
    }

    /// The policy file that it watches.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.join("policy.yaml")
    }

    /// What the API server makes of a dry-run: the stamps of the two entries.
    pub(crate) fn stamps(&self) -> (Option<String>, Option<String>) {
        self.try_stamps().unwrap_or_else(|| self.fail("the API server did not answer a dry run"))
    }

    /// The same, of an API server that may not answer.
    pub(crate) fn try_stamps(&self) -> Option<(Option<String>, Option<String>)> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "cni-steward-canary", "labels": {"cni-steward.dev/canary": "cni-steward"}},
        });
        let reply = self.api.post(PROBE, &object).ok().filter(|reply| reply.status == 201)?.json();
        let stamp = |key: &str| reply["metadata"]["annotations"][key].as_str().map(str::to_owned);
        Some((stamp("cni-steward.dev/probe"), stamp("cni-steward.dev/canary")))
    }

    pub(crate) fn await_trust(&self, what: &str) -> String {
        self.eventually(&format!("{what}: the API server called and trusted us"), || self.stamps().0)
    }

    pub(crate) fn fail(&self, error: &str) -> ! {
        let logs = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        // Not the lines of reviews.
        let told = |path: &Path| {
            let text = tail(path, usize::MAX);
            let lines: Vec<&str> = text.lines().filter(|line| !line.contains("\"decision\"")).collect();
            format!("{}:\n{}", path.display(), lines[lines.len().saturating_sub(40)..].join("\n"))
        };
        panic!("{error}\n{}", logs.map(|path| told(&path)).collect::<Vec<_>>().join("\n"))
    }

    fn eventually<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        until(what, SLACK, look).unwrap_or_else(|error| self.fail(&error))
    }

    pub(crate) fn secret(&self) -> Option<Value> {
        let reply = self.api.get(SECRET).unwrap();
        (reply.status == 200).then(|| reply.json()["data"].clone())
    }

    pub(crate) fn bundles(&self) -> Vec<String> {
        bundles_of(&self.api.get(HOOKS).unwrap().json())
    }

    /// Of reviews of targets alone, how many the API server let pass.
    pub(crate) fn passed_uncalled(&self) -> u64 {
        let page = self.api.get("/metrics").unwrap().text();
        ["namespaced.cni-steward.dev", "cluster.cni-steward.dev"]
            .map(|name| counted(&page, "apiserver_admission_webhook_fail_open_count", name))
            .iter()
            .sum()
    }

    /// Lines that tell of an error, but for those that hold this text.
    pub(crate) fn errors_but(&self, expected: &str) -> Vec<String> {
        let log = self.log();
        let errors = log.lines().filter(|line| line.contains("\"level\":\"ERROR\""));
        errors.filter(|line| !line.contains(expected)).map(str::to_owned).collect()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("steward.log")).unwrap()
    }

    pub(crate) fn patch(&self, patch: &Value) {
        let reply = self.api.patch(SECRET, MERGE, patch).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// How many reviews the API server let pass because it could not call or trust us.
    pub(crate) fn fail_opens(&self) -> u64 {
        let page = self.api.get("/metrics").unwrap().text();
        counted(&page, "apiserver_admission_webhook_fail_open_count", "cni-steward.dev")
    }

    /// Dies as if the power were cut; nobody waits for its lease.
    fn kill(&self, mut steward: Background) {
        steward.signal("KILL");
        self.eventually("it was dead", || steward.ended());
        self.api.delete(LEASE).unwrap();
    }
}

fn bundles_of(hooks: &Value) -> Vec<String> {
    let entries = hooks["webhooks"].as_array().unwrap();
    let bundle = |entry: &Value| entry["clientConfig"]["caBundle"].as_str().unwrap_or("").to_owned();
    entries.iter().map(bundle).collect()
}

/// The sum over the lines of a metric that hold this text.
pub(crate) fn counted(page: &str, metric: &str, text: &str) -> u64 {
    let lines = page.lines().filter(|line| {
        line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(text)
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn makes_itself_trusted(version: Version) {
    let scene = Scene::new(version);
    let _steward = scene.start("");
    scene.await_trust("from nothing");
    let telemetry = Client::plain(scene.telemetry);
    scene.eventually("the self-probe said so", || {
        let page = telemetry.get("/readyz?verbose").ok()?;
        let said = page.text();
        let calls = said.contains("probe: the API server calls and trusts us");
        // What the API server adds of its own accord is no difference, on no version.
        let rendered = said.contains("webhook: the webhook configuration is as rendered");
        (page.status == 200 && calls && rendered).then_some(())
    });
    let metrics = telemetry.get("/metrics").unwrap().text();
    for line in [
        "cni_steward_probe_success{subject=\"webhook\"} 1",
        "cni_steward_probe_success{subject=\"canary\"} 1",
        "cni_steward_rotation_steps_total{step=\"promote\"} 1",
    ] {
        assert!(metrics.contains(line), "expected {line} in\n{metrics}");
    }
    let hooks = scene.api.get(HOOKS).unwrap().json();
    let managers = hooks["metadata"]["managedFields"].as_array().unwrap();
    let ours: Vec<_> = managers.iter().filter(|entry| entry["manager"] == "cni-steward-ca").collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    for (key, fields) in ours[0]["fieldsV1"]["f:webhooks"].as_object().unwrap() {
        let expected = json!({"f:clientConfig": {"f:caBundle": {}}});
        assert_eq!(fields, &expected, "of {key} we own more or less than the bundle");
    }
}

fn restores() {
    let scene = Scene::new(Version::V1_36);
    let _steward = scene.start("");
    let leaf = scene.await_trust("from nothing");
    scene.patch(&json!({"data": {"theirs": "eA=="}}));
    let whole = scene.secret().unwrap();
    for damage in [
        json!({"data": {"tls.key": "eA=="}}),
        json!({"data": {"tls.crt": null, "tls.key": null}}),
        json!({"data": {"ca.crt": "", "tls.crt": "eA=="}}),
    ] {
        scene.patch(&damage);
        scene.eventually(&format!("{damage} was undone"), || scene.secret().filter(|data| *data == whole));
        assert_eq!(scene.stamps().0.as_ref(), Some(&leaf));
    }
    let mut ours = whole.clone();
    ours.as_object_mut().unwrap().remove("theirs");
    assert_eq!(scene.api.delete(SECRET).unwrap().status, 200);
    scene.eventually("the Secret was there again", || scene.secret().filter(|data| *data == ours));
    assert_eq!(scene.stamps().0, Some(leaf));
}

fn rotates() {
    let scene = Scene::new(Version::V1_36);
    let _steward = scene.start("");
    let before = scene.await_trust("from nothing");
    let old = scene.secret().unwrap();
    let (open, mut asked) = (scene.fail_opens(), 0_u32);
    scene.patch(&json!({"data": {"ca.key": null}}));
    let begun = Instant::now();
    loop {
        let leaf = scene.stamps().0;
        let leaf = leaf.unwrap_or_else(|| scene.fail("a review was not answered by the Service's name"));
        asked += 1;
        if leaf != before {
            break;
        }
        if begun.elapsed() > SLACK {
            scene.fail("the leaf was not replaced");
        }
    }
    assert!(begun.elapsed() > Duration::from_secs(3), "in force before API servers can have heard of it");
    let new = scene.secret().unwrap();
    assert_ne!(new["ca.crt"], old["ca.crt"]);
    assert_eq!(new["old-ca.crt"], old["ca.crt"], "the old authority is still trusted");
    assert_eq!(new["next-ca.key"], Value::Null);
    assert_eq!(
        scene.fail_opens(),
        open,
        "of {asked} dry-runs through two entries each some were let pass uncalled"
    );
}

fn starts_alone() {
    let scene = Scene::new(Version::V1_36);
    let steward = scene.start("");
    let leaf = scene.await_trust("from nothing");
    let data = scene.secret().unwrap();
    let mount = scene.folder.join("mount");
    std::fs::create_dir(&mount).unwrap();
    for key in ["ca.crt", "tls.crt", "tls.key"] {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.decode(data[key].as_str().unwrap()).unwrap();
        std::fs::write(mount.join(key), text).unwrap();
    }
    scene.kill(steward);
    // An API server that is not there: nothing listens on this port.
    let config = std::fs::read_to_string(scene.plane.kubeconfig(User::Admin)).unwrap();
    let config = config.replace(&scene.plane.port().to_string(), &free_port().to_string());
    let nowhere = scene.folder.join("nowhere.kubeconfig");
    std::fs::write(&nowhere, config).unwrap();
    let secret = format!("--secret={}", mount.display());
    let telemetry = Client::plain(scene.telemetry);
    // Fault 45: half of a copy is none, and no reason to end.
    let whole = std::fs::read_to_string(mount.join("tls.key")).unwrap();
    std::fs::write(mount.join("tls.key"), &whole[..whole.len() / 2]).unwrap();
    let steward = scene.start_from(&nowhere, "", &["--drain=0s", &secret]);
    scene.eventually("it said that it had no certificate", || {
        let reply = telemetry.get("/readyz").ok()?;
        (reply.status == 503 && reply.text().contains("no certificate yet")).then_some(())
    });
    assert_eq!(telemetry.get("/livez").unwrap().status, 200);
    drop(steward);
    std::fs::write(mount.join("tls.key"), whole).unwrap();
    let _steward = scene.start_from(&nowhere, "", &["--drain=0s", &secret]);
    assert_eq!(scene.await_trust("from the mounted copy"), leaf);
    assert_eq!(telemetry.get("/readyz").unwrap().status, 200);
}
