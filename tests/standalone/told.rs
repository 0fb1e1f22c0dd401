//! What the command line takes and tells.

use std::fs;
use std::path::Path;

use cni_steward::pki::{self};
use cni_steward::telemetry::clock;
use jiff::ToSpan as _;

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

    let future = pki::leaf::make(in_days(2), &ca, &place.state.names).unwrap();
    fs::write(&cert, future.cert).unwrap();
    fs::write(&key, future.key).unwrap();
    says(&cert, &key, &format!("{}: it is valid only from ", cert.display()));
}

/// Clocks differ: what is valid a moment from now is no mistake.
#[test]
fn a_certificate_that_begins_in_a_moment_is_served() {
    let place = place();
    let ca = pki::Pair { cert: place.read("ca.crt"), key: place.read("ca.key") };
    let now = clock::now();
    // A leaf is made valid from an hour before.
    let ahead = pki::leaf::make(now + 64.minutes(), &ca, &place.state.names).unwrap();
    let (cert, key) = (place.path("tls.crt"), place.path("tls.key"));
    fs::write(&cert, ahead.cert).unwrap();
    fs::write(&key, ahead.key).unwrap();
    drop(serve(&["--cert", arg(&cert), "--key", arg(&key)]));
}

/// The authority is a file of its own, and a mistake in it is named, too.
#[test]
fn a_ca_that_is_none_or_another_is_reported_by_name() {
    let (place, other) = (place(), place());
    let (cert, key) = (place.path("tls.crt"), place.path("tls.key"));
    let says = |cert: &Path, ca: &Path, expected: String| {
        let arguments = [
            "--cert",
            arg(cert),
            "--key",
            arg(&key),
            "--ca",
            arg(ca),
            "--listen",
            "127.0.0.1:0",
            "--telemetry",
            "off",
        ];
        let (code, said) = refused(&arguments);
        assert!(code == 2 && said.contains(&expected), "expected {expected:?} in {said}");
    };
    let named = |path: &Path, text: &str| format!("{}: {text}", path.display());
    let ca = place.path("ca.crt");
    says(&cert, &cert, named(&cert, "its certificate is no authority's"));
    says(&cert, &key, named(&key, "it holds no readable certificate"));
    says(
        &cert,
        &place.path("lock"),
        named(&place.path("lock"), "it holds no readable certificate (no PEM section"),
    );
    says(
        &cert,
        &other.path("ca.crt"),
        named(&cert, &format!("it does not lead to {}", other.path("ca.crt").display())),
    );
    drop(serve(&["--cert", arg(&cert), "--key", arg(&key), "--ca", arg(&ca)]));

    let chained = place.path("chained.crt");
    let (leaf, above) = (place.read("tls.crt"), place.read("ca.crt"));
    fs::write(&chained, format!("{leaf}{above}")).unwrap();
    drop(serve(&["--cert", arg(&chained), "--key", arg(&key), "--ca", arg(&ca)]));
    fs::write(&chained, format!("{leaf}{leaf}")).unwrap();
    says(&chained, &ca, named(&chained, "its certificate 2 is no authority's; expected the leaf first"));
    let backwards = place.path("backwards.crt");
    fs::write(&backwards, format!("{above}{leaf}")).unwrap();
    let (ca_key, arguments) = (place.path("ca.key"), ["--listen", "127.0.0.1:0", "--telemetry", "off"]);
    let (code, said) =
        refused(&[&["--cert", arg(&backwards), "--key", arg(&ca_key)][..], &arguments].concat());
    assert!(
        code == 2 && said.contains(&named(&backwards, "its first certificate is an authority's")),
        "{said}"
    );
}

/// A policy that is none stops the start, before anything is made.
#[test]
fn a_policy_that_cannot_be_used_is_reported_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("policy.yaml"), folder.path().join("s"));
    let large = vec![b'#'; 1 << 20];
    let cases: [(&[u8], &str); 5] = [
        (b"", ": the file is empty; it needs at least `mode: Observe`, `Adopt` or `Block`"),
        (b"mode: Adopt\nowner: \xff\xfe\x00", ":2: this is not text (UTF-8); expected a policy"),
        (b"mode: Adopt\n\x00\x01\x02", ":"),
        (&large, ": the file is larger than 262144 bytes; expected a policy"),
        (
            b"mode: Adopt\nowner: {manger: helm}\n",
            ":2:9: unknown key `manger`; allowed here: manager, release",
        ),
    ];
    for (text, expected) in cases {
        fs::write(&file, text).unwrap();
        let (code, said) = refused(&["--standalone", "--state", arg(&state), "--policy", arg(&file)]);
        let expected = format!("error: {}{expected}", file.display());
        assert!(code == 2 && said.contains(&expected), "expected {expected:?} in {said}");
        assert!(!state.exists(), "nothing was made");
    }
    let (code, said) = refused(&["--standalone", "--policy", arg(folder.path())]);
    assert!(code == 2 && said.contains(&format!("cannot read {}", folder.path().display())), "{said}");
}

#[test]
fn exactly_one_source_of_the_certificate_is_asked_for() {
    assert_eq!(refused(&[]).0, 2);
    assert_eq!(refused(&["--cert", "a"]).0, 2);
    assert_eq!(refused(&["--standalone", "--cert", "a", "--key", "b"]).0, 2);
    assert_eq!(refused(&["--san", "x", "--cert", "a", "--key", "b"]).0, 2);
}
