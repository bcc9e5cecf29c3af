//! The shell around the core: sockets, clients, the config file, scripts, names. It decides nothing.
//!
//! ```text
//!   clients ── commands ──► Act ─┐                       ┌─► links: connect, send, close
//!   links ──── answers ──────────┼─► core.handle(Input) ─┼─► store: write the state, then tell the core
//!   store, scripts, names, time ─┘        Outputs        ├─► clients: answers, events as messages
//!                                                        └─► log, scripts, names
//! ```
//!
//! [`Program::feed`] is the only place that calls the core, and performs what it asks for in order before anything else
//! happens. A client whose command waits for an answer (the disk has to come first) is not read until it has it.

pub mod boot;
mod clients;
mod links;
mod scripts;
mod serve;
mod store;

pub use boot::{check, run};

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::acl::Acl;
use crate::base::files::RealFiles;
use crate::base::id::HexId;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::config::model::Config;
use crate::config::startup;
use crate::config::values::LogLevel;
use crate::net::{App, Closed, ConnId, DialOptions, ListenerId, MailSender, Mailbox, Net, Signal};
use crate::pubsub::PubSub;
use crate::resp::link::Incoming;
use crate::resp::parser::Batch;
use crate::resp::reply::{Proto, Reply};
use crate::sentinel::commands::SentinelHandler;
use crate::sentinel::core::Sentinel;
use crate::sentinel::core::io::{
    CommandReply, Event, Input, JobId, Level, LinkKind, LogLine, Output, Outputs, ResolveId, ScriptEnd, Tag, Ticket,
};
use crate::session::context::Unblock;
use crate::session::{Program as About, Session, SessionHandler};
use crate::spec::{Catalog, Table};
use crate::stats::counters::Counters;

use clients::Clients;
use links::Links;
use store::{Store, Written};

/// What runs when a command is called.
pub enum Handler {
    /// The client's own session, shared with the data server.
    Session(SessionHandler),
    /// The Sentinel.
    Sentinel(SentinelHandler),
}

/// The Sentinel's command table.
pub type SentinelTable = Table<Handler>;

/// What commands can learn about the program.
pub struct Figures {
    table: Rc<SentinelTable>,
    /// Version and role.
    pub program: About,
    /// New at each start.
    pub run_id: HexId,
    /// When it started.
    pub started: Instant,
    /// The listening port.
    pub port: u16,
    /// The config file.
    pub config_file: String,
    /// Connected clients.
    pub clients: usize,
    /// The most there may be.
    pub maxclients: u32,
    /// Clients that wait for an answer.
    pub waiting_clients: usize,
    /// Clients with subscriptions.
    pub pubsub_clients: usize,
    /// Counters.
    pub counters: Counters,
    /// Writes of the config file.
    pub config_writes: u64,
    /// The longest of them.
    pub config_write_longest_us: u64,
    /// The log level.
    pub log_level: &'static str,
}

impl Figures {
    /// The program's commands.
    pub fn catalog(&self) -> &Catalog {
        self.table.catalog()
    }
}

/// Something for the core that came up while outputs were performed.
enum Later {
    Started(JobId, i64),
    NotStarted(JobId, ScriptEnd),
}

/// The Sentinel program.
pub struct Program {
    core: Sentinel,
    outputs: Outputs,
    later: VecDeque<Later>,
    clients: Clients,
    links: Links,
    store: Store,
    table: Rc<SentinelTable>,
    acl: Acl,
    pubsub: PubSub,
    config: Config,
    figures: Figures,
    batch: Batch,
    rng: Rng,
    now: Now,
    killed: Vec<crate::base::id::ClientId>,
    written: Mailbox<Written>,
    scripts: Mailbox<scripts::Ended>,
    script_mail: MailSender<scripts::Ended>,
    /// The last ticket of this turn: one write serves them all.
    asked: Option<Ticket>,
    next_sample: Instant,
    next_tls_look: Instant,
}

