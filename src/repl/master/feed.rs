//! Moving the stream to those who follow it, and how far behind they may be.
//!
//! Nothing is pushed into a replica's connection beyond what it can take for the moment; what it has not taken yet is
//! merely a distance between its cursor and the end of the stream. That distance, plus what its connection has queued,
//! is what `client-output-buffer-limit replica` limits. As in Redis a limit below `repl-backlog-size` counts as that
//! size: a partial resync may legitimately need as much.

use crate::base::id::ClientId;
use crate::repl::Turn;
use crate::repl::backlog::Chunk;
use crate::repl::history::History;
use crate::repl::io::Output;
use crate::repl::master::{Master, Replica, State, close};

/// What a connection says to bytes it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// They are queued.
    Taken,
    /// No room now; they were not queued. Offer again later.
    Full,
}

impl Master {
    /// Offers each online replica what it has not got yet, run by run.
    pub fn feed(&mut self, history: &History, mut offer: impl FnMut(ClientId, Chunk<'_>) -> Room) {
        for replica in self.replicas.iter_mut().filter(|replica| replica.takes_stream()) {
            while let Some(chunk) = history.read(replica.cursor) {
                let len = chunk.as_bytes().len() as u64;
                if offer(replica.client, chunk) == Room::Full {
                    break;
                }
                replica.cursor += len;
            }
        }
    }

    /// Whether some online replica has not been offered everything.
    pub fn is_behind(&self, history: &History) -> bool {
        self.replicas.iter().any(|replica| replica.takes_stream() && replica.cursor <= history.end())
    }

    /// The oldest position that a replica still needs.
    pub fn needed(&self) -> Option<u64> {
        self.replicas.iter().filter(|replica| replica.needs_stream()).map(|replica| replica.cursor).min()
    }

    /// Closes replicas that lag too far behind. To be called after the stream grew and before it is offered; `queued`
    /// tells what a connection holds that is not written yet.
    pub fn check_limits(&mut self, turn: &mut Turn<'_>, queued: impl Fn(ClientId) -> u64) {
        let settings = turn.settings;
        let at_least_backlog = |limit: u64| if limit > 0 { limit.max(settings.backlog_size) } else { u64::MAX };
        let (hard, soft) = (at_least_backlog(settings.output_hard), at_least_backlog(settings.output_soft));
        for replica in self.replicas.iter_mut().filter(|replica| replica.needs_stream()) {
            let mut pending = turn.history.next() - replica.cursor;
            // Before that, what is queued is its snapshot, and how much of that is queued is up to us.
            if replica.takes_stream() {
                pending += queued(replica.client);
            }
            if pending < soft {
                replica.over_soft_since = None;
            }
            let too_long = pending >= soft && {
                let since = *replica.over_soft_since.get_or_insert(turn.now);
                turn.now.since(since) > settings.output_soft_ms
            };
            if pending >= hard || too_long {
                turn.out.push(Output::OverLimit(replica.client));
                close(replica, turn.out, false);
            }
        }
    }

    /// Stream bytes that replicas have not been offered yet, for the slowest of them.
    pub fn longest_distance(&self, history: &History) -> u64 {
        self.needed().map_or(0, |needed| history.next() - needed)
    }
}

impl Replica {
    fn takes_stream(&self) -> bool {
        self.state == State::Online { mute: false } && !self.closing
    }

    /// Whether stream bytes from its cursor on must be kept for it.
    fn needs_stream(&self) -> bool {
        match self.state {
            State::Waiting { .. } => false,
            State::InSnapshot | State::Sending => !self.intro.rdb_only && !self.closing,
            State::Online { .. } => !self.closing,
        }
    }
}
