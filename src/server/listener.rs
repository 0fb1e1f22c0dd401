//! The accept loop: room for everybody up to the cap, no spinning when the system is out of descriptors, and an
//! orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::connection::{Desk, House};
use super::seats::{Seat, Seats};

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", hint(source))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it or choose another address".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege we do not have".into(),
        _ => error.to_string(),
    }
}

impl BindError {
    /// True when the machine has no IPv6 at all.
    pub fn is_no_ipv6(&self) -> bool {
        const EAFNOSUPPORT: i32 = 97;
        self.address.is_ipv6()
            && (self.source.kind() == io::ErrorKind::AddrNotAvailable
                || self.source.raw_os_error() == Some(EAFNOSUPPORT))
    }
}

/// Listens on an address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Takes connections until the house closes, then finishes what is in flight. Returns how many connections had to be
/// cut while in flight.
pub async fn serve<D: Desk>(tcp: TcpListener, house: Arc<House<D>>) -> usize {
    let mut floor = Floor { house, seats: Seats::default(), tasks: JoinSet::new(), failing: false };
    loop {
        tokio::select! {
            biased;
            () = floor.house.drain.closed() => break,
            Some(ended) = floor.tasks.join_next_with_id() => floor.reap(ended),
            accepted = tcp.accept() => match accepted {
                Ok((stream, peer)) => floor.seat(stream, peer).await,
                Err(error) => floor.stumble(&error).await,
            },
        }
    }
    // Who is in the queue of the kernel has connected, and would be reset by closing now.
    while let Poll::Ready(Ok((stream, peer))) =
        std::future::poll_fn(|cx| Poll::Ready(tcp.poll_accept(cx))).await
    {
        floor.seat(stream, peer).await;
    }
    drop(tcp);
    floor.empty().await
}

/// The accept loop's own state.
struct Floor<D> {
    house: Arc<House<D>>,
    seats: Seats,
    tasks: JoinSet<()>,
    /// `accept` failed last time, and it was logged.
    failing: bool,
}

impl<D: Desk> Floor<D> {
    async fn seat(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.failing = false;
        while self.seats.taken() >= self.house.limits.connections {
            if self.seats.spare_one(self.house.limits.lag) {
                self.house.metrics.spared();
                tracing::debug!(door = D::NAME, "closed a connection to make room");
            } else {
                // All are in flight: the newcomer waits until one is done.
                tokio::select! {
                    Some(ended) = self.tasks.join_next_with_id() => self.reap(ended),
                    () = sleep(self.house.limits.backoff / 10) => {}
                }
            }
        }
        let (house, seat) = (Arc::clone(&self.house), Seat::new());
        let guest = Arc::clone(&seat);
        let task = self.tasks.spawn(async move { house.receive(stream, peer, &guest).await });
        self.seats.take(seat, task);
        self.count();
    }

    fn reap(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    self.house.metrics.panics.inc();
                }
                error.id()
            }
        };
        self.seats.leave(id);
        self.count();
    }

    /// `accept` failed. What the peer did (aborted) costs nothing; what we lack (descriptors, memory) is not there a
    /// moment later either, so pause instead of spinning, and give one descriptor back.
    async fn stumble(&mut self, error: &io::Error) {
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, door = D::NAME, open = self.seats.open(), "cannot accept connections, trying on");
        }
        self.seats.spare_one(self.house.limits.lag);
        sleep(self.house.limits.backoff).await;
    }

    async fn empty(mut self) -> usize {
        let finish = self.house.limits.finish;
        let farewell = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.reap(ended);
            }
        };
        match timeout(finish, farewell).await {
            Ok(()) => 0,
            Err(_) => self.seats.busy(),
        }
    }

    fn count(&self) {
        self.house.metrics.connections(D::NAME).set(i64::try_from(self.seats.open()).unwrap_or(i64::MAX));
    }
}
