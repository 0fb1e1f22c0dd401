//! What the Secret holds, part by part. A part is whole or it is not there: a half one is a [`Flaw`] with its key's name.
//!
//! | key | what |
//! |---|---|
//! | `ca.crt`, `ca.key` | the authority in force |
//! | `tls.crt`, `tls.key` | the leaf in force, signed by it |
//! | `next-ca.crt`, `next-ca.key` | the coming authority, while one is coming |
//! | `next-tls.crt`, `next-tls.key` | the coming leaf, signed by the coming authority or by the one in force |
//! | `old-ca.crt` | authorities that were replaced, without keys: a leaf of theirs may still be served somewhere |
//!
//! Whoever takes `ca.key` away asks for a new authority. Other keys are somebody else's, and left alone.

use std::collections::BTreeMap;
use std::fmt;

use super::{Certificate, Name, Pair, Why, chain};

/// The keys that are ours.
pub const KEYS: [&str; 9] = [
    "ca.crt",
    "ca.key",
    "tls.crt",
    "tls.key",
    "next-ca.crt",
    "next-ca.key",
    "next-tls.crt",
    "next-tls.key",
    "old-ca.crt",
];

/// Key → text, of the keys that are ours.
pub type Texts = BTreeMap<String, String>;

/// An authority.
#[derive(Clone)]
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its private key; without it no leaf can be signed.
    pub key: Option<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A serving certificate that is whole: its key is its own, its signer is here, and it is for our names.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// What it says.
    pub certificate: Certificate,
    /// Certificate and key.
    pub pair: Pair,
    /// Who signed it.
    pub signer: Certificate,
}

/// Something in the Secret that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Flaw {
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub why: Why,
}

/// What the Secret holds.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// In force.
    pub authority: Option<Authority>,
    /// In force.
    pub leaf: Option<Leaf>,
    /// Coming.
    pub next_authority: Option<Authority>,
    /// Coming.
    pub next_leaf: Option<Leaf>,
    /// Replaced.
    pub old: Vec<Certificate>,
    /// What cannot be used.
    pub flaws: Vec<Flaw>,
}

impl Keeping {
    /// Reads the Secret's texts; leaves have to be for all of `names`.
    pub fn read(texts: &Texts, names: &[Name]) -> Self {
        let mut reader = Reader { texts, names, flaws: Vec::new() };
        let authority = reader.authority("ca.crt", "ca.key");
        let next_authority = reader.authority("next-ca.crt", "next-ca.key");
        let leaf = reader.leaf("tls.crt", "tls.key", &[authority.as_ref()]);
        let next_leaf =
            reader.leaf("next-tls.crt", "next-tls.key", &[next_authority.as_ref(), authority.as_ref()]);
        let old = reader.old("old-ca.crt");
        Self { authority, leaf, next_authority, next_leaf, old, flaws: reader.flaws }
    }

    /// Every authority in it, the newest first.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        let newest = [&self.next_authority, &self.authority].into_iter().flatten();
        newest.map(|authority| &authority.certificate).chain(&self.old)
    }
}

struct Reader<'a> {
    texts: &'a Texts,
    names: &'a [Name],
    flaws: Vec<Flaw>,
}

impl Reader<'_> {
    /// `None`, and a flaw unless nothing is there.
    fn whole<T>(&mut self, key: &'static str, read: Result<T, Why>) -> Option<T> {
        read.map_err(|why| self.flaws.push(Flaw { key, why })).ok()
    }

    fn authority(&mut self, cert: &'static str, key: &'static str) -> Option<Authority> {
        let text = self.texts.get(cert)?;
        let read = Certificate::read(text)
            .and_then(|read| if read.is_authority_of_ours() { Ok(read) } else { Err(Why::Foreign) });
        let certificate = self.whole(cert, read)?;
        let key = self
            .texts
            .get(key)
            .and_then(|text| self.whole(key, certificate.belongs_to(text)).map(|()| text.clone()));
        Some(Authority { certificate, key })
    }

    fn leaf(
        &mut self,
        cert: &'static str,
        key: &'static str,
        signers: &[Option<&Authority>],
    ) -> Option<Leaf> {
        let pair = match (self.texts.get(cert), self.texts.get(key)) {
            (None, None) => return None,
            (Some(cert), Some(key)) => Pair { cert: cert.clone(), key: key.clone() },
            (cert_text, _) => {
                let missing = if cert_text.is_none() { cert } else { key };
                self.whole(missing, Err::<(), _>(Why::Missing));
                return None;
            }
        };
        let certificate = self.whole(cert, Certificate::read(&pair.cert))?;
        self.whole(key, certificate.belongs_to(&pair.key))?;
        let other = self.names.iter().find(|name| !certificate.names.contains(name));
        self.whole(cert, other.map_or(Ok(()), |name| Err(Why::OtherName(name.clone()))))?;
        let mut verdict = Err(Why::WrongAuthority("there is none".into()));
        for signer in signers.iter().copied().flatten().map(|signer| &signer.certificate) {
            verdict = certificate.signed_by(signer).map(|()| signer.clone());
            if verdict.is_ok() {
                break;
            }
        }
        let signer = self.whole(cert, verdict)?;
        Some(Leaf { certificate, pair, signer })
    }

    fn old(&mut self, key: &'static str) -> Vec<Certificate> {
        let Some(text) = self.texts.get(key) else { return Vec::new() };
        let all = self.whole(key, chain::read(text)).unwrap_or_default();
        let (ours, foreign): (Vec<_>, Vec<_>) = all.into_iter().partition(Certificate::is_authority_of_ours);
        if !foreign.is_empty() {
            self.flaws.push(Flaw { key, why: Why::Foreign });
        }
        ours
    }
}
