//! PEM texts made into what TLS serves, checked to belong together before anyone publishes them.

use rustls::Error;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Why a certificate and key cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The certificate's text.
    #[error("no certificate in PEM form")]
    Certificate,
    /// The key's text.
    #[error("no private key in PEM form")]
    Key,
    /// The two do not belong together.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// A kind of key or certificate we cannot use.
    #[error("{0}")]
    Unsupported(#[source] Error),
}

/// A chain and its key from PEM texts, checked to belong together.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, Unusable> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| Unusable::Certificate)?;
    if chain.is_empty() {
        return Err(Unusable::Certificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::Key)?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => Unusable::Mismatch,
        Error::InvalidCertificate(_) => Unusable::Certificate,
        other => Unusable::Unsupported(other),
    })
}
