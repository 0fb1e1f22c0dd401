//! Text in pieces: what is long and stands in the body already is lent, not copied.
//!
//! Our own, because the largest part of an answer is a subtree of `fieldsV1` that nothing changes: on its way from the
//! body into the answer it is copied once, as base64. Copies between the two cost fresh pages each, and more of them the
//! larger the object.

use std::borrow::Cow;
use std::fmt;

/// Shorter text is copied: lending it costs more.
const SHORT: usize = 1024;
/// Room for what stands around long pieces, so that it does not grow step by step.
const ROOM: usize = 1024;

/// A text, piece by piece.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    done: Vec<Cow<'a, str>>,
    tail: String,
}

impl Default for Pieces<'_> {
    fn default() -> Self {
        Self { done: Vec::new(), tail: String::with_capacity(ROOM) }
    }
}

impl<'a> Pieces<'a> {
    /// The pieces in order; some may be empty.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.done.iter().map(|piece| &**piece).chain([self.tail.as_str()])
    }

    /// How many bytes the text has.
    pub fn len(&self) -> usize {
        self.iter().map(str::len).sum()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The end of the text, to append to.
    pub fn tail(&mut self) -> &mut String {
        &mut self.tail
    }

    /// Appends text that lives elsewhere.
    pub fn lend(&mut self, text: &'a str) {
        if text.len() < SHORT {
            self.tail.push_str(text);
        } else {
            self.finish();
            self.done.push(Cow::Borrowed(text));
        }
    }

    /// Appends all of another text.
    pub fn append(&mut self, other: Self) {
        self.done.reserve(other.done.len() + 1);
        for piece in other.done {
            match piece {
                Cow::Borrowed(text) => self.lend(text),
                Cow::Owned(text) => self.own(text),
            }
        }
        self.own(other.tail);
    }

    fn own(&mut self, text: String) {
        if text.len() < SHORT {
            self.tail.push_str(&text);
        } else {
            self.finish();
            self.done.push(Cow::Owned(text));
        }
    }

    fn finish(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, String::with_capacity(ROOM));
            self.done.push(Cow::Owned(tail));
        }
    }

    /// The text in one piece.
    pub fn whole(&self) -> Cow<'_, str> {
        match self.done.as_slice() {
            [] => Cow::Borrowed(&self.tail),
            [one] if self.tail.is_empty() => Cow::Borrowed(one),
            _ => Cow::Owned(self.iter().collect()),
        }
    }
}

impl<'a> IntoIterator for Pieces<'a> {
    type Item = Cow<'a, str>;
    type IntoIter = std::iter::Chain<std::vec::IntoIter<Cow<'a, str>>, std::option::IntoIter<Cow<'a, str>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.done.into_iter().chain(Some(Cow::Owned(self.tail)))
    }
}

impl<'a> From<&'a str> for Pieces<'a> {
    fn from(text: &'a str) -> Self {
        Self { done: vec![Cow::Borrowed(text)], tail: String::new() }
    }
}

impl From<String> for Pieces<'_> {
    fn from(text: String) -> Self {
        Self { done: Vec::new(), tail: text }
    }
}

impl PartialEq<str> for Pieces<'_> {
    fn eq(&self, other: &str) -> bool {
        self.iter().try_fold(other, |rest, piece| rest.strip_prefix(piece)).is_some_and(str::is_empty)
    }
}

impl PartialEq for Pieces<'_> {
    fn eq(&self, other: &Self) -> bool {
        *self == *other.whole()
    }
}

impl Eq for Pieces<'_> {}

impl fmt::Display for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|piece| f.write_str(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_however_it_is_cut() {
        let long = "x".repeat(SHORT);
        let mut cut = Pieces::from("a");
        cut.lend(&long);
        cut.tail().push('b');
        let mut twice = Pieces::from("<");
        twice.append(cut.clone());
        twice.append(cut.clone());
        twice.append(cut.clone());
        let whole = format!("a{long}b");
        assert_eq!(cut, Pieces::from(whole.as_str()));
        assert!(cut == *whole && cut != whole[1..] && cut != *format!("{whole}c") && cut != *"");
        assert_eq!(twice.to_string(), format!("<{whole}{whole}{whole}"));
        assert_eq!(twice.whole(), twice.to_string());
        assert_eq!((twice.len(), twice.is_empty()), (3 * whole.len() + 1, false));
        assert!(Pieces::default().is_empty() && Pieces::default() == *"");
    }

    #[test]
    fn what_is_long_is_not_copied() {
        let long = "x".repeat(SHORT);
        let pieces = Pieces::from(long.as_str());
        assert!(pieces.iter().any(|piece| std::ptr::eq(piece, long.as_str())));
    }
}
