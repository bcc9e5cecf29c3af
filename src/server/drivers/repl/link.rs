//! The connection to our master: made, spoken on, and its stream executed.
//!
//! Until the stream starts the connection belongs to nobody but this file, and what arrives is shown to the machine.
//! With the stream it becomes a client like others (CLIENT LIST shows it with flag `M`, CLIENT KILL can close it), whose
//! commands are executed without admission and without reply.
//!
//! *What is passed on.* Our own replicas get the bytes as they came. They may have them once they are executed, and a
//! transaction only as a whole: if the link breaks in the middle of one, it is asked for again from its MULTI, and a
//! replica of ours must not have seen half of it. Bytes of an open transaction wait in `unapplied`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use tracing::{error, info, warn};

use crate::base::limits::BATCH_COMMANDS;
use crate::config::values::PropagationError;
use crate::exec::{blocked, replay};
use crate::net::{Closed, ConnId, DialOptions, sockopt};
use crate::repl::{HostPort, Input};
use crate::resp::parser::{Batch, Parsed, RequestLimits};
use crate::server::Turn;
use crate::server::drivers::transfer::{Advance, Transfer};
use crate::session::{Kind, Session};

/// Look-ups of our master's name carry this mark, so that others may use the resolver as well.
const TAG_MARK: u64 = 1 << 32;

/// Requests of the stream parsed at a time.
const BATCH: usize = 256;

/// One read from a master asks for so much: snapshots and streams are long.
const READ_CHUNK: usize = 128 * 1024;

