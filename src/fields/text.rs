//! What the escapes inside a JSON string mean.

use std::borrow::Cow;

/// What a string's inner text means. A surrogate without its partner reads as U+FFFD, as in Go.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (meant, after) = unicode(chars.as_str());
                out.push(meant);
                rest = after;
                continue;
            }
            Some(itself) => out.push(itself),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn unicode(text: &str) -> (char, &str) {
    let (unit, after) = four_hex(text);
    if (0xD800..0xDC00).contains(&unit)
        && let Some(partner) = after.strip_prefix("\\u")
    {
        let (low, end) = four_hex(partner);
        if (0xDC00..0xE000).contains(&low) {
            let joined = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), end);
        }
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}

fn four_hex(text: &str) -> (u32, &str) {
    let (hex, after) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(hex, 16).unwrap_or(0xFFFD), after)
}
