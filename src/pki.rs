//! The certificate authority and the serving certificate. Pure: no file, no clock; texts and `now` come in, texts and
//! steps go out.
//!
//! [`plan`] says what has to be done with what is stored. It never plans to replace something it does not understand:
//! a stored file that is damaged may be the only copy of a key that clusters trust, so that is a [`Fault`] for a person.

use jiff::{SignedDuration, Timestamp};

pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod chain;
pub mod coverage;
pub mod keeping;
pub mod leaf;
pub mod replica;
pub mod rotation;

pub use bundle::Bundle;
pub use certificate::{Certificate, Fingerprint, Name};
pub use coverage::Coverage;
pub use keeping::Keeping;
pub use replica::Replica;

/// A certificate and its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The private key (PKCS #8).
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("cert", &self.cert).finish_non_exhaustive()
    }
}

/// What is stored now; `None` is a file that does not exist.
#[derive(Clone, Copy, Default)]
pub struct Stored<'a> {
    /// The authority's certificate.
    pub ca_cert: Option<&'a str>,
    /// The authority's key. It may be kept elsewhere until the leaf has to be renewed.
    pub ca_key: Option<&'a str>,
    /// The serving certificate.
    pub cert: Option<&'a str>,
    /// Its key.
    pub key: Option<&'a str>,
}

/// One of the stored texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The authority's certificate.
    AuthorityCert,
    /// The authority's key.
    AuthorityKey,
    /// The serving certificate.
    Cert,
    /// Its key.
    Key,
}

/// What to do with what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Serve it.
    Keep,
    /// Make a new serving certificate under the same authority; nobody has to register anything again.
    RenewLeaf(String),
    /// Make a new authority and a new serving certificate; the webhook has to be registered again.
    NewAuthority(String),
}

/// Something stored that cannot be used and must not be replaced without a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Fault {
    /// Which of the texts.
    pub part: Part,
    /// What is wrong with it.
    pub why: Why,
}

/// What can be wrong with a stored text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not there, though the others are.
    #[error("it is missing, though the files that belong to it are there")]
    Missing,
    /// Not a certificate.
    #[error("it holds no readable certificate ({0})")]
    NotACertificate(String),
    /// Not a key.
    #[error("it holds no readable private key")]
    NotAKey,
    /// A certificate that may not sign.
    #[error("its certificate is no authority's")]
    NotAnAuthority,
    /// The key of another certificate.
    #[error("it does not belong to the certificate beside it")]
    WrongKey,
    /// Somebody else's authority, which nobody was told to trust, or a damaged one, which nobody can.
    #[error("its certificate is not as this program made it: another authority's, or damaged")]
    Foreign,
    /// For another name.
    #[error("it is not valid for {0}")]
    OtherName(Name),
    /// Signed by somebody else.
    #[error("it was not signed by the authority beside it ({0})")]
    WrongAuthority(String),
    /// A chain that begins with something else than the leaf.
    #[error("its first certificate is an authority's; expected the leaf first, then what leads to the root")]
    LeafNotFirst,
    /// A chain with something in it that leads nowhere.
    #[error(
        "its certificate {0} is no authority's; expected the leaf first, then only those that lead to the root"
    )]
    NotAnIssuer(usize),
    /// Made in the future.
    #[error("it is valid only from {0} on; is the clock right?")]
    NotYetValid(Timestamp),
}

/// How long an authority lives.
pub const AUTHORITY_LIFE: SignedDuration = days(3650);
/// How long a serving certificate lives; it is renewed when a third of it is left.
pub const LEAF_LIFE: SignedDuration = days(365);

const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Says what to do with `stored`, so that the certificate is valid at `now` and holds all of `names`.
pub fn plan(now: Timestamp, stored: &Stored<'_>, names: &[Name]) -> Result<Step, Fault> {
    let fault = |part| move |why| Fault { part, why };
    let Some(ca_text) = stored.ca_cert else {
        return if stored.ca_key.or(stored.cert).or(stored.key).is_none() {
            Ok(Step::NewAuthority("there is none yet".into()))
        } else {
            Err(fault(Part::AuthorityCert)(Why::Missing))
        };
    };
    let ca = Certificate::read(ca_text).map_err(fault(Part::AuthorityCert))?;
    if !ca.is_authority {
        return Err(fault(Part::AuthorityCert)(Why::NotAnAuthority));
    }
    if let Some(key) = stored.ca_key {
        ca.belongs_to(key).map_err(fault(Part::AuthorityKey))?;
    }
    if now < ca.not_before {
        return Err(fault(Part::AuthorityCert)(Why::NotYetValid(ca.not_before)));
    }
    let (cert, key) = match (stored.cert, stored.key) {
        (None, None) if now >= ca.not_after => return Ok(expired(&ca)),
        (None, None) => return renew(stored, "there is none yet".into()),
        (Some(_), None) => return Err(fault(Part::Key)(Why::Missing)),
        (None, Some(_)) => return Err(fault(Part::Cert)(Why::Missing)),
        (Some(cert), Some(key)) => (cert, key),
    };
    let leaf = Certificate::read(cert).map_err(fault(Part::Cert))?;
    leaf.belongs_to(key).map_err(fault(Part::Key))?;
    leaf.signed_by(&ca).map_err(fault(Part::Cert))?;
    if now >= ca.not_after {
        return Ok(expired(&ca));
    }
    leaf_step(now, stored, names, &leaf, &ca)
}

fn expired(ca: &Certificate) -> Step {
    Step::NewAuthority(format!("the old one expired on {}", ca.not_after))
}

/// What to do with a leaf that is whole.
fn leaf_step(
    now: Timestamp,
    stored: &Stored<'_>,
    names: &[Name],
    leaf: &Certificate,
    ca: &Certificate,
) -> Result<Step, Fault> {
    let absent: Vec<_> =
        names.iter().filter(|name| !leaf.names.contains(name)).map(ToString::to_string).collect();
    if !absent.is_empty() {
        return renew(stored, format!("the old one lacks {}", absent.join(", ")));
    }
    if now < leaf.not_before {
        return renew(stored, format!("the old one is valid only from {} on", leaf.not_before));
    }
    if now >= leaf.not_after {
        return renew(stored, format!("the old one expired on {}", leaf.not_after));
    }
    let lives_longer = later(now, LEAF_LIFE).min(ca.not_after) > leaf.not_after;
    // Without the authority's key a leaf is served to its end.
    if leaf.not_after.duration_since(now) < LEAF_LIFE / 3 && lives_longer && stored.ca_key.is_some() {
        return renew(stored, format!("the old one expires on {}", leaf.not_after));
    }
    Ok(Step::Keep)
}

fn renew(stored: &Stored<'_>, reason: String) -> Result<Step, Fault> {
    match stored.ca_key {
        Some(_) => Ok(Step::RenewLeaf(reason)),
        None => Err(Fault { part: Part::AuthorityKey, why: Why::Missing }),
    }
}

/// `now` plus `span`, or the end of time.
fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
