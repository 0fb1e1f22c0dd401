//! One connection from handshake to farewell.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Limits;
use super::drain::{Drain, Stage};
use super::outgoing::Outgoing;
use super::pace::Paced;
use super::seats::{InFlight, Seat};
use super::tls;
use crate::telemetry::clock::Stopwatch;
use crate::telemetry::metrics::Metrics;

/// Bytes hyper may hold of one connection: bounds a request's head, and memory at 128 connections that all send (4 MiB,
/// beside 16 of bodies).
const BUFFER: usize = 32 * 1024;
/// A turn of the event loop: what has arrived before it is seen by then.
const LOOK: Duration = Duration::from_millis(1);
/// What a peer that speaks plain HTTP to the TLS port is told (as Go's `net/http` does).
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
this port speaks https\n";

/// Whoever answers the requests of a listener.
pub trait Desk: Send + Sync + 'static {
    /// The listener's name in logs and metrics.
    const NAME: &'static str;

    /// Answers one request of a connection that was taken when `connected` began.
    fn answer(
        &self,
        request: Request<Incoming>,
        connected: Stopwatch,
    ) -> impl Future<Output = Response<Outgoing>> + Send;
}

/// How one gets in.
#[derive(Debug, Clone)]
pub enum Door {
    /// Through TLS.
    Tls(Arc<ServerConfig>),
    /// As one is.
    Plain,
}

/// All that the connections of one listener share.
#[derive(Debug)]
pub struct House<D> {
    /// How one gets in.
    pub door: Door,
    /// Who answers.
    pub desk: D,
    /// What one may take.
    pub limits: Limits,
    /// Whether we are leaving.
    pub drain: Drain,
    /// Where failures are counted.
    pub metrics: Arc<Metrics>,
}

impl<D: Desk> House<D> {
    /// Serves one connection to its end.
    pub async fn receive(&self, tcp: TcpStream, peer: SocketAddr, seat: &Arc<Seat>) {
        // Answers are small; waiting for more to send would cost 40 ms (Nagle and delayed ACK).
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        match &self.door {
            Door::Plain => self.speak(tcp, peer, seat).await,
            Door::Tls(config) => {
                let handshake = timeout(self.limits.handshake, handshake(tcp, config));
                let outcome = tokio::select! {
                    outcome = handshake => outcome,
                    () = self.dismissed(seat) => return,
                };
                match outcome {
                    Ok(Ok(tls)) => self.speak(tls, peer, seat).await,
                    Ok(Err(error)) => {
                        self.turned_away(peer, tls::cause(&error), &error.to_string());
                    }
                    Err(_) => self.turned_away(peer, "timeout", "the handshake took too long"),
                }
            }
        }
    }

    fn turned_away(&self, peer: SocketAddr, cause: &'static str, error: &str) {
        self.metrics.handshake_failed(cause);
        tracing::warn!(%peer, cause, error, "TLS handshake failed");
    }

    /// HTTP/1.1 on an open stream.
    async fn speak(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr, seat: &Arc<Seat>) {
        let service = service_fn(|request| async {
            let in_flight = seat.serve();
            let mut response = self.desk.answer(request, seat.begin()).await;
            if self.drain.stage() > Stage::Serving || seat.is_leaving() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| Sending { body, _in_flight: in_flight }))
        });
        seat.greet();
        let stream = Paced::new(stream, Arc::clone(seat), self.limits);
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.idle)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), service)
        );
        let mut ended = tokio::select! {
            // First of all what has come.
            biased;
            ended = connection.as_mut() => Some(ended),
            () = self.dismissed(seat) => None,
        };
        if ended.is_none() {
            connection.as_mut().graceful_shutdown();
        }
        while ended.is_none() {
            ended = timeout(self.limits.linger, connection.as_mut()).await.ok();
            if ended.is_none() && !seat.is_busy() {
                return;
            }
        }
        if let Some(Err(error)) = ended {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::debug!(%peer, %error, cause, door = D::NAME, "connection ended");
        }
    }

    /// Waits until this connection should go. One that has not asked yet may be about to: it gets a moment longer.
    async fn dismissed(&self, seat: &Seat) {
        tokio::select! {
            () = seat.asked_to_leave() => sleep(LOOK).await,
            () = self.drain.closed() => if seat.is_fresh() {
                sleep(self.limits.linger).await;
            },
        }
    }
}

/// An answer whose request is in flight until the last of it is taken: a long one is made on the way.
struct Sending {
    body: Outgoing,
    _in_flight: InFlight,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// TLS, after a look at the first byte: who speaks plain HTTP is told so in plain HTTP.
async fn handshake(mut tcp: TcpStream, config: &Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    tcp.peek(&mut first).await?;
    if first.iter().all(u8::is_ascii_uppercase) {
        tcp.write_all(PLAIN_HTTP).await?;
        tcp.shutdown().await?;
        // Read what was sent: closing over unread bytes resets the connection and takes our answer with it.
        while tcp.readable().await.is_ok() && tcp.try_read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        return Err(io::Error::new(io::ErrorKind::InvalidData, tls::PlainHttp));
    }
    TlsAcceptor::from(Arc::clone(config)).accept(tcp).await
}
