//! Reading `fieldsV1` (structured-merge-diff `fieldpath/serialize.go`, `readIterV1`).
//!
//! `{}` or `null` below an element makes it a member; `"."` says so where there is more below. As in Go, what
//! has nothing *known* below it is a member too, else an API server that drops unknown elements and we would
//! disagree about who owns it. Unlike Go, elements that occur twice are joined, not overwritten.

use super::canon;
use super::element::Element;
use super::json::{Cursor, MAX_DEPTH, Malformed};
use super::room::{self, Room};
use super::set::{self, Node, Set};
use super::text::unescape;

impl<'a> Set<'a> {
    /// Reads the JSON text of a `fieldsV1`. Text without escapes is borrowed.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        Self::parse_beside(text, None, &mut Room::default()).map(|(set, _)| set)
    }

    /// As [`Self::parse`], and whether the text is canonical. What is the same as in `twin`, which is, is not checked
    /// again.
    pub(super) fn parse_beside(
        text: &'a str,
        twin: Option<&str>,
        room: &mut Room,
    ) -> Result<(Self, bool), Malformed> {
        let nodes = room::nodes(text);
        let left = room::after(room.canonical, nodes)?;
        if let Some(set) = canon::read(text, twin) {
            room.canonical = left;
            return Ok((set, true));
        }
        room.other = room::after(room.other, nodes)?;
        let mut cursor = Cursor::new(text);
        let (set, _) = read(&mut cursor, 0, true)?;
        cursor.end()?;
        Ok((set, false))
    }
}

/// One object of the tree, and whether it names itself a member. Below an unknown element (`known` is false)
/// any text is carried.
fn read<'a>(cursor: &mut Cursor<'a>, depth: usize, known: bool) -> Result<(Set<'a>, bool), Malformed> {
    let mut set = Set::default();
    let mut own = false;
    let mut sorted = true;
    if cursor.token() == Some(b'n') {
        cursor.literal("null")?;
        return Ok((set, own));
    }
    if depth > MAX_DEPTH {
        return cursor.fail("nested too deep");
    }
    cursor.expect(b'{', "an object was expected")?;
    if cursor.eat(b'}') {
        return Ok((set, own));
    }
    loop {
        let raw = cursor.name()?;
        if raw == "." || (raw.starts_with("\\u002") && unescape(raw) == ".") {
            cursor.skip()?;
            own = true;
        } else {
            let element = if known {
                match Element::parse(raw) {
                    Ok(element) => element,
                    Err(problem) => return cursor.fail(problem.what),
                }
            } else {
                Element::parse_any(raw)
            };
            let known = known && element.is_known();
            let (below, own) = read(cursor, depth + 1, known)?;
            let member = own || if known { !below.has_known() } else { below.is_empty() };
            sorted &= set.nodes.last().is_none_or(|last| last.element < element);
            set::push(&mut set.nodes, Node { element, member, below });
        }
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.expect(b'}', "a comma or the end was expected")?;
    if !sorted {
        sort(&mut set);
    }
    Ok((set, own))
}

fn sort(set: &mut Set<'_>) {
    let mut nodes = std::mem::take(&mut set.nodes);
    nodes.sort_by(|a, b| a.element.cmp(&b.element));
    for node in nodes {
        match set.nodes.pop() {
            Some(last) if last.element == node.element => set.nodes.push(last.join(node)),
            Some(last) => set.nodes.extend([last, node]),
            None => set.nodes.push(node),
        }
    }
}
