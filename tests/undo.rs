//! The undo file as text, and the way back of one object, whoever wrote in between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use cni_steward::undo::{After, Mark, Metadata, Place, Restoration, Saved, State, Undo, restore, text};
use jiff::Timestamp;
use serde_json::{Value, json};

const RELEASE: &str = "meta.helm.sh/release-name";
const PAUSE: &str = "cni-steward.dev/allow-until";

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn entry(manager: &str, operation: &str, time: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": time,
           "fieldsType": "FieldsV1", "fieldsV1": fields})
}

fn eks() -> Value {
    let fields = json!({"f:metadata": {"f:labels": {"f:k8s-app": {}}}, "f:spec": {"f:template": {}}});
    entry("eks", "Apply", "2026-01-01T11:00:00Z", &fields)
}

fn status() -> Value {
    let mut entry =
        entry("kubelet", "Update", "2026-01-01T11:30:00Z", &json!({"f:status": {"f:numberReady": {}}}));
    entry["subresource"] = json!("status");
    entry
}

fn helm(time: &str) -> Value {
    let fields = json!({
        "f:metadata": {"f:annotations": {(format!("f:{RELEASE}")): {}}, "f:labels": {"f:k8s-app": {}}},
        "f:spec": {"f:template": {}},
    });
    entry("helm", "Apply", time, &fields)
}

fn ours() -> Value {
    let fields = json!({"f:metadata": {"f:annotations": {".": {}, (format!("f:{PAUSE}")): {}}}});
    entry("cni-steward", "Update", "2026-01-01T12:00:00Z", &fields)
}

fn object(version: &str, annotations: &Value, entries: &[Value]) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
        "name": "aws-node", "namespace": "kube-system", "uid": "u1", "resourceVersion": version,
        "creationTimestamp": "2026-01-01T11:00:00Z", "generation": 3,
        "labels": {"k8s-app": "aws-node"}, "annotations": annotations, "managedFields": entries},
        "spec": {"template": {"spec": {}}}, "status": {"numberReady": 2}})
}

/// As EKS made it.
fn before() -> Value {
    object("41", &json!({"note": "a\"b<&>"}), &[eks(), status()])
}

/// As adopt left it.
fn adopted() -> Value {
    object(
        "43",
        &json!({"note": "a\"b<&>", RELEASE: "aws-vpc-cni"}),
        &[helm("2026-01-01T11:59:00Z"), status()],
    )
}

fn metadata(object: &Value) -> Metadata {
    Metadata::of(&object.to_string()).unwrap()
}

fn saved(after: After) -> Saved {
    Saved {
        api_version: "apps/v1".into(),
        kind: "DaemonSet".into(),
        namespace: "kube-system".into(),
        name: "aws-node".into(),
        before: before().to_string(),
        after,
    }
}

fn changed() -> Saved {
    saved(After::Changed(metadata(&adopted())))
}

fn undo() -> Undo {
    Undo {
        command: "adopt".into(),
        made_at: now(),
        policy: "0123456789ab".into(),
        cluster: Place { uid: "c1".into(), url: "https://a:443".into() },
        objects: vec![changed(), saved(After::Deleted)],
        marks: Vec::new(),
    }
}

/// The file with these marks.
fn file(marks: &[Mark]) -> String {
    let mut file = undo().text();
    for mark in marks {
        let last = file.trim_end().rsplit('\n').next().unwrap().to_owned();
        file.push_str(&text::mark(mark, &last));
    }
    file
}

fn marks() -> Vec<Mark> {
    vec![Mark::Wrote(0, metadata(&adopted())), Mark::Done(0), Mark::Finished, Mark::Undone]
}

#[test]
fn what_is_written_is_read_again() {
    let read = Undo::parse("f", &file(&marks())).unwrap();
    assert_eq!(read, Undo { marks: marks(), ..undo() });
    assert_eq!(read.objects[0].before, before().to_string(), "byte for byte");
    assert_eq!(read.left(0), Some(&metadata(&adopted())));
    assert_eq!(Undo::parse("f", &file(&marks()[..1])).unwrap().left(0), None, "not done with it");
}

