//! Reading the envelope's JSON: each key once, unknown keys skipped, and a stop at `object` when the head is enough.
//!
//! Our own cursor, not serde: `serde_json` finds where `object` ends by reading all of it, and it would be read again
//! for its metadata; the cursor measures it with bit masks.

use std::borrow::Cow;

use super::values::{Resource, Text, resource, strings, text, truth};
use super::{Operation, Review, Unreadable, target};
use crate::admission::object::{self, Reading};
use crate::admission::text::{once, string};
use crate::fields::json::{Cursor, Malformed};
use crate::policy::rules::Names;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    kind: Text<'a>,
    api_version: Text<'a>,
    in_request: bool,
    uid: Text<'a>,
    resource: Option<Resource<'a>>,
    subresource: Text<'a>,
    name: Text<'a>,
    namespace: Text<'a>,
    operation: Text<'a>,
    username: Text<'a>,
    groups: Vec<Cow<'a, str>>,
    object: Option<(&'a str, Reading<'a>)>,
    old: Option<(&'a str, Reading<'a>)>,
    dry_run: bool,
    manager: Text<'a>,
    /// Which keys were met: of the outer object, of the request.
    seen: (u32, u32),
}

/// Why reading ended early.
pub(super) enum Stop {
    /// The head says that the catalogue does not know this write; the rest was not read.
    Outside,
    /// Only the head is there, and it is about a target: its object comes next, at this place.
    Object(usize),
    /// It cannot be read.
    Malformed(Malformed),
}

impl From<Malformed> for Stop {
    fn from(problem: Malformed) -> Self {
        Self::Malformed(problem)
    }
}

const V1: &str = "admission.k8s.io/v1";
const REVIEW: &str = "AdmissionReview";

