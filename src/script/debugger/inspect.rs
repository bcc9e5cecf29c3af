//! The hook that Lua calls before each line of a script that is debugged, and what it shows of the interpreter.
//!
//! The rules are those of `stack.rs`: a function owns something, or it may be left by an error of Lua. What reads the stack here
//! raises none; code that is run for the client is run in a protected call of its own.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use mlua::ffi::{self, lua_Debug, lua_State};
use mlua::{Function, Lua, Result};

use super::{Console, Debugger, Frames, Next};
use crate::base::quote::quoted;
use crate::resp::args::OwnedArgs;
use crate::script::Heard;
use crate::script::libs::general;
use crate::script::stack::{push_text, text_at};
use crate::script::vm::{Shared, TICK_INSTRUCTIONS};

/// Tables within tables that are shown. Each takes two slots of the twenty that a hook has.
const DEPTH_MAX: usize = 7;

/// Chunks of scripts have this in their names.
const SCRIPT: &[u8] = b"user_script";

/// Where the registry keeps the address of what the interpreter shares with us.
static PLACE: u8 = 0;

/// Keeps the address of `shared`, which must outlive the interpreter, for the hook.
pub(in crate::script) fn prepare(lua: &Lua, shared: *const Shared) -> Result<()> {
    // SAFETY: one value is put into the registry.
    unsafe {
        lua.exec_raw((), |state| {
            ffi::lua_pushlightuserdata(state, shared.cast_mut().cast());
            ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, ptr::from_ref(&PLACE).cast());
        })
    }
}

/// Stops scripts before their lines while it lives.
pub(in crate::script) struct Hooked {
    state: *mut lua_State,
    before: (Option<ffi::lua_Hook>, c_int, c_int),
}

impl Hooked {
    /// # Safety
    /// `state` is the main thread of an interpreter that lives longer than this and for which [`prepare`] was called.
    pub unsafe fn new(state: *mut lua_State) -> Hooked {
        // SAFETY: the caller's promise.
        unsafe {
            let before = (ffi::lua_gethook(state), ffi::lua_gethookmask(state), ffi::lua_gethookcount(state));
            let when = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
            ffi::lua_sethook(state, Some(before_line), when, TICK_INSTRUCTIONS as c_int);
            Hooked { state, before }
        }
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        let (hook, mask, count) = self.before;
        // SAFETY: the promise of `new`; what was there before is put back.
        unsafe { ffi::lua_sethook(self.state, hook, mask, count) };
    }
}

/// # Safety
/// `state` belongs to an interpreter for which [`prepare`] was called.
unsafe fn shared_of<'a>(state: *mut lua_State) -> &'a Shared {
    // SAFETY: `prepare` has put it there, and it outlives the interpreter. Nothing is allocated.
    unsafe {
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, ptr::from_ref(&PLACE).cast());
        let shared = ffi::lua_touserdata(state, -1).cast::<Shared>();
        ffi::lua_settop(state, -2);
        &*shared
    }
}

unsafe extern "C-unwind" fn before_line(state: *mut lua_State, record: *mut lua_Debug) {
    // SAFETY: called by Lua for an interpreter with a `Hooked`. This frame owns nothing when it raises the error.
    unsafe {
        if let Err(text) = stand(state, record) {
            push_text(state, text.as_bytes());
            ffi::lua_error(state);
        }
    }
}

/// Lets the client have its turns, if the script stops here. The error ends the script.
///
/// # Safety
/// As the hook. Raises no error.
unsafe fn stand(state: *mut lua_State, record: *mut lua_Debug) -> std::result::Result<(), &'static str> {
    // SAFETY: Lua gives a record of the function that runs; asking for these two fields allocates nothing.
    let (shared, is_count, is_script, line) = unsafe {
        let shared = shared_of(state);
        let is_count = (*record).event == ffi::LUA_HOOKCOUNT;
        ffi::lua_getinfo(state, c"Sl".as_ptr(), record);
        let source = CStr::from_ptr((*record).short_src.as_ptr()).to_bytes();
        (shared, is_count, source.starts_with(SCRIPT), (*record).currentline.max(0) as usize)
    };
    let ended = |text: &'static str| {
        shared.killed.set(Some(text));
        text
    };
    let mut is_late = false;
    if is_count {
        match shared.door.with(|calls| (calls.tick(), calls.is_late())) {
            Some((Err(text), _)) => return Err(ended(text)),
            Some((Ok(()), late)) => is_late = late,
            None => {}
        }
    }
    let console = &shared.console;
    if !is_script {
        return Ok(());
    }
    let Some(mut debugger) = shared.debugger.take() else { return Ok(()) };
    let result = match (is_late || !is_count) && debugger.stops_at(line, is_late, console) {
        false => Ok(()),
        true => {
            let mut inspector = Inspector { state, shared };
            talk(&mut debugger, &mut inspector, console, shared).map_err(ended)
        }
    };
    *shared.debugger.borrow_mut() = Some(debugger);
    result
}