#[test]
fn an_object_is_kept_byte_for_byte_but_for_line_breaks_between_its_tokens() {
    let object = before().to_string();
    for (given, kept) in [
        (object.replace("\":", "\":\r\t "), object.replace("\":", "\":\r\t ")),
        (object.replace(",\"", ",\r\n\""), object.replace(",\"", ",\r \"")),
    ] {
        let saved = Saved { before: given.clone(), ..saved(After::Deleted) };
        let text = Undo { objects: vec![saved], ..undo() }.text();
        let read = Undo::parse("f", &text).unwrap();
        assert_eq!(read.objects[0].before, kept, "of {given:?}");
        assert_eq!(read.text(), text, "and written again it is the same");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_noticed_or_loses_only_a_mark() {
    let file = file(&marks());
    let sealed = undo().text().len();
    for end in 0..file.len() {
        let read = Undo::parse("f", &file[..end]);
        if end < sealed {
            let problem = read.unwrap_err().to_string();
            assert!(
                problem.starts_with("f:") && problem.contains("as cni-steward wrote it"),
                "{end}: {problem}"
            );
        } else {
            let read = read.unwrap_or_else(|problem| panic!("{end}: {problem}"));
            assert_eq!(read.objects, undo().objects);
            assert!(marks().starts_with(&read.marks), "{end}: {:?}", read.marks);
        }
    }
}

#[test]
fn any_edited_byte_is_noticed() {
    let file = file(&marks());
    for at in 0..file.len() {
        let mut bytes = file.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let edited = String::from_utf8(bytes).unwrap();
        // A mark whose line has lost its end counts as cut off.
        let read = Undo::parse("f", &edited);
        let cut = at + 1 == file.len() && read.is_ok();
        assert!(read.is_err() || cut, "byte {at} of {edited}");
    }
}

#[test]
fn an_error_names_line_and_field() {
    for (from, to, expected) in [
        ("\"kind\":\"Undo\"", "\"kind\":\"Undid\"", "f:1: field `kind`: expected \"Undo\", found \"Undid\""),
        ("v1alpha1", "v9", "f:1: field `apiVersion`: expected \"cni-steward.dev/v1alpha1\", found"),
        (
            "\"madeAt\":\"2026-01-01T12:00:00Z\"",
            "\"madeAt\":\"noon\"",
            "f:1: field `madeAt`: expected an RFC 3339 time",
        ),
        ("\"command\":\"adopt\",", "", "f:1: field `command`: it is missing"),
        ("\"objects\":2", "\"objects\":9", "tells of 9 objects"),
        ("note", "nota", "f:4: field `sha256` is not the checksum"),
        ("\"finished\":true", "\"finished\":null", "f:7: field `sum`: the mark was edited"),
    ] {
        let edited = file(&marks()).replacen(from, to, 1);
        let problem = Undo::parse("f", &edited).unwrap_err().to_string();
        assert!(problem.contains(expected), "expected {expected:?} in {problem:?}");
    }
}

/// Applies the planned write as an API server without field tracking would.
#[track_caller]
fn written(object: &Value, plan: &Restoration) -> Value {
    let Some(patch) = &plan.step else { panic!("expected a patch: {plan:?}") };
    let patch: json_patch::Patch = serde_json::from_str(patch).unwrap();
    let lock = json!({"op": "replace", "path": "/metadata/resourceVersion",
                      "value": object["metadata"]["resourceVersion"]});
    assert_eq!(serde_json::to_value(&patch.0[0]).unwrap(), lock);
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).unwrap();
    let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    object
}

fn look(saved: &Saved, left: Option<&Metadata>, object: &Value) -> Restoration {
    restore(saved, left, Some(&object.to_string()), now())
}

/// What tracking makes of the first write of an undo.
fn tracked(mut object: Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array_mut().unwrap();
    entries.retain(|entry| entry["manager"] != "cni-steward");
    for entry in entries.iter_mut().filter(|entry| entry["manager"] == "helm") {
        entry["fieldsV1"]["f:metadata"].as_object_mut().unwrap().remove("f:annotations");
    }
    entries.push(ours());
    object
}

/// Writes until nothing is left to write.
#[track_caller]
fn restored(saved: &Saved, left: Option<&Metadata>, object: &Value) -> (Value, Restoration) {
    let mut object = object.clone();
    for _ in 0..3 {
        let plan = look(saved, left, &object);
        if plan.step.is_none() {
            return (object, plan);
        }
        let keys = !plan.edits.is_empty() || !object["metadata"]["annotations"][PAUSE].is_string();
        object = written(&object, &plan);
        if keys {
            object = tracked(object);
        }
    }
    panic!("it never comes to an end");
}

/// Expects all as before but the version and the pause.
#[track_caller]
fn assert_back(object: &Value) {
    let mut object = object.clone();
    let pause = object["metadata"]["annotations"].as_object_mut().unwrap().remove(PAUSE);
    assert_eq!(pause, Some(json!("2026-01-01T13:00:00Z")));
    object["metadata"]["resourceVersion"] = json!("41");
    assert_eq!(object.to_string(), before().to_string());
}

#[test]
fn an_adoption_is_undone_byte_for_byte() {
    let left = metadata(&adopted());
    for left in [Some(&left), None] {
        let first = look(&changed(), left, &adopted());
        assert_eq!((first.state, first.edits.len(), &first.kept), (State::ToRestore, 1, &Vec::new()));
        assert!(first.fields.iter().any(|change| change.to == ["eks/Apply"]), "{first:?}");
        let (object, last) = restored(&changed(), left, &adopted());
        assert_back(&object);
        assert_eq!((last.state, last.kept), (State::Restored, Vec::new()));
    }
}

#[test]
fn what_was_never_changed_is_left_without_a_pause() {
    let plan = look(&changed(), None, &before());
    assert_eq!((plan.state, plan.step), (State::Restored, None));
}

#[test]
fn a_run_that_was_killed_between_its_writes_is_undone() {
    // The stamps are ours, and helm has the rest.
    let mut half = adopted();
    let entries = half["metadata"]["managedFields"].as_array_mut().unwrap();
    entries[0]["fieldsV1"]["f:metadata"].as_object_mut().unwrap().remove("f:annotations");
    let stamps = json!({"f:metadata": {"f:annotations": {(format!("f:{RELEASE}")): {}}}});
    entries.push(entry("cni-steward", "Update", "2026-01-01T12:00:00Z", &stamps));
    assert_back(&restored(&changed(), None, &half).0);
}

#[test]
fn a_status_written_since_does_not_count_and_stays() {
    let mut later = adopted();
    later["metadata"]["managedFields"][1]["time"] = json!("2026-01-01T11:59:30Z");
    let (mut object, last) = restored(&changed(), Some(&metadata(&adopted())), &later);
    assert_eq!(object["metadata"]["managedFields"][1]["time"], "2026-01-01T11:59:30Z");
    assert_eq!(last.kept, Vec::<String>::new());
    object["metadata"]["managedFields"][1] = status();
    assert_back(&object);
}

#[test]
fn what_others_changed_since_stays_and_is_told() {
    let mut later = adopted();
    later["metadata"]["annotations"][RELEASE] = json!("mine");
    later["metadata"]["annotations"]["theirs"] = json!("x");
    let theirs = json!({"f:metadata": {"f:annotations": {(format!("f:{RELEASE}")): {}, "f:theirs": {}}}});
    let theirs = entry("kubectl-annotate", "Update", "2026-01-01T11:59:30Z", &theirs);
    let entries = later["metadata"]["managedFields"].as_array_mut().unwrap();
    entries[0]["fieldsV1"]["f:metadata"].as_object_mut().unwrap().remove("f:annotations");
    entries.push(theirs.clone());
    let plan = look(&changed(), Some(&metadata(&adopted())), &later);
    assert_eq!(plan.kept, [format!("metadata.annotations[{RELEASE}] was changed since: it stays \"mine\"")]);
    let object = written(&later, &plan);
    let object = written(&object, &look(&changed(), Some(&metadata(&adopted())), &object));
    let annotations = &object["metadata"]["annotations"];
    assert_eq!((&annotations[RELEASE], &annotations["theirs"]), (&json!("mine"), &json!("x")));
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.contains(&eks()) && entries.contains(&theirs), "{entries:?}");
    assert!(!entries.iter().any(|entry| entry["manager"] == "helm"), "{entries:?}");
}

