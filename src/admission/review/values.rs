//! The values in an envelope that are more than one string.

use std::borrow::Cow;

use crate::admission::text::{once, string};
use crate::fields::json::{Cursor, Malformed};
use crate::policy::Kind;

/// A string that may be missing.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// Groups that one user may be in. No API server sends nearly as many, and three bytes of text take ten times as much here.
const GROUPS: usize = 1 << 16;

/// `{group, version, resource}`; the empty group is often left out.
#[derive(Debug, Default)]
pub(super) struct Resource<'a> {
    group: Text<'a>,
    version: Text<'a>,
    resource: Text<'a>,
}

impl Resource<'_> {
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of(text(&self.group), text(&self.version), text(&self.resource))
    }
}

pub(super) fn text<'t>(text: &'t Text<'_>) -> &'t str {
    text.as_deref().unwrap_or_default()
}

pub(super) fn resource<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Resource<'a>>, Malformed> {
    if cursor.token() == Some(b'n') {
        return cursor.literal("null").map(|()| None);
    }
    let (mut found, mut seen) = (Resource::default(), 0);
    cursor.members("resource: an object was expected", |cursor, name| {
        let (slot, bit, twice) = match name {
            "group" => (&mut found.group, 0, "duplicate field `group`"),
            "version" => (&mut found.version, 1, "duplicate field `version`"),
            "resource" => (&mut found.resource, 2, "duplicate field `resource`"),
            _ => return cursor.skip().map(|_| ()),
        };
        let value = string(cursor)?;
        once(slot, &mut seen, bit, value, cursor, twice)
    })?;
    Ok(Some(found))
}

pub(super) fn strings<'a>(cursor: &mut Cursor<'a>, out: &mut Vec<Cow<'a, str>>) -> Result<(), Malformed> {
    if cursor.token() == Some(b'n') {
        return cursor.literal("null");
    }
    cursor.items("groups: a list was expected", |cursor| {
        if out.len() >= GROUPS {
            return cursor.fail("groups: more than 65536");
        }
        out.extend(string(cursor)?);
        Ok(())
    })
}

pub(super) fn truth(cursor: &mut Cursor<'_>) -> Result<bool, Malformed> {
    match cursor.token() {
        Some(b't') => cursor.literal("true").map(|()| true),
        Some(b'f') => cursor.literal("false").map(|()| false),
        Some(b'n') => cursor.literal("null").map(|()| false),
        _ => cursor.fail("dryRun: true or false was expected"),
    }
}
