//! How a command is admitted, run, and what follows. Read this floor first.
//!
//! # The life of a command
//!
//! ```text
//! words of a request
//!   │  spec::Table      which command is it? right number of words?           else an error, and a MULTI is spoilt
//!   │  gates            may it run now? (login, MULTI, ACL, memory, disk, replicas, role, stale, loading)
//!   │  MULTI open?      queue it and say QUEUED
//!   ▼
//! call                  the clock is read, the handler runs and writes its reply, MONITOR is told
//!   │
//! after                 what follows, always in this order:
//!   │   1. figures of the command, slow log
//!   │   2. clients that WATCH a changed key are marked, those that have it in a cache are told; keys for which clients
//!   │      wait are noted
//!   │   3. keyspace notifications
//!   │   4. the journal: keys found expired as DEL first, then the command, as written or rewritten
//!   ▼
//! end of the unit       the journal closes the unit (MULTI … EXEC around several entries);
//!                       pushes to the caller itself follow its reply
//!   ▼
//! blocked               clients that waited for what the unit changed are served, each as a unit of its own
//! ```
//!
//! A *unit* is what one client asked for at once: a command, or a whole EXEC. Data handlers know nothing of the second
//! half: they leave changes in the keyspace's log and an [`Outcome`](crate::commands::contract::Outcome).
//!
//! # Who owns what
//!
//! [`Engine`] holds what this floor works on. The program around it (`server`) is reached through [`Host`]: other
//! clients, administrative commands, the clock. So a test can run every command with a host of a few lines.

pub mod after;
pub mod blocked;
pub mod call;
pub mod flow;
pub mod functions;
pub mod gates;
pub mod journal;
pub mod memory;
pub mod notify;
pub mod replay;
pub mod scripts;
pub mod tracking;
pub mod watch;

use bytes::Bytes;

use crate::acl::{self, Acl};
use crate::base::id::ClientId;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::commands::contract::{CommandResult, DataHandler, DataSettings};
use crate::config::model::Config;
use crate::config::values::EventClasses;
use crate::exec::blocked::BlockedClients;
use crate::exec::functions::Functions;
use crate::exec::gates::{Caller, Facts, Gate};
use crate::exec::journal::Journal;
use crate::exec::memory::Shortage;
use crate::exec::scripts::Scripts;
use crate::exec::tracking::TrackingTable;
use crate::exec::watch::WatchTable;
use crate::keyspace::{Access, ExpiredKeys, Keyspace};
use crate::pubsub::PubSub;
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};
use crate::session::admission::refuse_web_request;
use crate::session::denial::Scene;
use crate::session::{Kind, Peers, Program, Session, SessionHandler};
use crate::spec::{Command, CommandId, Flags, Table};
use crate::stats::command::CommandStats;
use crate::stats::counters::Counters;
use crate::stats::latency::LatencyMonitor;
use crate::stats::slowlog::SlowLog;

/// What runs when a command is called. Its kind says how far it can reach.
pub enum Handler<A> {
    /// One database and a reply.
    Data(DataHandler),
    /// The client's own session, channels, users.
    Session(SessionHandler),
    /// Runs other commands.
    Flow(flow::Flow),
    /// The whole server.
    Admin(A),
}

/// Everything commands work on.
pub struct Engine {
    /// The data.
    pub keyspace: Keyspace,
    /// What changed, for replicas.
    pub journal: Journal,
    /// Watched keys.
    pub watch: WatchTable,
    /// What clients keep and must hear about.
    pub tracking: TrackingTable,
    /// Clients that wait for keys.
    pub blocked: BlockedClients,
    /// Channels.
    pub pubsub: PubSub,
    /// Users.
    pub acl: Acl,
    /// Settings.
    pub config: Config,
    /// Settings that data commands depend on, kept in step with `config`.
    pub settings: DataSettings,
    /// What the gates look at.
    pub facts: Facts,
    /// What clients can learn about the program.
    pub program: Program,
    /// The server's counters.
    pub counters: Counters,
    /// Changes since the last save that succeeded began.
    pub dirty_since_save: u64,
    /// Times when memory was short.
    pub shortage: Shortage,
    /// Scripts.
    pub scripts: Scripts,
    /// Libraries of functions.
    pub functions: Functions,
    /// Figures per command and per error.
    pub command_stats: CommandStats,
    /// Slow commands.
    pub slowlog: SlowLog,
    /// What took too long.
    pub latency: LatencyMonitor,
    /// Clients that called MONITOR.
    pub monitors: Vec<ClientId>,
    /// Chance.
    pub rng: Rng,
    /// The moment of this turn.
    pub now: Now,
    /// How deep in EXEC we are: 0 outside.
    pub depth: u32,
}

