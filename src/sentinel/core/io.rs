//! The vocabulary between the core and whatever surrounds it: everything that can happen ([`Input`]) and everything
//! that can be asked for ([`Output`]). Both are closed, so a shell or a simulator that handles each variant is complete.
//!
//! Rules for the shell:
//!
//! * Perform outputs in order.
//! * A connection has one number from its `Connect` to its `Closed`; numbers are never reused. After `Disconnect` the
//!   shell sends no more inputs about that number (late ones are ignored).
//! * Every `Send` carries a [`Tag`]. The answers of a connection come in the order of the sends; the shell keeps the
//!   tags of a connection in a queue and gives each answer with its tag. On a connection of kind
//!   [`LinkKind::PubSub`] an array of three whose first element is `message` is not an answer: it is
//!   [`Input::Published`].
//! * `Persist(ticket)`: write the configuration file with the lines of [`super::Sentinel::state_lines`] as they are at
//!   that moment, make it durable, and report [`Input::Persisted`] or [`Input::PersistFailed`]. One write may serve
//!   several tickets: reporting a ticket reports all before it. What must not leave before the disk has it stays
//!   inside the core until then, so the shell may write on another thread.
//! * A [`ReplySlot`] is the shell's own number for a client that waits for an answer. Each slot is answered exactly once,
//!   at once or after a `Persist` or `Resolve` has come back; the shell holds the client's later commands until then.

use std::net::IpAddr;

use crate::base::id::HexId;
use crate::base::time::{Instant, UnixMillis};
use crate::resp::args::OwnedArgs;
use crate::resp::value::Value;

/// One connection, from its `Connect` to its `Closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One request to make the state durable. Tickets grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The shell's number for a client that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplySlot(pub u64);

/// One look-up of a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolveId(pub u64);

/// One entry of the script queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// One monitored master, whatever its name and address become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterId(pub u32);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Commands and their answers.
    Command,
    /// Subscribed to the hello channel.
    PubSub,
}

impl LinkKind {
    /// The word at the end of the client name: `sentinel-<id>-cmd`.
    pub fn suffix(self) -> &'static str {
        match self {
            LinkKind::Command => "cmd",
            LinkKind::PubSub => "pubsub",
        }
    }
}

/// What a command sent to a peer was for. `era` grows with every reset or address change of the master, so that an
/// answer about the old master is not taken for one about the new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Whatever the answer is, nobody looks at it.
    Ignored,
    /// PING.
    Ping,
    /// INFO of a master or replica.
    Info,
    /// PUBLISH of a hello about this master.
    Hello(MasterId),
    /// SUBSCRIBE to the hello channel.
    Subscribe,
    /// SENTINEL IS-MASTER-DOWN-BY-ADDR; `candidacy` is the epoch a vote was asked for, or zero.
    MasterDown { master: MasterId, era: u32, candidacy: u64 },
    /// SENTINEL GET-MASTER-ADDR-BY-NAME, asked at this moment: does this peer see the same master as we do?
    Confirm { master: MasterId, era: u32, asked: Instant },
    /// CLIENT PAUSE of a live master before its successor takes over.
    Pause { master: MasterId, era: u32 },
    /// EXEC of the transaction that makes a replica the master.
    Promote { master: MasterId, era: u32 },
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// It returned this code.
    Exited(i32),
    /// It was killed by this signal.
    Signalled(i32),
    /// It could not be started at all.
    NotStarted,
}

/// A peer's question: is the master at this address down, and will you vote for `candidate` in `epoch`?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownQuestion {
    /// Host of the master, as the peer names it.
    pub host: String,
    /// Its port.
    pub port: i64,
    /// The peer's current epoch.
    pub epoch: u64,
    /// Who asks for a vote; `*` when nobody does.
    pub candidate: String,
}

/// A command that changes the Sentinel. Reading commands use the methods of `view.rs` instead.
///
/// Words that only the master's settings can judge stay words: SET and CONFIG SET apply, refuse and log in an order that
/// is part of their behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// SENTINEL MONITOR, with both numbers already read.
    Monitor { name: String, host: String, port: i64, quorum: i64 },
    /// SENTINEL REMOVE.
    Remove { name: String },
    /// SENTINEL SET: the words after the master's name.
    Set { name: String, words: Vec<Vec<u8>> },
    /// SENTINEL RESET.
    Reset { pattern: Vec<u8> },
    /// SENTINEL FAILOVER.
    Failover { name: String },
    /// SENTINEL CONFIG SET: the words after SET.
    ConfigSet { words: Vec<Vec<u8>> },
    /// SENTINEL FLUSHCONFIG.
    FlushConfig,
    /// SENTINEL SIMULATE-FAILURE with flags (HELP is answered by the shell).
    SimulateFailure { words: Vec<Vec<u8>> },
    /// SENTINEL DEBUG: the words after DEBUG, at least one.
    Debug { words: Vec<Vec<u8>> },
}

