//! Canonical text, checked in one pass without building anything below its first level.
//!
//! What an API server stored is canonical: no white space, elements in order, each once. Of such text a subtree can
//! stay the text it is until somebody asks for a path in it, equal text is an equal subtree, and it is written by
//! copying. The check knows the forms that fill real sets, `f:` without escapes and plain `k:`; anything else is `None`
//! and is read the long way. Items of a list mostly hold the same fields, so a value with the text of the one before it
//! is not looked into again.

use super::element::Element;
use super::json::MAX_DEPTH;
use super::plain;
use super::scan;
use super::set::{Node, Set};

/// The sign of a member that has something below it.
pub(super) const OWN: &str = "\".\":{},";
/// Longest value that is compared with the one before it; bounds what the comparison may cost.
const SHAPE: usize = 256;
/// Shortest value for which a look at the twin is worth it.
const TWIN: usize = 64;

/// Reads a canonical set that holds something, one level deep. `twin` is another canonical set: from where both end
/// alike, nothing is checked again.
pub(super) fn read<'a>(text: &'a str, twin: Option<&str>) -> Option<Set<'a>> {
    let mut rest = text.as_bytes().strip_prefix(b"{")?;
    let mut before = Name::None;
    let mut nodes = Vec::with_capacity(4);
    loop {
        let start = rest;
        let (name, value) = next_name(rest, &before)?;
        let raw = start.get(1..start.len() - value.len() - 2)?;
        let (after, paths) = match twin.and_then(|twin| alike(value, raw, twin)) {
            Some(found) => found,
            None => read_value(value, 1)?,
        };
        nodes.push(node(text, raw, value, after, paths)?);
        before = name;
        match after {
            [b'}'] => return Some(Set { nodes, closed: None }),
            [b',', next @ ..] => rest = next,
            _ => return None,
        }
    }
}

/// A node whose value stays text; the slices are parts of `text`.
fn node<'a>(text: &'a str, raw: &[u8], value: &[u8], after: &[u8], paths: usize) -> Option<Node<'a>> {
    let end = text.len() - after.len();
    let start = text.len() - value.len();
    let name = text.get(start - 2 - raw.len()..start - 2)?;
    let inner = text.get(start + 1..end - 1)?;
    let element = Element::parse(name).ok()?;
    Some(match inner.strip_prefix(OWN) {
        _ if inner.is_empty() => Node { element, member: true, below: Set::default() },
        Some(below) => Node { element, member: true, below: Set::closed(below, paths - 1) },
        None => Node { element, member: false, below: Set::closed(inner, paths) },
    })
}

/// What follows a value that both this set and its twin end with, and how many paths it holds.
fn alike<'a>(value: &'a [u8], name: &[u8], twin: &str) -> Option<(&'a [u8], usize)> {
    let head = twin.as_bytes().strip_suffix(value).filter(|_| value.len() > TWIN)?;
    head.strip_suffix(b"\":")?.strip_suffix(name)?.strip_suffix(b"\"")?;
    let (length, paths) = scan::measure(value).ok()?;
    let after = value.get(length..)?;
    (after == b"}").then_some((after, paths))
}

