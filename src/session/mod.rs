//! What one client is to us: its identity, user, protocol, database, subscriptions, open transaction, limits.
//!
//! A [`Session`] holds no socket and no buffer; the program that owns the connection keeps those beside it. Handlers in
//! [`handlers`] are the commands about one's own connection (AUTH, HELLO, CLIENT, SUBSCRIBE, …). The data server and
//! the Sentinel run the same handlers: each fills a [`SessionCtx`] and implements [`Peers`], the door to other clients.

pub mod admission;
pub mod context;
pub mod denial;
pub mod describe;
pub mod handlers;
pub mod limits;
mod memory;
pub mod redact;
pub mod tracking;
pub mod transaction;

pub use context::{
    Figures, Peers, Program, Role, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult,
};
pub use transaction::{Queued, Transaction, WatchedKey};

use bytes::Bytes;

use crate::acl::{Acl, UserId};
use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::pubsub::Counts;
use crate::resp::reply::Proto;
use crate::session::limits::LimitClass;
use crate::session::tracking::Tracking;
use crate::spec::CommandId;

/// A client's state.
pub struct Session {
    /// CLIENT ID.
    pub id: ClientId,
    /// Peer address as CLIENT LIST shows it: `ip:port`, `[ip]:port`, or `path:0` for a unix socket.
    pub addr: Box<str>,
    /// Our own end, in the same form.
    pub laddr: Box<str>,
    /// What the client is to us.
    pub kind: Kind,
    /// Statements about the client that are either true or not.
    pub marks: Marks,
    /// CLIENT SETNAME.
    pub name: Option<Bytes>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Option<Bytes>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Option<Bytes>,
    /// Who it acts as. `None`: the link from our master and our own internal clients, which may do everything.
    pub user: Option<UserId>,
    /// Whether it has logged in, or did not need to.
    pub is_authenticated: bool,
    /// RESP version.
    pub proto: Proto,
    /// The selected database.
    pub db: usize,
    /// How many channels, patterns and shard channels it is subscribed to.
    pub subscribed: Counts,
    /// The open MULTI, if any.
    pub multi: Option<Box<Transaction>>,
    /// What it watches; the index by key is in `exec`.
    pub watched: Vec<WatchedKey>,
    /// Client-side caching, while it is on.
    pub tracking: Option<Box<Tracking>>,
    /// A watched key has changed: EXEC will answer null.
    pub is_watch_broken: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// When it connected.
    pub created: Instant,
    /// When it last sent something, or received something as a replica.
    pub last_interaction: Instant,
    /// The last command it called.
    pub last_command: Option<CommandId>,
    /// Since when its output has been above the soft limit.
    pub over_soft_limit_since: Option<Instant>,
    /// Pushes to itself that came up while a command of its own ran; they follow that command's reply.
    pub pending_pushes: Vec<Bytes>,
    /// While this session calls commands for a script: the protocol of the client itself, in which it hears pushes.
    pub script_client_proto: Option<Proto>,
    /// Its scripts stop before each line: SCRIPT DEBUG SYNC.
    pub debugs_scripts: bool,
    /// Where the replication stream stood after its last write, for WAIT.
    pub written_to: u64,
}

/// What the other end is to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A client.
    #[default]
    Client,
    /// A client that called MONITOR.
    Monitor,
    /// A replica of ours.
    Replica,
    /// The master we replicate.
    Master,
}

/// What CLIENT REPLY asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    #[default]
    On,
    /// None are.
    Off,
    /// The next command's reply is not sent.
    SkipNext,
    /// This command's reply is not sent.
    Skipping,
}

/// True-or-false facts about a client. Each has its letter in CLIENT LIST's `flags` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Waits in a blocking command (`b`).
    pub is_blocked: bool,
    /// Was unblocked and has input waiting (`u`).
    pub is_unblocked: bool,
    /// Is to be closed once its output is sent (`c`).
    pub is_closing_after_reply: bool,
    /// Is to be closed as soon as possible (`A`).
    pub is_closing_asap: bool,
    /// Came over a unix socket (`U`).
    pub is_unix: bool,
    /// READONLY in a cluster (`r`).
    pub is_cluster_readonly: bool,
    /// Exempt from client eviction (`e`).
    pub is_no_evict: bool,
    /// Reads do not touch LRU and LFU (`T`).
    pub is_no_touch: bool,
}