/// The turns of the client.
fn talk(
    debugger: &mut Debugger,
    frames: &mut dyn Frames,
    console: &Console,
    shared: &Shared,
) -> std::result::Result<(), &'static str> {
    console.close_array();
    loop {
        while let Some(words) = debugger.next_words()? {
            match debugger.act(&words, frames, console) {
                Next::Again => console.close_array(),
                Next::GoOn => return Ok(()),
                Next::Abort => return Err("script aborted for user request"),
            }
        }
        match shared.door.with(|calls| (calls.converse(&console.take()), calls.tick())) {
            Some((_, Err(text))) => return Err(text),
            Some((Heard::Bytes(bytes), _)) => debugger.hear(&bytes)?,
            Some((Heard::Nothing, _)) => {}
            Some((Heard::Gone, _)) | None => {
                debugger.run_freely(console);
                return Ok(());
            }
        }
    }
}

struct Inspector<'a> {
    state: *mut lua_State,
    shared: &'a Shared,
}

/// What `eval_in` is told, and what it leaves.
struct Evaluation<'a> {
    codes: [&'a [u8]; 2],
    result: std::result::Result<String, String>,
}

impl Inspector<'_> {
    /// Gives each local variable of a function to `visit`, with its value on top of the stack, until that gives something.
    fn locals<R>(&self, record: &lua_Debug, mut visit: impl FnMut(&[u8]) -> Option<R>) -> Option<R> {
        for number in 1.. {
            // SAFETY: the record is of a function that is active. The value is taken off again; `visit` leaves the stack as it was.
            unsafe {
                let name = ffi::lua_getlocal(self.state, record, number);
                if name.is_null() {
                    return None;
                }
                let found = visit(CStr::from_ptr(name).to_bytes());
                ffi::lua_settop(self.state, -2);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// The function at this level, from the present one.
    fn record(&self, level: c_int) -> Option<lua_Debug> {
        // SAFETY: a record of zeros is one; Lua fills it in.
        unsafe {
            let mut record: lua_Debug = std::mem::zeroed();
            (ffi::lua_getstack(self.state, level, &mut record) != 0).then_some(record)
        }
    }

    fn top(&self) -> String {
        let mut text = String::new();
        // SAFETY: there is a value on top, and a hook has room for the depth.
        unsafe { show(self.state, 0, &mut text) };
        text
    }
}

impl Frames for Inspector<'_> {
    fn variable(&mut self, name: &[u8]) -> Option<String> {
        let mut records = (0..).map_while(|level| self.record(level));
        let local = records.find_map(|record| self.locals(&record, |other| (other == name).then(|| self.top())));
        if local.is_some() || !matches!(name, b"KEYS" | b"ARGV") {
            return local;
        }
        self.eval(name).ok()
    }

    fn variables(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let Some(record) = self.record(0) {
            self.locals(&record, |name| {
                // Those in brackets are the interpreter's own.
                if name.first() != Some(&b'(') {
                    found.push((String::from_utf8_lossy(name).into_owned(), self.top()));
                }
                None::<()>
            });
        }
        found
    }

    fn trace(&mut self) -> Vec<(Option<String>, usize)> {
        let mut frames = Vec::new();
        for mut record in (0..).map_while(|level| self.record(level)) {
            // SAFETY: the record is of a function that is active. These fields allocate nothing, and the texts are copied at once.
            unsafe {
                ffi::lua_getinfo(self.state, c"Snl".as_ptr(), &mut record);
                if CStr::from_ptr(record.short_src.as_ptr()).to_bytes().starts_with(SCRIPT) {
                    let name =
                        (!record.name.is_null()).then(|| CStr::from_ptr(record.name).to_string_lossy().into_owned());
                    frames.push((name, record.currentline.max(0) as usize));
                }
            }
        }
        frames
    }

    fn eval(&mut self, code: &[u8]) -> std::result::Result<String, String> {
        if code.first() == Some(&ffi::LUA_SIGNATURE[0]) {
            return Err("attempt to load a precompiled chunk".into());
        }
        let expression = [b"return ", code].concat();
        let mut evaluation = Evaluation { codes: [&expression, code], result: Err("not enough memory".into()) };
        // SAFETY: `eval_in` is protected, and what it is given lives until it is over. What an error leaves is taken off.
        unsafe {
            if ffi::lua_cpcall(self.state, eval_in, ptr::from_mut(&mut evaluation).cast()) != ffi::LUA_OK {
                ffi::lua_settop(self.state, -2);
            }
        }
        evaluation.result
    }

    fn command(&mut self, words: &OwnedArgs) {
        // It has shown itself; only a refusal has not.
        if let Err(text) = self.shared.run_for_debugger(words) {
            self.shared.console.say(format!("<error> {text}"));
        }
    }
}

/// Compiles the first of the codes that is one, runs it, and leaves its value or error.
unsafe extern "C-unwind" fn eval_in(state: *mut lua_State) -> c_int {
    // SAFETY: called by `eval`, protected, with an evaluation. This frame owns nothing when it is left by an error; the texts are made by
    // functions that raise none.
    unsafe {
        let evaluation = ffi::lua_touserdata(state, 1).cast::<Evaluation<'_>>();
        for code in (*evaluation).codes {
            ffi::lua_settop(state, 0);
            let text = code.as_ptr().cast::<c_char>();
            if ffi::luaL_loadbuffer(state, text, code.len(), c"@ldb_eval".as_ptr()) == ffi::LUA_OK {
                let is_ok = ffi::lua_pcall(state, 0, 1, 0) == ffi::LUA_OK;
                set_result(evaluation, state, is_ok);
                return 0;
            }
        }
        set_result(evaluation, state, false);
    }
    0
}

/// # Safety
/// There is a value on top of the stack. Raises no error.
unsafe fn set_result(evaluation: *mut Evaluation<'_>, state: *mut lua_State, is_ok: bool) {
    let mut text = String::new();
    // SAFETY: the caller's promise; a function has room for twenty values.
    unsafe {
        if !is_ok && ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
            text = String::from_utf8_lossy(text_at(state, -1)).into_owned();
        } else {
            show(state, 0, &mut text);
        }
        (*evaluation).result = if is_ok { Ok(text) } else { Err(text) };
    }
}

