//! Values of a review as our cursor reads them: `null` counts as absent, as in Go, and a key stands once.

use std::borrow::Cow;

use crate::fields::json::{Cursor, Malformed};

/// A string, or `None` for `null`. Borrowed unless it holds an escape.
pub(super) fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    if cursor.token() == Some(b'n') {
        return cursor.literal("null").map(|()| None);
    }
    let (raw, escaped) = cursor.quoted()?;
    if !escaped {
        return Ok(Some(Cow::Borrowed(raw)));
    }
    // Unlike in a set's paths, half a character is an error here: it cannot be echoed.
    match serde_json::from_str::<String>(&format!("\"{raw}\"")) {
        Ok(text) => Ok(Some(Cow::Owned(text))),
        Err(_) => cursor.fail("a string holds half a surrogate pair"),
    }
}

/// Keeps a value whose key may stand only once.
pub(super) fn once<T>(
    slot: &mut Option<T>,
    seen: &mut u32,
    bit: u32,
    value: Option<T>,
    cursor: &Cursor<'_>,
    twice: &'static str,
) -> Result<(), Malformed> {
    if *seen & (1 << bit) != 0 {
        return cursor.fail(twice);
    }
    *seen |= 1 << bit;
    *slot = value;
    Ok(())
}