impl Program {
    /// Tells the core what happened, and performs what it asks for.
    fn feed(&mut self, net: &mut Net, input: Input<'_>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.core.handle(self.now, input, &mut outputs);
        self.perform(net, &mut outputs);
        while let Some(later) = self.later.pop_front() {
            let input = match later {
                Later::Started(job, pid) => Input::ScriptStarted { job, pid },
                Later::NotStarted(job, end) => Input::ScriptEnded { job, end },
            };
            self.core.handle(self.now, input, &mut outputs);
            self.perform(net, &mut outputs);
        }
        self.outputs = outputs;
    }

    fn perform(&mut self, net: &mut Net, outputs: &mut Outputs) {
        for output in outputs.drain() {
            match output {
                Output::Connect { conn, kind, ip, port } => {
                    let source = self.config.network.bind_source_addr.parse().ok();
                    let is_tls = self.config.tls.tls_replication;
                    let options = DialOptions { source, is_tls, ..DialOptions::default() };
                    let made = net.dial(SocketAddr::new(ip, port), &options);
                    self.links.add(conn, kind, made);
                }
                Output::Disconnect { conn } => {
                    if let Some(conn) = self.links.remove(conn) {
                        net.close(conn);
                    }
                }
                Output::Send { conn, command, tag } => {
                    let Some(conn) = self.links.conn_of(conn) else { continue };
                    let Some(link) = self.links.get_mut(conn) else { continue };
                    let Some(out) = net.out(conn) else { continue };
                    let args = command.as_args();
                    if link.kind == LinkKind::PubSub && tag == Tag::Subscribe {
                        let words: Vec<&[u8]> = args.iter().collect();
                        link.link.subscribe(out, tag, &words);
                    } else {
                        link.link.send_args(out, tag, &args);
                    }
                }
                Output::Persist(ticket) => self.asked = Some(ticket),
                Output::Reply { slot, reply } => {
                    if let Some(conn) = self.clients.answered(slot) {
                        self.answer(net, conn, &reply);
                        net.announce(conn);
                    }
                }
                Output::Event(event) => self.tell(net, &event),
                Output::Log(LogLine::Text(level, text)) => log(level, &text),
                Output::Log(LogLine::FailoverDelay(until)) => {
                    let until = crate::base::log::ctime_text(until);
                    log(Level::Notice, &format!("Next failover delay: I will not start a failover before {until}"));
                }
                Output::RunScript { job, argv } => {
                    self.later.push_back(match scripts::start(job, &argv, self.script_mail.clone()) {
                        Ok(pid) => Later::Started(job, pid),
                        Err(end) => Later::NotStarted(job, end),
                    });
                }
                Output::KillScript { pid, .. } => scripts::kill(pid),
                Output::Resolve { id, host } => net.resolve(id.0, &host),
                Output::SetLogLevel(word) => {
                    if let Some(level) = LogLevel::from_word(word.as_bytes()) {
                        startup::set_log_level(level);
                        self.config.logging.loglevel = level;
                    }
                }
                Output::Exit(code) => std::process::exit(code),
            }
        }
    }

    /// Writes the state if the core asked for it in this turn.
    fn persist(&mut self) {
        if let Some(ticket) = self.asked.take() {
            // With a file of their own, users have no place here.
            let users = if self.acl.file.is_some() { Vec::new() } else { self.acl.lines() };
            self.store.persist(ticket, &self.config, &self.core.state_lines(), users);
        }
    }

    /// Looks, once a second, whether somebody has put new certificates in place.
    fn refresh_tls(&mut self, net: &mut Net) {
        let is_time = self.now.mono >= self.next_tls_look;
        if !is_time || !self.config.tls.is_wanted() {
            return;
        }
        self.next_tls_look = self.now.mono + 1000;
        match net.refresh_tls(&self.config.tls.settings(), &RealFiles) {
            None => {}
            Some(Ok(context)) => {
                tracing::info!("TLS certificates have changed and are used for new connections from now on.");
                context.warnings.iter().for_each(|text| tracing::warn!("{text}"));
            }
            Some(Err(error)) => tracing::warn!("TLS files have changed and cannot be used; the old ones stay: {error}"),
        }
    }

