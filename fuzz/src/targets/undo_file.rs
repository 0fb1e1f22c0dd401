//! An undo file, byte for byte; and once more with its seal put right, so that what is behind it is reached.

use std::fmt::Write as _;

use cni_steward::undo::{Saved, Undo, restore};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::Target;

/// The target.
pub const TARGET: Target = Target {
    name: "undo_file",
    about: "an undo file as it is and sealed anew: an error names file and line, what is read can be planned with",
    seeds: &[],
    dictionary: "review.dict",
    longest: 16 << 10,
    run,
};

fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    look(text);
    if let Some(sealed) = sealed(text) {
        look(&sealed);
    }
}

/// The lines that the first tells of, with the seal that they would have.
fn sealed(text: &str) -> Option<String> {
    let head: Value = serde_json::from_str(text.lines().next()?).ok()?;
    let count = usize::try_from(head["objects"].as_u64()?).ok()?.min(8);
    let above: String = text.split_inclusive('\n').take(count + 1).collect();
    let mut hex = String::new();
    for byte in digest(&SHA256, above.as_bytes()).as_ref() {
        write!(hex, "{byte:02x}").ok()?;
    }
    let below: String = text.split_inclusive('\n').skip(count + 2).collect();
    Some(format!("{above}{{\"sha256\":\"{hex}\"}}\n{below}"))
}

fn look(text: &str) {
    let now = "2026-01-01T12:00:00Z".parse().expect("a time");
    match Undo::parse("f", text) {
        Err(problem) => assert!(problem.0.starts_with("f:"), "{problem}"),
        Ok(undo) => {
            let again = Undo::parse("f", &undo.text()).unwrap_or_else(|problem| panic!("{problem}: {text}"));
            let before = |undo: &Undo| {
                undo.objects.iter().map(|saved: &Saved| saved.before.clone()).collect::<Vec<_>>()
            };
            assert_eq!(before(&again), before(&undo));
            for (at, saved) in undo.objects.iter().enumerate() {
                let plan = restore(saved, undo.left(at), Some(&saved.before), now);
                if let Some(step) = plan.step {
                    let patch: json_patch::Patch = serde_json::from_str(&step).expect("a patch");
                    let mut object: Value = serde_json::from_str(&saved.before).expect("an object");
                    json_patch::patch(&mut object, &patch)
                        .unwrap_or_else(|problem| panic!("{problem}: {step}"));
                }
            }
        }
    }
}
