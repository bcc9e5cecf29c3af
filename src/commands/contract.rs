//! All a data command sees and all it can say.
//!
//! A handler gets a [`DataCtx`]: one database, the place for its reply, the time, chance, and a few settings as plain
//! values. It answers with an [`Outcome`] or a [`CommandError`]. It never learns who asked, who watches, who replicates:
//! what follows from a change is read from the change log, once for all commands, in `exec`.
//!
//! The rule that makes errors safe: check first, then change. A handler that returns an error has changed nothing, and
//! has written nothing to the reply.

use std::fmt;

use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::data::{Limits, TypeName};
use crate::keyspace::DbHandle;
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::reply::Reply;

/// A data command.
pub type DataHandler = fn(&mut DataCtx<'_>, &Args<'_>) -> CommandResult;

/// What a handler says when it is done. Two words, which come back in registers: a larger one, written to memory a moment before,
/// would be read in other pieces than it was written in, and processors make that wait for every earlier write, to the key's memory above all.
pub type CommandResult = Result<Outcome, Box<CommandError>>;
const _: () = assert!(size_of::<CommandResult>() <= 2 * size_of::<usize>());

/// What a data command works with.
pub struct DataCtx<'a> {
    /// The client's database, through the only door.
    pub db: DbHandle<'a>,
    /// Where the answer goes.
    pub reply: Reply<'a>,
    /// The moment of this command; it does not advance while a transaction runs.
    pub now: Now,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Settings that data commands depend on.
    pub settings: &'a DataSettings,
    /// Whether anybody (a replica, the AOF) receives what this command leaves. If not, there is no need to say how it
    /// should read.
    pub is_propagated: bool,
    /// Whether the client may be made to wait: not within a transaction or a script, and not the link from our master.
    pub may_block: bool,
    /// Whether a script is calling, whose effects and answers should not depend on the order in which a table keeps things.
    pub is_scripted: bool,
    /// Whether the client may read whatever key there is. Told to commands whose words do not name all their keys.
    pub may_read_all_keys: bool,
}

impl DataCtx<'_> {
    /// If something changed, replicas and the AOF receive these words instead of what was written.
    pub fn propagate(&self, words: &[&[u8]]) -> Outcome {
        self.propagate_with(|| OwnedArgs::of(words))
    }

    /// The same for a command that takes more to put together.
    pub fn propagate_with(&self, command: impl FnOnce() -> OwnedArgs) -> Outcome {
        match self.is_propagated {
            true => Outcome::PropagateAs(Box::new(command())),
            false => Outcome::Done,
        }
    }
}

/// Settings that data commands depend on, as plain values so that `commands` needs no `config`.
#[derive(Clone, Debug)]
pub struct DataSettings {
    /// Largest string, in bytes (`proto-max-bulk-len`).
    pub string_bytes_max: u64,
    /// How many databases there are.
    pub databases: usize,
    /// DEL behaves like UNLINK.
    pub is_user_del_lazy: bool,
    /// Overwriting frees in the background.
    pub is_server_del_lazy: bool,
    /// Replicas and the AOF receive UNLINK instead of DEL for a key that had expired.
    pub is_expire_lazy: bool,
    /// A past expiry time deletes at once. False on a replica and while loading, where it is only stored.
    pub is_past_expiry_deletion: bool,
    /// LFU counters are kept instead of idle times.
    pub is_lfu: bool,
    /// Small integers are said to belong to many keys, see OBJECT REFCOUNT.
    pub are_integers_shared: bool,
    /// When small encodings become large ones.
    pub limits: Limits,
    /// RESTORE does not look at checksums (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub is_checksum_skipped: bool,
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings {
            string_bytes_max: 512 * 1024 * 1024,
            databases: 16,
            is_user_del_lazy: false,
            is_server_del_lazy: false,
            is_expire_lazy: false,
            is_past_expiry_deletion: true,
            is_lfu: false,
            are_integers_shared: true,
            is_checksum_skipped: false,
            limits: Limits::default(),
        }
    }
}

/// What follows from a command that succeeded.
#[derive(Debug)]
pub enum Outcome {
    /// If it changed something, replicas and the AOF receive it as it was written.
    Done,
    /// If it changed something, they receive this instead. Boxed, because the common outcome should stay small.
    PropagateAs(Box<OwnedArgs>),
    /// If it changed something, they receive these instead.
    PropagateEach(Box<Entries>),
    /// They receive it as written even if nothing changed (FLUSHALL of nothing).
    Forced,
    /// Replicas receive it as written, the append only file does not (PUBLISH).
    ForReplicas,
    /// Nothing was there, and nothing was done or replied: the client waits, and the command runs again when one of the keys may
    /// have what it wants. Only where [`DataCtx::may_block`] allows it. Boxed, because the common outcome should stay small.
    Block(Box<Blocking>),
}