    fn answer(&mut self, net: &mut Net, conn: ConnId, reply: &CommandReply) {
        let proto = self.clients.get(conn).and_then(|client| client.session.as_ref()).map_or(Proto::Resp2, |s| s.proto);
        let Some(out) = net.out(conn) else { return };
        let mut writer = Reply::new(out, proto);
        match reply {
            CommandReply::Ok => writer.ok(),
            CommandReply::Int(number) => writer.int(*number),
            CommandReply::Error(text) => writer.error(text),
            CommandReply::Down { down, leader, leader_epoch } => {
                writer.array(3);
                writer.int(i64::from(*down));
                match leader {
                    Some(id) => writer.bulk(id.as_bytes()),
                    None => writer.bulk(b"*"),
                }
                writer.int(*leader_epoch as i64);
            }
        }
    }

    /// Logs an event and tells its subscribers.
    fn tell(&mut self, net: &mut Net, event: &Event) {
        log(event.level, &format!("{} {}", event.name, event.payload));
        if event.level == Level::Debug {
            return;
        }
        let Program { pubsub, clients, .. } = self;
        pubsub.publish(event.name.as_bytes(), event.payload.as_bytes(), &mut |id, message| {
            serve::deliver(clients, net, id, message);
        });
    }

    /// Answers and messages from masters, replicas and other Sentinels.
    fn link_received(&mut self, net: &mut Net, conn: ConnId) {
        let Some(mut input) = net.take_input(conn) else { return };
        while let Some(link) = self.links.get_mut(conn) {
            let (id, kind) = (link.id, link.kind);
            match link.link.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Incoming::Reply { tag, value })) => {
                    self.feed(net, Input::Reply { conn: id, tag, value: &value })
                }
                Ok(Some(Incoming::Push(items))) => {
                    if kind == LinkKind::PubSub
                        && items.len() == 3
                        && items[0].text() == Some(b"message")
                        && let Some(payload) = items[2].text()
                    {
                        self.feed(net, Input::Published { conn: id, payload });
                    }
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.links.remove(id);
                    net.close(conn);
                    self.feed(net, Input::Closed { conn: id, reason: &reason });
                    break;
                }
            }
        }
        net.put_input(conn, input);
    }

    fn look_into_mailboxes(&mut self, net: &mut Net) {
        let written: Vec<Written> = self.written.drain().collect();
        for Written { ticket, result, took_us } in written {
            self.store.ended();
            self.figures.config_writes += 1;
            self.figures.config_write_longest_us = self.figures.config_write_longest_us.max(took_us);
            match result {
                Ok(()) => {
                    tracing::info!("Sentinel new configuration saved on disk");
                    self.feed(net, Input::Persisted { ticket });
                }
                Err(error) => {
                    tracing::warn!("WARNING: Sentinel was not able to save the new configuration on disk!!!: {error}");
                    self.feed(net, Input::PersistFailed { ticket });
                }
            }
        }
        let ended: Vec<scripts::Ended> = self.scripts.drain().collect();
        for scripts::Ended { job, end } in ended {
            self.feed(net, Input::ScriptEnded { job, end });
        }
    }
}

fn log(level: Level, text: &str) {
    match level {
        Level::Debug => tracing::trace!("{text}"),
        Level::Verbose => tracing::debug!("{text}"),
        Level::Notice => tracing::info!("{text}"),
        Level::Warning => tracing::warn!("{text}"),
    }
}

