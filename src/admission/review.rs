//! The envelope of an `AdmissionReview`, read over borrowed bytes.
//!
//! Our own reader, not kube's types: those build a tree of both objects (12 times the cost at 242 kB) before anybody
//! knows whether the object matters. The API server writes the head (`kind`, `resource`, `name`, `namespace`,
//! `operation`, `userInfo`) before `object`, so a review outside the catalogue is answered without reading further, and
//! is not validated further either (law 6). Any other order of keys works too; it only costs the whole read.

mod parse;
mod values;

use std::borrow::Cow;
use std::str::Utf8Error;

use parse::{Parts, Stop};

use super::object::Reading;
use crate::fields::json::Cursor;
use crate::policy::rules::Names;
use crate::policy::{Kind, Target};

/// Bytes in which the head of a review stands, unless its user is in very many groups.
const HEAD: usize = 2048;

/// Why a body is not a review that can be answered: HTTP 400, and for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing was sent.
    #[error("the body is empty; expected an AdmissionReview as JSON")]
    Empty,
    /// A protobuf body, which an API server sends to nobody's webhook.
    #[error("the body is not JSON; expected an AdmissionReview as JSON")]
    NotJson,
    /// JSON that breaks off or is none, or an envelope of the wrong shape.
    #[error("the body is not an AdmissionReview: {0}")]
    Malformed(String),
    /// Another kind or version.
    #[error(
        "the body is {kind:?} of {api_version:?}; expected \"AdmissionReview\" of \"admission.k8s.io/v1\""
    )]
    WrongType {
        /// `kind` as sent.
        kind: String,
        /// `apiVersion` as sent.
        api_version: String,
    },
    /// `request` is missing or null.
    #[error("the review has no request")]
    NoRequest,
    /// Without a uid no answer can be matched to the request.
    #[error("the request has no uid")]
    NoUid,
    /// A key of the request's head is missing.
    #[error("the request has no {0}")]
    Missing(&'static str),
}

/// What the API server asks to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// Any change of an existing one.
    Update,
    /// Deletion, of one object or of a collection.
    Delete,
    /// A proxy or exec connection.
    Connect,
}

impl Operation {
    /// The API's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// A review whose envelope is understood.
#[derive(Debug)]
pub struct Review<'a> {
    /// `request.uid`, echoed byte for byte.
    pub uid: Cow<'a, str>,
    /// Create, update, …
    pub operation: Operation,
    /// The kind, if the catalogue knows it, whatever the name.
    pub kind: Option<Kind>,
    /// `request.namespace`.
    pub namespace: Cow<'a, str>,
    /// `request.name`, empty with `generateName` and for collections.
    pub name: Cow<'a, str>,
    /// `status`, `scale`, … or `""`.
    pub subresource: Cow<'a, str>,
    /// `userInfo.username`.
    pub username: Cow<'a, str>,
    /// `userInfo.groups`.
    pub groups: Vec<Cow<'a, str>>,
    /// `options.fieldManager`, `""` when the client sent none.
    pub manager: Cow<'a, str>,
    /// `dryRun`.
    pub dry_run: bool,
    /// `object`: its text and what was read of it; `None` when absent, null or outside the catalogue.
    pub object: Option<(&'a str, Reading<'a>)>,
    /// `oldObject` likewise.
    pub old: Option<(&'a str, Reading<'a>)>,
}

impl<'a> Review<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8], names: &Names) -> Result<Self, Unreadable> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Unreadable::Empty);
        }
        if body.starts_with(b"k8s\0") {
            return Err(Unreadable::NotJson);
        }
        // The head alone first: what is outside the catalogue is not even checked to be text beyond it.
        let mut parts = Parts::default();
        let head = text_of(body.get(..HEAD).unwrap_or_default()).0;
        let stop = parts.read(&mut Cursor::new(head), names, true);
        if matches!(stop, Err(Stop::Outside)) {
            return parts.finish();
        }
        let (text, broken) = text_of(body);
        let outcome = if let Err(Stop::Object(place)) = stop {
            parts.read_on(&mut Cursor::resume(text, place), names)
        } else {
            parts = Parts::default();
            parts.read(&mut Cursor::new(text), names, false)
        };
        match (outcome, broken) {
            (Err(Stop::Outside), _) | (Ok(()), None) => {}
            (_, Some(error)) => return Err(Unreadable::Malformed(error.to_string())),
            (Err(Stop::Malformed(problem)), None) if problem.at >= text.trim_end().len() => {
                return Err(Unreadable::Malformed(format!("EOF where {problem}")));
            }
            (Err(Stop::Malformed(problem)), None) => return Err(Unreadable::Malformed(problem.to_string())),
            // Only a head ends there.
            (Err(Stop::Object(_)), None) => return Err(Unreadable::Malformed("it breaks off".to_owned())),
        }
        parts.finish()
    }

    /// The target this write is about, if it is a write that is ours to judge.
    pub fn target<'r>(&'r self, names: &Names) -> Option<Target<'r>> {
        target(self.kind?, self.operation, &self.subresource, &self.namespace, &self.name, names)
    }
}

/// As much of the bytes as is text, and what comes then.
fn text_of(bytes: &[u8]) -> (&str, Option<Utf8Error>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let text = bytes.get(..error.valid_up_to()).map(std::str::from_utf8);
            (text.and_then(Result::ok).unwrap_or_default(), Some(error))
        }
    }
}

fn target<'r>(
    kind: Kind,
    operation: Operation,
    subresource: &str,
    namespace: &'r str,
    name: &'r str,
    names: &Names,
) -> Option<Target<'r>> {
    let write = matches!(operation, Operation::Create | Operation::Update) && subresource.is_empty();
    write.then(|| Target::find(kind, namespace, name, names)).flatten()
}
