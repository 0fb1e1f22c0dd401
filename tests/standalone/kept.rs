//! What is kept, renewed and shared.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cni_steward::pki::{Certificate, Name};
use cni_steward::telemetry::clock;
use cni_steward::trust::{Source, State};

use crate::place::{in_days, mode, place};
use crate::program::{arg, refused, serve};

#[test]
fn the_files_are_there_and_the_private_ones_private() {
    let place = place();
    assert_eq!(mode(&place.state.directory), 0o700);
    for (name, expected) in [("ca.crt", 0o644), ("tls.crt", 0o644), ("ca.key", 0o600), ("tls.key", 0o600)] {
        assert_eq!(mode(&place.path(name)), expected, "{name}");
    }
    let names: Vec<_> =
        place.all().into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["ca.crt", "ca.key", "lock", "tls.crt", "tls.key"]);
}

#[test]
fn a_restart_keeps_everything() {
    let place = place();
    let before = place.all();
    assert_eq!(place.load(in_days(200)).unwrap(), [""; 0]);
    assert_eq!(place.all(), before);
}

/// Fault 38.
#[test]
fn near_its_end_the_leaf_is_renewed_under_the_same_authority() {
    let place = place();
    let (ca, old) = (place.read("ca.crt"), place.read("tls.crt"));
    let notes = place.load(in_days(300)).unwrap();
    assert!(notes[0].contains("under the same authority"), "{notes:?}");
    assert_eq!(place.read("ca.crt"), ca);
    assert_ne!(place.read("tls.crt"), old);
    let leaf = Certificate::read(&place.read("tls.crt")).unwrap();
    leaf.signed_by(&Certificate::read(&ca).unwrap()).unwrap();
    leaf.belongs_to(&place.read("tls.key")).unwrap();
    assert_eq!(mode(&place.path("tls.key")), 0o600);
}

/// Fault 38.
#[test]
fn an_expired_authority_is_replaced_and_said_to_need_registration() {
    let place = place();
    let ca = place.read("ca.crt");
    let notes = place.load(in_days(3660)).unwrap();
    assert!(notes[0].contains("has to be registered"), "{notes:?}");
    assert_ne!(place.read("ca.crt"), ca);
}

#[test]
fn both_files_of_the_leaf_missing_ask_for_a_new_one() {
    let place = place();
    let ca = place.read("ca.crt");
    fs::remove_file(place.path("tls.crt")).unwrap();
    fs::remove_file(place.path("tls.key")).unwrap();
    place.load(clock::now()).unwrap();
    assert_eq!(place.read("ca.crt"), ca);
}

#[test]
fn a_key_that_others_can_read_is_put_right_and_said() {
    let place = place();
    fs::set_permissions(place.path("tls.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let notes = place.load(clock::now()).unwrap();
    assert!(notes[0].contains("tls.key could be read by others"), "{notes:?}");
    assert_eq!(mode(&place.path("tls.key")), 0o600);
}

/// Fault 40, in files: many start at once on an empty directory.
#[test]
fn who_starts_at_once_shares_one_authority() {
    let temporary = tempfile::tempdir().unwrap();
    let state = State { directory: temporary.path().join("s"), names: vec!["localhost".parse().unwrap()] };
    let leaves: Vec<_> = std::thread::scope(|scope| {
        let load = || Source::State(state.clone()).load(clock::now()).unwrap().certified.cert;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(leaves.iter().all(|leaf| *leaf == leaves[0]));
}

#[test]
fn further_names_are_in_the_certificate_and_a_restart_without_them_keeps_it() {
    let temporary = tempfile::tempdir().unwrap();
    let state = temporary.path().join("s");
    let standalone = ["--standalone", "--state", arg(&state)];
    drop(serve(&standalone));
    let ca = fs::read(state.join("ca.crt")).unwrap();
    drop(serve(&[&standalone[..], &["--san", "host.minikube.internal", "--san", "192.168.49.1"]].concat()));
    let names =
        || Certificate::read(&fs::read_to_string(state.join("tls.crt")).unwrap()).unwrap().names.clone();
    let wanted = ["127.0.0.1", "::1", "localhost", "host.minikube.internal", "192.168.49.1"];
    let wanted: Vec<Name> = wanted.iter().map(|name| name.parse().unwrap()).collect();
    assert_eq!(names(), wanted);
    drop(serve(&standalone));
    assert_eq!(names(), wanted);
    assert_eq!(fs::read(state.join("ca.crt")).unwrap(), ca);
    let (code, said) = refused(&[&standalone[..], &["--san", "https://x"]].concat());
    assert!(code == 2 && said.contains("neither an IP address nor a DNS name"), "{said}");
}
