//! Files that are exchanged while we serve, as the kubelet does it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cni_steward::pki::{self, Pair};
use cni_steward::telemetry::clock;
use jiff::{Timestamp, ToSpan as _};
use tempfile::TempDir;

use crate::client::{Client, post, trusting};
use crate::program::{Program, arg, serve, until};

/// A review of a target that every mode answers.
const REVIEW: &str = include_str!("../../examples/review.json");

/// A volume as the kubelet mounts it: `tls.crt` → `..data/tls.crt`, `..data` → a folder that is exchanged whole.
struct Volume {
    folder: TempDir,
    generation: u32,
}

impl Volume {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut volume = Self { folder: tempfile::tempdir().unwrap(), generation: 0 };
        volume.exchange(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), volume.path(name)).unwrap();
        }
        volume
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn exchange(&mut self, files: &[(&str, &str)]) {
        self.generation += 1;
        let fresh = format!("..{}", self.generation);
        fs::create_dir(self.path(&fresh)).unwrap();
        for (name, text) in files {
            fs::write(self.path(&fresh).join(name), text).unwrap();
        }
        symlink(&fresh, self.path("..data_tmp")).unwrap();
        let old = fs::read_link(self.path("..data")).ok();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        if let Some(old) = old {
            fs::remove_dir_all(self.folder.path().join(old)).unwrap();
        }
    }
}

fn ago(hours: i64) -> Timestamp {
    clock::now().checked_sub(hours.hours()).unwrap()
}

fn leaf(ca: &Pair, from: Timestamp) -> Pair {
    pki::leaf::make(from, ca, &["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()]).unwrap()
}

fn files<'a>(ca: &'a Pair, leaf: &'a Pair) -> [(&'static str, &'a str); 3] {
    [("ca.crt", &ca.cert), ("tls.crt", &leaf.cert), ("tls.key", &leaf.key)]
}

struct Scene {
    ca: Pair,
    secret: Volume,
    policy: Volume,
    program: Program,
}

fn scene(policy: &str) -> Scene {
    cni_steward::server::tls::install_provider();
    let ca = pki::authority::make(clock::now()).unwrap();
    let first = leaf(&ca, clock::now());
    let secret = Volume::new(&files(&ca, &first));
    let policy = Volume::new(&[("policy.yaml", policy)]);
    let (cert, key, authority) = (secret.path("tls.crt"), secret.path("tls.key"), secret.path("ca.crt"));
    let program = serve(&[
        "--cert",
        arg(&cert),
        "--key",
        arg(&key),
        "--ca",
        arg(&authority),
        "--policy",
        arg(&policy.path("policy.yaml")),
    ]);
    Scene { ca, secret, policy, program }
}

impl Scene {
    async fn connect(&self) -> Client {
        Client::connect(self.program.reviews, trusting(&self.ca.cert), "localhost").await.unwrap()
    }

    /// The certificate that a new connection is shown.
    async fn served(&self) -> Vec<u8> {
        let client = self.connect().await;
        client.stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let mut client = self.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let reply = client.reply().await.unwrap();
        (reply.status, reply.body)
    }

    fn says(&self, text: &str) -> bool {
        self.program.said().contains(text)
    }
}

fn der(pair: &Pair) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap().to_vec()
}

/// Faults 45, 46, 56: three exchanges of each volume under load. No review is lost or late, a connection that was there
/// before lives on, and what is new counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_exchange_of_a_mounted_volume_is_taken_and_no_review_is_lost() {
    let mut scene = scene("mode: Observe");
    let mut old = scene.connect().await;
    let (answered, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (address, ca) = (scene.program.reviews, scene.ca.cert.clone());
            let (answered, over) = (Arc::clone(&answered), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let mut client = Client::connect(address, trusting(&ca), "localhost").await.unwrap();
                    for _ in 0..10 {
                        client.send(post(REVIEW)).await;
                        assert_eq!(client.reply().await.unwrap().status, 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                    }
                }
            })
        })
        .collect();
    for mode in ["Adopt", "Block", "Observe"] {
        let next = leaf(&scene.ca, clock::now());
        scene.secret.exchange(&files(&scene.ca, &next));
        let policy = format!("mode: {mode}\n");
        scene.policy.exchange(&[("policy.yaml", &policy)]);
        let line = format!("policy: mode {mode}, hash ");
        let before = answered.load(Ordering::Relaxed);
        until(|| {
            let taken = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    (scene.served().await == der(&next))
                        && scene.get("/readyz?verbose").await.1.contains(&line)
                })
            });
            taken && answered.load(Ordering::Relaxed) > before
        });
        old.send(post(REVIEW)).await;
        let reply = old.reply().await.unwrap();
        assert!(reply.body.contains("\"allowed\":false") == (mode == "Block"), "{mode}: {}", reply.body);
    }
    over.store(true, Ordering::Relaxed);
    for client in asking {
        client.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 100);
}

