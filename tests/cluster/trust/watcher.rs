//! Law 9, watched: shakes hands by the Service's name all the time, and compares the leaf with what the stored configuration told
//! every API server to trust right before and right after; a leaf that is new, also with for how long it did.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cni_steward::pki::{Bundle, Certificate};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use serde_json::Value;

use super::{HOOKS, Scene};
use crate::support::http::Kept;

pub(crate) const NAME: &str = "cni-steward.kube-system.svc";

/// Ends with the first leaf that the configuration did not cover.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    /// The test itself spoils the bundles.
    excused: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, String>>,
}

impl Watcher {
    pub(crate) fn start(scene: &Scene, port: u16) -> Self {
        let (stop, excused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stops, excuses, mut api) = (Arc::clone(&stop), Arc::clone(&excused), scene.api.keep().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut seen, mut leaves, mut told_since) = (0, BTreeSet::new(), Since::default());
            while !stops.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
                let spoilt = excuses.load(Ordering::SeqCst);
                let asked = Instant::now();
                let Some(before) = stored(&mut api) else { return Ok(seen) };
                told_since.see(&before, asked);
                let Some(leaf) = leaf(port) else { continue };
                let age = told_since.of(&leaf);
                let asked = Instant::now();
                let Some(after) = stored(&mut api) else { return Ok(seen) };
                told_since.see(&after, asked);
                let told = [before, after];
                let new = leaves.insert(leaf.fingerprint());
                if spoilt || excuses.load(Ordering::SeqCst) {
                    continue;
                }
                seen += 1;
                if new && age.is_none_or(|age| age < AT_LEAST) {
                    let leaf = leaf.fingerprint();
                    return Err(format!(
                        "leaf {leaf} was served {age:?} after API servers were told to trust it"
                    ));
                }
                for (name, bundle) in told.iter().flatten() {
                    if !bundle.authorities().iter().any(|authority| leaf.signed_by(authority).is_ok()) {
                        return Err(format!(
                            "a leaf was served that {name} does not cover: {} until {}, the bundle has {:?}",
                            leaf.fingerprint(),
                            leaf.not_after,
                            bundle.fingerprints().collect::<Vec<_>>()
                        ));
                    }
                }
            }
            Ok(seen)
        });
        Self { stop, excused, thread }
    }

    /// While the test spoils what the API server is told, nothing follows from it.
    pub(super) fn excuse(&self, whether: bool) {
        self.excused.store(whether, Ordering::SeqCst);
    }

    /// How many leaves were seen, all of them covered.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap().unwrap_or_else(|error| panic!("{error}"))
    }
}

/// No replica waits for less than two seconds, and with something to lose for three; less what rounding takes.
const AT_LEAST: Duration = Duration::from_millis(1900);

/// Since when every entry may have held an authority: the look before the first one that found it there; `None` for what was there
/// before anybody looked.
#[derive(Default)]
struct Since {
    held: Vec<(Certificate, Option<Instant>)>,
    last: Option<Instant>,
}

impl Since {
    fn see(&mut self, told: &[(String, Bundle)], asked: Instant) {
        let in_all = |one: &Certificate| told.iter().all(|(_, bundle)| bundle.holds(one.fingerprint()));
        self.held.retain(|(authority, _)| in_all(authority));
        for authority in told.iter().flat_map(|(_, bundle)| bundle.authorities()).filter(|one| in_all(one)) {
            if self.held.iter().all(|(known, _)| known.fingerprint() != authority.fingerprint()) {
                self.held.push((authority.clone(), self.last));
            }
        }
        self.last = Some(asked);
    }

    /// For how long at most the leaf has been covered.
    fn of(&self, leaf: &Certificate) -> Option<Duration> {
        let signer = self.held.iter().find(|(authority, _)| leaf.signed_by(authority).is_ok());
        signer.map(|(_, since)| since.map_or(Duration::MAX, |since| since.elapsed()))
    }
}

/// Each entry's name and bundle; `None` when the test has ended and the API server with it.
fn stored(api: &mut Kept) -> Option<Vec<(String, Bundle)>> {
    let hooks = api.send("GET", HOOKS, "application/json", "").ok()?.json();
    let entries = hooks["webhooks"].as_array().unwrap().iter();
    let bundle = |entry: &Value| {
        let encoded = entry["clientConfig"]["caBundle"].as_str().unwrap_or_default();
        Bundle::read(&String::from_utf8_lossy(&STANDARD.decode(encoded).unwrap_or_default()))
    };
    Some(entries.map(|entry| (entry["name"].as_str().unwrap().to_owned(), bundle(entry))).collect())
}

/// What is served by the Service's name, if anything is.
pub(super) fn leaf(port: u16) -> Option<Certificate> {
    let mut tls = ClientConnection::new(trusting_anything(), ServerName::try_from(NAME).unwrap()).unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).ok()?;
    }
    let leaf = tls.peer_certificates()?.first()?.clone().into_owned();
    Some(Certificate::from_der(leaf).unwrap())
}

/// A client that does not ask whom it talks to.
pub(crate) fn trusting_anything() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    Arc::new(config)
}

/// Looks at what is served, and trusts it no more than that.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
