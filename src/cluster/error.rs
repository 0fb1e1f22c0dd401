//! What the API server did not do, in one sentence a person can act on: verb, resource, object, why, and what to do next.

use std::fmt;
use std::time::Duration;

use super::Reference;
use super::status::Status;

/// A request that did not succeed.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    what: What,
    cause: Cause,
}

#[derive(Debug, Clone)]
enum What {
    Connect,
    Request { verb: &'static str, reference: Reference },
}

#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// The API server's own answer.
    Answer {
        status: Box<Status>,
        retry_after: Option<Duration>,
    },
    Timeout(Duration),
    /// No answer: not reached, not trusted, cut off.
    Transport(String),
    /// An answer that is not what the API answers.
    Garbage(String),
    /// The lease was lost before the request was sent; nothing was changed.
    NotLeading,
    /// No way to reach the API server is known.
    Configuration(String),
}

impl ApiError {
    pub(super) fn new(verb: &'static str, reference: &Reference, cause: Cause) -> Self {
        let what = What::Request { verb, reference: reference.clone() };
        Self(Box::new(Failure { what, cause }))
    }

    pub(super) fn connect(cause: Cause) -> Self {
        Self(Box::new(Failure { what: What::Connect, cause }))
    }

    /// The HTTP status, if the API server answered with one.
    pub fn code(&self) -> Option<u16> {
        match &self.0.cause {
            Cause::Answer { status, .. } => Some(status.code),
            _ => None,
        }
    }

    /// Somebody else wrote in between, or was there first: read again, then decide again.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// There is no such object.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Our account lacks a right.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// The state asked about is too old: read again.
    pub fn is_gone(&self) -> bool {
        match &self.0.cause {
            Cause::Answer { status, .. } => status.code == 410 || status.reason == "Expired",
            _ => false,
        }
    }

    /// The API server looked at the request and will not have it, now or later, as it is.
    pub fn is_refused(&self) -> bool {
        self.code().is_some_and(|code| (400..500).contains(&code) && !matches!(code, 408 | 409 | 410 | 429))
    }

    /// The lease was lost before the request was sent; nothing was changed.
    pub fn is_not_leading(&self) -> bool {
        matches!(self.0.cause, Cause::NotLeading)
    }

    /// How long the API server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.cause {
            Cause::Answer { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The failure in one word of a fixed list, for metrics.
    pub fn reason(&self) -> &'static str {
        match &self.0.cause {
            Cause::Answer { status, .. } => match status.code {
                401 => "unauthorized",
                403 => "forbidden",
                404 => "not_found",
                409 => "conflict",
                410 => "gone",
                429 => "too_many_requests",
                400..=499 => "refused",
                500..=599 => "server_error",
                _ => "other",
            },
            Cause::Timeout(_) => "timeout",
            Cause::Transport(_) => "unreachable",
            Cause::Garbage(_) => "garbage",
            Cause::NotLeading => "not_leading",
            Cause::Configuration(_) => "configuration",
        }
    }

    /// The verb of the request, as RBAC has it; `None` if none was made.
    pub fn verb(&self) -> Option<&'static str> {
        match &self.0.what {
            What::Request { verb, .. } => Some(verb),
            What::Connect => None,
        }
    }

    /// What the request was about.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.0.what {
            What::Request { reference, .. } => Some(reference),
            What::Connect => None,
        }
    }

    /// Why alone, in one clause: without what was asked and what to do.
    pub fn why(&self) -> String {
        match &self.0.cause {
            Cause::Answer { status, .. } if status.message.is_empty() => format!("status {}", status.code),
            Cause::Answer { status, .. } => format!("{} (status {})", status.message, status.code),
            Cause::Timeout(limit) => format!("no answer within {limit:?}"),
            Cause::Transport(error) | Cause::Configuration(error) => error.clone(),
            Cause::Garbage(error) => format!("the answer cannot be understood: {error}"),
            Cause::NotLeading => "the lease was lost before, nothing was changed".into(),
        }
    }

    /// The message of the API server, if it gave one.
    pub fn message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Answer { status, .. } => Some(status.message.as_str()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    fn advice(&self) -> Option<String> {
        let Cause::Answer { status, .. } = &self.0.cause else { return None };
        if status.code == 401 {
            return Some(
                "the credentials are not accepted: has the token expired? `kubectl auth whoami` and, for EKS, `aws sts \
                 get-caller-identity` and `aws eks update-kubeconfig --name CLUSTER` help"
                    .into(),
            );
        }
        let What::Request { verb, reference } = &self.0.what else { return None };
        match status.code {
            403 if status.message.contains(" cannot ") => Some(format!(
                "check the role with: kubectl auth can-i {verb} {}{}{}{}",
                reference.resource(),
                if reference.name().is_empty() { String::new() } else { format!("/{}", reference.name()) },
                reference.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default(),
                user(&status.message).map(|user| format!(" --as={user}")).unwrap_or_default(),
            )),
            500 if status.message.contains("database space exceeded") => {
                Some("etcd is full; free it before anything else".into())
            }
            _ => None,
        }
    }
}

/// The account that the API server names: `User "…" cannot …`.
fn user(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"")?;
    rest.split_once('"').map(|(user, _)| user)
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            What::Connect => f.write_str("cannot reach the API server: ")?,
            What::Request { verb, reference } => {
                let resource = reference.resource();
                write!(f, "cannot {verb} {resource}")?;
                match (reference.namespace(), reference.name()) {
                    (None, "") => Ok(()),
                    (Some(namespace), "") => write!(f, " in {namespace}"),
                    (Some(namespace), name) => write!(f, " {namespace}/{name}"),
                    (None, name) => write!(f, " {name}"),
                }?;
                f.write_str(": ")?;
            }
        }
        f.write_str(&self.why())?;
        match self.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

/// An error with all its sources, since the last one mostly is the cause.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::Lease;

    use super::*;

    fn answered(code: u16, message: &str) -> ApiError {
        let status = Box::new(Status { code, message: message.to_owned(), ..Status::default() });
        let lease = Reference::of::<Lease>(Some("kube-system"), "cni-steward");
        ApiError::new("update", &lease, Cause::Answer { status, retry_after: None })
    }

    #[test]
    fn a_missing_right_is_named_with_the_command_that_checks_it() {
        let error = answered(
            403,
            "leases.coordination.k8s.io \"cni-steward\" is forbidden: User \"system:serviceaccount:a:b\" cannot update \
             resource \"leases\"",
        );
        let text = error.to_string();
        assert!(
            text.starts_with("cannot update leases.coordination.k8s.io kube-system/cni-steward: "),
            "{text}"
        );
        assert!(
            text.ends_with(
                "kubectl auth can-i update leases.coordination.k8s.io/cni-steward -n kube-system \
                 --as=system:serviceaccount:a:b"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_may_pass_by_itself_is_no_refusal() {
        for code in [408, 409, 410, 429, 500, 503] {
            assert!(!answered(code, "").is_refused(), "{code}");
        }
        for code in [400, 401, 403, 404, 422] {
            assert!(answered(code, "").is_refused(), "{code}");
        }
    }
}
