//! What the command line takes and tells.

use std::fs;
use std::path::Path;

use cni_steward::pki::{self};

use crate::place::{in_days, place};
use crate::program::{arg, refused, serve};

#[test]
fn the_commands_it_prints_name_its_files() {
    let temporary = tempfile::tempdir().unwrap();
    let state = temporary.path().join("with space");
    let program = serve(&["--standalone", "--state", arg(&state)]);
    let (said, reviews) = (program.said(), program.reviews);
    let ca = format!("'{}'", state.join("ca.crt").display());
    assert!(said.contains(&format!("curl --cacert {ca} https://{reviews}/readyz")), "{said}");
    let register =
        format!("cni-steward export webhook --url https://{reviews}/mutate --ca {ca} | kubectl apply -f -");
    assert!(said.contains(&register), "{said}");
}

#[test]
fn files_of_ones_own_are_served_or_reported_by_name() {
    let (place, other) = (place(), place());
    let own = |cert: &Path, key: &Path| {
        vec!["--cert".to_owned(), arg(cert).to_owned(), "--key".to_owned(), arg(key).to_owned()]
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
    drop(serve(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    says(
        &cert,
        &other.path("tls.key"),
        &format!("{}: is not the private key of", other.path("tls.key").display()),
    );
    says(&key, &key, &format!("{}: no certificate in PEM form", key.display()));
    says(&cert, &cert, &format!("{}: no private key in PEM form", cert.display()));
    says(&cert, &place.path("nowhere"), &format!("cannot read {}", place.path("nowhere").display()));

    let ca = pki::Pair { cert: place.read("ca.crt"), key: place.read("ca.key") };
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
