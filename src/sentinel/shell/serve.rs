//! What clients of a Sentinel sent, parsed and executed. There is no MULTI and no data here, so the way of a command is
//! short: look it up, admit it, run it, answer.

use std::rc::Rc;

use crate::acl::Context;
use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::net::{ConnId, Net};
use crate::pubsub::Message;
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::resp::parser::{Batch, Parsed, RequestLimits};
use crate::resp::reply::{Proto, Reply};
use crate::sentinel::commands::{Act, View};
use crate::sentinel::core::io::Input;
use crate::sentinel::shell::clients::Clients;
use crate::sentinel::shell::{Handler, Program, cannot_unblock};
use crate::session::admission::{NOAUTH, is_allowed_while_subscribed, refuse_web_request, subscriber_text};
use crate::session::context::{Pause, Unblock};
use crate::session::denial::Scene;
use crate::session::limits::{is_idle_too_long, is_output_exceeded};
use crate::session::{Figures, Peers, Session, SessionCtx};
use crate::spec::{Command, Flags};

/// Requests of one client taken at a time.
const REQUESTS_MAX: usize = 64;

impl Program {
    /// Parses and executes what a client sent.
    pub(super) fn serve(&mut self, net: &mut Net, conn: ConnId) {
        loop {
            let Some(client) = self.clients.get_mut(conn) else { return };
            if client.waiting.is_some() {
                return;
            }
            let Some(session) = &client.session else { return };
            let limits = RequestLimits {
                authenticated: !session.must_authenticate(&self.acl),
                bulk_max: self.config.clients.proto_max_bulk_len,
                from_master: false,
            };
            let Some(mut input) = net.take_input(conn) else { return };
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            let outcome = client.parser.parse(&mut input, &limits, REQUESTS_MAX, 0, &mut batch);
            let (Some(mut session), Some(mut out)) = (client.session.take(), net.take_out(conn)) else {
                net.put_input(conn, input);
                return;
            };
            session.last_interaction = self.now.mono;
            let (act, end) = self.run_batch(net, &mut session, &batch, input.storage(), &mut out);
            if let Err(error) = &outcome
                && end.is_none()
            {
                tracing::debug!("Protocol error ({}) from client at {}", error.reason(), session.addr);
                error.answer(&mut Reply::new(&mut out, session.proto));
                session.marks.is_closing_after_reply = true;
            }
            let limit = self.config.clients.client_query_buffer_limit;
            let is_too_long = input.buffered() as u64 > limit;
            let is_closing = session.marks.is_closing_after_reply;
            let is_closing_asap = session.marks.is_closing_asap || is_too_long;
            if let Some(client) = self.clients.get_mut(conn) {
                client.session = Some(session);
                if let Some(end) = end {
                    client.parser.rewind(&mut input, end);
                }
            }
            self.batch = batch;
            net.put_out(conn, out);
            net.put_input(conn, input);
            self.close_killed(net);
            if is_closing_asap {
                net.close(conn);
                self.forget(conn);
                return;
            }
            if is_closing {
                net.close_after_flush(conn);
                return;
            }
            match act {
                Some(act) => {
                    self.act(net, conn, act);
                    // What the client sent behind this command is read once it has its answer.
                }
                None if outcome == Ok(Parsed::More) => {}
                None => return,
            }
        }
    }

    /// Runs requests up to the first that needs the core; that one's consequence, and where its request ended.
    fn run_batch(
        &mut self,
        net: &mut Net,
        session: &mut Session,
        batch: &Batch,
        storage: &[u8],
        out: &mut Out,
    ) -> (Option<Act>, Option<u32>) {
        for request in batch.requests() {
            let args = batch.args(request, storage);
            let act = self.execute(net, session, &args, out);
            session.command_ended();
            out.set_muted(false);
            for push in session.pending_pushes.drain(..) {
                out.append_shared(push);
            }
            if !matches!(act, Act::Answered) {
                return (Some(act), Some(request.end));
            }
            if session.marks.is_closing_after_reply || session.marks.is_closing_asap {
                return (None, Some(request.end));
            }
        }
        (None, None)
    }