impl Engine {
    /// What a client finds of a key whose time is over.
    pub fn expired_rule(&self, session: &Session) -> ExpiredKeys {
        if session.kind == Kind::Master || self.facts.is_loading {
            ExpiredKeys::Ignore
        } else if self.facts.is_replica || self.facts.is_write_paused {
            ExpiredKeys::Hide
        } else {
            ExpiredKeys::Delete
        }
    }

    /// The conditions under which a command of this client looks at keys.
    pub fn access(&self, session: &Session) -> Access {
        Access { now: self.now.wall(), expired: self.expired_rule(session), touch: !session.marks.is_no_touch }
    }

    /// Tells the change log whether anybody wants to know of each change. To be called when watched keys, waiting clients
    /// or notification settings changed.
    pub fn refresh_observers(&mut self) {
        let events = self.config.keyspace.notify_keyspace_events;
        let is_notifying = events.contains(EventClasses::KEYSPACE) || events.contains(EventClasses::KEYEVENT);
        let misses = is_notifying && events.contains(EventClasses::KEY_MISS);
        let is_observed =
            is_notifying || !self.watch.is_empty() || !self.blocked.is_empty() || self.tracking.is_active();
        self.keyspace.changes_mut().observe(is_observed, misses);
    }

    /// Whether more keys are remembered for client-side caching than the settings allow.
    #[inline]
    fn is_tracking_too_much(&self) -> bool {
        let most = self.config.clients.tracking_table_max_keys;
        self.tracking.keys() as u64 > most && most != 0
    }

    /// Ends a unit: what it left for replicas is complete, and the change log is read.
    fn end_unit(&mut self) {
        self.journal.close_unit();
        self.keyspace.changes_mut().clear();
    }
}

/// What was heard of a client that debugs a script.
pub use crate::script::Heard;

/// The program around the engine.
pub trait Host: Sized {
    /// Handlers of administrative commands.
    type Admin: Copy + 'static;

    /// The engine.
    fn engine(&mut self) -> &mut Engine;

    /// The engine and the other clients, at once.
    fn with_peers<R>(&mut self, act: impl FnOnce(&mut Engine, &mut dyn Peers) -> R) -> R;

    /// Runs an administrative command. It may leave the session blocked.
    fn admin(
        &mut self,
        handler: Self::Admin,
        session: &mut Session,
        args: &Args<'_>,
        reply: Reply<'_>,
    ) -> CommandResult;

    /// Microseconds since this was last called: since the previous command ended, or the group of commands began. One
    /// reading of the clock per command instead of two.
    fn lap(&mut self) -> u64;

    /// Brings the engine's time up to date, where it may have stood for long.
    fn read_clock(&mut self);

    /// The clock, read now, in microseconds since any moment.
    fn clock_us(&mut self) -> u64;

    /// The monotonic clock, read now: it goes on while a script runs, as the turn's own time does not.
    fn clock(&mut self) -> Instant;

    /// Bytes in use as far as `maxmemory` counts them: without what waits for replicas and for the append only file, which
    /// grows with every key that is removed to make room.
    fn memory_in_use(&mut self) -> u64;

    /// Serves other clients in the middle of a script that is stuck. The gates refuse most of what they ask for.
    fn serve_others(&mut self);

    /// Says something to the client whose command runs, and gives what it says; waits some milliseconds, and serves other clients.
    fn converse(&mut self, client: ClientId, said: &[u8]) -> Heard;

    /// A script that was stuck has ended: who was refused or held back meanwhile may go on.
    fn script_ended(&mut self);

    /// Whether the program is about to end.
    fn is_leaving(&self) -> bool;

    /// Tells another client that a key it watches has changed; see [`watch::note_change`].
    fn watched_changed(&mut self, client: ClientId, db: usize, key: &[u8], is_gone: bool);

    /// Appends to another client's output what `encode` makes for it, if anything. False when there is no such client, or it is
    /// the one whose command runs.
    fn push(&mut self, client: ClientId, encode: impl FnOnce(&mut Session) -> Option<Bytes>) -> bool;

