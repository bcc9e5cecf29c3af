//! The clients of a Sentinel: applications, other Sentinels, operators.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::base::id::ClientId;
use crate::net::ConnId;
use crate::resp::parser::Parser;
use crate::sentinel::core::io::ReplySlot;
use crate::session::Session;

/// One client.
pub struct Client {
    /// Its session; absent while a command of it runs.
    pub session: Option<Box<Session>>,
    /// Where it is within a request.
    pub parser: Parser,
    /// The answer it waits for; its later requests stay unread until then.
    pub waiting: Option<ReplySlot>,
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    by_conn: HashMap<ConnId, Client>,
    by_id: BTreeMap<ClientId, ConnId>,
    by_slot: HashMap<ReplySlot, ConnId>,
    last_id: u64,
    last_slot: u64,
}

impl Clients {
    /// The number for a new client.
    pub fn next_id(&mut self) -> ClientId {
        self.last_id += 1;
        ClientId(self.last_id)
    }

    /// Adds a client that has just connected.
    pub fn add(&mut self, conn: ConnId, session: Session) {
        self.by_id.insert(session.id, conn);
        self.by_conn.insert(conn, Client { session: Some(Box::new(session)), parser: Parser::new(), waiting: None });
    }

    /// Removes a client whose connection is gone.
    pub fn remove(&mut self, conn: ConnId) -> Option<Client> {
        let client = self.by_conn.remove(&conn)?;
        if let Some(session) = &client.session {
            self.by_id.remove(&session.id);
        }
        if let Some(slot) = client.waiting {
            self.by_slot.remove(&slot);
        }
        Some(client)
    }

    /// Lets the client wait for an answer.
    pub fn wait(&mut self, conn: ConnId) -> ReplySlot {
        self.last_slot += 1;
        let slot = ReplySlot(self.last_slot);
        if let Some(client) = self.by_conn.get_mut(&conn) {
            client.waiting = Some(slot);
            self.by_slot.insert(slot, conn);
        }
        slot
    }

    /// The connection that waits for this answer, which it now has. `None` when the client has left.
    pub fn answered(&mut self, slot: ReplySlot) -> Option<ConnId> {
        let conn = self.by_slot.remove(&slot)?;
        self.by_conn.get_mut(&conn)?.waiting = None;
        Some(conn)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.by_slot.len()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.by_conn.len()
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

    /// Every session in the order they connected, without that of a running command.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.by_id.values().filter_map(|conn| self.by_conn.get(conn)?.session.as_deref())
    }

    /// Every connection, in the order they were made.
    pub fn conns(&self) -> Vec<ConnId> {
        self.by_id.values().copied().collect()
    }
}
