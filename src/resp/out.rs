//! What is waiting to be sent on one connection: small things copied side by side, large things shared.
//!
//! A reply is mostly a few bytes; those are appended to one buffer (`own`). A large value, or a block of the replication
//! stream that a dozen replicas receive, is not copied: a mark remembers at which point of `own` the shared [`Bytes`]
//! come in. Once `own` is large it is sealed into shared chunks itself, so that a reply of a gigabyte never moves.
//!
//! ```text
//!  sealed: [chunk][chunk]     own: $65536\r\n | \r\n+OK\r\n
//!                                            ^ mark: the 65536 shared bytes belong here
//!  sent in this order: sealed, then own and marks interleaved
//! ```
//!
//! Two things write into the past. A *deferred length* (the header of an array whose elements are still being counted)
//! leaves four bytes, enough for counts below ten, and moves what follows when the count turns out longer. A *savepoint*
//! throws away what was written since. While either is open nothing is sealed, and nothing may be sent.
//!
//! Output can have a *limit*, behind which its receiver is going to be cut off. What would be written behind it is thrown away, so that a
//! reply nobody will get takes no memory.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::base::limits::READ_CHUNK;

/// `own` is sealed when it has grown to this: large enough that few system calls send it, small enough that growing it
/// never copies much.
const SEAL_AT: usize = 64 * 1024;

/// Shared bytes shorter than this are copied: a mark and an entry in the vector cost about as much as copying them.
const SHARE_MIN: usize = 2 * 1024;

/// Most pieces handed to one write.
pub const IOVECS_MAX: usize = 64;

/// The pieces of one write.
pub type IoVecs<'a> = SmallVec<[IoSlice<'a>; IOVECS_MAX]>;

/// Bytes queued for one receiver, in order.
#[derive(Debug, Default)]
pub struct Out {
    sealed: VecDeque<Bytes>,
    own: Vec<u8>,
    /// How much of `own` has been sent; never beyond the first mark.
    sent: usize,
    marks: VecDeque<Mark>,
    /// Bytes in `sealed` and in the chunks of `marks`.
    chunk_bytes: usize,
    /// Deferred lengths and savepoints that are open.
    holds: u32,
    /// What is written is thrown away: somebody asked for it, or the limit is reached.
    muted: bool,
    is_cut: bool,
    /// Zero for none.
    limit: usize,
}

/// Shared bytes that come after the first `at` bytes of `own`.
#[derive(Debug)]
struct Mark {
    at: usize,
    chunk: Bytes,
}

/// A length that will be known later; see [`Out::defer`].
#[must_use = "a deferred length must be finished"]
#[derive(Debug)]
pub struct Deferred {
    /// Where in `own` the header stands; `None` when the output was muted.
    at: Option<usize>,
}

/// A point to which the output can return; see [`Out::savepoint`].
#[must_use = "a savepoint must be kept or rolled back"]
#[derive(Debug)]
pub struct Savepoint {
    own: usize,
    marks: usize,
    holds: u32,
}

impl Out {
    /// Nothing queued, nothing allocated.
    pub fn new() -> Out {
        Out::default()
    }

