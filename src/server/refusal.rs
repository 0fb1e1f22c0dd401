//! Why a request is turned away before anyone decides on it: an HTTP status and a Kubernetes `Status` that a person
//! understands. The API server shows this text to the user under `failurePolicy: Fail` and logs it under `Ignore`.

use std::time::Duration;

use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::outgoing::Outgoing;

/// What was wrong with the request, or with us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such path.
    #[error("there is nothing at this path; reviews go to /mutate, probes to /livez and /readyz")]
    NotFound,
    /// The path exists, but not for this method.
    #[error("this path answers {allow} only")]
    Method {
        /// The methods it answers.
        allow: &'static str,
    },
    /// Not JSON.
    #[error("a review must have Content-Type: application/json, this one has {found:?}")]
    ContentType {
        /// What was sent instead.
        found: String,
    },
    /// Compressed; the API server never compresses a review.
    #[error("a review must not be compressed, this one has Content-Encoding: {found:?}")]
    Encoding {
        /// What was sent.
        found: String,
    },
    /// Larger than any review the API server can send.
    #[error("the review is larger than {limit} bytes")]
    TooLarge {
        /// The largest that is read.
        limit: usize,
    },
    /// The body did not come.
    #[error("the review did not arrive within {0:?}")]
    TooSlow(Duration),
    /// The body broke off or was malformed.
    #[error("the review broke off: {0}")]
    Broken(String),
    /// Too many bodies at once.
    #[error("too many reviews at once, try again in a second")]
    Overloaded,
    /// Not able to serve (yet, or any more).
    #[error("not ready: {0}")]
    NotReady(&'static str),
    /// A fault of ours, which cost this one review.
    #[error("an internal error cost this review; the log names the place")]
    Panicked,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType { .. } | Self::Encoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Overloaded | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `reason` of a Kubernetes `Status` (apimachinery `StatusReason`).
    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::Method { .. } => "MethodNotAllowed",
            Self::ContentType { .. } | Self::Encoding { .. } => "UnsupportedMediaType",
            Self::TooLarge { .. } => "RequestEntityTooLarge",
            Self::TooSlow(_) => "Timeout",
            Self::Broken(_) => "BadRequest",
            Self::Overloaded | Self::NotReady(_) => "ServiceUnavailable",
            Self::Panicked => "InternalError",
        }
    }

    /// True when the rest of the request may still be on its way, so that the connection is of no further use.
    fn ends_connection(&self) -> bool {
        !matches!(self, Self::NotReady(_) | Self::Panicked)
    }

    /// The response.
    pub fn response(&self) -> Response<Outgoing> {
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "reason": self.reason(),
            "code": self.status().as_u16(),
        });
        let mut response = Response::new(Outgoing::from(status.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Self::Method { allow } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(self, Self::Overloaded) {
            // client-go repeats a POST only when this is an integer (rest/with_retry.go).
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
