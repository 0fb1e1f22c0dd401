//! The review of the self-probe's own object: it gets a stamp that says which leaf the API server trusted to bring it here.
//!
//! A dry-run that comes back without the stamp was let pass by `failurePolicy: Ignore`: nobody was reached, or not trusted.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::reply::{self, Say};
use crate::fields::Pieces;

/// The object's name and, as a label, the key whose value is the installation's name.
pub const OBJECT: &str = "cni-steward-canary";
/// The stamp of who was called by the canary's name, and the label that the entry selects by.
pub const CANARY: &str = "cni-steward.dev/canary";
/// The stamp of who was called by the Service's own name.
pub const PROBE: &str = "cni-steward.dev/probe";

/// What is answered.
#[derive(Debug)]
pub struct Stamped {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    annotations: Option<IgnoredAny>,
}

/// Stamps the object with `leaf` under `key`; without a leaf, and on any other object, nothing is changed.
pub fn answer(body: &[u8], key: &str, leaf: Option<&str>) -> Stamped {
    let request = match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) => envelope.request,
        Err(error) => {
            let message = format!("expected the AdmissionReview of a ConfigMap: {error}");
            return Stamped { status: 400, body: reply::error(400, "BadRequest", &message) };
        }
    };
    let metadata = request.object.metadata;
    let patch = leaf.filter(|_| metadata.name == OBJECT).map(|leaf| match metadata.annotations {
        Some(_) => {
            let key = key.replace('/', "~1");
            format!(r#"[{{"op":"add","path":"/metadata/annotations/{key}","value":"{leaf}"}}]"#)
        }
        None => format!(r#"[{{"op":"add","path":"/metadata/annotations","value":{{"{key}":"{leaf}"}}}}]"#),
    });
    let say = patch.map_or(Say::Allow, |patch| Say::Patch(Pieces::from(patch), body));
    Stamped { status: 200, body: reply::review(&request.uid, say, &[], None).whole(body) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;

    fn patch_of(metadata: &Value) -> Option<String> {
        let review = json!({"request": {"uid": "1", "object": {"metadata": metadata}}}).to_string();
        let answer = answer(review.as_bytes(), PROBE, Some("ab12"));
        assert_eq!(answer.status, 200);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["response"]["uid"], "1");
        let patch = answer["response"]["patch"].as_str()?;
        Some(String::from_utf8(STANDARD.decode(patch).unwrap()).unwrap())
    }

    #[test]
    fn the_probes_own_object_is_stamped_and_no_other() {
        let name = OBJECT;
        assert_eq!(
            patch_of(&json!({"name": name})).unwrap(),
            r#"[{"op":"add","path":"/metadata/annotations","value":{"cni-steward.dev/probe":"ab12"}}]"#
        );
        assert_eq!(
            patch_of(&json!({"name": name, "annotations": {"a": "b"}})).unwrap(),
            r#"[{"op":"add","path":"/metadata/annotations/cni-steward.dev~1probe","value":"ab12"}]"#
        );
        assert_eq!(patch_of(&json!({"name": "other"})), None);
        assert_eq!(answer(b"{", PROBE, Some("a")).status, 400);
    }
}
