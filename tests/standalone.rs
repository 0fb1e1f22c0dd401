//! `serve --standalone` and `--cert/--key` from outside: which files are kept, renewed, and never overwritten.
//!
//! "Fault N" is the number in our list of fault and bad-input cases.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

#[path = "support/program.rs"]
#[allow(dead_code, reason = "not every test program needs all of it")]
mod program;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cni_steward::pki::{self, Certificate, Name};
use cni_steward::telemetry::clock;
use cni_steward::trust::{Source, State, TrustError};
use jiff::{Timestamp, ToSpan as _};
use program::{arg, refused, serve};
use tempfile::TempDir;

struct Place {
    _temporary: TempDir,
    state: State,
}

/// A state directory with everything in it.
fn place() -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let names = vec!["127.0.0.1".parse().unwrap(), "localhost".parse().unwrap()];
    let place = Place {
        state: State {
            directory: temporary.path().join("a/b"),
            names,
        },
        _temporary: temporary,
    };
    place.load(clock::now()).unwrap();
    place
}

impl Place {
    fn load(&self, now: Timestamp) -> Result<Vec<String>, TrustError> {
        Source::State(self.state.clone())
            .load(now)
            .map(|loaded| loaded.notes)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state.directory.join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(&self.state.directory).unwrap();
        let mut all: Vec<_> = files
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    }

