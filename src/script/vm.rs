//! The interpreter: compiles scripts, runs them, and says where an error arose.
//!
//! A script is compiled once and kept as a [`Chunk`]. Running one sets KEYS and ARGV, opens the door for `redis.call`, and calls the
//! chunk under an error handler that notes source and line while the stack still stands. Every so many instructions a hook asks
//! whether to go on: that is where a script that is stuck is noticed, other clients are told BUSY, and where it is killed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::debug::Debug;
use mlua::{Error, Function, HookTriggers, Lua, LuaOptions, RegistryKey, StdLib, Table, Value, VmState};

use super::debugger::{Console, Debugger, inspect};
use super::door::Door;
use super::shebang::ScriptFlags;
use super::stack::{Entry, Given, ReplyError, Returned, Scratch};
use super::{Calls, api, libs};
use crate::base::limits::SCRIPT_MEMORY_MAX;
use crate::resp::reply::{Proto, Reply};

/// Instructions between two questions whether to go on: about a millisecond.
pub(super) const TICK_INSTRUCTIONS: u32 = 100_000;

/// A round of the collector that was under way when something was left does not find it; the next one does.
const CYCLES: u32 = 2;

const SANDBOX: &str = include_str!("sandbox.lua");

/// What the native functions share with the interpreter.
pub(super) struct Shared {
    pub door: Door,
    /// What `redis.setresp` asked for.
    pub proto: Cell<Proto>,
    /// The script was ended with this text.
    pub killed: Cell<Option<&'static str>>,
    /// What the random numbers begin with.
    pub seed: u64,
    /// The functions of the library that is being loaded.
    pub registering: RefCell<Option<Vec<Registered>>>,
    /// Where commands and their replies are written.
    pub scratch: Scratch,
    /// What is said to a client that debugs a script.
    pub console: Console,
    /// The session, while the script runs.
    pub debugger: RefCell<Option<Debugger>>,
}

/// A compiled script, or a registered function.
#[derive(Clone)]
pub struct Chunk(pub(super) Rc<RegistryKey>);

impl Chunk {
    /// Keeps a function of this interpreter.
    pub(super) fn keep(lua: &Lua, function: &Function) -> mlua::Result<Chunk> {
        Ok(Chunk(Rc::new(lua.create_registry_value(function)?)))
    }
}

/// One function of a library.
#[derive(Clone)]
pub struct Registered {
    /// Its name.
    pub name: Vec<u8>,
    /// What it says about itself.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: ScriptFlags,
    /// What runs.
    pub chunk: Chunk,
}

/// Why a script ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error, its code first.
    pub text: Vec<u8>,
    /// `@user_script` and the line, where it is known.
    pub place: Option<(String, usize)>,
    /// It was counted when it arose, as the error of a command.
    pub is_counted: bool,
}

/// One interpreter.
pub struct Vm {
    lua: Lua,
    shared: Rc<Shared>,
    entry: Entry,
    /// How many rounds of the collector it takes until what was left by scripts so far is gone.
    cycles_due: Cell<u32>,
    library_globals: Table,
    set_loading: Function,
    /// What chunks are called in error messages.
    source: &'static str,
}

impl Vm {
    /// An interpreter whose chunks are called `source` in errors, and whose random numbers begin with `seed`.
    pub fn new(source: &'static str, version: &str, seed: u64) -> Vm {
        Vm::build(source, version, seed).expect("the sandbox is part of the program, and builds")
    }

