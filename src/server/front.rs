//! The front desk: `POST /mutate`, the self-probe's two paths, and the probes once more, over TLS.
//!
//! A review's head is checked, its body read, and then it is answered in one synchronous call: no await, no lock, no
//! API call between the last byte read and the answer. A panic in that call costs this one review.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::metrics::gauge::Gauge;

use super::Limits;
use super::body::{self, Body, Budget};
use super::connection::Desk;
use super::outgoing::Outgoing;
use super::probes::{Readiness, Reply};
use super::refusal::Refusal;
use crate::admission::{Answer, Record, canary};
use crate::telemetry::clock::Stopwatch;
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;

/// Answers a review; handed in from outside, so that this room knows no policy.
pub type Answering = dyn for<'a> Fn(&'a [u8]) -> Answer<'a> + Send + Sync;

/// Is told what was decided, for those who are not asked: must not wait.
pub type Telling = dyn Fn(&Record<'_>) + Send + Sync;

/// Takes reviews in and gives answers out.
pub struct Front {
    answering: Arc<Answering>,
    telling: Option<Arc<Telling>>,
    readiness: Readiness,
    limits: Limits,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
}

impl Front {
    /// A desk that lets `answering` decide.
    pub fn new(
        answering: impl for<'a> Fn(&'a [u8]) -> Answer<'a> + Send + Sync + 'static,
        readiness: Readiness,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let budget = Arc::new(Budget::new(limits.budget_bytes, metrics.bodies.clone()));
        let answering = Arc::new(answering);
        Self { answering, telling: None, readiness, limits, budget, metrics }
    }

    /// The same, and `telling` is told of each decision.
    #[must_use]
    pub fn telling(self, telling: impl Fn(&Record<'_>) + Send + Sync + 'static) -> Self {
        Self { telling: Some(Arc::new(telling)), ..self }
    }

    async fn review(&self, request: &mut Request<Incoming>) -> Result<Reply, Refusal> {
        if *request.method() != Method::POST {
            return Err(Refusal::Method { allow: "POST" });
        }
        readable(request.headers())?;
        let _counted = Counted::new(&self.metrics.in_flight);
        let Limits { body_bytes, body: patience, .. } = self.limits;
        let body = body::read(request.body_mut(), body_bytes, patience, &self.budget).await;
        body.and_then(|body| self.decide(body))
    }

    /// The self-probe's own object: answered with the leaf that the API server trusted to ask. It has to shake hands anew
    /// for the next one.
    async fn stamp(
        &self,
        request: &mut Request<Incoming>,
        connected: Stopwatch,
        canary: bool,
    ) -> Result<Reply, Refusal> {
        if *request.method() != Method::POST {
            return Err(Refusal::Method { allow: "POST" });
        }
        readable(request.headers())?;
        let Limits { body_bytes, body: patience, .. } = self.limits;
        let body = body::read(request.body_mut(), body_bytes, patience, &self.budget).await?;
        let shown = self.readiness.slot.shown(canary, connected).map(|leaf| leaf.to_string());
        let key = if canary { canary::CANARY } else { canary::PROBE };
        let answer = canary::answer(body.bytes(), key, shown.as_deref());
        let mut response = answered(answer.status, answer.body.into());
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(response)
    }

    fn decide(&self, review: Body) -> Result<Reply, Refusal> {
        let watch = Stopwatch::start();
        let policy = self.metrics.standing.policy();
        let body = review.bytes();
        let answer = catch_unwind(AssertUnwindSafe(|| (self.answering)(body)));
        let took = watch.elapsed();
        self.metrics.request_bytes.inc_by(body.len() as u64);
        let Ok(answer) = answer else {
            self.metrics.panics.inc();
            let record = Record { resource: "other", verdict: "error", reason: "panic", ..Record::default() };
            self.metrics.review(&record, took);
            logs::decision(&record, &policy.hash, took);
            return Err(Refusal::Panicked);
        };
        self.metrics.response_bytes.inc_by(answer.body.len() as u64);
        self.metrics.review(&answer.record, took);
        logs::decision(&answer.record, &policy.hash, took);
        if let Some(telling) = &self.telling {
            telling(&answer.record);
        }
        let Answer { status, body, .. } = answer;
        Ok(answered(status, Outgoing::answer(body, review)))
    }

    async fn refuse(&self, refusal: &Refusal, mut request: Request<Incoming>) -> Reply {
        if matches!(refusal, Refusal::NotReady(_)) {
            return refusal.response();
        }
        let status = refusal.status().as_u16();
        self.metrics.refused(status);
        tracing::info!(path = request.uri().path(), status, reason = %refusal, "request refused");
        // A peer that waits for `100 Continue` has not sent its body; reading on would invite it to.
        let will_send = !request.headers().contains_key(EXPECT) && !matches!(refusal, Refusal::TooSlow(_));
        if will_send {
            body::discard(request.body_mut(), self.limits.body_bytes, self.limits.linger).await;
        }
        refusal.response()
    }
}

impl Desk for Front {
    const NAME: &'static str = "admission";

    async fn answer(&self, mut request: Request<Incoming>, connected: Stopwatch) -> Response<Outgoing> {
        let reply = match request.uri().path() {
            "/mutate" => self.review(&mut request).await,
            "/canary" => self.stamp(&mut request, connected, true).await,
            "/probe" => self.stamp(&mut request, connected, false).await,
            _ => self.readiness.probe(&request).unwrap_or(Err(Refusal::NotFound)),
        };
        match reply {
            Ok(reply) => reply,
            Err(refusal) => self.refuse(&refusal, request).await,
        }
    }
}

/// One more in a gauge until it is dropped, also by whoever gives up the connection in between.
struct Counted<'g>(&'g Gauge);

impl<'g> Counted<'g> {
    fn new(gauge: &'g Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn answered(status: u16, json: Outgoing) -> Reply {
    let mut response = Response::new(json);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The head says JSON, as it is.
fn readable(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = told(headers, &CONTENT_TYPE);
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType { found: kind });
    }
    let coding = told(headers, &CONTENT_ENCODING);
    if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
        Ok(())
    } else {
        Err(Refusal::Encoding { found: coding })
    }
}

/// A header's value, short enough to repeat to its sender.
fn told(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect())
        .unwrap_or_default()
}