impl Turn<'_> {
    pub(super) fn connect_to_master(&mut self, master: &HostPort) {
        let repl = &mut self.server.repl;
        repl.last_tag += 1;
        let tag = TAG_MARK | repl.last_tag;
        repl.look_up = Some((tag, master.port));
        self.net.resolve(tag, &master.host);
    }

    /// A name was looked up.
    pub fn link_resolved(&mut self, tag: u64, result: io::Result<Vec<IpAddr>>) {
        let Some((_, port)) = self.server.repl.look_up.take_if(|(expected, _)| *expected == tag) else { return };
        let address = match result.map(|addresses| addresses.first().copied()) {
            Ok(Some(address)) => SocketAddr::new(address, port),
            Ok(None) => return self.repl(Input::LinkUnknown("the name has no address")),
            Err(error) => return self.repl(Input::LinkUnknown(&sockopt::error_text(&error))),
        };
        info!("MASTER <-> REPLICA sync started");
        let network = &self.server.engine.config.network;
        let source = network.bind_source_addr.parse().ok();
        let is_tls = self.server.engine.config.tls.tls_replication;
        let options = DialOptions { source, source_is_optional: false, keepalive: network.tcp_keepalive, is_tls };
        let conn = self.net.dial(address, &options);
        self.server.repl.link = Some(conn);
        self.server.repl.is_link_paused = false;
    }

    /// An attempt to connect ended.
    pub fn link_connected(&mut self, conn: ConnId, result: io::Result<()>) {
        if self.server.repl.link != Some(conn) {
            return;
        }
        match result {
            Ok(()) => {
                self.net.set_read_chunk(conn, READ_CHUNK);
                let engine = &self.server.engine;
                let has_data = !engine.keyspace.is_empty() || engine.functions.functions_len() > 0;
                self.repl(Input::LinkConnected { has_data });
            }
            Err(error) => {
                self.server.repl.link = None;
                self.repl(Input::LinkFailed(&sockopt::error_text(&error)));
            }
        }
    }

    /// A connection that may have been the link is gone. When it carried the stream it is a client, and
    /// [`Turn::client_left`] tells.
    pub fn link_closed(&mut self, conn: ConnId, reason: &Closed) {
        if self.server.repl.link == Some(conn) && self.server.clients.get(conn).is_none() {
            match reason {
                Closed::End | Closed::Flushed => self.link_lost("connection lost"),
                Closed::ReadFailed(error) | Closed::WriteFailed(error) => self.link_lost(&sockopt::error_text(error)),
            }
        }
    }

    /// The link is gone: what was received and not executed is asked for again.
    pub(super) fn link_lost(&mut self, reason: &str) {
        self.server.repl.link = None;
        self.server.repl.unapplied.clear();
        self.repl(Input::LinkClosed(reason));
    }

    pub(super) fn close_link(&mut self) {
        let repl = &mut self.server.repl;
        repl.look_up = None;
        repl.unapplied.clear();
        // First forget it, or closing would be taken for a loss.
        let Some(conn) = repl.link.take() else { return };
        self.net.close(conn);
        self.server.clients.remove(conn);
    }

    pub(super) fn send_to_master(&mut self, bytes: &[u8]) {
        if let Some(out) = self.server.repl.link.and_then(|conn| self.net.out(conn)) {
            out.append(bytes);
        }
    }

    pub(super) fn skip_from_master(&mut self, count: usize) {
        if let Some(input) = self.server.repl.link.and_then(|conn| self.net.input(conn)) {
            input.consume(count);
        }
    }

    /// Bytes from our master.
    pub fn master_received(&mut self, conn: ConnId) {
        // What a server that leaves executed now would be behind what it saved.
        if self.server.repl.link != Some(conn) || self.server.is_leaving {
            return;
        }
        if self.server.repl.node.link_up() == Some(true) {
            return self.apply_stream(conn);
        }
        // The machine looks at the bytes, then says what becomes of them; they stay where they are meanwhile.
        let Some(input) = self.net.take_input(conn) else { return };
        let now = self.net.now().mono;
        let mut out = Vec::new();
        self.server.repl.node.handle(now, Input::LinkReceived(input.bytes()), &mut out);
        self.net.put_input(conn, input);
        self.carry_out(out);
    }

    // ---- the snapshot ----

    pub(super) fn transfer_starts(&mut self, length: Option<u64>, is_same_history: bool, is_guarded: bool) {
        let server = &mut *self.server;
        let (transfer, advance) = match is_guarded && !server.engine.keyspace.is_empty() {
            true => (Transfer::guarded(&mut server.engine, length, is_same_history), Advance::Going(None)),
            false => Transfer::begin(&mut server.engine, &mut server.snapshots, length, is_same_history),
        };
        server.repl.transfer = Some(transfer);
        self.transfer_advanced(advance);
    }

    pub(super) fn transfer_bytes(&mut self, count: usize) {
        let Some(conn) = self.server.repl.link else { return };
        let Some(mut input) = self.net.take_input(conn) else { return };
        let mut advance = Advance::Going(None);
        if let Some(transfer) = &mut self.server.repl.transfer {
            let (engine, snapshots) = (&mut self.server.engine, &mut self.server.snapshots);
            advance = transfer.payload(engine, snapshots, &input.bytes()[..count]);
            if transfer.is_full(&self.server.engine) {
                self.server.repl.is_link_paused = true;
                self.net.pause_reading(conn);
            }
        }
        input.consume(count);
        self.net.put_input(conn, input);
        self.transfer_advanced(advance);
        self.load_progress();
    }

    pub(super) fn transfer_done(&mut self) {
        let server = &mut *self.server;
        let Some(transfer) = &mut server.repl.transfer else { return };
        let advance = transfer.done(&mut server.engine, &mut server.snapshots);
        if let Some(conn) = server.repl.link {
            // What follows is the stream; it waits with the system until the data it continues are there.
            self.net.pause_reading(conn);
            server.repl.is_link_paused = true;
        }
        self.transfer_advanced(advance);
    }

    pub(super) fn transfer_aborted(&mut self) {
        if let Some(transfer) = self.server.repl.transfer.take() {
            transfer.abort(&mut self.server.engine);
        }
        self.server.repl.transfer_next = None;
    }

    /// The transfer's part of the end of a turn.
    pub(super) fn transfer_turn(&mut self) {
        let server = &mut *self.server;
        let Some(transfer) = &mut server.repl.transfer else { return };
        let clock = self.net.clock();
        let advance = transfer.turn(&mut server.engine, &mut server.snapshots, &mut || clock.micros());
        let is_full = transfer.is_full(&server.engine);
        if !is_full && server.repl.node.link().is_some_and(|link| link.is_receiving()) {
            self.resume_link();
        }
        self.transfer_advanced(advance);
        self.load_progress();
    }

    fn transfer_advanced(&mut self, advance: Advance) {
        self.server.repl.transfer_next = None;
        match advance {
            Advance::Going(next) => self.server.repl.transfer_next = next,
            Advance::Replaces => {
                // What it has is the old data; the new ones get an AOF of their own.
                self.stop_aof();
                self.touch_all_watched();
                self.server.repl.transfer_next = Some(self.net.now().mono);
                self.repl(Input::LoadReplaces);
            }
            Advance::Loaded { facts, is_swapped } => {
                self.server.repl.transfer = None;
                if is_swapped {
                    self.touch_all_watched();
                    self.repl(Input::LoadReplaces);
                }
                self.server.engine.blocked.note_all_databases();
                let db = facts.repl_stream_db.and_then(|db| u32::try_from(db).ok()).unwrap_or(0);
                let db = if db < self.server.engine.keyspace.databases() { db } else { 0 };
                self.repl(Input::Loaded { db });
                if self.server.engine.config.persistence.appendonly {
                    info!("MASTER <-> REPLICA sync: Finished with success, restarting the AOF with a rewrite");
                    // A failure was logged; the next full resync or CONFIG SET tries again.
                    let _ = self.start_aof();
                }
            }
            Advance::Refused => {
                self.server.repl.transfer = None;
                let now = self.net.now().mono;
                self.server.repl.node.refused_empty_master(now);
                self.repl(Input::LoadFailed);
            }
            Advance::Failed => {
                self.server.repl.transfer = None;
                self.repl(Input::LoadFailed);
            }
        }
    }

    /// While we load, a newline now and then tells the master that we live.
    fn load_progress(&mut self) {
        let facts = &self.server.engine.facts;
        if (facts.is_loading || facts.is_loading_async) && self.server.repl.transfer.is_some() {
            self.repl(Input::LoadProgress);
        }
    }

    // ---- the stream ----

    pub(super) fn stream_starts(&mut self, db: u32) {
        let Some(conn) = self.server.repl.link else { return };
        let Some(socket) = self.net.conn(conn) else { return };
        let (addr, laddr, is_unix) = (socket.peer_text(), socket.local_text(), socket.is_unix());
        let id = self.server.clients.next_id();
        let engine = &self.server.engine;
        let mut session = Session::new(id, &addr, &laddr, is_unix, &engine.acl, engine.now.mono);
        session.kind = Kind::Master;
        session.user = None;
        session.is_authenticated = true;
        session.db = db as usize;
        self.server.clients.add(conn, session);
        self.server.repl.unapplied.clear();
        // What came with the end of the handshake is the beginning of the stream.
        self.net.announce(conn);
        self.resume_link();
    }

    /// Reads from the master again, if that was stopped. Not otherwise: it has the input looked at once more.
    fn resume_link(&mut self) {
        if std::mem::take(&mut self.server.repl.is_link_paused)
            && let Some(conn) = self.server.repl.link
        {
            self.net.resume_reading(conn);
        }
    }

    /// A pause is over, or a script that was stuck: what the master sent meanwhile is executed.
    pub fn release_stream(&mut self) {
        if let Some(conn) = self.server.repl.link {
            self.net.announce(conn);
            self.resume_link();
        }
    }

    /// A pause holds back our master's stream as well, for it consists of writes, and a stuck script does: the answer BUSY would
    /// be a change that is lost. It is read all the same, up to what any client may have unexecuted.
    fn hold_stream(&mut self, conn: ConnId) {
        let Some(buffered) = self.net.conn(conn).map(|socket| socket.input().buffered() as u64) else { return };
        self.repl(Input::StreamRead(self.server.repl.unapplied.len() as u64 + buffered));
        if buffered > self.server.engine.config.clients.client_query_buffer_limit {
            self.net.pause_reading(conn);
            self.server.repl.is_link_paused = true;
        }
    }

    /// Executes what the master sent.
    fn apply_stream(&mut self, conn: ConnId) {
        if self.server.pauses.is_write_paused() || self.server.engine.facts.busy.is_some() {
            return self.hold_stream(conn);
        }
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        let Some(mut session) = client.session.take() else { return };
        let Some(mut input) = self.net.take_input(conn) else { return };
        let mut batch = std::mem::take(&mut self.server.repl.batch);
        let limits = RequestLimits { authenticated: true, bulk_max: u64::MAX, from_master: true };
        session.last_interaction = self.server.engine.now.mono;
        let outcome = loop {
            batch.clear();
            let Some(client) = self.server.clients.get_mut(conn) else { break Ok(Parsed::All) };
            let outcome = client.parser.parse(&mut input, &limits, BATCH, 0, &mut batch);
            self.apply_batch(&mut session, &batch, input.storage());
            match outcome {
                Ok(Parsed::More) if self.server.repl.link == Some(conn) => {}
                outcome => break outcome,
            }
        };
        batch.clear();
        self.server.repl.batch = batch;
        let waiting = (self.server.repl.unapplied.len() + input.buffered()) as u64;
        self.net.put_input(conn, input);
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.session = Some(session);
        }
        self.repl(Input::StreamRead(waiting));
        if let Err(error) = outcome {
            warn!("Protocol error ({}) from the master: closing the link", error.reason());
            self.close(conn);
        }
        if std::mem::take(&mut self.server.repl.is_ack_asked) {
            self.repl(Input::AckRequested);
        }
    }

    /// Brings closer what the next commands of the batch are going to touch.
    fn expect(&mut self, db: u32, batch: &Batch, from: usize, storage: &[u8]) {
        let (keyspace, expected) = (&self.server.engine.keyspace, &mut self.server.repl.expected);
        for request in batch.requests()[from..].iter().take(BATCH_COMMANDS) {
            expected.note(keyspace, db, &batch.args(request, storage));
        }
        expected.fetch(keyspace);
    }

    /// Executes the commands of one batch and passes on what is complete.
    fn apply_batch(&mut self, session: &mut Session, batch: &Batch, storage: &[u8]) {
        let (Some(first), Some(last)) = (batch.requests().first(), batch.requests().last()) else { return };
        let (begin, end) = (first.begin as usize, last.end as usize);
        let table = Rc::clone(&self.server.table);
        let mut replies = std::mem::take(&mut self.server.repl.replies);
        let mut complete = begin;
        for (index, request) in batch.requests().iter().enumerate() {
            if index % BATCH_COMMANDS == 0 && batch.len() > 1 {
                self.expect(session.db as u32, batch, index, storage);
            }
            let args = batch.args(request, storage);
            let applied = replay::apply(self, &table, session, &args, &mut replies);
            if let Some(text) = applied.error {
                let command = args.shown(0);
                error!(
                    "== CRITICAL == This replica is sending an error to its master: '{text}' after processing the \
                     command '{command}'"
                );
                self.server.engine.counters.unexpected_error_replies += 1;
                let settings = &self.server.engine.config.replication;
                // Others write to a writable replica, which may be why it differs.
                if settings.replica_read_only && settings.propagation_error_behavior != PropagationError::Ignore {
                    // What is wrong with the data gets no better by going on.
                    error!("This replica ends because of propagation-error-behavior.");
                    self.server.exit_code = 1;
                    self.server.is_leaving = true;
                }
            }
            if session.multi.is_none() {
                complete = request.end as usize;
                if self.server.engine.blocked.has_ready() {
                    blocked::serve(self, &table);
                }
            }
        }
        self.server.repl.replies = replies;
        let db = session.db as u32;
        if complete > begin {
            let mut waiting = std::mem::take(&mut self.server.repl.unapplied);
            if waiting.is_empty() {
                self.repl(Input::Applied { bytes: &storage[begin..complete], db });
            } else {
                waiting.extend_from_slice(&storage[begin..complete]);
                self.repl(Input::Applied { bytes: &waiting, db });
            }
        }
        self.server.repl.unapplied.extend_from_slice(&storage[complete..end]);
    }
}
