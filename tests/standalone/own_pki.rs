//! `certs/make.sh`: what it makes is what `serve --cert --key` takes, and no key of it can get into git.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use cni_steward::pki::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::place::mode;
use crate::program::{arg, serve};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/certs/make.sh");

fn make(folder: &Path, more: &[&str]) -> Output {
    Command::new("bash").arg(SCRIPT).args(["--out", arg(folder)]).args(more).output().unwrap()
}

fn made(folder: &Path, more: &[&str]) -> String {
    let output = make(folder, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A handshake as the API server does it: by the Service's name, trusting the authority alone.
fn shakes_hands(address: std::net::SocketAddr, ca: &str, name: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn what_the_script_makes_is_served_for_the_services_name_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let said = made(folder.path(), &["--service", "guard", "--namespace", "network", "--ip", "127.0.0.1"]);
    assert!(said.contains("guard.network.svc"), "{said}");
    let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let server = serve(&["--cert", arg(&cert), "--key", arg(&key)]);
    let ca = text(folder.path(), "ca.crt");
    shakes_hands(server.reviews, &ca, "guard.network.svc").unwrap();
    shakes_hands(server.reviews, &ca, "127.0.0.1").unwrap();
    let other = shakes_hands(server.reviews, &ca, "cni-steward.kube-system.svc").unwrap_err();
    assert!(other.contains("certificate"), "{other}");
}

#[test]
fn keys_are_for_their_owner_alone_and_nothing_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &[]);
    let mut seen: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| (entry.as_ref().unwrap().file_name(), mode(&entry.unwrap().path())))
        .collect();
    seen.sort();
    let expected = [("ca.crt", 0o644), ("ca.key", 0o600), ("tls.crt", 0o644), ("tls.key", 0o600)];
    assert_eq!(seen, expected.map(|(name, mode)| (name.into(), mode)));
}

#[test]
fn run_again_it_renews_the_certificate_under_the_same_authority() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &[]);
    let (ca, old) = (text(folder.path(), "ca.crt"), text(folder.path(), "tls.crt"));
    made(folder.path(), &[]);
    assert_eq!(text(folder.path(), "ca.crt"), ca);
    let new = text(folder.path(), "tls.crt");
    assert_ne!(new, old);
    let leaf = Certificate::read(&new).unwrap();
    leaf.signed_by(&Certificate::read(&ca).unwrap()).unwrap();
    leaf.belongs_to(&text(folder.path(), "tls.key")).unwrap();
}

#[test]
fn what_it_cannot_do_it_says_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &[]);
    let before = text(folder.path(), "tls.crt");
    for (more, expected) in [
        (&["--days", "9000"][..], "ends before"),
        (&["--service", "Not A Name"], "'Not A Name'"),
        (&["--days", "soon"], "'soon'"),
        (&["--ip"], "--ip needs a value"),
        (&["--ip", "1.2.3"], "1.2.3"),
        (&["--colour"], "--colour"),
    ] {
        let output = make(folder.path(), more);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{more:?}: {said}");
        assert_eq!(text(folder.path(), "tls.crt"), before, "{more:?}");
    }
    fs::remove_file(folder.path().join("ca.key")).unwrap();
    let said = String::from_utf8(make(folder.path(), &[]).stderr).unwrap();
    assert!(said.contains("only one of ca.crt and ca.key"), "{said}");
}

#[test]
fn git_takes_none_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap();
    for pattern in ["*.key", "*.crt", "*.pem"] {
        assert!(ignored.lines().any(|line| line == pattern), "no {pattern} in .gitignore");
    }
}
