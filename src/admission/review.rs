//! The envelope of an `AdmissionReview`, read over borrowed bytes.
//!
//! Our own reader, not kube's types: those build a tree of both objects (12 times the cost at 242 kB) before anybody
//! knows whether the object matters. The API server writes the head (`kind`, `resource`, `name`, `namespace`,
//! `operation`, `userInfo`) before `object`, so a review outside the catalogue is answered without reading further, and
//! is not validated further either (law 6). Any other order of keys works too; it only costs the whole read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::rules::Names;
use crate::policy::{Kind, Target};

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
    #[error("the body is {kind:?} of {api_version:?}; expected \"AdmissionReview\" of \"admission.k8s.io/v1\"")]
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

/// A string that borrows from the input unless it holds an escape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// `{group, version, kind|resource}`; the empty group is often left out.
#[derive(Debug, Default, Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default)]
    resource: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct UserInfo<'a> {
    #[serde(borrow, default)]
    username: Text<'a>,
    #[serde(borrow, default)]
    groups: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    #[serde(borrow, default)]
    field_manager: Option<Text<'a>>,
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
    /// Text of `object`, `None` when absent or null.
    pub object: Option<&'a str>,
    /// Text of `oldObject`, `None` when absent or null.
    pub old: Option<&'a str>,
    /// Whether the head alone said that the catalogue does not know this write; the rest was then not read.
    pub outside: bool,
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
        let mut parts = Parts::default();
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let read = Envelope { parts: &mut parts, names }
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        match read {
            Ok(()) => {}
            Err(_) if parts.stopped => {}
            Err(error) => return Err(Unreadable::Malformed(error.to_string())),
        }
        parts.finish(names)
    }

    /// The target this write is about, if it is a write that is ours to judge.
    pub fn target<'r>(&'r self, names: &Names) -> Option<Target<'r>> {
        target(self.kind?, self.operation, &self.subresource, &self.namespace, &self.name, names)
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

/// What has been read so far.
#[derive(Debug, Default)]
struct Parts<'a> {
    kind: Option<Text<'a>>,
    api_version: Option<Text<'a>>,
    in_request: bool,
    uid: Option<Text<'a>>,
    resource: Option<Resource<'a>>,
    subresource: Option<Text<'a>>,
    name: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    operation: Option<Text<'a>>,
    user: Option<UserInfo<'a>>,
    object: Option<&'a RawValue>,
    old: Option<&'a RawValue>,
    dry_run: bool,
    options: Option<Options<'a>>,
    stopped: bool,
}

const V1: &str = "admission.k8s.io/v1";
const REVIEW: &str = "AdmissionReview";

impl<'a> Parts<'a> {
    /// Whether what was read already says that this write is none of ours. Only asked before `object`.
    fn outside(&self, names: &Names) -> bool {
        let typed = self.kind.as_ref().is_some_and(|kind| kind.0 == REVIEW)
            && self.api_version.as_ref().is_some_and(|version| version.0 == V1);
        let (Some(uid), Some(resource), Some(operation)) = (&self.uid, &self.resource, &self.operation) else {
            return false;
        };
        let Some(operation) = Self::operation_of(operation) else { return false };
        if !typed || uid.0.is_empty() {
            return false;
        }
        let Some(kind) = Kind::of(&resource.group.0, &resource.version.0, &resource.resource.0) else { return true };
        // The API server leaves an empty name or namespace out, so a missing one may only come later.
        let (Some(name), namespace) = (&self.name, text(self.namespace.as_ref())) else { return false };
        let subresource = text(self.subresource.as_ref());
        target(kind, operation, subresource, namespace, &name.0, names).is_none()
    }

    fn operation_of(operation: &Text<'_>) -> Option<Operation> {
        match &*operation.0 {
            "CREATE" => Some(Operation::Create),
            "UPDATE" => Some(Operation::Update),
            "DELETE" => Some(Operation::Delete),
            "CONNECT" => Some(Operation::Connect),
            _ => None,
        }
    }

