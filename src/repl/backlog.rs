//! The one copy of the replication stream.
//!
//! A master produces a stream of bytes. Every replica reads the same bytes, each at its own pace, and a replica that was
//! away for a moment wants to go on where it stopped. So the bytes are kept once, in blocks, and every reader is nothing
//! but a position:
//!
//! ```text
//!   first()                                                     end()
//!   |                                                               |
//!   [ block: shared ][ block: shared ][  a large value  ][ tail: open ]
//!          ^                                  ^                       ^
//!          slow replica                       another                 one that is up to date (position = end + 1)
//! ```
//!
//! Bytes are numbered from 1, as Redis numbers them: `end()` is the number of the last byte produced, `first()` of the
//! oldest one still here, and a *position* is the number of the next byte to read, so `end() + 1` is a fine position.
//!
//! A closed block is a `Bytes` that any number of connections may hold at once. The open tail is a plain vector; what
//! is read from it is copied, because it is short and a copy is cheaper than counting references to it. What comes in a
//! shared buffer and is not short (a turn's worth of commands, a large value) is not copied: it becomes blocks that are slices of
//! that buffer. They are no longer than other blocks, or one value larger than the limit would stay whole for as long as its
//! last byte is wanted.
//!
//! The size limit is what the administrator wants kept for replicas that come back. A connected replica that lags
//! further behind still needs its bytes: trimming stops at the oldest position somebody needs, so the backlog may
//! then be larger than its limit, and a third replica may profit from that. Limits on how far a replica may lag are
//! elsewhere (`master/feed.rs`).

use std::collections::VecDeque;

use bytes::Bytes;

/// Blocks are at most this long.
const BLOCK_MAX: usize = 64 * 1024;

/// And at least this long, however small the backlog.
const BLOCK_MIN: usize = 1024;

/// What is at least this long is not copied into the tail when it comes in a shared buffer. That buffer should hold little else:
/// all of it stays.
const OWN_BLOCK: usize = 2 * 1024;

/// Most blocks freed in one go, so that a backlog which shrank by gigabytes does not stop the loop.
const TRIM_BLOCKS: usize = 64;

/// The kept part of the stream.
#[derive(Debug)]
pub struct Backlog {
    blocks: VecDeque<Block>,
    /// Number of the first byte of `tail`.
    tail_start: u64,
    tail: Vec<u8>,
    limit: u64,
}

#[derive(Debug)]
struct Block {
    start: u64,
    bytes: Bytes,
}

impl Block {
    fn next(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A run of stream bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// From a closed block: may be kept without copying.
    Shared(Bytes),
    /// From the open tail: to be copied.
    Fresh(&'a [u8]),
}

impl Chunk<'_> {
    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Chunk::Shared(bytes) => bytes,
            Chunk::Fresh(bytes) => bytes,
        }
    }
}

impl Backlog {
    /// An empty backlog whose first byte will be number `next`.
    pub fn new(next: u64, limit: u64) -> Backlog {
        Backlog { blocks: VecDeque::new(), tail_start: next, tail: Vec::new(), limit }
    }

    /// Number of the oldest byte held; `end() + 1` when nothing is.
    pub fn first(&self) -> u64 {
        self.blocks.front().map_or(self.tail_start, |block| block.start)
    }

    /// Number of the last byte produced.
    pub fn end(&self) -> u64 {
        self.next() - 1
    }

    /// How many bytes are held.
    pub fn history_len(&self) -> u64 {
        self.next() - self.first()
    }

    /// Whether reading may start at `position`. The position after the last byte counts.
    pub fn holds(&self, position: u64) -> bool {
        (self.first()..=self.next()).contains(&position)
    }

