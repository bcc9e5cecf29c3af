//! Everyone who is connected: sessions, and what the server keeps beside each.
//!
//! A client's [`Session`] is taken out while one of its commands runs, so that the command can reach all other clients;
//! whoever walks the registry in the meantime simply does not meet the caller.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::net::ConnId;
use crate::resp::ahead::Ahead;
use crate::resp::parser::Parser;
use crate::session::Session;

/// One client.
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// Its connection.
    pub conn: ConnId,
    /// Its session; absent while a command of it runs.
    pub session: Option<Box<Session>>,
    /// Where it is within a request.
    pub parser: Parser,
    /// Requests that were parsed ahead, until they are taken into a batch.
    pub ahead: Option<Ahead>,
    /// In which blocking command it waits.
    pub blocked: Option<Blocked>,
    /// A command of it is held back by a pause; it stays unread in the connection's buffer.
    pub is_held: bool,
}

/// A client that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// For what.
    pub reason: BlockReason,
    /// Until when; `None` is for ever.
    pub deadline: Option<Instant>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockReason {
    /// Keys; which, and until when, is the business of [`crate::exec::blocked`].
    Keys,
    /// WAIT: this many replicas to have confirmed this offset.
    Wait {
        /// Replicas.
        replicas: u64,
        /// Stream position.
        offset: u64,
    },
    /// WAITAOF: this offset to be on disk here and at so many replicas.
    WaitAof {
        /// 1 when the own AOF counts.
        local: u64,
        /// Replicas.
        replicas: u64,
        /// Stream position.
        offset: u64,
    },
    /// SHUTDOWN waits for replicas to catch up.
    Shutdown,
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    by_conn: HashMap<ConnId, Client>,
    by_id: BTreeMap<ClientId, ConnId>,
    last_id: u64,
    /// How many wait in a blocking command.
    pub blocked: usize,
    /// Those that wait for something else than keys.
    waiting: BTreeMap<ClientId, Blocked>,
}

impl Clients {
    /// The number for a new client.
    pub fn next_id(&mut self) -> ClientId {
        self.last_id += 1;
        ClientId(self.last_id)
    }

    /// Adds a client that has just connected.
    pub fn add(&mut self, conn: ConnId, session: Session) {
        let id = session.id;
        self.by_id.insert(id, conn);
        let session = Some(Box::new(session));
        let client = Client { id, conn, session, parser: Parser::new(), ahead: None, blocked: None, is_held: false };
        self.by_conn.insert(conn, client);
    }

    /// Removes a client whose connection is closed.
    pub fn remove(&mut self, conn: ConnId) -> Option<Client> {
        let client = self.by_conn.remove(&conn)?;
        self.by_id.remove(&client.id);
        self.waiting.remove(&client.id);
        if client.blocked.is_some() {
            self.blocked -= 1;
        }
        Some(client)
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.by_conn.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.by_conn.is_empty()
    }

    /// The client on this connection.
    pub fn get(&self, conn: ConnId) -> Option<&Client> {
        self.by_conn.get(&conn)
    }

    /// The client on this connection.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Client> {
        self.by_conn.get_mut(&conn)
    }

    /// The connection of the client with this number.
    pub fn conn_of(&self, id: ClientId) -> Option<ConnId> {
        self.by_id.get(&id).copied()
    }

    /// The client with this number.
    pub fn by_id_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        let conn = self.conn_of(id)?;
        self.by_conn.get_mut(&conn)
    }

    /// The session of the client with this number, unless a command of it is running.
    pub fn session_mut(&mut self, id: ClientId) -> Option<&mut Session> {
        self.by_id_mut(id)?.session.as_deref_mut()
    }

    /// Every client, in the order they connected.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.by_id.values().filter_map(|conn| self.by_conn.get(conn))
    }

    /// Every client's connection, in the order they connected.
    pub fn conns(&self) -> Vec<ConnId> {
        self.by_id.values().copied().collect()
    }

    /// Every session, in the order they connected, without that of a running command.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.iter().filter_map(|client| client.session.as_deref())
    }

    /// Puts a client to sleep in a blocking command.
    pub fn block(&mut self, id: ClientId, blocked: Blocked) {
        let Some(client) = self.by_id_mut(id) else { return };
        let was_blocked = client.blocked.replace(blocked).is_some();
        self.blocked += usize::from(!was_blocked);
        if blocked.reason != BlockReason::Keys {
            self.waiting.insert(id, blocked);
        }
    }

    /// Wakes a client; what it waited for.
    pub fn unblock(&mut self, id: ClientId) -> Option<Blocked> {
        let client = self.by_id_mut(id)?;
        let blocked = client.blocked.take()?;
        if let Some(session) = client.session.as_deref_mut() {
            session.marks.is_blocked = false;
        }
        self.blocked -= 1;
        self.waiting.remove(&id);
        Some(blocked)
    }

    /// The clients that wait for something else than keys, with what they wait for.
    pub fn waiting(&self) -> Vec<(ClientId, Blocked)> {
        self.waiting.iter().map(|(id, blocked)| (*id, *blocked)).collect()
    }

    /// The first moment at which the waiting of one of these ends by itself.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|blocked| blocked.deadline).min()
    }
}
