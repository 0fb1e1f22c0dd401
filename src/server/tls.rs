//! TLS 1.2 and 1.3 with one certificate that can be exchanged while serving.
//!
//! Every name but the canary's is answered with the same certificate: the API server calls by service name, by URL host or by address,
//! and whether the name fits is for the client to judge. No session tickets: client-go keeps no sessions.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, Error, InvalidMessage, ServerConfig, version};

use crate::pki::Fingerprint;
use crate::telemetry::clock::Stopwatch;

/// Makes ring the process's crypto provider. First thing in `main`; a second call changes nothing.
pub fn install_provider() {
    drop(ring::default_provider().install_default());
}

/// The certificate that is served now. Empty until the first is published: handshakes fail, nothing else does.
#[derive(Default)]
pub struct CertSlot {
    current: ArcSwapOption<CertifiedKey>,
    /// What is served for the canary's names, while something is coming.
    coming: ArcSwapOption<Coming>,
    canary_names: Vec<String>,
}

struct Coming {
    certified: Arc<CertifiedKey>,
    since: Stopwatch,
}

impl CertSlot {
    /// A slot that serves what is coming for `canary_names`.
    pub fn with_canary(canary_names: Vec<String>) -> Self {
        Self { canary_names, ..Self::default() }
    }

    /// Serves `certified` for the canary's names, or with `None` what everybody gets.
    pub fn announce(&self, certified: Option<CertifiedKey>) {
        let since = Stopwatch::start();
        let coming = certified.map(|certified| Coming { certified: Arc::new(certified), since });
        self.coming.store(coming.map(Arc::new));
    }

    /// The leaf that a connection taken when `connected` began has seen, for the canary's names or for others. Nothing of one
    /// that was there before what is coming: its handshake, or a spare one that lay in a pool, was about what is served.
    pub fn shown(&self, canary: bool, connected: Stopwatch) -> Option<Fingerprint> {
        let coming = self.coming.load();
        let current = self.current.load();
        let certified = match coming.as_ref().filter(|_| canary) {
            Some(coming) if connected.until(coming.since) > Duration::ZERO => return None,
            Some(coming) => &coming.certified,
            None => current.as_ref()?,
        };
        certified.cert.first().map(|leaf| Fingerprint::of(leaf))
    }

    /// Serves `certified` from the next handshake on; open connections keep what they have.
    pub fn publish(&self, certified: CertifiedKey) {
        self.current.store(Some(Arc::new(certified)));
    }

    /// Serves nothing any more.
    pub fn clear(&self) {
        self.current.store(None);
    }

    /// True when `certified` is what is served now.
    pub fn serves(&self, certified: &CertifiedKey) -> bool {
        self.current.load().as_ref().is_some_and(|now| now.cert == certified.cert)
    }

    /// True while there is nothing to serve.
    pub fn is_empty(&self) -> bool {
        self.current.load().is_none()
    }
}

impl fmt::Debug for CertSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertSlot").field("empty", &self.is_empty()).finish()
    }
}

impl ResolvesServerCert for CertSlot {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let canary = hello.server_name().is_some_and(|name| self.canary_names.iter().any(|one| one == name));
        let coming = self.coming.load();
        match coming.as_ref().filter(|_| canary) {
            Some(coming) => Some(Arc::clone(&coming.certified)),
            None => self.current.load_full(),
        }
    }
}

/// The server side of TLS around a slot.
pub fn config(slot: Arc<CertSlot>) -> Result<Arc<ServerConfig>, Error> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(slot);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Plain HTTP where TLS was expected.
#[derive(Debug, thiserror::Error)]
#[error("plain HTTP on the TLS port")]
pub struct PlainHttp;

/// The other side does not trust our certificate.
pub const NOT_TRUSTED: &str = "certificate_not_trusted";

/// A failed handshake in one word of a fixed list, for the metric.
pub fn cause(error: &io::Error) -> &'static str {
    if error.get_ref().and_then(|inner| inner.downcast_ref::<PlainHttp>()).is_some() {
        return "plain_http";
    }
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => "closed_by_client",
            _ => "io",
        };
    };
    match tls {
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired,
        ) => NOT_TRUSTED,
        Error::AlertReceived(_) => "alert_from_client",
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "not_tls",
        Error::InvalidMessage(_) => "malformed",
        Error::PeerIncompatible(_) => "nothing_in_common",
        Error::PeerMisbehaved(_) => "misbehaved",
        Error::NoApplicationProtocol => "no_http1",
        Error::General(_) => "no_certificate",
        _ => "other",
    }
}
