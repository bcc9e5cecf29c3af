//! Replication: the shell around `repl`.
//!
//! The machines in [`Node`] decide; here their requests become sockets, files and changes of the data set.
//!
//! ```text
//!   executed commands ──journal──► drain ──► Node: backlog ──feed──► connections of replicas
//!   connection to our master ──► link.rs: handshake, snapshot, stream ──► executed, then Node: backlog
//!   snapshots for replicas: send.rs
//! ```
//!
//! One rule keeps the stream and the data together: whatever was executed is in the [`Node`] before the machines hear of
//! anything else. So the journal is drained first in [`Turn::repl`], and a snapshot's offset is exactly that of its data.

mod link;
mod send;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use tracing::warn;

use crate::base::id::ClientId;
use crate::base::log;
use crate::base::rng::Rng;
use crate::base::time::Instant;
use crate::config::model::Config;
use crate::exec::blocked::{self, End};
use crate::net::ConnId;
use crate::persist::aof::place::Place;
use crate::persist::rdb_load::Gone;
use crate::rdb::header::Facts;
use crate::repl::backlog::Chunk;
use crate::repl::master::feed::Room;
use crate::repl::node::Position;
use crate::repl::{HostPort, Input, Node, Output, Settings};
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::parser::Batch;
use crate::server::clients::BlockReason;
use crate::server::expected::Expected;
use crate::server::pause::Reason;
use crate::server::{Server, Turn};
use crate::session::Kind;
use crate::session::context::Pause;

use super::transfer::Transfer;
use send::FileSend;

/// A replica's connection is given more of the stream while less than this waits to be sent.
const WINDOW: usize = 1024 * 1024;

/// And looked at again when so little is left.
const WINDOW_LOW: usize = 256 * 1024;

/// The same for the end of the stream, which is still being filled and is copied for each replica: of the copies this much and a
/// block is held at most. What waits here waits because the socket is full, so nobody who reads is kept from anything.
const COPIED_WINDOW: usize = 64 * 1024;
const COPIED_WINDOW_LOW: usize = 16 * 1024;

/// Replication state of the server, and what its shell needs beside it.
pub struct Replication {
    /// The machines.
    pub node: Node,
    /// The connection to our master.
    link: Option<ConnId>,
    /// Reading from it was stopped.
    is_link_paused: bool,
    /// The look-up of our master's name under way, and the port to dial then.
    look_up: Option<(u64, u16)>,
    last_tag: u64,
    /// What the journal had written when it was last drained.
    drained: u64,
    /// The master asked for an acknowledgement in what is being executed.
    pub is_ack_asked: bool,
    /// Stream bytes of a transaction that is not complete.
    unapplied: Vec<u8>,
    batch: Batch,
    expected: Expected,
    /// Where replies to the master's commands go to be looked at.
    replies: Out,
    /// The snapshot that arrives.
    pub(super) transfer: Option<Transfer>,
    /// When the transfer needs its next turn.
    transfer_next: Option<Instant>,
    files: Vec<FileSend>,
    /// Replicas that take part in a snapshot to sockets.
    members: Vec<ConnId>,
    /// More of the backlog could be freed.
    is_trimming: bool,
    /// What each replication link had received and sent when that was last added to the counters.
    traffic: HashMap<ConnId, (u64, u64)>,
}

/// How often replicas were synchronised.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncFigures {
    /// Full resyncs.
    pub full: u64,
    /// Partial resyncs.
    pub partial_ok: u64,
    /// Requests for one that were refused.
    pub partial_err: u64,
}

impl Replication {
    /// A master without replicas, or a replica that has not connected yet.
    pub fn new(config: &Config, rng: Rng, now: Instant) -> Replication {
        let mut node = Node::new(settings(config), rng);
        if let Some(master) = &config.replication.replicaof {
            node.start_as_replica(now, HostPort { host: master.host.clone(), port: master.port });
        }
        Replication {
            node,
            link: None,
            is_link_paused: false,
            look_up: None,
            last_tag: 0,
            drained: 0,
            is_ack_asked: false,
            unapplied: Vec::new(),
            batch: Batch::new(),
            expected: Expected::default(),
            replies: Out::new(),
            transfer: None,
            transfer_next: None,
            files: Vec::new(),
            members: Vec::new(),
            is_trimming: false,
            traffic: HashMap::new(),
        }
    }
}