    /// The other clients.
    fn clients(&self) -> Vec<ClientId>;

    /// Shows a command, passwords already hidden, to the clients that called MONITOR.
    fn feed_monitors(&mut self, session: &Session, args: &Args<'_>);

    /// Runs `act` with another client's session and output. `None` when there is no such client, or it is the one whose
    /// command runs.
    fn with_client<R>(
        &mut self,
        client: ClientId,
        act: impl FnOnce(&mut Self, &mut Session, &mut Out) -> R,
    ) -> Option<R>;

    /// The client waits in a blocking command from now on: what else it sends is left unread.
    fn blocked(&mut self, client: ClientId);

    /// The client waits no more, and may go on.
    fn unblocked(&mut self, client: ClientId);

    /// Whether the present CLIENT PAUSE (or a failover) holds this command back, which has these flags.
    fn is_held_back(&mut self, session: &Session, command: &Command, flags: Flags, caller: &Caller) -> bool;
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered (with a result, an error, or QUEUED) or needs no answer.
    Done,
    /// CLIENT PAUSE holds it back: it is to be tried again when the pause ends.
    HeldBack,
}

/// Runs one request of a client from beginning to end.
pub fn execute<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> Verdict {
    let command = match table.lookup(args) {
        Ok(command) => command,
        Err(_) if refuse_web_request(session, args) => return Verdict::Done,
        Err(error) => {
            // With a wrong number of words it is still known which command it was meant to be.
            reject(host, session, table.catalog().lookup(args).ok(), &error.text(), out);
            session.command_ended();
            return Verdict::Done;
        }
    };
    session.last_command = Some(command.id);
    if host.engine().is_tracking_too_much() {
        keep_tracking(host, session, out);
    }
    let verdict = admit_and_run(host, table, session, command, args, out);
    if verdict == Verdict::Done {
        // The command of a client that waits now is not over.
        if !session.marks.is_blocked {
            session.command_ended();
        }
        if let Some(tracking) = &mut session.tracking
            && session.multi.is_none()
            && command.meta.container != "client"
        {
            tracking.is_caching = false;
        }
        release_own_pushes(session, out);
    }
    verdict
}

/// What is remembered for client-side caching is brought down to its limit before a command runs. What the caller is told then
/// comes before its reply.
#[cold]
fn keep_tracking<H: Host>(host: &mut H, session: &mut Session, out: &mut Out) {
    // While a script is stuck not everybody can be told.
    if host.engine().depth == 0 {
        tracking::keep_limit(host, Some(&mut *session));
        release_own_pushes(session, out);
    }
}

fn admit_and_run<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    out: &mut Out,
) -> Verdict {
    let is_exec = matches!(table.handler(command), Handler::Flow(flow::Flow::Exec));
    let caller = describe(host.engine(), session, is_exec);
    let admitted = admit(host, table, session, command, args, &caller);
    if !session.pending_pushes.is_empty() {
        // Keys that went to make room: what this client had of them is told before the reply.
        release_own_pushes(session, out);
    }
    if let Err(text) = admitted {
        reject(host, session, Some(command), &text, out);
        return Verdict::Done;
    }
    let flags = flags_of(host, table, command, args);
    if host.is_held_back(session, command, flags, &caller) {
        return Verdict::HeldBack;
    }
    if session.multi.is_some() && !is_run_inside_multi(command.meta.name) {
        flow::multi::queue(session, command, flags, args);
        reply(session, out).simple("QUEUED");
        return Verdict::Done;
    }
    call::call(host, table, session, command, args, out);
    if host.engine().depth == 0 {
        host.engine().end_unit();
    }
    Verdict::Done
}

/// What this call may do: a script says it itself.
fn flags_of<H: Host>(host: &mut H, table: &Table<Handler<H::Admin>>, command: &Command, args: &Args<'_>) -> Flags {
    match table.handler(command) {
        Handler::Flow(flow) => flow::eval::flags_of_call(host.engine(), *flow, command, args),
        _ => command.flags,
    }
}

