//! How much field ownership is read of one object.
//!
//! A body is bounded, and what is made of it has to be too: a node takes a hundred bytes and more, and may be seven bytes of
//! text. So nodes are counted before they are made, by the braces of the text: each has one. What is over is not understood, and
//! so not changed. Nothing that is stored comes near: an object in etcd has at most 1.5 MiB (`--max-request-bytes`).

use super::json::Malformed;

/// Nodes of canonical text, which is what API servers write. Most of them stay text.
const CANONICAL: usize = 1 << 18;
/// Nodes of any other text: each is made.
const OTHER: usize = 1 << 16;
/// Braces of so short a text are not counted.
const SHORT: usize = 64 << 10;
/// The shortest text of a node: `"f:":{}`.
const NODE: usize = 7;

/// What is left for the sets of one object.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) canonical: usize,
    pub(super) other: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { canonical: CANONICAL, other: OTHER }
    }
}

/// What is left of some room after so many nodes, if they fit.
pub(super) fn after(room: usize, nodes: usize) -> Result<usize, Malformed> {
    room.checked_sub(nodes).ok_or(Malformed { what: "more paths than an object can hold", at: 0 })
}

/// As many nodes as the text can become, or more.
pub(super) fn nodes(text: &str) -> usize {
    let most = text.len() / NODE;
    if text.len() <= SHORT { most } else { text.bytes().filter(|byte| *byte == b'{').count().min(most) }
}
