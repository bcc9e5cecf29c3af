//! Our replicas: who they are, what each has, and what each is waiting for.
//!
//! One replica's life, in the words of INFO:
//!
//! ```text
//!   PSYNC granted ------------------------------------------------------------------------------> online
//!   PSYNC refused, SYNC --> wait_bgsave: Waiting --snapshot starts--> InSnapshot(end)               ^
//!                             (keep-alive newlines)                     |            |              |
//!                                                       to disk: done   |            | to sockets: done
//!                                                                       v            v              |
//!                                                             send_bulk: Sending   online, but mute |
//!                                                                       |            |  first ACK   |
//!                                                                       +------------+--------------+
//! ```
//!
//! A replica that asked for the snapshot only (`rdb-only`) is closed where the others go online.
//!
//! From the moment its snapshot starts, a replica has a *cursor*: the next stream byte it must get. Nothing is copied
//! for it; the backlog keeps what the slowest cursor needs. Why a replica that got its snapshot through the socket stays
//! mute until its first acknowledgement: it looks for the end mark at the end of what it has received, so nothing may
//! follow the mark before it says that it saw it.
//!
//! Parts: `psync.rs` decides full or partial, `full_sync.rs` starts and shares snapshots, `feed.rs` moves cursors and
//! limits how far they may lag, `wait.rs` counts acknowledgements.

pub mod feed;
pub mod full_sync;
pub mod psync;
pub mod wait;

use std::collections::HashMap;

use tracing::{info, warn};

use crate::base::id::{ClientId, HexId};
use crate::base::time::Instant;
use crate::repl::Turn;
use crate::repl::io::{Filter, HostPort, Output, ReplicaOption, Settings, SnapshotKind, SyncRequest};
use crate::repl::wire::command;

/// Milliseconds between two newlines to a replica that waits for its snapshot.
const KEEP_ALIVE: u64 = 1000;

/// All replicas, in the order they came.
#[derive(Debug, Default)]
pub struct Master {
    replicas: Vec<Replica>,
    /// What connections said about themselves before they asked for data.
    introduced: HashMap<ClientId, Introduction>,
    /// The snapshot that runs now, whoever asked for it.
    snapshot: Option<Snapshot>,
    /// The snapshot asked for and not yet answered.
    asked: Option<(SnapshotKind, Filter)>,
    good: usize,
    last_ping: Instant,
    next_keep_alive: Instant,
    /// Since when there has been a backlog that nobody reads.
    alone_since: Option<Instant>,
    acks_wanted: bool,
    /// Clients' writes are held back, and so is what we would add to the stream ourselves.
    is_quiet: bool,
    /// Figures for INFO.
    pub counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Snapshot {
    kind: SnapshotKind,
    /// What closes the snapshot on a socket.
    mark: HexId,
}

/// `sync_full` and its kin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counters {
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,
}

#[derive(Clone, Debug, Default)]
struct Introduction {
    port: u16,
    announced_ip: String,
    capa_eof: bool,
    capa_psync2: bool,
    capa_replace: bool,
    rdb_only: bool,
    filter: Filter,
}

/// A connection that asked for data.
#[derive(Debug)]
pub struct Replica {
    client: ClientId,
    ip: String,
    intro: Introduction,
    state: State,
    cursor: u64,
    acked: u64,
    fsynced: u64,
    acked_at: Instant,
    /// It was good when that was last counted.
    good: bool,
    /// It used SYNC: it never acknowledges and is never timed out for that.
    silent: bool,
    /// Since when the soft output limit has been exceeded.
    over_soft_since: Option<Instant>,
    /// Last time snapshot bytes left towards it.
    bulk_progress: Instant,
    /// To be closed; it gets nothing more.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { since: Instant },
    InSnapshot,
    Sending,
    Online { mute: bool },
}

impl Replica {
    /// The connection.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Address, as announced or else as seen.
    pub fn ip(&self) -> &str {
        if self.intro.announced_ip.is_empty() { &self.ip } else { &self.intro.announced_ip }
    }

    /// Announced port; 0 when it did not say.
    pub fn port(&self) -> u16 {
        self.intro.port
    }

    /// Whether this is its address.
    pub fn is_at(&self, host: &str) -> bool {
        self.ip().eq_ignore_ascii_case(host)
    }