    /// Bytes queued and not sent yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.chunk_bytes + self.own.len() - self.sent
    }

    /// Whether everything was sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory this queue keeps alive, shared chunks included. A buffer of the usual small size does not count,
    /// as in Redis, whose limits on output buffers leave out the buffer inside the client.
    pub fn memory(&self) -> usize {
        let own = if self.own.capacity() > READ_CHUNK { self.own.capacity() } else { 0 };
        self.chunk_bytes + own + self.chunks() * size_of::<Mark>()
    }

    /// How many chunks are queued besides the buffer, as CLIENT LIST shows it in `oll`.
    pub fn chunks(&self) -> usize {
        self.sealed.len() + self.marks.len()
    }

    /// Whether what is written is thrown away (CLIENT REPLY OFF and SKIP).
    pub fn is_muted(&self) -> bool {
        self.muted && !self.is_cut
    }

    /// Throws away what will be written from here on, or stops doing so.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted || self.is_cut;
    }

    /// From so many bytes on what is written is thrown away, if it can be noticed in time; zero for no limit.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether what is written now stays bounded by a limit.
    pub fn is_bounded(&self) -> bool {
        self.limit > 0 && self.holds == 0
    }

    /// Whether something was thrown away because of the limit. What is left is of no use to its receiver.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn cut_at_limit(&mut self) {
        if self.is_bounded() && self.len() >= self.limit {
            (self.is_cut, self.muted) = (true, true);
        }
    }

    /// Appends through `fill`, which gets the buffer with room for `room` bytes.
    #[inline]
    pub(super) fn write(&mut self, room: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.muted {
            return;
        }
        if self.own.capacity() - self.own.len() < room {
            self.grow(room);
        }
        fill(&mut self.own);
        if self.own.len() >= SEAL_AT && self.holds == 0 {
            self.seal();
        }
    }

    /// Makes room. A buffer that is about full at the size at which it would soon be sealed is sealed now: grown once more, it
    /// would keep twice the memory of what is in it.
    #[cold]
    fn grow(&mut self, room: usize) {
        if self.own.len() >= SEAL_AT / 2 && self.holds == 0 {
            self.seal();
        }
        self.own.reserve(room);
    }

    /// Appends a copy of `bytes`.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        self.write(bytes.len(), |own| own.extend_from_slice(bytes));
    }

    /// Appends `bytes` without copying them, unless they are short.
    pub fn append_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARE_MIN {
            self.append(&bytes);
        } else if !self.muted {
            self.chunk_bytes += bytes.len();
            self.marks.push_back(Mark { at: self.own.len(), chunk: bytes });
            self.cut_at_limit();
        }
    }

    /// Moves everything `other` holds to the end of this queue. `other` must have nothing open.
    pub fn append_out(&mut self, other: Out) {
        for piece in other.into_chunks() {
            self.append_shared(piece);
        }
    }

    /// The queued bytes as chunks, in order.
    pub fn into_chunks(mut self) -> VecDeque<Bytes> {
        self.holds = 0;
        self.seal();
        self.sealed
    }

    /// A copy of the queued bytes. For tests and for replies that are read instead of sent.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.pieces(|piece| {
            bytes.extend_from_slice(piece);
            true
        });
        bytes
    }

    /// Makes one piece of what is queued, for a reply that is read instead of sent.
    pub fn flatten(&mut self) {
        if self.chunk_bytes > 0 {
            let bytes = self.to_vec();
            self.clear();
            self.own = bytes;
        }
    }

    /// Drops everything that is queued.
    pub fn clear(&mut self) {
        let muted = self.is_muted();
        *self = Out { own: mem::take(&mut self.own), muted, ..Out::default() };
        self.own.clear();
    }

    // ---- lengths known later, and writing that is undone ----

    /// Writes a header `prefix` whose count follows in [`Out::settle`]. What is deferred later must be settled earlier.
    pub fn defer(&mut self, prefix: u8) -> Deferred {
        if self.muted {
            return Deferred { at: None };
        }
        self.holds += 1;
        let at = self.own.len();
        self.own.extend_from_slice(&[prefix, b'0', b'\r', b'\n']);
        Deferred { at: Some(at) }
    }

    /// Fills in the count that `deferred` left open.
    pub fn settle(&mut self, deferred: Deferred, count: u64) {
        let Some(at) = deferred.at else { return };
        assert!(self.holds > 0 && at + 4 <= self.own.len(), "a deferred length outlived its output");
        self.holds -= 1;
        if count < 10 {
            self.own[at + 1] = b'0' + count as u8;
            return;
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(count).as_bytes();
        self.own.splice(at + 1..at + 2, digits.iter().copied());
        for mark in self.marks.iter_mut().rev().take_while(|mark| mark.at > at) {
            mark.at += digits.len() - 1;
        }
    }

    /// Remembers this point. Followed by [`Out::keep`] or [`Out::rollback`], with nothing sent in between.
    pub fn savepoint(&mut self) -> Savepoint {
        self.holds += 1;
        Savepoint { own: self.own.len(), marks: self.marks.len(), holds: self.holds - 1 }
    }

    /// Keeps what was written since the savepoint.
    pub fn keep(&mut self, savepoint: Savepoint) {
        self.holds = savepoint.holds;
    }

    /// Throws away what was written since the savepoint, deferred lengths included.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        self.holds = savepoint.holds;
        for mark in self.marks.drain(savepoint.marks..) {
            self.chunk_bytes -= mark.chunk.len();
        }
        self.own.truncate(savepoint.own);
    }

    /// Bytes written since the savepoint.
    pub fn written_since(&self, savepoint: &Savepoint) -> usize {
        let shared: usize = self.marks.iter().skip(savepoint.marks).map(|mark| mark.chunk.len()).sum();
        self.own.len() - savepoint.own + shared
    }

    // ---- sending ----

    /// Calls `take` with each piece in order until it returns false.
    #[inline]
    fn pieces<'a>(&'a self, mut take: impl FnMut(&'a [u8]) -> bool) {
        for chunk in &self.sealed {
            if !take(chunk) {
                return;
            }
        }
        let mut from = self.sent;
        for mark in &self.marks {
            if (mark.at > from && !take(&self.own[from..mark.at])) || !take(&mark.chunk) {
                return;
            }
            from = mark.at;
        }
        if from < self.own.len() {
            take(&self.own[from..]);
        }
    }

    /// The queue as one slice, when it is one: the usual small reply.
    #[inline]
    pub fn as_single(&self) -> Option<&[u8]> {
        (self.chunk_bytes == 0).then(|| &self.own[self.sent..])
    }

    /// The next pieces to send, at most [`IOVECS_MAX`] and about `bytes_max` bytes of them.
    pub fn iovecs(&self, bytes_max: usize) -> IoVecs<'_> {
        debug_assert_eq!(self.holds, 0, "nothing is sent while a length is open");
        let (mut vecs, mut room) = (IoVecs::new(), bytes_max);
        self.pieces(|piece| {
            let piece = &piece[..piece.len().min(room)];
            room -= piece.len();
            vecs.push(IoSlice::new(piece));
            room > 0 && vecs.len() < IOVECS_MAX
        });
        vecs
    }

    /// Forgets the first `count` bytes: they were sent.
    pub fn advance(&mut self, mut count: usize) {
        debug_assert_eq!(self.holds, 0, "nothing is sent while a length is open");
        assert!(count <= self.len(), "{count} bytes sent of {}", self.len());
        while let Some(chunk) = self.sealed.front_mut() {
            if !consume(chunk, &mut count, &mut self.chunk_bytes) {
                return;
            }
            self.sealed.pop_front();
        }
        while let Some(mark) = self.marks.front_mut() {
            let own = count.min(mark.at - self.sent);
            self.sent += own;
            count -= own;
            if self.sent < mark.at || !consume(&mut mark.chunk, &mut count, &mut self.chunk_bytes) {
                return;
            }
            self.marks.pop_front();
        }
        self.sent += count;
        if self.sent == self.own.len() {
            self.sent = 0;
            self.own.clear();
        }
    }

    /// Turns `own` and its marks into sealed chunks, without copying.
    #[cold]
    fn seal(&mut self) {
        let own = Bytes::from(mem::take(&mut self.own));
        let mut from = mem::take(&mut self.sent);
        self.chunk_bytes += own.len() - from;
        let push = |sealed: &mut VecDeque<Bytes>, chunk: Bytes| {
            if !chunk.is_empty() {
                sealed.push_back(chunk);
            }
        };
        for mark in self.marks.drain(..) {
            push(&mut self.sealed, own.slice(from..mark.at));
            push(&mut self.sealed, mark.chunk);
            from = mark.at;
        }
        push(&mut self.sealed, own.slice(from..));
        self.cut_at_limit();
    }

    // ---- lending the buffer, so that an idle connection holds none ----

    /// Whether a buffer would be welcome: nothing is allocated yet.
    #[inline]
    pub fn wants_buffer(&self) -> bool {
        self.own.capacity() == 0
    }

    /// Takes over an empty buffer to write into.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        if self.own.capacity() == 0 {
            self.own = buffer;
            self.own.clear();
        }
    }

    /// Gives the buffer back once everything was sent.
    pub fn return_buffer(&mut self) -> Option<Vec<u8>> {
        (self.own.is_empty() && self.holds == 0 && self.own.capacity() > 0).then(|| mem::take(&mut self.own))
    }
}

