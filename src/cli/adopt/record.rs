//! The undo file of a run: a new one, or the one of a run that was cut off, so that one file undoes both.

use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;

use super::AdoptArgs;
use crate::adopt::{ObjectPlan, Plan, Stored};
use crate::cli::greeting::say;
use crate::cli::undo_file::{self, UndoFile};
use crate::policy::Policy;
use crate::telemetry::clock;
use crate::undo::{After, Metadata, Place, Saved, Undo};

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

    /// The undo file of a run that did not end, if it knows all objects that are left to write.
    fn interrupted(&self, place: &Place, host: &str, plan: &Plan) -> anyhow::Result<Option<UndoFile>> {
        let candidates = match &self.undo_file {
            Some(path) if path.exists() => vec![path.clone()],
            Some(_) => return Ok(None),
            None => undo_file::of_cluster(Path::new("."), host),
        };
        for path in candidates {
            let named = self.undo_file.is_some();
            let (undo, _) = match undo_file::read(&path) {
                Ok(read) => read,
                Err(error) if named => return Err(error),
                Err(_) => continue,
            };
            let knows = |object: &ObjectPlan| {
                let same = |saved: &Saved| {
                    saved.to_string() == object.to_string()
                        && Metadata::of(&saved.before).is_ok_and(|before| before.uid == object.before.uid)
                };
                undo.objects.iter().any(same)
            };
            if undo.unfinished()
                && undo.command == "adopt"
                && undo.cluster.uid == place.uid
                && plan.changes().all(knows)
            {
                let (file, _) = UndoFile::open(&path)?;
                say(&format!(
                    "going on with the run that was cut off; how things stood before it is in {}",
                    path.display()
                ));
                return Ok(Some(file));
            }
            if named {
                bail!(
                    "{} is there already and is not the file of a run that was cut off here; nothing was changed. Name another \
                     file with --undo-file",
                    path.display()
                );
            }
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