#[test]
fn an_entry_that_came_back_by_itself_keeps_what_it_holds_and_gets_what_it_held() {
    let mut later = adopted();
    let less = json!({"f:spec": {"f:updateStrategy": {}}});
    later["metadata"]["managedFields"].as_array_mut().unwrap().push(entry(
        "eks",
        "Apply",
        "2026-01-01T11:59:30Z",
        &less,
    ));
    let (object, last) = restored(&changed(), None, &later);
    assert_eq!(last.kept, ["eks/Apply wrote since: it keeps what it holds now too"]);
    let eks = &object["metadata"]["managedFields"][0];
    assert_eq!(eks["manager"], "eks");
    assert_eq!(eks["fieldsV1"]["f:spec"], json!({"f:template": {}, "f:updateStrategy": {}}));
}

/// Whoever reads JSON and writes it again, as a backup does, may write the same entry in other bytes than Go.
#[test]
fn an_entry_that_came_back_in_other_bytes_is_not_written_without_end() {
    let theirs = |fields: Value| entry("a>b", "Apply", "2026-01-01T11:00:00Z", &fields);
    let fields = [json!({"f:spec": {"f:paused": {}}}), json!({"f:spec": {"f:updateStrategy": {}}})];
    let [mut before, mut later] = [before(), adopted()];
    for (object, fields) in [(&mut before, &fields[0]), (&mut later, &fields[1])] {
        object["metadata"]["managedFields"].as_array_mut().unwrap().push(theirs(fields.clone()));
    }
    let saved = Saved { before: before.to_string(), ..changed() };
    let (object, last) = restored(&saved, None, &later);
    assert_eq!(last.kept, ["a>b/Apply wrote since: it keeps what it holds now too"]);
    let both = theirs(json!({"f:spec": {"f:paused": {}, "f:updateStrategy": {}}}));
    assert!(object["metadata"]["managedFields"].as_array().unwrap().contains(&both), "{object}");
}

