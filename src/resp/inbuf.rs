//! The bytes that arrived on one connection and were not used yet.
//!
//! Requests are read where they were received: the parser notes positions in this buffer, commands see slices of it, and
//! only afterwards is the space used again. Three rules make that safe:
//!
//!   * what was consumed stays in place until the next [`InBuf::target`] or [`InBuf::extend`], so positions handed out
//!     by the parser are good until more bytes are received;
//!   * consumption can be taken back as far as that (`Parser::rewind`): a client that blocks in the middle of a pipeline
//!     gets its remaining requests parsed again later;
//!   * an argument of at least `BIG_ARG` bytes is not received here but in a buffer of its own, which becomes the value
//!     without a copy. It grows with what has really arrived (at most 1 MiB or as much again ahead of it), so that a
//!     length alone, however large, allocates nothing.
//!
//! An idle connection has no buffer; the event loop lends one while there are bytes.

use bytes::Bytes;

use crate::base::limits::READ_CHUNK;

/// How far the buffer of a large argument may be ahead of what was received, at first.
const AHEAD: usize = 1024 * 1024;

/// Room beyond the end of a large argument: a read that comes back short of it proves that the socket is empty, which
/// saves the read that would only tell so.
const SURPLUS: usize = 14;

/// A buffer larger than this is not kept for the next connection.
const KEEP_MAX: usize = 4 * READ_CHUNK;

/// Received bytes, and how far they were consumed.
#[derive(Debug, Default)]
pub struct InBuf {
    data: Vec<u8>,
    /// What lies before was consumed.
    start: usize,
    big: Option<Big>,
}

/// A large argument on its way in, with the two bytes of line end behind it.
#[derive(Debug)]
struct Big {
    bytes: Vec<u8>,
    want: usize,
}

impl InBuf {
    /// Empty, nothing allocated.
    pub fn new() -> InBuf {
        InBuf::default()
    }

    /// The bytes not consumed yet. Those of a large argument under way are not among them.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.data[self.start..]
    }

    /// Everything in the buffer, consumed bytes included: what the positions in parsed requests refer to.
    #[inline]
    pub fn storage(&self) -> &[u8] {
        &self.data
    }

    /// Where the bytes not consumed begin, in [`InBuf::storage`].
    #[inline]
    pub fn position(&self) -> usize {
        self.start
    }

    /// Bytes received and not consumed, a large argument under way included. This is what the limit on query buffers is
    /// about.
    pub fn buffered(&self) -> usize {
        self.data.len() - self.start + self.big.as_ref().map_or(0, |big| big.bytes.len())
    }

    /// How many of these belong to arguments that were parsed already, while a large one behind them is under way.
    pub fn parsed(&self) -> usize {
        if self.big.is_some() { self.data.len() - self.start } else { 0 }
    }

    /// Whether there is nothing that was not consumed.
    pub fn is_empty(&self) -> bool {
        self.start == self.data.len() && self.big.is_none()
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.data.capacity() + self.big.as_ref().map_or(0, |big| big.bytes.capacity())
    }

    /// Marks the next `count` bytes as consumed.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.data.len() - self.start, "{count} bytes consumed of {}", self.data.len() - self.start);
        self.start += count;
    }

    /// Takes consumption back to `position`, a value of [`InBuf::position`] since bytes were last received.
    pub(super) fn rewind(&mut self, position: usize) {
        assert!(position <= self.start, "rewound forward, from {} to {position}", self.start);
        self.start = position;
    }

    /// Forgets everything received.
    pub fn clear(&mut self) {
        self.data.clear();
        self.start = 0;
        self.big = None;
    }

    // ---- receiving ----

    /// The vector whose spare capacity the next read fills: about `chunk`, at least half of it. Call
    /// [`InBuf::received`] afterwards.
    pub fn target(&mut self, chunk: usize) -> &mut Vec<u8> {
        if self.big.as_ref().is_some_and(|big| big.bytes.len() < big.want) {
            let big = self.big.as_mut().expect("just seen");
            big.grow();
            return &mut big.bytes;
        }
        self.compact();
        if self.data.capacity() - self.data.len() < chunk.div_ceil(2) {
            self.data.reserve(chunk);
        }
        &mut self.data
    }

    /// Tells that a read has filled part of the target.
    #[inline]
    pub fn received(&mut self) {
        if let Some(big) = &mut self.big
            && big.bytes.len() > big.want
        {
            // The next request's first bytes came along.
            self.data.extend_from_slice(&big.bytes[big.want..]);
            big.bytes.truncate(big.want);
        }
    }

    /// Appends bytes that come from somewhere else than a socket.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let in_big = self.big.is_some();
            let target = self.target(bytes.len());
            // A large argument is filled within its capacity, as a read would do it; the buffer takes all the rest.
            let spare = target.capacity() - target.len();
            let take = if in_big { bytes.len().min(spare) } else { bytes.len() };
            target.extend_from_slice(&bytes[..take]);
            self.received();
            bytes = &bytes[take..];
        }
    }

    /// Drops what was consumed. Positions handed out before are void.
    fn compact(&mut self) {
        if self.start == self.data.len() {
            self.data.clear();
        } else if self.start > 0 {
            let rest = self.data.len() - self.start;
            self.data.copy_within(self.start.., 0);
            self.data.truncate(rest);
        }
        self.start = 0;
    }

    // ---- large arguments, for the parser ----

    /// From `from` on (a position), the buffer holds the beginning of a large argument of `len` bytes and nothing else:
    /// receives the rest apart.
    pub(super) fn begin_big(&mut self, from: usize, len: usize) {
        let want = len + 2;
        debug_assert!(self.big.is_none() && self.data.len() - from < want);
        let mut bytes = Vec::with_capacity((want + SURPLUS).min(AHEAD));
        bytes.extend_from_slice(&self.data[from..]);
        self.data.truncate(from);
        self.big = Some(Big { bytes, want });
    }

    /// The large argument, once it is complete.
    pub(super) fn take_big(&mut self) -> Option<Bytes> {
        let big = self.big.take_if(|big| big.bytes.len() >= big.want)?;
        let mut bytes = big.bytes;
        bytes.truncate(big.want - 2);
        Some(Bytes::from(bytes))
    }

    // ---- lending the buffer ----

    /// Whether a buffer would be welcome: nothing is allocated yet.
    #[inline]
    pub fn wants_buffer(&self) -> bool {
        self.data.capacity() == 0
    }

    /// Takes over an empty buffer to receive into.
    pub fn lend_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.data.capacity() == 0 {
            buffer.clear();
            self.data = buffer;
        }
    }

    /// Gives the buffer back when nothing is left in it. One that grew large is freed instead.
    pub fn return_buffer(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.data.capacity() == 0 {
            return None;
        }
        self.start = 0;
        let buffer = std::mem::take(&mut self.data);
        (buffer.capacity() <= KEEP_MAX).then_some(buffer)
    }
}

