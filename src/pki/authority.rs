//! Making an authority: P-256, signs leaves only, and has a name no other has.
//!
//! The name matters: with one name for authority and leaf OpenSSL takes the leaf for self-signed and refuses it, and
//! with one name for two authorities a client may try the wrong one.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use ring::digest::{SHA256, digest};
use time::OffsetDateTime;

use super::{AUTHORITY_LIFE, Pair, later};

/// An authority is valid from a day ago, so that a leaf backdated for clock skew is still younger.
const BACKDATE: SignedDuration = SignedDuration::from_hours(-24);

/// What every authority of ours is called, before the part that tells it from others.
pub const NAME: &str = "cni-steward CA ";

/// Makes an authority that lives from `now` on.
pub fn make(now: Timestamp) -> Result<Pair, Error> {
    make_for(now, AUTHORITY_LIFE)
}

/// Makes an authority that lives from `now` on for `life`.
pub fn make_for(now: Timestamp, life: SignedDuration) -> Result<Pair, Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("{NAME}{}", fingerprint(&key)));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = moment(later(now, BACKDATE))?;
    params.not_after = moment(later(now, life))?;
    // The serial number is left to rcgen, which takes it from the hash of this fresh key.
    let cert = params.self_signed(&key)?;
    Ok(Pair { cert: cert.pem(), key: key.serialize_pem() })
}

/// The first eight hex digits of the key's hash.
fn fingerprint(key: &KeyPair) -> String {
    let hash = digest(&SHA256, &key.subject_public_key_info());
    let first = hash.as_ref().iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    format!("{first:08x}")
}

/// A time as X.509 has it: whole seconds.
pub(super) fn moment(at: Timestamp) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| Error::Time)
}