/// The gates, in order. The text of the refusal, if any.
fn admit<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    caller: &Caller,
) -> Result<(), std::borrow::Cow<'static, str>> {
    gates::before_acl(command.meta, caller)?;
    let context = if caller.is_in_multi { acl::Context::Multi } else { acl::Context::TopLevel };
    if let Some(text) = acl_refusal(host, table, session, command, args, context) {
        return Err(text.into());
    }
    let engine = host.engine();
    // In the middle of a stuck script matters stand as they stood when it began.
    if engine.config.memory.maxmemory != 0 && engine.facts.busy.is_none() && !caller.is_master {
        memory::look(host, Some(session));
        if host.engine().facts.is_out_of_memory {
            let flags = flags_of(host, table, command, args);
            if memory::is_refused(flags, command.meta.name, caller) {
                return Err(memory::OOM.into());
            }
        }
    }
    match gates::after_acl(command.meta, caller, &host.engine().facts) {
        Ok(()) => Ok(()),
        Err(Gate::Refused(text)) => Err(text.into()),
        Err(Gate::AofTrouble) => {
            let trouble = host.engine().facts.aof_trouble.as_deref().unwrap_or_default();
            Err(format!("MISCONF Errors writing to the AOF file: {trouble}").into())
        }
        Err(Gate::SubscriberContext) => Err(crate::session::admission::subscriber_text(&command.full_name).into()),
    }
}

/// What the ACL says against this command, if anything; it is then also noted in ACL LOG. The link from our master has no
/// user and may do everything.
pub fn acl_refusal<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &Session,
    command: &Command,
    args: &Args<'_>,
    context: acl::Context,
) -> Option<String> {
    let user = session.user?;
    let acl = &host.engine().acl;
    if acl.is_all_powerful(user) {
        return None;
    }
    let denied = acl.check(user, command, args).err()?;
    let text = denied.text(acl, user, command);
    host.with_peers(|engine, peers| {
        let figures = peers.figures(session.id);
        let scene = Scene { session, figures: &figures, catalog: table.catalog(), now: &engine.now };
        scene.note_denied(&mut engine.acl, command, args, &denied, context);
    });
    Some(text)
}

fn describe(engine: &Engine, session: &Session, is_exec: bool) -> Caller {
    let (queued, lacking) = match &session.multi {
        Some(multi) if is_exec => (multi.any_flags, multi.lacking_flags),
        _ => (Flags::NONE, Flags::NONE),
    };
    Caller {
        is_master: session.kind == Kind::Master,
        is_replica_link: session.kind == Kind::Replica,
        is_resp2_subscriber: session.proto == Proto::Resp2 && session.is_subscriber(),
        is_authenticated: !session.must_authenticate(&engine.acl),
        is_in_multi: session.multi.is_some() && !is_exec,
        has_queued_writes: queued.has(Flags::WRITE),
        has_queued_effects: queued.has(Flags::WRITE.and(Flags::MAY_REPLICATE)),
        has_queued_no_stale: lacking.has(Flags::STALE),
        has_queued_no_loading: lacking.has(Flags::LOADING),
        has_queued_denyoom: queued.has(Flags::DENYOOM),
    }
}

/// Which commands act on an open transaction instead of joining it.
fn is_run_inside_multi(name: &str) -> bool {
    matches!(name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Answers with an error; an open transaction is spoilt by it, and ended when it is its EXEC that is refused.
fn reject<H: Host>(host: &mut H, session: &mut Session, command: Option<&Command>, text: &str, out: &mut Out) {
    if let Some(multi) = session.multi.as_mut() {
        multi.is_aborted = true;
    }
    count_rejection(host, command.map(|command| command.id));
    host.engine().command_stats.error(text);
    let is_exec = command.is_some_and(|command| command.meta.name == "exec");
    if is_exec {
        let reason = text.strip_prefix("ERR ").unwrap_or(text);
        flow::multi::discard(host.engine(), session);
        reply(session, out).error(&format!("EXECABORT Transaction discarded because of: {reason}"));
    } else {
        reply(session, out).error(text);
    }
}

fn count_rejection<H: Host>(host: &mut H, command: Option<CommandId>) {
    if let Some(id) = command {
        host.engine().command_stats.rejected(id);
    }
}

/// Where the present command's reply goes, unless CLIENT REPLY withholds it.
pub fn reply<'a>(session: &Session, out: &'a mut Out) -> Reply<'a> {
    out.set_muted(session.is_muted());
    Reply::new(out, session.proto)
}

fn release_own_pushes(session: &mut Session, out: &mut Out) {
    out.set_muted(false);
    for push in session.pending_pushes.drain(..) {
        out.append_shared(push);
    }
}
