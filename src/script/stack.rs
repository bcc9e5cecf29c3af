//! The short way: what every script does, done on Lua's stack itself.
//!
//! Three things happen in nearly every script: KEYS and ARGV become tables, `redis.call` gets words and gives a reply, and what the
//! script returns becomes the reply to its client. They would cost more than the commands they are about if each value passed through
//! a handle of its own, so they are written here against Lua's C interface; all else is in `vm.rs` and `api.rs`.
//!
//! ```text
//! Entry::run ── pcall ── enter ── KEYS, ARGV ── the chunk ── redis.call ── Shared::execute ── door ── the program
//!                          │                                     └── push_reply ── a value, or an error raised
//!                          └── at the end Returned::write ── what is on top of the stack as RESP
//! ```
//!
//! *Errors of Lua are jumps.* They leave Rust functions without running destructors, so a function here is of one of two kinds. One
//! calls what may raise an error (whatever allocates in the interpreter: new strings, tables, stack) and owns nothing: it has
//! numbers, pointers and borrowed slices. The other owns what it likes, and calls only what raises none: reading the stack, raw access to
//! tables that exist, pushing what exists already. Names of fields that are looked up are kept in the registry for that reason.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, RegistryKey, Result, Table};

use super::debugger::inspect::Hooked;
use super::vm::{Failure, Shared};
use crate::base::limits::{SCRIPT_REPLY_DEPTH, SCRIPT_REPLY_TABLES};
use crate::base::number::{parse_f64, parse_i64};
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};

/// How many replies a script may leave unread: each time that the memory of the interpreter ends while one becomes a value.
const REPLIES_MAX: usize = 16;

/// Slots that a table of the greatest depth takes while it is written. Any other value takes none.
const SLOTS: c_int = 4 * (SCRIPT_REPLY_DEPTH as c_int + 2);

/// What `redis.call` writes its words and reads its replies in, kept from call to call.
#[derive(Default)]
pub(super) struct Scratch {
    words: RefCell<OwnedArgs>,
    replies: [RefCell<Out>; REPLIES_MAX],
    /// How many of the replies are being read, or were left.
    in_use: Cell<usize>,
}

/// Why there is no reply to a call.
enum Refused {
    /// The script gets an error.
    Error(&'static str),
    /// The script ends, whatever it catches.
    Killed(&'static str),
}

impl Shared {
    /// Runs the command whose words are all the values on the stack. Gives the number of the reply, which counts as in use then.
    ///
    /// # Safety
    /// `state` is a live thread of the interpreter.
    unsafe fn execute(&self, state: *mut lua_State) -> std::result::Result<usize, Refused> {
        let mut words = self.scratch.words.take();
        words.clear();
        // SAFETY: the caller's promise; reading words raises no error.
        let are_words = unsafe { read_words(state, &mut words) };
        let result = match are_words {
            _ if words.as_args().is_empty() && are_words => {
                Err(Refused::Error("ERR Please specify at least one argument for this redis lib call"))
            }
            false => Err(Refused::Error("ERR Lua redis lib command arguments must be strings or integers")),
            true => self.reply_to(&words),
        };
        *self.scratch.words.borrow_mut() = words;
        result
    }

    fn reply_to(&self, words: &OwnedArgs) -> std::result::Result<usize, Refused> {
        // Commands take far longer than instructions, so they are occasions to ask as well.
        if let Some(Err(text)) = self.door.with(|calls| calls.tick()) {
            self.killed.set(Some(text));
            return Err(Refused::Killed(text));
        }
        let at = self.scratch.in_use.get();
        if at == REPLIES_MAX {
            return Err(Refused::Error("ERR not enough memory"));
        }
        let mut out = self.scratch.replies[at].borrow_mut();
        out.clear();
        let is_shown = self.console.is_stepping.get();
        if is_shown {
            self.console.command(words);
        }
        if self.door.with(|calls| calls.call(words, self.proto.get(), &mut out)).is_none() {
            return Err(Refused::Error("ERR redis.call/pcall can only be called inside a script invocation"));
        }
        out.flatten();
        if is_shown {
            self.console.reply(out.as_single().unwrap_or_default());
        }
        self.scratch.in_use.set(at + 1);
        Ok(at)
    }

    /// Runs a command whose reply is only shown.
    pub fn run_for_debugger(&self, words: &OwnedArgs) -> std::result::Result<(), &'static str> {
        match self.reply_to(words) {
            Ok(at) => {
                self.scratch.in_use.set(at);
                Ok(())
            }
            Err(Refused::Error(text) | Refused::Killed(text)) => Err(text),
        }
    }
}

/// The words of a command; false when one is neither a string nor a number.
///
/// # Safety
/// `state` is a live thread of the interpreter. Raises no error: what is converted is what needs no conversion in place.
unsafe fn read_words(state: *mut lua_State, words: &mut OwnedArgs) -> bool {
    // SAFETY: the indices are those of values on the stack, and nothing is pushed or removed.
    unsafe {
        for index in 1..=ffi::lua_gettop(state) {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => words.push(text_at(state, index)),
                ffi::LUA_TNUMBER => push_number(words, ffi::lua_tonumber(state, index)),
                _ => return false,
            }
        }
    }
    true
}

