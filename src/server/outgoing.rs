//! The body of a response: bytes, or a long answer that is made while its peer takes it.
//!
//! The review that was answered is kept until then, since most of a long answer stands in it; its memory stays lent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::body::Body;
use crate::admission::Said;

/// What a peer is sent.
#[derive(Debug)]
pub enum Outgoing {
    /// All of it, as it is.
    Whole(Full<Bytes>),
    /// The answer to a review, and the review.
    Long(Box<(Said, Body)>),
}

impl Outgoing {
    /// The answer to this review.
    pub fn answer(mut said: Said, review: Body) -> Self {
        if said.is_long() { Self::Long(Box::new((said, review))) } else { said.take(review.bytes()).into() }
    }
}

impl<B: Into<Bytes>> From<B> for Outgoing {
    fn from(bytes: B) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Self::Long(long) => {
                let (said, review) = &mut **long;
                let piece = (!said.is_empty()).then(|| said.take(review.bytes()));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Long(long) => long.0.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Long(long) => SizeHint::with_exact(long.0.len() as u64),
        }
    }
}
