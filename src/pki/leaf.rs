//! Making a serving certificate under an authority.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::authority::moment;
use super::certificate::{Certificate, Name};
use super::{LEAF_LIFE, Pair, later};

/// Clocks differ: a leaf is valid from an hour ago.
const BACKDATE: SignedDuration = SignedDuration::from_hours(-1);

/// Makes a leaf for `names`, with a key of its own, that lives no longer than its authority. Go reads names from the
/// SAN only, so the subject just says what this is.
pub fn make(now: Timestamp, authority: &Pair, names: &[Name]) -> Result<Pair, Error> {
    make_for(now, authority, names, LEAF_LIFE)
}

/// The same, for `life`.
pub fn make_for(
    now: Timestamp,
    authority: &Pair,
    names: &[Name],
    life: SignedDuration,
) -> Result<Pair, Error> {
    let end = Certificate::read(&authority.cert).map_err(|_| Error::CouldNotParseCertificate)?.not_after;
    let issuer = Issuer::from_ca_cert_pem(&authority.cert, KeyPair::from_pem(&authority.key)?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "cni-steward server");
    params.subject_alt_names = names.iter().map(alternative).collect::<Result<_, _>>()?;
    // Not a CA, said so: this also adds the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = moment(later(now, BACKDATE))?;
    params.not_after = moment(later(now, life).min(end))?;
    let cert = params.signed_by(&key, &issuer)?;
    Ok(Pair { cert: cert.pem(), key: key.serialize_pem() })
}

fn alternative(name: &Name) -> Result<SanType, Error> {
    Ok(match name {
        Name::Ip(address) => SanType::IpAddress(*address),
        Name::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
    })
}