/// A number as the word of a command: all its digits.
pub(super) fn push_number(words: &mut OwnedArgs, number: f64) {
    if number.fract() == 0.0 && number.abs() < 1e17 {
        words.push(itoa::Buffer::new().format(number as i64).as_bytes());
    } else if number.is_nan() {
        words.push(b"nan");
    } else if number.is_infinite() {
        words.push(if number > 0.0 { b"inf" } else { b"-inf" });
    } else {
        words.push(super::libs::general(number, 17).as_bytes());
    }
}

/// The bytes of a string on the stack.
///
/// # Safety
/// At `index` there is a string. The slice is used only while it is there.
pub(super) unsafe fn text_at<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: of a string, which is not converted, Lua gives the address and the length; it stays where it is while it is on the stack.
    unsafe {
        let text = ffi::lua_tolstring(state, index, &mut len);
        slice::from_raw_parts(text.cast(), len)
    }
}

/// `redis.call`
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, as the function made by `natives`. This frame owns nothing when it is left by an error.
    unsafe {
        if push_outcome(state) {
            ffi::lua_error(state);
        }
    }
    1
}

/// `redis.pcall`
unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { push_outcome(state) };
    1
}

/// Runs the command on the stack and puts the reply there instead. Whether it is an error.
///
/// # Safety
/// `state` runs a function made by `natives`, and the interpreter is protected. May raise an error; owns nothing then.
unsafe fn push_outcome(state: *mut lua_State) -> bool {
    // SAFETY: the value that came with the function points to what the interpreter's owner keeps for as long as the interpreter. The
    // reply stays where it is, and nobody else borrows it while `in_use` counts it.
    unsafe {
        let shared = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Shared>();
        let outcome = (*shared).execute(state);
        // As many words as there are would leave no room.
        ffi::lua_settop(state, 0);
        match outcome {
            Ok(at) => {
                let out = (*shared).scratch.replies[at].as_ptr();
                let mut input = (*out).as_single().unwrap_or_default();
                let is_error = push_reply(state, &mut input);
                (*shared).scratch.in_use.set(at);
                if (*out).memory() > 0 {
                    // More than the usual buffer.
                    *out = Out::new();
                }
                is_error
            }
            Err(Refused::Error(text)) => {
                ffi::lua_createtable(state, 0, 1);
                push_text(state, text.as_bytes());
                ffi::lua_setfield(state, -2, c"err".as_ptr());
                true
            }
            Err(Refused::Killed(text)) => {
                push_text(state, text.as_bytes());
                ffi::lua_error(state);
            }
        }
    }
}

/// # Safety
/// `state` is protected and has a free slot. May raise an error; owns nothing.
pub(super) unsafe fn push_text(state: *mut lua_State, text: &[u8]) {
    // SAFETY: Lua copies the bytes.
    unsafe { ffi::lua_pushlstring_(state, text.as_ptr().cast::<c_char>(), text.len()) };
}

