//! The servers that the benchmark brings itself: the server room as it is, and an answer that costs nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use cni_steward::admission::{self, Answer, Record};
use cni_steward::policy::Policy;
use cni_steward::server::connection::{Door, House};
use cni_steward::server::drain;
use cni_steward::server::front::Front;
use cni_steward::server::probes::Readiness;
use cni_steward::server::tls::CertSlot;
use cni_steward::server::{Limits, listener, tls};
use cni_steward::telemetry::clock;
use cni_steward::telemetry::metrics::Metrics;
use cni_steward::trust::certified::certified;
use prometheus_client::metrics::counter::Counter;

/// How many patches *precomputed* learns before it stops thinking: by then the object has settled.
pub const LESSONS: usize = 6;

const HEAD: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":""#;
const TAIL: &str = r#"","allowed":true}}"#;
const UID: usize = 36;

/// A constant allow, the floor of every ratio. An API server wants the review's uid back; a constant has none.
pub fn constant(address: &str, cert: &str, key: &str) {
    let body: Arc<[u8]> = [HEAD, &"0".repeat(UID), TAIL].concat().into_bytes().into();
    serve(address, cert, key, move |_: &[u8]| answer(body.to_vec()));
}

/// The same with the review's uid, as an API server takes it.
pub fn allow(address: &str, cert: &str, key: &str) {
    serve(address, cert, key, |body: &[u8]| answer(wrap(HEAD.as_bytes(), uid(body), TAIL.as_bytes())));
}

/// Answers the first [`LESSONS`] patches as we would, and from then on the last of them, whatever is asked.
pub fn precomputed(address: &str, cert: &str, key: &str, policy: &str) {
    let policy = Policy::parse(policy, &std::fs::read_to_string(policy).unwrap()).unwrap();
    let learned: Mutex<(usize, Vec<u8>)> = Mutex::default();
    serve(address, cert, key, move |body: &[u8]| {
        let uid = uid(body);
        let mut learned = learned.lock().unwrap();
        if learned.0 == LESSONS {
            let at = find(&learned.1, br#""uid":""#);
            return answer(wrap(&learned.1[..at], uid, &learned.1[at + UID..]));
        }
        let real = admission::answer(body, &policy, clock::now());
        if real.record.verdict == "amend" {
            *learned = (learned.0 + 1, real.body.whole(body));
        }
        real
    });
}

/// `request.uid` stands first in what an API server sends.
fn uid(body: &[u8]) -> &[u8] {
    let at = find(body, br#""uid":""#);
    body.get(at..at + UID).unwrap_or(&[b'0'; UID])
}

fn find(text: &[u8], key: &[u8]) -> usize {
    text.windows(key.len()).position(|part| part == key).map_or(text.len(), |at| at + key.len())
}

fn wrap(head: &[u8], uid: &[u8], tail: &[u8]) -> Vec<u8> {
    [head, uid, tail].concat()
}

fn answer(body: Vec<u8>) -> Answer<'static> {
    let record = Record { resource: "other", verdict: "leave", reason: "floor", ..Record::default() };
    Answer { status: 200, body: body.into(), record }
}

/// Serves until it is killed. No log is started: these servers write no line.
fn serve(
    address: &str,
    cert: &str,
    key: &str,
    answering: impl for<'a> Fn(&'a [u8]) -> Answer<'a> + Send + Sync + 'static,
) {
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
        let desk = Front::new(answering, readiness, limits, Arc::clone(&metrics));
        let door = Door::Tls(tls::config(slot).unwrap());
        listener::serve(tcp, Arc::new(House { door, desk, limits, drain, metrics })).await;
    });
}