/// Between the look at an object and our write, so that he is in what we left and not in what was saved.
#[test]
fn who_wrote_just_before_us_keeps_his_entry() {
    let mut left = adopted();
    let fields = json!({"f:spec": {"f:updateStrategy": {}}});
    let theirs = entry("kubectl-set", "Update", "2026-01-01T11:58:00Z", &fields);
    left["metadata"]["managedFields"].as_array_mut().unwrap().push(theirs.clone());
    let (object, last) = restored(&changed(), Some(&metadata(&left)), &left);
    assert_eq!((last.state, last.kept), (State::Restored, Vec::new()));
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.contains(&eks()) && entries.contains(&theirs), "{entries:?}");
    assert!(!entries.iter().any(|entry| entry["manager"] == "helm"), "{entries:?}");
}

/// The entry that we merged held more than the one that was saved.
#[test]
fn what_came_to_the_owner_and_nobody_held_before_stays_with_it_and_is_told() {
    let mut left = adopted();
    left["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:updateStrategy"] = json!({});
    let (object, last) = restored(&changed(), Some(&metadata(&left)), &left);
    let told = ["helm/Apply keeps what nobody held before: .spec.updateStrategy"];
    assert_eq!((last.state, last.kept.as_slice()), (State::Restored, told.map(String::from).as_slice()));
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.contains(&eks()), "{entries:?}");
    let rest = json!({"f:spec": {"f:updateStrategy": {}}});
    assert!(entries.contains(&entry("helm", "Apply", "2026-01-01T11:59:00Z", &rest)), "{entries:?}");
}