/// Takes one reply off `input` and puts its value on the stack. Whether it is an error. Replies come from our own commands and are
/// complete.
///
/// # Safety
/// `state` is protected. May raise an error; owns nothing.
unsafe fn push_reply(state: *mut lua_State, input: &mut &[u8]) -> bool {
    let (kind, line) = take_line(input);
    let count = || parse_i64(line).unwrap_or(-1);
    // SAFETY: there is room for the four slots that one level takes; each arm leaves one value more than it found.
    unsafe {
        if ffi::lua_checkstack(state, 4) == 0 {
            ffi::luaL_error(state, c"The reply has too many levels".as_ptr());
        }
        match kind {
            b'+' => {
                ffi::lua_createtable(state, 0, 1);
                push_text(state, line);
                ffi::lua_setfield(state, -2, c"ok".as_ptr());
            }
            b'-' => {
                ffi::lua_createtable(state, 0, 2);
                push_text(state, line);
                ffi::lua_setfield(state, -2, c"err".as_ptr());
                ffi::lua_pushboolean(state, 1);
                ffi::lua_setfield(state, -2, c"ignore_error_stats_update".as_ptr());
                return true;
            }
            b':' => ffi::lua_pushnumber(state, parse_i64(line).unwrap_or(0) as f64),
            b'$' | b'*' if count() < 0 => ffi::lua_pushboolean(state, 0),
            b'$' => push_text(state, take_bulk(input, count())),
            b'*' | b'>' => {
                let count = count();
                ffi::lua_createtable(state, count.clamp(0, 1024) as c_int, 0);
                for index in 1..=count {
                    push_reply(state, input);
                    ffi::lua_rawseti_(state, -2, index as c_int);
                }
            }
            b'#' => ffi::lua_pushboolean(state, c_int::from(line == b"t")),
            b',' => {
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_pushnumber(state, parse_f64(line).unwrap_or(f64::NAN));
                ffi::lua_setfield(state, -2, c"double".as_ptr());
            }
            b'(' => {
                ffi::lua_createtable(state, 0, 1);
                push_text(state, line);
                ffi::lua_setfield(state, -2, c"big_number".as_ptr());
            }
            b'=' => {
                let bytes = take_bulk(input, count());
                let (format, string) = bytes.split_at(bytes.len().min(4));
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_createtable(state, 0, 2);
                push_text(state, &format[..format.len().min(3)]);
                ffi::lua_setfield(state, -2, c"format".as_ptr());
                push_text(state, string);
                ffi::lua_setfield(state, -2, c"string".as_ptr());
                ffi::lua_setfield(state, -2, c"verbatim_string".as_ptr());
            }
            b'%' => {
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_createtable(state, 0, 0);
                for _ in 0..count() {
                    push_reply(state, input);
                    push_reply(state, input);
                    set_unless_nil(state);
                }
                ffi::lua_setfield(state, -2, c"map".as_ptr());
            }
            b'~' => {
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_createtable(state, 0, 0);
                for _ in 0..count() {
                    push_reply(state, input);
                    ffi::lua_pushboolean(state, 1);
                    set_unless_nil(state);
                }
                ffi::lua_setfield(state, -2, c"set".as_ptr());
            }
            b'|' => {
                for _ in 0..2 * count() {
                    push_reply(state, input);
                    ffi::lua_settop(state, -2);
                }
                return push_reply(state, input);
            }
            _ => ffi::lua_pushnil(state),
        }
    }
    false
}

/// Puts the two values on top into the table below them, as key and value; without a key neither.
///
/// # Safety
/// As `push_reply`; there are a table and two values on the stack. A key is no NaN: numbers that may be one come as tables.
unsafe fn set_unless_nil(state: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::lua_type(state, -2) == ffi::LUA_TNIL {
            ffi::lua_settop(state, -3);
        } else {
            ffi::lua_rawset(state, -3);
        }
    }
}