    fn execute(&mut self, net: &mut Net, session: &mut Session, args: &Args<'_>, out: &mut Out) -> Act {
        self.figures.counters.total_commands_processed += 1;
        let table = Rc::clone(&self.table);
        out.set_muted(session.is_muted());
        let command = match table.lookup(args) {
            Ok(command) => command,
            Err(_) if refuse_web_request(session, args) => return Act::Answered,
            Err(error) => {
                Reply::new(out, session.proto).error(&error.text());
                return Act::Answered;
            }
        };
        if let Err(text) = self.admit(net, session, command, args) {
            Reply::new(out, session.proto).error(&text);
            return Act::Answered;
        }
        session.last_command = Some(command.id);
        match table.handler(command) {
            Handler::Session(handler) => {
                let Program { clients, acl, pubsub, figures, killed, rng, now, .. } = self;
                let mut peers = Others { clients, net, killed };
                let mut ctx = SessionCtx {
                    reply: Reply::new(out, session.proto),
                    session,
                    peers: &mut peers,
                    acl,
                    pubsub,
                    catalog: table.catalog(),
                    program: &figures.program,
                    now: *now,
                    rng,
                };
                let result = handler(&mut ctx, args);
                if let Err(error) = result {
                    Reply::new(out, session.proto).error(error.as_str());
                }
                Act::Answered
            }
            Handler::Sentinel(handler) => {
                self.refresh_figures();
                let view = View { sentinel: &self.core, figures: &self.figures, now: self.now };
                let mut reply = Reply::new(out, session.proto);
                match handler(&view, args, &mut reply) {
                    Ok(act) => act,
                    Err(text) => {
                        reply.error(&text);
                        Act::Answered
                    }
                }
            }
        }
    }

    fn admit(&mut self, net: &mut Net, session: &Session, command: &Command, args: &Args<'_>) -> Result<(), String> {
        if session.must_authenticate(&self.acl) && !command.flags.has(Flags::NO_AUTH) {
            return Err(NOAUTH.to_owned());
        }
        if let Some(user) = session.user
            && !self.acl.is_all_powerful(user)
        {
            self.acl.check(user, command, args).map_err(|denied| {
                let figures = Others { clients: &mut self.clients, net, killed: &mut self.killed }.figures(session.id);
                let catalog = self.table.catalog();
                let scene = Scene { session, figures: &figures, catalog, now: &self.now };
                scene.note_denied(&mut self.acl, command, args, &denied, Context::TopLevel);
                denied.text(&self.acl, user, command)
            })?;
        }
        let is_subscriber = session.proto == Proto::Resp2 && session.is_subscriber();
        if is_subscriber && !is_allowed_while_subscribed(command.meta.name) {
            return Err(subscriber_text(&command.full_name));
        }
        Ok(())
    }

    /// Hands a command to the core. The answer may come at once or later.
    fn act(&mut self, net: &mut Net, conn: ConnId, act: Act) {
        match act {
            Act::Answered => {}
            Act::Change(command) => {
                let slot = self.clients.wait(conn);
                self.feed(net, Input::Command { slot, command });
            }
            Act::Question(question) => {
                let slot = self.clients.wait(conn);
                self.feed(net, Input::Asked { slot, question });
            }
            Act::Hello(payload) => {
                self.feed(net, Input::Hello { payload: &payload });
                let proto = self.clients.get(conn).and_then(|c| c.session.as_ref()).map_or(Proto::Resp2, |s| s.proto);
                if let Some(out) = net.out(conn) {
                    Reply::new(out, proto).int(1);
                }
            }
            Act::Leave => {
                tracing::warn!("User requested shutdown...");
                net.stop();
            }
        }
    }

