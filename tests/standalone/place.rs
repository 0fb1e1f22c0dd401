//! A state directory to spoil.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cni_steward::telemetry::clock;
use cni_steward::trust::{Source, State, TrustError};
use jiff::{Timestamp, ToSpan as _};
use tempfile::TempDir;

use crate::program::{arg, refused};

pub struct Place {
    _temporary: TempDir,
    pub state: State,
}

/// A state directory with everything in it.
pub fn place() -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let names = vec!["127.0.0.1".parse().unwrap(), "localhost".parse().unwrap()];
    let place =
        Place { state: State { directory: temporary.path().join("a/b"), names }, _temporary: temporary };
    place.load(clock::now()).unwrap();
    place
}

impl Place {
    pub fn load(&self, now: Timestamp) -> Result<Vec<String>, TrustError> {
        Source::State(self.state.clone()).load(now).map(|loaded| loaded.notes)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.state.directory.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(&self.state.directory).unwrap();
        let mut all: Vec<_> = files
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    }

    pub fn serve(&self) -> (i32, String) {
        refused(&[
            "--standalone",
            "--state",
            arg(&self.state.directory),
            "--listen",
            "127.0.0.1:0",
            "--telemetry",
            "off",
        ])
    }
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub fn in_days(days: i64) -> Timestamp {
    clock::now().checked_add((days * 24).hours()).unwrap()
}
