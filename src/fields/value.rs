//! The JSON value inside a `k:` or `v:` path element.
//!
//! Order is that of structured-merge-diff `value/value.go` `Compare`: numbers, strings, booleans, lists, maps,
//! null; numbers numerically. Every number is a float, because that is how `serialize-pe.go` reads them (jsoniter
//! without `UseNumber`): `80`, `80.0` and `8e1` are one key, and the canonical text is `80`.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::encode;
use super::json::{Cursor, MAX_DEPTH, Malformed};
use super::text::unescape;

/// One field of a map or of an associative list's key.
pub type Field<'a> = (Cow<'a, str>, Value<'a>);

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// Any number.
    Number(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// `true` or `false`.
    Bool(bool),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object, fields sorted by name.
    Map(Vec<Field<'a>>),
    /// `null`.
    Null,
}

impl<'a> Value<'a> {
    /// Reads one value that fills the whole text.
    pub(super) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        let value = Self::read(&mut cursor, 0)?;
        cursor.end()?;
        Ok(value)
    }

    fn read(cursor: &mut Cursor<'a>, depth: usize) -> Result<Self, Malformed> {
        match cursor.token() {
            Some(b'"') => Ok(Self::Text(unescape(cursor.string()?))),
            Some(b't') => cursor.literal("true").map(|()| Self::Bool(true)),
            Some(b'f') => cursor.literal("false").map(|()| Self::Bool(false)),
            Some(b'n') => cursor.literal("null").map(|()| Self::Null),
            Some(b'[' | b'{') if depth >= MAX_DEPTH => cursor.fail("nested too deep"),
            Some(b'[') => Self::list(cursor, depth),
            Some(b'{') => {
                let mut fields = Self::fields(cursor, depth)?;
                // A later field of the same name wins, as in a Go map.
                fields.reverse();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields.dedup_by(|a, b| a.0 == b.0);
                Ok(Self::Map(fields))
            }
            _ => match cursor.number()?.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Self::Number(number)),
                _ => cursor.fail("number out of range"),
            },
        }
    }

    fn list(cursor: &mut Cursor<'a>, depth: usize) -> Result<Self, Malformed> {
        let mut items = Vec::new();
        cursor.items("a list was expected", |cursor| {
            items.push(Self::read(cursor, depth + 1)?);
            Ok::<(), Malformed>(())
        })?;
        Ok(Self::List(items))
    }

    /// Reads an object's fields in the order of the text.
    pub(super) fn fields(cursor: &mut Cursor<'a>, depth: usize) -> Result<Vec<Field<'a>>, Malformed> {
        let mut fields = Vec::new();
        cursor.expect(b'{', "an object was expected")?;
        if !cursor.eat(b'}') {
            loop {
                let name = unescape(cursor.name()?);
                fields.push((name, Self::read(cursor, depth + 1)?));
                if !cursor.eat(b',') {
                    break;
                }
            }
            cursor.expect(b'}', "a comma or the end was expected")?;
        }
        Ok(fields)
    }

    /// The value, independent of the text it was read from.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Bool(truth) => Value::Bool(truth),
            Self::List(items) => Value::List(items.into_iter().map(Self::into_owned).collect()),
            Self::Map(fields) => Value::Map(own(fields)),
            Self::Null => Value::Null,
        }
    }

    /// Appends the value as Go writes it inside a path element.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Number(number) => encode::number(out, *number),
            Self::Text(text) => encode::quote_value(out, text),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Null => out.push_str("null"),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    encode::quote_value(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Appends the value for a person, as `value.ToString` does.
    pub(super) fn show(&self, out: &mut String) {
        match self {
            Self::Number(number) => encode::float(out, *number, 1e-4),
            Self::Text(text) => {
                out.push('"');
                show_text(out, text, &['"', '\\']);
                out.push('"');
            }
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.show(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                for (name, value) in fields {
                    show_text(out, name, &[]);
                    out.push('=');
                    value.show(out);
                }
            }
            Self::Bool(_) | Self::Null => self.write(out),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::List(_) => 3,
            Self::Map(_) => 4,
            Self::Null => 5,
        }
    }
}

/// Appends text for a person: `marked` characters get a backslash, control characters an escape, so that no
/// name from a cluster can move a terminal's cursor.
pub(super) fn show_text(out: &mut String, text: &str, marked: &[char]) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => encode::put(out, format_args!("\\x{:02x}", u32::from(c))),
            c if c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c) =>
            {
                encode::put(out, format_args!("\\u{:04x}", u32::from(c)));
            }
            c => {
                if marked.contains(&c) {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
}

pub(super) fn own(fields: Vec<Field<'_>>) -> Vec<Field<'static>> {
    fields.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned())).collect()
}

/// Numbers here are finite (see `read`), so they have an order; `-0` and `0` are the same key, as in Go.
fn numbers(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

impl Ord for Value<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => numbers(*a, *b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value<'_> {}