    fn build(source: &'static str, version: &str, seed: u64) -> mlua::Result<Vm> {
        let stdlib = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(stdlib, LuaOptions::default())?;
        let shared = Rc::new(Shared {
            door: Door::default(),
            proto: Cell::default(),
            killed: Cell::new(None),
            seed,
            registering: RefCell::new(None),
            scratch: Scratch::default(),
            console: Console::default(),
            debugger: RefCell::new(None),
        });
        lua.set_memory_limit(SCRIPT_MEMORY_MAX)?;
        watch(&lua, &shared)?;
        inspect::prepare(&lua, Rc::as_ptr(&shared))?;
        let native = api::native(&lua, &shared)?;
        let redis: Table = native.get("redis")?;
        redis.set("REDIS_VERSION", version)?;
        redis.set("REDIS_VERSION_NUM", version_number(version))?;
        let libraries = lua.create_table()?;
        for (name, table) in libs::all(&lua)? {
            libraries.set(name, table)?;
        }
        let sandbox = lua.load(SANDBOX).set_name("=sandbox").into_function()?;
        let (globals, library_globals, set_loading): (Table, Table, Function) = sandbox.call((native, libraries))?;
        let handler = lua.create_function(move |lua, problem: Value| locate(lua, problem, source))?;
        let entry = Entry::new(&lua, &globals, &handler)?;
        Ok(Vm { lua, shared, entry, cycles_due: Cell::new(CYCLES), library_globals, set_loading, source })
    }

    /// Compiles a script. The error text is Lua's.
    pub fn compile(&self, code: &[u8]) -> Result<Chunk, String> {
        let chunk = self.lua.load(code).set_name(format!("@{}", self.source)).set_mode(ChunkMode::Text);
        let chunk = chunk.into_function().and_then(|function| Chunk::keep(&self.lua, &function));
        chunk.map_err(|error| error_text(&error))
    }

    /// Runs a script with KEYS and ARGV, and writes what it returns. Gives the error that the reply is, if it is one.
    pub fn run(
        &self,
        chunk: &Chunk,
        keys: &[&[u8]],
        args: &[&[u8]],
        calls: &mut dyn Calls,
        reply: &mut Reply<'_>,
    ) -> Result<Option<ReplyError>, Failure> {
        self.guarded(&chunk.0, Given::Globals(keys, args), calls, |returned| returned.write(self.proto(), reply))
    }

    /// Runs a script as its client tells the debugger. `source` is its text.
    pub fn run_debugged(
        &self,
        chunk: &Chunk,
        source: &[u8],
        words: (&[&[u8]], &[&[u8]]),
        calls: &mut dyn Calls,
        reply: &mut Reply<'_>,
    ) -> Result<Option<ReplyError>, Failure> {
        let console = &self.shared.console;
        *self.shared.debugger.borrow_mut() = Some(Debugger::begin(source, console));
        let hooked = self.entry.stop_before_lines();
        let result = self.guarded(&chunk.0, Given::Globals(words.0, words.1), calls, |returned| {
            console.finish(reply.out());
            returned.write(self.proto(), reply)
        });
        drop(hooked);
        *self.shared.debugger.borrow_mut() = None;
        if console.is_active.get() {
            console.finish(reply.out());
        }
        result
    }

    /// Runs the code of a library, and gives the functions that it registers. Errors are the text for the client, without its
    /// prefix.
    pub fn load_library(&self, code: &[u8], calls: &mut dyn Calls) -> Result<Vec<Registered>, String> {
        let chunk = self.lua.load(code).set_name(format!("@{}", self.source)).set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.library_globals.clone()).into_function();
        let chunk = chunk.map_err(|error| format!("Error compiling function: {}", error_text(&error)))?;
        let set_loading =
            |is_loading: bool| self.set_loading.call::<()>(is_loading).map_err(|error| error_text(&error));
        set_loading(true)?;
        *self.shared.registering.borrow_mut() = Some(Vec::new());
        let chunk = Chunk::keep(&self.lua, &chunk).map_err(|error| error_text(&error))?;
        let result = self.guarded(&chunk.0, Given::Nothing, calls, |_| Ok(()));
        let registered = self.shared.registering.take().unwrap_or_default();
        set_loading(false)?;
        match result {
            Ok(()) => Ok(registered),
            Err(failure) => {
                let text = String::from_utf8_lossy(&failure.text).into_owned();
                Err(format!("Error registering functions: {}", text.strip_prefix("ERR ").unwrap_or(&text)))
            }
        }
    }

    /// Runs a function of a library with its two arguments, and writes what it returns. Gives the error that the reply is.
    pub fn run_function(
        &self,
        chunk: &Chunk,
        keys: &[&[u8]],
        args: &[&[u8]],
        calls: &mut dyn Calls,
        reply: &mut Reply<'_>,
    ) -> Result<Option<ReplyError>, Failure> {
        self.guarded(&chunk.0, Given::Arguments(keys, args), calls, |returned| returned.write(self.proto(), reply))
    }

    fn guarded<R>(
        &self,
        chunk: &RegistryKey,
        given: Given<'_>,
        calls: &mut dyn Calls,
        finish: impl FnOnce(Returned<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.shared.proto.set(Proto::Resp2);
        self.shared.killed.set(None);
        self.cycles_due.set(CYCLES);
        self.shared.door.open(calls, || self.entry.run(&self.shared, chunk, given, finish))
    }

    /// What the last script asked for with `redis.setresp`.
    fn proto(&self) -> Proto {
        self.shared.proto.get()
    }

    /// Bytes that the interpreter uses.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Gives back what scripts have left, a little at a time and as long as there is `more` time.
    pub fn collect(&self, more: &mut dyn FnMut() -> bool) {
        while self.cycles_due.get() > 0 && more() {
            if self.lua.gc_step().unwrap_or(true) {
                self.cycles_due.set(self.cycles_due.get() - 1);
            }
        }
    }
}

