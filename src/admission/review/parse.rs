//! Reading the envelope's JSON: each key once, unknown keys skipped, and a stop at `object` when the head is enough.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Operation, Review, Unreadable, target};
use crate::admission::json::{Mapping, Text};
use crate::policy::Kind;
use crate::policy::rules::Names;

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

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    kind: Option<Text<'a>>,
    api_version: Option<Text<'a>>,
    in_request: bool,
    uid: Option<Text<'a>>,
    resource: Option<Mapping<Resource<'a>>>,
    subresource: Option<Text<'a>>,
    name: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    operation: Option<Text<'a>>,
    user: Option<Mapping<UserInfo<'a>>>,
    object: Option<&'a RawValue>,
    old: Option<&'a RawValue>,
    dry_run: bool,
    options: Option<Mapping<Options<'a>>>,
    pub(super) stopped: bool,
}

const V1: &str = "admission.k8s.io/v1";
const REVIEW: &str = "AdmissionReview";

impl<'a> Parts<'a> {
    /// Whether what was read already says that this write is none of ours. Only asked before `object`.
    fn outside(&self, names: &Names) -> bool {
        let typed = self.kind.as_ref().is_some_and(|kind| kind.0 == REVIEW)
            && self.api_version.as_ref().is_some_and(|version| version.0 == V1);
        let (Some(uid), Some(Mapping(resource)), Some(operation)) =
            (&self.uid, &self.resource, &self.operation)
        else {
            return false;
        };
        let Some(operation) = Self::operation_of(operation) else { return false };
        if !typed || uid.0.is_empty() {
            return false;
        }
        let Some(kind) = Kind::of(&resource.group.0, &resource.version.0, &resource.resource.0) else {
            return true;
        };
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

    pub(super) fn finish(self, names: &Names) -> Result<Review<'a>, Unreadable> {
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
        let Mapping(resource) = self.resource.ok_or(Unreadable::Missing("resource"))?;
        let Mapping(user) = self.user.unwrap_or_default();
        let mut review = Review {
            uid,
            operation,
            kind: Kind::of(&resource.group.0, &resource.version.0, &resource.resource.0),
            namespace: self.namespace.unwrap_or_default().0,
            name: self.name.unwrap_or_default().0,
            subresource: self.subresource.unwrap_or_default().0,
            username: user.username.0,
            groups: user.groups.unwrap_or_default().into_iter().map(|group| group.0).collect(),
            manager: self.options.and_then(|options| options.0.field_manager).unwrap_or_default().0,
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
pub(super) struct Envelope<'p, 'a> {
    pub(super) parts: &'p mut Parts<'a>,
    pub(super) names: &'p Names,
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