impl Session {
    /// A client that has just connected: the default user, logged in when that user needs no password.
    pub fn new(id: ClientId, addr: &str, laddr: &str, is_unix: bool, acl: &Acl, now: Instant) -> Session {
        Session {
            id,
            addr: addr.into(),
            laddr: laddr.into(),
            kind: Kind::Client,
            marks: Marks { is_unix, ..Marks::default() },
            name: None,
            lib_name: None,
            lib_ver: None,
            user: Some(UserId::DEFAULT),
            is_authenticated: acl.is_default_open(),
            proto: Proto::Resp2,
            db: 0,
            subscribed: Counts::default(),
            multi: None,
            watched: Vec::new(),
            tracking: None,
            is_watch_broken: false,
            reply_mode: ReplyMode::On,
            created: now,
            last_interaction: now,
            last_command: None,
            over_soft_limit_since: None,
            pending_pushes: Vec::new(),
            script_client_proto: None,
            debugs_scripts: false,
            written_to: 0,
        }
    }

    /// Whether the client must log in before anything else. True only when the default user would need a password.
    pub fn must_authenticate(&self, acl: &Acl) -> bool {
        !self.is_authenticated && self.user.is_some() && !acl.is_default_open()
    }

    /// The protocol in which the client hears pushes.
    pub fn push_proto(&self) -> Proto {
        self.script_client_proto.unwrap_or(self.proto)
    }

    /// Whether it subscribes to anything. With RESP2 such a client may only use a few commands.
    pub fn is_subscriber(&self) -> bool {
        self.subscribed.total() > 0
    }

    /// Whether replies of the present command are withheld. Pushes are sent all the same.
    pub fn is_muted(&self) -> bool {
        matches!(self.reply_mode, ReplyMode::Off | ReplyMode::Skipping)
    }

    /// To be called when a command is over: moves CLIENT REPLY SKIP on by one command.
    pub fn command_ended(&mut self) {
        self.reply_mode = match self.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skipping,
            ReplyMode::Skipping => ReplyMode::On,
            other => other,
        };
    }

    /// Which row of `client-output-buffer-limit` applies to it.
    pub fn limit_class(&self) -> LimitClass {
        match self.kind {
            Kind::Replica => LimitClass::Replica,
            // A master link is never cut for its output; it counts as a normal client elsewhere.
            Kind::Client | Kind::Master if self.is_subscriber() => LimitClass::Pubsub,
            Kind::Client | Kind::Master | Kind::Monitor => LimitClass::Normal,
        }
    }

    /// CLIENT LIST's word for `TYPE`.
    pub fn type_word(&self) -> &'static str {
        match self.kind {
            Kind::Master => "master",
            Kind::Replica => "slave",
            Kind::Client | Kind::Monitor if self.is_subscriber() => "pubsub",
            Kind::Client | Kind::Monitor => "normal",
        }
    }

    /// Forgets an open transaction. What was watched is forgotten by whoever keeps the index of watched keys.
    pub fn discard_multi(&mut self) {
        self.multi = None;
        self.is_watch_broken = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(ClientId(3), "127.0.0.1:5000", "127.0.0.1:6379", false, &Acl::new(), Instant::default())
    }

    #[test]
    fn reply_skip_withholds_exactly_the_next_reply() {
        let mut session = session();
        session.reply_mode = ReplyMode::SkipNext;
        assert!(!session.is_muted());
        session.command_ended();
        assert!(session.is_muted());
        session.command_ended();
        assert!(!session.is_muted());
        session.reply_mode = ReplyMode::Off;
        session.command_ended();
        assert!(session.is_muted());
    }

    #[test]
    fn a_subscriber_is_a_pubsub_client_with_its_own_limits() {
        let mut session = session();
        assert_eq!((session.type_word(), session.limit_class()), ("normal", LimitClass::Normal));
        session.subscribed.patterns = 1;
        assert_eq!((session.type_word(), session.limit_class()), ("pubsub", LimitClass::Pubsub));
        session.kind = Kind::Replica;
        assert_eq!((session.type_word(), session.limit_class()), ("slave", LimitClass::Replica));
    }

    #[test]
    fn without_a_password_nobody_needs_to_log_in() {
        assert!(!session().must_authenticate(&Acl::new()));
    }
}