    fn serve(&self) -> (i32, String) {
        refused(&[
            "--standalone",
            "--state",
            arg(&self.state.directory),
            "--listen",
            "127.0.0.1:0",
            "--telemetry",
            "off",
        ])
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn in_days(days: i64) -> Timestamp {
    clock::now().checked_add((days * 24).hours()).unwrap()
}

#[test]
fn the_files_are_there_and_the_private_ones_private() {
    let place = place();
    assert_eq!(mode(&place.state.directory), 0o700);
    for (name, expected) in [
        ("ca.crt", 0o644),
        ("tls.crt", 0o644),
        ("ca.key", 0o600),
        ("tls.key", 0o600),
    ] {
        assert_eq!(mode(&place.path(name)), expected, "{name}");
    }
    let names: Vec<_> = place
        .all()
        .into_iter()
        .map(|(path, _)| path.file_name().unwrap().to_owned())
        .collect();
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

/// Faults 37, 45: emptied, truncated, exchanged, not text. Each is named with its reason, and nothing changes.
#[test]
fn what_is_damaged_is_reported_by_name_and_never_overwritten() {
    let other = place();
    for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        let whole = fs::read(other.path(name)).unwrap();
        for damage in [&[][..], &whole[..whole.len() / 2], &whole[..], &[0xff; 50]] {
            let place = place();
            fs::write(place.path(name), damage).unwrap();
            let before = place.all();
            let (code, said) = place.serve();
            assert_eq!(code, 2, "{said}");
            assert!(said.contains("Nothing was changed"), "{said}");
            assert_eq!(place.all(), before, "{name}");
            // A foreign ca.crt shows in the key or the leaf beside it; everything else in the file itself.
            let names_it = said.contains(arg(&place.path(name)));
            assert!(
                names_it || damage == whole && ["ca.crt", "tls.crt"].contains(&name),
                "{name}: {said}"
            );
        }
    }
}

#[test]
fn a_file_that_is_missing_beside_others_is_reported() {
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        let place = place();
        fs::remove_file(place.path(name)).unwrap();
        let error = place.load(clock::now()).unwrap_err().to_string();
        assert!(
            error.contains(arg(&place.path(name))) && error.contains("missing"),
            "{error}"
        );
    }
    let place = place();
    fs::remove_file(place.path("ca.key")).unwrap();
    place.load(in_days(300)).unwrap();
    let error = place.load(in_days(366)).unwrap_err().to_string();
    assert!(error.contains("ca.key"), "{error}");
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
    assert!(
        notes[0].contains("tls.key could be read by others"),
        "{notes:?}"
    );
    assert_eq!(mode(&place.path("tls.key")), 0o600);
}

#[test]
fn a_directory_that_others_can_write_is_refused_and_left_alone() {
    let place = place();
    fs::set_permissions(&place.state.directory, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, said) = place.serve();
    assert!(code == 2 && said.contains("writable by others"), "{said}");
    assert_eq!(mode(&place.state.directory), 0o777);
}

/// Fault 41, in files: killed between any two steps of an exchange.
#[test]
fn a_crash_while_renewing_leaves_the_old_pair_or_the_new() {
    let place = place();
    let (old_cert, old_key) = (place.read("tls.crt"), place.read("tls.key"));
    let ca = pki::Pair {
        cert: place.read("ca.crt"),
        key: place.read("ca.key"),
    };
    let new = pki::leaf::make(clock::now(), &ca, &place.state.names).unwrap();
    let (new_cert, new_key) = (new.cert, new.key);
    let cases = [
        (&old_key, &old_cert, Some(&new_key), None, &old_cert),
        (
            &old_key,
            &old_cert,
            Some(&new_key),
            Some(&new_cert),
            &new_cert,
        ),
        (&new_key, &old_cert, None, Some(&new_cert), &new_cert),
    ];
    for (key, cert, staged_key, staged_cert, expected) in cases {
        fs::write(place.path("tls.key"), key).unwrap();
        fs::write(place.path("tls.crt"), cert).unwrap();
        fs::write(place.path(".tls.crt.tmp"), "half a certif").unwrap();
        for (name, staged) in [(".tls.key.new", staged_key), (".tls.crt.new", staged_cert)] {
            if let Some(text) = staged {
                fs::write(place.path(name), text).unwrap();
            }
        }
        assert_eq!(place.load(clock::now()).unwrap(), [""; 0]);
        assert_eq!(&&place.read("tls.crt"), &expected);
        assert!(!place.path(".tls.key.new").exists() && !place.path(".tls.crt.new").exists());
    }
}

/// Fault 40, in files: many start at once on an empty directory.
#[test]
fn who_starts_at_once_shares_one_authority() {
    let temporary = tempfile::tempdir().unwrap();
    let state = State {
        directory: temporary.path().join("s"),
        names: vec!["localhost".parse().unwrap()],
    };
    let leaves: Vec<_> = std::thread::scope(|scope| {
        let load = || {
            Source::State(state.clone())
                .load(clock::now())
                .unwrap()
                .certified
                .cert
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
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
    drop(serve(
        &[
            &standalone[..],
            &["--san", "host.minikube.internal", "--san", "192.168.49.1"],
        ]
        .concat(),
    ));
    let names = || {
        Certificate::read(&fs::read_to_string(state.join("tls.crt")).unwrap())
            .unwrap()
            .names
    };
    let wanted = [
        "127.0.0.1",
        "::1",
        "localhost",
        "host.minikube.internal",
        "192.168.49.1",
    ];
    let wanted: Vec<Name> = wanted.iter().map(|name| name.parse().unwrap()).collect();
    assert_eq!(names(), wanted);
    drop(serve(&standalone));
    assert_eq!(names(), wanted);
    assert_eq!(fs::read(state.join("ca.crt")).unwrap(), ca);
    let (code, said) = refused(&[&standalone[..], &["--san", "https://x"]].concat());
    assert!(
        code == 2 && said.contains("neither an IP address nor a DNS name"),
        "{said}"
    );
}

#[test]
fn the_commands_it_prints_name_its_files() {
    let temporary = tempfile::tempdir().unwrap();
    let state = temporary.path().join("with space");
    let program = serve(&["--standalone", "--state", arg(&state)]);
    let (said, reviews) = (program.said(), program.reviews);
    let ca = format!("'{}'", state.join("ca.crt").display());
    assert!(
        said.contains(&format!("curl --cacert {ca} https://{reviews}/readyz")),
        "{said}"
    );
    let register = format!(
        "cni-steward export webhook --url https://{reviews}/mutate --ca {ca} | kubectl apply -f -"
    );
    assert!(said.contains(&register), "{said}");
}

#[test]
fn files_of_ones_own_are_served_or_reported_by_name() {
    let (place, other) = (place(), place());
    let own = |cert: &Path, key: &Path| {
        vec![
            "--cert".to_owned(),
            arg(cert).to_owned(),
            "--key".to_owned(),
            arg(key).to_owned(),
        ]
    };
    let says = |cert: &Path, key: &Path, expected: &str| {
        let arguments = own(cert, key);
        let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--listen", "127.0.0.1:0", "--telemetry", "off"]);
        let (code, said) = refused(&arguments);
        assert!(code == 2 && said.contains(expected), "{said}");
    };
    let (cert, key) = (place.path("tls.crt"), place.path("tls.key"));
    let arguments = own(&cert, &key);
    drop(serve(
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    ));
    says(
        &cert,
        &other.path("tls.key"),
        &format!(
            "{}: is not the private key of",
            other.path("tls.key").display()
        ),
    );
    says(
        &key,
        &key,
        &format!("{}: no certificate in PEM form", key.display()),
    );
    says(
        &cert,
        &cert,
        &format!("{}: no private key in PEM form", cert.display()),
    );
    says(
        &cert,
        &place.path("nowhere"),
        &format!("cannot read {}", place.path("nowhere").display()),
    );

    let ca = pki::Pair {
        cert: place.read("ca.crt"),
        key: place.read("ca.key"),
    };
    let old = pki::leaf::make(in_days(-400), &ca, &place.state.names).unwrap();
    fs::write(&cert, old.cert).unwrap();
    fs::write(&key, old.key).unwrap();
    says(&cert, &key, "it expired on");
}

#[test]
fn exactly_one_source_of_the_certificate_is_asked_for() {
    assert_eq!(refused(&[]).0, 2);
    assert_eq!(refused(&["--cert", "a"]).0, 2);
    assert_eq!(refused(&["--standalone", "--cert", "a", "--key", "b"]).0, 2);
    assert_eq!(refused(&["--san", "x", "--cert", "a", "--key", "b"]).0, 2);
}
