//! The plan, case by case; `tests/year.rs` plays them all together.

mod scene;

use jiff::ToSpan as _;
use scene::{Scene, names};

use super::carry_out::{Materials, apply};
use super::*;
use crate::pki::{Replica, authority, leaf};

const LIVES: Lifetimes = Lifetimes { authority: days(300), leaf: days(30), settle: Duration::from_mins(2) };

#[test]
fn tests_can_end_the_program_around_each_step() {
    for step in Step::NAMES {
        for point in [format!("before-{step}"), format!("after-{step}")] {
            assert!(crate::faults::POINTS.contains(&&*point), "{point}");
        }
    }
}

#[test]
fn from_nothing_the_authority_is_told_before_its_leaf_is_in_force() {
    let mut scene = Scene::new();
    assert_eq!(scene.work(Canary::Silent), ["new_authority", "trust"]);
    assert!(scene.replica.served().is_none());
    scene.pass(2);
    assert_eq!(scene.work(Canary::Silent), ["promote"]);
    assert!(scene.replica.served().is_some());
}

#[test]
fn a_renewed_leaf_waits_for_the_canary() {
    let mut scene = Scene::settled();
    scene.pass(21 * 86_400);
    assert_eq!(scene.work(Canary::Silent), ["new_leaf"]);
    assert_eq!(scene.plan(Canary::Silent).waiting, Some(Waiting::Canary));
    let Canary::Trusted(leaf, _) = scene.trusted() else { panic!() };
    let late = Canary::Trusted(leaf, Duration::from_mins(1));
    assert_eq!(scene.plan(late).waiting, Some(Waiting::Canary), "an answer of long ago");
    assert_eq!(scene.work(scene.trusted()), ["promote"]);
}

#[test]
fn a_leaf_is_urgent_in_the_last_tenth_of_its_life_and_before_it_is_valid() {
    let scene = Scene::settled();
    let certificate = &scene.replica.served().unwrap().certificate;
    let (begin, end) = (certificate.not_before, certificate.not_after);
    let tenth = end.checked_sub(LIVES.leaf / 10).unwrap();
    let instant = 1.nanosecond();
    for (now, urgent) in [
        (begin.checked_sub(instant).unwrap(), true),
        (begin, false),
        (tenth, false),
        (tenth.checked_add(instant).unwrap(), true),
    ] {
        let leaf = scene.replica.served();
        assert_eq!(is_urgent(&LIVES, leaf, now), urgent, "at {now}");
    }
    assert!(is_urgent(&LIVES, None, scene.now), "none at all");
}

/// Fault 44: API servers hear late.
#[test]
fn a_new_authority_waits_for_the_settling_time_however_often_the_canary_answers() {
    let mut scene = Scene::settled();
    let before = scene.replica.served().unwrap().certificate.fingerprint();
    scene.texts.remove("ca.key");
    scene.see();
    assert_eq!(scene.work(Canary::Silent), ["new_authority", "trust"]);
    scene.pass(119);
    assert_eq!(scene.plan(scene.trusted()).waiting, Some(Waiting::Settling));
    scene.pass(1);
    assert_eq!(scene.work(scene.trusted()), ["promote"]);
    assert_ne!(scene.replica.served().unwrap().certificate.fingerprint(), before);
    assert_eq!(scene.replica.keeping().old.len(), 1, "the old authority is still told");
}

/// Fault 39.
#[test]
fn a_clock_that_is_wrong_makes_nothing() {
    let scene = Scene::settled();
    let ahead = scene.now.checked_add((24 * 400).hours()).unwrap();
    for (now, own) in [(ahead, scene.now), (scene.now, ahead)] {
        let plan = scene.replica.plan(now, own, scene.at, Canary::Silent);
        assert!(plan.secret.is_none() && plan.trust.is_none(), "{plan:?}");
    }
}