    /// Forgets a client whose connection is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.remove(conn)
            && let Some(session) = client.session
        {
            self.pubsub.remove_client(session.id);
        }
    }

    fn close_killed(&mut self, net: &mut Net) {
        for id in std::mem::take(&mut self.killed) {
            if let Some(conn) = self.clients.conn_of(id) {
                net.close(conn);
                self.forget(conn);
            }
        }
    }

    /// Closes a client that does not read what it asked for.
    pub(super) fn enforce_output_limit(&mut self, net: &mut Net, conn: ConnId) {
        let Some(waiting) = net.conn(conn).map(|socket| socket.out().len() as u64) else { return };
        let limits = self.config.clients.client_output_buffer_limit;
        let now = self.now.mono;
        let Some(session) = self.clients.get_mut(conn).and_then(|client| client.session.as_deref_mut()) else { return };
        let limit = session.limit_class().of(&limits);
        if is_output_exceeded(limit, waiting, &mut session.over_soft_limit_since, now) {
            tracing::warn!(
                "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                session.addr
            );
            net.close(conn);
            self.forget(conn);
        }
    }

    /// Ten times a second: speeds, idle clients, soft limits.
    pub(super) fn sample(&mut self, net: &mut Net) {
        let stats = net.stats();
        let counters = &mut self.figures.counters;
        counters.total_net_input_bytes = stats.bytes_in;
        counters.total_net_output_bytes = stats.bytes_out;
        counters.total_reads_processed = stats.reads;
        counters.total_writes_processed = stats.writes;
        counters.eventloop_cycles = stats.turns;
        counters.sample(self.now.mono);
        let (timeout, now) = (u64::from(self.config.clients.timeout), self.now.mono);
        for conn in self.clients.conns() {
            if net.conn(conn).is_some_and(|socket| !socket.out().is_empty()) {
                self.enforce_output_limit(net, conn);
            }
            let is_idle = |session: &Session| {
                !session.is_subscriber() && is_idle_too_long(session.last_interaction, timeout, now)
            };
            if timeout > 0 && self.clients.get(conn).and_then(|c| c.session.as_deref()).is_some_and(is_idle) {
                net.close(conn);
                self.forget(conn);
            }
        }
    }

    fn refresh_figures(&mut self) {
        self.figures.clients = self.clients.count();
        self.figures.waiting_clients = self.clients.waiting();
        self.figures.pubsub_clients = self.pubsub.clients_len();
        self.figures.log_level = self.config.logging.loglevel.as_str();
        self.figures.port = self.config.network.port;
    }
}

/// Appends a message to a client's output.
pub(super) fn deliver(clients: &Clients, net: &mut Net, to: ClientId, message: &Message<'_>) {
    let Some(conn) = clients.conn_of(to) else { return };
    let proto = clients.get(conn).and_then(|client| client.session.as_ref()).map_or(Proto::Resp2, |s| s.proto);
    if let Some(out) = net.out(conn) {
        out.append_shared(message.encoded(proto).clone());
    }
}

/// All clients but the caller.
struct Others<'a> {
    clients: &'a mut Clients,
    net: &'a mut Net,
    killed: &'a mut Vec<ClientId>,
}

impl Peers for Others<'_> {
    fn each(&self, visit: &mut dyn FnMut(&Session, &Figures)) {
        for session in self.clients.sessions() {
            visit(session, &self.figures(session.id));
        }
    }

    fn figures(&self, id: ClientId) -> Figures {
        let Some(conn) = self.clients.conn_of(id) else { return Figures::default() };
        let Some(socket) = self.net.conn(conn) else { return Figures::default() };
        let (input, out) = (socket.input(), socket.out());
        Figures {
            fd: i64::from(socket.fd()),
            qbuf: input.buffered() as u64,
            qbuf_free: input.memory().saturating_sub(input.buffered()) as u64,
            obl: out.len() as u64,
            oll: out.chunks() as u64,
            omem: out.memory() as u64,
            buffers: (input.memory() + out.memory()) as u64,
            is_reading: true,
            is_writing: !out.is_empty(),
            ..Figures::default()
        }
    }

    fn kill(&mut self, id: ClientId) {
        self.killed.push(id);
    }

    fn unblock(&mut self, _: ClientId, how: Unblock) -> bool {
        cannot_unblock(how)
    }

    fn deliver(&mut self, to: ClientId, message: &Message<'_>) {
        deliver(self.clients, self.net, to, message);
    }

    fn pause(&mut self, _: Instant, _: Pause) {}

    fn unpause(&mut self) {}
}
