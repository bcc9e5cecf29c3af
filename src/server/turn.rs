//! What clients sent, parsed and executed: the hot path.
//!
//! A turn works in groups of at most `BATCH_COMMANDS` commands, taken from as many clients as it needs:
//!
//! ```text
//!  parse      the requests of client after client, until the group is full or nothing is left
//!  prefetch   bucket, entry and value of every command's first key, in waves: the cache misses of the whole group
//!             overlap, where one after the other each would cost its full 200 to 300 ns
//!  execute    in the order in which they were parsed; each client's replies gather in its output
//! ```
//!
//! A client that has more than its share of a group gets its next share after the others had theirs; after a group that took long,
//! in the next turn (writes while a snapshot is taken may each have to hand over hundreds of keys first). A client that
//! blocks, is held back by a pause or is closed in the middle of its share leaves the rest of its bytes unread; they are
//! parsed again when it goes on. With `io-threads` the first share of each client may have been parsed ahead, by the thread that read it.

use std::rc::Rc;

use crate::base::id::ClientId;
use crate::base::limits::{BATCH_COMMANDS, READ_CHUNK, SLOW_GROUP_US};
use crate::base::quote;
use crate::exec::{self, Host, Verdict, blocked, execute, tracking};
use crate::net::ConnId;
use crate::resp::args::Args;
use crate::resp::inbuf::InBuf;
use crate::resp::out::Out;
use crate::resp::parser::{Batch, Parsed, ProtocolError};
use crate::resp::reply::Reply;
use crate::server::ahead::{Spare, limits_of};
use crate::server::clients::Blocked;
use crate::server::dispatch::CommandTable;
use crate::server::expected::Expected;
use crate::server::{RunningInput, Turn};
use crate::session::{Kind, Session};

/// Memory that a group of commands works in, kept from turn to turn.
#[derive(Default)]
pub struct Workspace {
    batch: Batch,
    lanes: Vec<Lane>,
    expected: Expected,
    queue: Vec<ConnId>,
    pub(super) spare: Spare,
}

impl Workspace {
    /// Whether the client that was taken in last may keep the server busy. That may take long, and then nobody may stand behind it with
    /// requests that were parsed already: they are to be told. So it is the last of its batch, and all keep their order.
    fn ends_busy(&self, table: &CommandTable) -> bool {
        self.lanes.last().is_some_and(|lane| {
            let requests = &self.batch.requests()[lane.first..lane.end];
            requests.iter().any(|request| may_be_busy(table, &self.batch.args(request, lane.input.storage())))
        })
    }
}

/// One client's share of a group.
struct Lane {
    conn: ConnId,
    input: InBuf,
    /// Its requests in the batch.
    first: usize,
    end: usize,
    outcome: Result<Parsed, ProtocolError>,
}

