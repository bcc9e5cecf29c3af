//! Buffers that wander between connections.
//!
//! Ten thousand idle connections with 16 KiB each would hold 160 MB for nothing. A connection gets a buffer when bytes
//! arrive or a reply is written, and gives it back when it is empty again, mostly within the same turn. Those that come
//! back last are lent first: they are in the cache. Those that nobody needed for a second are freed.

use crate::base::limits::READ_CHUNK;

/// What a connection starts to write into. Most replies are short; longer ones grow it.
const WRITE_CHUNK: usize = 4 * 1024;

/// Most buffers of a kind kept for later: a full turn's worth.
const KEPT_MAX: usize = 256;

/// So many are kept however long nobody needed them.
const KEPT_MIN: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    reading: Pool,
    writing: Pool,
}

#[derive(Debug, Default)]
struct Pool {
    spare: Vec<Vec<u8>>,
    /// The fewest that were spare since the last trimming: so many nobody has needed.
    fewest: usize,
}

impl Pool {
    fn take(&mut self, size: usize) -> Vec<u8> {
        let buffer = self.spare.pop();
        self.fewest = self.fewest.min(self.spare.len());
        buffer.unwrap_or_else(|| Vec::with_capacity(size))
    }

    fn give(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < KEPT_MAX {
            self.spare.push(buffer);
        }
    }

    fn trim(&mut self) {
        // Those that lie longest are at the front.
        self.spare.drain(..self.fewest.saturating_sub(KEPT_MIN));
        self.fewest = self.spare.len();
    }
}

impl Buffers {
    pub(super) fn for_reading(&mut self) -> Vec<u8> {
        self.reading.take(READ_CHUNK)
    }

    pub(super) fn for_writing(&mut self) -> Vec<u8> {
        self.writing.take(WRITE_CHUNK)
    }

    pub(super) fn give_back_reading(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() == READ_CHUNK {
            self.reading.give(buffer);
        }
    }

    pub(super) fn give_back_writing(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= READ_CHUNK {
            self.writing.give(buffer);
        }
    }

    /// Frees what nobody has needed since this was last called.
    pub(super) fn trim(&mut self) {
        self.reading.trim();
        self.writing.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_round_again_unless_it_grew() {
        let mut buffers = Buffers::default();
        let buffer = buffers.for_reading();
        let address = buffer.as_ptr();
        buffers.give_back_reading(buffer);
        let again = buffers.for_reading();
        assert_eq!(again.as_ptr(), address);
        buffers.give_back_writing(Vec::with_capacity(10 * READ_CHUNK));
        assert!(buffers.writing.spare.is_empty());
    }

    #[test]
    fn what_a_crowd_needed_once_is_freed_when_it_has_not_come_back() {
        let mut buffers = Buffers::default();
        let crowd = |buffers: &mut Buffers, many: usize| {
            let lent: Vec<_> = (0..many).map(|_| buffers.for_reading()).collect();
            lent.into_iter().for_each(|buffer| buffers.give_back_reading(buffer));
        };
        crowd(&mut buffers, 100);
        buffers.trim();
        crowd(&mut buffers, 30);
        assert_eq!(buffers.reading.spare.len(), 100, "they were needed a moment ago");
        buffers.trim();
        assert_eq!(buffers.reading.spare.len(), 30 + KEPT_MIN);
        buffers.trim();
        buffers.trim();
        assert_eq!(buffers.reading.spare.len(), KEPT_MIN);
        crowd(&mut buffers, 1000);
        assert_eq!(buffers.reading.spare.len(), KEPT_MAX);
    }
}