fn take_line<'a>(input: &mut &'a [u8]) -> (u8, &'a [u8]) {
    let Some((&kind, rest)) = input.split_first() else { return (b'_', b"") };
    let end = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
    *input = rest.get(end + 2..).unwrap_or_default();
    (kind, &rest[..end])
}

fn take_bulk<'a>(input: &mut &'a [u8], len: i64) -> &'a [u8] {
    let len = (len.max(0) as usize).min(input.len());
    let (bytes, rest) = input.split_at(len);
    *input = rest.get(2..).unwrap_or_default();
    bytes
}

/// `redis.call` and `redis.pcall`. `shared` must outlive the interpreter.
pub(super) fn natives(lua: &Lua, shared: &Rc<Shared>) -> Result<(Function, Function)> {
    let shared = Rc::as_ptr(shared).cast_mut().cast::<c_void>();
    // SAFETY: two functions are left on the stack, each with the pointer that it expects; `Vm` drops the interpreter first.
    unsafe {
        lua.exec_raw((), |state| {
            for function in [call as ffi::lua_CFunction, pcall] {
                ffi::lua_pushlightuserdata(state, shared);
                ffi::lua_pushcclosure(state, function, 1);
            }
        })
    }
}

/// Names that are looked up where no error may be raised.
#[derive(Clone, Copy)]
enum Name {
    Keys,
    Argv,
    Err,
    Ok,
    Double,
    Map,
    Set,
    BigNumber,
    Verbatim,
    Format,
    String,
    Source,
    Line,
    IsCounted,
}

/// In the order of [`Name`].
const NAMES: [&str; 14] = [
    "KEYS",
    "ARGV",
    "err",
    "ok",
    "double",
    "map",
    "set",
    "big_number",
    "verbatim_string",
    "format",
    "string",
    "source",
    "line",
    "ignore_error_stats_update",
];

/// The way into the interpreter.
pub(super) struct Entry {
    state: *mut lua_State,
    names: [RegistryKey; NAMES.len()],
    enter: RegistryKey,
    handler: RegistryKey,
    /// Where KEYS and ARGV are set.
    globals: RegistryKey,
}

/// How a script gets its keys and arguments.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// It gets none.
    Nothing,
    /// As KEYS and ARGV.
    Globals(&'a [&'a [u8]], &'a [&'a [u8]]),
    /// As two arguments.
    Arguments(&'a [&'a [u8]], &'a [&'a [u8]]),
}

/// What `enter` is told.
struct Job<'a> {
    entry: &'a Entry,
    chunk: c_int,
    given: Given<'a>,
    /// Called when the value is on top of the stack.
    at_end: &'a mut dyn FnMut(),
}

/// An error at the top of a reply: its text, and whether it was counted when it arose.
pub type ReplyError = (Vec<u8>, bool);

impl Entry {
    /// Of an interpreter whose globals are in `globals`, and whose errors pass through `handler`.
    pub fn new(lua: &Lua, globals: &Table, handler: &Function) -> Result<Entry> {
        let mut main = ptr::null_mut();
        // SAFETY: the function leaves one value; the address of the main thread is that of the interpreter and stays.
        let enter: Function = unsafe {
            lua.exec_raw((), |state| {
                main = state;
                ffi::lua_pushcclosure(state, enter, 0);
            })?
        };
        let mut names = Vec::with_capacity(NAMES.len());
        for name in NAMES {
            names.push(lua.create_registry_value(name)?);
        }
        Ok(Entry {
            state: main,
            names: names.try_into().unwrap_or_else(|_| unreachable!("one key for each name")),
            enter: lua.create_registry_value(enter)?,
            handler: lua.create_registry_value(handler)?,
            globals: lua.create_registry_value(globals)?,
        })
    }

    /// From here on scripts stop before their lines, until what this gives is dropped.
    pub fn stop_before_lines(&self) -> Hooked {
        // SAFETY: `Vm`, which owns this and drops what it is given after each run, has prepared the interpreter.
        unsafe { Hooked::new(self.state) }
    }

