//! Reading a certificate: the few facts that plans are made of.

use core::net::IpAddr;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use ring::digest::{SHA256, digest};
use rustls::crypto::ring::default_provider;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Why, authority, chain};

/// A name that a serving certificate is valid for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// An address.
    Ip(IpAddr),
    /// A DNS name in lower case.
    Dns(String),
}

/// Not a name a certificate can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a DNS name")]
pub struct NotAName(String);

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let bare = text.strip_prefix("*.").unwrap_or(text);
        // A last label of digits only would be read as an address by clients (WHATWG URL, "ends in a number").
        let numeric =
            bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if text.len() <= 253 && bare.split('.').all(label) && !numeric {
            Ok(Self::Dns(text.to_ascii_lowercase()))
        } else {
            Err(NotAName(text.to_owned()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Dns(name) => name.fmt(f),
        }
    }
}

/// A certificate, read. A clone is the same one: plans hold each in many places.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Facts>);

impl Deref for Certificate {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

/// What a certificate says.
#[derive(Debug)]
pub struct Facts {
    der: CertificateDer<'static>,
    fingerprint: Fingerprint,
    /// The key it is for, as `SubjectPublicKeyInfo`.
    public_key: Vec<u8>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Valid for.
    pub names: Vec<Name>,
    /// May sign others.
    pub is_authority: bool,
    /// The common name of its subject.
    pub subject: String,
    /// See [`Certificate::is_authority_of_ours`].
    ours: bool,
}

/// The first eight bytes of a certificate's SHA-256, enough to tell ours apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of a certificate's bytes (DER).
    pub fn of(der: &[u8]) -> Self {
        let hash = digest(&SHA256, der);
        Self(hash.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn read(pem: &str) -> Result<Self, Why> {
        let bad = |what: &dyn fmt::Display| Why::NotACertificate(what.to_string());
        Self::from_der(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(&error))?)
    }

    /// Reads a certificate.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, Why> {
        let bad = |what: &dyn fmt::Display| Why::NotACertificate(what.to_string());
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|error| bad(&error))?;
        if !rest.is_empty() {
            return Err(bad(&"there are bytes after its end"));
        }
        let second = |at: i64| Timestamp::from_second(at).map_err(|error| bad(&error));
        let alternative = parsed.subject_alternative_name().map_err(|error| bad(&error))?;
        let names = alternative.map(|san| san.value.general_names.iter().filter_map(name).collect());
        let (public_key, is_authority) = (parsed.public_key().raw.to_vec(), parsed.is_ca());
        let not_before = second(parsed.validity().not_before.timestamp())?;
        let not_after = second(parsed.validity().not_after.timestamp())?;
        let names = names.unwrap_or_default();
        let subject = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let subject = subject.unwrap_or_default().to_owned();
        let fingerprint = Fingerprint::of(&der);
        let ours = is_authority && subject.starts_with(authority::NAME) && is_self_signed(&parsed, &der);
        let facts =
            Facts { der, fingerprint, public_key, not_before, not_after, names, is_authority, subject, ours };
        Ok(Self(Arc::new(facts)))
    }

    /// Its bytes.
    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// What tells it from others.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// As text.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// True for an authority that this program made, and that is as it was made: another's certificate may be whole, and be trusted by
    /// nobody; one with a wrong bit may be read here and by no client.
    pub fn is_authority_of_ours(&self) -> bool {
        self.ours
    }

    /// Checks that a private key (PEM, PKCS #8) is this certificate's.
    pub fn belongs_to(&self, key: &str) -> Result<(), Why> {
        let key = KeyPair::from_pem(key).map_err(|_| Why::NotAKey)?;
        if key.subject_public_key_info() == self.public_key { Ok(()) } else { Err(Why::WrongKey) }
    }

    /// Checks that `authority` signed this serving certificate, as a client would; its validity in time is not asked.
    pub fn signed_by(&self, authority: &Self) -> Result<(), Why> {
        chain::leads_to(std::slice::from_ref(self), std::slice::from_ref(authority))
    }
}

/// Whether the key in it signed it (RFC 5280, 4.1.1.3). What stands outside of what is signed is compared byte for byte: the reader
/// overlooks wrong tags, which other readers refuse.
fn is_self_signed(read: &X509Certificate<'_>, der: &[u8]) -> bool {
    let key = &read.public_key().subject_public_key.data;
    let (said, signature) = (read.tbs_certificate.as_ref(), &*read.signature_value.data);
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).ok().filter(|length| *length < 0x7f);
    // An algorithm for another kind of key says no.
    default_provider().signature_verification_algorithms.all.iter().any(|algorithm| {
        let name = algorithm.signature_alg_id();
        let (Some(first), Some(second)) = (length(&name), length(signature)) else { return false };
        let outside = [&[0x30, first], &*name, &[0x03, second + 1, 0], signature].concat();
        der.ends_with(&outside) && algorithm.verify_signature(key, said, signature).is_ok()
    })
}

fn name(name: &GeneralName<'_>) -> Option<Name> {
    match name {
        GeneralName::DNSName(name) => Some(Name::Dns(name.to_ascii_lowercase())),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(Name::Ip)
        }
        _ => None,
    }
}
