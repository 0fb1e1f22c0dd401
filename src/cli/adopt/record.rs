//! The undo file of a run: a new one, or that of the run that was cut off and is gone on with, so that one file undoes both.

use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;

use super::AdoptArgs;
use crate::adopt::{self, ObjectPlan, Plan, Stored};
use crate::cli::cluster::undo_with;
use crate::cli::greeting::say;
use crate::cli::undo_file::{self, UndoFile};
use crate::policy::Policy;
use crate::telemetry::clock;
use crate::undo::{After, Place, Saved, Undo};

impl AdoptArgs {
    /// A new undo file, or the one of a run that was cut off.
    pub(super) fn undo_file(
        &self,
        place: &Place,
        policy: &Policy,
        stored: &[Stored<'_>],
        plan: &Plan,
    ) -> anyhow::Result<UndoFile> {
        let host = place.url.split("//").last().unwrap_or_default();
        if let Some(file) = self.interrupted(place, host, plan)? {
            return Ok(file);
        }
        let now = clock::now();
        let path = self.undo_file.clone().unwrap_or_else(|| undo_file::default_path(host, now));
        let objects = plan.changes().filter_map(|object| saved(object, stored)).collect();
        let undo = Undo {
            command: "adopt".into(),
            made_at: Timestamp::from_second(now.as_second()).unwrap_or(now),
            policy: policy.hash().to_owned(),
            cluster: place.clone(),
            objects,
            marks: Vec::new(),
        };
        let file = UndoFile::create(&path, &undo)?;
        say(&format!("how things stood is in {}", path.display()));
        Ok(file)
    }

    /// The undo file of a run that did not end, if this run goes on with it.
    fn interrupted(&self, place: &Place, host: &str, plan: &Plan) -> anyhow::Result<Option<UndoFile>> {
        let candidates = match &self.undo_file {
            Some(path) if path.exists() => vec![path.clone()],
            Some(_) => return Ok(None),
            None => undo_file::of_cluster(Path::new("."), host),
        };
        let named = self.undo_file.is_some();
        let mut stale = None;
        for path in candidates {
            let (undo, _) = match undo_file::read(&path) {
                Ok(read) => read,
                Err(error) if named => return Err(error),
                Err(_) => continue,
            };
            let cut_off = undo.unfinished() && undo.command == "adopt" && undo.cluster.uid == place.uid;
            if cut_off && adopt::resumes(&undo, plan) {
                let (file, _) = UndoFile::open(&path)?;
                say(&format!(
                    "going on with the run that was cut off; how things stood before it is in {}",
                    path.display()
                ));
                return Ok(Some(file));
            }
            if named {
                bail!(
                    "{} is there already, and no run goes on with it: it tells of none that was cut off here, or something was \
                     changed since, or another end is wanted now; nothing was changed. Name another file with --undo-file",
                    path.display()
                );
            }
            if cut_off {
                stale.get_or_insert(path);
            }
        }
        if let Some(path) = stale {
            say(&format!(
                "note: a run was cut off, and this one does not go on with it, because something was changed since or another end is \
                 wanted now. To undo both, undo this run first, then: {}",
                undo_with("adopt", &path)
            ));
        }
        Ok(None)
    }
}

fn saved(object: &ObjectPlan, stored: &[Stored<'_>]) -> Option<Saved> {
    let found = stored.iter().find(|one| one.target.to_string() == object.to_string())?;
    let group = found.target.kind.group_resource().0;
    Some(Saved {
        api_version: if group.is_empty() { "v1".into() } else { format!("{group}/v1") },
        kind: object.kind.name().to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        before: found.text?.to_owned(),
        after: After::Changed(object.after.clone()),
    })
}
