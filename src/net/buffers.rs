//! Buffers that wander between connections.
//!
//! Ten thousand idle connections with 16 KiB each would hold 160 MB for nothing. A connection gets a buffer when bytes
//! arrive or a reply is written, and gives it back when it is empty again, mostly within the same turn. Those that come
//! back last are lent first: they are in the cache.

use crate::base::limits::READ_CHUNK;

/// What a connection starts to write into. Most replies are short; longer ones grow it.
const WRITE_CHUNK: usize = 4 * 1024;

/// Most buffers of a kind kept for later: a full turn's worth.
const KEPT_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    reading: Vec<Vec<u8>>,
    writing: Vec<Vec<u8>>,
}

impl Buffers {
    pub(super) fn for_reading(&mut self) -> Vec<u8> {
        self.reading.pop().unwrap_or_else(|| Vec::with_capacity(READ_CHUNK))
    }

    pub(super) fn for_writing(&mut self) -> Vec<u8> {
        self.writing.pop().unwrap_or_else(|| Vec::with_capacity(WRITE_CHUNK))
    }

    pub(super) fn give_back_reading(&mut self, buffer: Vec<u8>) {
        if self.reading.len() < KEPT_MAX && buffer.capacity() == READ_CHUNK {
            self.reading.push(buffer);
        }
    }

    pub(super) fn give_back_writing(&mut self, buffer: Vec<u8>) {
        if self.writing.len() < KEPT_MAX && buffer.capacity() <= READ_CHUNK {
            self.writing.push(buffer);
        }
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
        assert!(buffers.writing.is_empty());
    }
}
