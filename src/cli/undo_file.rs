//! The undo file on disk: whole and on the disk before the first write, then longer by a line with each step.
//!
//! It is written under another name and takes its own only when its bytes are surely stored, so that a file of that name is
//! never half of one. Nothing in it is ever written again; marks of progress are appended and flushed one by one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::{Cluster, Reference};
use crate::undo::{Mark, Undo, text};

/// No cluster's file comes near.
const LARGEST: u64 = 64 << 20;

/// An undo file that is being written to.
#[derive(Debug)]
pub struct UndoFile {
    path: PathBuf,
    file: File,
    /// The last whole line, which the next mark is chained to.
    last: String,
    /// What the objects are called, by the places that marks speak of.
    objects: Vec<String>,
}

impl UndoFile {
    /// Writes a new file; nothing of it is there when that fails. Readable by its owner alone.
    pub fn create(path: &Path, undo: &Undo) -> anyhow::Result<Self> {
        let place = path.display();
        let failed = || {
            format!(
                "cannot write the undo file {place}; nothing was changed. Name another place with --undo-file"
            )
        };
        if path.exists() {
            bail!(
                "{place} is there already and is not overwritten; nothing was changed. Name another file with --undo-file"
            );
        }
        let name = path.file_name().context("the undo file has no name").with_context(failed)?;
        let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let text = undo.text();
        let written = write(&beside, &text).and_then(|file| {
            // Unlike a rename, a link never replaces what somebody else put there in between.
            match std::fs::hard_link(&beside, path) {
                Ok(()) => std::fs::remove_file(&beside)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
                Err(_) => std::fs::rename(&beside, path)?,
            }
            sync_folder(path)?;
            Ok(file)
        });
        if written.is_err() {
            // Best effort: what failed is told, and an unfinished file has a name that nobody reads.
            std::fs::remove_file(&beside).ok();
        }
        let last = text.trim_end().rsplit('\n').next().unwrap_or_default().to_owned();
        Ok(Self { path: path.to_owned(), file: written.with_context(failed)?, last, objects: names(undo) })
    }

    /// Opens a file to append marks to it, and reads it.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Undo)> {
        let (undo, text) = read(path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let last = text.get(..whole).unwrap_or_default().trim_end().rsplit('\n').next().unwrap_or_default();
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().append(true).open(path)?;
            // A mark that was cut off.
            file.set_len(whole as u64)?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot append to {}", path.display()))?;
        Ok((Self { path: path.to_owned(), file, last: last.to_owned(), objects: names(&undo) }, undo))
    }

    /// Appends a mark; it is on the disk when this returns.
    pub fn mark(&mut self, mark: &Mark) -> anyhow::Result<()> {
        let line = text::mark(mark, &self.last);
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .with_context(|| format!("cannot note the progress in {}", self.path.display()))?;
        line.trim_end().clone_into(&mut self.last);
        Ok(())
    }

    /// The place of an object, by what it is called (`DaemonSet kube-system/aws-node`).
    pub fn place_of(&self, object: &str) -> Option<usize> {
        self.objects.iter().position(|name| name == object)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a file; also gives its text.
pub fn read(path: &Path) -> anyhow::Result<(Undo, String)> {
    let place = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {place}"))?.len();
    if length > LARGEST {
        bail!(
            "{place}: the file has {length} bytes; expected an undo file of cni-steward, which has some thousand"
        );
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {place}"))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        anyhow::anyhow!("{place}: this is no text (UTF-8); expected an undo file of cni-steward")
    })?;
    let undo = Undo::parse(&place.to_string(), &text)?;
    Ok((undo, text))
}

/// Refuses the file of another cluster: objects of the same names are not the same.
pub async fn check_cluster(path: &Path, undo: &Undo, cluster: &Cluster) -> anyhow::Result<()> {
    let namespace = Reference::new(("", "v1", "namespaces", "Namespace"), None, "kube-system");
    let found = cluster.get::<Value>(&namespace).await?.unwrap_or_default();
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    if uid != undo.cluster.uid {
        bail!(
            "{}: nothing was changed, for the file is from another cluster: its namespace kube-system has uid {} at {}, here it \
             has {uid} at {}. Name the right one with --context",
            path.display(),
            undo.cluster.uid,
            undo.cluster.url,
            cluster.url()
        );
    }
    Ok(())
}

/// The name of a new file in the current folder. To the millisecond: on a near cluster two runs fit into one second, and the second
/// would find its name taken.
pub fn default_path(cluster: &str, now: Timestamp) -> PathBuf {
    let time = now.strftime("%Y%m%dT%H%M%S%.3fZ");
    PathBuf::from(format!("{}{time}.json", prefix(cluster)))
}

fn names(undo: &Undo) -> Vec<String> {
    undo.objects.iter().map(ToString::to_string).collect()
}

/// The files in a folder that have a default name for this cluster, the newest first.
pub fn of_cluster(folder: &Path, cluster: &str) -> Vec<PathBuf> {
    let prefix = prefix(cluster);
    let named = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.starts_with(&prefix).then(|| folder.join(name))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| named(entry.ok()?)).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// What the names of all files about a cluster begin with.
fn prefix(cluster: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let short: String = cluster.chars().map(plain).take(80).collect();
    format!("cni-steward-undo-{short}-")
}

fn write(path: &Path, text: &str) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(file)
}

/// Makes the name as durable as the bytes.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Windows opens no folder as a file; its file system keeps names in order by itself.
#[cfg(windows)]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_within_a_second_have_files_of_their_own_and_the_newer_sorts_first() {
        let at = |time: &str| default_path("https://a.example:6443", time.parse().unwrap());
        let first = at("2026-11-26T18:53:28.100Z");
        let second = at("2026-11-26T18:53:28.9Z");
        assert_eq!(
            first,
            Path::new("cni-steward-undo-https---a.example-6443-20261126T185328.100Z.json"),
            "the colon of a port is no part of a file's name"
        );
        assert!(second > first, "expected {} to sort after {}", second.display(), first.display());
    }
}
