//! A cursor over JSON text that hands out slices of it.
//!
//! Why not `serde_json` here: a set's keys carry JSON inside JSON strings, most of an entry is only passed
//! through, and the text is wanted borrowed and once. The cursor is strict (RFC 8259) in all it reads, and never
//! recurses; what it skips it only measures (`scan`).

use super::scan;
use super::text::unescape;

/// Deepest nesting of a set that is read. Real sets nest about 20 deep; every recursion in this room is
/// bounded by it.
pub(super) const MAX_DEPTH: usize = 256;

/// Text that is not what it should be, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    /// What was wrong.
    pub what: &'static str,
    /// Offset into the text that was parsed.
    pub at: usize,
}

/// A place in JSON text.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// A cursor at a place that another one over the same text, or over its beginning, has reached.
    pub(crate) fn resume(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// How far it has come.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    pub(crate) fn fail<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { what, at: self.at })
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The text from `start` up to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes white space and returns the next byte, still unread.
    pub(crate) fn token(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// The offset of the next token.
    pub(crate) fn start(&mut self) -> usize {
        self.token();
        self.at
    }

    /// Passes `byte` if it is the next token.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.token() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.eat(byte) { Ok(()) } else { self.fail(what) }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        if self.token().is_none() { Ok(()) } else { self.fail("trailing data") }
    }

    pub(crate) fn literal(&mut self, word: &str) -> Result<(), Malformed> {
        self.token();
        if !self.rest().starts_with(word.as_bytes()) {
            return self.fail("unknown literal");
        }
        self.at += word.len();
        Ok(())
    }

    /// A string: what stands between its quotes, escapes and all.
    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        self.quoted().map(|(inner, _)| inner)
    }

    /// A string's inner text, and whether it holds an escape.
    pub(crate) fn quoted(&mut self) -> Result<(&'a str, bool), Malformed> {
        self.expect(b'"', "a string was expected")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += scan::plain(self.rest());
            match self.rest() {
                [b'"', ..] => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok((inner, escaped));
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
                [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|h| h.is_ascii_hexdigit()) => {
                    self.at += 6;
                }
                [] => return self.fail("unfinished string"),
                _ => return self.fail("bad escape or control character in a string"),
            }
            escaped = true;
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// A number, as text.
    pub(super) fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.start();
        if self.rest().first() == Some(&b'-') {
            self.at += 1;
        }
        let leading_zero = self.rest().first() == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            return self.fail("bad number");
        }
        if self.rest().first() == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.fail("bad number");
            }
        }
        if matches!(self.rest(), [b'e' | b'E', ..]) {
            self.at += 1;
            if matches!(self.rest(), [b'+' | b'-', ..]) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail("bad number");
            }
        }
        Ok(self.since(start))
    }

    /// Passes any value, however deep, and returns its text. What is inside an object or a list is not looked at.
    pub(crate) fn skip(&mut self) -> Result<&'a str, Malformed> {
        let start = self.start();
        match self.rest().first() {
            Some(b'{' | b'[') => match scan::length(self.rest()) {
                Ok(length) => self.at += length,
                Err(problem) => return Err(Malformed { at: self.at + problem.at, ..problem }),
            },
            Some(b'"') => {
                self.string()?;
            }
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            _ => {
                self.number()?;
            }
        }
        Ok(self.since(start))
    }

    /// Passes a value that mostly is the same as `like`, another value's text, and is then known to end where that ends.
    pub(crate) fn skip_like(&mut self, like: &str) -> Result<&'a str, Malformed> {
        let start = self.start();
        if like.starts_with('{') && self.rest().starts_with(like.as_bytes()) {
            self.at += like.len();
            return Ok(self.since(start));
        }
        self.skip()
    }

    /// Passes an object, calling `member` with each name, its value next.
    pub(crate) fn members<E: From<Malformed>>(
        &mut self,
        what: &'static str,
        member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{', what)?;
        if self.eat(b'}') {
            return Ok(());
        }
        self.next_members(member)
    }

    /// As [`Self::members`], for an object that was passed as far as behind one of its values.
    pub(crate) fn more_members<E: From<Malformed>>(
        &mut self,
        member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.eat(b',') {
            return self.next_members(member);
        }
        Ok(self.expect(b'}', "a comma or the end was expected")?)
    }

    fn next_members<E: From<Malformed>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let (name, escaped) = self.quoted()?;
            self.expect(b':', "a colon was expected")?;
            if escaped {
                member(self, &unescape(name))?;
            } else {
                member(self, name)?;
            }
            if !self.eat(b',') {
                break;
            }
        }
        Ok(self.expect(b'}', "a comma or the end was expected")?)
    }

    /// Passes a list, calling `item` before each of its values.
    pub(crate) fn items<E: From<Malformed>>(
        &mut self,
        what: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'[', what)?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.eat(b',') {
                break;
            }
        }
        Ok(self.expect(b']', "a comma or the end was expected")?)
    }

    /// A member's name and its colon.
    pub(crate) fn name(&mut self) -> Result<&'a str, Malformed> {
        let name = self.string()?;
        self.expect(b':', "a colon was expected")?;
        Ok(name)
    }
}
