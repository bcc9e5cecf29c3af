//! The interpreter: compiles scripts, runs them, and says where an error arose.
//!
//! A script is compiled once and kept as a [`Chunk`]. Running one sets KEYS and ARGV, opens the door for `redis.call`, and calls the
//! chunk under an error handler that notes source and line while the stack still stands. Every so many instructions a hook asks
//! whether to go on: that is where a script that is stuck is noticed, other clients are told BUSY, and where it is killed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::debug::Debug;
use mlua::{Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::door::Door;
use super::shebang::ScriptFlags;
use super::{Calls, api, libs};
use crate::base::limits::SCRIPT_MEMORY_MAX;
use crate::resp::reply::Proto;

/// Instructions between two questions whether to go on: about a millisecond.
const TICK_INSTRUCTIONS: u32 = 100_000;

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
}

/// A compiled script, or a registered function.
#[derive(Clone)]
pub struct Chunk(pub(super) Function);

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

/// How a script ended.
pub type Outcome = Result<Value, Failure>;

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
    globals: Table,
    run: Function,
    run_with: Function,
    library_globals: Table,
    set_loading: Function,
    handler: Function,
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
        });
        lua.set_memory_limit(SCRIPT_MEMORY_MAX)?;
        watch(&lua, &shared)?;
        let native = api::native(&lua, &shared)?;
        let redis: Table = native.get("redis")?;
        redis.set("REDIS_VERSION", version)?;
        redis.set("REDIS_VERSION_NUM", version_number(version))?;
        let libraries = lua.create_table()?;
        for (name, table) in libs::all(&lua)? {
            libraries.set(name, table)?;
        }
        let sandbox = lua.load(SANDBOX).set_name("=sandbox").into_function()?;
        let (globals, library_globals, set_loading, run, run_with): (Table, Table, Function, Function, Function) =
            sandbox.call((native, libraries))?;
        let handler = lua.create_function(move |lua, problem: Value| locate(lua, problem, source))?;
        Ok(Vm { lua, shared, globals, run, run_with, library_globals, set_loading, handler, source })
    }

    /// Compiles a script. The error text is Lua's.
    pub fn compile(&self, code: &[u8]) -> Result<Chunk, String> {
        let chunk = self.lua.load(code).set_name(format!("@{}", self.source)).set_mode(ChunkMode::Text);
        chunk.into_function().map(Chunk).map_err(|error| error_text(&error))
    }

    /// Runs a script with KEYS and ARGV.
    pub fn run(&self, chunk: &Chunk, keys: &[&[u8]], args: &[&[u8]], calls: &mut dyn Calls) -> Outcome {
        let set = |name: &str, words: &[&[u8]]| {
            self.globals.raw_set(name, self.lua.create_sequence_from(words.iter().map(|w| mlua::BString::from(*w)))?)
        };
        set("KEYS", keys).and_then(|()| set("ARGV", args)).map_err(|error| Failure::of(error_text(&error)))?;
        self.guarded(calls, || self.run.call((chunk.0.clone(), self.handler.clone())))
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
        let result = self.guarded(calls, || self.run.call((chunk, self.handler.clone())));
        let registered = self.shared.registering.take().unwrap_or_default();
        set_loading(false)?;
        match result {
            Ok(_) => Ok(registered),
            Err(failure) => {
                let text = String::from_utf8_lossy(&failure.text).into_owned();
                Err(format!("Error registering functions: {}", text.strip_prefix("ERR ").unwrap_or(&text)))
            }
        }
    }

    /// Runs a function of a library with its two arguments.
    pub fn run_function(&self, chunk: &Chunk, keys: &[&[u8]], args: &[&[u8]], calls: &mut dyn Calls) -> Outcome {
        let table = |words: &[&[u8]]| {
            let table = self.lua.create_sequence_from(words.iter().map(|word| mlua::BString::from(*word)));
            table.map_err(|error| Failure::of(error_text(&error)))
        };
        let (keys, args) = (table(keys)?, table(args)?);
        self.guarded(calls, || self.run_with.call((chunk.0.clone(), self.handler.clone(), keys, args)))
    }

    fn guarded(&self, calls: &mut dyn Calls, run: impl FnOnce() -> mlua::Result<MultiValue>) -> Outcome {
        self.shared.proto.set(Proto::Resp2);
        self.shared.killed.set(None);
        let result = self.shared.door.open(calls, run);
        let mut values = result.map_err(|error| Failure::of(error_text(&error)))?.into_iter();
        let is_ok = values.next() == Some(Value::Boolean(true));
        let value = values.next().unwrap_or(Value::Nil);
        if is_ok { Ok(value) } else { Err(Failure::read(&value)) }
    }

    /// What the last script asked for with `redis.setresp`.
    pub fn proto(&self) -> Proto {
        self.shared.proto.get()
    }

    /// Bytes that the interpreter uses.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Gives back what is no longer used, some of it.
    pub fn collect_some(&self) {
        let _ = self.lua.gc_step();
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
    fn of(text: String) -> Failure {
        Failure { text: format!("ERR {text}").into_bytes(), place: None, is_counted: false }
    }

    /// What the handler left.
    fn read(value: &Value) -> Failure {
        let Value::Table(table) = value else {
            return Failure::of(String::from_utf8_lossy(&message(value)).into_owned());
        };
        let text = match table.raw_get("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let source = table.raw_get::<Option<mlua::LuaString>>("source").ok().flatten();
        let line = table.raw_get::<Option<usize>>("line").ok().flatten();
        let place = source.zip(line).map(|(source, line)| (source.to_string_lossy(), line));
        let is_counted = matches!(table.raw_get("ignore_error_stats_update"), Ok(Value::Boolean(true)));
        Failure { text, place, is_counted }
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
