//! A certificate and key that somebody else looks after: read, checked, never written.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::certified::{Unusable, certified};
use super::{Loaded, TrustError};
use crate::pki::{Certificate, chain};

/// More than any chain or bundle has, and no more than a Secret holds.
const LARGEST: u64 = 1 << 20;
/// How far clocks may differ. A certificate that begins later than that is a mistake, not a difference.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// `--cert`, `--key` and `--ca`.
#[derive(Debug, Clone)]
pub struct Files {
    /// PEM, the leaf first, then what leads to the root.
    pub cert: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// PEM, what the API server was told to trust; not checked against when absent.
    pub ca: Option<PathBuf>,
}

impl Files {
    /// Reads all and checks that they can be served at `now`, and that who trusts the authority accepts them.
    pub fn load(&self, now: Timestamp) -> Result<Loaded, TrustError> {
        let (text, key) = (read(&self.cert)?, read(&self.key)?);
        let certified = certified(text.as_bytes(), key.as_bytes()).map_err(|error| {
            let path = if matches!(error, Unusable::Certificate) { &self.cert } else { &self.key };
            match error {
                Unusable::Mismatch => {
                    TrustError::unusable(path, format!("is not the private key of {}", self.cert.display()))
                }
                error => TrustError::unusable(path, error.to_string()),
            }
        })?;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |why| TrustError::from((path.as_path(), why))
        };
        let chain = chain::read(&text).map_err(at(&self.cert))?;
        let leaf = chain::leaf(&chain).map_err(at(&self.cert))?;
        for certificate in &chain {
            in_time(certificate, now).map_err(|why| TrustError::unusable(&self.cert, why))?;
        }
        if let Some(ca) = &self.ca {
            let bundle = chain::read(&read(ca)?).map_err(at(ca))?;
            chain::authorities(&bundle).map_err(at(ca))?;
            self.trusted(&chain, ca, bundle, now)?;
        }
        let mut notes = Vec::new();
        if leaf.names.is_empty() {
            notes.push(format!(
                "{} has no subjectAltName, and the API server reads no other name",
                self.cert.display()
            ));
        }
        Ok(Loaded { certified, begins: leaf.not_before, expires: leaf.not_after, notes })
    }

    /// Checks that the chain leads to an authority that is valid now.
    fn trusted(
        &self,
        chain: &[Certificate],
        ca: &Path,
        bundle: Vec<Certificate>,
        now: Timestamp,
    ) -> Result<(), TrustError> {
        let (mut valid, mut late) = (Vec::new(), Vec::new());
        for authority in bundle {
            match in_time(&authority, now) {
                Ok(()) => valid.push(authority),
                Err(why) => late.push((authority, why)),
            }
        }
        if let ([], [(_, why), ..]) = (valid.as_slice(), late.as_slice()) {
            return Err(TrustError::unusable(ca, why));
        }
        let Err(wrong) = chain::leads_to(chain, &valid) else { return Ok(()) };
        for (authority, why) in late {
            if chain::leads_to(chain, std::slice::from_ref(&authority)).is_ok() {
                let (cert, name) = (self.cert.display(), &authority.subject);
                return Err(TrustError::unusable(ca, format!("{cert} leads to {name:?} in it, and {why}")));
            }
        }
        Err(TrustError::unusable(&self.cert, format!("it does not lead to {}: {wrong}", ca.display())))
    }
}

fn in_time(certificate: &Certificate, now: Timestamp) -> Result<(), String> {
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    if now >= not_after {
        Err(format!("it expired on {not_after}; expected one that is valid now ({now:.0})"))
    } else if not_before.duration_since(now) > SKEW {
        Err(format!(
            "it is valid only from {not_before} on; expected one that is valid now ({now:.0}); is the clock right?"
        ))
    } else {
        Ok(())
    }
}

/// Reads a text file of moderate size, following links.
fn read(path: &Path) -> Result<String, TrustError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(TrustError::io("read", path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(TrustError::unusable(path, "it is larger than 1 MiB; expected a PEM text"));
    }
    String::from_utf8(bytes).map_err(|_| TrustError::unusable(path, "it is not text; expected PEM"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Pair, authority, leaf};

    #[test]
    fn an_authority_that_is_not_valid_now_vouches_for_nothing_beside_one_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let valid = authority::make(now).unwrap();
        let future = authority::make(now + SignedDuration::from_hours(48)).unwrap();
        let bundle = path("ca.crt", &format!("{}{}", future.cert, valid.cert));
        let load = |authority: &Pair| {
            let leaf = leaf::make(now, authority, &["localhost".parse().unwrap()]).unwrap();
            let (cert, key) = (path("tls.crt", &leaf.cert), path("tls.key", &leaf.key));
            Files { cert, key, ca: Some(bundle.clone()) }.load(now)
        };
        load(&valid).unwrap();
        let error = load(&future).unwrap_err().to_string();
        let name = &Certificate::read(&future.cert).unwrap().subject;
        let expected = format!(
            "{}: {} leads to {name:?} in it, and it is valid only from 2026-01-0",
            bundle.display(),
            folder.path().join("tls.crt").display()
        );
        assert!(error.starts_with(&expected), "{error}");
    }
}