    fn finish(self, names: &Names) -> Result<Review<'a>, Unreadable> {
        let (kind, api_version) = (text(self.kind.as_ref()), text(self.api_version.as_ref()));
        if kind != REVIEW || api_version != V1 {
            let cut = |text: &str| text.chars().take(80).collect();
            return Err(Unreadable::WrongType { kind: cut(kind), api_version: cut(api_version) });
        }
        if !self.in_request {
            return Err(Unreadable::NoRequest);
        }
        let operation = self.operation.as_ref().ok_or(Unreadable::Missing("operation"))?;
        let Some(operation) = Self::operation_of(operation) else {
            return Err(Unreadable::Malformed(format!(
                "operation is {:?}; expected CREATE, UPDATE, DELETE or CONNECT",
                operation.0.chars().take(80).collect::<String>()
            )));
        };
        let uid = self.uid.map(|uid| uid.0).filter(|uid| !uid.is_empty()).ok_or(Unreadable::NoUid)?;
        let resource = self.resource.ok_or(Unreadable::Missing("resource"))?;
        let user = self.user.unwrap_or_default();
        let mut review = Review {
            uid,
            operation,
            kind: Kind::of(&resource.group.0, &resource.version.0, &resource.resource.0),
            namespace: self.namespace.unwrap_or_default().0,
            name: self.name.unwrap_or_default().0,
            subresource: self.subresource.unwrap_or_default().0,
            username: user.username.0,
            groups: user.groups.unwrap_or_default().into_iter().map(|group| group.0).collect(),
            manager: self.options.and_then(|options| options.field_manager).unwrap_or_default().0,
            dry_run: self.dry_run,
            object: self.object.map(RawValue::get),
            old: self.old.map(RawValue::get),
            outside: self.stopped,
        };
        review.outside = review.target(names).is_none();
        Ok(review)
    }
}

fn text<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map_or("", |text| &text.0)
}

/// Reads the outer object into `parts`.
struct Envelope<'p, 'a> {
    parts: &'p mut Parts<'a>,
    names: &'p Names,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AdmissionReview object")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "kind" => once(&mut self.parts.kind, &mut map, "kind")?,
                "apiVersion" => once(&mut self.parts.api_version, &mut map, "apiVersion")?,
                "request" => {
                    if self.parts.in_request {
                        return Err(M::Error::duplicate_field("request"));
                    }
                    map.next_value_seed(Request { parts: &mut *self.parts, names: self.names })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads `request` into `parts`, and stops with an error at `object` when the head is enough.
struct Request<'p, 'a> {
    parts: &'p mut Parts<'a>,
    names: &'p Names,
}

impl<'de> DeserializeSeed<'de> for Request<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Request<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request object")
    }
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let parts = self.parts;
        parts.in_request = true;
        let mut seen_dry_run = false;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "uid" => once(&mut parts.uid, &mut map, "uid")?,
                "resource" => once(&mut parts.resource, &mut map, "resource")?,
                "subResource" => once(&mut parts.subresource, &mut map, "subResource")?,
                "name" => once(&mut parts.name, &mut map, "name")?,
                "namespace" => once(&mut parts.namespace, &mut map, "namespace")?,
                "operation" => once(&mut parts.operation, &mut map, "operation")?,
                "userInfo" => once(&mut parts.user, &mut map, "userInfo")?,
                "object" => {
                    if parts.object.is_none() && parts.outside(self.names) {
                        parts.stopped = true;
                        return Err(M::Error::custom("the head is enough"));
                    }
                    raw_once(&mut parts.object, &mut map, "object")?;
                }
                "oldObject" => raw_once(&mut parts.old, &mut map, "oldObject")?,
                "dryRun" => {
                    if std::mem::replace(&mut seen_dry_run, true) {
                        return Err(M::Error::duplicate_field("dryRun"));
                    }
                    parts.dry_run = map.next_value::<Option<bool>>()?.unwrap_or_default();
                }
                "options" => once(&mut parts.options, &mut map, "options")?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a value whose key may stand only once; null counts as absent, as in Go.
fn once<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut M,
    key: &'static str,
) -> Result<(), M::Error> {
    if slot.is_some() {
        return Err(M::Error::duplicate_field(key));
    }
    *slot = map.next_value()?;
    Ok(())
}

fn raw_once<'de, M: MapAccess<'de>>(
    slot: &mut Option<&'de RawValue>,
    map: &mut M,
    key: &'static str,
) -> Result<(), M::Error> {
    if slot.is_some() {
        return Err(M::Error::duplicate_field(key));
    }
    let value: &RawValue = map.next_value()?;
    *slot = (value.get() != "null").then_some(value);
    Ok(())
}
