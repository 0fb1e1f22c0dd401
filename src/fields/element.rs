//! One step of a path in `fieldsV1`, borrowed from its text where it can be.
//!
//! The forms and their order are those of structured-merge-diff `fieldpath/element.go` and `serialize-pe.go`:
//! `f:name` < `k:{json}` < `v:json` < `i:index`. A prefix that is not known yet is read too: Go drops it,
//! we carry it and sort it last, so that a newer API server's ownership survives us. What Go reports as an
//! error (no prefix, broken JSON, a bad index) is an error here: the API server would discard such a list.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::encode;
use super::json::{Cursor, Malformed};
use super::plain;
use super::text::unescape;
use super::value::{self, Field, Value, show_text};

/// A path element. The derived order is the canonical one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element<'a> {
    /// `f:NAME`: a field of an object or an entry of a map.
    Field(Cow<'a, str>),
    /// `k:{json}`: an item of an associative list, by its key fields, sorted by name.
    Key(Vec<Field<'a>>),
    /// `v:json`: an item of a set, by its value.
    Value(Value<'a>),
    /// `i:INT`: an item of a list, by its place.
    Index(i64),
    /// Any other `X:text`, whole.
    Unknown(Cow<'a, str>),
}

impl<'a> Element<'a> {
    /// Reads the inner text of a JSON string, escapes and all.
    pub(super) fn parse(raw: &'a str) -> Result<Self, Malformed> {
        if let Some(name) = raw.strip_prefix("f:") {
            return Ok(Self::Field(unescape(name)));
        }
        if let Some(fields) = raw.strip_prefix("k:").and_then(plain::read) {
            return Ok(Self::Key(fields));
        }
        match unescape(raw) {
            Cow::Borrowed(text) => Self::from_text(text),
            Cow::Owned(text) => Element::from_text(&text).map(Element::into_owned),
        }
    }

    /// As [`Self::parse`], but text that is no element at all is carried too.
    pub(super) fn parse_any(raw: &'a str) -> Self {
        Self::parse(raw).unwrap_or_else(|_| Self::Unknown(unescape(raw)))
    }

    fn from_text(text: &'a str) -> Result<Self, Malformed> {
        let Some((prefix, rest)) = text.split_at_checked(2) else {
            return Err(Malformed { what: "a path element needs a prefix", at: 0 });
        };
        match prefix {
            "f:" => Ok(Self::Field(Cow::Borrowed(rest))),
            "k:" => Self::key(rest),
            "v:" => Value::parse(rest).map(Self::Value),
            "i:" => match rest.parse() {
                Ok(index) => Ok(Self::Index(index)),
                Err(_) => Err(Malformed { what: "bad index", at: 2 }),
            },
            _ if prefix.ends_with(':') => Ok(Self::Unknown(Cow::Borrowed(text))),
            _ => Err(Malformed { what: "a path element needs a prefix", at: 0 }),
        }
    }

    fn key(text: &'a str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        let mut fields = if cursor.token() == Some(b'n') {
            cursor.literal("null")?;
            Vec::new()
        } else {
            Value::fields(&mut cursor, 0)?
        };
        cursor.end()?;
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self::Key(fields))
    }

    /// The element, independent of the text it was read from.
    pub fn into_owned(self) -> Element<'static> {
        match self {
            Self::Field(name) => Element::Field(Cow::Owned(name.into_owned())),
            Self::Key(fields) => Element::Key(value::own(fields)),
            Self::Value(value) => Element::Value(value.into_owned()),
            Self::Index(index) => Element::Index(index),
            Self::Unknown(text) => Element::Unknown(Cow::Owned(text.into_owned())),
        }
    }

    /// Whether today's API server keeps this element.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// How the element stands to the field `name`, without building one.
    pub(super) fn cmp_field(&self, name: &str) -> Ordering {
        match self {
            Self::Field(own) => own.as_ref().cmp(name),
            _ => Ordering::Greater,
        }
    }

    /// Appends the element as the inner text of a JSON string; `scratch` is a buffer to reuse.
    pub(super) fn write(&self, out: &mut String, scratch: &mut String) {
        scratch.clear();
        match self {
            Self::Field(name) => {
                out.push_str("f:");
                return encode::escape(out, name);
            }
            Self::Index(index) => return encode::put(out, format_args!("i:{index}")),
            Self::Unknown(text) => return encode::escape(out, text),
            Self::Value(value) => {
                scratch.push_str("v:");
                value.write(scratch);
            }
            Self::Key(fields) if plain::write(fields, out) => return,
            Self::Key(fields) => {
                scratch.push_str("k:{");
                for (index, (name, value)) in fields.iter().enumerate() {
                    scratch.push_str(if index > 0 { ",\"" } else { "\"" });
                    encode::escape(scratch, name);
                    scratch.push_str("\":");
                    value.write(scratch);
                }
                scratch.push('}');
            }
        }
        encode::escape(out, scratch);
    }

    /// Appends the element as Go's `PathElement.String` writes it, dots inside a name and all.
    pub(super) fn report(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push('.');
                show_text(out, name, &[]);
            }
            _ => self.show(out),
        }
    }

    /// Appends the element for a person: as Go's `PathElement.String`, but with the dots inside a name marked.
    pub(super) fn show(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push('.');
                show_text(out, name, &['.', '\\']);
            }
            Self::Key(fields) => {
                out.push('[');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    show_text(out, name, &[]);
                    out.push('=');
                    value.show(out);
                }
                out.push(']');
            }
            Self::Value(value) => {
                out.push_str("[=");
                value.show(out);
                out.push(']');
            }
            Self::Index(index) => encode::put(out, format_args!("[{index}]")),
            Self::Unknown(text) => {
                out.push('{');
                show_text(out, text, &[]);
                out.push('}');
            }
        }
    }
}
