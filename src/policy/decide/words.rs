//! What is said about a decision: to the client, in the log, in `review`.

use super::Case;
use crate::policy::change::{ALLOW_UNTIL, Changes, Why};
use crate::policy::rules::Policy;

impl Case<'_, '_> {
    /// What is refused and why, then what to do instead, as a command.
    pub(super) fn refusal(&self) -> String {
        let target = self.subject.target;
        let until = self.now.checked_add(jiff::ToSpan::hours(1)).unwrap_or(self.now);
        let until = until.round(jiff::Unit::Second).unwrap_or(until);
        format!(
            "CREATE of {target} is refused because the cni-steward policy (mode Block) keeps the VPC CNI from coming \
             back. To create it all the same, let it through for an hour: kubectl annotate --local --overwrite \
             -f FILE {ALLOW_UNTIL}={until} -o yaml | kubectl apply -f -"
        )
    }
}

/// What a set of changes does, in one clause.
pub(super) fn describe(changes: &Changes<'_>, policy: &Policy) -> String {
    let mut parts = Vec::new();
    let count = |whys: &[Why]| changes.edits.iter().filter(|edit| whys.contains(&edit.why)).count();
    let stamps = count(&[Why::Stamp]);
    if let (true, Some(release)) = (stamps > 0, &policy.owner.release) {
        parts.push(format!("stamp it for release {release}"));
    }
    let put_back = count(&[Why::PutBack]);
    if put_back > 0 {
        parts.push(format!("put {put_back} overwritten key{} back", plural(put_back)));
    }
    if changes.managed_fields.is_some() {
        let owner = &policy.owner.manager;
        if changes.moved.is_empty() {
            parts.push(format!("record the stamps as {owner}'s"));
        }
        for moved in &changes.moved {
            parts.push(format!(
                "move {} field{} from {} to {owner}",
                moved.paths,
                plural(moved.paths),
                moved.manager
            ));
        }
    }
    for edit in &changes.edits {
        match (edit.why, &edit.value) {
            (Why::Provenance, Some(word)) => parts.push(format!("record that {word} installed it")),
            (Why::Protect, _) => parts.push("protect it from Cluster API".to_owned()),
            (Why::Release, _) => parts.push("release it to Cluster API".to_owned()),
            _ => {}
        }
    }
    parts.dedup();
    parts.join(", ")
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