/// Has every so many instructions ask whether to go on.
fn watch(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<()> {
    let shared = Rc::clone(shared);
    let tick = move |_: &Lua, _: &Debug<'_>| match shared.door.with(|calls| calls.tick()) {
        Some(Err(text)) => {
            shared.killed.set(Some(text));
            Err(Error::RuntimeError(text.into()))
        }
        _ => Ok(VmState::Continue),
    };
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(TICK_INSTRUCTIONS), tick)
}

/// `7.2.6` as `0x00070206`.
fn version_number(version: &str) -> u32 {
    let parts = version.split('.').filter_map(|part| part.parse::<u32>().ok());
    parts.take(3).fold(0, |number, part| number << 8 | part & 0xff)
}

impl Failure {
    pub(super) fn of(text: &str) -> Failure {
        Failure { text: format!("ERR {text}").into_bytes(), place: None, is_counted: false }
    }

    /// The whole message as Redis words it, for the script or function `name`.
    pub fn message(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.text);
        match &self.place {
            Some((source, line)) => format!("{text} script: {name}, on {source}:{line}."),
            None => format!("{text} script: {name}"),
        }
    }
}

/// The error handler: makes a table of whatever was raised, with the place in the script where it was.
fn locate(lua: &Lua, problem: Value, source: &str) -> mlua::Result<Value> {
    let chunk = format!("@{source}");
    let place = (0..64).find_map(|level| {
        lua.inspect_stack(level, |frame| {
            let found = frame.source().source.is_some_and(|name| name == chunk);
            found.then(|| frame.current_line()).flatten()
        })
        .flatten()
    });
    let table = match problem {
        Value::Table(table) => table,
        other => {
            let mut text = message(&other);
            if let (Value::Error(_), Some(line)) = (&other, place) {
                let said = format!("{source}:{line}: ");
                if !text.starts_with(source.as_bytes()) && !text.starts_with(b"Script killed") {
                    text.splice(0..0, said.bytes());
                }
            }
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string([b"ERR ", &text[..]].concat())?)?;
            table
        }
    };
    if let Some(line) = place {
        table.raw_set("source", chunk)?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// The text of anything that was raised.
pub(super) fn message(problem: &Value) -> Vec<u8> {
    match problem {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Error(error) => error_text(error).into_bytes(),
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Number(number) => libs::general(*number, 14).into_bytes(),
        Value::Nil => b"nil".to_vec(),
        other => format!("({} as error)", other.type_name()).into_bytes(),
    }
}

fn error_text(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => error_text(cause),
        Error::RuntimeError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        Error::MemoryError(_) => "not enough memory".into(),
        Error::BadArgument { to, pos, cause, .. } => {
            let name = to.as_deref().unwrap_or("function");
            format!("bad argument #{pos} to '{name}' ({})", error_text(cause))
        }
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests;
