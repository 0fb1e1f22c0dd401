//! A steady stream of writes that the API server asks us about: dry-run patches of targets over connections that stay open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::control_plane::{ControlPlane, User};
use super::http::{Client, Kept};
use super::until;

const CONNECTIONS: u64 = 16;
const SPACE: &str = "/api/v1/namespaces/kube-system";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Patches a second, spread over all connections.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    slowest: Arc<AtomicU64>,
    connections: Vec<JoinHandle<Seen>>,
    start: Instant,
}

/// What the client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answered: u64,
    pub(crate) failed: Vec<String>,
    pub(crate) took: Duration,
}

impl Seen {
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

impl Load {
    pub(crate) fn start(plane: &ControlPlane, rate: u64) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let slowest = Arc::new(AtomicU64::new(0));
        let pause = Duration::from_micros(1_000_000 * CONNECTIONS / rate);
        let connections = (0..CONNECTIONS).map(|number| {
            let (stop, sent, client) = (Arc::clone(&stop), Arc::clone(&sent), plane.client(User::Admin));
            let slowest = Arc::clone(&slowest);
            std::thread::spawn(move || {
                write(&client, number, pause, &stop, |took| {
                    sent.fetch_add(1, Ordering::Relaxed);
                    slowest.fetch_max(u64::try_from(took.as_micros()).unwrap(), Ordering::Relaxed);
                })
            })
        });
        let connections = connections.collect();
        Self { stop, sent, slowest, connections, start: Instant::now() }
    }

    /// Goes on until `number` were sent.
    pub(crate) fn await_sent(&self, number: u64) {
        until(&format!("{number} were sent"), Duration::from_mins(20), || {
            (self.sent.load(Ordering::Relaxed) >= number).then_some(())
        })
        .unwrap();
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How long the slowest took since this was last asked.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest.swap(0, Ordering::Relaxed))
    }

    /// How many writes a test is to see: `CNI_STEWARD_REVIEWS`, or so many.
    pub(crate) fn wanted(unless_told: u64) -> u64 {
        std::env::var_os("CNI_STEWARD_REVIEWS")
            .map_or(unless_told, |number| number.to_str().unwrap().parse().unwrap())
    }

    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for connection in self.connections {
            let seen = connection.join().unwrap();
            all.answered += seen.answered;
            all.failed.extend(seen.failed);
        }
        all.took = self.start.elapsed();
        all
    }
}

fn write(client: &Client, number: u64, pause: Duration, stop: &AtomicBool, done: impl Fn(Duration)) -> Seen {
    let targets = [
        format!("{SPACE}/serviceaccounts/aws-node"),
        format!("{SPACE}/configmaps/amazon-vpc-cni"),
        format!("{RBAC}/clusterroles/aws-node"),
        format!("{RBAC}/clusterrolebindings/aws-node"),
        "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node".to_owned(),
    ];
    let mut seen = Seen::default();
    let mut connection: Option<Kept> = None;
    let mut next = Instant::now();
    for (turn, target) in (number..).zip(targets.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // What came too late is made up for, so that the rate holds.
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        next += pause;
        let path = format!("{target}?dryRun=All&fieldManager=load");
        let body = format!(r#"{{"metadata":{{"annotations":{{"example.org/turn":"{turn}"}}}}}}"#);
        let began = Instant::now();
        let answer = match connection.take() {
            Some(kept) => Ok(kept),
            None => client.keep(),
        }
        .and_then(|mut kept| {
            let reply = kept.send("PATCH", &path, "application/merge-patch+json", &body)?;
            Ok((kept, reply))
        });
        match answer {
            Ok((kept, reply)) if reply.status == 200 => {
                seen.answered += 1;
                connection = Some(kept);
            }
            Ok((_, reply)) => seen.failed.push(format!("{path}: {} {}", reply.status, reply.text())),
            Err(error) => seen.failed.push(format!("{path}: {error}")),
        }
        done(began.elapsed());
    }
    seen
}