    /// Runs a chunk of this interpreter and gives what it returns to `finish`, unless it fails.
    pub fn run<R>(
        &self,
        shared: &Shared,
        chunk: &RegistryKey,
        given: Given<'_>,
        finish: impl FnOnce(Returned<'_>) -> std::result::Result<R, Failure>,
    ) -> std::result::Result<R, Failure> {
        let (mut result, mut finish) = (None, Some(finish));
        let mut at_end = || result = finish.take().map(|finish| finish(Returned { entry: self }));
        let mut job = Job { entry: self, chunk: chunk.id(), given, at_end: &mut at_end };
        let state = self.state;
        shared.scratch.in_use.set(0);
        // SAFETY: `state` lives as long as `Vm`, which owns this. What is pushed here exists already; the rest happens in `enter`, which is
        // protected and gets a job that lives until it is over. At the end the stack is what it was.
        let failure = unsafe {
            let base = ffi::lua_gettop(state);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.handler.id());
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.enter.id());
            ffi::lua_pushlightuserdata(state, ptr::from_mut(&mut job).cast());
            let status = ffi::lua_pcall(state, 1, 1, base + 1);
            let failure = (status != ffi::LUA_OK).then(|| self.failure());
            ffi::lua_settop(state, base);
            failure
        };
        match failure {
            Some(failure) => Err(failure),
            None => result.expect("what ends well has come to its end"),
        }
    }

    /// What the handler left on top of the stack.
    ///
    /// # Safety
    /// There is a value on top of the stack. Raises no error.
    unsafe fn failure(&self) -> Failure {
        let state = self.state;
        // SAFETY: reading only; the strings are copied while they are on the stack.
        unsafe {
            match ffi::lua_type(state, -1) {
                ffi::LUA_TTABLE => {}
                ffi::LUA_TSTRING => return Failure::of(&String::from_utf8_lossy(text_at(state, -1))),
                _ => return Failure::of("unknown error"),
            }
            let text = self.text_field(-1, Name::Err).unwrap_or_else(|| b"ERR unknown error".to_vec());
            let source = self.text_field(-1, Name::Source);
            let line = self.field(-1, Name::Line);
            let line = (line == ffi::LUA_TNUMBER).then(|| ffi::lua_tonumber(state, -1) as usize);
            ffi::lua_settop(state, -2);
            let place = source.zip(line).map(|(source, line)| (String::from_utf8_lossy(&source).into_owned(), line));
            Failure { text, place, is_counted: self.is_true(-1, Name::IsCounted) }
        }
    }

    /// Pushes a field of the table at `index`, and gives its type.
    ///
    /// # Safety
    /// At `index`, from the top, there is a table, and there are two free slots. Raises no error.
    unsafe fn field(&self, index: c_int, name: Name) -> c_int {
        // SAFETY: the name is pushed, and replaced by the value.
        unsafe {
            ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, self.names[name as usize].id());
            ffi::lua_rawget(self.state, index - 1)
        }
    }

    /// # Safety
    /// As `field`.
    unsafe fn text_field(&self, index: c_int, name: Name) -> Option<Vec<u8>> {
        // SAFETY: the field is taken off again.
        unsafe {
            let kind = self.field(index, name);
            let text = (kind == ffi::LUA_TSTRING).then(|| text_at(self.state, -1).to_vec());
            ffi::lua_settop(self.state, -2);
            text
        }
    }

    /// # Safety
    /// As `field`.
    unsafe fn is_true(&self, index: c_int, name: Name) -> bool {
        // SAFETY: as above.
        unsafe {
            let kind = self.field(index, name);
            let is_true = kind == ffi::LUA_TBOOLEAN && ffi::lua_toboolean(self.state, -1) != 0;
            ffi::lua_settop(self.state, -2);
            is_true
        }
    }
}