/// What the machines need of the configuration.
fn settings(config: &Config) -> Settings {
    let replication = &config.replication;
    let limit = config.clients.client_output_buffer_limit.replica;
    let millis = |seconds: u64| seconds.saturating_mul(1000);
    Settings {
        timeout_ms: millis(replication.repl_timeout.into()),
        ping_period_ms: millis(replication.repl_ping_replica_period.into()),
        backlog_size: replication.repl_backlog_size,
        backlog_ttl_ms: millis(replication.repl_backlog_ttl),
        diskless: replication.repl_diskless_sync,
        diskless_delay_ms: millis(replication.repl_diskless_sync_delay.into()),
        diskless_max_replicas: replication.repl_diskless_sync_max_replicas,
        min_replicas: replication.min_replicas_to_write,
        min_replicas_max_lag: replication.min_replicas_max_lag,
        output_hard: limit.hard,
        output_soft: limit.soft,
        output_soft_ms: millis(limit.soft_seconds),
        saves: !config.persistence.save.is_empty(),
        master_user: replication.masteruser.clone(),
        master_auth: replication.masterauth.clone(),
        announce_port: match replication.replica_announce_port {
            0 => config.tls.announced_port(config.network.port),
            port => port,
        },
        announce_ip: replication.replica_announce_ip.clone(),
        guards_data: replication.newborn_master_protection,
    }
}

/// The parts of `whole` that are in none of `holes`, which are in order.
fn without(whole: Range<u64>, holes: &[Range<u64>]) -> impl Iterator<Item = Range<u64>> {
    let starts = std::iter::once(whole.start).chain(holes.iter().map(|hole| hole.end));
    let ends = holes.iter().map(|hole| hole.start).chain(std::iter::once(whole.end));
    let parts = starts.zip(ends).map(move |(start, end)| start.max(whole.start)..end.min(whole.end));
    parts.filter(|part| part.start < part.end)
}

/// The address in `ip:port` or `[ip]:port`.
pub fn ip_of(addr: &str) -> &str {
    let ip = addr.rsplit_once(':').map_or(addr, |(ip, _)| ip);
    ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip)
}

impl Server {
    /// Number of the last stream byte, what waits in the journal included.
    pub fn stream_end(&self) -> u64 {
        let waiting = if self.repl.node.is_replica() { 0 } else { self.undrained_bytes() };
        self.repl.node.history().end() + waiting
    }

    /// Bytes of the stream that are still in the journal.
    pub fn undrained_bytes(&self) -> u64 {
        self.engine.journal.written() - self.repl.drained
    }

    /// Bytes that the backlog and the replicas' buffers occupy.
    pub fn replication_memory(&self) -> u64 {
        self.repl.node.history().backlog().map_or(0, |backlog| backlog.memory())
    }

    /// For INFO stats.
    pub fn sync_figures(&self) -> SyncFigures {
        let counters = self.repl.node.master().counters;
        SyncFigures {
            full: counters.sync_full,
            partial_ok: counters.sync_partial_ok,
            partial_err: counters.sync_partial_err,
        }
    }

    /// Where the stream stands with everything that was drained from the journal; for the append only file.
    pub fn stream_place(&self) -> Option<Place> {
        let node = &self.repl.node;
        let position = node.position(0)?;
        Some(Place { id: position.id, end: position.end, db: position.db, is_ours: !node.is_replica() })
    }

    /// Replicas that have not confirmed everything.
    pub fn lagging_replicas(&self) -> usize {
        if self.repl.node.is_replica() { 0 } else { self.repl.node.master().lagging(self.stream_end()) }
    }

    /// Logs who lags, before leaving.
    pub fn report_lagging_replicas(&self) {
        let now = self.engine.now.mono;
        let end = self.stream_end();
        let replicas = self.repl.node.master().replicas();
        for replica in replicas.iter().filter(|replica| replica.acked() < end) {
            warn!(
                "Lagging replica {} reported offset {} behind master, lag={}, state={}.",
                replica.name(),
                end - replica.acked(),
                replica.lag_secs(now),
                replica.state_name()
            );
        }
        if !replicas.is_empty() {
            let synced = replicas.len() - self.lagging_replicas();
            warn!("{synced} of {} replicas are in sync when shutting down.", replicas.len());
        }
    }

    /// How many replicas have this offset on disk.
    pub fn replicas_synced_to(&self, offset: u64) -> usize {
        self.repl.node.master().fsynced_by(offset)
    }

    /// Whether our own AOF has this offset on disk.
    pub fn is_synced_to(&self, offset: u64) -> bool {
        self.aof.synced_offset().is_some_and(|synced| synced >= offset)
    }

    /// How many replicas have confirmed this offset.
    pub fn replicas_at(&self, offset: u64) -> usize {
        self.repl.node.master().acked_by(offset)
    }

