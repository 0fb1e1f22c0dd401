//! Moving field ownership: each test is one behaviour of `fields::transfer`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails this way")]

use std::fmt::Write as _;

use cni_steward_verdict::fields::{List, Moved, Operation, Outcome, Transfer, Wish, compare, transfer};

const STAMPS: &[&[&str]] = &[
    &["metadata", "labels", "app.kubernetes.io/managed-by"],
    &["metadata", "annotations", "meta.helm.sh/release-name"],
    &["metadata", "annotations", "meta.helm.sh/release-namespace"],
];
const STAMPED: &str = r#""f:annotations":{"f:meta.helm.sh/release-name":{},"f:meta.helm.sh/release-namespace":{}},"f:labels":{"f:app.kubernetes.io/managed-by":{}}"#;
const T1: &str = "2026-01-01T00:00:00Z";
const T2: &str = "2026-02-02T00:00:00Z";
const T3: &str = "2026-03-03T00:00:00Z";

fn entry(manager: &str, operation: &str, time: &str, fields: &str) -> String {
    let time = if time.is_empty() { String::new() } else { format!(r#""time":"{time}","#) };
    format!(
        r#"{{"manager":"{manager}","operation":"{operation}","apiVersion":"apps/v1",{time}"fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
    )
}

fn status(manager: &str) -> String {
    let base = entry(manager, "Update", T1, r#"{"f:status":{"f:numberReady":{}}}"#);
    base.replace("}}}}", r#"}}},"subresource":"status"}"#)
}

fn list(entries: &[&str]) -> String {
    format!("[{}]", entries.join(","))
}

/// `f:metadata` with the stamps, then `more` at the root.
fn stamped(more: &str) -> String {
    format!(r#"{{"f:metadata":{{{STAMPED}}}{more}}}"#)
}

fn wish() -> Wish<'static, 'static> {
    Wish {
        owner: "helm",
        absorb: &|manager| manager == "eks",
        merge: true,
        api_version: "apps/v1",
        own: STAMPS,
        disown: &[],
        now: "2026-11-22T12:34:56.789Z".parse().unwrap(),
    }
}

/// What came out, in values of its own.
#[derive(Debug)]
struct Ran {
    list: Option<String>,
    moved: Vec<Moved>,
    left: Vec<String>,
}

/// Runs the transfer and checks what holds for every one: its own output needs nothing more.
fn run(list: &str, old: Option<&str>, wish: &Wish<'_, '_>) -> Ran {
    let parsed = List::parse(list).unwrap();
    let old = old.map(|old| List::parse(old).unwrap());
    let Outcome { transfer: found, left } = transfer(&parsed, old.as_ref(), wish);
    let Transfer::Replace { list, moved } = found else { return Ran { list: None, moved: Vec::new(), left } };
    let new = list.to_string();
    let again = List::parse(&new).expect("a list");
    assert!(!again.entries.is_empty());
    let later = Wish { now: "2030-01-01T00:00:00Z".parse().unwrap(), ..*wish };
    assert_eq!(transfer(&again, old.as_ref(), &later).transfer, Transfer::Keep, "not a fixed point: {new}");
    drop(again);
    Ran { list: Some(new), moved, left }
}

fn replaced(ran: &Ran) -> &str {
    ran.list.as_deref().unwrap_or_else(|| panic!("kept: {ran:?}"))
}

fn moved(ran: &Ran) -> Vec<(&str, Operation, usize)> {
    ran.moved
        .iter()
        .map(|Moved { manager, operation, paths }| (manager.as_str(), *operation, *paths))
        .collect()
}

fn kept(ran: &Ran) {
    assert_eq!(ran.list, None, "{ran:?}");
}

#[test]
fn the_eks_apply_entry_becomes_the_owners_with_the_stamps() {
    let before = list(&[&entry("eks", "Apply", T1, r#"{"f:spec":{"f:template":{}}}"#)]);
    let outcome = run(&before, None, &wish());
    let after = list(&[&entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:template":{}}"#))]);
    assert_eq!(replaced(&outcome), after);
    assert_eq!(moved(&outcome), [("eks", Operation::Apply, 1)]);
    assert!(outcome.left.is_empty());
}

#[test]
fn apply_and_update_of_an_absorbed_manager_become_one_entry_with_the_newest_time() {
    let before = list(&[
        &entry("eks", "Apply", T2, r#"{"f:spec":{"f:a":{}}}"#),
        &entry("eks", "Update", T3, r#"{"f:spec":{".":{},"f:b":{}}}"#),
    ]);
    let outcome = run(&before, None, &wish());
    let after = entry("helm", "Apply", T3, &stamped(r#","f:spec":{".":{},"f:a":{},"f:b":{}}"#));
    assert_eq!(replaced(&outcome), list(&[&after]));
    assert_eq!(moved(&outcome), [("eks", Operation::Apply, 1), ("eks", Operation::Update, 2)]);
}

#[test]
fn which_managers_are_absorbed_is_the_callers_choice() {
    let before = list(&[
        &entry("argocd-controller", "Apply", T1, r#"{"f:spec":{"f:c":{}}}"#),
        &entry("kubectl-client-side-apply", "Update", T1, r#"{"f:spec":{"f:a":{}}}"#),
        &entry("kubectl-set", "Update", T2, r#"{"f:spec":{"f:b":{}}}"#),
    ]);
    let outcome = run(&before, None, &Wish { absorb: &|manager| manager.starts_with("kubectl"), ..wish() });
    let helm = entry("helm", "Apply", T2, &stamped(r#","f:spec":{"f:a":{},"f:b":{}}"#));
    let argo = entry("argocd-controller", "Apply", T1, r#"{"f:spec":{"f:c":{}}}"#);
    assert_eq!(replaced(&outcome), list(&[&argo, &helm]));
}

#[test]
fn an_owners_apply_entry_is_extended() {
    let before = list(&[
        &entry("eks", "Apply", T2, r#"{"f:spec":{"f:a":{},"f:b":{}}}"#),
        &entry("helm", "Apply", T3, &stamped(r#","f:spec":{"f:b":{},"f:c":{}}"#)),
    ]);
    let outcome = run(&before, None, &wish());
    let after = entry("helm", "Apply", T3, &stamped(r#","f:spec":{"f:a":{},"f:b":{},"f:c":{}}"#));
    assert_eq!(
        replaced(&outcome),
        list(&[&after]),
        "one path owned twice is owned once; time never runs backwards"
    );
}

#[test]
fn an_owners_update_entry_and_duplicates_are_merged() {
    let before = list(&[
        &entry("helm", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#),
        &entry("helm", "Apply", T2, r#"{"f:spec":{"f:b":{}}}"#),
        &entry("helm", "Update", T3, r#"{"f:spec":{"f:c":{}}}"#),
    ]);
    let outcome = run(&before, None, &wish());
    let after = entry("helm", "Apply", T3, &stamped(r#","f:spec":{"f:a":{},"f:b":{},"f:c":{}}"#));
    assert_eq!(replaced(&outcome), list(&[&after]));
    assert_eq!(
        moved(&outcome),
        [("helm", Operation::Update, 1)],
        "the owner's own Apply entries do not count as moved"
    );
}

#[test]
fn an_owner_who_wrote_updates_only_gets_an_apply_entry() {
    let before = list(&[&entry("helm", "Update", T1, r#"{"f:data":{"f:a":{}}}"#)]);
    let outcome = run(&before, None, &Wish { own: &[], ..wish() });
    assert_eq!(replaced(&outcome), list(&[&entry("helm", "Apply", T1, r#"{"f:data":{"f:a":{}}}"#)]));
}

#[test]
fn a_noop_apply_that_brought_eks_back_without_a_time_leaves_the_stored_bytes() {
    let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{},"f:b":{}}"#));
    let set = entry("kubectl-set", "Update", T2, r#"{"f:spec":{"f:c":{}}}"#);
    let old = list(&[&helm, &set]);
    let before = list(&[&entry("eks", "Apply", "", r#"{"f:spec":{"f:a":{},"f:b":{}}}"#), &helm, &set]);
    let outcome = run(&before, Some(&old), &wish());
    assert_eq!(replaced(&outcome), old);
    assert_eq!(moved(&outcome), [("eks", Operation::Apply, 2)]);
}

#[test]
fn stored_bytes_win_over_canonical_ones_and_stored_order_over_sorted() {
    let helm = entry(
        "helm",
        "Apply",
        T3,
        &format!(r#"{{"f:spec":{{"f:b":{{}},"f:a":{{}}}},"f:metadata":{{{STAMPED}}}}}"#),
    );
    let other = entry("aaa", "Apply", T1, r#"{"f:x":{}}"#);
    let old = format!("[ {helm} , {other} ]");
    let before = list(&[&entry("eks", "Apply", "", r#"{"f:spec":{"f:a":{}}}"#), &other, &helm]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish())), old);
}

#[test]
fn paths_that_eks_took_by_force_go_back_and_the_stored_bytes_return() {
    let old = list(&[&entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{},"f:b":{}}"#))]);
    let before = list(&[
        &entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:b":{}}"#)),
        &entry("eks", "Apply", T3, r#"{"f:spec":{"f:a":{}}}"#),
    ]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish())), old);
}

#[test]
fn what_eks_adds_gets_the_time_of_eks() {
    let old = list(&[&entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{}}"#))]);
    let before = list(&[
        &entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{}}"#)),
        &entry("eks", "Apply", T3, r#"{"f:spec":{"f:a":{},"f:new":{}}}"#),
    ]);
    let after = list(&[&entry("helm", "Apply", T3, &stamped(r#","f:spec":{"f:a":{},"f:new":{}}"#))]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish())), after);
}

#[test]
fn a_union_that_equals_the_owners_current_entry_keeps_its_bytes() {
    let helm = entry("helm", "Apply", T2, &stamped(r#","f:spec":{"f:b":{},"f:a":{}}"#));
    let before = list(&[&entry("eks", "Apply", T3, r#"{"f:spec":{"f:a":{}}}"#), &helm]);
    assert_eq!(replaced(&run(&before, None, &wish())), list(&[&helm]));
}

#[test]
fn without_any_time_to_inherit_the_entry_is_of_now_in_whole_seconds() {
    let before = list(&[&entry("eks", "Apply", "", r#"{"f:spec":{"f:a":{}}}"#)]);
    let after = entry("helm", "Apply", "2026-11-22T12:34:56Z", &stamped(r#","f:spec":{"f:a":{}}"#));
    assert_eq!(replaced(&run(&before, None, &wish())), list(&[&after]));
}

#[test]
fn other_managers_and_status_entries_stay_byte_for_byte() {
    let set = entry("kubectl-set", "Update", T1, r#"{"f:spec" : {"f:z":{}, "f:a":{}}}"#);
    let (mine, theirs) = (status("eks"), status("kube-controller-manager"));
    let before = list(&[&entry("eks", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#), &theirs, &set, &mine]);
    let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{}}"#));
    assert_eq!(replaced(&run(&before, None, &wish())), list(&[&helm, &theirs, &set, &mine]));
}

#[test]
fn before_first_apply_moves_only_when_it_is_absorbed() {
    let first = entry("before-first-apply", "Update", T1, r#"{"f:spec":{"f:a":{}}}"#);
    let before = list(&[&entry("eks", "Apply", T1, r#"{"f:spec":{"f:b":{}}}"#), &first]);
    let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:b":{}}"#));
    assert_eq!(replaced(&run(&before, None, &wish())), list(&[&helm, &first]));

    let all = Wish { absorb: &|manager| manager == "eks" || manager == "before-first-apply", ..wish() };
    let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{},"f:b":{}}"#));
    assert_eq!(replaced(&run(&before, None, &all)), list(&[&helm]));
}

#[test]
fn stamps_lost_by_a_put_get_their_paths_back() {
    let full = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{}}"#));
    let put = entry("kubectl-replace", "Update", T3, r#"{"f:spec":{"f:b":{}}}"#);
    let before = list(&[&entry("helm", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#), &put]);
    let old = list(&[&full]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish())), list(&[&full, &put]));
}

#[test]
fn a_stamps_path_that_another_took_is_taken_back() {
    const TOOK: &str = r#"{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}}}"#;
    const MORE: &str =
        r#"{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/managed-by":{},"f:team":{}}}}"#;
    const LESS: &str = r#"{"f:metadata":{"f:labels":{".":{},"f:team":{}}}}"#;
    let full = entry("helm", "Apply", T1, &stamped(""));
    let short = entry(
        "helm",
        "Apply",
        T1,
        &stamped("").replace(r#","f:labels":{"f:app.kubernetes.io/managed-by":{}}"#, ""),
    );
    let wish = Wish { disown: STAMPS, ..wish() };

    let old = list(&[&full]);
    let before = list(&[&short, &entry("kubectl-label", "Update", T2, TOOK)]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish)), old, "an entry of nothing else goes");

    let before = list(&[&short, &entry("kubectl-label", "Update", T2, MORE)]);
    let after = list(&[&full, &entry("kubectl-label", "Update", T2, LESS)]);
    assert_eq!(replaced(&run(&before, Some(&old), &wish)), after, "an entry of more shrinks");

    let old = list(&[&full, &entry("kubectl-label", "Update", T1, LESS)]);
    assert_eq!(
        replaced(&run(&before, Some(&old), &wish)),
        old,
        "and is the stored one if that says the same"
    );
}

#[test]
fn disowning_spares_the_owner_subresources_and_what_cannot_be_read() {
    let helm = entry("helm", "Apply", T1, &stamped(""));
    let odd = entry("kubectl-label", "Update", T1, r#"{"f:metadata":{"nonsense":{}}}"#);
    let theirs = status("kubectl").replace(r#"{"f:status":{"f:numberReady":{}}}"#, &stamped(""));
    let before = list(&[&helm, &odd, &theirs]);
    kept(&run(&before, None, &Wish { disown: STAMPS, ..wish() }));
}

#[test]
fn an_entry_of_another_api_version_stays_and_is_named() {
    let other =
        entry("eks", "Update", T1, r#"{"f:spec":{"f:a":{}}}"#).replace("apps/v1", "extensions/v1beta1");
    let before = list(&[&entry("eks", "Apply", T1, r#"{"f:spec":{"f:b":{}}}"#), &other]);
    let outcome = run(&before, None, &wish());
    let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:b":{}}"#));
    assert_eq!(replaced(&outcome), list(&[&helm, &other]));
    assert_eq!(outcome.left, ["eks Update stays: it has paths of extensions/v1beta1"]);
}

#[test]
fn an_entry_whose_paths_cannot_be_read_stays_and_is_named() {
    let odd = entry("eks", "Apply", T1, r#"{"f:spec":{"k:{\"name\":}":{}}}"#);
    let before = list(&[&odd]);
    let outcome = run(&before, None, &wish());
    let helm = entry("helm", "Apply", "2026-11-22T12:34:56Z", &stamped(""));
    assert_eq!(replaced(&outcome), list(&[&odd, &helm]));
    assert_eq!(outcome.left, ["eks Apply stays: its paths cannot be read"]);
}

#[test]
fn nothing_moves_when_the_owners_entry_is_of_another_api_version_or_unreadable() {
    let eks = entry("eks", "Apply", T1, r#"{"f:spec":{"f:b":{}}}"#);
    let other = entry("helm", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#).replace("apps/v1", "apps/v1beta2");
    let outcome = run(&list(&[&eks, &other]), None, &wish());
    kept(&outcome);
    assert_eq!(outcome.left, ["nothing moves: helm Apply has paths of apps/v1beta2"]);

    let odd = entry("helm", "Apply", T1, r#"{"spec":{}}"#);
    let outcome = run(&list(&[&eks, &odd]), None, &wish());
    kept(&outcome);
    assert_eq!(outcome.left, ["nothing moves: the paths of helm Apply cannot be read"]);
}

#[test]
fn sentences_stay_short_and_on_one_line() {
    let long = format!("eks\\n{}", "é".repeat(120));
    let api = "a".repeat(200);
    let other = entry(&long, "Update", T1, "{}").replace("apps/v1", &api);
    let outcome = run(&list(&[&other]), None, &Wish { absorb: &|_| true, ..wish() });
    assert!(outcome.left.iter().all(|s| s.chars().count() <= 100 && !s.contains('\n')), "{:?}", outcome.left);
    assert_eq!(outcome.left.len(), 1);
}

#[test]
fn stamp_mode_adds_the_stamps_alone() {
    let stamp = Wish { merge: false, ..wish() };
    let eks = entry("eks", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#);
    let helm = entry("helm", "Apply", "2026-11-22T12:34:56Z", &stamped(""));
    let outcome = run(&list(&[&eks]), None, &stamp);
    assert_eq!(replaced(&outcome), list(&[&eks, &helm]));
    assert!(moved(&outcome).is_empty());

    let update = entry("helm", "Update", T1, r#"{"f:spec":{"f:b":{}}}"#);
    assert_eq!(replaced(&run(&list(&[&eks, &update]), None, &stamp)), list(&[&eks, &helm, &update]));
}

#[test]
fn stamp_mode_writes_into_the_duplicate_that_the_api_server_keeps() {
    let first = entry("helm", "Apply", T3, r#"{"f:spec":{"f:a":{}}}"#);
    let last = entry("helm", "Apply", T1, r#"{"f:spec":{"f:b":{}}}"#);
    let tail = entry("kubectl-set", "Update", T1, r#"{"f:spec":{"f:c":{}}}"#);
    let outcome = run(&list(&[&first, &last, &tail]), None, &Wish { merge: false, ..wish() });
    let now = entry("helm", "Apply", "2026-11-22T12:34:56Z", &stamped(r#","f:spec":{"f:b":{}}"#));
    assert_eq!(replaced(&outcome), list(&[&first, &now, &tail]));
}

#[test]
fn stamp_mode_puts_a_renewed_entry_where_its_new_time_belongs() {
    let helm = entry("helm", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#);
    let eks = entry("eks", "Apply", T2, r#"{"f:spec":{"f:b":{}}}"#);
    let outcome = run(&list(&[&helm, &eks]), None, &Wish { merge: false, ..wish() });
    let now = entry("helm", "Apply", "2026-11-22T12:34:56Z", &stamped(r#","f:spec":{"f:a":{}}"#));
    assert_eq!(
        replaced(&outcome),
        list(&[&eks, &now]),
        "else the API server's next no-op is written to etcd"
    );
}

#[test]
fn a_list_that_is_absent_empty_or_no_list_is_left_alone() {
    assert_eq!(transfer(&List::default(), None, &wish()).transfer, Transfer::Keep);
    kept(&run("[]", None, &wish()));
    for text in ["null", "", "{}", "[", "[1,]", "nonsense", "[{}] x"] {
        assert!(List::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_list_that_is_as_wished_is_kept_whatever_its_bytes() {
    let helm =
        entry("helm", "Apply", T1, &format!(r#"{{ "f:metadata" : {{{STAMPED},"f:aaa":{{".":{{}}}}}}}}"#));
    kept(&run(&format!("[ {helm}\n]"), None, &wish()));
    kept(&run(&format!("[ {helm}\n]"), Some("[]"), &wish()));
}

#[test]
fn an_empty_set_never_becomes_an_owners_entry_and_a_list_never_becomes_empty() {
    let bare = Wish { own: &[], disown: STAMPS, ..wish() };
    kept(&run(&list(&[&entry("eks", "Apply", T1, "{}")]), None, &bare));
    let gone = entry("kubectl-label", "Update", T1, &stamped(""));
    kept(&run(&list(&[&gone]), None, &bare));
    let outcome = run(&list(&[&entry("eks", "Apply", T1, "null"), &gone]), None, &bare);
    assert_eq!(replaced(&outcome), list(&[&entry("eks", "Apply", T1, "null")]));
}

#[test]
fn entries_that_are_not_understood_pass_through() {
    let eks = entry("eks", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#);
    let odd = [
        "7".to_owned(),
        "{}".to_owned(),
        "[[]]".to_owned(),
        eks.replace("Apply", "apply"),
        eks.replace("apps/v1", ""),
        eks.replace("FieldsV1\",", "FieldsV2\","),
        eks.replace(r#""eks""#, "7"),
        eks.replace(r#""eks""#, "null"),
        eks.replace(r#"{"manager"#, r#"{"future":true,"manager"#),
        eks.replace(r#"{"manager"#, r#"{"manager":"eks","manager"#),
        eks.replace(r#"{"f:spec":{"f:a":{}}}"#, "[]"),
        eks.replace(&format!(r#""{T1}""#), "12"),
    ];
    for odd in &odd {
        let before = list(&[odd, &eks]);
        let parsed = List::parse(&before).unwrap();
        assert!(parsed.entries[0].known.is_none(), "{odd}");
        let helm = entry("helm", "Apply", T1, &stamped(r#","f:spec":{"f:a":{}}"#));
        assert_eq!(replaced(&run(&before, None, &wish())), list(&[odd, &helm]));
    }
}

#[test]
fn elements_of_an_unknown_kind_survive_the_union() {
    let before = list(&[
        &entry("eks", "Apply", T1, r#"{"z:new":{"anything":{}},"f:spec":{"x:<a>":{},"f:a":{}}}"#),
        &entry("eks", "Update", T1, r#"{"f:spec":{"x:b":{},"k:{\"p\":80}":{}}}"#),
    ]);
    let union = r#","f:spec":{"f:a":{},"k:{\"p\":80}":{},"x:<a>":{},"x:b":{}},"z:new":{"anything":{}}"#;
    assert_eq!(replaced(&run(&before, None, &wish())), list(&[&entry("helm", "Apply", T1, &stamped(union))]));
}

#[test]
fn keys_are_ordered_by_number_not_by_text() {
    let before = list(&[
        &entry("eks", "Apply", T1, r#"{"f:ports":{"k:{\"containerPort\":61678,\"protocol\":\"TCP\"}":{}}}"#),
        &entry("eks", "Update", T1, r#"{"f:ports":{"k:{\"protocol\":\"TCP\",\"containerPort\":8080}":{}}}"#),
    ]);
    let union = r#"{"f:ports":{"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{},"k:{\"containerPort\":61678,\"protocol\":\"TCP\"}":{}}}"#;
    let outcome = run(&before, None, &Wish { own: &[], ..wish() });
    assert_eq!(replaced(&outcome), list(&[&entry("helm", "Apply", T1, union)]));
}

#[test]
fn names_of_128_characters_and_names_with_escapes_are_fine() {
    let owner = "m".repeat(128);
    let before = list(&[&entry(r#"a\"<b"#, "Apply", T1, r#"{"f:a":{}}"#)]);
    let named = Wish { owner: &owner, absorb: &|manager| manager == "a\"<b", own: &[], ..wish() };
    assert_eq!(replaced(&run(&before, None, &named)), list(&[&entry(&owner, "Apply", T1, r#"{"f:a":{}}"#)]));

    let back = Wish { owner: "a\"<b", absorb: &|manager| manager.len() == 128, own: &[], ..wish() };
    let before = list(&[&entry(&owner, "Apply", T1, r#"{"f:a":{}}"#)]);
    let escaped = list(&[&entry(r#"a\"\u003cb"#, "Apply", T1, r#"{"f:a":{}}"#)]);
    assert_eq!(replaced(&run(&before, None, &back)), escaped, "as Go writes strings");
}

#[test]
fn the_owners_entry_stands_where_the_api_server_sorts_it() {
    let argo = entry("argo", "Apply", T2, r#"{"f:a":{}}"#);
    let zoo = entry("zoo", "Apply", T2, r#"{"f:a":{}}"#);
    let late = entry("argo", "Apply", T3, r#"{"f:b":{}}"#);
    let none = entry("none", "Apply", "", r#"{"f:b":{}}"#);
    let update = entry("argo", "Update", T1, r#"{"f:a":{}}"#);
    let before = list(&[&none, &argo, &entry("eks", "Apply", T2, r#"{"f:c":{}}"#), &zoo, &late, &update]);
    let helm = entry("helm", "Apply", T2, r#"{"f:c":{}}"#);
    let outcome = run(&before, None, &Wish { own: &[], ..wish() });
    assert_eq!(replaced(&outcome), list(&[&none, &argo, &helm, &zoo, &late, &update]));
}

#[test]
fn more_paths_than_an_object_can_hold_stay_where_they_are_and_that_is_said() {
    let fields = |count: usize, name: &dyn Fn(usize) -> String| {
        let names: Vec<String> = (0..count).map(|at| format!(r#""f:{}":{{}}"#, name(at))).collect();
        format!("{{{}}}", names.join(","))
    };
    let in_order = |at: usize| format!("{at:06}");
    let in_no_order = |at: usize| (at ^ 1).to_string();
    for (what, most, name) in
        [("canonical", 1 << 18, &in_order as &dyn Fn(usize) -> String), ("no order", 1 << 16, &in_no_order)]
    {
        for (count, moves) in [(most - 10, true), (most + 10, false)] {
            let given = list(&[&entry("eks", "Apply", T1, &fields(count, name))]);
            let ran = run(&given, None, &Wish { own: &[], ..wish() });
            assert_eq!(ran.list.is_some(), moves, "{what}: {count} paths");
            let said: &[&str] = if moves { &[] } else { &["eks Apply stays: its paths cannot be read"] };
            assert_eq!(ran.left, said, "{what}: {count} paths");
        }
    }
    // Two entries share what there is.
    let half = |from: usize| fields((1 << 17) + 10, &|at| in_order(at + from));
    let given = list(&[&entry("eks", "Apply", T1, &half(0)), &entry("eks", "Update", T1, &half(300_000))]);
    let ran = run(&given, None, &Wish { own: &[], ..wish() });
    assert_eq!(ran.left, ["eks Update stays: its paths cannot be read"]);
    assert_eq!(moved(&ran), [("eks", Operation::Apply, (1 << 17) + 10)]);
}

#[test]
fn more_entries_than_an_object_can_hold_are_no_list() {
    for (count, read) in [(1 << 14, true), ((1 << 14) + 1, false)] {
        let given = format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(List::parse(&given).map(|list| list.entries.len()), read.then_some(count));
    }
}

#[test]
fn five_hundred_entries_are_no_trouble() {
    let entries: Vec<String> = (0..500)
        .map(|n| {
            let manager = if n % 2 == 0 { format!("eks-{n:03}") } else { format!("other-{n:03}") };
            entry(
                &manager,
                if n < 250 { "Apply" } else { "Update" },
                T1,
                &format!(r#"{{"f:data":{{"f:k{n:03}":{{}}}}}}"#),
            )
        })
        .collect();
    let refs: Vec<&str> = entries.iter().map(String::as_str).collect();
    let outcome = run(&list(&refs), None, &Wish { absorb: &|m| m.starts_with("eks"), own: &[], ..wish() });
    let mut union = String::new();
    for n in (0..500).step_by(2) {
        write!(union, r#"{}"f:k{n:03}":{{}}"#, if n > 0 { "," } else { "" }).unwrap();
    }
    let helm = entry("helm", "Apply", T1, &format!(r#"{{"f:data":{{{union}}}}}"#));
    let mut after: Vec<&str> = refs.iter().copied().filter(|text| text.contains("other")).collect();
    after.insert(0, &helm);
    assert_eq!(replaced(&outcome), list(&after));
    assert_eq!(moved(&outcome).len(), 250);
}

#[test]
fn a_comparison_names_the_holders_of_each_changed_path() {
    let before = list(&[
        &entry("eks", "Apply", T1, r#"{"f:spec":{"f:a":{},"k:{\"name\":\"x\"}":{"f:image":{}}}}"#),
        &entry("helm", "Apply", T1, r#"{"f:spec":{"f:a":{}}}"#),
        &status("eks"),
    ]);
    let outcome = run(&before, None, &Wish { own: &STAMPS[..1], ..wish() });
    let changes = compare(&List::parse(&before).unwrap(), &List::parse(replaced(&outcome)).unwrap());
    let lines: Vec<String> =
        changes.iter().map(|c| format!("{}: {} -> {}", c.path, c.from.join("+"), c.to.join("+"))).collect();
    assert_eq!(
        lines,
        [
            r".metadata.labels.app\.kubernetes\.io/managed-by:  -> helm/Apply",
            ".spec.a: eks/Apply+helm/Apply -> helm/Apply",
            r#".spec[name="x"].image: eks/Apply -> helm/Apply"#,
        ]
    );
}

#[test]
fn an_entry_that_says_again_what_it_said_stands_where_its_old_time_puts_it() {
    let helm = entry("helm", "Apply", T3, &stamped(""));
    let label = |time: &str, more: &str| {
        entry("kubectl-label", "Update", time, &format!(r#"{{"f:data":{{}}{more}}}"#))
    };
    let terraform = entry("terraform", "Update", T2, r#"{"f:spec":{}}"#);
    let stored = list(&[&helm, &label(T1, ""), &terraform]);
    let took = label(T3, r#","f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}}"#);
    let rest = entry(
        "helm",
        "Apply",
        T3,
        r#"{"f:metadata":{"f:annotations":{"f:meta.helm.sh/release-name":{},"f:meta.helm.sh/release-namespace":{}}}}"#,
    );
    let before = list(&[&rest, &terraform, &took]);
    assert_eq!(replaced(&run(&before, Some(&stored), &Wish { disown: STAMPS, ..wish() })), stored);
    let edited = entry("terraform", "Update", T2, r#"{"f:spec":{"f:a":{}}}"#);
    let before = list(&[&rest, &edited, &took]);
    let outcome = run(&before, Some(&stored), &Wish { disown: STAMPS, ..wish() });
    assert_eq!(replaced(&outcome), list(&[&helm, &label(T1, ""), &edited]));
}
