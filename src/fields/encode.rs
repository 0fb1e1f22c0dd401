//! JSON text as the API server writes it.
//!
//! Two kinds of escaping meet in a set's keys (structured-merge-diff `fieldpath/serialize-pe.go`, jsoniter
//! `stream_str.go`): the key itself is escaped as little as JSON allows, while a string *value* inside a
//! `k:` or `v:` element also has `<`, `>`, `&`, U+2028 and U+2029 escaped. Bytes decide whether the API server
//! sees a no-op (apiserver `fieldmanager/equality.go`), so they are matched exactly.

use std::fmt::{Arguments, Write as _};

/// Appends `text` escaped as little as JSON allows, without quotes.
pub(super) fn escape(out: &mut String, text: &str) {
    let special = |b: u8| b < b' ' || b == b'"' || b == b'\\';
    if text.bytes().any(special) {
        write(out, text, |c| c < ' ' || c == '"' || c == '\\');
    } else {
        out.push_str(text);
    }
}

/// Appends `text` escaped as Go escapes string values, without quotes.
pub(super) fn escape_value(out: &mut String, text: &str) {
    write(out, text, |c| c < ' ' || matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}'));
}

/// Appends a quoted string value.
pub(super) fn quote_value(out: &mut String, text: &str) {
    out.push('"');
    escape_value(out, text);
    out.push('"');
}

fn write(out: &mut String, text: &str, special: impl Fn(char) -> bool) {
    let mut rest = text;
    while let Some(at) = rest.find(&special) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some(c @ ('"' | '\\')) => {
                out.push('\\');
                out.push(c);
            }
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c) => put(out, format_args!("\\u{:04x}", u32::from(c))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Appends a number as jsoniter's `WriteFloat64` does: shortest digits, an exponent below 1e-6 and from 1e21 on.
pub(super) fn number(out: &mut String, value: f64) {
    float(out, value, 1e-6);
}

/// Appends a number with an exponent below `small`, written with at least two digits.
pub(super) fn float(out: &mut String, value: f64, small: f64) {
    let size = value.abs();
    if size == 0.0 || (small..1e21).contains(&size) {
        put(out, format_args!("{value}"));
        return;
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        out.push_str(&text);
        return;
    };
    let (sign, power) = exponent.strip_prefix('-').map_or(('+', exponent), |power| ('-', power));
    put(out, format_args!("{digits}e{sign}{power:0>2}"));
}

/// Appends formatted text. Writing to a `String` cannot fail.
pub(super) fn put(out: &mut String, text: Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}