#[test]
fn what_the_owner_itself_wrote_since_is_not_undone() {
    let mut later = adopted();
    later["metadata"]["managedFields"][0] = helm("2026-01-01T11:59:59Z");
    let plan = look(&changed(), Some(&metadata(&adopted())), &later);
    assert_eq!((plan.state, plan.step), (State::Left, None));
    assert!(plan.kept[0].contains("helm itself wrote it since"), "{:?}", plan.kept);
}

#[test]
fn another_object_of_the_name_is_left_alone() {
    let mut other = adopted();
    other["metadata"]["uid"] = json!("u2");
    let plan = look(&changed(), None, &other);
    assert_eq!((plan.state, plan.step), (State::Left, None));
    assert!(plan.kept[0].contains("another object"), "{:?}", plan.kept);
    let plan = look(&saved(After::Deleted), None, &adopted());
    assert_eq!((plan.state, plan.step), (State::Left, None), "purge's matter");
    let plan = restore(&changed(), None, None, now());
    assert_eq!((plan.state, plan.step), (State::Left, None), "adopt deletes nothing");
}

/// Three lists and what becomes of the last.
mod lists {
    use cni_steward::fields::{List, Restored, Transfer, Undoing, Wish, restore, transfer};
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    const STAMP: &[&str] = &["metadata", "annotations", "stamp"];

    fn entry() -> impl Strategy<Value = Value> {
        let manager = select(vec!["eks", "helm", "kubectl-edit", "cni-steward"]);
        let operation = select(vec!["Apply", "Update"]);
        let names = prop::collection::btree_set(select(vec!["a", "b", "c", "d"]), 1..4);
        let stamped = prop::bool::weighted(0.3);
        let status = prop::bool::weighted(0.2);
        (manager, operation, names, stamped, status, 10..14_u8).prop_map(
            |(manager, operation, names, stamped, status, hour)| {
                let spec: serde_json::Map<String, Value> =
                    names.into_iter().map(|name| (format!("f:{name}"), json!({}))).collect();
                let mut fields = json!({"f:spec": spec});
                if stamped {
                    fields =
                        json!({"f:metadata": {"f:annotations": {"f:stamp": {}}}, "f:spec": fields["f:spec"]});
                }
                let mut entry =
                    super::entry(manager, operation, &format!("2026-01-01T{hour}:00:00Z"), &fields);
                if status {
                    entry["subresource"] = json!("status");
                }
                entry
            },
        )
    }

    /// A list as the API server keeps it: one entry for each manager, operation and subresource.
    fn list() -> impl Strategy<Value = Vec<Value>> {
        prop::collection::vec(entry(), 1..6).prop_map(|mut entries| {
            let mut seen = BTreeSet::new();
            let key = |entry: &Value| {
                format!("{} {} {}", entry["manager"], entry["operation"], entry["subresource"])
            };
            entries.retain(|entry| seen.insert(key(entry)));
            entries
        })
    }

    fn text(entries: &[Value]) -> String {
        Value::Array(entries.to_vec()).to_string()
    }

    /// As an adoption leaves it.
    fn adopted(before: &str) -> String {
        let list = List::parse(before).unwrap();
        let wish = Wish {
            owner: "helm",
            absorb: &|manager| manager == "eks",
            merge: true,
            api_version: "apps/v1",
            own: &[STAMP],
            disown: &[],
            now: super::now(),
        };
        match transfer(&list, None, &wish).transfer {
            Transfer::Keep => before.to_owned(),
            Transfer::Replace { list, .. } => list.whole().into_owned(),
        }
    }

