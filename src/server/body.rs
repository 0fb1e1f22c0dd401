//! Reading a body: bounded in size, in time, and together with all others.
//!
//! Memory is lent as bytes arrive, not as they are announced: a peer that announces 8 MiB and sends nothing takes
//! nothing from the others. The last eighth is lent to small bodies only, so that large ones keep no ordinary review
//! out. A body that a long answer is still made from stays lent until its peer has taken it.
//!
//! A large body lies in a mapping of its own, which goes back to the system with it. From malloc it would, once glibc has
//! seen one freed, come out of the heap, and the holes between bodies stay resident: 64 at once took 69 MB under a budget
//! of 16.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use memmap2::MmapMut;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::timeout;

use super::refusal::Refusal;

/// A review of a target has 2 to 50 kB.
const SMALL: usize = 128 << 10;

/// What all bodies in flight may take together.
#[derive(Debug)]
pub struct Budget {
    left: AtomicI64,
    /// For small bodies only.
    reserve: i64,
    lent: Gauge,
}

impl Budget {
    /// A budget of so many bytes; `lent` shows how much of it is in use.
    pub fn new(bytes: usize, lent: Gauge) -> Self {
        let bytes = size(bytes);
        Self { left: AtomicI64::new(bytes), reserve: bytes / 8, lent }
    }

    /// Lends `bytes` more to a body that then has `total`.
    fn lend(&self, bytes: usize, total: usize) -> bool {
        let keep = if total > SMALL { self.reserve } else { 0 };
        let bytes = size(bytes);
        let enough = self.left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(bytes).filter(|rest| *rest >= keep)
        });
        if enough.is_ok() {
            self.lent.inc_by(bytes);
        }
        enough.is_ok()
    }

    fn take_back(&self, bytes: usize) {
        self.left.fetch_add(size(bytes), Ordering::Relaxed);
        self.lent.dec_by(size(bytes));
    }
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A body that was read whole; gives its memory back to the budget when dropped.
#[derive(Debug)]
pub struct Body {
    budget: Arc<Budget>,
    lent: usize,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// As it came, in one piece.
    Whole(Bytes),
    Small(Vec<u8>),
    /// With so many bytes of it written.
    Large(MmapMut, usize),
}

impl Held {
    fn push(&mut self, data: &[u8]) {
        match self {
            Self::Whole(_) => *self = Self::Small(data.to_vec()),
            Self::Small(bytes) => bytes.extend_from_slice(data),
            Self::Large(map, length) => {
                let end = *length + data.len();
                if let Some(place) = map.get_mut(*length..end) {
                    place.copy_from_slice(data);
                    *length = end;
                }
            }
        }
    }
}

impl Body {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Whole(bytes) => bytes,
            Held::Small(bytes) => bytes,
            Held::Large(map, length) => map.get(..*length).unwrap_or_default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.budget.take_back(self.lent);
    }
}

/// Reads a body of at most `limit` bytes within `patience`.
pub async fn read(
    incoming: &mut Incoming,
    limit: usize,
    patience: Duration,
    budget: &Arc<Budget>,
) -> Result<Body, Refusal> {
    let announced = incoming.size_hint().exact();
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Refusal::TooLarge { limit });
    }
    match timeout(patience, gather(incoming, limit, announced, budget)).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::TooSlow(patience)),
    }
}

/// Reads on and forgets, for a while: a peer that is still sending when we close may lose our answer to a TCP reset
/// (RFC 9112 §9.6).
pub async fn discard(incoming: &mut Incoming, limit: usize, patience: Duration) {
    let swallow = async {
        let mut left = limit;
        while let Some(Ok(frame)) = incoming.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Enough or too slow: either way the answer goes out now.
    drop(timeout(patience, swallow).await);
}

async fn gather(
    incoming: &mut Incoming,
    limit: usize,
    announced: Option<u64>,
    budget: &Arc<Budget>,
) -> Result<Body, Refusal> {
    let mut body = Body { budget: Arc::clone(budget), lent: 0, held: Held::Whole(Bytes::new()) };
    let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
    while let Some(frame) = incoming.frame().await {
        // Trailers tell nothing about a review.
        let Ok(data) = frame.map_err(|error| Refusal::Broken(cause(&error)))?.into_data() else {
            continue;
        };
        let total = body.lent.saturating_add(data.len());
        if total > limit {
            return Err(Refusal::TooLarge { limit });
        }
        if !budget.lend(data.len(), total) {
            return Err(Refusal::Overloaded);
        }
        body.lent = total;
        let first = total == data.len();
        if first && incoming.is_end_stream() {
            body.held = Held::Whole(data);
            return Ok(body);
        }
        if first && announced.is_some_and(|bytes| bytes <= SMALL) {
            body.held = Held::Small(Vec::with_capacity(announced.unwrap_or_default()));
        }
        if total.max(announced.unwrap_or_default()) > SMALL && !matches!(body.held, Held::Large(..)) {
            // Not touched before it is written, so a mapping that is too large costs nothing.
            let room = MmapMut::map_anon(announced.unwrap_or(limit)).map_err(|_| Refusal::Overloaded)?;
            let begun = std::mem::replace(&mut body.held, Held::Large(room, 0));
            if let Held::Small(begun) = begun {
                body.held.push(&begun);
            }
        }
        body.held.push(&data);
    }
    Ok(body)
}

/// hyper's own text says where, its source says why.
fn cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {}", without_link(&source.to_string())),
        None => error.to_string(),
    }
}

/// A library's link to its documentation helps no reader of our log.
fn without_link(text: &str) -> &str {
    text.split_once(": https://").map_or(text, |(what, _)| what)
}

#[cfg(test)]
mod tests {
    #[rstest::rstest]
    #[case("peer closed connection: https://docs.rs/rustls/latest/", "peer closed connection")]
    #[case("connection reset by peer", "connection reset by peer")]
    fn a_cause_is_told_without_the_link_of_the_library_that_saw_it(#[case] text: &str, #[case] told: &str) {
        assert_eq!(super::without_link(text), told);
    }
}