/// Makes the tables, and calls the chunk.
unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: called by `Entry::run` alone, with its job. This frame owns nothing when it is left by an error.
    unsafe {
        let job = ffi::lua_touserdata(state, 1).cast::<Job<'_>>();
        let Job { entry, chunk, given, at_end } = &mut *job;
        ffi::lua_settop(state, 0);
        let mut arguments = 0;
        if let Given::Globals(keys, argv) = given {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, entry.globals.id());
            for (name, words) in [(Name::Keys, keys), (Name::Argv, argv)] {
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, entry.names[name as usize].id());
                push_words(state, words);
                ffi::lua_rawset(state, -3);
            }
        }
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, *chunk);
        if let Given::Arguments(keys, argv) = given {
            push_words(state, keys);
            push_words(state, argv);
            arguments = 2;
        }
        ffi::lua_call(state, arguments, 1);
        if ffi::lua_type(state, -1) == ffi::LUA_TTABLE && ffi::lua_checkstack(state, SLOTS) == 0 {
            ffi::luaL_error(state, c"no room on the stack".as_ptr());
        }
        // What is called here raises no error.
        at_end();
    }
    1
}

/// # Safety
/// `state` is protected and has room. May raise an error; owns nothing.
unsafe fn push_words(state: *mut lua_State, words: &[&[u8]]) {
    // SAFETY: the table is below the word that is put into it.
    unsafe {
        ffi::lua_createtable(state, words.len().min(c_int::MAX as usize) as c_int, 0);
        for (index, word) in words.iter().enumerate() {
            push_text(state, word);
            ffi::lua_rawseti_(state, -2, index as c_int + 1);
        }
    }
}

/// What a script returned, on top of the stack.
pub struct Returned<'a> {
    entry: &'a Entry,
}

impl Returned<'_> {
    /// Writes it as the reply to the client. `script` is the protocol that the script asked for, which decides about booleans. Gives
    /// the error that the reply is, if it is one.
    ///
    /// ```text
    /// Lua                       reply
    /// number                    :integer, cut towards zero
    /// string                    $text
    /// table 1..n up to a nil    *n
    /// {ok = text}               +text
    /// {err = text}              -text
    /// false, nil                nil
    /// true                      :1, or #t in RESP3
    /// {map = {}}  {set = {[x] = true}}  {double =}  {big_number =}  {verbatim_string = {format =, string =}}
    /// ```
    pub fn write(self, script: Proto, reply: &mut Reply<'_>) -> std::result::Result<Option<ReplyError>, Failure> {
        let mut writing = Writing { entry: self.entry, script, tables: 0 };
        let savepoint = reply.out().savepoint();
        // SAFETY: `enter` has left the value on top and made room for the greatest depth.
        let error = unsafe { writing.value(reply, 0) };
        if writing.tables > SCRIPT_REPLY_TABLES {
            reply.out().rollback(savepoint);
            return Err(Failure::of("The reply of the script has too many tables"));
        }
        reply.out().keep(savepoint);
        Ok(error)
    }
}

/// Writes one value. The methods leave the stack as they found it and raise no error.
struct Writing<'a> {
    entry: &'a Entry,
    script: Proto,
    tables: u32,
}

