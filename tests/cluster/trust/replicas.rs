//! Several replicas behind one Service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use super::watcher::{self, Watcher};
use super::{LEASE, LIVES, SECRET, Scene, counted};
use crate::support::balancer::{Balancer, Replica};
use crate::support::control_plane::{User, Version};
use crate::support::http::Client;
use crate::support::load::Load;
use crate::support::watchdog::Background;
use crate::support::{fixtures, free_port};

/// Reviews a second; the issue asks for 200.
const RATE: u64 = 240;
/// The number, by `make rotations`.
const FULL: u64 = 10_000;
const SMALL: u64 = 2000;
/// Leads in this order; to the second the first one's leaf is too near its end.
const LONGER_LEAVES: &str = "2400h,2000h,3s";

fn ports() -> Replica {
    Replica { reviews: free_port(), telemetry: free_port() }
}

impl Scene {
    fn start_one(&self, identity: &str, ports: Replica, lives: &str) -> Background {
        let admin = self.plane.kubeconfig(User::Admin);
        self.replica(identity, ports, lives, &admin, "", &["--drain=2s"])
    }

    fn holder(&self) -> Option<String> {
        self.api.get(LEASE).ok()?.json()["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }

    fn await_holder(&self, name: &str) {
        self.eventually(&format!("{name} led"), || (self.holder().as_deref() == Some(name)).then_some(()));
    }

    /// Waits until another leaf than this is in force and nothing is coming.
    fn await_other_leaf(&self, before: &str) -> String {
        self.eventually("another leaf was in force", || {
            let leaf = self.stamps().0.filter(|leaf| leaf != before)?;
            let data = self.secret()?;
            (data["next-tls.crt"].is_null()).then_some(leaf)
        })
    }
}

fn steps(ports: Replica, step: &str) -> u64 {
    let page = Client::plain(ports.telemetry).get("/metrics").unwrap().text();
    counted(&page, "cni_steward_rotation_steps_total", &format!("step=\"{step}\""))
}

/// Fault 40: three begin at once with nothing, and again race while somebody writes the Secret without end.
pub(super) fn race() {
    let all = [ports(), ports(), ports()];
    let balancer = Balancer::start(all.to_vec());
    let scene = Scene::behind(Version::V1_36, balancer.port());
    let names = ["a", "b", "c"];
    let _replicas: Vec<_> =
        names.iter().zip(all).map(|(name, ports)| scene.start_one(name, ports, LIVES)).collect();
    let one_leaf = |what: &str| {
        scene.eventually(&format!("{what}: all three served the Secret's one leaf"), || {
            let leaves: Option<Vec<_>> =
                all.iter().map(|ports| Some(watcher::leaf(ports.reviews)?.fingerprint())).collect();
            let leaves = leaves?;
            leaves.iter().all(|leaf| *leaf == leaves[0]).then(|| leaves[0].to_string())
        })
    };
    let first = one_leaf("from nothing");
    let made = || all.iter().map(|ports| steps(*ports, "new_authority")).sum::<u64>();
    assert_eq!(made(), 1, "expected one authority, whoever made it");

    let stop = Arc::new(AtomicBool::new(false));
    let (stops, api) = (Arc::clone(&stop), scene.plane.client(User::Admin));
    let storm = std::thread::spawn(move || {
        let mut turn = 0_u64;
        while !stops.load(Ordering::Relaxed) {
            turn += 1;
            let label = json!({"metadata": {"labels": {"turn": turn.to_string()}}});
            api.patch(SECRET, super::MERGE, &label).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    scene.patch(&json!({"data": {"ca.key": null}}));
    scene.await_other_leaf(&first);
    stop.store(true, Ordering::Relaxed);
    storm.join().unwrap();
    assert_ne!(one_leaf("after the race"), first);
    assert_eq!(made(), 2, "expected one authority more");
}

/// Faults 37, 41, 46: an authority and a leaf rotate, the lease goes from one to the other and back, the Secret is deleted. A connection
/// from before both rotations is still answered after them.
pub(super) fn no_review_is_lost() {
    let wanted = Load::wanted(SMALL);
    let [first, second] = [ports(), ports()];
    let balancer = Balancer::start(vec![first, second]);
    let scene = Scene::behind(Version::V1_36, balancer.port());
    scene.plane.eks_apply(fixtures::EKS_APPLY).ok();
    let one = scene.start_one("one", first, LIVES);
    let leaf = scene.await_trust("from nothing");
    let two = scene.start_one("two", second, LONGER_LEAVES);
    scene.eventually("both were ready", || (balancer.ready() == 2).then_some(()));
    scene.await_holder("one");

    let watcher = Watcher::start(&scene, balancer.port());
    let mut old = Connection::open(&scene, second.reviews);
    let (open, answered) = (scene.fail_opens(), answered(&scene));
    let load = Load::start(&scene.plane, RATE);
    let share = |number: u64| load.await_sent(wanted * number / 5);
    share(1);

    scene.patch(&json!({"data": {"ca.key": null}}));
    let leaf = scene.await_other_leaf(&leaf);
    share(2);

    one.signal("TERM");
    scene.await_holder("two");
    let leaf = scene.await_other_leaf(&leaf);
    assert_eq!(steps(second, "new_leaf"), 1, "expected the leaf alone to rotate");
    assert_eq!(old.ask(), 200, "a connection from before two rotations");
    share(3);

    assert_eq!(scene.api.delete(SECRET).unwrap().status, 200);
    scene.eventually("the Secret was there again", || scene.secret().map(drop));
    share(4);

    drop(one);
    let _one = scene.start_one("one", first, LONGER_LEAVES);
    scene.eventually("both were ready again", || (balancer.ready() == 2).then_some(()));
    two.signal("TERM");
    scene.await_holder("one");
    assert_eq!(scene.stamps().0, Some(leaf), "a hand-over changes no leaf");
    share(5);

    let seen = load.stop();
    let rate = seen.rate();
    println!(
        "{} writes, {rate:.0} a second, {} failed; {} leaves looked at",
        seen.answered,
        seen.failed.len(),
        watcher.end()
    );
    assert!(seen.failed.is_empty(), "expected no write to fail: {:?}", seen.failed);
    assert_eq!(scene.fail_opens(), open, "expected no review to fail open, of {} writes", seen.answered);
    let answered = self::answered(&scene) - answered;
    assert!(answered >= seen.answered, "{answered} reviews for {} writes", seen.answered);
    if wanted >= FULL {
        assert!(rate >= 200.0, "expected 200 reviews a second, got {rate:.0}");
    }
}

/// Keys of a Secret, and marks on Secret and Lease, that this version knows nothing of: as a newer one may leave them.
pub(super) fn other_version() {
    let scene = Scene::new(Version::V1_36);
    let steward = scene.start("");
    let leaf = scene.await_trust("from nothing");
    scene.kill(steward);
    let marks =
        json!({"labels": {"cni-steward.dev/format": "2"}, "annotations": {"cni-steward.dev/next": "x"}});
    scene.patch(&json!({"data": {"state.json": "e30="}, "metadata": marks}));
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {},
        "metadata": {"name": "cni-steward", "labels": marks["labels"], "annotations": marks["annotations"]},
    });
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    assert_eq!(scene.api.post(leases, &lease).unwrap().status, 201);

    let _steward = scene.start("");
    assert_eq!(scene.await_trust("from what is stored"), leaf, "what the other made is served");
    scene.patch(&json!({"data": {"ca.key": null}}));
    scene.await_other_leaf(&leaf);
    assert_eq!(scene.secret().unwrap()["state.json"], "e30=");
    for path in [SECRET, LEASE] {
        let stored = scene.api.get(path).unwrap().json();
        for kind in ["labels", "annotations"] {
            for (key, value) in marks[kind].as_object().unwrap() {
                assert_eq!(&stored["metadata"][kind][key], value, "{path} {key}");
            }
        }
    }
}

/// Reviews of targets that the API server got an answer to.
fn answered(scene: &Scene) -> u64 {
    let page = scene.api.get("/metrics").unwrap().text();
    let lines: Vec<&str> = page.lines().filter(|line| line.contains("code=\"200\"")).collect();
    ["namespaced.cni-steward.dev", "cluster.cni-steward.dev"]
        .iter()
        .map(|name| counted(&lines.join("\n"), "apiserver_admission_webhook_request_total", name))
        .sum()
}

/// One that stays open, of a client that trusts what the bundles told when it was opened.
struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    fn open(scene: &Scene, port: u16) -> Self {
        use base64::Engine as _;
        use rustls::pki_types::pem::PemObject as _;
        let pem = base64::engine::general_purpose::STANDARD.decode(&scene.bundles()[0]).unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from(watcher::NAME).unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut opened = Self(StreamOwned::new(tls, stream));
        assert_eq!(opened.ask(), 200);
        opened
    }

    /// The status of one more answer.
    fn ask(&mut self) -> u16 {
        self.0.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            let mut piece = [0; 1024];
            let read = self.0.read(&mut piece).unwrap();
            assert!(read > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
            answer.extend(&piece[..read]);
        }
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
    }
}