/// The last element of a level, as far as the order of the next one depends on it.
enum Name<'a> {
    None,
    Field(&'a [u8]),
    /// A key of one plain text: its name and its text.
    Text(&'a [u8], &'a [u8]),
    Key(&'a [u8]),
}

/// Checks an element's value; returns what follows it, and how many paths it holds, its own included.
fn read_value(value: &[u8], depth: usize) -> Option<(&[u8], usize)> {
    let inner = match value {
        [b'{', b'}', after @ ..] => return Some((after, 1)),
        [b'{', inner @ ..] => inner,
        _ => return None,
    };
    if depth >= MAX_DEPTH {
        return None;
    }
    let (mut rest, mut paths) = match inner.strip_prefix(OWN.as_bytes()) {
        Some(below) => (below, 1),
        None => (inner, 0),
    };
    let mut before = Name::None;
    let (mut shape, mut held): (&[u8], usize) = (&[], 0);
    loop {
        let (name, value) = next_name(rest, &before)?;
        let after = if let [b'{', b'}', after @ ..] = value {
            paths += 1;
            after
        } else if let Some(after) = value.strip_prefix(shape).filter(|_| !shape.is_empty()) {
            paths += held;
            after
        } else {
            let (after, below) = read_value(value, depth + 1)?;
            let text = value.get(..value.len() - after.len())?;
            shape = if text.len() <= SHAPE { text } else { &[] };
            held = below;
            paths += below;
            after
        };
        before = name;
        match after {
            [b',', next @ ..] => rest = next,
            [b'}', after @ ..] => return Some((after, paths)),
            _ => return None,
        }
    }
}

/// The next element, if it is of a form that is known here and comes after `before`; and its value.
fn next_name<'a>(text: &'a [u8], before: &Name<'_>) -> Option<(Name<'a>, &'a [u8])> {
    match text {
        [b'"', b'f', b':', field @ ..] => {
            let (field, after) = field.split_at_checked(scan::plain(field))?;
            let follows = match before {
                Name::None => true,
                Name::Field(before) => *before < field,
                Name::Text(..) | Name::Key(_) => false,
            };
            follows.then_some((Name::Field(field), after.strip_prefix(b"\":")?))
        }
        [b'"', b'k', b':', key @ ..] => next_text(key, before).or_else(|| next_key(key, before)),
        _ => None,
    }
}

/// A key of one plain text behind others that are no key at all or of one plain text too; all others are `next_key`'s.
fn next_text<'a>(key: &'a [u8], before: &Name<'_>) -> Option<(Name<'a>, &'a [u8])> {
    let (name, text, value) = one_text(key)?;
    let follows = match before {
        Name::None | Name::Field(_) => true,
        Name::Text(name_before, text_before) => (*name_before, *text_before) < (name, text),
        Name::Key(_) => false,
    };
    follows.then_some((Name::Text(name, text), value))
}

fn next_key<'a>(key: &'a [u8], before: &Name<'_>) -> Option<(Name<'a>, &'a [u8])> {
    let (key, value) = any_key(key)?;
    let follows = match before {
        Name::None | Name::Field(_) => true,
        Name::Text(name, text) => {
            let before = [b"{\\\"".as_slice(), name, b"\\\":\\\"", text, b"\\\"}"].concat();
            pairs(&before)?.cmp(pairs(key)?).is_lt()
        }
        Name::Key(before) => pairs(before)?.cmp(pairs(key)?).is_lt(),
    };
    (follows && pairs(key)?.canonical()).then_some((Name::Key(key), value))
}

/// A key of one field with a plain text, as most are: `{\"name\":\"x\"}`; then its value.
fn one_text(key: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let inner = key.strip_prefix(b"{\\\"")?;
    let (name, after) = inner.split_at_checked(plain::run(inner))?;
    let inner = after.strip_prefix(b"\\\":\\\"")?;
    let (text, after) = inner.split_at_checked(plain::run(inner))?;
    Some((name, text, after.strip_prefix(b"\\\"}\":")?))
}

/// Any other key as it stands behind `k:`, and its value.
fn any_key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, after) = text.split_at_checked(scan::string_end(text)?)?;
    Some((key, after.strip_prefix(b"\":")?))
}