/// Fault 39: a leaf that was made before the clocks went apart waits for them, whatever the canary says, but not past its time.
#[test]
fn a_coming_leaf_waits_for_clocks_that_agree_until_it_is_urgent() {
    let mut scene = Scene::settled();
    scene.pass(21 * 86_400);
    assert_eq!(scene.work(Canary::Silent), ["new_leaf"]);
    let plan = |now: Timestamp| {
        let own = now.checked_add(16.minutes()).unwrap();
        scene.replica.plan(now, own, scene.at, scene.trusted())
    };
    let early = plan(scene.now);
    assert_eq!((early.secret, early.waiting), (None, Some(Waiting::Clocks)));
    let end = scene.replica.served().unwrap().certificate.not_after;
    let late = plan(end.checked_sub(1.hours()).unwrap());
    assert!(matches!(late.secret, Some(Step::Promote { .. })), "{late:?}");
}

/// The list of replaced authorities holds what entries tell and is in force, to the instant.
#[test]
fn an_authority_that_ends_is_not_remembered_again() {
    let scene = Scene::settled();
    let theirs = crate::pki::authority::make(scene.now).unwrap();
    let entries = [Bundle::read(&theirs.cert)];
    let end = entries[0].authorities()[0].not_after;
    let instant = 1.nanosecond();
    for (now, forgetful) in [(end.checked_sub(instant).unwrap(), true), (end, false)] {
        assert_eq!(due::forgetful(scene.replica.keeping(), &entries, now), forgetful, "at {now}");
    }
}

/// Fault 42 and 43.
#[test]
fn a_wiped_foreign_or_new_bundle_is_made_whole_and_authorities_of_ours_in_it_are_kept() {
    let mut scene = Scene::settled();
    scene.entries[0] = Bundle::default();
    scene.generation += 1;
    scene.see();
    assert_eq!(scene.work(Canary::Silent), ["trust"]);
    let other = crate::pki::authority::make(scene.now).unwrap();
    let ours = scene.entries[1].pem();
    scene.entries[1] = Bundle::read(&format!("{ours}{}", other.cert));
    scene.generation += 1;
    scene.see();
    assert_eq!(scene.work(Canary::Silent), ["trust", "remember"]);
    assert_eq!(scene.entries[0].authorities().len(), 2);
}

/// Fault 37.
#[test]
fn a_secret_that_is_lost_or_half_is_written_again_and_never_served() {
    for key in ["tls.crt", "tls.key", "ca.crt"] {
        let mut scene = Scene::settled();
        let (served, whole) = (scene.replica.served().unwrap().pair.clone(), scene.texts.clone());
        scene.texts.insert(key.into(), "-----BEGIN".into());
        scene.see();
        assert_eq!(scene.replica.served().unwrap().pair, served);
        assert_eq!(scene.work(Canary::Silent), ["restore"], "{key}");
        assert_eq!(scene.texts, whole);
        scene.texts.clear();
        scene.see();
        assert_eq!(scene.work(Canary::Silent), ["restore"]);
        assert_eq!(scene.texts, whole);
    }
}

/// Law 9, whoever wrote the Secret.
#[test]
fn no_leaf_is_served_that_was_not_seen_covered_for_long_enough() {
    let mut scene = Scene::settled();
    let elsewhere = Scene::settled();
    let served = scene.replica.served().unwrap().pair.clone();
    scene.texts = elsewhere.texts.clone();
    scene.see();
    assert_eq!(scene.replica.served().unwrap().pair, served, "another cluster's Secret");
    scene.work(Canary::Silent);
    scene.pass(119);
    assert_eq!(scene.replica.served().unwrap().pair, served);
    scene.pass(1);
    assert_ne!(scene.replica.served().unwrap().pair, served);
}

#[test]
fn what_is_not_ours_is_no_authority() {
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let pair = crate::pki::Pair { cert: ca.pem(), key: key.serialize_pem() };
    let leaf = crate::pki::leaf::make(now, &pair, &names()).unwrap();
    let texts = [("ca.crt", pair.cert), ("tls.crt", leaf.cert), ("tls.key", leaf.key)];
    let texts = texts.into_iter().map(|(key, text)| (key.to_owned(), text)).collect();
    let keeping = Keeping::read(&texts, &names());
    assert!(keeping.leaf.is_none() && keeping.authority.is_none());
    assert_eq!(keeping.flaws[0].to_string().split(':').next(), Some("ca.crt"));
}

