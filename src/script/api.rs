//! The native functions behind the table `redis`, and the few others that `sandbox.lua` builds on.
//!
//! Functions that can be misused give `(true, value)` or `(false, error)`; the sandbox raises the error as a table, which is how
//! scripts know Redis's errors from Lua's.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Result, Table, Value, Variadic};

use super::debugger::inspect;
use super::vm::Shared;
use super::{LogLevel, Propagation, stack};
use crate::base::hash;
use crate::base::rng::Rng;
use crate::resp::args::OwnedArgs;
use crate::resp::reply::Proto;

const TO_AOF: i64 = 1;
const TO_REPLICAS: i64 = 2;

/// The words of a command; `None` when one is neither a string nor a number.
fn words(args: &[Value]) -> Option<OwnedArgs> {
    let mut words = OwnedArgs::new();
    for arg in args {
        match arg {
            Value::String(text) => words.push(&text.as_bytes()),
            Value::Integer(number) => words.push(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Number(number) => stack::push_number(&mut words, *number),
            _ => return None,
        }
    }
    Some(words)
}

/// What `redis.error_reply` makes of a text: the first word is the code if there is more than one.
fn error_text(text: &str) -> String {
    let text = text.strip_prefix('-').unwrap_or(text);
    if text.contains(' ') { text.to_owned() } else { format!("ERR {text}") }
}

type Checked = std::result::Result<Value, &'static str>;

/// Wraps a function that can be misused.
fn checked(lua: &Lua, f: impl Fn(&Lua, &[Value]) -> Result<Checked> + 'static) -> Result<mlua::Function> {
    lua.create_function(move |lua, args: Variadic<Value>| match f(lua, &args)? {
        Ok(value) => Ok((true, value)),
        Err(text) => Ok((false, Value::String(lua.create_string(format!("ERR {text}"))?))),
    })
}

/// The number of an argument as Lua understands numbers.
fn number(lua: &Lua, value: Option<&Value>) -> Option<f64> {
    lua.coerce_number(value?.clone()).ok()?
}

fn reply_table(lua: &Lua, args: &[Value], field: &str, text: impl Fn(&str) -> String) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    match args {
        [Value::String(value)] if field == "err" => {
            table.raw_set(field, text(&String::from_utf8_lossy(&value.as_bytes())))?
        }
        [Value::String(value)] => table.raw_set(field, value)?,
        _ => table.raw_set("err", "ERR wrong number or type of arguments")?,
    }
    Ok(Value::Table(table))
}

/// The table that `sandbox.lua` is given.
pub(super) fn native(lua: &Lua, shared: &Rc<Shared>) -> Result<Table> {
    let native = lua.create_table()?;
    native.set("redis", constants(lua)?)?;
    native.set("checked", checked_functions(lua, shared)?)?;
    native.set("lenient", lenient_functions(lua)?)?;

    let (call, pcall) = stack::natives(lua, shared)?;
    native.set("call", call)?;
    native.set("pcall", pcall)?;
    native.set("debug", inspect::debug_function(lua)?)?;

    native.set("register_function", super::register::function(lua, shared)?)?;
    let s = Rc::clone(shared);
    native.set("is_killed", lua.create_function(move |_, ()| Ok(s.killed.get().is_some()))?)?;
    let text = |lua: &Lua, error: Value| lua.create_string(super::vm::message(&error));
    native.set("error_text", lua.create_function(text)?)?;

    let rng = Rc::new(RefCell::new(Rng::seeded(shared.seed)));
    let r = Rc::clone(&rng);
    let seed = move |_: &Lua, seed: f64| {
        *r.borrow_mut() = Rng::seeded(seed as i64 as u64);
        Ok(())
    };
    native.set("randomseed", lua.create_function(seed)?)?;
    let random = move |_: &Lua, bounds: Variadic<f64>| {
        let unit = (rng.borrow_mut().next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let error = |text: &str| mlua::Error::RuntimeError(text.into());
        let within = |low: f64, high: f64| (unit * (high - low + 1.0)).floor() + low;
        match bounds[..] {
            [] => Ok(unit),
            [high] if high >= 1.0 => Ok(within(1.0, high.floor())),
            [_] => Err(error("bad argument #1 to 'random' (interval is empty)")),
            [low, high] if low <= high => Ok(within(low.floor(), high.floor())),
            [_, _] => Err(error("bad argument #2 to 'random' (interval is empty)")),
            _ => Err(error("wrong number of arguments")),
        }
    };
    native.set("random", lua.create_function(random)?)?;
    Ok(native)
}

fn constants(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, value) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", TO_AOF),
        ("REPL_SLAVE", TO_REPLICAS),
        ("REPL_REPLICA", TO_REPLICAS),
        ("REPL_ALL", TO_AOF | TO_REPLICAS),
    ] {
        table.set(name, value)?;
    }
    Ok(table)
}