fn pairs(key: &[u8]) -> Option<plain::Pairs<'_>> {
    plain::Pairs::new(std::str::from_utf8(key).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(r#"{"f:a":{}}"#, 1)]
    #[case(r#"{"f:a":{".":{},"f:b":{},"k:{\"name\":\"x\"}":{".":{},"f:c":{}}},"f:b":{"f:c":{}}}"#, 5)]
    #[case(r#"{"f:a":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{},"k:{\"containerPort\":443,\"protocol\":\"TCP\"}":{}}}"#, 2)]
    #[case(r#"{"f:a":{"k:{\"name\":\":{}\"}":{},"k:{\"name\":\"A\"}":{},"k:{\"name\":\"AB\"}":{}}}"#, 3)]
    #[case(r#"{"f:a":{"k:{\"a\":1}":{},"k:{\"a\":\"1\"}":{},"k:{\"a\":\"1\",\"b\":1}":{},"k:{\"a\":\"2\"}":{}}}"#, 4)]
    #[case(r#"{"f:a":{"k:{\"n\":\"a\"}":{".":{},"f:x":{}},"k:{\"n\":\"b\"}":{".":{},"f:x":{}},"k:{\"n\":\"c\"}":{".":{},"f:x":{},"f:y":{}}}}"#, 7)]
    #[case(r#"{"f:a":{"k:{\"n\":\"a\"}":{"f:x":{},"f:y":{},"f:z":{}},"k:{\"n\":\"b\"}":{"f:x":{},"f:y":{},"f:z":{}}}}"#, 6)]
    fn canonical_text_is_recognised_and_counted(#[case] text: &str, #[case] paths: usize) {
        let set = read(text, None).unwrap();
        assert_eq!(set.len(), paths);
        assert_eq!(set.encode(), text);
        assert_eq!(set.whole().len(), paths);
    }

    #[rstest::rstest]
    #[case("{}")]
    #[case(r#"{".":{},"f:a":{}}"#)]
    #[case(r#"{"f:a": {}}"#)]
    #[case(r#"{"f:b":{},"f:a":{}}"#)]
    #[case(r#"{"f:a":{},"f:a":{}}"#)]
    #[case(r#"{"f:a":null}"#)]
    #[case(r#"{"f:a":{".":{}}}"#)]
    #[case(r#"{"f:a":{"f:b":{},".":{}}}"#)]
    #[case(r#"{"f:a\u0062":{}}"#)]
    #[case(r#"{"x":{}}"#)]
    #[case(r#"{"v:\"a\"":{}}"#)]
    #[case(r#"{"k:{\"a\":1}":{},"f:a":{}}"#)]
    #[case(r#"{"k:{\"a\":\"x\"}":{},"f:a":{}}"#)]
    #[case(r#"{"k:{\"a\":\"x\"}":{},"k:{\"a\":\"x\"}":{}}"#)]
    #[case(r#"{"k:{\"a\":\"ab\"}":{},"k:{\"a\":\"a\"}":{}}"#)]
    #[case(r#"{"k:{\"a\":\"a\"}":{},"k:{\"a\":1}":{}}"#)]
    #[case(r#"{"k:{\"a\":\"1\",\"b\":1}":{},"k:{\"a\":\"1\"}":{}}"#)]
    #[case(r#"{"k:{\"a\":\"<\"}":{}}"#)]
    #[case(r#"{"k:{\"a\":01}":{}}"#)]
    #[case(r#"{"k:{\"a\":2}":{},"k:{\"a\":1}":{}}"#)]
    #[case(r#"{"f:a":{}}x"#)]
    #[case(r#"{"f:a":{}"#)]
    #[case(r#"{"f:a":7}"#)]
    #[case(r#"{"f:a":{"k:{\"n\":\"a\"}":{".":{},"f:x":{}},"k:{\"n\":\"b\"}":{".":{},"f:x":{}x}}}"#)]
    fn everything_else_is_read_the_long_way(#[case] text: &str) {
        assert_eq!(read(text, None), None);
    }

    #[test]
    fn nesting_ends_where_every_other_reader_ends_it() {
        let nested = |depth: usize| format!("{}{{}}{}", r#"{"f:a":"#.repeat(depth), "}".repeat(depth));
        assert!(read(&nested(MAX_DEPTH), None).is_some());
        assert_eq!(read(&nested(MAX_DEPTH + 1), None), None);
    }

    #[test]
    fn a_twin_spares_the_check_of_what_both_end_with_and_nothing_else() {
        let tail = format!(r#"{{{}"f:z":{{}}}}}}"#, r#""f:a":{},"#.repeat(20));
        let one = format!(r#"{{"f:m":{{}},"f:spec":{tail}"#);
        let two = format!(r#"{{"f:spec":{tail}"#);
        assert_eq!(read(&two, None), None, "twenty times the same");
        assert_eq!(read(&two, Some(&one)).unwrap().len(), 21, "not looked at again");
        assert_eq!(read(&two.replace("spec", "spek"), Some(&one)), None);
    }
}