#[test]
fn a_coming_authority_that_is_never_trusted_does_not_cost_the_leaf() {
    let mut scene = Scene::settled();
    scene.now = scene.now.checked_add((24 * 201).hours()).unwrap();
    // The bundle cannot be written; the leaf is renewed under the authority that is trusted.
    let (mut served, mut steps) = (Vec::new(), 0);
    while steps < 40 {
        let plan = scene.plan(Canary::Silent);
        let Some(step) = plan.secret else { break };
        let materials = Materials {
            lives: &LIVES,
            memory: scene.replica.memory(),
            entries: scene.replica.entries(),
            names: &names(),
            now: scene.now,
            own: scene.now,
        };
        let changes = carry_out(&step, scene.replica.keeping(), &materials).unwrap();
        scene.texts = apply(&scene.texts, &changes);
        scene.pass(700);
        served.push(step.name());
        steps += 1;
    }
    assert!(served.contains(&"promote"), "{served:?}");
    let leaf = scene.replica.served().unwrap();
    assert!(leaf.certificate.not_after > scene.now, "{served:?}");
}

/// While the bundle may not be written and the authority in force is near its end.
#[test]
fn a_leaf_that_could_live_no_longer_is_not_made_again() {
    let mut scene = Scene::new();
    let ca = authority::make_for(scene.now, days(2)).unwrap();
    let leaf = leaf::make_for(scene.now, &ca, &names(), LIVES.leaf).unwrap();
    scene.entries = vec![Bundle::read(&ca.cert); 2];
    let texts = [("ca.crt", ca.cert), ("ca.key", ca.key), ("tls.crt", leaf.cert), ("tls.key", leaf.key)];
    scene.texts.extend(texts.map(|(key, text)| (key.to_owned(), text)));
    scene.see();
    let step = scene.plan(Canary::Silent).secret.unwrap();
    assert_eq!(step.name(), "new_authority");
    let changes = scene.replica.carry_out(&step, scene.now, scene.now, &names()).unwrap();
    scene.texts = apply(&scene.texts, &changes);
    scene.pass(5);
    let plan = scene.plan(Canary::Silent);
    assert!(plan.trust.is_some(), "the coming authority has to be told");
    assert_eq!((plan.secret, plan.waiting), (None, Some(Waiting::Bundle)));
}

#[test]
fn what_is_in_the_list_of_replaced_authorities_and_not_ours_is_told() {
    let mut scene = Scene::settled();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let foreign = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    scene.texts.insert("old-ca.crt".to_owned(), foreign);
    scene.see();
    let flaws = &scene.replica.keeping().flaws;
    assert_eq!(flaws.len(), 1, "{flaws:?}");
    assert_eq!((flaws[0].key, &flaws[0].why), ("old-ca.crt", &crate::pki::Why::Foreign));
    assert!(scene.replica.keeping().old.is_empty());
    assert_eq!(scene.work(Canary::Silent), ["remember"], "it is written anew without it");
}

#[test]
fn a_secret_with_an_authority_alone_gets_a_leaf_under_it() {
    let mut scene = Scene::settled();
    let before = scene.texts.clone();
    scene.texts.remove("tls.crt");
    scene.texts.remove("tls.key");
    // Nobody remembers the leaf: a replica that has just begun.
    scene.replica = Replica::new(LIVES, None);
    scene.see();
    assert!(matches!(scene.plan(Canary::Silent).secret, Some(Step::NewLeaf(..))));
    scene.work(Canary::Silent);
    scene.pass(200);
    scene.work(Canary::Silent);
    assert_eq!(scene.texts.get("ca.crt"), before.get("ca.crt"), "no new authority");
    assert!(scene.texts.contains_key("tls.crt"));
    let lives = Lifetimes::default();
    assert!(lives.leaf < lives.authority && lives.settle == Duration::from_mins(2));
}
