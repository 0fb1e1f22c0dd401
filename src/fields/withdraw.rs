//! A manager gives up paths: what the reconciler does with the entry that the API server made for its own write.
//!
//! What admission adds belongs to nobody, since tracking has run before. A repair is a PATCH, and the API server records
//! its paths as the patcher's; taken out again, a repaired object is what admission would have made of it.

use super::entry::{List, Operation};
use super::rewrite;

/// The list without `paths` in the root Update entry of `manager`. `None` when that changes nothing, and when nothing would
/// be left: an emptied list gives every field to `before-first-apply`.
pub fn withdraw(list: &List<'_>, manager: &str, paths: &[&[&str]]) -> Option<String> {
    let mut entries = Vec::with_capacity(list.entries.len());
    let mut changed = false;
    for entry in &list.entries {
        let ours = entry.known.as_ref().filter(|known| {
            known.is_root() && known.operation == Operation::Update && known.manager == manager
        });
        let Some((known, set)) = ours.and_then(|known| Some((known, rewrite::without(known, paths)?))) else {
            entries.push(entry.raw.into());
            continue;
        };
        changed = true;
        if !set.is_empty() {
            let time = known.time.as_deref();
            entries.push(rewrite::write(manager, Operation::Update, &known.api_version, time, set.text()));
        }
    }
    (changed && !entries.is_empty()).then(|| rewrite::join(entries.into_iter()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &[&[&str]] = &[&["metadata", "labels"], &["metadata", "labels", "a.b/c"]];

    fn entry(manager: &str, operation: &str, fields: &str) -> String {
        format!(
            r#"{{"manager":"{manager}","operation":"{operation}","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
        )
    }

    fn without(entries: &[String]) -> Option<String> {
        let text = format!("[{}]", entries.join(","));
        withdraw(&List::parse(&text).unwrap(), "us", PATHS)
    }

    #[test]
    fn an_entry_of_nothing_else_goes_and_the_others_stay_byte_for_byte() {
        let other = entry("helm", "Apply", r#"{"f:metadata":{"f:labels":{"f:a.b/c":{}}}}"#);
        let ours = entry("us", "Update", r#"{"f:metadata":{"f:labels":{".":{},"f:a.b/c":{}}}}"#);
        assert_eq!(without(&[other.clone(), ours]), Some(format!("[{other}]")));
    }

    #[test]
    fn other_paths_of_the_same_entry_stay() {
        let other = entry("helm", "Apply", "{}");
        let ours = entry("us", "Update", r#"{"f:data":{},"f:metadata":{"f:labels":{"f:a.b/c":{}}}}"#);
        let less = entry("us", "Update", r#"{"f:data":{}}"#);
        assert_eq!(without(&[ours, other.clone()]), Some(format!("[{less},{other}]")));
    }

    #[rstest::rstest]
    #[case::nothing_of_it("us", "Update", r#"{"f:data":{}}"#)]
    #[case::an_apply("us", "Apply", r#"{"f:metadata":{"f:labels":{"f:a.b/c":{}}}}"#)]
    #[case::another_s("them", "Update", r#"{"f:metadata":{"f:labels":{"f:a.b/c":{}}}}"#)]
    fn nothing_changes(#[case] manager: &str, #[case] operation: &str, #[case] fields: &str) {
        assert_eq!(without(&[entry("helm", "Apply", "{}"), entry(manager, operation, fields)]), None);
    }

    #[test]
    fn a_list_is_never_emptied() {
        assert_eq!(without(&[entry("us", "Update", r#"{"f:metadata":{"f:labels":{"f:a.b/c":{}}}}"#)]), None);
    }
}
