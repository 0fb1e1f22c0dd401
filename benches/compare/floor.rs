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
        let readiness = Readiness {
            drain: drain.clone(),
            slot: Arc::clone(&slot),
            standing: Arc::clone(&metrics.standing),
        };
        let limits = Limits::default();
        let desk = Front::new(Arc::new(allow), readiness, limits, Arc::clone(&metrics));
        let door = Door::Tls(tls::config(slot).unwrap());
        listener::serve(tcp, Arc::new(House { door, desk, limits, drain, metrics })).await;
    });
}

fn allow(_: &[u8]) -> Answer {
    let record = Record { resource: "other", verdict: "leave", reason: "floor", ..Record::default() };
    Answer { status: 200, body: ALLOW.into(), record }
}
