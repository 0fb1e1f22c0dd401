//! A server in this process, on a free port, that answers with a function of the test's choice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cni_steward::admission::{Answer, Record};
use cni_steward::pki;
use cni_steward::server::connection::{Door, House};
use cni_steward::server::drain::{self, Lever};
use cni_steward::server::front::Front;
use cni_steward::server::probes::{Readiness, Telemetry};
use cni_steward::server::tls::CertSlot;
use cni_steward::server::{Limits, listener, tls};
use cni_steward::telemetry::{clock, metrics::Metrics};
use cni_steward::trust::certified::certified;
use rustls::ClientConfig;
use tokio::task::JoinHandle;

use super::client::{Client, trusting};

pub struct Server {
    pub address: SocketAddr,
    pub telemetry: SocketAddr,
    pub ca: String,
    pub metrics: Arc<Metrics>,
    pub slot: Arc<CertSlot>,
    pub lever: Lever,
    pub task: JoinHandle<usize>,
}

/// Limits a test can wait for.
pub fn short() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        idle: Duration::from_millis(500),
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        answer: Duration::from_millis(300),
        linger: Duration::from_millis(200),
        finish: Duration::from_secs(5),
        ..Limits::default()
    }
}

/// Says how long the body was.
pub fn echo(body: &[u8]) -> Answer<'_> {
    let record = Record {
        operation: "CREATE",
        resource: "daemonsets",
        verdict: "leave",
        reason: "test",
        ..Record::default()
    };
    Answer { status: 200, body: format!("{{\"bytes\":{}}}", body.len()).into_bytes().into(), record }
}

/// A server with default limits that says how long each body was.
pub async fn echoing() -> Server {
    start(Limits::default(), echo).await
}

pub async fn start(
    limits: Limits,
    answering: impl for<'a> Fn(&'a [u8]) -> Answer<'a> + Send + Sync + 'static,
) -> Server {
    tls::install_provider();
    let names = ["127.0.0.1".parse().unwrap(), "localhost".parse().unwrap()];
    let ca = pki::authority::make(clock::now()).unwrap();
    let leaf = pki::leaf::make(clock::now(), &ca, &names).unwrap();
    let slot = Arc::new(CertSlot::default());
    slot.publish(certified(leaf.cert.as_bytes(), leaf.key.as_bytes()).unwrap());
    let metrics =
        Arc::new(Metrics::new("abc", "Observe", prometheus_client::metrics::counter::Counter::default()));
    let (lever, drain) = drain::drain();
    let readiness =
        Readiness { drain: drain.clone(), slot: Arc::clone(&slot), standing: Arc::clone(&metrics.standing) };

    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (front, side) = (listener::bind(any).await.unwrap(), listener::bind(any).await.unwrap());
    let (address, telemetry) = (front.local_addr().unwrap(), side.local_addr().unwrap());
    let desk = Telemetry { readiness: readiness.clone(), metrics: Arc::clone(&metrics) };
    let house =
        House { door: Door::Plain, desk, limits, drain: drain.clone(), metrics: Arc::clone(&metrics) };
    tokio::spawn(listener::serve(side, Arc::new(house)));
    let desk = Front::new(answering, readiness, limits, Arc::clone(&metrics));
    let door = Door::Tls(tls::config(Arc::clone(&slot)).unwrap());
    let house = House { door, desk, limits, drain, metrics: Arc::clone(&metrics) };
    let task = tokio::spawn(listener::serve(front, Arc::new(house)));
    Server { address, telemetry, ca: ca.cert, metrics, slot, lever, task }
}

impl Server {
    pub fn config(&self) -> ClientConfig {
        trusting(&self.ca)
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address, self.config(), "localhost").await.unwrap()
    }

    /// Waits until the metrics page holds a line.
    pub async fn counts(&self, line: &str) {
        for _ in 0..1000 {
            if self.metrics.encode().lines().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {line} in {}", self.metrics.encode());
    }
}
