//! Exchanging several files as one: a crash at any point leaves the old set or the new one, never a mixture.
//!
//! New files are written aside as `.NAME.new`, each whole and on disk before it gets that name. The set is complete when
//! the last of [`ORDER`] is staged; from then on, and after a crash by whoever comes next, the files are renamed into
//! place. A set that is not complete is thrown away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::TrustError;

/// The files of a state directory in the order they are staged and renamed. `tls.crt` is in every set.
pub const ORDER: [&str; 4] = ["ca.key", "ca.crt", "tls.key", "tls.crt"];

/// Puts `files` (name and text, in the order of [`ORDER`], ending in `tls.crt`) in place. Call with the lock held.
pub fn exchange(directory: &Path, files: &[(&str, &str)]) -> Result<(), TrustError> {
    for (name, text) in files {
        let temporary = directory.join(format!(".{name}.tmp"));
        write(&temporary, text, mode(name)).map_err(TrustError::io("write", &temporary))?;
        let staged = staged(directory, name);
        fs::rename(&temporary, &staged).map_err(TrustError::io("write", &staged))?;
    }
    sync(directory)?;
    settle(directory)
}

/// Finishes or throws away what an earlier [`exchange`] left.
pub fn settle(directory: &Path) -> Result<(), TrustError> {
    let complete = ORDER
        .last()
        .is_some_and(|last| staged(directory, last).exists());
    for name in ORDER {
        let (from, to) = (staged(directory, name), directory.join(name));
        let settled = if complete {
            fs::rename(&from, &to)
        } else {
            fs::remove_file(&from)
        };
        match settled {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(TrustError::io("put in place", &to)(error));
            }
            _ => {}
        }
    }
    sync(directory)
}

fn staged(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}.new"))
}

fn mode(name: &str) -> u32 {
    if Path::new(name)
        .extension()
        .is_some_and(|kind| kind == "key")
    {
        0o600
    } else {
        0o644
    }
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Renames are on disk once the directory is.
fn sync(directory: &Path) -> Result<(), TrustError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(TrustError::io("sync", directory))
}
