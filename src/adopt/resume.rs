//! Whether a run goes on with one that was cut off, so that one undo file is for both.

use super::{ObjectPlan, Plan};
use crate::undo::{After, Mark, Metadata, Saved, Undo};

/// Whether what that run saved is what the plan's objects were before it, and both lead to the same end: else an undo by its file
/// would take what others wrote in between for the run's own.
pub fn resumes(undo: &Undo, plan: &Plan) -> bool {
    let named = |saved: &Saved| {
        let name = saved.to_string();
        plan.objects.iter().find(|object| object.to_string() == name)
    };
    let saves =
        |object: &ObjectPlan| undo.objects.iter().any(|saved| saved.to_string() == object.to_string());
    plan.changes().all(saves)
        && undo.objects.iter().enumerate().all(|(place, saved)| {
            named(saved).is_some_and(|object| goes_on(undo, place, saved, object) == Some(true))
        })
}

fn goes_on(undo: &Undo, place: usize, saved: &Saved, object: &ObjectPlan) -> Option<bool> {
    let After::Changed(planned) = &saved.after else { return None };
    let before = Metadata::of(&saved.before).ok()?;
    let stands = &object.before;
    let wrote = |mark: &Mark| matches!(mark, Mark::Wrote(at, left) if *at == place && stands.same(left));
    let untouched = stands.same(&before) || stands.as_planned(planned) || undo.marks.iter().any(wrote);
    Some(stands.uid == before.uid && untouched && object.after.as_planned(planned))
}