impl<'a> Parts<'a> {
    /// Reads a whole review, or with `head` no further than to its object.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'a>, names: &Names, head: bool) -> Result<(), Stop> {
        cursor.members("an AdmissionReview object was expected", |cursor, name| {
            self.outer(cursor, name, names, head)
        })?;
        Ok(cursor.end()?)
    }

    /// Reads on where only the head was there.
    pub(super) fn read_on(&mut self, cursor: &mut Cursor<'a>, names: &Names) -> Result<(), Stop> {
        self.member(cursor, "object", names, false)?;
        cursor.more_members(|cursor, name| self.member(cursor, name, names, false))?;
        cursor.more_members(|cursor, name| self.outer(cursor, name, names, false))?;
        Ok(cursor.end()?)
    }

    fn outer(&mut self, cursor: &mut Cursor<'a>, name: &str, names: &Names, head: bool) -> Result<(), Stop> {
        let seen = &mut self.seen.0;
        match name {
            "kind" => {
                let value = string(cursor)?;
                once(&mut self.kind, seen, 0, value, cursor, "duplicate field `kind`")?;
            }
            "apiVersion" => {
                let value = string(cursor)?;
                once(&mut self.api_version, seen, 1, value, cursor, "duplicate field `apiVersion`")?;
            }
            "request" if self.in_request => {
                return cursor.fail("duplicate field `request`").map_err(Stop::from);
            }
            "request" if cursor.token() == Some(b'n') => cursor.literal("null")?,
            "request" => {
                self.in_request = true;
                cursor.members("a request object was expected", |cursor, name| {
                    self.member(cursor, name, names, head)
                })?;
            }
            _ => {
                cursor.skip()?;
            }
        }
        Ok(())
    }

    /// One member of the request.
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str, names: &Names, head: bool) -> Result<(), Stop> {
        let seen = &mut self.seen.1;
        match name {
            "uid" => {
                let value = string(cursor)?;
                once(&mut self.uid, seen, 0, value, cursor, "duplicate field `uid`")?;
            }
            "resource" => {
                let value = resource(cursor)?;
                once(&mut self.resource, seen, 1, value, cursor, "duplicate field `resource`")?;
            }
            "subResource" => {
                let value = string(cursor)?;
                once(&mut self.subresource, seen, 2, value, cursor, "duplicate field `subResource`")?;
            }
            "name" => {
                let value = string(cursor)?;
                once(&mut self.name, seen, 3, value, cursor, "duplicate field `name`")?;
            }
            "namespace" => {
                let value = string(cursor)?;
                once(&mut self.namespace, seen, 4, value, cursor, "duplicate field `namespace`")?;
            }
            "operation" => {
                let value = string(cursor)?;
                once(&mut self.operation, seen, 5, value, cursor, "duplicate field `operation`")?;
            }
            "userInfo" => {
                once(&mut None, seen, 6, Some(()), cursor, "duplicate field `userInfo`")?;
                self.user(cursor)?;
            }
            "object" => {
                let first = *seen & (1 << 7) == 0;
                if first && self.outside(names) {
                    return Err(Stop::Outside);
                }
                if first && head {
                    return Err(Stop::Object(cursor.place()));
                }
                let value = object::next(cursor, None)?;
                once(&mut self.object, &mut self.seen.1, 7, value, cursor, "duplicate field `object`")?;
            }
            "oldObject" => {
                let beside = self.object.as_ref().and_then(|(_, object)| object.as_ref().ok());
                let value = object::next(cursor, beside)?;
                once(&mut self.old, seen, 8, value, cursor, "duplicate field `oldObject`")?;
            }
            "dryRun" => {
                let value = truth(cursor)?;
                self.dry_run = value;
                once(&mut None, seen, 9, Some(()), cursor, "duplicate field `dryRun`")?;
            }
            "options" => {
                once(&mut None, seen, 10, Some(()), cursor, "duplicate field `options`")?;
                self.options(cursor)?;
            }
            _ => {
                cursor.skip()?;
            }
        }
        Ok(())
    }

    fn user(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        if cursor.token() == Some(b'n') {
            return cursor.literal("null");
        }
        let mut seen = 0;
        cursor.members("userInfo: an object was expected", |cursor, name| {
            match name {
                "username" => {
                    let value = string(cursor)?;
                    once(&mut self.username, &mut seen, 0, value, cursor, "duplicate field `username`")?;
                }
                "groups" => {
                    once(&mut None, &mut seen, 1, Some(()), cursor, "duplicate field `groups`")?;
                    strings(cursor, &mut self.groups)?;
                }
                _ => {
                    cursor.skip()?;
                }
            }
            Ok(())
        })
    }

    fn options(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        if cursor.token() == Some(b'n') {
            return cursor.literal("null");
        }
        let mut seen = 0;
        cursor.members("options: an object was expected", |cursor, name| {
            if name == "fieldManager" {
                let value = string(cursor)?;
                once(&mut self.manager, &mut seen, 0, value, cursor, "duplicate field `fieldManager`")
            } else {
                cursor.skip().map(|_| ())
            }
        })
    }

    /// Whether what was read already says that this write is none of ours. Only asked before `object`.
    fn outside(&self, names: &Names) -> bool {
        let typed = text(&self.kind) == REVIEW && text(&self.api_version) == V1;
        let (Some(resource), Some(operation)) = (&self.resource, operation_of(text(&self.operation))) else {
            return false;
        };
        if !typed || text(&self.uid).is_empty() {
            return false;
        }
        let Some(kind) = resource.kind() else {
            return true;
        };
        // The API server leaves an empty name or namespace out, so a missing one may only come later.
        let Some(name) = &self.name else { return false };
        if kind.namespaced() && self.namespace.is_none() {
            return false;
        }
        target(kind, operation, text(&self.subresource), text(&self.namespace), name, names).is_none()
    }

    pub(super) fn finish(self) -> Result<Review<'a>, Unreadable> {
        let (kind, api_version) = (text(&self.kind), text(&self.api_version));
        if kind != REVIEW || api_version != V1 {
            let cut = |text: &str| text.chars().take(80).collect();
            return Err(Unreadable::WrongType { kind: cut(kind), api_version: cut(api_version) });
        }
        if !self.in_request {
            return Err(Unreadable::NoRequest);
        }
        let operation = self.operation.as_deref().ok_or(Unreadable::Missing("operation"))?;
        let Some(operation) = operation_of(operation) else {
            return Err(Unreadable::Malformed(format!(
                "operation is {:?}; expected CREATE, UPDATE, DELETE or CONNECT",
                operation.chars().take(80).collect::<String>()
            )));
        };
        let uid = self.uid.filter(|uid| !uid.is_empty()).ok_or(Unreadable::NoUid)?;
        let resource = self.resource.ok_or(Unreadable::Missing("resource"))?;
        Ok(Review {
            uid,
            operation,
            kind: resource.kind(),
            namespace: self.namespace.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            subresource: self.subresource.unwrap_or_default(),
            username: self.username.unwrap_or_default(),
            groups: self.groups,
            manager: self.manager.unwrap_or_default(),
            dry_run: self.dry_run,
            object: self.object,
            old: self.old,
        })
    }
}

fn operation_of(word: &str) -> Option<Operation> {
    match word {
        "CREATE" => Some(Operation::Create),
        "UPDATE" => Some(Operation::Update),
        "DELETE" => Some(Operation::Delete),
        "CONNECT" => Some(Operation::Connect),
        _ => None,
    }
}
