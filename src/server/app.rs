//! The server as the event loop sees it: what happens when somebody connects, sends, leaves, or time passes.

use std::io;
use std::net::IpAddr;

use crate::base::time::{Instant, Now};
use crate::net::{App, Closed, ConnId, ListenerId, Net, Signal, TimerKey, error_text};
use crate::resp::ahead::Ahead;
use crate::server::{Server, Turn};
use crate::session::limits::is_output_exceeded;
use crate::session::{Kind, Session};

/// What an outsider is told when the server is open to nobody but this machine.
const PROTECTED: &str = "DENIED Redis is running in protected mode because protected mode is enabled and no password is \
    set for the default user. In this mode connections are only accepted from the loopback interface. To connect from \
    another computer, do one of the following: 1) set a password for the default user; 2) bind to the addresses that \
    clients may use and switch protected mode off with 'CONFIG SET protected-mode no', if the network in front of this \
    server lets only friends through; 3) the same in the config file, followed by a restart; 4) start the server with \
    '--protected-mode no'. Make sure that the server is not reachable from the internet.";

impl App for Server {
    fn accepted(&mut self, net: &mut Net, conn: ConnId, _: ListenerId) {
        self.engine.now = net.now();
        let Some(socket) = net.conn(conn) else { return };
        let (addr, laddr, is_unix, is_local) =
            (socket.peer_text(), socket.local_text(), socket.is_unix(), socket.is_local());
        let config = &self.engine.config;
        self.engine.counters.total_connections_received += 1;
        let refusal = if self.clients.len() >= config.clients.maxclients as usize {
            Some("ERR max number of clients reached")
        } else if config.network.protected_mode && self.engine.acl.is_default_nopass() && !is_local {
            Some(PROTECTED)
        } else {
            None
        };
        if let Some(text) = refusal {
            self.engine.counters.rejected_connections += 1;
            if let Some(out) = net.out(conn) {
                out.append(format!("-{text}\r\n").as_bytes());
            }
            net.close_after_flush(conn);
            return;
        }
        let id = self.clients.next_id();
        let session = Session::new(id, &addr, &laddr, is_unix, &self.engine.acl, self.engine.now.mono);
        tracing::trace!("Accepted {addr}");
        self.clients.add(conn, session);
        self.engine.counters.peak_clients = self.engine.counters.peak_clients.max(self.clients.len() as u64);
    }

    fn lend_parser(&mut self, conn: ConnId) -> Option<Ahead> {
        self.lend_to_reader(conn)
    }

    fn parsed(&mut self, conn: ConnId, ahead: Ahead) {
        self.parsed_ahead(conn, ahead);
    }

    fn received(&mut self, net: &mut Net, ready: &[ConnId]) {
        Turn { server: self, net }.serve(ready);
    }

    fn connected(&mut self, net: &mut Net, conn: ConnId, result: io::Result<()>) {
        self.engine.now = net.now();
        Turn { server: self, net }.link_connected(conn, result);
    }

    fn closed(&mut self, net: &mut Net, conn: ConnId, reason: Closed) {
        self.engine.now = net.now();
        let mut turn = Turn { server: self, net };
        turn.link_closed(conn, &reason);
        if let Some(session) = turn.server.clients.get(conn).and_then(|client| client.session.as_deref()) {
            let text = turn.describe(session);
            match reason {
                Closed::End => tracing::debug!("Client closed connection {text}"),
                Closed::ReadFailed(error) => tracing::debug!("Reading from client: {} {text}", error_text(&error)),
                Closed::WriteFailed(error) => tracing::debug!("Error writing to client: {} {text}", error_text(&error)),
                Closed::Flushed => {}
            }
        }
        turn.forget(conn);
    }

    fn congested(&mut self, net: &mut Net, conn: ConnId) {
        self.engine.now = net.now();
        Turn { server: self, net }.enforce_output_limit(conn);
    }

    fn drained(&mut self, net: &mut Net, conn: ConnId) {
        self.engine.now = net.now();
        Turn { server: self, net }.link_drained(conn);
    }

