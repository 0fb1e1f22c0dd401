//! Reading many objects of a kind, page by page, as text.

use bytes::Bytes;
use hyper::header::ACCEPT;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reference;
use super::client::Cluster;
use super::error::{ApiError, Cause};

/// Objects in a page: nodes, the largest that come in numbers, then make about 5 MiB.
const PAGE: u32 = 250;
/// What the API server answers with: whole objects, or of each only its metadata.
const WHOLE: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Which objects of a kind, and how much of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// A label selector, `""` for all.
    pub labels: String,
    /// A field selector, `""` for all.
    pub fields: String,
    /// Leave everything but `metadata` at the API server, so that nothing secret travels.
    pub metadata_only: bool,
}

impl Query {
    /// The objects with these labels.
    pub fn labelled(labels: impl Into<String>) -> Self {
        Self { labels: labels.into(), ..Self::default() }
    }

    fn uri(&self, reference: &Reference, next: &str) -> String {
        let mut uri = format!("{}?limit={PAGE}", reference.collection());
        for (key, value) in
            [("labelSelector", &*self.labels), ("fieldSelector", &self.fields), ("continue", next)]
        {
            if !value.is_empty() {
                uri.push('&');
                uri.push_str(key);
                uri.push('=');
                encode(&mut uri, value);
            }
        }
        uri
    }
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct List {
    pub(super) metadata: ListMeta,
    /// Absent or null when there are none: Go writes an empty list in several ways.
    pub(super) items: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

impl List {
    pub(super) fn read(text: &Bytes) -> Result<Self, Cause> {
        serde_json::from_slice(text).map_err(|error| Cause::Garbage(error.to_string()))
    }
}

impl Cluster {
    /// The objects of the reference's kind in its place, as text. The reference's name is not looked at.
    pub async fn list(&self, reference: &Reference, query: &Query) -> Result<Vec<Box<RawValue>>, ApiError> {
        let accept = if query.metadata_only { METADATA } else { WHOLE };
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let page = self.text_as(&query.uri(reference, &next), (ACCEPT, accept)).await;
            let page = page.and_then(|text| List::read(&text));
            let page = page.map_err(|cause| ApiError::new("list", reference, cause))?;
            found.extend(page.items.unwrap_or_default());
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// Percent-encodes what may not stand in a query as it is.
fn encode(out: &mut String, value: &str) {
    use std::fmt::Write as _;
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;

    use super::*;

    #[test]
    fn a_selector_is_encoded() {
        let secrets = Reference::of::<Secret>(Some("kube-system"), "");
        let query = Query::labelled("owner=helm,name in (a,b)");
        assert_eq!(
            query.uri(&secrets, "x/="),
            "/api/v1/namespaces/kube-system/secrets?limit=250&labelSelector=owner%3Dhelm%2Cname%20in%20%28a%2Cb%29\
             &continue=x%2F%3D"
        );
    }
}