    /// The word in INFO.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Waiting { .. } | State::InSnapshot => "wait_bgsave",
            State::Sending => "send_bulk",
            State::Online { .. } => "online",
        }
    }

    /// Whether it follows the stream.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Online { .. })
    }

    /// Whether it follows the stream and has executed it up to `offset`.
    pub fn has_stream_up_to(&self, offset: u64) -> bool {
        self.is_online() && !self.closing && self.acked >= offset
    }

    /// What it has acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Seconds since its last acknowledgement; 0 when it is not online.
    pub fn lag_secs(&self, now: Instant) -> u64 {
        if self.is_online() { now.since(self.acked_at) / 1000 } else { 0 }
    }

    /// The name used in the log.
    pub fn name(&self) -> String {
        match self.intro.port {
            0 => format!("{}:<unknown-replica-port>", self.ip()),
            port => format!("{}:{port}", self.ip()),
        }
    }
}

impl Master {
    /// All replicas, in the order they came.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// How many replicas there are, in any state.
    pub fn len(&self) -> usize {
        self.replicas.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// Whether this connection asked for data.
    pub fn has(&self, client: ClientId) -> bool {
        self.replicas.iter().any(|replica| replica.client == client)
    }

    /// The replica that is known by this address and port. One that did not tell its port cannot be found.
    pub fn find(&self, address: &HostPort) -> Option<&Replica> {
        let is_it = |r: &&Replica| r.port() == address.port && r.port() != 0 && r.is_at(&address.host);
        self.replicas.iter().find(is_it)
    }

    /// Online replicas that acknowledged recently enough for `min-replicas-max-lag`.
    pub fn good(&self) -> usize {
        self.good
    }

    /// A connection described itself.
    pub fn replconf(&mut self, client: ClientId, option: ReplicaOption) {
        let intro = match self.replicas.iter_mut().find(|replica| replica.client == client) {
            Some(replica) => &mut replica.intro,
            None => self.introduced.entry(client).or_default(),
        };
        match option {
            ReplicaOption::ListeningPort(port) => intro.port = port,
            ReplicaOption::IpAddress(ip) => intro.announced_ip = ip,
            ReplicaOption::CapaEof => intro.capa_eof = true,
            ReplicaOption::CapaPsync2 => intro.capa_psync2 = true,
            ReplicaOption::CapaReplace => intro.capa_replace = true,
            ReplicaOption::RdbOnly(rdb_only) => intro.rdb_only = rdb_only,
            ReplicaOption::Filter(filter) => intro.filter = filter,
        }
    }

    /// Whether a connection said that its data may be replaced by whatever we have.
    pub fn may_replace(&self, client: ClientId) -> bool {
        self.introduced.get(&client).is_some_and(|intro| intro.capa_replace)
    }

    /// What a connection that has not asked for data yet calls itself; `ip` is its peer's address.
    pub fn name_of(&self, client: ClientId, ip: &str) -> String {
        let intro = self.introduced.get(&client);
        let ip = intro.map(|intro| &*intro.announced_ip).filter(|ip| !ip.is_empty()).unwrap_or(ip);
        match intro.map_or(0, |intro| intro.port) {
            0 => format!("{ip}:<unknown-replica-port>"),
            port => format!("{ip}:{port}"),
        }
    }

    /// Whether a connection asked for parts of the snapshot without knowing the form that this needs.
    pub fn filter_without_eof(&self, client: ClientId) -> bool {
        self.introduced.get(&client).is_some_and(|intro| !intro.filter.is_empty() && !intro.capa_eof)
    }

    /// PSYNC or SYNC.
    pub fn sync(&mut self, turn: &mut Turn<'_>, client: ClientId, ip: &str, request: SyncRequest<'_>) {
        if self.has(client) {
            return;
        }
        let mut replica = Replica {
            client,
            ip: ip.to_owned(),
            intro: self.introduced.remove(&client).unwrap_or_default(),
            state: State::Waiting { since: turn.now },
            cursor: 0,
            acked: 0,
            fsynced: 0,
            acked_at: turn.now,
            good: false,
            silent: request == SyncRequest::Sync,
            over_soft_since: None,
            bulk_progress: turn.now,
            closing: false,
        };
        let name = replica.name();
        info!("Replica {name} asks for synchronization");
        turn.out.push(Output::Attached(client));
        self.alone_since = None;
        if self.replicas.is_empty() {
            self.last_ping = turn.now;
        }
        if let SyncRequest::Psync { replid, position } = request {
            match psync::decide(turn.history, replid, position) {
                Ok(position) => {
                    self.counters.sync_partial_ok += 1;
                    let answer = match replica.intro.capa_psync2 {
                        true => format!("+CONTINUE {}\r\n", turn.history.identity().id()),
                        false => "+CONTINUE\r\n".to_owned(),
                    };
                    turn.out.push(Output::Write(client, answer.into_bytes()));
                    let count = turn.history.next() - position;
                    info!(
                        "Partial resynchronization request from {name} accepted. Sending {count} bytes of backlog \
                         starting from offset {position}."
                    );
                    replica.cursor = position;
                    replica.state = State::Online { mute: false };
                    self.replicas.push(replica);
                    turn.out.push(Output::Online(client));
                    self.recount(turn);
                    return;
                }
                Err(refusal) => {
                    info!("{}", refusal.lines(&name));
                    match refusal {
                        psync::Refusal::Fresh => {}
                        psync::Refusal::NotHeld { ahead: true, .. } => {
                            self.counters.sync_partial_err += 1;
                            warn!(
                                "Warning: replica {name} tried to PSYNC with an offset that is greater than the \
                                 master replication offset."
                            );
                        }
                        _ => self.counters.sync_partial_err += 1,
                    }
                }
            }
        }
        self.counters.sync_full += 1;
        self.replicas.push(replica);
        if self.replicas.len() == 1 && turn.history.backlog().is_none() {
            turn.history.begin(turn.rng);
            let identity = turn.history.identity();
            info!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                identity.id(),
                identity.second_id()
            );
        }
        self.wants_snapshot(turn, client);
    }

