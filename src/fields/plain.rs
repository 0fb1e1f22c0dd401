//! The short way for keys as they are in practice: `k:{\"containerPort\":8080,\"protocol\":\"TCP\"}`.
//!
//! Nearly all work on a set is its `k:` elements, JSON inside a JSON string. Where names and texts need no
//! escape of their own and numbers are small and whole, both layers are read and written in one step, borrowed.
//! Everything else takes the long way; a test holds the two together.

use std::borrow::Cow;

use wide::u8x16;

use super::encode;
use super::value::{Field, Value};

/// Reads the inner text of a JSON string, behind `k:`; `None` for what is not plain.
pub(super) fn read(raw: &str) -> Option<Vec<Field<'_>>> {
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(2);
    let mut pairs = Pairs::new(raw)?;
    for (name, value) in pairs.by_ref() {
        let sorted = fields.last().is_none_or(|(last, _)| last.as_ref() < name);
        if !sorted {
            return None;
        }
        fields.push((Cow::Borrowed(name), value));
    }
    pairs.is_done().then_some(fields)
}

/// The fields of a plain key one by one, nothing built; ends early at what is not plain.
#[derive(Clone)]
pub(super) struct Pairs<'a> {
    /// What is left, behind the opening quote of a name; nothing once the key was closed.
    rest: Option<&'a str>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(raw: &'a str) -> Option<Self> {
        Some(Self { rest: Some(raw.strip_prefix("{\\\"")?) })
    }

    /// Whether all of the key was plain, once nothing comes any more.
    fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether the key is plain, in order, and would be written as it stands.
    pub(super) fn canonical(mut self) -> bool {
        let mut before = "";
        for (name, value) in self.by_ref() {
            let fits = match &value {
                Value::Text(text) => is_plain(text),
                _ => true,
            };
            if !fits || !is_plain(name) || name <= before {
                return false;
            }
            before = name;
        }
        self.is_done()
    }

    fn pair(&self) -> Option<((&'a str, Value<'a>), Option<&'a str>)> {
        let (name, after) = self.rest?.split_once('\\')?;
        let after = after.strip_prefix("\":")?;
        let (value, after) = match after.strip_prefix("\\\"") {
            Some(text) => {
                let (text, after) = text.split_once('\\')?;
                (Value::Text(Cow::Borrowed(text)), after.strip_prefix('"')?)
            }
            None => number(after)?,
        };
        let rest = after.strip_prefix(",\\\"");
        (rest.is_some() || after == "}").then_some(((name, value), rest))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (pair, rest) = self.pair()?;
        self.rest = rest;
        Some(pair)
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
    run(text.as_bytes()) == text.len()
}

/// How many bytes stand before the next one that some layer escapes.
pub(super) fn run(text: &[u8]) -> usize {
    let (blocks, tail) = text.as_chunks::<16>();
    for (index, block) in blocks.iter().enumerate() {
        let bytes = u8x16::from(*block);
        let is = |byte| bytes.simd_eq(u8x16::splat(byte));
        let outside = bytes.simd_lt(u8x16::splat(b' ')) | bytes.simd_gt(u8x16::splat(b'~'));
        // `<` and `>` differ in one bit, and nothing else becomes `>` by it.
        let angle = (bytes | u8x16::splat(2)).simd_eq(u8x16::splat(b'>'));
        let stops = (outside | angle | is(b'"') | is(b'\\') | is(b'&')).to_bitmask();
        if stops != 0 {
            return index * 16 + stops.trailing_zeros() as usize;
        }
    }
    let plain = |b: &u8| (b' '..0x7f).contains(b) && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&');
    text.len() - tail.len() + tail.iter().position(|b| !plain(b)).unwrap_or(tail.len())
}
