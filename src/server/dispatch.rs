//! The server's command table, and the server as the executor sees it: [`Host`] for [`Turn`].

use bytes::Bytes;

use crate::base::id::ClientId;
use crate::base::quote;
use crate::base::time::Instant;
use crate::commands;
use crate::commands::contract::CommandResult;
use crate::exec::gates::{BUSY_FUNCTION, BUSY_SCRIPT, Caller};
use crate::exec::watch::note_change;
use crate::exec::{Engine, Handler, Heard, Host, flow};
use crate::net::Net;
use crate::pubsub::Message;
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};
use crate::server::admin::{self, AdminHandler};
use crate::server::client_memory::{ClientMemory, buffers};
use crate::server::clients::{BlockReason, Blocked, Clients};
use crate::server::pause::{Pauses, Reason};
use crate::server::{RunningInput, Server, Turn};
use crate::session::context::{Pause, Unblock};
use crate::session::{Figures, Kind, Peers, Session, handlers};
use crate::spec::{Command, Flags, Table};

/// The server's command table.
pub type CommandTable = Table<Handler<AdminHandler>>;

/// Builds it.
pub fn table() -> CommandTable {
    let data = commands::TABLES.iter().fold(Table::builder(), |table, family| table.add(family, Handler::Data));
    let data = commands::CONTAINERS.iter().fold(data, |table, containers| table.add_containers(containers));
    let session = handlers::FAMILIES.iter().fold(data, |table, family| table.add(family, Handler::Session));
    let flow = flow::TABLES.iter().fold(session, |table, family| table.add(family, Handler::Flow));
    flow.add_containers(handlers::CONTAINERS)
        .add_containers(flow::CONTAINERS)
        .add(admin::TABLE, Handler::Admin)
        .add(admin::CLUSTER, Handler::Admin)
        .add_containers(admin::CONTAINERS)
        .retain(|meta| !meta.flags.has(Flags::ONLY_SENTINEL))
        .build()
}

/// How long to wait for a client that debugs a script, before others are served.
const CONVERSE_MS: i64 = 10;

impl Host for Turn<'_> {
    type Admin = AdminHandler;

    fn engine(&mut self) -> &mut Engine {
        &mut self.server.engine
    }

    fn with_peers<R>(&mut self, act: impl FnOnce(&mut Engine, &mut dyn Peers) -> R) -> R {
        let Server { engine, clients, client_memory, pauses, killed, unblocked, running_input, .. } = &mut *self.server;
        let (memory, running_input) = (client_memory, *running_input);
        act(engine, &mut Others { clients, memory, pauses, killed, unblocked, running_input, net: self.net })
    }

    fn admin(
        &mut self,
        handler: AdminHandler,
        session: &mut Session,
        args: &Args<'_>,
        reply: Reply<'_>,
    ) -> CommandResult {
        handler(self, session, args, reply)
    }

    fn lap(&mut self) -> u64 {
        let now = self.net.clock().micros();
        let elapsed = now.saturating_sub(self.server.lap_us);
        self.server.lap_us = now;
        elapsed
    }

    fn read_clock(&mut self) {
        self.server.engine.now = self.net.clock().now();
    }

    fn clock_us(&mut self) -> u64 {
        self.net.clock().micros()
    }

    fn clock(&mut self) -> Instant {
        self.net.clock().now().mono
    }

    fn memory_in_use(&mut self) -> u64 {
        self.memory_counted()
    }

    fn serve_others(&mut self) {
        let is_function = self.server.engine.scripts.running.as_ref().is_some_and(|running| running.is_function);
        self.server.engine.facts.busy = Some(if is_function { BUSY_FUNCTION } else { BUSY_SCRIPT });
        self.net.serve_meanwhile(self.server);
    }

    fn converse(&mut self, client: ClientId, said: &[u8]) -> Heard {
        let conn = self.server.clients.conn_of(client);
        match conn.and_then(|conn| self.net.converse(conn, said, CONVERSE_MS)) {
            None => Heard::Gone,
            Some(bytes) if bytes.is_empty() => {
                self.serve_others();
                Heard::Nothing
            }
            Some(bytes) => Heard::Bytes(bytes),
        }
    }

    fn script_ended(&mut self) {
        self.server.engine.facts.busy = None;
        self.release_stream();
        self.server.lap_us = self.net.clock().micros();
    }

    fn is_leaving(&self) -> bool {
        self.server.is_leaving
    }

    fn watched_changed(&mut self, client: ClientId, db: usize, key: &[u8], is_gone: bool) {
        if let Some(session) = self.server.clients.session_mut(client) {
            note_change(session, db, key, is_gone);
        }
    }

    fn push(&mut self, client: ClientId, encode: impl FnOnce(&mut Session) -> Option<Bytes>) -> bool {
        let Some(client) = self.server.clients.by_id_mut(client) else { return false };
        let Some(session) = client.session.as_deref_mut() else { return false };
        if let Some(bytes) = encode(session)
            && let Some(out) = self.net.out(client.conn)
        {
            out.append_shared(bytes);
            self.server.client_memory.note_grown(client.conn);
        }
        true
    }

    fn clients(&self) -> Vec<ClientId> {
        self.server.clients.sessions().map(|session| session.id).collect()
    }

    fn feed_monitors(&mut self, session: &Session, args: &Args<'_>) {
        let us = self.server.engine.now.wall_us;
        let origin = match session.kind {
            _ if session.script_client_proto.is_some() => "lua",
            Kind::Master => "master",
            _ => &session.addr,
        };
        let mut line =
            format!("+{}.{:06} [{} {origin}]", us.div_euclid(1_000_000), us.rem_euclid(1_000_000), session.db);
        for word in args.iter() {
            line.push(' ');
            line.push_str(&quote::quoted(word));
        }
        line.push_str("\r\n");
        let line = bytes::Bytes::from(line);
        for monitor in self.server.engine.monitors.clone() {
            let conn = self.server.clients.conn_of(monitor);
            if let Some(out) = conn.and_then(|conn| self.net.out(conn)) {
                out.append_shared(line.clone());
                self.server.client_memory.note_grown(conn.expect("it has an output"));
            }
        }
    }

    fn with_client<R>(
        &mut self,
        client: ClientId,
        act: impl FnOnce(&mut Self, &mut Session, &mut Out) -> R,
    ) -> Option<R> {
        let conn = self.server.clients.conn_of(client)?;
        let mut session = self.server.clients.get_mut(conn)?.session.take()?;
        let out = self.net.take_out(conn);
        let result = out.map(|mut out| {
            let written = self.server.engine.journal.written();
            let result = act(self, &mut session, &mut out);
            if self.server.engine.journal.written() != written {
                session.written_to = self.server.stream_end();
                self.server.aof.note_writer(conn);
            }
            self.net.put_out(conn, out);
            result
        });
        self.server.clients.get_mut(conn)?.session = Some(session);
        result
    }

    fn blocked(&mut self, client: ClientId) {
        self.server.clients.block(client, Blocked { reason: BlockReason::Keys, deadline: None });
    }

    fn unblocked(&mut self, client: ClientId) {
        self.server.clients.unblock(client);
        if let Some(conn) = self.server.clients.conn_of(client) {
            self.resume(conn);
        }
    }

    fn is_held_back(&mut self, session: &Session, command: &Command, flags: Flags, caller: &Caller) -> bool {
        let Some(what) = self.server.pauses.current() else { return false };
        if session.kind != Kind::Client && session.kind != Kind::Monitor {
            return false;
        }
        let may_change = flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE)) || caller.has_queued_effects;
        what == Pause::All && !is_exempt_from_pause(command) || may_change
    }
}