    /// What the gates must know of replication, and whether the journal is read by anybody.
    pub fn refresh_replication_facts(&mut self) {
        let node = &self.repl.node;
        let facts = &mut self.engine.facts;
        let role_changed = facts.is_replica != node.is_replica();
        facts.is_replica = node.is_replica();
        facts.is_master_link_up = node.link_up() == Some(true);
        facts.lacks_good_replicas = node.lacks_good_replicas();
        self.engine.journal.set_on(node.wants_stream() || self.aof.takes_changes());
        if role_changed {
            log::set_role(if facts.is_replica { log::Role::Replica } else { log::Role::Master });
            self.refresh_facts();
            self.adjust_oom_score();
        }
    }
}

impl Turn<'_> {
    /// Tells the machines what happened, and does what they ask for.
    pub fn repl(&mut self, input: Input<'_>) {
        self.drain_journal();
        let now = self.net.now().mono;
        let mut out = Vec::new();
        self.server.repl.node.handle(now, input, &mut out);
        self.carry_out(out);
    }

    /// Moves what was executed into the backlog and the append only file.
    pub fn drain_journal(&mut self) {
        let server = &mut *self.server;
        let for_file = server.engine.journal.take_file_only();
        if server.engine.journal.written() == server.repl.drained && for_file.is_empty() {
            return;
        }
        let mut position = std::mem::replace(&mut server.repl.drained, server.engine.journal.written());
        let for_replicas = server.engine.journal.take_replicas_only();
        let stamp = server.engine.config.persistence.aof_timestamp_enabled.then(|| server.engine.now.wall().as_secs());
        let mut for_file = for_file.into_iter().peekable();
        let for_aof = server.aof.takes_changes();
        for chunk in server.engine.journal.drain() {
            let end = position + chunk.len() as u64;
            if for_aof {
                // What a replica executes is in the stream before it is here; only the end of the turn knows where it stands.
                let place = server.stream_place().filter(|place| place.is_ours);
                for mut part in without(position..end, &for_replicas) {
                    while part.start < part.end {
                        while let Some((_, aside)) = for_file.next_if(|(at, _)| *at <= part.start) {
                            server.aof.add(aside, stamp);
                        }
                        let until = for_file.peek().map_or(part.end, |(at, _)| part.end.min(*at));
                        let before = part.start - position;
                        server.aof.stream_is_at(place.map(|place| Place { end: place.end + before, ..place }));
                        server.aof.add(chunk.slice(before as usize..(until - position) as usize), stamp);
                        part.start = until;
                    }
                }
            }
            position = end;
            server.repl.node.propagate_shared(chunk);
        }
        if for_aof {
            for_file.for_each(|(_, aside)| server.aof.add(aside, stamp));
        }
        server.aof.stream_is_in(server.engine.journal.selected().unwrap_or(0) as u32);
    }

    /// The data have been loaded from a file that says this about itself. `gone` was in the file but is not in the data:
    /// a replica that goes on from the file's position is told first of all.
    pub fn restore_replication(&mut self, facts: &Facts, gone: &Gone) {
        let now = self.net.now().mono;
        let end_max = i64::MAX as u64 / 2;
        if let Some(repl) = facts.repl()
            && let (Ok(end), Ok(db)) = (u64::try_from(repl.offset), u32::try_from(repl.stream_db))
            && end <= end_max
        {
            self.server.repl.node.restore(now, Position { id: repl.id, end, db });
        }
        self.server.refresh_replication_facts();
        let engine = &mut self.server.engine;
        let word: &[u8] = if engine.config.memory.lazyfree_lazy_expire { b"UNLINK" } else { b"DEL" };
        engine.journal.bare_unit();
        for (db, key) in gone {
            engine.journal.append(*db as usize, &OwnedArgs::of(&[word, key]).as_args());
        }
        engine.journal.close_unit();
    }

    /// REPLICAOF host port.
    pub fn follow(&mut self, master: HostPort) {
        self.repl(Input::ReplicaOf(master));
    }

    /// REPLICAOF NO ONE.
    pub fn become_master(&mut self) {
        self.repl(Input::Promote);
    }

    /// The machines have another master now, or none.
    fn master_is(&mut self, master: Option<HostPort>) {
        let was_master = self.server.engine.config.replication.replicaof.is_none();
        if master.is_some() && was_master {
            self.end_blocking_commands();
        }
        self.server.engine.config.replication.replicaof =
            master.map(|HostPort { host, port }| crate::config::values::HostPort { host, port });
    }

    /// Holds back what would write while we hand over to a replica, or lets it pass again.
    fn pause_for_failover(&mut self, is_paused: bool) {
        match is_paused {
            true => self.server.pauses.pause(Reason::Failover, Pause::Write, FAR),
            false => self.server.pauses.end(Reason::Failover),
        }
        self.server.refresh_facts();
    }

    /// Settings of replication may have changed.
    pub fn configure_replication(&mut self) {
        let settings = settings(&self.server.engine.config);
        if *self.server.repl.node.settings() == settings {
            // Draining would end a transaction that this is a part of.
            return;
        }
        self.drain_journal();
        let now = self.net.now().mono;
        let mut out = Vec::new();
        self.server.repl.node.configure(now, settings, &mut out);
        self.carry_out(out);
    }

    /// What waits in a blocking command on a master that becomes a replica would wait for what no longer happens.
    fn end_blocking_commands(&mut self) {
        const TEXT: &str =
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
        let table = Rc::clone(&self.server.table);
        let for_keys = self.server.engine.blocked.clients();
        for &id in &for_keys {
            blocked::end(self, &table, id, End::Failed(TEXT));
        }
        let others = self.server.clients.waiting().into_iter();
        let others: Vec<ClientId> =
            others.filter(|(_, blocked)| blocked.reason != BlockReason::Shutdown).map(|(id, _)| id).collect();
        for &id in &others {
            self.answer_blocked(id, |reply| reply.error(TEXT));
        }
        for conn in for_keys.iter().chain(&others).filter_map(|id| self.server.clients.conn_of(*id)).collect::<Vec<_>>()
        {
            self.net.close_after_flush(conn);
        }
    }

    /// A client is gone, whatever it was to us.
    pub fn client_left(&mut self, id: ClientId, kind: Kind) {
        match kind {
            Kind::Master => self.link_lost("connection lost"),
            _ => self.repl(Input::ClientClosed(id)),
        }
    }

    /// Does what the machines ask for, in order.
    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::MasterIs(master) => self.master_is(master),
                Output::PauseWrites => self.pause_for_failover(true),
                Output::ResumeWrites => self.pause_for_failover(false),
                Output::Connect(master) => self.connect_to_master(&master),
                Output::Send(bytes) => self.send_to_master(&bytes),
                Output::Skip(count) => self.skip_from_master(count),
                Output::TransferStarts { length, is_same_history, is_guarded } => {
                    self.transfer_starts(length, is_same_history, is_guarded);
                }
                Output::Payload(count) => self.transfer_bytes(count),
                Output::TransferDone => self.transfer_done(),
                Output::TransferAborted => self.transfer_aborted(),
                Output::StreamStarts { db } => self.stream_starts(db),
                Output::CloseLink => self.close_link(),
                Output::Write(client, bytes) => self.write_to_replica(client, &bytes),
                Output::Attached(client) => {
                    if let Some(session) = self.server.clients.session_mut(client) {
                        session.kind = Kind::Replica;
                    }
                }
                Output::Online(_) => {}
                Output::StartSnapshot { kind, filter } => self.start_snapshot_for_replicas(kind, filter),
                Output::JoinSockets(client) => {
                    if let Some(conn) = self.server.clients.conn_of(client) {
                        self.server.repl.members.push(conn);
                    }
                }
                Output::SendFile(client) => self.send_file(client),
                Output::AbortSnapshot => self.abort_snapshot_for_replicas(),
                Output::CloseReplica { client, after_write } => self.close_replica(client, after_write),
                Output::OverLimit(client) => self.log_over_limit(client),
                Output::Append(bytes) => {
                    self.drain_journal();
                    self.server.repl.node.propagate(&bytes);
                }
                Output::Reselect => self.server.engine.journal.reselect(),
                Output::Acknowledged => self.serve_waiting(),
            }
        }
        self.server.refresh_replication_facts();
    }

    fn write_to_replica(&mut self, client: ClientId, bytes: &[u8]) {
        if let Some(out) = self.server.clients.conn_of(client).and_then(|conn| self.net.out(conn)) {
            out.append(bytes);
        }
    }

    fn log_over_limit(&mut self, client: ClientId) {
        let Some(conn) = self.server.clients.conn_of(client) else { return };
        let session = self.server.clients.get(conn).and_then(|client| client.session.as_deref());
        let text = session.map(|session| self.describe(session)).unwrap_or_default();
        warn!("Client {text} scheduled to be closed ASAP for overcoming of output buffer limits.");
        self.server.engine.counters.client_output_buffer_limit_disconnections += 1;
    }

    /// Adds what went over replication links since this was last asked to the counters.
    pub fn collect_replication_traffic(&mut self) {
        let (server, net) = (&mut *self.server, &*self.net);
        let replicas = server.repl.node.master().replicas().iter();
        let conns = replicas.filter_map(|replica| server.clients.conn_of(replica.client()));
        let mut seen = HashMap::new();
        for (conn, socket) in conns.chain(server.repl.link).filter_map(|conn| Some((conn, net.conn(conn)?))) {
            let before = server.repl.traffic.get(&conn).copied().unwrap_or_default();
            let now = (socket.bytes_in(), socket.bytes_out());
            server.engine.counters.total_net_repl_input_bytes += now.0 - before.0;
            server.engine.counters.total_net_repl_output_bytes += now.1 - before.1;
            seen.insert(conn, now);
        }
        server.repl.traffic = seen;
    }

    fn close_replica(&mut self, client: ClientId, after_write: bool) {
        let Some(conn) = self.server.clients.conn_of(client) else { return };
        match self.server.clients.session_mut(client) {
            // Its own command made us close it: it is closed when that is over.
            None => self.server.killed.push(client),
            Some(_) if after_write => self.net.close_after_flush(conn),
            Some(_) => self.close(conn),
        }
    }

    /// Answers clients in WAIT and WAITAOF who have what they wait for.
    pub fn serve_waiting(&mut self) {
        for (id, blocked) in self.server.clients.waiting() {
            match blocked.reason {
                BlockReason::Wait { replicas, offset } => {
                    let acked = self.server.replicas_at(offset);
                    if acked as u64 >= replicas {
                        self.answer_blocked(id, |reply| reply.int(acked as i64));
                    }
                }
                BlockReason::WaitAof { local, replicas, offset } => {
                    let synced = u64::from(self.server.is_synced_to(offset));
                    let acked = self.server.replicas_synced_to(offset) as u64;
                    if synced >= local && acked >= replicas {
                        self.answer_blocked(id, |reply| {
                            reply.array(2);
                            reply.int(synced as i64);
                            reply.int(acked as i64);
                        });
                    }
                }
                BlockReason::Keys | BlockReason::Shutdown => {}
            }
        }
    }

    /// Replication's part of the end of a turn; when it needs the next.
    pub fn end_turn_of_replication(&mut self) -> Instant {
        let now = self.net.now().mono;
        // A server that still loads its own file has no position yet that it could ask for.
        let is_starting = self.server.engine.facts.is_loading && self.server.repl.transfer.is_none();
        let due = |deadline| !is_starting && now >= deadline;
        // And one that leaves must not add to the stream behind what it saved.
        let is_leaving = self.server.is_leaving;
        if !is_leaving && self.server.repl.node.next_deadline().is_some_and(due) {
            self.repl(Input::Tick);
        }
        self.transfer_turn();
        self.pump_files();
        self.drain_journal();
        let mut out = Vec::new();
        let (clients, net) = (&self.server.clients, &*self.net);
        let queued = |client| {
            let conn = clients.conn_of(client).and_then(|conn| net.conn(conn));
            conn.map_or(0, |conn| conn.out().len() as u64)
        };
        self.server.repl.node.end_turn(now, queued, &mut out);
        if !out.is_empty() {
            self.carry_out(out);
        }
        self.feed_replicas();
        let repl = &self.server.repl;
        let trimming = repl.is_trimming.then_some(now);
        let node = repl.node.next_deadline().filter(|_| !is_starting);
        [trimming, node, repl.transfer_next].into_iter().flatten().min().unwrap_or(FAR)
    }

    fn feed_replicas(&mut self) {
        let Server { repl, clients, aof, .. } = &mut *self.server;
        let net = &mut *self.net;
        repl.is_trimming = repl.node.feed(|client, chunk| {
            let Some(conn) = clients.conn_of(client) else { return Room::Full };
            let Some(out) = net.out(conn) else { return Room::Full };
            let (window, low) = match chunk {
                Chunk::Shared(_) => (WINDOW, WINDOW_LOW),
                Chunk::Fresh(_) => (COPIED_WINDOW, COPIED_WINDOW_LOW),
            };
            if out.len() >= window {
                net.watch_output(conn, low);
                return Room::Full;
            }
            match chunk {
                Chunk::Shared(bytes) => out.append_shared(bytes),
                Chunk::Fresh(bytes) => out.append(bytes),
            }
            aof.note_follower(conn);
            Room::Taken
        });
    }

    /// A connection's output is short again.
    pub fn link_drained(&mut self, _: ConnId) {
        // What has room is found at the end of each turn; being called makes one.
    }
}

/// Never.
const FAR: Instant = Instant::from_millis(u64::MAX);