/// The answer to a [`Command`] or a [`DownQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandReply {
    /// `+OK`.
    Ok,
    /// An integer.
    Int(i64),
    /// An error; the text has its prefix (`ERR …`, `INPROG …`) and no minus sign.
    Error(String),
    /// The three elements of IS-MASTER-DOWN-BY-ADDR: integer, bulk (`*` for none), integer.
    Down { down: bool, leader: Option<HexId>, leader_epoch: u64 },
}

/// Everything that can happen to a Sentinel.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Nothing happened, but time passed. Due at [`super::Sentinel::next_deadline`] at the latest.
    Timer,
    /// A connection is established; `local_ip` is our end of it, which hellos announce.
    Connected { conn: ConnId, local_ip: IpAddr },
    /// A connection ended, or could not be established. Answers not yet given are lost.
    Closed { conn: ConnId, reason: &'a str },
    /// The answer to a `Send`.
    Reply { conn: ConnId, tag: Tag, value: &'a Value },
    /// A message on a subscribed connection.
    Published { conn: ConnId, payload: &'a [u8] },
    /// A peer sent its hello to us directly, by PUBLISH.
    Hello { payload: &'a [u8] },
    /// A peer asks SENTINEL IS-MASTER-DOWN-BY-ADDR.
    Asked { slot: ReplySlot, question: DownQuestion },
    /// A client wants something changed.
    Command { slot: ReplySlot, command: Command },
    /// The state as it was at this ticket, or later, is durable.
    Persisted { ticket: Ticket },
    /// It could not be written. The shell has logged why.
    PersistFailed { ticket: Ticket },
    /// The outcome of a look-up.
    Resolved { id: ResolveId, ip: Option<IpAddr> },
    /// A script runs.
    ScriptStarted { job: JobId, pid: i64 },
    /// A script ended.
    ScriptEnded { job: JobId, end: ScriptEnd },
}

/// How important an event or log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `.`: logged only, never published.
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
}

/// An event: logged as `<name> <payload>` and, unless its level is debug, published with `name` as the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How important.
    pub level: Level,
    /// `+sdown`, `-odown`, `+switch-master`, …
    pub name: &'static str,
    /// What clients parse.
    pub payload: String,
}

/// A line for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// This text.
    Text(Level, String),
    /// `Next failover delay: I will not start a failover before <local time>`, at level notice.
    FailoverDelay(UnixMillis),
}

/// Everything a Sentinel can ask for.
#[derive(Clone, Debug)]
pub enum Output {
    /// Open a connection. TLS, the source address and socket options are the shell's matter.
    Connect { conn: ConnId, kind: LinkKind, ip: IpAddr, port: u16 },
    /// Close a connection and forget it.
    Disconnect { conn: ConnId },
    /// Send a command.
    Send { conn: ConnId, command: OwnedArgs, tag: Tag },
    /// Make the state durable.
    Persist(Ticket),
    /// Answer a waiting client.
    Reply { slot: ReplySlot, reply: CommandReply },
    /// Log and publish.
    Event(Event),
    /// Log.
    Log(LogLine),
    /// Start `argv[0]` with these arguments and the environment of the process.
    RunScript { job: JobId, argv: Vec<String> },
    /// Kill a script with SIGKILL; its end is reported as usual.
    KillScript { job: JobId, pid: i64 },
    /// Look up a host name, without stopping the loop.
    Resolve { id: ResolveId, host: String },
    /// Set the log level: debug, verbose, notice, warning or nothing.
    SetLogLevel(&'static str),
    /// Leave the process with this code at once (a simulated crash). Nothing after it is performed.
    Exit(i32),
}

/// Where the core puts what it asks for. Reused between calls.
#[derive(Debug, Default)]
pub struct Outputs {
    list: Vec<Output>,
}

impl Outputs {
    /// Empty.
    pub fn new() -> Outputs {
        Outputs::default()
    }

    /// Appends.
    pub fn push(&mut self, output: Output) {
        self.list.push(output);
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.list.drain(..)
    }

    /// What is waiting to be performed.
    pub fn as_slice(&self) -> &[Output] {
        &self.list
    }

    /// Appends a log line.
    pub fn log(&mut self, level: Level, text: String) {
        self.push(Output::Log(LogLine::Text(level, text)));
    }
}
