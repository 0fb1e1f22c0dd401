//! Canonical text, checked in one pass without building anything.
//!
//! What an API server stored is canonical: no white space, elements in order, each once. Of such text a subtree can
//! stay the text it is until somebody asks for a path in it, equal text is an equal subtree, and it is written by
//! copying. The check knows the forms that fill real sets, `f:` without escapes and plain `k:`; anything else is `None`
//! and is read the long way.

use super::json::MAX_DEPTH;
use super::plain;
use super::scan;

/// A leaf: what a member looks like.
const LEAF: &str = "{}";
/// The sign of a member that has something below it.
pub(super) const OWN: &str = "\".\":{},";

/// What stands between the braces of a canonical set that holds something, and how many paths that is. `twin` is
/// another canonical set: from where both end alike, nothing is checked again.
pub(super) fn check<'a>(text: &'a str, twin: Option<&str>) -> Option<(&'a str, usize)> {
    let inner = text.strip_prefix('{')?;
    if inner.starts_with("\".\"") {
        return None;
    }
    let (rest, count) = level(inner, 0, twin)?;
    (rest.is_empty() && count > 0).then_some((inner.strip_suffix('}')?, count))
}

/// Checks the elements of one level up to and with its brace; returns what follows it.
fn level<'a>(mut rest: &'a str, depth: usize, twin: Option<&str>) -> Option<(&'a str, usize)> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let mut before = None;
    let mut members = 0;
    loop {
        let (name, after) = name(rest)?;
        if !follows(before, name) {
            return None;
        }
        before = Some(name);
        let value = after.strip_prefix(':')?;
        if let Some(twin) = twin
            && value.len() > 64
            && let Some(head) = twin.strip_suffix(value)
            && head
                .strip_suffix("\":")
                .and_then(|head| head.strip_suffix(name))
                .is_some_and(|head| head.ends_with('"'))
            && let Some(paths) = leaves(value)
        {
            return Some(("", members + paths));
        }
        rest = if let Some(rest) = value.strip_prefix(LEAF) {
            members += 1;
            rest
        } else {
            let inner = value.strip_prefix('{')?;
            let inner = inner.strip_prefix(OWN).inspect(|_| members += 1).unwrap_or(inner);
            let (rest, below) = level(inner, depth + 1, None)?;
            members += below;
            rest
        };
        match rest.as_bytes().first()? {
            b',' => rest = rest.strip_prefix(',')?,
            b'}' => return Some((rest.strip_prefix('}')?, members)),
            _ => return None,
        }
    }
}

/// How many paths are in a value and in what follows it up to the end of the set.
fn leaves(value: &str) -> Option<usize> {
    let (length, paths) = scan::measure(value.as_bytes()).ok()?;
    (value.get(length..)? == "}").then_some(paths)
}

/// The next element as it stands between its quotes, and what follows them.
fn name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let bytes = inner.as_bytes();
    let mut end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    while bytes.get(end) == Some(&b'\\') {
        end += 2;
        end += bytes.get(end..)?.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    }
    (bytes.get(end) == Some(&b'"')).then_some(())?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}

/// Whether `name` is of a form that is known here and comes after `before`.
fn follows(before: Option<&str>, name: &str) -> bool {
    if let Some(field) = name.strip_prefix("f:") {
        let after = match before {
            None => true,
            Some(before) => before.strip_prefix("f:").is_some_and(|before| before < field),
        };
        return after && !field.contains('\\');
    }
    let Some(key) = name.strip_prefix("k:") else { return false };
    let Some(before) = before.and_then(|before| before.strip_prefix("k:")) else {
        return plain::Pairs::new(key).is_some_and(plain::Pairs::canonical);
    };
    let (Some(before), Some(key)) = (plain::Pairs::new(before), plain::Pairs::new(key)) else {
        return false;
    };
    before.cmp(key.clone()).is_lt() && key.canonical()
}

#[cfg(test)]
mod tests {
    use super::super::set::Set;
    use super::*;

    #[rstest::rstest]
    #[case(r#"{"f:a":{}}"#, 1)]
    #[case(r#"{"f:a":{".":{},"f:b":{},"k:{\"name\":\"x\"}":{".":{},"f:c":{}}},"f:b":{"f:c":{}}}"#, 5)]
    #[case(r#"{"f:a":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{},"k:{\"containerPort\":443,\"protocol\":\"TCP\"}":{}}}"#, 2)]
    #[case(r#"{"f:a":{"k:{\"name\":\":{}\"}":{},"k:{\"name\":\"A\"}":{},"k:{\"name\":\"AB\"}":{}}}"#, 3)]
    fn canonical_text_is_recognised_and_counted(#[case] text: &str, #[case] paths: usize) {
        assert_eq!(check(text, None).unwrap().1, paths);
        assert_eq!(Set::parse(text).unwrap().len(), paths);
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
    #[case(r#"{"k:{\"a\":\"<\"}":{}}"#)]
    #[case(r#"{"k:{\"a\":01}":{}}"#)]
    #[case(r#"{"k:{\"a\":2}":{},"k:{\"a\":1}":{}}"#)]
    #[case(r#"{"f:a":{}}x"#)]
    #[case(r#"{"f:a":{}"#)]
    #[case(r#"{"f:a":7}"#)]
    fn everything_else_is_read_the_long_way(#[case] text: &str) {
        assert_eq!(check(text, None), None);
    }

    #[test]
    fn a_twin_spares_the_check_of_what_both_end_with_and_nothing_else() {
        let tail = format!(r#"{{{}"f:z":{{}}}}}}"#, r#""f:a":{},"#.repeat(20));
        let one = format!(r#"{{"f:m":{{}},"f:spec":{tail}"#);
        let two = format!(r#"{{"f:spec":{tail}"#);
        assert_eq!(check(&two, None), None, "twenty times the same");
        assert_eq!(check(&two, Some(&one)).unwrap().1, 21, "not looked at again");
        assert_eq!(check(&two.replace("spec", "spek"), Some(&one)), None);
    }
}
