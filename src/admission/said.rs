//! An answer on its way out. A long patch is still text: its base64 is made as the peer takes it, piece by piece.
//!
//! Our own, because a patch of `managedFields` grows with the object and most of it stands in the review already. Written
//! out whole it would lie in memory twice, as base64 and once more in the connection's buffer, each time in fresh pages: of
//! a review of 6 MiB that was the dearest part.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fields::Pieces;

/// Shorter patches are written out at once.
const LONG: usize = 24 << 10;
/// How much text goes into a piece: makes 16 KiB of base64, one TLS record, and a multiple of three, so that only the
/// last piece is padded.
const STEP: usize = 12 << 10;

/// The bytes of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    bytes: Vec<u8>,
    long: Option<Long>,
}

/// A patch that stands between two of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Long {
    at: usize,
    parts: Vec<Part>,
    /// Where to go on: the part, and how much of it is done.
    next: (usize, usize),
    left: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Stands in the review.
    Review(Range<usize>),
    Own(String),
}

impl Part {
    fn bytes<'p>(&'p self, review: &'p [u8]) -> &'p [u8] {
        match self {
            Self::Review(range) => review.get(range.clone()).unwrap_or_default(),
            Self::Own(text) => text.as_bytes(),
        }
    }
}

impl Said {
    /// Appends a patch as base64. `review` is the body that long pieces of it may be lent from.
    pub(super) fn patch(&mut self, patch: Pieces<'_>, review: &[u8]) {
        let length = patch.len();
        if length < LONG {
            self.bytes.reserve(length.div_ceil(3) * 4 + super::reply::ROOM);
            return base64(&mut self.bytes, patch.iter().map(str::as_bytes));
        }
        let parts = patch.into_iter().map(|piece| match place(&piece, review) {
            Some(range) => Part::Review(range),
            None => Part::Own(piece.into_owned()),
        });
        let parts = parts.collect();
        self.long = Some(Long { at: self.bytes.len(), parts, next: (0, 0), left: length });
    }

    /// What is written out already, to append to.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether there is a patch for which the review is still needed.
    pub fn is_long(&self) -> bool {
        self.long.is_some()
    }

    /// How many bytes are still to be taken.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.long.as_ref().map_or(0, |long| long.left.div_ceil(3) * 4)
    }

    /// Whether all is taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next piece; `review` is the body that was answered. Empty when all is taken.
    pub fn take(&mut self, review: &[u8]) -> Vec<u8> {
        let Some(long) = &mut self.long else { return std::mem::take(&mut self.bytes) };
        let mut out = Vec::with_capacity(long.at + STEP / 3 * 4 + super::reply::ROOM);
        out.extend(self.bytes.drain(..long.at));
        long.at = 0;
        base64(&mut out, long.step(review).into_iter());
        if long.left == 0 {
            out.append(&mut self.bytes);
            self.long = None;
        }
        out
    }

    /// All that is still to be taken, in one piece.
    pub fn whole(&self, review: &[u8]) -> Vec<u8> {
        let mut rest = self.clone();
        let mut whole = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            whole.append(&mut rest.take(review));
        }
        whole
    }
}

impl From<Vec<u8>> for Said {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, long: None }
    }
}

impl Long {
    /// The next pieces of text, [`STEP`] bytes or what is left.
    fn step<'p>(&'p mut self, review: &'p [u8]) -> Vec<&'p [u8]> {
        let mut room = STEP;
        let mut found = Vec::new();
        let (mut part, mut done) = self.next;
        while let Some(rest) = self.parts.get(part).and_then(|part| part.bytes(review).get(done..)) {
            let taken = rest.len().min(room);
            found.push(rest.get(..taken).unwrap_or_default());
            room -= taken;
            if room == 0 {
                done += taken;
                break;
            }
            (part, done) = (part + 1, 0);
        }
        self.next = (part, done);
        self.left = if room == 0 { self.left.saturating_sub(STEP) } else { 0 };
        found
    }
}

/// Where in the review the text stands, if it is a part of it and not only equal to one.
fn place(text: &str, review: &[u8]) -> Option<Range<usize>> {
    let begin = text.as_ptr().addr().checked_sub(review.as_ptr().addr())?;
    let end = begin.checked_add(text.len())?;
    (end <= review.len()).then_some(begin..end)
}

/// Appends texts as base64, in steps that stay in the processor's cache.
fn base64<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t [u8]>) {
    const STEP: usize = 3 * 256;
    let mut encode = |bytes: &[u8]| {
        let mut room = [0; STEP / 3 * 4];
        // There is room.
        let length = STANDARD.encode_slice(bytes, &mut room).unwrap_or_default();
        out.extend_from_slice(room.get(..length).unwrap_or_default());
    };
    // Three bytes make four characters, whichever text they are of.
    let mut over = Vec::with_capacity(STEP);
    for text in texts {
        let (begin, rest) = text.split_at((STEP - over.len()).min(text.len()));
        over.extend_from_slice(begin);
        if over.len() < STEP {
            continue;
        }
        encode(&over);
        let steps = rest.chunks_exact(STEP);
        over.clear();
        over.extend_from_slice(steps.remainder());
        steps.for_each(&mut encode);
    }
    encode(&over);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_patch_is_its_base64_however_it_is_cut(
            pieces in proptest::collection::vec((0..30_000_usize, any::<bool>()), 0..12),
        ) {
            let review = "0123456789abcdef".repeat(2000);
            let mut patch = Pieces::default();
            for (length, lent) in pieces {
                if lent { patch.lend(&review[review.len() - length..]) } else { patch.tail().push_str(&review[..length]) }
            }
            let mut said = Said::from(b"head ".to_vec());
            said.patch(patch.clone(), review.as_bytes());
            said.bytes().extend_from_slice(b" tail");
            prop_assert_eq!(said.is_long(), patch.len() >= LONG);
            let whole = format!("head {} tail", STANDARD.encode(patch.to_string()));
            prop_assert_eq!(said.len(), whole.len());
            prop_assert!(said.whole(review.as_bytes()) == whole.as_bytes());
            while !said.is_empty() {
                let (before, piece) = (said.len(), said.take(review.as_bytes()));
                prop_assert!(!piece.is_empty() && before - piece.len() == said.len());
            }
        }
    }

    #[test]
    fn only_what_is_a_part_of_the_review_is_lent_from_it() {
        let review = "x".repeat(100);
        assert_eq!(place(&review[7..9], review.as_bytes()), Some(7..9));
        assert_eq!(place(&review, review.as_bytes()), Some(0..100));
        assert_eq!(place(&review.clone(), review.as_bytes()), None);
        assert_eq!(place(&review, &review.as_bytes()[..50]), None);
    }
}
