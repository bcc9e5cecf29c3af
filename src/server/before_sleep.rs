//! The order in which a turn of the loop ends.
//!
//! ```text
//!  1. clients whose waiting is over are answered     (their replies leave with this turn)
//!  2. recurring work that is due
//!  3. the journal goes to the backlog and the replicas
//!  4. a slice of a running snapshot, or of loading
//!  5. the loop sends everybody's output
//! ```
//!
//! No reply leaves before the write it acknowledges is on its way to the replicas: 3 comes before 5.

use crate::base::time::Instant;
use crate::server::Turn;
use crate::server::clients::BlockReason;
use crate::session::context::Unblock;

impl Turn<'_> {
    /// Ends the turn; the moment at which the next must begin.
    pub fn end_turn(&mut self) -> Option<Instant> {
        let now = self.server.engine.now.mono;
        if self.server.pauses.expire(now) {
            self.server.refresh_facts();
        }
        if self.server.pauses.current() != self.server.last_pause {
            self.server.last_pause = self.server.pauses.current();
            self.server.refresh_facts();
            self.resume_held();
        }
        self.wake_blocked();
        let mut next = self.cron();
        self.poll_shutdown();
        next = next.min(self.end_turn_of_replication());
        next = next.min(self.end_turn_of_snapshots());
        next = next.min(self.end_turn_of_loading());
        if self.server.expire.is_behind {
            next = now;
        }
        for deadline in [self.server.clients.next_deadline(), self.server.pauses.next_deadline()] {
            next = deadline.map_or(next, |deadline| next.min(deadline));
        }
        if self.server.is_leaving {
            self.net.stop();
        }
        Some(next)
    }

    /// Ends the waiting of clients that CLIENT UNBLOCK named or whose time is over. What ended by itself (enough replicas
    /// confirmed) is the business of whoever noticed.
    fn wake_blocked(&mut self) {
        let now = self.server.engine.now.mono;
        for (id, how) in std::mem::take(&mut self.server.unblocked) {
            let Some(conn) = self.server.clients.conn_of(id) else { continue };
            let Some(blocked) = self.server.clients.unblock(id) else { continue };
            match how {
                Unblock::Timeout => self.answer_timeout(conn, blocked.reason),
                Unblock::Error => {
                    self.answer(conn, |reply| reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
                }
            }
            self.resume(conn);
        }
        for (id, blocked) in self.server.clients.blocked() {
            if blocked.deadline.is_some_and(|deadline| now >= deadline) {
                let Some(conn) = self.server.clients.conn_of(id) else { continue };
                self.server.clients.unblock(id);
                self.answer_timeout(conn, blocked.reason);
                self.resume(conn);
            }
        }
    }

    fn answer_timeout(&mut self, conn: crate::net::ConnId, reason: BlockReason) {
        match reason {
            BlockReason::Wait { offset, .. } => {
                let count = self.server.replicas_at(offset);
                self.answer(conn, |reply| reply.int(count as i64));
            }
            BlockReason::Shutdown => {}
        }
    }
}
