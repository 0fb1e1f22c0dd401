//! The state directory of `serve --standalone`: `ca.crt`, `ca.key`, `tls.crt`, `tls.key`.
//!
//! The authority's key stays beside its certificate (0600), so that a leaf can be renewed under the same authority and
//! nobody has to register anything again. Who wants it elsewhere moves it away; it is asked for when a leaf is due.
//! A lock keeps two processes from writing at once; it is held only while looking and writing, so that two may serve.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::certified::certified;
use super::{Files, Loaded, TrustError, staging};
use crate::pki::{self, Certificate, Name, Pair, Part, Step, Stored};

/// The directory, and whom the certificate shall be valid for.
#[derive(Debug, Clone)]
pub struct State {
    /// Where the files are.
    pub directory: PathBuf,
    /// Names and addresses of the certificate.
    pub names: Vec<Name>,
}

impl State {
    /// The path of the authority's certificate, which the API server has to be given.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The same files, for who only reads them.
    pub(super) fn files(&self) -> Files {
        let [cert, key, ca] = [Part::Cert, Part::Key, Part::AuthorityCert].map(|part| self.path(part));
        Files { cert, key, ca: Some(ca) }
    }

    /// Reads the certificate; makes or renews it first when it is missing or near its end.
    pub fn load(&self, now: Timestamp) -> Result<Loaded, TrustError> {
        let mut notes = Vec::new();
        self.enter()?;
        let _lock = self.lock()?;
        staging::settle(&self.directory)?;
        let mut pair = self.bring_up_to_date(now, &mut notes)?;
        let damaged =
            |part| move |why| TrustError::Damaged { path: self.path(part), fault: pki::Fault { part, why } };
        let leaf = Certificate::read(&pair.cert).map_err(damaged(Part::Cert))?;
        let key = std::mem::take(&mut pair.key);
        let certified = certified(pair.cert.as_bytes(), key.as_bytes())
            .map_err(|error| TrustError::unusable(&self.path(Part::Key), error.to_string()))?;
        Ok(Loaded { certified, begins: leaf.not_before, expires: leaf.not_after, notes })
    }

    fn bring_up_to_date(&self, now: Timestamp, notes: &mut Vec<String>) -> Result<Pair, TrustError> {
        let ca_cert = self.read(Part::AuthorityCert, notes)?;
        let ca_key = self.read(Part::AuthorityKey, notes)?;
        let cert = self.read(Part::Cert, notes)?;
        let key = self.read(Part::Key, notes)?;
        let stored = Stored {
            ca_cert: ca_cert.as_deref(),
            ca_key: ca_key.as_deref(),
            cert: cert.as_deref(),
            key: key.as_deref(),
        };
        let step = pki::plan(now, &stored, &self.names)
            .map_err(|fault| TrustError::Damaged { path: self.path(fault.part), fault })?;
        match step {
            Step::Keep => Ok(Pair { cert: cert.unwrap_or_default(), key: key.unwrap_or_default() }),
            Step::RenewLeaf(why) => {
                let authority = Pair { cert: ca_cert.unwrap_or_default(), key: ca_key.unwrap_or_default() };
                let leaf = pki::leaf::make(now, &authority, &self.names)?;
                staging::exchange(&self.directory, &[("tls.key", &leaf.key), ("tls.crt", &leaf.cert)])?;
                notes.push(format!("made a new certificate under the same authority: {why}"));
                Ok(leaf)
            }
            Step::NewAuthority(why) => {
                let ca = pki::authority::make(now)?;
                let leaf = pki::leaf::make(now, &ca, &self.names)?;
                let files = [
                    ("ca.key", &*ca.key),
                    ("ca.crt", &ca.cert),
                    ("tls.key", &leaf.key),
                    ("tls.crt", &leaf.cert),
                ];
                staging::exchange(&self.directory, &files)?;
                notes.push(format!("made a new certificate authority, which has to be registered: {why}"));
                Ok(leaf)
            }
        }
    }

    /// The directory exists and nobody else may write in it. An existing one keeps its mode: it may be in use for
    /// something else, too.
    fn enter(&self) -> Result<(), TrustError> {
        let directory = &self.directory;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(TrustError::io("make", directory))?;
        let mode =
            fs::metadata(directory).map_err(TrustError::io("look at", directory))?.permissions().mode();
        if mode & 0o022 != 0 { Err(TrustError::Exposed(directory.clone())) } else { Ok(()) }
    }

    /// Released when the file is dropped, or by the system when the process dies.
    fn lock(&self) -> Result<File, TrustError> {
        let path = self.directory.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(TrustError::io("open", &path))?;
        for _ in 0..200 {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
                Err(TryLockError::Error(error)) => {
                    return Err(TrustError::io("lock", &path)(error));
                }
            }
        }
        Err(TrustError::Locked(path))
    }

    /// One of the files; `None` when it does not exist. A private key that others may read is put right.
    fn read(&self, part: Part, notes: &mut Vec<String>) -> Result<Option<String>, TrustError> {
        let path = self.path(part);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(TrustError::io("read", &path))?,
        };
        if matches!(part, Part::AuthorityKey | Part::Key) && is_open(&path)? {
            fs::set_permissions(&path, Permissions::from_mode(0o600))
                .map_err(TrustError::io("protect", &path))?;
            notes.push(format!("{} could be read by others; it is 0600 now", path.display()));
        }
        // Not UTF-8 is not PEM: the replacement characters make the plan say so, with the file's name.
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn path(&self, part: Part) -> PathBuf {
        self.directory.join(match part {
            Part::AuthorityCert => "ca.crt",
            Part::AuthorityKey => "ca.key",
            Part::Cert => "tls.crt",
            Part::Key => "tls.key",
        })
    }
}

fn is_open(path: &Path) -> Result<bool, TrustError> {
    let mode = fs::metadata(path).map_err(TrustError::io("look at", path))?.permissions().mode();
    Ok(mode & 0o077 != 0)
}
