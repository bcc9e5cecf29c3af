//! The connections that the core asks for: to masters, replicas and other Sentinels.

use hashbrown::HashMap;

use crate::net::ConnId;
use crate::resp::decode::ReplyLimits;
use crate::resp::link::Link;
use crate::sentinel::core::io::{self, LinkKind, Tag};

/// One connection.
pub struct Outgoing {
    /// The core's number for it.
    pub id: io::ConnId,
    /// What it is for.
    pub kind: LinkKind,
    /// Commands and their answers.
    pub link: Link<Tag>,
}

/// All of them.
#[derive(Default)]
pub struct Links {
    by_conn: HashMap<ConnId, Outgoing>,
    by_id: HashMap<io::ConnId, ConnId>,
}

impl Links {
    /// A connection is being made.
    pub fn add(&mut self, id: io::ConnId, kind: LinkKind, conn: ConnId) {
        self.by_id.insert(id, conn);
        self.by_conn.insert(conn, Outgoing { id, kind, link: Link::new(ReplyLimits::PEER) });
    }

    /// The link on this connection.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Outgoing> {
        self.by_conn.get_mut(&conn)
    }

    /// The core's number of the link on this connection.
    pub fn id_of(&self, conn: ConnId) -> Option<io::ConnId> {
        self.by_conn.get(&conn).map(|link| link.id)
    }

    /// The connection that the core knows by this number.
    pub fn conn_of(&self, id: io::ConnId) -> Option<ConnId> {
        self.by_id.get(&id).copied()
    }

    /// Forgets a connection by the core's number.
    pub fn remove(&mut self, id: io::ConnId) -> Option<ConnId> {
        let conn = self.by_id.remove(&id)?;
        self.by_conn.remove(&conn);
        Some(conn)
    }
}