    /// REPLCONF ACK.
    pub fn ack(&mut self, turn: &mut Turn<'_>, client: ClientId, offset: u64, fsynced: Option<u64>) {
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.client == client) else { return };
        replica.acked = replica.acked.max(offset);
        replica.fsynced = replica.fsynced.max(fsynced.unwrap_or(0));
        replica.acked_at = turn.now;
        if replica.state == (State::Online { mute: true }) {
            replica.state = State::Online { mute: false };
            info!("Synchronization with replica {} succeeded", replica.name());
            turn.out.push(Output::Online(client));
        }
        self.recount(turn);
        turn.out.push(Output::Acknowledged);
    }

    /// A connection closed.
    pub fn closed(&mut self, turn: &mut Turn<'_>, client: ClientId) {
        self.introduced.remove(&client);
        let Some(index) = self.replicas.iter().position(|replica| replica.client == client) else { return };
        let replica = self.replicas.remove(index);
        info!("Connection with replica {} lost.", replica.name());
        if self.replicas.is_empty() {
            self.alone_since = Some(turn.now);
        }
        self.recount(turn);
        if replica.state == State::InSnapshot {
            self.left_snapshot(turn);
        }
    }

    /// Closes all replicas: they shall come back and learn that our history has another name.
    pub fn disconnect_all(&mut self, turn: &mut Turn<'_>) {
        for replica in &mut self.replicas {
            close(replica, turn.out, false);
        }
    }

    /// Our role changed: the time that a backlog nobody reads is kept counts from here.
    pub fn role_changed(&mut self, now: Instant) {
        self.alone_since = self.replicas.is_empty().then_some(now);
    }

    /// Asks for acknowledgements once, with the end of this turn.
    pub fn want_acks(&mut self) {
        self.acks_wanted = true;
    }

    /// Clients' writes are held back, or not any more. Somebody may be waiting for a replica to have everything, to promote it;
    /// a byte that only some replicas get then would cost the others a full resync.
    pub fn keep_quiet(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
    }

    /// The pause between two PINGs. A replica must not take us for dead, however long we are quiet.
    fn ping_period(&self, settings: &Settings) -> u64 {
        let longest = settings.timeout_ms / 2;
        if self.is_quiet { settings.ping_period_ms.max(longest) } else { settings.ping_period_ms }
    }

    /// Called when a turn of the loop ends, before the stream is sent: asks for acknowledgements if somebody waits.
    /// `top`: the stream is ours to add to, because we have no master ourselves and do not hand over.
    pub fn end_turn(&mut self, turn: &mut Turn<'_>, top: bool) {
        if !self.is_quiet
            && std::mem::take(&mut self.acks_wanted)
            && top
            && self.replicas.iter().any(Replica::is_online)
        {
            turn.out.push(Output::Append(command(&[b"REPLCONF", b"GETACK", b"*"])));
        }
    }

    /// Does what time demands. `top`: see [`Master::end_turn`].
    pub fn tick(&mut self, turn: &mut Turn<'_>, top: bool) {
        let now = turn.now;
        if top && !self.is_empty() && now >= self.last_ping + self.ping_period(turn.settings) {
            self.last_ping = now;
            turn.out.push(Output::Append(command(&[b"PING"])));
        }
        if now >= self.next_keep_alive {
            self.next_keep_alive = now + KEEP_ALIVE;
            let to_sockets = self.snapshot_kind() == Some(SnapshotKind::Sockets);
            for replica in &self.replicas {
                let waits = match replica.state {
                    State::Waiting { .. } => true,
                    State::InSnapshot => !to_sockets,
                    _ => false,
                };
                if waits && !replica.closing {
                    turn.out.push(Output::Write(replica.client, b"\n".to_vec()));
                }
            }
        }
        let (timeout, kind) = (turn.settings.timeout_ms, self.snapshot_kind());
        for replica in &mut self.replicas {
            match replica.state {
                State::Online { .. } if !replica.silent && now.since(replica.acked_at) > timeout => {
                    if !replica.closing {
                        warn!("Disconnecting timedout replica (streaming sync): {}", replica.name());
                    }
                    close(replica, turn.out, false);
                }
                State::InSnapshot | State::Sending
                    if transfers(replica.state, kind) && now.since(replica.bulk_progress) > timeout =>
                {
                    if !replica.closing {
                        warn!("Disconnecting timedout replica (full sync): {}", replica.name());
                    }
                    close(replica, turn.out, false);
                }
                _ => {}
            }
        }
        self.recount(turn);
        self.start_waiting_snapshot(turn);
        let ttl = turn.settings.backlog_ttl_ms;
        if let Some(since) = self.alone_since
            && top
            && ttl > 0
            && now.since(since) >= ttl
        {
            self.alone_since = None;
            if turn.history.backlog().is_some() {
                turn.history.forget(turn.rng);
                info!("Replication backlog freed after {} seconds without connected replicas.", ttl / 1000);
            }
        }
    }

    /// The first moment at which `tick` has something to do.
    pub fn next_deadline(&self, settings: &Settings, top: bool) -> Option<Instant> {
        let timeout = settings.timeout_ms + 1;
        let each = self.replicas.iter().filter(|replica| !replica.closing).filter_map(|replica| match replica.state {
            State::Online { .. } if replica.silent => None,
            State::Online { .. } => {
                let turns_bad = replica.acked_at + (u64::from(settings.min_replicas_max_lag) + 1) * 1000;
                let dead = replica.acked_at + timeout;
                Some(if wait::counts_good(settings) && replica.good { dead.min(turns_bad) } else { dead })
            }
            State::Waiting { since } => Some(match self.snapshot {
                None => self.next_keep_alive.min(since + settings.diskless_delay_ms),
                Some(_) => self.next_keep_alive,
            }),
            state if transfers(state, self.snapshot_kind()) => Some(replica.bulk_progress + timeout),
            _ => Some(self.next_keep_alive),
        });
        let ping = (top && !self.replicas.is_empty()).then_some(self.last_ping + self.ping_period(settings));
        let ttl = self.alone_since.filter(|_| top && settings.backlog_ttl_ms > 0).map(|s| s + settings.backlog_ttl_ms);
        each.chain(ping).chain(ttl).min()
    }
}

/// Whether snapshot bytes are leaving towards a replica in this state.
fn transfers(state: State, snapshot: Option<SnapshotKind>) -> bool {
    state == State::Sending || (state == State::InSnapshot && snapshot == Some(SnapshotKind::Sockets))
}

fn close(replica: &mut Replica, out: &mut Vec<Output>, after_write: bool) {
    if !std::mem::replace(&mut replica.closing, true) {
        out.push(Output::CloseReplica { client: replica.client, after_write });
    }
}
