//! What goes into the replication machines and what they ask for in return. Closed vocabularies; the logic is elsewhere.
//!
//! The shell (`server/drivers/repl.rs`) owns sockets, files, the keyspace and the clock. It tells what happened with an
//! [`Input`], then carries out the [`Output`]s in the order given.

use crate::base::id::{ClientId, HexId};
use crate::repl::failover::Plan;

/// Where a master is: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// As the administrator wrote it.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Something happened.
#[derive(Debug)]
pub enum Input<'a> {
    // The administrator.
    /// REPLICAOF host port.
    ReplicaOf(HostPort),
    /// REPLICAOF NO ONE.
    Promote,
    /// FAILOVER, after the refusals of [`crate::repl::Node::refuse_failover`].
    Failover(Plan),
    /// FAILOVER ABORT.
    FailoverAbort,

    // The link to our master.
    /// The connection asked for by `Output::Connect` stands.
    LinkConnected {
        /// There is something that a full resync would remove.
        has_data: bool,
    },
    /// It could not be made.
    LinkFailed(&'a str),
    /// It could not even be tried: the master's name has no address.
    LinkUnknown(&'a str),
    /// All bytes received and not yet taken: the outputs say how many to take and what they are.
    LinkReceived(&'a [u8]),
    /// The connection is gone.
    LinkClosed(&'a str),
    /// From here on the old data is being replaced by the snapshot, be it in place or by a swap that is about to happen.
    LoadReplaces,
    /// A slice of flushing or loading has been done.
    LoadProgress,
    /// The snapshot is loaded; `db` is the database that its stream starts in.
    Loaded {
        /// Number of the database.
        db: u32,
    },
    /// The snapshot could not be received or loaded.
    LoadFailed,
    /// These stream bytes have been executed, up to the end of a unit. They go to our own replicas unchanged.
    Applied {
        /// The bytes.
        bytes: &'a [u8],
        /// The database selected after them.
        db: u32,
    },
    /// Stream bytes arrived: the master is alive. So many are here that have not been executed.
    StreamRead(u64),
    /// The master asks for an acknowledgement now.
    AckRequested,

    // Our replicas.
    /// A connection described itself.
    Replconf(ClientId, ReplicaOption),
    /// PSYNC or SYNC, after the refusals of [`crate::repl::master::psync::refuse`].
    Sync {
        /// The connection.
        client: ClientId,
        /// Its peer's address, without port.
        ip: &'a str,
        /// What it asks for.
        request: SyncRequest<'a>,
    },
    /// REPLCONF ACK.
    Ack {
        /// The replica.
        client: ClientId,
        /// It has executed everything up to here.
        offset: u64,
        /// And its AOF is on disk up to here, if it has one.
        fsynced: Option<u64>,
    },
    /// A client connection closed; it may or may not have been a replica.
    ClientClosed(ClientId),
    /// Bytes of a snapshot left towards this replica.
    BulkProgress(ClientId),
    /// The RDB file asked for by `Output::SendFile` has entirely left towards this replica.
    FileSent(ClientId),
    /// A snapshot began, asked for by `Output::StartSnapshot` or by somebody else. Its cut is where the stream ends now.
    SnapshotStarted(SnapshotKind),
    /// The snapshot asked for cannot begin.
    SnapshotRefused,
    /// The running snapshot ended: everything is in the file or in the queues of the replicas; or it failed.
    SnapshotEnded {
        /// Whether it is complete.
        ok: bool,
    },
    /// A client waits for acknowledgements (WAIT, WAITAOF): ask for them with the end of this turn.
    AckWanted,

    /// Time passed.
    Tick,
}

/// What a snapshot feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotKind {
    /// The RDB file.
    Disk,
    /// Replicas, directly.
    Sockets,
    /// Something replicas have no part in: a new AOF base.
    Other,
}

/// What a replica said about itself with REPLCONF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaOption {
    /// The port it serves on.
    ListeningPort(u16),
    /// The address it wants to be known by.
    IpAddress(String),
    /// It understands `$EOF:`.
    CapaEof,
    /// It understands `+CONTINUE <id>`.
    CapaPsync2,
    /// It was told to have its data replaced.
    CapaReplace,
    /// It wants the snapshot and nothing after it.
    RdbOnly(bool),
    /// What it wants of the snapshot.
    Filter(Filter),
}

/// Parts of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Leave the keys out.
    pub no_data: bool,
    /// Leave the functions out.
    pub no_functions: bool,
}

impl Filter {
    /// Whether everything is wanted.
    pub fn is_empty(self) -> bool {
        self == Filter::default()
    }
}

