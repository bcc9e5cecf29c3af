//! What a session command works with, and the door to the other clients.

use std::borrow::Cow;
use std::fmt;

use crate::acl::Acl;
use crate::base::id::ClientId;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::pubsub::{Message, PubSub};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::spec::Catalog;

/// A session command.
pub type SessionHandler = fn(&mut SessionCtx<'_>, &Args<'_>) -> SessionResult;

/// What a session command says when it is done.
pub type SessionResult = Result<SessionOutcome, SessionError>;

/// All a session command sees.
pub struct SessionCtx<'a> {
    /// The caller.
    pub session: &'a mut Session,
    /// Where the answer goes. Its protocol is the session's at the start of the command.
    pub reply: Reply<'a>,
    /// The other clients.
    pub peers: &'a mut dyn Peers,
    /// Users.
    pub acl: &'a mut Acl,
    /// Channels and patterns.
    pub pubsub: &'a mut PubSub,
    /// The program's commands.
    pub catalog: &'a Catalog,
    /// What the program is.
    pub program: &'a Program,
    /// The moment of this command.
    pub now: Now,
    /// Chance.
    pub rng: &'a mut Rng,
}

/// What a client can learn about the program it talks to.
#[derive(Clone, Debug)]
pub struct Program {
    /// The version that HELLO and INFO show.
    pub version: &'static str,
    /// What it does.
    pub role: Role,
    /// How many databases SELECT accepts.
    pub databases: usize,
}

/// What a program does, as HELLO says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves data, follows nobody.
    Master,
    /// Serves data, follows a master.
    Replica,
    /// Monitors.
    Sentinel,
}

/// What follows from a session command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOutcome {
    /// Nothing beyond the session.
    Done,
    /// Replicas (not the AOF) receive the command as it was written: PUBLISH.
    ToReplicas,
    /// RESET: the caller's watched keys and MONITOR are also to be given up, which is the executor's to do.
    Reset,
}

/// Why a session command was refused: the wire text, prefix included, without `-` and CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionError(Cow<'static, str>);

impl SessionError {
    /// A word that is not part of the command's grammar.
    pub const SYNTAX: SessionError = SessionError::fixed("ERR syntax error");
    /// Not an integer, or outside 64 bits.
    pub const NOT_INTEGER: SessionError = SessionError::fixed("ERR value is not an integer or out of range");

    /// A complete text, prefix included.
    pub const fn fixed(text: &'static str) -> SessionError {
        SessionError(Cow::Borrowed(text))
    }

    /// A complete text, prefix included.
    pub fn text(text: impl Into<String>) -> SessionError {
        SessionError(Cow::Owned(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The other clients of the program.
///
/// While a command runs, its caller's session is borrowed by the [`SessionCtx`]; the implementation therefore never
/// offers or changes the caller's session here, except for [`Peers::figures`].
pub trait Peers {
    /// Visits every client but the caller, in the order they connected, the master link and replicas included.
    fn each(&self, visit: &mut dyn FnMut(&Session, &Figures));
    /// The socket's side of a client, the caller included. All zero for a client that does not exist.
    fn figures(&self, id: ClientId) -> Figures;
    /// Closes another client's connection soon, without waiting for its output.
    fn kill(&mut self, id: ClientId);
    /// Ends another client's blocking command. False when it is not in one, or in one that cannot be ended so.
    fn unblock(&mut self, id: ClientId, how: Unblock) -> bool;
    /// Appends a published message to another client's output, in its protocol.
    fn deliver(&mut self, to: ClientId, message: &Message<'_>);
    /// Holds back commands of all clients until then. A pause is never made shorter or weaker by another.
    fn pause(&mut self, until: Instant, what: Pause);
    /// Ends a pause.
    fn unpause(&mut self);
}

/// How CLIENT UNBLOCK ends a blocking command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time had passed.
    Timeout,
    /// With `UNBLOCKED client unblocked via CLIENT UNBLOCK`.
    Error,
}

/// What CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pause {
    /// Commands that may write or publish.
    Write,
    /// All commands.
    All,
}

/// A connection's figures in CLIENT LIST; bytes unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The socket's number; -1 when there is none.
    pub fd: i64,
    /// Input waiting to be parsed.
    pub qbuf: u64,
    /// Room left in the input buffer.
    pub qbuf_free: u64,
    /// Arguments of the command that waits or runs.
    pub argv_mem: u64,
    /// Bytes of output that wait.
    pub obl: u64,
    /// In how many chunks.
    pub oll: u64,
    /// The memory of those.
    pub omem: u64,
    /// All memory of its buffers.
    pub buffers: u64,
    /// The loop waits for input.
    pub is_reading: bool,
    /// The loop waits to send.
    pub is_writing: bool,
}