/// Commands that must work during CLIENT PAUSE ALL, or the pause could not be ended and the server not be stopped.
fn is_exempt_from_pause(command: &Command) -> bool {
    matches!(&*command.full_name, "client|unpause" | "shutdown" | "failover" | "replconf")
}

/// All clients but the caller, whose session is out while its command runs.
struct Others<'a> {
    clients: &'a mut Clients,
    memory: &'a mut ClientMemory,
    pauses: &'a mut Pauses,
    killed: &'a mut Vec<ClientId>,
    unblocked: &'a mut Vec<(ClientId, Unblock)>,
    running_input: Option<RunningInput>,
    net: &'a mut Net,
}

impl Peers for Others<'_> {
    fn each(&self, visit: &mut dyn FnMut(&Session, &Figures)) {
        for session in self.clients.sessions() {
            visit(session, &self.figures(session.id));
        }
    }

    fn figures(&self, id: ClientId) -> Figures {
        let Some(conn) = self.clients.conn_of(id) else { return Figures::default() };
        let (Some(client), Some(socket)) = (self.clients.get(conn), self.net.conn(conn)) else {
            return Figures::default();
        };
        let (input, out) = (socket.input(), socket.out());
        // The input of a client whose command runs is not in the socket.
        let running = self.running_input.filter(|running| running.conn == conn);
        let (qbuf, input_memory) =
            running.map_or((input.buffered(), input.memory()), |running| (running.qbuf, running.memory));
        Figures {
            fd: i64::from(socket.fd()),
            qbuf: (qbuf - input.parsed()) as u64,
            qbuf_free: input_memory.saturating_sub(qbuf) as u64,
            argv_mem: (client.parser.memory() + input.parsed()) as u64,
            obl: out.len() as u64,
            oll: out.chunks() as u64,
            omem: out.memory() as u64,
            buffers: buffers(client, socket, false) + running.map_or(0, |running| running.memory as u64),
            is_reading: true,
            is_writing: !out.is_empty(),
        }
    }

    fn kill(&mut self, id: ClientId) {
        self.killed.push(id);
    }

    fn unblock(&mut self, id: ClientId, how: Unblock) -> bool {
        let blocked = self.clients.by_id_mut(id).and_then(|client| client.blocked);
        let is_waiting = blocked.is_some_and(|blocked| blocked.reason != BlockReason::Shutdown)
            && self.unblocked.iter().all(|(other, _)| *other != id);
        if is_waiting {
            self.unblocked.push((id, how));
        }
        is_waiting
    }

    fn deliver(&mut self, to: ClientId, message: &Message<'_>) {
        let Some(conn) = self.clients.conn_of(to) else { return };
        let proto = self.clients.get(conn).and_then(|client| client.session.as_ref()).map_or(Proto::Resp2, |s| s.proto);
        if let Some(out) = self.net.out(conn) {
            out.append_shared(message.encoded(proto).clone());
            self.memory.note_grown(conn);
        }
    }

    fn pause(&mut self, until: Instant, what: Pause) {
        self.pauses.pause(Reason::Client, what, until);
    }

    fn unpause(&mut self) {
        self.pauses.end(Reason::Client);
    }
}