    /// What the administrator wants kept.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes the limit; what is held stays until `trim`.
    pub fn resize(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Bytes of memory in use, bookkeeping included.
    pub fn memory(&self) -> u64 {
        let blocks = self.tail_start - self.first();
        blocks + self.tail.capacity() as u64 + (self.blocks.capacity() * size_of::<Block>()) as u64
    }

    /// Appends a copy of `bytes`.
    pub fn append(&mut self, mut bytes: &[u8]) {
        let block_len = self.block_len();
        while !bytes.is_empty() {
            if self.tail.len() >= block_len {
                self.close_tail();
            }
            if self.tail.capacity() == 0 {
                self.tail.reserve_exact(block_len);
            }
            let room = block_len - self.tail.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.tail.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Appends `bytes`, without a copy when they are long. Of a large value that is longer than the limit the last part is copied,
    /// so that a small backlog does not keep a huge buffer alive once everybody has read it. What is shorter than a block is not
    /// worth that: it would be kept twice for as long as somebody wants its beginning.
    pub fn append_shared(&mut self, mut bytes: Bytes) {
        if bytes.len() < OWN_BLOCK {
            return self.append(&bytes);
        }
        self.close_tail();
        let is_huge = bytes.len() > BLOCK_MAX && bytes.len() as u64 > self.limit;
        let kept = if is_huge { self.limit as usize } else { 0 };
        let last = bytes.split_off(bytes.len() - kept);
        let block_len = self.block_len();
        while !bytes.is_empty() {
            let block = bytes.split_to(block_len.min(bytes.len()));
            let start = self.tail_start;
            self.tail_start += block.len() as u64;
            self.blocks.push_back(Block { start, bytes: block });
        }
        self.append(&last);
    }

    /// The longest run that starts at `position`, or `None` at the end. Finding the block costs O(log blocks).
    ///
    /// Panics when the bytes at `position` are gone: whoever reads must have passed its position to `trim`.
    pub fn read(&self, position: u64) -> Option<Chunk<'_>> {
        assert!(self.holds(position), "position {position} outside {}..={}", self.first(), self.next());
        if position >= self.tail_start {
            let tail = &self.tail[(position - self.tail_start) as usize..];
            return (!tail.is_empty()).then_some(Chunk::Fresh(tail));
        }
        let block = &self.blocks[self.blocks.partition_point(|block| block.next() <= position)];
        Some(Chunk::Shared(block.bytes.slice((position - block.start) as usize..)))
    }

    /// Frees blocks beyond the limit, oldest first, but none that holds bytes at or after `needed`. Frees a bounded
    /// number of blocks; says whether there is more to free.
    pub fn trim(&mut self, needed: Option<u64>) -> bool {
        let needed = needed.unwrap_or(u64::MAX);
        for _ in 0..TRIM_BLOCKS {
            match self.blocks.front() {
                Some(front) if self.next() - front.next() >= self.limit && front.next() <= needed => {
                    self.blocks.pop_front();
                }
                _ => return false,
            }
        }
        true
    }

    /// Number the next byte will get.
    fn next(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    fn block_len(&self) -> usize {
        ((self.limit / 16) as usize).clamp(BLOCK_MIN, BLOCK_MAX)
    }

    fn close_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let bytes = match self.tail.len() < self.tail.capacity() / 2 {
            false => Bytes::from(std::mem::take(&mut self.tail)),
            true => {
                // It would keep the room behind it as well.
                let bytes = Bytes::copy_from_slice(&self.tail);
                self.tail.clear();
                bytes
            }
        };
        let start = self.tail_start;
        self.tail_start += bytes.len() as u64;
        self.blocks.push_back(Block { start, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn read_all(backlog: &Backlog, mut position: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = backlog.read(position) {
            all.extend_from_slice(chunk.as_bytes());
            position += chunk.as_bytes().len() as u64;
        }
        all
    }

    #[test]
    fn numbers_are_redis_numbers() {
        let mut backlog = Backlog::new(1, 16 * 1024);
        assert_eq!((backlog.first(), backlog.end(), backlog.history_len()), (1, 0, 0));
        assert!(backlog.holds(1) && !backlog.holds(2) && !backlog.holds(0));
        assert_eq!(backlog.read(1), None);
        backlog.append(b"abc");
        assert_eq!((backlog.first(), backlog.end(), backlog.history_len()), (1, 3, 3));
        assert_eq!(read_all(&backlog, 2), b"bc");
        assert!(backlog.holds(4) && !backlog.holds(5));
    }

    #[test]
    fn a_turns_worth_of_stream_is_not_copied_however_small_the_backlog() {
        let mut backlog = Backlog::new(1, 10 * 1024);
        let part = Bytes::from(vec![7u8; 16 * 1024]);
        backlog.append_shared(part.clone());
        let mut position = 1;
        while let Some(chunk) = backlog.read(position) {
            let Chunk::Shared(slice) = chunk else { panic!("shared") };
            assert_eq!(slice.as_ptr(), part[position as usize - 1..].as_ptr());
            position += slice.len() as u64;
        }
        assert_eq!(position, 16 * 1024 + 1);
        let before = backlog.memory();
        backlog.append_shared(Bytes::from(vec![7u8; 100_000]));
        assert!(!backlog.trim(None) || !backlog.trim(None) || !backlog.trim(None));
        assert!(backlog.memory() < before + 2 * backlog.limit(), "the huge buffer is gone");
    }

    #[test]
    fn a_large_value_is_kept_as_it_is_and_slices_share_it() {
        let mut backlog = Backlog::new(101, 1 << 20);
        backlog.append(b"header");
        let value = Bytes::from(vec![7u8; 100_000]);
        backlog.append_shared(value.clone());
        backlog.append(b"end");
        let Some(Chunk::Shared(slice)) = backlog.read(107 + 5) else { panic!("a shared block") };
        assert_eq!(slice.as_ptr(), value[5..].as_ptr());
        assert_eq!(backlog.end(), 100 + 6 + 100_000 + 3);
        assert_eq!(read_all(&backlog, 101).len(), 100_009);
    }

    #[test]
    fn a_short_tail_between_long_parts_takes_no_more_than_its_length() {
        let (before, mut backlog) = (crate::base::alloc::used_by_this_thread(), Backlog::new(1, 1 << 20));
        for _ in 0..100 {
            backlog.append_shared(Bytes::from_static(b"short"));
            backlog.append_shared(Bytes::from_static(&[b'x'; OWN_BLOCK]));
        }
        let used = crate::base::alloc::used_by_this_thread() - before;
        assert!(used < 100_000, "{used}");
        assert_eq!(read_all(&backlog, 1).len(), 100 * (5 + OWN_BLOCK));
    }

    #[test]
    fn a_value_larger_than_the_backlog_leaves_it_as_small_as_it_should_be() {
        let mut backlog = Backlog::new(1, 16 * 1024);
        let value = Bytes::from(vec![7u8; 256 * 1024]);
        backlog.append_shared(value.clone());
        while backlog.trim(None) {}
        assert!(backlog.history_len() < 18 * 1024 && !backlog.holds(1));
        assert!(value.is_unique(), "nothing refers to the large buffer any more");
    }

    #[test]
    fn trimming_respects_the_limit_and_whoever_still_reads() {
        let mut backlog = Backlog::new(1, 16 * 1024);
        backlog.append(&vec![b'x'; 100 * 1024]);
        let slow = 50 * 1024;
        assert!(!backlog.trim(Some(slow)));
        assert!(backlog.holds(slow) && !backlog.holds(slow - BLOCK_MIN as u64));
        assert!(!backlog.trim(None));
        assert!((16 * 1024..=16 * 1024 + BLOCK_MIN as u64).contains(&backlog.history_len()));
    }

    #[test]
    fn resizing_keeps_the_content_until_the_next_trim_and_frees_in_steps() {
        let mut backlog = Backlog::new(1, 8 << 20);
        backlog.append(&vec![b'x'; 8 << 20]);
        backlog.trim(None);
        backlog.resize(16 * 1024);
        assert_eq!(backlog.history_len(), 8 << 20);
        let mut steps = 1;
        while backlog.trim(None) {
            steps += 1;
        }
        assert!(steps > 1);
        assert!(backlog.history_len() < 100 * 1024 && backlog.memory() < 200 * 1024);
    }

    #[test]
    fn what_is_read_equals_what_was_written_wherever_one_starts() {
        for seed in 0..50 {
            let mut rng = Rng::seeded(seed);
            let mut backlog = Backlog::new(1, 16 * 1024);
            let mut model = Vec::new();
            for _ in 0..200 {
                let len = if rng.percent(5) { rng.below(60_000) } else { rng.below(300) } as usize;
                let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
                model.extend_from_slice(&bytes);
                if rng.percent(50) {
                    backlog.append(&bytes)
                } else {
                    backlog.append_shared(bytes.into())
                }
                if rng.percent(20) {
                    backlog.trim(None);
                }
                let from = rng.between(backlog.first(), backlog.end() + 1);
                assert_eq!(read_all(&backlog, from), model[from as usize - 1..], "SEED={seed}");
            }
            assert_eq!(backlog.end(), model.len() as u64);
        }
    }
}
