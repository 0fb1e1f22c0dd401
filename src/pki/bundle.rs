//! What an entry of the webhook configuration tells the API server to trust (`caBundle`), and what it has to.
//!
//! A bundle only ever grows by what comes and shrinks by what has expired: an authority of ours that somebody may still
//! serve a leaf of is never taken out, whatever the Secret says. What is not ours goes.

use jiff::Timestamp;

use super::{Certificate, Fingerprint, Keeping, chain};

/// More than rotations can leave behind, so that nobody's mistake can fill an object.
const MOST: usize = 16;

/// A `caBundle`.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Authorities of ours.
    authorities: Vec<Certificate>,
    /// Whether it holds anything else: other certificates, garbage, one twice.
    foreign: bool,
}

impl Bundle {
    /// Reads what is in a `caBundle`; never fails, because whatever is there has to be dealt with.
    pub fn read(pem: &str) -> Self {
        if pem.trim().is_empty() {
            return Self::default();
        }
        let Ok(all) = chain::read(pem) else { return Self { foreign: true, ..Self::default() } };
        let count = all.len();
        let authorities = distinct(all.into_iter().filter(Certificate::is_authority_of_ours));
        Self { foreign: authorities.len() != count, authorities }
    }

    /// What every entry has to hold: the authorities of the Secret, those of ours that are in an entry already, and that
    /// of the leaf we serve ourselves.
    pub fn wanted(
        keeping: &Keeping,
        memory: Option<&Keeping>,
        served: Option<&Certificate>,
        live: &[Self],
        now: Timestamp,
    ) -> Self {
        let remembered = memory.filter(|_| keeping.leaf.is_none()).into_iter().flat_map(Keeping::authorities);
        let all =
            keeping.authorities().chain(remembered).chain(live.iter().flat_map(|entry| &entry.authorities));
        let all = all.chain(served);
        let lives = |authority: &&Certificate| now < authority.not_after;
        let mut authorities = distinct(all.filter(lives).cloned());
        authorities.truncate(MOST);
        Self { authorities, foreign: false }
    }

    /// The authorities of ours in it.
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// What tells its authorities apart.
    pub fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.authorities.iter().map(Certificate::fingerprint)
    }

    /// Whether it tells to trust this authority.
    pub fn holds(&self, authority: Fingerprint) -> bool {
        self.fingerprints().any(|held| held == authority)
    }

    /// True when it says the same, in whatever order.
    pub fn says(&self, other: &Self) -> bool {
        self.foreign == other.foreign
            && self.authorities.len() == other.authorities.len()
            && self.fingerprints().all(|authority| other.holds(authority))
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty() && !self.foreign
    }

    /// As text.
    pub fn pem(&self) -> String {
        self.authorities.iter().map(Certificate::pem).collect()
    }
}

fn distinct(all: impl Iterator<Item = Certificate>) -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    for certificate in all {
        if found.iter().all(|known| known.fingerprint() != certificate.fingerprint()) {
            found.push(certificate);
        }
    }
    found
}
