//! The answer's bytes: an `AdmissionReview` with our own response type, or a `Status` for what cannot be read.
//!
//! Not kube's `AdmissionResponse`: that one writes the patch as an array of numbers (kube#1781).

use serde::Serialize;

use super::said::Said;
use crate::fields::Pieces;

/// Room for what stands around a patch, so that it does not grow step by step.
pub(super) const ROOM: usize = 640;

/// Longest warning that every client shows whole (`admission/v1/types.go`).
const MAX_WARNING: usize = 120;

/// A Kubernetes `Status`, for refusals and errors.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    status: &'static str,
    message: &'a str,
    reason: &'a str,
    code: u16,
}

/// What the API server writes into its audit log, under `<webhook name>/<key>`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Audit<'a> {
    /// `leave`, `amend` or `refuse`.
    pub verdict: &'a str,
    /// The stable reason code.
    pub reason: &'a str,
    /// Hash of the policy that decided.
    pub policy: &'a str,
    /// The decision's identifier: the same in the log line and in the Event.
    pub decision: &'a str,
}

/// What is answered.
#[derive(Debug)]
pub enum Say<'a> {
    /// Allowed as it is.
    Allow,
    /// Allowed with this JSON patch, of which pieces may be lent from this body.
    Patch(Pieces<'a>, &'a [u8]),
    /// Refused with this message, as 403 Forbidden.
    Refuse(&'a str),
}

/// Writes the answer to a review, member by member: the patch goes in as base64, a long one later ([`Said`]), and is not
/// looked through again for characters to escape.
pub fn review(uid: &str, say: Say<'_>, warnings: &[String], audit: Option<Audit<'_>>) -> Said {
    let mut said = Said::from(Vec::with_capacity(ROOM));
    let out = said.bytes();
    out.extend_from_slice(
        br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"#,
    );
    json(out, &uid);
    match say {
        Say::Allow => out.extend_from_slice(br#","allowed":true"#),
        Say::Patch(patch, review) => {
            out.extend_from_slice(br#","allowed":true,"patchType":"JSONPatch","patch":""#);
            said.patch(patch, review);
            said.bytes().push(b'"');
        }
        Say::Refuse(message) => {
            out.extend_from_slice(br#","allowed":false,"status":"#);
            let status = Status {
                kind: None,
                api_version: None,
                status: "Failure",
                message,
                reason: "Forbidden",
                code: 403,
            };
            json(out, &status);
        }
    }
    let out = said.bytes();
    if let Some(audit) = audit {
        out.extend_from_slice(br#","auditAnnotations":"#);
        json(out, &audit);
    }
    if !warnings.is_empty() {
        out.extend_from_slice(br#","warnings":"#);
        json(out, &warnings);
    }
    out.extend_from_slice(b"}}");
    said
}

/// Appends a value; plain structs of strings always serialise.
fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).unwrap_or_default();
}

/// Writes a `Status` as the whole body, for a request that is not answered with a review.
pub fn error(code: u16, reason: &str, message: &str) -> Vec<u8> {
    to_json(&Status {
        kind: Some("Status"),
        api_version: Some("v1"),
        status: "Failure",
        message,
        reason,
        code,
    })
}

/// Plain structs of strings always serialise.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Makes a warning that the API server will not drop or cut: one line, no control characters, at most 120 characters.
pub fn warning(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return match text.get(..MAX_WARNING - 1) {
            Some(cut) if text.len() > MAX_WARNING => [cut, "…"].concat(),
            _ => text.to_owned(),
        };
    }
    let mut clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((end, _)) =
        clean.char_indices().nth(MAX_WARNING - 1).filter(|_| clean.chars().count() > MAX_WARNING)
    {
        clean.truncate(end);
        clean.push('…');
    }
    clean
}
