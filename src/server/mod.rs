//! The data server: everything put together, and the only place that knows all parts.
//!
//! [`Server`] is composition and nothing else. The event loop reaches it through `app.rs`: what connections received is
//! parsed and executed (`turn.rs`), then the turn ends in the order that `before_sleep.rs` lists. Work that recurs is in
//! `cron.rs`. Commands that see the whole server are in `admin/`, sections of INFO in `info/`, and the shells around the
//! machines of the floors below in `drivers/`.

pub mod admin;
mod ahead;
mod app;
mod apply;
mod before_sleep;
pub mod boot;
mod client_memory;
pub mod clients;
mod cron;
mod defrag;
pub mod dispatch;
pub mod drivers;
mod expected;
mod info;
mod loop_times;
mod memory;
mod oom_score;
pub mod pause;
pub mod shutdown;
mod tls;
pub mod tools;
mod turn;
mod watches;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::base::id::{ClientId, HexId};
use crate::base::time::Instant;
use crate::exec::Engine;
use crate::net::{ConnId, ListenerId, Net};
use crate::session::Session;
use crate::session::context::{Pause, Unblock};

use client_memory::ClientMemory;
use clients::Clients;
use cron::{Cron, ExpireFigures};
use defrag::Defrag;
use dispatch::CommandTable;
use drivers::aof::Aof;
use drivers::aof::load::AofLoading;
use drivers::loading::Loading;
use drivers::migrate::Links;
use drivers::repl::Replication;
use drivers::saves::Snapshots;
use loop_times::LoopTimes;
use oom_score::OomScore;
use pause::Pauses;
use turn::Workspace;

/// The version of Redis whose behaviour clients may expect; what `redis_version` says.
pub const COMPATIBLE_VERSION: &str = "7.2.6";
/// Our own.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The server.
pub struct Server {
    /// Data, users, channels, settings, figures.
    pub engine: Engine,
    /// Who is connected.
    pub clients: Clients,
    /// What they use.
    client_memory: ClientMemory,
    /// Its commands.
    pub table: Rc<CommandTable>,
    /// What is held back.
    pub pauses: Pauses,
    /// What was held back when this was last looked at.
    last_pause: Option<Pause>,
    /// What the process is.
    pub identity: Identity,
    /// Where it listens for TCP clients.
    listeners: Vec<ListenerId>,
    /// Where it listens for encrypted ones.
    tls_listeners: Vec<ListenerId>,
    /// Memory of the hot path.
    workspace: Workspace,
    /// The input of the client whose commands run.
    running_input: Option<RunningInput>,
    /// Moving keys together.
    defrag: Defrag,
    /// How likely the system is to end us.
    oom_score: OomScore,
    /// When this turn of the loop began, and how long turns take.
    loop_times: LoopTimes,
    /// Clients with more output than they may have for long.
    over_soft_limit: BTreeSet<ClientId>,
    /// Clients to be closed at the end of the present command.
    killed: Vec<ClientId>,
    /// Clients whose blocking command is to end.
    unblocked: Vec<(ClientId, Unblock)>,
    /// Masters and replicas.
    pub repl: Replication,
    /// Connections to the servers that MIGRATE moves keys to.
    pub links: Links,
    /// The RDB file being loaded at the start.
    loading: Option<Loading>,
    /// What the process will tell who started it.
    exit_code: i32,
    /// Saves, and snapshots for replicas.
    pub snapshots: Snapshots,
    /// The append only file.
    pub aof: Aof,
    /// It, while it is loaded at the start.
    aof_loading: Option<AofLoading>,
    /// Recurring work.
    cron: Cron,
    /// Active expiry.
    expire: ExpireFigures,
    /// A shutdown that waits for replicas.
    pending_shutdown: Option<shutdown::Pending>,
    /// A signal asked for a shutdown while DEBUG PAUSE-CRON holds recurring work back, to which that belongs.
    signalled_shutdown: Option<shutdown::Wish>,
    /// The loop is about to end.
    pub is_leaving: bool,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub is_active_expire_on: bool,
    /// DEBUG PAUSE-CRON.
    pub is_cron_paused: bool,
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    pub is_checksum_skipped: bool,
    /// The clock when the last command ended, in microseconds.
    lap_us: u64,
}

/// Input that was taken out of its connection while its commands run. Bytes.
#[derive(Clone, Copy, Debug)]
pub struct RunningInput {
    conn: ConnId,
    /// What arrived and is not forgotten yet.
    qbuf: usize,
    /// What the buffer holds of the memory.
    memory: usize,
}

/// What the process is, for INFO.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Forty hex digits, new at each start.
    pub run_id: HexId,
    /// Process number.
    pub pid: u32,
    /// The word with which it was started.
    pub program: String,
    /// Path of the executable.
    pub executable: String,
    /// Path of the config file; empty without one.
    pub config_file: String,
    /// Name and release of the operating system.
    pub os: String,
    /// Who supervises the process: `no`, `systemd` or `upstart`.
    pub supervised: &'static str,
    /// When it started.
    pub started: Instant,
    /// Bytes in use before there were data.
    pub memory_at_start: u64,
}

/// One turn of the loop: the server, and the network it acts through.
pub struct Turn<'a> {
    /// The server.
    pub server: &'a mut Server,
    /// The network.
    pub net: &'a mut Net,
}

/// Whether a client is on this machine: through a socket file, or from a loopback address.
pub fn is_local(session: &Session) -> bool {
    let ip = session.addr.rsplit_once(':').map_or("", |(ip, _)| ip).trim_matches(['[', ']']);
    session.marks.is_unix || ip.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}
