//! The undo file as text: one JSON document a line.
//!
//! First the head, then a line for each object with its stored text, then a line with the SHA-256 of all before it. What
//! follows are marks; each carries a hash over itself and the line before, so that an edited one is noticed. A last line
//! without its end was cut off while it was written, and does not count. `jq` reads the file as it is, and
//! `jq -c 'select(.before).before' FILE` prints the objects, for whoever has to do without us.

mod read;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{After, Mark, Saved, Undo};

/// Which format.
pub const API_VERSION: &str = "cni-steward.dev/v1alpha1";
/// Which document.
pub const KIND: &str = "Undo";

/// Why an undo file cannot be used; names file, line and field, what was expected and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UndoError(pub String);

impl Undo {
    /// The file up to its seal; without marks.
    pub fn text(&self) -> String {
        let mut text = head(self).to_string() + "\n";
        for saved in &self.objects {
            text.push_str(&object(saved));
            text.push('\n');
        }
        let seal = json!({"sha256": hash(&text, 32)});
        text + &seal.to_string() + "\n"
    }

    /// Reads a file; `name` is its name for errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, UndoError> {
        read::read(name, text)
    }
}

fn head(undo: &Undo) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "command": undo.command,
        "madeAt": undo.made_at.to_string(),
        "policy": undo.policy,
        "cluster": {"uid": undo.cluster.uid, "url": undo.cluster.url},
        "objects": undo.objects.len(),
    })
}

fn object(saved: &Saved) -> String {
    let name = json!({
        "apiVersion": saved.api_version, "kind": saved.kind, "namespace": saved.namespace, "name": saved.name,
    });
    let after = match &saved.after {
        After::Changed(metadata) => metadata.json(),
        After::Deleted => Value::Null,
    };
    // A line break in JSON text can only stand between its tokens; a carriage return there ends no line of ours, and stays.
    let before = saved.before.replace('\n', " ");
    format!(r#"{{"object":{name},"after":{after},"before":{before}}}"#)
}

/// The line for a mark, with its end; `last` is the line before it, without its end.
pub fn mark(mark: &Mark, last: &str) -> String {
    let mut line = match mark {
        Mark::Wrote(place, metadata) => json!({"wrote": place, "metadata": metadata.json()}),
        Mark::Done(place) => json!({"done": place}),
        Mark::Finished => json!({"finished": true}),
        Mark::Undone => json!({"undone": true}),
    };
    let sum = chained(last, &line);
    if let Some(fields) = line.as_object_mut() {
        fields.insert("sum".to_owned(), sum.into());
    }
    line.to_string() + "\n"
}

/// The hash of a mark without its own.
fn chained(last: &str, line: &Value) -> String {
    hash(&format!("{last}\n{line}"), 8)
}

/// So many bytes of the SHA-256, in hexadecimal.
fn hash(text: &str, bytes: usize) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(bytes).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}
