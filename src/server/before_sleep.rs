//! The order in which a turn of the loop ends.
//!
//! ```text
//!  1. clients whose waiting is over are answered     (their replies leave with this turn)
//!  2. recurring work that is due, a slice of closing gaps and one of making room; then clients with caches hear of changed keys under their prefixes
//!  3. the journal goes to the backlog and the replicas
//!  4. a slice of a running snapshot, or of loading
//!  5. the append only file is written, and its sync asked for
//!  6. the loop sends everybody's output, except what waits for a sync: with `appendfsync always` replies and the stream
//! ```
//!
//! No reply leaves before the write it acknowledges is on its way to the replicas and as safe as `appendfsync` says: 3 and 5
//! come before 6.

use std::rc::Rc;

use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::exec::blocked::{self, End, UNBLOCKED_BY_CLIENT};
use crate::exec::tracking;
use crate::server::Turn;
use crate::server::clients::BlockReason;
use crate::session::context::Unblock;

impl Turn<'_> {
    /// Ends the turn; the moment at which the next must begin.
    pub fn end_turn(&mut self) -> Option<Instant> {
        let now = self.server.engine.now.mono;
        self.server.loop_times.begin(self.net.clock().micros());
        if self.server.pauses.expire(now) {
            self.server.refresh_facts();
        }
        if self.server.pauses.current() != self.server.last_pause {
            self.server.last_pause = self.server.pauses.current();
            self.server.refresh_facts();
            self.resume_held();
            self.release_stream();
            self.server.engine.blocked.release_held();
        }
        let mut next = now;
        let mut is_room_wanted = false;
        if !self.server.is_leaving {
            self.wake_blocked();
            next = self.cron();
            next = self.end_turn_of_defrag().map_or(next, |slice| slice.min(next));
            self.evict_clients(false);
            is_room_wanted = self.end_turn_of_eviction();
            tracking::broadcast(self);
            self.poll_shutdown();
        }
        next = next.min(self.end_turn_of_replication());
        next = next.min(self.end_turn_of_snapshots());
        next = next.min(self.end_turn_of_loading());
        next = next.min(self.end_turn_of_aof_loading());
        next = next.min(self.end_turn_of_aof());
        if self.server.expire.is_behind || is_room_wanted {
            next = now;
        }
        let server = &*self.server;
        let deadlines =
            [server.clients.next_deadline(), server.engine.blocked.next_deadline(), server.pauses.next_deadline()];
        for deadline in deadlines {
            next = deadline.map_or(next, |deadline| next.min(deadline));
        }
        if self.server.is_leaving {
            self.net.stop();
        }
        let commands = self.server.engine.counters.total_commands_processed;
        self.server.loop_times.end(self.net.clock().micros(), commands);
        Some(next)
    }

    /// Serves and ends the waiting of clients, after what no command of theirs did: time, pauses, active expiry. What ended by
    /// itself (enough replicas confirmed) is the business of whoever noticed.
    fn wake_blocked(&mut self) {
        let now = self.server.engine.now.mono;
        let table = Rc::clone(&self.server.table);
        blocked::time_out(self, &table);
        for (id, blocked) in self.server.clients.waiting() {
            if blocked.deadline.is_some_and(|deadline| now >= deadline) {
                self.answer_timeout(id, blocked.reason);
            }
        }
        if self.server.engine.blocked.has_ready() {
            blocked::serve(self, &table);
        }
    }

    /// Ends the waiting of clients that CLIENT UNBLOCK named.
    pub fn wake_named(&mut self) {
        let table = Rc::clone(&self.server.table);
        for (id, how) in std::mem::take(&mut self.server.unblocked) {
            let reason =
                self.server.clients.by_id_mut(id).and_then(|client| client.blocked).map(|blocked| blocked.reason);
            match (reason, how) {
                (None, _) => {}
                (Some(BlockReason::Keys), Unblock::Timeout) => blocked::end(self, &table, id, End::TimedOut),
                (Some(BlockReason::Keys), Unblock::Error) => {
                    blocked::end(self, &table, id, End::Failed(UNBLOCKED_BY_CLIENT));
                }
                (Some(reason), Unblock::Timeout) => self.answer_timeout(id, reason),
                (Some(_), Unblock::Error) => self.answer_blocked(id, |reply| reply.error(UNBLOCKED_BY_CLIENT)),
            }
        }
    }

    fn answer_timeout(&mut self, id: ClientId, reason: BlockReason) {
        match reason {
            BlockReason::Wait { offset, .. } => {
                let count = self.server.replicas_at(offset);
                self.answer_blocked(id, |reply| reply.int(count as i64));
            }
            BlockReason::WaitAof { offset, .. } => {
                let (local, count) = (self.server.is_synced_to(offset), self.server.replicas_synced_to(offset));
                self.answer_blocked(id, |reply| {
                    reply.array(2);
                    reply.int(i64::from(local));
                    reply.int(count as i64);
                });
            }
            BlockReason::Keys | BlockReason::Shutdown => {}
        }
    }
}