impl Big {
    /// Makes room for the next read: all that is missing when little is missing, else no more than was received so far.
    fn grow(&mut self) {
        let whole = self.want + SURPLUS;
        if self.bytes.capacity() == self.bytes.len() {
            let capacity = whole.min(AHEAD.max(2 * self.bytes.len()));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_bytes_stay_until_more_arrive() {
        let mut input = InBuf::new();
        input.extend(b"abcdef");
        let start = input.position();
        input.consume(3);
        assert_eq!((input.bytes(), input.storage()), (&b"def"[..], &b"abcdef"[..]));
        input.rewind(start);
        assert_eq!(input.bytes(), b"abcdef");
        input.consume(4);
        input.extend(b"gh");
        assert_eq!((input.bytes(), input.position()), (&b"efgh"[..], 0));
    }

    #[test]
    fn a_large_argument_arrives_in_its_own_buffer() {
        let argument = vec![b'v'; 100_000];
        let mut input = InBuf::new();
        input.extend(b"$100000\r\n");
        input.extend(&argument[..10]);
        input.begin_big(9, 100_000);
        assert_eq!((input.bytes(), input.buffered()), (&b"$100000\r\n"[..], 19));
        let before = input.target(READ_CHUNK).as_ptr();
        input.extend(&argument[10..]);
        assert!(input.take_big().is_none(), "the line end is missing");
        input.extend(b"\r\n*1\r\n");
        let value = input.take_big().expect("complete");
        assert_eq!((&value[..], value.as_ptr()), (&argument[..], before));
        assert_eq!(input.bytes(), b"$100000\r\n*1\r\n");
    }

    #[test]
    fn a_lying_length_allocates_little() {
        let mut input = InBuf::new();
        input.extend(b"x");
        input.begin_big(0, 512 * 1024 * 1024);
        assert!(input.memory() <= AHEAD + READ_CHUNK);
        input.extend(&vec![0; 3 * AHEAD]);
        assert!(input.memory() <= 7 * AHEAD && input.take_big().is_none());
        assert_eq!(input.buffered(), 3 * AHEAD + 1);
    }

    #[test]
    fn an_empty_buffer_goes_back_and_a_full_one_does_not() {
        let mut input = InBuf::new();
        assert!(input.wants_buffer());
        input.lend_buffer(Vec::with_capacity(100));
        input.extend(b"ab");
        assert_eq!(input.return_buffer(), None);
        input.consume(2);
        assert_eq!(input.return_buffer().map(|buffer| buffer.capacity()), Some(100));
        input.extend(&vec![0; KEEP_MAX + 1]);
        input.consume(KEEP_MAX + 1);
        assert!(input.return_buffer().is_none() && input.memory() == 0);
    }
}