impl Turn<'_> {
    /// Parses and executes what these connections received.
    pub fn serve(&mut self, ready: &[ConnId]) {
        let mut work = std::mem::take(&mut self.server.workspace);
        let table = Rc::clone(&self.server.table);
        self.server.engine.now = self.net.now();
        self.server.lap_us = self.net.clock().micros();
        self.server.loop_times.begin(self.server.lap_us);
        ready.iter().for_each(|&conn| self.server.client_memory.note_grown(conn));
        self.evict_clients(true);
        work.queue.clear();
        work.queue.extend_from_slice(ready);
        let mut next = 0;
        while next < work.queue.len() {
            work.batch.clear();
            while next < work.queue.len() && work.batch.len() < BATCH_COMMANDS {
                if !self.parse(work.queue[next], &mut work) {
                    break;
                }
                next += 1;
                if next < work.queue.len() && work.ends_busy(&table) {
                    break;
                }
            }
            if work.batch.len() > 1 {
                self.prefetch(&mut work);
            }
            let started_us = self.server.lap_us;
            let mut lanes = std::mem::take(&mut work.lanes);
            for lane in lanes.drain(..) {
                let conn = lane.conn;
                if self.run(&table, lane, &work.batch) {
                    // Requests are left and nothing is in the way: its next share comes after the others'.
                    work.queue.push(conn);
                }
            }
            work.lanes = lanes;
            if next == work.queue.len() {
                break;
            }
            if self.server.lap_us.saturating_sub(started_us) >= SLOW_GROUP_US {
                work.queue.drain(next..).for_each(|conn| self.net.announce(conn));
                break;
            }
            if next > 1024 {
                work.queue.drain(..next);
                next = 0;
            }
        }
        self.server.workspace = work;
    }

    /// Takes requests of one client into the batch. False when those that were parsed ahead do not fit: they begin the next one.
    fn parse(&mut self, conn: ConnId, work: &mut Workspace) -> bool {
        let Some(client) = self.server.clients.get_mut(conn) else {
            // Not a client (yet): the link to our master before its stream starts.
            self.master_received(conn);
            return true;
        };
        if client.blocked.is_some() || client.is_held {
            self.put_back_ahead(conn, &mut work.spare);
            self.enforce_query_limit(conn);
            return true;
        }
        let Some(session) = &client.session else { return true };
        if session.kind == Kind::Master {
            self.master_received(conn);
            return true;
        }
        let (owner, first) = (work.lanes.len() as u32, work.batch.len());
        let room = BATCH_COMMANDS - first;
        if client.ahead.as_ref().is_some_and(|ahead| ahead.len() > room) {
            return false;
        }
        let limits = limits_of(session, &self.server.engine);
        let Some(mut input) = self.net.take_input(conn) else { return true };
        let outcome = match client.ahead.take() {
            Some(mut ahead) => {
                let outcome = ahead.move_to(&mut work.batch, owner);
                work.spare.keep(ahead);
                outcome
            }
            None => client.parser.parse(&mut input, &limits, room, owner, &mut work.batch),
        };
        work.lanes.push(Lane { conn, input, first, end: work.batch.len(), outcome });
        true
    }

    /// Brings what the group is going to touch closer.
    fn prefetch(&mut self, work: &mut Workspace) {
        let keyspace = &self.server.engine.keyspace;
        for lane in &work.lanes {
            let session = self.server.clients.get(lane.conn).and_then(|client| client.session.as_ref());
            let db = session.map_or(0, |session| session.db as u32);
            for request in &work.batch.requests()[lane.first..lane.end] {
                work.expected.note(keyspace, db, &work.batch.args(request, lane.input.storage()));
            }
        }
        work.expected.fetch(keyspace);
    }

    /// Executes one client's share. True when the client has more to parse and may go on.
    fn run(&mut self, table: &CommandTable, lane: Lane, batch: &Batch) -> bool {
        let Lane { conn, mut input, first, end, outcome } = lane;
        if self.server.is_leaving {
            // Nobody is told of a change that comes after the last save.
            self.net.put_input(conn, input);
            return false;
        }
        let taken = self.server.clients.get_mut(conn).and_then(|client| client.session.take());
        let (Some(mut session), Some(mut out)) = (taken, self.net.take_out(conn)) else {
            self.net.put_input(conn, input);
            return false;
        };
        session.last_interaction = self.server.engine.now.mono;
        out.set_limit(self.output_bound(&session));
        let begin = batch.requests()[first..end].first().map_or(0, |request| request.begin as usize);
        let qbuf = input.storage().len().saturating_sub(begin);
        self.server.running_input = Some(RunningInput { conn, qbuf, memory: input.memory() });
        let mut is_stopped = false;
        for request in &batch.requests()[first..end] {
            let args = batch.args(request, input.storage());
            let written = self.server.engine.journal.written();
            let verdict = if session.kind == Kind::Replica {
                self.execute_for_replica(table, &mut session, &args, &mut out)
            } else {
                execute(self, table, &mut session, &args, &mut out)
            };
            if self.server.engine.journal.written() != written {
                session.written_to = self.server.stream_end();
                self.server.aof.note_writer(conn);
            }
            if out.len() > READ_CHUNK {
                let waiting = if out.is_cut() { usize::MAX } else { out.len() };
                session.marks.is_closing_asap |= self.is_output_over(&mut session, waiting) || out.is_cut();
            }
            let is_held = verdict == Verdict::HeldBack;
            if !self.server.killed.is_empty() {
                self.close_killed(&mut session);
            }
            if !self.server.unblocked.is_empty() {
                self.wake_named();
            }
            if self.server.engine.blocked.has_ready() && self.server.engine.depth == 0 {
                match self.serve_blocked(table, conn, session, out) {
                    Some(back) => (session, out) = back,
                    None => {
                        self.server.running_input = None;
                        self.net.put_input(conn, input);
                        return false;
                    }
                }
            }
            let must_stop = is_held || self.must_stop(&session, conn);
            if must_stop {
                is_stopped = true;
                if let Some(client) = self.server.clients.get_mut(conn) {
                    client.is_held = is_held;
                    if is_held {
                        session.marks.is_blocked = true;
                        client.parser.put_back(&mut input, batch, request);
                    } else {
                        client.parser.rewind(&mut input, request.end);
                    }
                }
                break;
            }
        }
        if let Err(error) = &outcome
            && !is_stopped
        {
            self.log_protocol_error(&session, error);
            self.server.engine.command_stats.error("ERR");
            error.answer(&mut Reply::new(&mut out, session.proto));
            session.marks.is_closing_after_reply = true;
        }
        self.server.running_input = None;
        let is_too_long = self.is_query_too_long(&session, &input);
        let is_closing = session.marks.is_closing_after_reply;
        let is_closing_asap = session.marks.is_closing_asap || is_too_long || out.is_cut();
        match self.server.clients.get_mut(conn) {
            Some(client) => client.session = Some(session),
            // It left while a script of it was stuck.
            None => self.forget_session(*session),
        }
        out.set_limit(0);
        self.net.put_out(conn, out);
        self.net.put_input(conn, input);
        if is_too_long {
            self.server.engine.counters.client_query_buffer_limit_disconnections += 1;
        }
        if is_closing_asap {
            self.close(conn);
        } else if is_closing {
            self.net.close_after_flush(conn);
        }
        !is_stopped && !is_closing && !is_closing_asap && outcome == Ok(Parsed::More)
    }

    /// Closes a client that does not execute for now, but has sent more than may wait.
    fn enforce_query_limit(&mut self, conn: ConnId) {
        let session = self.server.clients.get(conn).and_then(|client| client.session.as_deref());
        let (Some(session), Some(socket)) = (session, self.net.conn(conn)) else { return };
        if self.is_query_too_long(session, socket.input()) {
            self.server.engine.counters.client_query_buffer_limit_disconnections += 1;
            self.close(conn);
        }
    }

    /// Whether what a client sent and we did not execute is over the limit; then the log says so.
    fn is_query_too_long(&self, session: &Session, input: &InBuf) -> bool {
        let is_too_long = input.buffered() as u64 > self.server.engine.config.clients.client_query_buffer_limit;
        if is_too_long {
            let text = self.describe(session);
            tracing::warn!("Closing client that reached max query buffer length: {text}");
        }
        is_too_long
    }

    /// Executes a command that a replica sent. Its connection carries the stream: whatever answers would be taken for a
    /// part of it. So a replica that asks something is cut off.
    fn execute_for_replica(
        &mut self,
        table: &CommandTable,
        session: &mut Session,
        args: &Args<'_>,
        out: &mut Out,
    ) -> Verdict {
        let mut answer = Out::new();
        let verdict = execute(self, table, session, args, &mut answer);
        if answer.is_empty() || session.marks.is_closing_asap {
            return verdict;
        }
        let text = answer.to_vec();
        let command = match table.lookup(args) {
            Ok(command) => command.full_name.to_string(),
            Err(_) => "<unknown>".to_owned(),
        };
        if text.first() == Some(&b'-') {
            let error = String::from_utf8_lossy(&text[1..]).trim_end().to_owned();
            tracing::warn!(
                "== CRITICAL == This master is sending an error to its replica: '{error}' after processing the command \
                 '{command}'"
            );
        }
        let shown = quote::quoted(&text[..text.len().min(128)]);
        tracing::warn!("Replica generated a reply to command '{command}', disconnecting it: {shown}");
        out.clear();
        session.marks.is_closing_asap = true;
        Verdict::Done
    }

    /// Whether the client may not run its next command now.
    fn must_stop(&self, session: &Session, conn: ConnId) -> bool {
        let is_blocked = self.server.clients.get(conn).is_none_or(|client| client.blocked.is_some());
        is_blocked || session.marks.is_closing_after_reply || session.marks.is_closing_asap || self.server.is_leaving
    }

    /// Puts the client whose command is running to sleep.
    pub fn block(&mut self, session: &mut Session, blocked: Blocked) {
        session.marks.is_blocked = true;
        self.server.clients.block(session.id, blocked);
    }

    /// Serves the clients that waited for what the last command changed. Its caller is put back for that time, for what they do may
    /// concern it like any other; `None` when it is gone by then.
    #[cold]
    fn serve_blocked(
        &mut self,
        table: &CommandTable,
        conn: ConnId,
        caller: Box<Session>,
        out: Out,
    ) -> Option<(Box<Session>, Out)> {
        self.server.clients.get_mut(conn)?.session = Some(caller);
        self.net.put_out(conn, out);
        blocked::serve(self, table);
        Some((self.server.clients.get_mut(conn)?.session.take()?, self.net.take_out(conn)?))
    }

    /// Answers a client that waited for something else than keys. Its command is over, and it may go on.
    pub fn answer_blocked(&mut self, id: ClientId, write: impl FnOnce(&mut Reply<'_>)) {
        self.with_client(id, |_, session, out| {
            write(&mut exec::reply(session, out));
            session.command_ended();
        });
        self.unblocked(id);
    }

    /// Lets a client that was blocked or held back go on with what it has sent meanwhile.
    pub fn resume(&mut self, conn: ConnId) {
        if let Some(client) = self.server.clients.get_mut(conn) {
            if std::mem::take(&mut client.is_held)
                && let Some(session) = &mut client.session
            {
                session.marks.is_blocked = false;
            }
            self.net.announce(conn);
        }
    }

    /// Lets everyone go on who was held back by a pause.
    pub fn resume_held(&mut self) {
        let held: Vec<ConnId> =
            self.server.clients.iter().filter(|client| client.is_held).map(|client| client.conn).collect();
        held.into_iter().for_each(|conn| self.resume(conn));
    }

    /// Closes the clients that a command asked to be closed. The caller itself is closed after its reply.
    fn close_killed(&mut self, caller: &mut Session) {
        for id in std::mem::take(&mut self.server.killed) {
            if id == caller.id {
                caller.marks.is_closing_after_reply = true;
            } else if let Some(conn) = self.server.clients.conn_of(id) {
                self.close(conn);
            }
        }
    }

    /// Closes a connection and forgets its client.
    pub fn close(&mut self, conn: ConnId) {
        self.net.close(conn);
        self.forget(conn);
    }

    /// Forgets a client whose connection is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.server.client_memory.forget(conn);
        // Who leaves while a script of it is stuck has no session here; `run` has it.
        if let Some(session) = self.server.clients.remove(conn).and_then(|client| client.session) {
            self.forget_session(*session);
        }
    }

    fn forget_session(&mut self, mut session: Session) {
        self.client_left(session.id, session.kind);
        let engine = &mut self.server.engine;
        engine.pubsub.remove_client(session.id);
        engine.watch.unwatch_all(session.id, &mut session.watched);
        tracking::disable(engine, &mut session);
        engine.blocked.take(session.id);
        engine.refresh_observers();
        engine.monitors.retain(|id| *id != session.id);
    }

    fn log_protocol_error(&self, session: &Session, error: &ProtocolError) {
        tracing::debug!("Protocol error ({}) from client: {}", error.reason(), self.describe(session));
    }

    /// A client in the form of CLIENT LIST, for the log.
    pub fn describe(&self, session: &Session) -> String {
        let name = session.name.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        format!("id={} addr={} laddr={} name={name} db={}", session.id, session.addr, session.laddr, session.db)
    }
}

/// Whether a command may serve others while it runs: scripts do, and DEBUG while it loads. Only words that begin like the names of such
/// commands are looked up.
fn may_be_busy(table: &CommandTable, args: &Args<'_>) -> bool {
    let name = args.get(0);
    let is_near = match name.first() {
        Some(b'e' | b'E' | b'f' | b'F') => true,
        Some(b'd' | b'D') => name.len() == "debug".len(),
        _ => false,
    };
    is_near
        && table.lookup(args).is_ok_and(|command| {
            let name = command.meta.name;
            matches!(name, "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" | "exec" | "debug")
        })
}
