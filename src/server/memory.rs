//! Memory as `maxmemory` counts it.
//!
//! Two things are in use and not counted, for they grow with every key that is removed to make room: removing keys until they
//! fit would remove them all. They are what the append only file has not been given yet, and what replicas have not read yet:
//! what the backlog holds beyond its size, and what waits in their connections. Both are gone soon, one way or the other. Nor does the
//! buffer count into which the stream for both is written.

use crate::base::alloc;
use crate::exec::memory;
use crate::repl::master::Replica;
use crate::server::Turn;

/// Bookkeeping of a backlog of full size, at most so many of its bytes to one of ours.
const BACKLOG_OVERHEAD: u64 = 64;

impl Turn<'_> {
    /// Bytes in use that `maxmemory` does not count.
    pub fn memory_not_counted(&self) -> u64 {
        let server = &*self.server;
        let size = server.engine.config.replication.repl_backlog_size;
        let beyond = server.replication_memory().saturating_sub(size + size / BACKLOG_OVERHEAD);
        let queued = |replica: &Replica| {
            let conn = server.clients.conn_of(replica.client())?;
            let out = self.net.conn(conn)?.out();
            Some(out.memory().max(out.len()) as u64)
        };
        let queued: u64 = server.repl.node.master().replicas().iter().filter_map(queued).sum();
        let stream = server.undrained_bytes() + server.engine.journal.spare() as u64;
        queued + beyond + stream + server.aof.sizes().map_or(0, |sizes| sizes.buffer)
    }

    /// Bytes in use that it counts. What is being freed in the background is as good as free. The rest is not looked at as long
    /// as all of it together is within the limit.
    pub fn memory_counted(&self) -> u64 {
        let used = alloc::used_memory() as u64;
        if used <= self.server.engine.config.memory.maxmemory {
            return used;
        }
        let as_good_as_free = self.server.engine.keyspace.lazyfree_pending_bytes();
        used.saturating_sub(self.memory_not_counted()).saturating_sub(as_good_as_free)
    }

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