impl App for Program {
    fn accepted(&mut self, net: &mut Net, conn: ConnId, _: ListenerId) {
        self.now = net.now();
        let Some(socket) = net.conn(conn) else { return };
        let (addr, laddr) = (socket.peer_text(), socket.local_text());
        let (is_unix, is_local) = (socket.is_unix(), socket.is_local());
        self.figures.counters.total_connections_received += 1;
        let refusal = if self.clients.count() >= self.config.clients.maxclients as usize {
            Some("-ERR max number of clients reached\r\n")
        } else if self.config.network.protected_mode && self.acl.is_default_nopass() && !is_local {
            Some(
                "-DENIED Running in protected mode because protected mode is enabled and no password is set for the \
                 default user. In this mode connections are only accepted from the loopback interface.\r\n",
            )
        } else {
            None
        };
        if let Some(text) = refusal {
            self.figures.counters.rejected_connections += 1;
            if let Some(out) = net.out(conn) {
                out.append(text.as_bytes());
            }
            net.close_after_flush(conn);
            return;
        }
        let id = self.clients.next_id();
        self.clients.add(conn, Session::new(id, &addr, &laddr, is_unix, &self.acl, self.now.mono));
    }

    fn received(&mut self, net: &mut Net, ready: &[ConnId]) {
        self.now = net.now();
        for &conn in ready {
            if self.links.get_mut(conn).is_some() {
                self.link_received(net, conn);
            } else {
                self.serve(net, conn);
            }
        }
    }

    fn connected(&mut self, net: &mut Net, conn: ConnId, result: io::Result<()>) {
        self.now = net.now();
        let Some(id) = self.links.id_of(conn) else { return };
        match result {
            Ok(()) => {
                let local = net.conn(conn).and_then(|socket| socket.local_address());
                let local_ip = local.map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip().to_canonical());
                self.feed(net, Input::Connected { conn: id, local_ip });
            }
            Err(error) => {
                self.links.remove(id);
                self.feed(net, Input::Closed { conn: id, reason: &error.to_string() });
            }
        }
    }

    fn closed(&mut self, net: &mut Net, conn: ConnId, reason: Closed) {
        self.now = net.now();
        if let Some(id) = self.links.id_of(conn) {
            self.links.remove(id);
            let reason = match reason {
                Closed::End => "Server closed the connection".to_owned(),
                Closed::ReadFailed(error) | Closed::WriteFailed(error) => error.to_string(),
                Closed::Flushed => "closed".to_owned(),
            };
            self.feed(net, Input::Closed { conn: id, reason: &reason });
            return;
        }
        self.forget(conn);
    }

    fn congested(&mut self, net: &mut Net, conn: ConnId) {
        self.now = net.now();
        self.enforce_output_limit(net, conn);
    }

    fn woken(&mut self, net: &mut Net) {
        self.now = net.now();
        self.look_into_mailboxes(net);
    }

    fn resolved(&mut self, net: &mut Net, tag: u64, result: io::Result<Vec<IpAddr>>) {
        self.now = net.now();
        let ip = result.ok().and_then(|addresses| addresses.first().copied());
        self.feed(net, Input::Resolved { id: ResolveId(tag), ip });
    }

    fn signal(&mut self, net: &mut Net, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
        };
        tracing::warn!("Received {name} scheduling shutdown...");
        net.stop();
    }

    fn accept_failed(&mut self, _: &mut Net, _: ListenerId, error: io::Error) {
        tracing::warn!("Accepting client connection: {error}");
    }

    fn handshake_failed(&mut self, _: &mut Net, peer: &str, local: &str, error: &io::Error) {
        // Whoever only looks whether the port is open would fill the log.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => tracing::debug!("A client left during its TLS handshake (addr={peer})"),
            _ => tracing::warn!("Error accepting a client connection: {error} (addr={peer} laddr={local})"),
        }
    }

    fn before_sleep(&mut self, net: &mut Net, now: Now) -> Option<Instant> {
        self.now = now;
        if self.core.next_deadline().is_some_and(|deadline| deadline <= now.mono) {
            self.feed(net, Input::Timer);
        }
        self.persist();
        if now.mono >= self.next_sample {
            self.next_sample = now.mono + 100;
            self.refresh_tls(net);
            self.sample(net);
        }
        let due = self.core.next_deadline().unwrap_or(self.next_sample).min(self.next_sample);
        Some(due)
    }
}

/// A Sentinel's clients block only for the core's answers, which nobody may cut short.
fn cannot_unblock(_: Unblock) -> bool {
    false
}
