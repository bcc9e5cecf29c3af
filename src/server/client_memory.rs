//! Memory of clients, and closing the largest when all of them together use more than `maxmemory-clients` allows.
//!
//! What a client uses is known exactly when it is looked at. To look at all of them in each turn would cost more than what they
//! do. So a sum is kept of what each used when it was last looked at, and those are looked at that may have grown: who has sent
//! something, and who is sent something. One that has shrunk unnoticed makes the sum too large; before anybody is closed for
//! that, all are looked at.
//!
//! Closed are the largest first, until the rest fits. Replicas and our master are not among them and do not count, for they
//! have limits of their own; a client with CLIENT NO-EVICT counts and stays. Looked at is twice in a turn: when its bytes have
//! been received, before anything is executed; and at its end, before keys are evicted for want of memory.

use hashbrown::{HashMap, HashSet};

use crate::base::limits::READ_CHUNK;
use crate::config::model::Config;
use crate::config::values::ClientMemory as Limit;
use crate::net::{Conn, ConnId};
use crate::server::Turn;
use crate::server::clients::Client;
use crate::session::Kind;

/// A limit below this would leave no room to talk to the server at all.
const LIMIT_MIN: u64 = 128 * 1024;

/// What the clients use, as far as known.
#[derive(Default)]
pub struct ClientMemory {
    /// Bytes that all may use together; `None` is without limit, and then nothing is kept.
    limit: Option<u64>,
    /// Who may have grown since it was last looked at.
    grown: HashSet<ConnId>,
    known: HashMap<ConnId, u64>,
    total: u64,
    /// All have to be looked at.
    is_outdated: bool,
    /// Those that may not be closed take more than is allowed, and the log says so.
    is_hopeless: bool,
}

impl ClientMemory {
    /// The settings may have changed.
    pub fn configure(&mut self, config: &Config) {
        let limit = limit_of(config);
        if limit != self.limit {
            *self = ClientMemory { limit, is_outdated: true, ..ClientMemory::default() };
        }
    }

    /// The client on this connection may use more than before.
    #[inline]
    pub fn note_grown(&mut self, conn: ConnId) {
        if self.limit.is_some() {
            self.grown.insert(conn);
        }
    }

    /// It is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.grown.remove(&conn);
        self.set(conn, None);
    }

    fn set(&mut self, conn: ConnId, bytes: Option<u64>) {
        let old = match bytes {
            Some(bytes) => self.known.insert(conn, bytes),
            None => self.known.remove(&conn),
        };
        self.total = self.total - old.unwrap_or_default() + bytes.unwrap_or_default();
    }
}

fn limit_of(config: &Config) -> Option<u64> {
    let bytes = match config.clients.maxmemory_clients {
        Limit::Off => return None,
        Limit::Bytes(bytes) => bytes,
        Limit::Percent(_) if config.memory.maxmemory == 0 => return None,
        Limit::Percent(share) => (u128::from(config.memory.maxmemory) * u128::from(share) / 100) as u64,
    };
    Some(bytes.max(LIMIT_MIN))
}

/// Bytes in a client's buffers. While its bytes are being executed (`is_busy`) the buffer that they were received into is only
/// lent, and does not count; what grew beyond it does.
pub fn buffers(client: &Client, socket: &Conn, is_busy: bool) -> u64 {
    let input = match socket.input() {
        input if input.is_empty() => 0,
        input if is_busy => input.memory().saturating_sub(READ_CHUNK),
        input => input.memory(),
    };
    (input + socket.out().memory() + client.parser.memory()) as u64
}

impl Turn<'_> {
    /// What a client uses, if it is of a kind that counts.
    fn memory_of_client(&self, conn: ConnId, is_busy: bool) -> Option<u64> {
        let client = self.server.clients.get(conn)?;
        // That of a running script is not to be had; it counts for what it did before.
        let Some(session) = &client.session else { return self.server.client_memory.known.get(&conn).copied() };
        let counts = matches!(session.kind, Kind::Client | Kind::Monitor);
        counts.then(|| Some(buffers(client, self.net.conn(conn)?, is_busy) + session.memory() as u64)).flatten()
    }

    fn look_at_client(&mut self, conn: ConnId, is_busy: bool) {
        let bytes = self.memory_of_client(conn, is_busy);
        self.server.client_memory.set(conn, bytes);
    }

    /// Closes clients until the rest is within the limit. `is_busy`: what they sent was received and is not executed yet.
    pub fn evict_clients(&mut self, is_busy: bool) {
        let memory = &mut self.server.client_memory;
        let Some(limit) = memory.limit else { return };
        let grown = std::mem::take(&mut memory.grown);
        for &conn in &grown {
            self.look_at_client(conn, is_busy);
        }
        if is_busy {
            // What they do now may let them grow, and at rest they count for more.
            self.server.client_memory.grown = grown;
        }
        if self.server.client_memory.total > limit || std::mem::take(&mut self.server.client_memory.is_outdated) {
            for conn in self.server.clients.conns() {
                self.look_at_client(conn, is_busy);
            }
        }
        if self.server.client_memory.total <= limit {
            self.server.client_memory.is_hopeless = false;
            return;
        }
        let may_go = |client: &&Client| client.session.as_ref().is_some_and(|session| !session.marks.is_no_evict);
        let known = &self.server.client_memory.known;
        let candidates = self.server.clients.iter().filter(may_go);
        let mut candidates: Vec<(u64, ConnId)> =
            candidates.filter_map(|client| Some((*known.get(&client.conn)?, client.conn))).collect();
        candidates.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (_, conn) in candidates {
            if let Some(session) = self.server.clients.get(conn).and_then(|client| client.session.as_deref()) {
                tracing::info!("Evicting client: {}", self.describe(session));
            }
            self.server.engine.counters.evicted_clients += 1;
            self.close(conn);
            if self.server.client_memory.total <= limit {
                return;
            }
        }
        if !std::mem::replace(&mut self.server.client_memory.is_hopeless, true) {
            tracing::warn!("Over client maxmemory after evicting all evictable clients");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_no_limit_is_no_limit_and_none_is_too_small_to_talk() {
        let mut config = Config::default();
        assert_eq!(limit_of(&config), None);
        config.clients.maxmemory_clients = Limit::Percent(5);
        assert_eq!(limit_of(&config), None);
        config.memory.maxmemory = u64::MAX;
        assert_eq!(limit_of(&config), Some(u64::MAX / 20));
        config.memory.maxmemory = 100 << 20;
        assert_eq!(limit_of(&config), Some(5 << 20));
        config.clients.maxmemory_clients = Limit::Bytes(1);
        assert_eq!(limit_of(&config), Some(LIMIT_MIN));
    }
}