    fn ask(before: &str, left: &str, now: &str, exact: bool) -> (Restored, Vec<String>) {
        let planned = adopted(before);
        let parse = |text| List::parse(text).unwrap();
        let (before, planned, left, now) = (parse(before), parse(&planned), parse(left), parse(now));
        restore(&Undoing {
            before: &before,
            planned: &planned,
            left: &left,
            now: &now,
            manager: "cni-steward",
            paths: &[STAMP],
            exact,
        })
    }

    fn paths(list: &str) -> BTreeSet<String> {
        let list = List::parse(list).unwrap();
        let known =
            list.entries.iter().filter_map(|entry| entry.known.as_ref()).filter(|known| known.is_root());
        known.flat_map(|known| known.set().unwrap().paths()).filter(|path| !path.contains("stamp")).collect()
    }

    fn others(list: &str) -> BTreeSet<String> {
        let entries: Vec<Value> = serde_json::from_str(list).unwrap();
        let others = entries.iter().filter(|entry| entry["manager"] != "cni-steward");
        others.map(ToString::to_string).collect()
    }

    /// What those hold, beside stamps, from whom an adoption takes nothing.
    fn strangers(list: &str) -> BTreeSet<String> {
        let mut entries: Vec<Value> = serde_json::from_str(list).unwrap();
        entries.retain(|entry| entry["manager"] == "kubectl-edit");
        for entry in &mut entries {
            entry["fieldsV1"].as_object_mut().unwrap().shift_remove("f:metadata");
        }
        entries.iter().map(ToString::to_string).collect()
    }

    /// How an adoption left a list, as planned (`None`) or with what somebody wrote before its write; and how it stands: anyhow, or
    /// as it was left.
    fn left_and_now() -> impl Strategy<Value = (Option<Vec<Value>>, Vec<Value>)> {
        (prop::option::of(list()), list(), any::<bool>()).prop_map(|(left, now, untouched)| {
            let now = left.clone().filter(|_| untouched).unwrap_or(now);
            (left, now)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_nobody_touched_is_as_before_byte_for_byte(before in list(), exact: bool) {
            let before = text(&before);
            let left = adopted(&before);
            let (restored, kept) = ask(&before, &left, &left, exact);
            prop_assert_eq!(kept, Vec::<String>::new());
            let after = match &restored {
                Restored::Keep => &left,
                Restored::Replace(list) => list,
                Restored::Written(manager) => return Err(TestCaseError::fail(format!("{manager} wrote nothing"))),
            };
            // A list of our own writes alone was never anybody's.
            if paths(&before) != BTreeSet::new() && !others(&before).is_empty() && matches!(restored, Restored::Replace(_)) {
                prop_assert_eq!(others(after), others(&before));
            }
        }

        #[test]
        fn whoever_wrote_before_us_or_since_no_path_loses_its_last_holder(
            before in list(),
            (left, now) in left_and_now(),
            exact: bool,
        ) {
            let (before, now) = (text(&before), text(&now));
            let left = left.map_or_else(|| adopted(&before), |left| text(&left));
            let (restored, _) = ask(&before, &left, &now, exact);
            if let Restored::Replace(after) = restored {
                prop_assert!(after != "[]");
                let lost: Vec<_> = paths(&now).difference(&paths(&after)).cloned().collect();
                prop_assert!(lost.is_empty(), "{lost:?} of {now} in {after}");
                let (strangers, stay) = (strangers(&now), strangers(&after));
                prop_assert!(strangers.iter().all(|one| stay.contains(one)), "{strangers:?} of {now} in {after}");
                // An entry that came back and now says what it said, but for a stamp, is taken for the one from before.
                let (settled, _) = match ask(&before, &left, &after, exact).0 {
                    Restored::Replace(again) => ask(&before, &left, &again, exact),
                    other => (other, Vec::new()),
                };
                prop_assert_eq!(settled, Restored::Keep, "it never settles: {}", after);
            }
        }
    }
}
