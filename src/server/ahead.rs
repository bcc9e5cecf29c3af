//! Requests of clients that the thread which read them has parsed, until the client's turn comes.

use crate::base::limits::{BATCH_COMMANDS, BULK_MAX};
use crate::exec::Engine;
use crate::net::ConnId;
use crate::resp::ahead::Ahead;
use crate::resp::parser::RequestLimits;
use crate::server::{Server, Turn};
use crate::session::{Kind, Session};

/// So many clients' memory for what is parsed ahead is kept: as many as are read from together.
const SPARE_MAX: usize = 2 * BATCH_COMMANDS;

/// What a client may send.
pub(super) fn limits_of(session: &Session, engine: &Engine) -> RequestLimits {
    RequestLimits {
        authenticated: !session.must_authenticate(&engine.acl),
        bulk_max: engine.config.clients.proto_max_bulk_len.min(BULK_MAX),
        from_master: false,
    }
}

impl Server {
    /// Lends a client's parser to the thread that reads from it.
    pub fn lend_to_reader(&mut self, conn: ConnId) -> Option<Ahead> {
        let client = self.clients.get_mut(conn)?;
        let session = client.session.as_deref()?;
        if session.kind == Kind::Master || client.blocked.is_some() || client.is_held || client.ahead.is_some() {
            return None;
        }
        let mut ahead = self.workspace.spare.take();
        ahead.lend(&mut client.parser, limits_of(session, &self.engine), BATCH_COMMANDS);
        Some(ahead)
    }

    /// A client's parser is back, with what it found.
    pub fn parsed_ahead(&mut self, conn: ConnId, mut ahead: Ahead) {
        if let Some(client) = self.clients.get_mut(conn) {
            ahead.give_back(&mut client.parser);
            if !ahead.is_idle() {
                client.ahead = Some(ahead);
                return;
            }
        }
        self.workspace.spare.keep(ahead);
    }
}

/// Memory of what was parsed ahead.
#[derive(Default)]
pub(super) struct Spare(Vec<Ahead>);

impl Spare {
    fn take(&mut self) -> Ahead {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn keep(&mut self, ahead: Ahead) {
        if self.0.len() < SPARE_MAX {
            self.0.push(ahead);
        }
    }
}

impl Turn<'_> {
    /// A client that may not go on leaves unread what was parsed ahead.
    pub(super) fn put_back_ahead(&mut self, conn: ConnId, spare: &mut Spare) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        if let Some(mut ahead) = client.ahead.take()
            && let Some(mut input) = self.net.take_input(conn)
        {
            ahead.put_back(&mut client.parser, &mut input);
            self.net.put_input(conn, input);
            spare.keep(ahead);
        }
    }
}