    fn timer(&mut self, _: &mut Net, _: TimerKey) {}

    fn woken(&mut self, net: &mut Net) {
        // What other threads have sent is looked at when the turn ends.
        self.engine.now = net.now();
    }

    fn resolved(&mut self, net: &mut Net, tag: u64, result: io::Result<Vec<IpAddr>>) {
        self.engine.now = net.now();
        Turn { server: self, net }.link_resolved(tag, result);
    }

    fn signal(&mut self, net: &mut Net, signal: Signal) {
        self.engine.now = net.now();
        let mut turn = Turn { server: self, net };
        let process = &turn.server.engine.config.process;
        let wish = match signal {
            Signal::Terminate => process.shutdown_on_sigterm,
            Signal::Interrupt => process.shutdown_on_sigint,
        };
        match signal {
            Signal::Terminate => tracing::warn!("Received SIGTERM scheduling shutdown..."),
            Signal::Interrupt => tracing::warn!("Received SIGINT scheduling shutdown..."),
        }
        if turn.server.pending_shutdown.is_some() {
            // Asked again: no more waiting.
            let wish = crate::server::shutdown::Wish { now: true, ..wish.into() };
            turn.abort_shutdown();
            turn.shut_down(wish);
            return;
        }
        if turn.server.is_cron_paused {
            turn.server.signalled_shutdown = Some(wish.into());
            return;
        }
        turn.shut_down_for_signal(wish.into());
    }

    fn accept_failed(&mut self, _: &mut Net, _: ListenerId, error: io::Error) {
        tracing::warn!("Accepting client connection: accept: {}", error_text(&error));
    }

    fn handshake_failed(&mut self, _: &mut Net, peer: &str, local: &str, error: &io::Error) {
        // Whoever only looks whether the port is open would fill the log.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => tracing::debug!("A client left during its TLS handshake (addr={peer})"),
            _ => tracing::warn!("Error accepting a client connection: {error} (addr={peer} laddr={local})"),
        }
    }

    fn before_sleep(&mut self, net: &mut Net, now: Now) -> Option<Instant> {
        self.engine.now = now;
        Turn { server: self, net }.end_turn()
    }
}

impl Turn<'_> {
    /// Closes a client whose unsent output is over its limit.
    pub fn enforce_output_limit(&mut self, conn: ConnId) {
        let Some(waiting) = self.net.conn(conn).map(|socket| socket.out().len()) else { return };
        let Some(mut session) = self.server.clients.get_mut(conn).and_then(|client| client.session.take()) else {
            return;
        };
        let is_over = self.is_output_over(&mut session, waiting);
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.session = Some(session);
        }
        if is_over {
            self.close(conn);
        }
    }

    /// From how much output on a client is closed at once; zero for never.
    pub fn output_bound(&self, session: &Session) -> usize {
        match session.kind {
            Kind::Master | Kind::Replica => 0,
            _ => session.limit_class().of(&self.server.engine.config.clients.client_output_buffer_limit).hard as usize,
        }
    }

    /// Whether a client with so many bytes of output is to be closed for it; then that is logged and counted.
    pub fn is_output_over(&mut self, session: &mut Session, waiting: usize) -> bool {
        // How far a replica may lag is the business of replication.
        if matches!(session.kind, Kind::Master | Kind::Replica) {
            return false;
        }
        let engine = &mut self.server.engine;
        let limit = session.limit_class().of(&engine.config.clients.client_output_buffer_limit);
        let is_over = is_output_exceeded(limit, waiting as u64, &mut session.over_soft_limit_since, engine.now.mono);
        if is_over {
            engine.counters.client_output_buffer_limit_disconnections += 1;
            let text = self.describe(session);
            tracing::warn!("Client {text} scheduled to be closed ASAP for overcoming of output buffer limits.");
        } else if session.over_soft_limit_since.is_some() {
            self.server.over_soft_limit.insert(session.id);
        }
        is_over
    }
}