/// SYNC or PSYNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRequest<'a> {
    /// The old command: a full resync without `+FULLRESYNC` and without acknowledgements.
    Sync,
    /// `PSYNC replid position`.
    Psync {
        /// As written; `?` when it has no history.
        replid: &'a [u8],
        /// The first byte wanted; -1 with `?`.
        position: i64,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    // Our role.
    /// From now on this is our master, or we are one ourselves.
    MasterIs(Option<HostPort>),
    /// Hold back whatever would write, and let nothing expire: we hand over.
    PauseWrites,
    /// Let it pass again.
    ResumeWrites,

    // The link to our master.
    /// Open a connection.
    Connect(HostPort),
    /// Send these bytes to the master.
    Send(Vec<u8>),
    /// The next `n` received bytes were protocol lines: drop them.
    Skip(usize),
    /// A snapshot follows. Prepare to receive it.
    TransferStarts {
        /// Its length, when the master told it.
        length: Option<u64>,
        /// It belongs to the history that our data belong to: they are old, but not wrong.
        is_same_history: bool,
        /// An empty data set must not take the place of ours: we were not told to follow somebody new.
        is_guarded: bool,
    },
    /// The next `n` received bytes are part of the snapshot.
    Payload(usize),
    /// All of it was handed over. Load it (or finish loading), then say `Loaded` or `LoadFailed`.
    TransferDone,
    /// Drop whatever was received of a snapshot and stop loading it.
    TransferAborted,
    /// What is received from now on is the stream. It goes on in this database.
    StreamStarts {
        /// The selected database.
        db: u32,
    },
    /// Close the connection.
    CloseLink,

    // Our replicas.
    /// Write this to a replica's connection, ahead of any stream bytes.
    Write(ClientId, Vec<u8>),
    /// This connection is a replica from now on.
    Attached(ClientId),
    /// Stream bytes may be sent to it: see [`crate::repl::Node::next_chunk`].
    Online(ClientId),
    /// Begin a snapshot, then say `SnapshotStarted` or `SnapshotRefused` before anything else is executed.
    StartSnapshot {
        /// Where to.
        kind: SnapshotKind,
        /// The parts wanted.
        filter: Filter,
    },
    /// This replica takes part in the snapshot to sockets that has just begun. Its header has been written.
    JoinSockets(ClientId),
    /// Send the RDB file, with its `$<length>` header, then say `FileSent`. It must be opened now: a later snapshot may
    /// replace it before it has been sent.
    SendFile(ClientId),
    /// Nobody needs the running snapshot any more.
    AbortSnapshot,
    /// Close a replica's connection; `after_write` once its queue is written.
    CloseReplica {
        /// Which.
        client: ClientId,
        /// Let its queue drain first.
        after_write: bool,
    },
    /// This replica lags further behind than its output limit allows; it is closed next.
    OverLimit(ClientId),
    /// Append this command to the stream, without SELECT and without counting it as a write.
    Append(Vec<u8>),
    /// The next command in the stream must be preceded by SELECT.
    Reselect,
    /// The number of good replicas changed, or who has acknowledged what: look again at clients in WAIT.
    Acknowledged,
}

/// The id and position of `+FULLRESYNC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResyncPoint {
    /// The master's id.
    pub id: HexId,
    /// The last byte that the snapshot contains.
    pub end: u64,
}

/// What the machines must know of the configuration. Durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `repl-timeout`.
    pub timeout_ms: u64,
    /// `repl-ping-replica-period`.
    pub ping_period_ms: u64,
    /// `repl-backlog-size`.
    pub backlog_size: u64,
    /// `repl-backlog-ttl`; 0: for ever.
    pub backlog_ttl_ms: u64,
    /// `repl-diskless-sync`.
    pub diskless: bool,
    /// `repl-diskless-sync-delay`.
    pub diskless_delay_ms: u64,
    /// `repl-diskless-sync-max-replicas`; 0: no number is enough to start before the delay.
    pub diskless_max_replicas: u32,
    /// `min-replicas-to-write`.
    pub min_replicas: u32,
    /// `min-replicas-max-lag`, in seconds.
    pub min_replicas_max_lag: u32,
    /// `client-output-buffer-limit replica`: hard, soft, and for how long the soft one may be exceeded.
    pub output_hard: u64,
    /// See `output_hard`.
    pub output_soft: u64,
    /// See `output_hard`.
    pub output_soft_ms: u64,
    /// Whether the RDB file is wanted for its own sake (there are save points).
    pub saves: bool,
    /// `masteruser`; empty: none.
    pub master_user: Vec<u8>,
    /// `masterauth`; empty: none.
    pub master_auth: Vec<u8>,
    /// The port to announce.
    pub announce_port: u16,
    /// `replica-announce-ip`; empty: none.
    pub announce_ip: String,
    /// `newborn-master-protection`.
    pub guards_data: bool,
}

impl Default for Settings {
    /// Redis's defaults.
    fn default() -> Settings {
        Settings {
            timeout_ms: 60_000,
            ping_period_ms: 10_000,
            backlog_size: 1 << 20,
            backlog_ttl_ms: 3_600_000,
            diskless: true,
            diskless_delay_ms: 5_000,
            diskless_max_replicas: 0,
            min_replicas: 0,
            min_replicas_max_lag: 10,
            output_hard: 256 << 20,
            output_soft: 64 << 20,
            output_soft_ms: 60_000,
            saves: true,
            master_user: Vec::new(),
            master_auth: Vec::new(),
            announce_port: 6379,
            announce_ip: String::new(),
            guards_data: true,
        }
    }
}
