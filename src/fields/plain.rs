//! The short way for keys as they are in practice: `k:{\"containerPort\":8080,\"protocol\":\"TCP\"}`.
//!
//! Nearly all work on a set is its `k:` elements, JSON inside a JSON string. Where names and texts need no
//! escape of their own and numbers are small and whole, both layers are read and written in one step, borrowed.
//! Everything else takes the long way; a test holds the two together.

use std::borrow::Cow;

use super::encode;
use super::value::{Field, Value};

/// Reads the inner text of a JSON string, behind `k:`; `None` for what is not plain.
pub(super) fn read(raw: &str) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::with_capacity(2);
    let mut rest = raw.strip_prefix("{\\\"")?;
    loop {
        let (name, after) = rest.split_once('\\')?;
        let after = after.strip_prefix("\":")?;
        let (value, after) = match after.strip_prefix("\\\"") {
            Some(text) => {
                let (text, after) = text.split_once('\\')?;
                (Value::Text(Cow::Borrowed(text)), after.strip_prefix('"')?)
            }
            None => number(after)?,
        };
        let sorted = fields.last().is_none_or(|(last, _): &Field<'_>| last.as_ref() < name);
        if !sorted {
            return None;
        }
        fields.push((Cow::Borrowed(name), value));
        match after.strip_prefix(",\\\"") {
            Some(next) => rest = next,
            None => return (after == "}").then_some(fields),
        }
    }
}

/// A whole number that a float holds exactly, as it would be written.
fn number(text: &str) -> Option<(Value<'_>, &str)> {
    let (digits, after) = text.split_at_checked(text.bytes().take_while(u8::is_ascii_digit).count())?;
    if digits.starts_with('0') {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    Some((Value::Number(f64::from(number)), after))
}

/// Appends the element as the inner text of a JSON string; `false`, and nothing appended, if it is not plain.
pub(super) fn write(fields: &[Field<'_>], out: &mut String) -> bool {
    let plain = fields.iter().all(|(name, value)| match value {
        Value::Text(text) => is_plain(name) && is_plain(text),
        Value::Number(_) => is_plain(name),
        _ => false,
    });
    if !plain {
        return false;
    }
    out.push_str("k:{");
    for (index, (name, value)) in fields.iter().enumerate() {
        out.push_str(if index > 0 { ",\\\"" } else { "\\\"" });
        out.push_str(name);
        out.push_str("\\\":");
        match value {
            Value::Text(text) => {
                out.push_str("\\\"");
                out.push_str(text);
                out.push_str("\\\"");
            }
            Value::Number(number) => encode::number(out, *number),
            _ => {}
        }
    }
    out.push('}');
    true
}

/// Whether neither layer escapes anything in the text.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..0x7f).contains(&b) && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&'))
}
