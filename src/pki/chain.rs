//! Whether the certificates of a bring-your-own pair make sense to a client: the leaf first, then what leads from it
//! towards the root, and at the root the authority that the API server was told.

use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use rustls::server::ParsedCertificate;

use super::Why;
use super::certificate::Certificate;

/// Reads all certificates of a PEM text.
pub fn read(pem: &str) -> Result<Vec<Certificate>, Why> {
    let bad = |error: &dyn std::fmt::Display| Why::NotACertificate(error.to_string());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| Certificate::from_der(der.map_err(|error| bad(&error))?))
        .collect::<Result<_, _>>()?;
    if chain.is_empty() { Err(bad(&"no PEM section CERTIFICATE")) } else { Ok(chain) }
}

/// Checks the order of a serving chain and gives its leaf.
pub fn leaf(chain: &[Certificate]) -> Result<&Certificate, Why> {
    let Some((leaf, above)) = chain.split_first() else {
        return Err(Why::NotACertificate("no PEM section CERTIFICATE".into()));
    };
    if leaf.is_authority && !above.is_empty() {
        return Err(Why::LeafNotFirst);
    }
    match above.iter().position(|certificate| !certificate.is_authority) {
        Some(at) => Err(Why::NotAnIssuer(at + 2)),
        None => Ok(leaf),
    }
}

/// Checks a bundle of authorities, as a `caBundle` holds it.
pub fn authorities(bundle: &[Certificate]) -> Result<(), Why> {
    if bundle.iter().all(|certificate| certificate.is_authority) { Ok(()) } else { Err(Why::NotAnAuthority) }
}

/// Checks that a client which trusts `bundle` accepts `chain` as a server's; its validity in time is not asked.
pub fn leads_to(chain: &[Certificate], bundle: &[Certificate]) -> Result<(), Why> {
    let wrong = |error: rustls::Error| Why::WrongAuthority(error.to_string());
    let leaf = leaf(chain)?;
    let mut roots = RootCertStore::empty();
    for authority in bundle {
        roots.add(authority.der().clone()).map_err(wrong)?;
    }
    let above: Vec<_> = chain.iter().skip(1).map(|certificate| certificate.der().clone()).collect();
    let begin = chain.iter().map(|certificate| certificate.not_before).max();
    let begin = begin.and_then(|begin| u64::try_from(begin.as_second()).ok()).unwrap_or_default();
    let parsed = ParsedCertificate::try_from(leaf.der()).map_err(wrong)?;
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let moment = UnixTime::since_unix_epoch(Duration::from_secs(begin));
    verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &above, moment, algorithms).map_err(wrong)
}
