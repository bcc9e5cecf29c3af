//! Lua 5.1 for scripts and functions: a sandboxed interpreter with one door to the rest of the program.
//!
//! ```text
//! sandbox.lua   what a script finds: locked globals, checked versions of the functions that could break the locks
//! vm.rs         the interpreter: compiles, runs, reports where an error arose, stops what runs for too long
//! door.rs       how a function that Lua calls reaches the program that runs the script
//! stack.rs      the short way in and out: KEYS and ARGV, redis.call, what a script returns
//! api.rs        the rest of the table `redis`
//! register.rs   redis.register_function
//! debugger/     SCRIPT DEBUG
//! libs/         bit, cjson, cmsgpack, struct
//! shebang.rs    the first line of a script: engine, name, flags
//! ```
//!
//! This module knows no command and no key: it has one verb, [`Calls::call`], "run this command and give me its reply". Who may run
//! what, what is propagated and what a stuck script means to other clients is decided in `exec`.
//!
//! Lua is not patched. Where Redis has read-only tables in its interpreter, here locked tables are empty proxies in front of the
//! real ones; what a script can see of this is listed in `docs/differences.md`.

mod api;
mod debugger;
mod door;
mod libs;
mod register;
pub mod shebang;
mod stack;
mod vm;

pub use register::is_valid_name;
pub use stack::ReplyError;
pub use vm::{Chunk, Failure, Registered, Vm};

use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::reply::Proto;

/// What a running script asks of the program around it.
pub trait Calls {
    /// Runs one command, whose reply is added to `reply`. An error is a reply like any other.
    fn call(&mut self, words: &OwnedArgs, proto: Proto, reply: &mut Out);

    /// Whether the user may run this command on these keys; `None` when there is no such command.
    fn is_permitted(&mut self, words: &OwnedArgs) -> Option<bool>;

    /// Writes to the log.
    fn log(&mut self, level: LogLevel, text: &[u8]);

    /// Who receives what commands change from here on.
    fn set_propagation(&mut self, to: Propagation);

    /// Asked again and again while the script runs. `Err` ends it with this text.
    fn tick(&mut self) -> Result<(), &'static str>;

    /// Whether a script that is debugged has run for so long that its client should have a look.
    fn is_late(&mut self) -> bool {
        false
    }

    /// Says something to the client that debugs the script, and waits a little for what it says.
    fn converse(&mut self, _said: &[u8]) -> Heard {
        Heard::Gone
    }
}

/// What was heard of a client that debugs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing so far.
    Nothing,
    /// It is gone, or cannot be talked with.
    Gone,
}

/// Levels of `redis.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

/// What `redis.set_repl` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// The append-only file.
    pub to_aof: bool,
    /// Replicas.
    pub to_replicas: bool,
}
