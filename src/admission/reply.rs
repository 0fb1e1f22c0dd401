//! The answer's bytes: an `AdmissionReview` with our own response type, or a `Status` for what cannot be read.
//!
//! Not kube's `AdmissionResponse`: that one writes the patch as an array of numbers (kube#1781).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Longest warning that every client shows whole (`admission/v1/types.go`).
const MAX_WARNING: usize = 120;

#[derive(Serialize)]
struct Review<'a> {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Audit<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

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
}

/// What is answered.
#[derive(Debug, Clone, Copy)]
pub enum Say<'a> {
    /// Allowed as it is.
    Allow,
    /// Allowed with this JSON patch.
    Patch(&'a str),
    /// Refused with this message, as 403 Forbidden.
    Refuse(&'a str),
}

/// Writes the answer to a review.
pub fn review(uid: &str, say: Say<'_>, warnings: &[String], audit: Option<Audit<'_>>) -> Vec<u8> {
    let (allowed, patch, status) = match say {
        Say::Allow => (true, None, None),
        Say::Patch(patch) => (true, Some(STANDARD.encode(patch)), None),
        Say::Refuse(message) => (
            false,
            None,
            Some(Status {
                kind: None,
                api_version: None,
                status: "Failure",
                message,
                reason: "Forbidden",
                code: 403,
            }),
        ),
    };
    to_json(&Review {
        kind: "AdmissionReview",
        api_version: "admission.k8s.io/v1",
        response: Response {
            uid,
            allowed,
            status,
            patch_type: patch.is_some().then_some("JSONPatch"),
            patch,
            audit_annotations: audit,
            warnings,
        },
    })
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
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= MAX_WARNING {
        return clean;
    }
    let mut cut: String = clean.chars().take(MAX_WARNING - 1).collect();
    cut.push('…');
    cut
}
