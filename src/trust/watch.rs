//! Sees that files have changed, by looking at them every second.
//!
//! No inotify: the files of a Secret or ConfigMap volume are links through `..data`, and the kubelet exchanges that
//! link; a watch on the file sees the first exchange as a deletion and the second not at all (kubernetes#111947). A
//! look follows the links to whatever is there now, works on every file system, and costs a few system calls.
//!
//! A change counts once it has stood still from one look to the next, so that a file that is just being written, or a
//! certificate whose key is copied a moment later, is not read half.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// What tells two states of a file apart; `None` when it cannot be looked at.
type Stamp = Option<[i64; 7]>;

/// Files that belong together.
#[derive(Debug, Clone)]
pub struct Watched {
    paths: Vec<PathBuf>,
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

impl Watched {
    /// Begins to watch. To be called before the files are read for the first time, so that no change is missed.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let now = stamps(&paths);
        Self { paths, read: now.clone(), seen: now }
    }

    /// Looks; true when the files are to be read anew.
    pub fn look(&mut self) -> bool {
        let now = stamps(&self.paths);
        let changed = now != self.read && now == self.seen;
        self.seen.clone_from(&now);
        if changed {
            self.read = now;
        }
        changed
    }

    /// True when nothing has changed since the last look: what was read in between belongs together.
    pub fn stood_still(&self) -> bool {
        stamps(&self.paths) == self.seen
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths
        .iter()
        .map(|path| {
            let seen = fs::metadata(path).ok()?;
            Some([
                seen.dev().cast_signed(),
                seen.ino().cast_signed(),
                seen.size().cast_signed(),
                seen.mtime(),
                seen.mtime_nsec(),
                seen.ctime(),
                seen.ctime_nsec(),
            ])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Fault 45: the kubelet's exchange of `..data`, again and again.
    #[test]
    fn every_exchange_of_a_link_is_seen_once_and_only_when_it_has_stood_still() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let exchange = |to: &str, text: &str| {
            fs::create_dir(path(to)).unwrap();
            fs::write(path(to).join("tls.crt"), text).unwrap();
            symlink(to, path("..data_tmp")).unwrap();
            fs::rename(path("..data_tmp"), path("..data")).unwrap();
        };
        exchange("..1", "one");
        symlink("..data/tls.crt", path("tls.crt")).unwrap();
        let mut watched = Watched::new(vec![path("tls.crt")]);
        assert!(!watched.look() && !watched.look());
        for generation in 2..=4 {
            exchange(&format!("..{generation}"), "two");
            assert!(!watched.stood_still());
            assert!(!watched.look(), "just changed");
            assert!(watched.look(), "exchange {generation}");
            assert!(watched.stood_still() && !watched.look());
        }
        fs::remove_file(path("..data")).unwrap();
        assert!(!watched.look() && watched.look(), "a file that goes away is a change");
    }
}