/// Faults 37 to 39, 56: what cannot be used is refused by name, loudly, and the last good one stays.
#[tokio::test]
async fn a_bad_pair_or_policy_is_refused_loudly_and_the_last_good_one_stays() {
    let mut scene = scene("mode: Adopt");
    let good = scene.served().await;
    let (_, standing) = scene.get("/readyz?verbose").await;
    let hash = standing.split("hash ").nth(1).unwrap().lines().next().unwrap().to_owned();

    let other = pki::authority::make(clock::now()).unwrap();
    let (mine, theirs) = (leaf(&scene.ca, clock::now()), leaf(&other, clock::now()));
    let expired = leaf(&scene.ca, ago(24 * 400));
    let future = leaf(&scene.ca, clock::now().checked_add(48.hours()).unwrap());
    let soon = leaf(&scene.ca, clock::now().checked_add(62.minutes()).unwrap());
    let mixed = Pair { cert: mine.cert.clone(), key: theirs.key.clone() };
    let (cert, key) = (scene.secret.path("tls.crt"), scene.secret.path("tls.key"));
    for (pair, expected) in [
        (&mixed, format!("{}: is not the private key of {}", key.display(), cert.display())),
        (&expired, format!("{}: it expired on ", cert.display())),
        (&future, format!("{}: it is valid only from ", cert.display())),
        (&soon, "the new certificate is valid only from ".to_owned()),
        (&theirs, format!("{}: it does not lead to ", cert.display())),
        (
            &Pair { cert: String::new(), key: String::new() },
            format!("{}: no certificate in PEM form", cert.display()),
        ),
    ] {
        scene.secret.exchange(&files(&scene.ca, pair));
        until(|| scene.says(&expected));
        assert!(scene.served().await == good, "{expected}: another certificate is served");
    }
    let policy = scene.policy.path("policy.yaml");
    let huge = format!("mode: Adopt\nabsorb: [{}]\n", "eks, ".repeat(200_000));
    for (text, expected) in [
        ("mode: Blok\n", ":1:7: `Blok` is not a value of this key; allowed: Observe, Adopt, Block"),
        ("", ": the file is empty"),
        (huge.as_str(), ": the file is larger than 262144 bytes"),
    ] {
        scene.policy.exchange(&[("policy.yaml", text)]);
        until(|| scene.says(&format!("{}{expected}", policy.display())));
    }
    let (status, standing) = scene.get("/readyz?verbose").await;
    assert_eq!(status, 200, "{standing}");
    assert!(
        standing.contains(&format!("policy: mode Adopt, hash {hash}; the newest file was refused")),
        "{standing}"
    );
    assert!(
        standing.contains("certificate: expires ") && standing.matches("refused").count() == 2,
        "{standing}"
    );
    let page = scene.program.page("/metrics");
    for line in [
        r#"cni_steward_reload_successful{part="policy"} 0"#.to_owned(),
        r#"cni_steward_reload_successful{part="certificate"} 0"#.to_owned(),
        r#"cni_steward_reloads_total{part="policy",outcome="refused"} 3"#.to_owned(),
        r#"cni_steward_reloads_total{part="certificate",outcome="refused"} 6"#.to_owned(),
        format!(r#"cni_steward_policy_info{{hash="{hash}",mode="Adopt"}} 1"#),
    ] {
        assert!(page.lines().any(|found| found == line), "no {line} in {page}");
    }

    scene.secret.exchange(&files(&scene.ca, &mine));
    scene.policy.exchange(&[("policy.yaml", "mode: Block")]);
    until(|| scene.says("serving a new certificate") && scene.says("a new policy is in force"));
    assert!(scene.served().await == der(&mine));
    let (_, standing) = scene.get("/readyz?verbose").await;
    assert!(standing.contains("policy: mode Block") && !standing.contains("refused"), "{standing}");
}

/// Fault 45: files that are written in place, one after the other.
#[tokio::test]
async fn files_written_in_place_are_taken_too() {
    let scene = scene("mode: Observe");
    let next = leaf(&scene.ca, clock::now());
    fs::write(scene.secret.path("tls.crt"), &next.cert).unwrap();
    fs::write(scene.secret.path("tls.key"), &next.key).unwrap();
    until(|| scene.says("serving a new certificate"));
    assert!(scene.served().await == der(&next));
}
