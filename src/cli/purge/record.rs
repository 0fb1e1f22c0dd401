//! The undo file of a run: a new one, or that of a run that was cut off, if it holds all that is left as it stands now.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::undo::COMMAND;
use crate::cli::cluster::undo_with;
use crate::cli::greeting::say;
use crate::cli::undo_file::{self, UndoFile};
use crate::cluster::inventory::Inventory;
use crate::purge::Plan;
use crate::purge::plan::Step;
use crate::purge::saved::is_saved;
use crate::undo::{After, Place, Saved, Undo};

/// All that goes, as it stands.
pub(super) fn saved(plan: &Plan<'_>, inventory: &Inventory, cluster: Place, now: Timestamp) -> Undo {
    let save = |step: &Step<'_>| {
        let reference = &step.item.reference;
        Saved {
            api_version: reference.api_version().into_owned(),
            kind: reference.kind().to_owned(),
            namespace: reference.namespace().unwrap_or_default().to_owned(),
            name: reference.name().to_owned(),
            before: step.live.text.get().to_owned(),
            after: After::Deleted,
        }
    };
    Undo {
        command: COMMAND.to_owned(),
        made_at: now,
        policy: inventory.policy.hash().to_owned(),
        cluster,
        objects: plan.steps.iter().map(save).collect(),
        marks: Vec::new(),
    }
}

/// Where the run notes what it does: the file that was named, or one in this folder for this cluster.
pub(super) fn file(named: Option<&Path>, host: &str, undo: &Undo) -> anyhow::Result<UndoFile> {
    let candidates = match named {
        Some(path) if path.exists() => vec![path.to_owned()],
        Some(_) => Vec::new(),
        None => undo_file::of_cluster(Path::new("."), host),
    };
    if let Some(file) = interrupted(&candidates, undo) {
        return Ok(file);
    }
    let path: PathBuf = named.map_or_else(|| undo_file::default_path(host, undo.made_at), Path::to_owned);
    let file = UndoFile::create(&path, undo)?;
    say(&format!("saved {} objects in {}", undo.objects.len(), path.display()));
    Ok(file)
}

/// The file of a run that was cut off, if all that is left can be brought back with it. Of another one it is told what for.
fn interrupted(candidates: &[PathBuf], undo: &Undo) -> Option<UndoFile> {
    let value = |saved: &Saved| serde_json::from_str::<Value>(&saved.before).ok();
    let holds = |saved: &Saved, one: &Saved| {
        saved.to_string() == one.to_string()
            && value(saved).zip(value(one)).is_some_and(|(saved, live)| is_saved(&saved, &live))
    };
    for path in candidates {
        let Ok((before, _)) = undo_file::read(path) else { continue };
        let cut_off =
            before.command == undo.command && before.cluster.uid == undo.cluster.uid && before.unfinished();
        if !cut_off {
            continue;
        }
        let place = path.display();
        match undo.objects.iter().find(|one| !before.objects.iter().any(|saved| holds(saved, one))) {
            None => {
                let (file, _) = UndoFile::open(path).ok()?;
                say(&format!("going on with the run that was cut off; what it saved is in {place}"));
                return Some(file);
            }
            Some(other) => say(&format!(
                "{place} is of a run that was cut off, and {other} does not stand as it was saved there; what that run removed \
                 comes back with: {}",
                undo_with("purge", path)
            )),
        }
    }
    None
}
