//! Memory as `maxmemory` counts it.
//!
//! Two things are in use and not counted, for they grow with every key that is removed to make room: removing keys until they
//! fit would remove them all. They are what the append only file has not been given yet, and what the backlog holds beyond its
//! size because a replica has not read it. Both are gone soon, one way or the other.

use crate::base::alloc;
use crate::exec::memory;
use crate::server::{Server, Turn};

/// Bookkeeping of a backlog of full size, at most so many of its bytes to one of ours.
const BACKLOG_OVERHEAD: u64 = 64;

impl Server {
    /// Bytes in use that `maxmemory` does not count.
    pub fn memory_not_counted(&self) -> u64 {
        let size = self.engine.config.replication.repl_backlog_size;
        let beyond = self.replication_memory().saturating_sub(size + size / BACKLOG_OVERHEAD);
        beyond + self.undrained_bytes() + self.aof.sizes().map_or(0, |sizes| sizes.buffer)
    }

    /// Bytes in use that it counts. What is being freed in the background is as good as free. The rest is not looked at as long
    /// as all of it together is within the limit.
    pub fn memory_counted(&self) -> u64 {
        let used = alloc::used_memory() as u64;
        if used <= self.engine.config.memory.maxmemory {
            return used;
        }
        used.saturating_sub(self.memory_not_counted()).saturating_sub(self.engine.keyspace.lazyfree_pending_bytes())
    }
}

impl Turn<'_> {
    /// Goes on making room where a command left off. Without commands to do it before, a replica that minds the limit looks
    /// once in each turn. True when there is still more to do.
    pub fn end_turn_of_eviction(&mut self) -> bool {
        let engine = &self.server.engine;
        let is_due = engine.shortage.is_unfinished || engine.facts.is_replica;
        if engine.config.memory.maxmemory == 0 || !is_due || engine.facts.busy.is_some() {
            return false;
        }
        memory::look(self, None);
        self.server.engine.shortage.is_unfinished
    }
}
