//! A connection's bytes, with an end to patience where hyper has none of its own: for a request's head once its first
//! bytes are here, and for a peer that does not take our answer.
//!
//! Silence between two requests is not slowness and is left to [`Limits::idle`](super::Limits): Go's client opens
//! connections in reserve, and cutting one off just when it is used would cost a review.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Limits;
use super::seats::Seat;

/// A stream that gives up on a slow peer.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    seat: Arc<Seat>,
    limits: Limits,
    /// Bytes of the request after so many answered ones are here.
    begun: Option<u64>,
    head: Option<Pin<Box<Sleep>>>,
    answer: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// Watches over `stream`; `seat` tells whether a request's head is complete.
    pub fn new(stream: S, seat: Arc<Seat>, limits: Limits) -> Self {
        Self { stream, seat, limits, begun: None, head: None, answer: None }
    }

    /// Nothing to read: is a head under way, and for too long?
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if self.seat.is_busy() || self.begun != Some(self.seat.served()) {
            self.head = None;
            return false;
        }
        let patience = self.limits.head;
        self.head.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx).is_ready()
    }

    fn taken<T>(&mut self, cx: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.answer = None;
            return sent;
        }
        let patience = self.limits.answer;
        let late = self.answer.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx);
        late.map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the answer was not taken in time")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            if !this.seat.is_busy() {
                this.begun = Some(this.seat.served());
            }
        } else if read.is_pending() && this.head_is_late(cx) {
            let late = io::Error::new(io::ErrorKind::TimedOut, "the request's head did not arrive in time");
            return Poll::Ready(Err(late));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.taken(cx, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.taken(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_flush(cx);
        this.taken(cx, sent)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.taken(cx, sent)
    }
}