impl Outcome {
    /// These commands instead of the one that was written, if it changed something.
    pub fn propagate_each(commands: Vec<OwnedArgs>) -> Outcome {
        Outcome::PropagateEach(Box::new(Entries(commands)))
    }
}

/// Commands for the journal.
#[derive(Debug)]
pub struct Entries(pub Vec<OwnedArgs>);

/// What a client waits for.
#[derive(Clone, Debug)]
pub struct Blocking {
    /// Any of these.
    pub keys: Vec<Box<[u8]>>,
    /// A key counts when it has a value of this type.
    pub wanted: TypeName,
    /// The command runs again also when a key goes away or gets another type, to answer with an error (XREADGROUP).
    pub is_woken_by_loss: bool,
    /// How long, from the first time it ran; `None` for ever. When it is over, the reply is a null array.
    pub timeout_ms: Option<u64>,
    /// The words with which it runs again, where these are not the ones given: `$` of XREAD means the last id at the first run.
    pub again: Option<OwnedArgs>,
    /// What replicas and the AOF receive before the wait: XREADGROUP NOACK may have made a consumer.
    pub told: Vec<OwnedArgs>,
}

impl Blocking {
    /// For any of `keys` to hold something of this type.
    pub fn on<'k>(keys: impl Iterator<Item = &'k [u8]>, wanted: TypeName, timeout_ms: Option<u64>) -> Blocking {
        let keys = keys.map(Box::from).collect();
        Blocking { keys, wanted, is_woken_by_loss: false, timeout_ms, again: None, told: Vec::new() }
    }
}

impl From<Blocking> for Outcome {
    fn from(blocking: Blocking) -> Outcome {
        Outcome::Block(Box::new(blocking))
    }
}

/// Why a command was refused. `Display` is the wire text, prefix included, without `-` and CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The key holds another type.
    WrongType,
    /// A word that is not part of the command's grammar.
    Syntax,
    /// Not an integer, or outside 64 bits.
    NotInteger,
    /// Not a float.
    NotFloat,
    /// The key is not there, and the command needs it.
    NoSuchKey,
    /// A result would not fit 64 bits.
    Overflow,
    /// A string would grow past `proto-max-bulk-len`.
    StringTooLong,
    /// An expiry time that is out of range.
    InvalidExpire {
        /// The command, lower case.
        command: &'static str,
    },
    /// Known to exist, wrong number of words.
    WrongArity {
        /// The command, as `container|subcommand` where it is one.
        command: String,
    },
    /// A database number outside the configured range.
    DbIndexOutOfRange,
    /// The error is in the reply already, and counted: what a script returned.
    Replied,
    /// A text without a prefix of its own: `ERR` is put before it.
    Err(String),
    /// A complete text, prefix included.
    Text(String),
}

impl CommandError {
    /// An error whose prefix is `ERR`.
    pub fn err(text: impl Into<String>) -> CommandError {
        CommandError::Err(text.into())
    }

    /// An error with its own prefix, such as `NOGOODSLAVE …`.
    pub fn text(text: impl Into<String>) -> CommandError {
        CommandError::Text(text.into())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType => f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value"),
            Self::Syntax => f.write_str("ERR syntax error"),
            Self::NotInteger => f.write_str("ERR value is not an integer or out of range"),
            Self::NotFloat => f.write_str("ERR value is not a valid float"),
            Self::NoSuchKey => f.write_str("ERR no such key"),
            Self::Overflow => f.write_str("ERR increment or decrement would overflow"),
            Self::StringTooLong => f.write_str("ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            Self::InvalidExpire { command } => write!(f, "ERR invalid expire time in '{command}' command"),
            Self::WrongArity { command } => write!(f, "ERR wrong number of arguments for '{command}' command"),
            Self::DbIndexOutOfRange => f.write_str("ERR DB index is out of range"),
            Self::Replied => f.write_str("ERR already replied"),
            Self::Err(text) => write!(f, "ERR {text}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<crate::keyspace::WrongType> for CommandError {
    fn from(_: crate::keyspace::WrongType) -> CommandError {
        CommandError::WrongType
    }
}

impl From<crate::keyspace::WrongType> for Box<CommandError> {
    fn from(wrong: crate::keyspace::WrongType) -> Box<CommandError> {
        Box::new(wrong.into())
    }
}
