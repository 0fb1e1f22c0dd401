//! Probes and metrics: alive means that the loop runs, ready means that a review sent now would be answered.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::connection::Desk;
use super::drain::{Drain, Stage};
use super::outgoing::Outgoing;
use super::refusal::Refusal;
use super::tls::CertSlot;
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::standing::Standing;

const PLAIN: &str = "text/plain; charset=utf-8";

/// A response as this server gives it.
pub type Reply = Response<Outgoing>;

/// Whether a review sent now would be answered.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Not while leaving.
    pub drain: Drain,
    /// Not without a certificate.
    pub slot: Arc<CertSlot>,
    /// Not with an expired one.
    pub standing: Arc<Standing>,
}

impl Readiness {
    /// Answers `/livez` and `/readyz`, with `?verbose` saying what this replica stands on; anything else is `None`.
    pub fn probe(&self, request: &Request<Incoming>) -> Option<Result<Reply, Refusal>> {
        let ready = match request.uri().path() {
            "/livez" => Ok(()),
            "/readyz" => self.ready(),
            _ => return None,
        };
        let verbose = request.uri().query().is_some_and(|query| {
            query.split('&').any(|part| part == "verbose" || part.starts_with("verbose="))
        });
        Some(reads_only(request).and_then(|()| match ready {
            ready if verbose => {
                let (status, word) = match &ready {
                    Ok(()) => (StatusCode::OK, "ok".to_owned()),
                    Err(refusal) => (refusal.status(), refusal.to_string()),
                };
                let mut reply = text(PLAIN, format!("{}{word}\n", self.standing));
                *reply.status_mut() = status;
                Ok(reply)
            }
            ready => ready.map(|()| text(PLAIN, "ok")),
        }))
    }

    fn ready(&self) -> Result<(), Refusal> {
        if self.drain.stage() > Stage::Serving {
            Err(Refusal::NotReady("shutting down"))
        } else if self.slot.is_empty() {
            Err(Refusal::NotReady("no certificate yet"))
        } else if self.standing.has_expired(clock::now()) {
            Err(Refusal::NotReady("the certificate has expired"))
        } else {
            Ok(())
        }
    }
}

/// The plain listener for probes and metrics.
#[derive(Debug)]
pub struct Telemetry {
    /// For the probes.
    pub readiness: Readiness,
    /// For the metrics.
    pub metrics: Arc<Metrics>,
}

impl Desk for Telemetry {
    const NAME: &'static str = "telemetry";

    async fn answer(&self, request: Request<Incoming>, _: Stopwatch) -> Reply {
        let reply = match self.readiness.probe(&request) {
            Some(reply) => reply,
            None if request.uri().path() == "/metrics" => {
                reads_only(&request).map(|()| text(metrics::CONTENT_TYPE, self.metrics.encode()))
            }
            None => Err(Refusal::NotFound),
        };
        reply.unwrap_or_else(|refusal| refusal.response())
    }
}

fn reads_only(request: &Request<Incoming>) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Refusal::Method { allow: "GET, HEAD" }),
    }
}

fn text(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Outgoing::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