fn checked_functions(lua: &Lua, shared: &Rc<Shared>) -> Result<Table> {
    let table = lua.create_table()?;
    let add = |name: &str, function: mlua::Function| table.set(name, function);

    let sha1hex = |lua: &Lua, args: &[Value]| {
        let [value] = args else { return Ok(Err("wrong number of arguments")) };
        let text = lua.coerce_string(value.clone())?;
        let text = text.map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        Ok(Ok(Value::String(lua.create_string(hash::hex(&hash::sha1(&text)))?)))
    };
    add("sha1hex", checked(lua, sha1hex)?)?;

    let s = Rc::clone(shared);
    let log = move |lua: &Lua, args: &[Value]| {
        if args.len() < 2 {
            return Ok(Err("redis.log() requires two arguments or more."));
        }
        let Some(level) = number(lua, args.first()) else {
            return Ok(Err("First argument must be a number (log level)."));
        };
        let level = match level as i64 {
            0 => LogLevel::Debug,
            1 => LogLevel::Verbose,
            2 => LogLevel::Notice,
            3 => LogLevel::Warning,
            _ => return Ok(Err("Invalid debug level.")),
        };
        let mut text = Vec::new();
        for (index, arg) in args[1..].iter().enumerate() {
            if let Some(part) = lua.coerce_string(arg.clone())? {
                if index > 0 {
                    text.push(b' ');
                }
                text.extend_from_slice(&part.as_bytes());
            }
        }
        s.door.with(|calls| calls.log(level, &text));
        Ok(Ok(Value::Nil))
    };
    add("log", checked(lua, log)?)?;

    let s = Rc::clone(shared);
    let setresp = move |lua: &Lua, args: &[Value]| {
        let [value] = args else { return Ok(Err("redis.setresp() requires one argument.")) };
        match number(lua, Some(value)) {
            Some(2.0) => s.proto.set(Proto::Resp2),
            Some(3.0) => s.proto.set(Proto::Resp3),
            _ => return Ok(Err("RESP version must be 2 or 3.")),
        }
        Ok(Ok(Value::Nil))
    };
    add("setresp", checked(lua, setresp)?)?;

    let s = Rc::clone(shared);
    let set_repl = move |lua: &Lua, args: &[Value]| {
        let [value] = args else { return Ok(Err("redis.set_repl() requires one argument.")) };
        let bits = number(lua, Some(value)).map_or(-1, |bits| bits as i64);
        if bits & !(TO_AOF | TO_REPLICAS) != 0 {
            return Ok(Err("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."));
        }
        let to = Propagation { to_aof: bits & TO_AOF != 0, to_replicas: bits & TO_REPLICAS != 0 };
        s.door.with(|calls| calls.set_propagation(to));
        Ok(Ok(Value::Nil))
    };
    add("set_repl", checked(lua, set_repl)?)?;

    let s = Rc::clone(shared);
    let acl_check_cmd = move |_: &Lua, args: &[Value]| {
        if args.is_empty() {
            return Ok(Err("Please specify at least one argument for this redis lib call"));
        }
        let Some(words) = words(args) else {
            return Ok(Err("Lua redis lib command arguments must be strings or integers"));
        };
        Ok(match s.door.with(|calls| calls.is_permitted(&words)) {
            Some(Some(is_permitted)) => Ok(Value::Boolean(is_permitted)),
            Some(None) => Err("Invalid command passed to redis.acl_check_cmd()"),
            None => Err("redis.acl_check_cmd can only be called inside a script invocation"),
        })
    };
    add("acl_check_cmd", checked(lua, acl_check_cmd)?)?;

    // Of the days when scripts could be replicated as text.
    add("replicate_commands", checked(lua, |_, _| Ok(Ok(Value::Boolean(true))))?)?;
    let s = Rc::clone(shared);
    let breakpoint = move |_: &Lua, _: &[Value]| {
        let is_debugged = s.console.is_active.get();
        s.console.is_asked_to_stop.set(is_debugged);
        Ok(Ok(Value::Boolean(is_debugged)))
    };
    add("breakpoint", checked(lua, breakpoint)?)?;
    Ok(table)
}

fn lenient_functions(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let error = |lua: &Lua, args: Variadic<Value>| Ok((true, reply_table(lua, &args, "err", error_text)?));
    table.set("error_reply", lua.create_function(error)?)?;
    let status = |lua: &Lua, args: Variadic<Value>| Ok((true, reply_table(lua, &args, "ok", str::to_owned)?));
    table.set("status_reply", lua.create_function(status)?)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_replies_get_a_code() {
        assert_eq!(error_text("MY_ERR custom"), "MY_ERR custom");
        assert_eq!(error_text("-MY_ERR custom"), "MY_ERR custom");
        assert_eq!(error_text("oops"), "ERR oops");
    }
}