impl Writing<'_> {
    /// # Safety
    /// The value is on top of the stack, and there is room for what is below it.
    unsafe fn value(&mut self, reply: &mut Reply<'_>, depth: usize) -> Option<ReplyError> {
        if depth > SCRIPT_REPLY_DEPTH {
            reply.error("ERR reached lua stack limit");
            return None;
        }
        let state = self.entry.state;
        // SAFETY: reading only.
        unsafe {
            match ffi::lua_type(state, -1) {
                ffi::LUA_TSTRING => reply.bulk(text_at(state, -1)),
                ffi::LUA_TNUMBER => reply.int(ffi::lua_tonumber(state, -1) as i64),
                ffi::LUA_TBOOLEAN if self.script == Proto::Resp3 => reply.boolean(ffi::lua_toboolean(state, -1) != 0),
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, -1) != 0 => reply.int(1),
                ffi::LUA_TTABLE => return self.table(reply, depth),
                _ => reply.null(),
            }
        }
        None
    }

    /// # Safety
    /// As `value`; it is a table.
    unsafe fn table(&mut self, reply: &mut Reply<'_>, depth: usize) -> Option<ReplyError> {
        self.tables += 1;
        if self.tables > SCRIPT_REPLY_TABLES {
            reply.null();
            return None;
        }
        let (entry, state) = (self.entry, self.entry.state);
        // SAFETY: each field is taken off again before the next is asked for.
        unsafe {
            if let Some(text) = entry.text_field(-1, Name::Err) {
                let text = one_line(&text);
                reply.error_bytes(&text);
                return Some((text, entry.is_true(-1, Name::IsCounted)));
            }
            if let Some(text) = entry.text_field(-1, Name::Ok) {
                reply.simple(&String::from_utf8_lossy(&one_line(&text)));
                return None;
            }
            let kind = entry.field(-1, Name::Double);
            let number = (kind == ffi::LUA_TNUMBER).then(|| ffi::lua_tonumber(state, -1));
            ffi::lua_settop(state, -2);
            if let Some(number) = number {
                reply.double(number);
                return None;
            }
            if entry.field(-1, Name::Map) == ffi::LUA_TTABLE {
                self.map(reply, depth);
                ffi::lua_settop(state, -2);
                return None;
            }
            ffi::lua_settop(state, -2);
            if entry.field(-1, Name::Set) == ffi::LUA_TTABLE {
                self.set(reply, depth);
                ffi::lua_settop(state, -2);
                return None;
            }
            ffi::lua_settop(state, -2);
            if let Some(digits) = entry.text_field(-1, Name::BigNumber) {
                reply.big_number(&String::from_utf8_lossy(&one_line(&digits)));
                return None;
            }
            let kind = entry.field(-1, Name::Verbatim);
            let verbatim = (kind == ffi::LUA_TTABLE)
                .then(|| entry.text_field(-1, Name::Format).zip(entry.text_field(-1, Name::String)))
                .flatten();
            ffi::lua_settop(state, -2);
            if let Some((format, string)) = verbatim {
                reply.verbatim(&String::from_utf8_lossy(&format), &string);
                return None;
            }
            let deferred = reply.array_deferred();
            let mut count = 0;
            loop {
                ffi::lua_rawgeti_(state, -1, count as c_int + 1);
                let is_over = ffi::lua_type(state, -1) == ffi::LUA_TNIL;
                if !is_over {
                    self.value(reply, depth + 1);
                }
                ffi::lua_settop(state, -2);
                if is_over {
                    break;
                }
                count += 1;
            }
            reply.finish(deferred, count);
        }
        None
    }

    /// # Safety
    /// As `table`, about the table of members.
    unsafe fn set(&mut self, reply: &mut Reply<'_>, depth: usize) {
        let state = self.entry.state;
        // SAFETY: `lua_next` is given a key of the table or nil, and nothing changes the table meanwhile.
        unsafe {
            reply.set(self.pairs());
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_settop(state, -2);
                self.value(reply, depth + 1);
            }
        }
    }

    /// # Safety
    /// As `table`, about the table of pairs.
    unsafe fn map(&mut self, reply: &mut Reply<'_>, depth: usize) {
        let state = self.entry.state;
        // SAFETY: as above; the key is copied to the top to be written, and the copy is taken off.
        unsafe {
            reply.map(self.pairs());
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_pushvalue(state, -2);
                self.value(reply, depth + 1);
                ffi::lua_settop(state, -2);
                self.value(reply, depth + 1);
                ffi::lua_settop(state, -2);
            }
        }
    }

    /// How many pairs the table on top has.
    ///
    /// # Safety
    /// There is a table on top, and there is room for a pair.
    unsafe fn pairs(&self) -> usize {
        let state = self.entry.state;
        let mut count = 0;
        // SAFETY: as above.
        unsafe {
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_settop(state, -2);
                count += 1;
            }
        }
        count
    }
}

/// Line ends would end the reply.
fn one_line(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect();
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    text[..end].to_vec()
}
