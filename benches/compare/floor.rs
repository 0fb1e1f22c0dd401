//! The floor: the server room as it is, and a constant allow.

use std::net::SocketAddr;
use std::sync::Arc;

use cni_steward::admission::{Answer, Record};
use cni_steward::server::connection::{Door, House};
use cni_steward::server::drain;
use cni_steward::server::front::Front;
use cni_steward::server::probes::Readiness;
use cni_steward::server::tls::CertSlot;
use cni_steward::server::{Limits, listener, tls};
use cni_steward::telemetry::metrics::Metrics;
use cni_steward::trust::certified::certified;
use prometheus_client::metrics::counter::Counter;

const ALLOW: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"00000000-0000-0000-0000-000000000000","allowed":true}}"#;

/// Serves until it is killed. No log is started: the floor writes no line.
pub fn serve(address: &str, cert: &str, key: &str) {
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address: SocketAddr = address.parse().unwrap();
        let tcp = listener::bind(address).await.unwrap();
        let slot = Arc::new(CertSlot::default());
        slot.publish(certified(&std::fs::read(cert).unwrap(), &std::fs::read(key).unwrap()).unwrap());
        let metrics = Arc::new(Metrics::new("floor", "Observe", Counter::default()));
        let (_lever, drain) = drain::drain();
        let readiness = Readiness { drain: drain.clone(), slot: Arc::clone(&slot) };
        let limits = Limits::default();
        let desk = Front::new(Arc::new(allow), "floor", readiness, limits, Arc::clone(&metrics));
        let door = Door::Tls(tls::config(slot).unwrap());
        listener::serve(tcp, Arc::new(House { door, desk, limits, drain, metrics })).await;
    });
}

fn allow(_: &[u8]) -> Answer {
    let record = Record { resource: "other", verdict: "leave", reason: "floor", ..Record::default() };
    Answer { status: 200, body: ALLOW.into(), record }
}

/// The same through an axum router, for the record.
pub fn serve_axum(address: &str, cert: &str, key: &str) {
    use axum::extract::{Request, State};
    use tower::ServiceExt as _;
    struct Routed {
        router: axum::Router,
    }
    impl cni_steward::server::connection::Desk for Routed {
        const NAME: &'static str = "axum";
        async fn answer(
            &self,
            request: hyper::Request<hyper::body::Incoming>,
        ) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
            use http_body_util::BodyExt as _;
            let response = self.router.clone().oneshot(request.map(axum::body::Body::new)).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            hyper::Response::from_parts(parts, http_body_util::Full::new(bytes))
        }
    }
    async fn mutate(State(metrics): State<Arc<Metrics>>, request: Request) -> axum::response::Response {
        metrics.in_flight.inc();
        let body = axum::body::to_bytes(request.into_body(), 8 << 20).await.unwrap();
        let watch = cni_steward::telemetry::clock::Stopwatch::start();
        let answer = allow(&body);
        metrics.request_bytes.inc_by(body.len() as u64);
        metrics.response_bytes.inc_by(answer.body.len() as u64);
        metrics.review(&answer.record, watch.elapsed());
        metrics.in_flight.dec();
        axum::response::Response::builder()
            .header("content-type", "application/json")
            .body(axum::body::Body::from(answer.body))
            .unwrap()
    }
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address: SocketAddr = address.parse().unwrap();
        let tcp = listener::bind(address).await.unwrap();
        let slot = Arc::new(CertSlot::default());
        slot.publish(certified(&std::fs::read(cert).unwrap(), &std::fs::read(key).unwrap()).unwrap());
        let metrics = Arc::new(Metrics::new("floor", "Observe", Counter::default()));
        let (_lever, drain) = drain::drain();
        let limits = Limits::default();
        let router = axum::Router::new()
            .route("/mutate", axum::routing::post(mutate))
            .route("/livez", axum::routing::get(|| async { "ok" }))
            .route("/readyz", axum::routing::get(|| async { "ok" }))
            .with_state(Arc::clone(&metrics));
        let door = Door::Tls(tls::config(slot).unwrap());
        listener::serve(tcp, Arc::new(House { door, desk: Routed { router }, limits, drain, metrics })).await;
    });
}
