//! An undo file that was written by us, spoilt; and the way back of an object that anybody wrote to since.

use std::collections::BTreeSet;

use cni_steward::fields::List;
use cni_steward::undo::{After, Mark, Metadata, Place, Saved, State, Undo, restore, text};
use serde_json::{Value, json};

use crate::Target;
use crate::draw::Draw;

/// The target.
pub const TARGET: Target = Target {
    name: "undo",
    about: "a drawn undo file reads back, a spoilt one is told apart, and a restoration applies and comes to an end",
    seeds: &[],
    dictionary: "",
    longest: 4 << 10,
    run,
};

/// A stored object that can be saved, with its version.
fn stored(draw: &mut Draw<'_>, version: &str) -> Option<String> {
    let uid = draw.of(&["u1", "u1", "u1", "u2"]);
    let mut object: Value = serde_json::from_str(&draw.object()).ok()?;
    object["metadata"]["uid"] = json!(uid);
    object["metadata"]["resourceVersion"] = json!(version);
    let text = as_stored(object);
    Metadata::of(&text).is_ok().then_some(text)
}

/// As an API server stores it: no key twice, one entry for each manager, operation, version and subresource, each with the bytes
/// that Go writes.
fn as_stored(mut object: Value) -> String {
    let list = object["metadata"]["managedFields"].take().to_string();
    let list = List::parse(&list).unwrap_or_default();
    let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
    for known in list.entries.iter().filter_map(|entry| entry.known.as_ref()) {
        let Ok(set) = known.set() else { continue };
        let mut entry = json!({"manager": known.manager, "operation": known.operation.as_str(),
            "apiVersion": known.api_version, "time": known.time, "fieldsType": "FieldsV1", "fieldsV1": "@"});
        if known.time.is_none() {
            entry.as_object_mut().expect("an object").shift_remove("time");
        }
        if !known.subresource.is_empty() {
            entry["subresource"] = json!(known.subresource);
        }
        if seen.insert((
            known.manager.clone(),
            known.operation,
            known.api_version.clone(),
            known.subresource.clone(),
        )) {
            rows.push(entry.to_string().replacen(
                r#""fieldsV1":"@""#,
                &format!(r#""fieldsV1":{}"#, set.encode()),
                1,
            ));
        }
    }
    let list = format!(r#""managedFields":[{}]"#, rows.join(","));
    object.to_string().replacen(r#""managedFields":null"#, &list, 1)
}

fn saved(draw: &mut Draw<'_>) -> Option<Saved> {
    let before = stored(draw, "41")?;
    let after = if draw.once_in(4) {
        After::Deleted
    } else {
        After::Changed(Metadata::of(&stored(draw, "43")?).ok()?)
    };
    Some(Saved {
        api_version: "apps/v1".into(),
        kind: "DaemonSet".into(),
        namespace: "kube-system".into(),
        name: draw.text(),
        before,
        after,
    })
}

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let Some(first) = saved(&mut draw) else { return };
    let objects = [Some(first), saved(&mut draw)].into_iter().flatten().collect::<Vec<_>>();
    let undo = Undo {
        command: draw.of(&["adopt", "purge"]).into(),
        made_at: "2026-01-01T12:00:00Z".parse().expect("a time"),
        policy: draw.text(),
        cluster: Place { uid: draw.text(), url: draw.text() },
        objects,
        marks: Vec::new(),
    };
    let sealed = undo.text();
    let mut file = sealed.clone();
    let marks = draw.some(4, |draw| match draw.below(4) {
        0 => Mark::Done(0),
        1 => Mark::Finished,
        2 => Mark::Undone,
        _ => match stored(draw, "44").map(|text| Metadata::of(&text)) {
            Some(Ok(metadata)) => Mark::Wrote(0, metadata),
            _ => Mark::Done(0),
        },
    });
    for mark in &marks {
        let last = file.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default().to_owned();
        file.push_str(&text::mark(mark, &last));
    }
    let read = Undo::parse("f", &file).unwrap_or_else(|problem| panic!("{problem}\nof {file}"));
    let written: Vec<String> = read.objects.iter().map(|saved| saved.before.clone()).collect();
    let expected: Vec<String> = undo.objects.iter().map(|saved| saved.before.clone()).collect();
    assert_eq!(written, expected, "the objects, byte for byte");
    assert_eq!((&read.command, &read.policy, &read.cluster), (&undo.command, &undo.policy, &undo.cluster));
    assert_eq!(read.marks.len(), marks.len());
    assert_eq!(read.text(), sealed, "what is read is written as it was");

    let mut spoilt = file.clone().into_bytes();
    draw.spoil(&mut spoilt);
    if let Ok(spoilt) = String::from_utf8(spoilt)
        && let Ok(other) = Undo::parse("f", &spoilt)
    {
        assert_eq!(other.objects, read.objects, "an edited object is accepted");
    }
    way_back(&mut draw, &read);
}

/// Whoever wrote since: each planned write applies, changes nothing but metadata, and after a few nothing is planned.
fn way_back(draw: &mut Draw<'_>, undo: &Undo) {
    let Some(saved) = undo.objects.first() else { return };
    let Some(text) = stored(draw, "50") else { return };
    let now = "2026-01-01T12:30:00Z".parse().expect("a time");
    let mut text = text;
    for _ in 0..5 {
        let mut object: Value = serde_json::from_str(&text).expect("an object");
        let spec = object["spec"].clone();
        let plan = restore(saved, undo.left(0), Some(&text), now);
        assert_eq!(plan.state == State::ToRestore, plan.step.is_some(), "{plan:?}");
        let Some(step) = &plan.step else { return };
        let patch: json_patch::Patch = serde_json::from_str(step).expect("a patch");
        json_patch::patch(&mut object, &patch)
            .unwrap_or_else(|problem| panic!("{problem}: {step} on {object}"));
        assert_eq!(object["spec"], spec);
        object["metadata"]["resourceVersion"] = json!("51");
        text = as_stored(object);
    }
    panic!(
        "no end: {:?}\nof {text}\nbefore {}",
        restore(saved, undo.left(0), Some(&text), now),
        saved.before
    );
}
