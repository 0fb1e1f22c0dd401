//! Fault 41: the program ends as by `kill -9` at every point that `faults::POINTS` knows around a write of the Secret or of the
//! bundles. Whoever comes next brings it to its end, and no leaf is served meanwhile that the bundles do not cover.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cni_steward::faults::POINTS;
use cni_steward::pki::keeping::{KEYS, Texts};
use cni_steward::pki::{Bundle, Keeping};
use serde_json::json;

use super::watcher::{self, Watcher};
use super::{LEASE, LIVES, Scene};
use crate::support::balancer::Replica;
use crate::support::control_plane::{User, Version};
use crate::support::watchdog::Background;

/// A leaf of [`LIVES`] is too near its end for this.
const LONGER_LEAVES: &str = "2400h,2000h,3s";
const FROM_NOTHING: [&str; 3] = ["new_authority", "trust", "promote"];

pub(super) fn all() {
    let scene = Scene::new(Version::V1_36);
    let watcher = Watcher::start(&scene, scene.port);
    for step in FROM_NOTHING {
        for point in points().filter(|point| step_of(point) == step) {
            dies(&scene, scene.start(point), point);
        }
    }
    ends_in_order(&scene, "from nothing");
    for point in points() {
        let died = dies_in(&scene, &watcher, point);
        dies(&scene, died, point);
        ends_in_order(&scene, point);
        watcher.excuse(false);
    }
    let seen = watcher.end();
    assert!(seen > 200, "expected to see what is served more often than {seen} times");
}

fn points() -> impl Iterator<Item = &'static str> {
    POINTS.into_iter().filter(|point| !point.starts_with("repair-"))
}

fn step_of(point: &str) -> &str {
    point.split_once('-').unwrap().1
}

/// Brings about what the step is for, to a replica that ends there.
fn dies_in(scene: &Scene, watcher: &Watcher, point: &str) -> Background {
    match step_of(point) {
        "new_authority" | "promote" => {
            scene.patch(&json!({"data": {"ca.key": null}}));
            scene.start(point)
        }
        "new_leaf" => {
            let ports = Replica { reviews: scene.port, telemetry: scene.telemetry };
            scene.replica(
                "",
                ports,
                LONGER_LEAVES,
                &scene.plane.kubeconfig(User::Admin),
                point,
                &["--drain=0s"],
            )
        }
        "trust" => {
            watcher.excuse(true);
            scene.wipe();
            scene.start(point)
        }
        "remember" => {
            scene.patch(&json!({"data": {"old-ca.crt": "eA=="}}));
            scene.start(point)
        }
        "restore" => {
            // Only who has seen it whole can write it again.
            let steward = scene.start(point);
            scene.await_trust("before the damage");
            scene.patch(&json!({"data": {"tls.crt": null}}));
            steward
        }
        step => panic!("no way is known to bring about {step}: a new step needs one here"),
    }
}

fn dies(scene: &Scene, mut steward: Background, point: &str) {
    let ended = scene.eventually(&format!("it died at {point}"), || steward.ended());
    assert_eq!(ended.code(), None, "expected a signal to end it at {point}: {ended}");
    // Nobody waits for its lease.
    scene.api.delete(LEASE).unwrap();
}

/// The next one comes to its end: the API server trusts what is served, the Secret is whole, nothing is left over.
fn ends_in_order(scene: &Scene, after: &str) {
    let steward = scene.start("");
    scene.await_trust(after);
    scene.eventually(&format!("{after}: all was in order, with lives {LIVES}"), || {
        let data = scene.secret()?;
        let text = |key: &str| {
            let bytes = STANDARD.decode(data[key].as_str()?).unwrap();
            Some((key.to_owned(), String::from_utf8(bytes).unwrap()))
        };
        let texts: Texts = KEYS.into_iter().filter_map(text).collect();
        let keeping = Keeping::read(&texts, &[watcher::NAME.parse().unwrap()]);
        let coming = keeping.next_leaf.is_some() || keeping.next_authority.is_some();
        let whole = keeping.flaws.is_empty() && !coming && keeping.authority.as_ref()?.key.is_some();
        let served =
            watcher::leaf(scene.port)?.fingerprint() == keeping.leaf.as_ref()?.certificate.fingerprint();
        let told = scene.bundles().iter().all(|encoded| {
            let bundle = Bundle::read(&String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap());
            keeping.authorities().all(|authority| bundle.holds(authority.fingerprint()))
        });
        (whole && served && told).then_some(())
    });
    scene.kill(steward);
}