/// Takes up to `count` bytes off `chunk`; true when nothing of it is left.
fn consume(chunk: &mut Bytes, count: &mut usize, total: &mut usize) -> bool {
    let taken = chunk.len().min(*count);
    chunk.advance(taken);
    *count -= taken;
    *total -= taken;
    chunk.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(byte: u8) -> Bytes {
        Bytes::from(vec![byte; SHARE_MIN])
    }

    fn send_in_steps(mut out: Out, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while !out.is_empty() {
            let mut taken = Vec::new();
            out.iovecs(step).iter().for_each(|piece| taken.extend_from_slice(piece));
            assert!(!taken.is_empty() && taken.len() <= step);
            out.advance(taken.len());
            sent.extend_from_slice(&taken);
        }
        sent
    }

    #[test]
    fn a_limit_bounds_what_is_kept() {
        let mut out = Out::new();
        out.set_limit(200_000);
        let savepoint = out.savepoint();
        assert!(!out.is_bounded());
        (0..300_000).for_each(|_| out.append(b"x"));
        assert!(!out.is_cut(), "it may be rolled back");
        out.rollback(savepoint);
        (0..300_000).for_each(|_| out.append(b"x"));
        assert!(out.is_cut() && !out.is_muted());
        assert!((200_000..200_000 + SEAL_AT).contains(&out.len()), "{}", out.len());
        out.set_muted(false);
        let before = out.len();
        out.append(b"+OK\r\n");
        assert_eq!(out.len(), before);
        out.clear();
        out.set_limit(SHARE_MIN);
        out.append_shared(big(b'a'));
        out.append_shared(big(b'b'));
        assert_eq!((out.len(), out.is_cut()), (SHARE_MIN, true));
    }

    fn mixed() -> Out {
        let mut out = Out::new();
        out.append(b"head");
        out.append_shared(big(b'a'));
        out.append_shared(big(b'b'));
        out.append(b"tail");
        out
    }

    #[test]
    fn whatever_the_steps_the_same_bytes_are_sent() {
        let expected = mixed().to_vec();
        assert_eq!(expected.len(), 8 + 2 * SHARE_MIN);
        for step in [1, 3, 4, 5, SHARE_MIN - 1, SHARE_MIN, SHARE_MIN + 4, expected.len(), 1 << 20] {
            assert_eq!(send_in_steps(mixed(), step), expected, "step {step}");
        }
    }

    #[test]
    fn shared_bytes_are_not_copied_and_short_ones_are() {
        let chunk = big(b'x');
        let mut out = Out::new();
        out.append_shared(chunk.clone());
        out.append_shared(Bytes::from_static(b"short"));
        let vecs = out.iovecs(usize::MAX);
        assert_eq!((vecs.len(), vecs[0].as_ptr()), (2, chunk.as_ptr()));
        assert!(out.as_single().is_none());
    }

    /// Found by a replica that stood still: its megabyte of output took nearly two.
    #[test]
    fn what_waits_takes_little_more_than_its_length() {
        let (before, mut out) = (crate::base::alloc::used_by_this_thread(), Out::new());
        (0..20_000).for_each(|_| out.append(&[b'x'; 50]));
        let used = crate::base::alloc::used_by_this_thread() - before;
        assert!((1_000_000..1_150_000).contains(&used), "{used}");
    }

    #[test]
    fn a_large_buffer_is_sealed_and_nothing_is_lost() {
        let mut out = mixed();
        let mut expected = out.to_vec();
        out.advance(2);
        for index in 0..10_000u32 {
            let text = format!("<{index}>").repeat(4);
            out.append(text.as_bytes());
            expected.extend_from_slice(text.as_bytes());
        }
        assert!(out.own.capacity() <= 2 * SEAL_AT + 64 && out.sealed.len() > 3);
        assert_eq!(out.len(), expected.len() - 2);
        assert_eq!(send_in_steps(out, 1000), &expected[2..]);
    }

    #[test]
    fn a_deferred_length_moves_what_follows_it() {
        for count in [0, 9, 10, 12345] {
            let mut out = Out::new();
            out.append(b"+a\r\n");
            out.append_shared(big(b'1'));
            let outer = out.defer(b'*');
            out.append(b"x");
            let inner = out.defer(b'%');
            out.append_shared(big(b'2'));
            out.append(b"y");
            out.settle(inner, count);
            out.settle(outer, count);
            let text = String::from_utf8(out.to_vec()).unwrap();
            let expected =
                format!("+a\r\n{}*{count}\r\nx%{count}\r\n{}y", "1".repeat(SHARE_MIN), "2".repeat(SHARE_MIN));
            assert_eq!(text, expected);
            assert_eq!(out.len(), expected.len());
        }
    }

    #[test]
    fn nothing_is_sealed_while_a_length_is_open() {
        let mut out = Out::new();
        let open = out.defer(b'*');
        out.append(&vec![b'z'; 3 * SEAL_AT]);
        assert!(out.sealed.is_empty());
        out.settle(open, 77);
        out.append(b".");
        assert_eq!((out.sealed.len(), &out.to_vec()[..5]), (1, &b"*77\r\n"[..]));
    }

    #[test]
    fn a_savepoint_undoes_replies_chunks_and_open_lengths() {
        let mut out = mixed();
        let before = out.to_vec();
        let savepoint = out.savepoint();
        out.append(b"gone");
        out.append_shared(big(b'c'));
        let _open = out.defer(b'*');
        assert_eq!(out.written_since(&savepoint), 8 + SHARE_MIN);
        out.rollback(savepoint);
        assert_eq!((out.to_vec(), out.holds, out.len()), (before.clone(), 0, before.len()));
        let savepoint = out.savepoint();
        out.append(b"kept");
        out.keep(savepoint);
        assert_eq!(out.to_vec(), [&before[..], b"kept"].concat());
    }

    #[test]
    fn a_muted_output_takes_nothing() {
        let mut out = Out::new();
        out.set_muted(true);
        out.append(b"a");
        out.append_shared(big(b'b'));
        let open = out.defer(b'*');
        out.settle(open, 3);
        assert!(out.is_empty() && out.is_muted());
        out.set_muted(false);
        out.append(b"a");
        assert_eq!(out.as_single(), Some(&b"a"[..]));
    }

    #[test]
    fn a_buffer_is_lent_and_comes_back_when_all_was_sent() {
        let mut out = Out::new();
        assert!(out.wants_buffer() && out.return_buffer().is_none());
        out.lend_buffer(Vec::with_capacity(100));
        out.append(b"ab");
        assert!(!out.wants_buffer() && out.return_buffer().is_none());
        out.advance(2);
        assert_eq!(out.return_buffer().map(|buffer| buffer.capacity()), Some(100));
        assert_eq!(out.memory(), 0);
    }

    #[test]
    fn one_queue_moves_to_the_end_of_another() {
        let mut out = mixed();
        out.append_out(mixed());
        assert_eq!(out.to_vec(), [mixed().to_vec(), mixed().to_vec()].concat());
        out.clear();
        assert!(out.is_empty());
    }
}
