//! The server: takes connections, speaks TLS and HTTP/1.1, and hands bodies to whoever answers reviews.
//!
//! It owns its accept loop because what fails first in the field is a certificate or a time-out, and a borrowed loop
//! would neither log the one nor set the other. It knows nothing of policy: the answering function comes from outside
//! ([`front::Answering`]). Only HTTP/1.1 is spoken: the API server calls webhooks with nothing else
//! (apiserver `pkg/util/webhook/client.go`). Five fixed paths
//! need no router: a borrowed one was measured and costs more than it saves in lines (ARCHITECTURE.md).

use std::time::Duration;

pub mod body;
pub mod connection;
pub mod drain;
pub mod front;
pub mod listener;
pub mod outgoing;
pub mod pace;
pub mod probes;
pub mod refusal;
pub mod seats;
pub mod tls;

/// What a peer may take of us, so that none can take all.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A TLS handshake is over after this time.
    pub handshake: Duration,
    /// Time for the pause between two requests. The API server keeps idle connections for 90 s; closing earlier loses
    /// its next review.
    pub idle: Duration,
    /// Time for a request's head from its first byte on. (hyper has one clock for this and for `idle`, hyper#3828.)
    pub head: Duration,
    /// Time for a whole body.
    pub body: Duration,
    /// Time in which a peer has to take at least some of an answer.
    pub answer: Duration,
    /// A request that has been arriving for so long may be given up for a newcomer when there is no room.
    pub lag: Duration,
    /// Largest body. An UPDATE carries object and oldObject of up to 3 MiB each.
    pub body_bytes: usize,
    /// All bodies being read together; an eighth of it is for small ones only.
    pub budget_bytes: usize,
    /// Open connections; at the cap room is made ([`seats`]).
    pub connections: usize,
    /// Pause after `accept` failed, for instance because no file descriptor is left.
    pub backoff: Duration,
    /// How long a connection that has not asked anything yet may still ask once we are leaving.
    pub linger: Duration,
    /// How long answers in flight may take once we are leaving.
    pub finish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            lag: Duration::from_millis(500),
            body_bytes: 8 << 20,
            budget_bytes: 16 << 20,
            connections: 128,
            backoff: Duration::from_millis(100),
            linger: Duration::from_secs(1),
            finish: Duration::from_secs(10),
        }
    }
}