/// Writes the value on top of the stack as people read it.
///
/// # Safety
/// There is a value on top, and there are two free slots for each of [`DEPTH_MAX`] levels. Raises no error.
unsafe fn show(state: *mut lua_State, depth: usize, text: &mut String) {
    // SAFETY: the caller's promise; reading only.
    unsafe {
        let kind = match ffi::lua_type(state, -1) {
            ffi::LUA_TSTRING => return text.push_str(&quoted(text_at(state, -1))),
            ffi::LUA_TNUMBER => return text.push_str(&general(ffi::lua_tonumber(state, -1), 6)),
            ffi::LUA_TBOOLEAN => {
                return text.push_str(if ffi::lua_toboolean(state, -1) != 0 { "true" } else { "false" });
            }
            ffi::LUA_TNIL => return text.push_str("nil"),
            ffi::LUA_TTABLE => return show_table(state, depth, text),
            ffi::LUA_TFUNCTION => "function",
            ffi::LUA_TTHREAD => "thread",
            ffi::LUA_TLIGHTUSERDATA => "light-userdata",
            _ => "userdata",
        };
        text.push_str(&format!("\"{kind}@{:p}\"", ffi::lua_topointer(state, -1)));
    }
}

/// # Safety
/// As `show`; it is a table.
unsafe fn show_table(state: *mut lua_State, depth: usize, text: &mut String) {
    if depth >= DEPTH_MAX {
        return text.push_str("<max recursion level reached! Nested table?>");
    }
    let mut is_list = true;
    let mut entries: Vec<(String, String)> = Vec::new();
    // SAFETY: `lua_next` gets nil and then the keys that it gave; the value is on top while it is shown, then the key.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            let (mut key, mut value) = (String::new(), String::new());
            show(state, depth + 1, &mut value);
            ffi::lua_settop(state, -2);
            let is_next = ffi::lua_type(state, -1) == ffi::LUA_TNUMBER
                && ffi::lua_tonumber(state, -1) == (entries.len() + 1) as f64;
            is_list &= is_next;
            show(state, depth + 1, &mut key);
            entries.push((key, value));
        }
    }
    text.push('{');
    for (index, (key, value)) in entries.iter().enumerate() {
        text.push_str(if index > 0 { "; " } else { "" });
        if !is_list {
            text.push_str(&format!("[{key}]="));
        }
        text.push_str(value);
    }
    text.push('}');
}

/// `redis.debug`: says its arguments to the client that debugs the script, if there is one.
pub(in crate::script) fn debug_function(lua: &Lua) -> Result<Function> {
    // SAFETY: the function is left on the stack.
    unsafe { lua.exec_raw((), |state| ffi::lua_pushcclosure(state, debug, 0)) }
}

unsafe extern "C-unwind" fn debug(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Raises no error; a function has room for twenty values more than its arguments.
    unsafe { say_arguments(state, &shared_of(state).console) };
    0
}

/// # Safety
/// As `debug`.
unsafe fn say_arguments(state: *mut lua_State, console: &Console) {
    if !console.is_active.get() {
        return;
    }
    let mut text = format!("<debug> line {}: ", console.line.get());
    // SAFETY: each argument is copied to the top and taken off again.
    unsafe {
        for index in 1..=ffi::lua_gettop(state) {
            text.push_str(if index > 1 { ", " } else { "" });
            ffi::lua_pushvalue(state, index);
            show(state, 0, &mut text);
            ffi::lua_settop(state, -2);
        }
    }
    console.say(text);
}
