//! `redis.register_function`: how a library says which functions it has.
//!
//! Two forms: `(name, function)`, or one table with `function_name`, `callback`, `description` and `flags`.

use std::rc::Rc;

use mlua::{Function, Lua, Result, Table, Value, Variadic};

use super::shebang::ScriptFlags;
use super::vm::{Chunk, Registered, Shared};

type Refused = &'static str;

const BAD_NAME: Refused =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether libraries and functions may have this name.
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The native function: `(true)`, or `(false, error)`.
pub(super) fn function(lua: &Lua, shared: &Rc<Shared>) -> Result<Function> {
    let shared = Rc::clone(shared);
    lua.create_function(move |lua, args: Variadic<Value>| match register(lua, &shared, &args) {
        Ok(()) => Ok((true, None)),
        Err(text) => Ok((false, Some(format!("ERR {text}")))),
    })
}

fn register(lua: &Lua, shared: &Shared, args: &[Value]) -> std::result::Result<(), Refused> {
    let new = match args {
        [Value::Table(table)] => named(lua, table)?,
        [_] => {
            return Err("calling redis.register_function with a single argument is only applicable to Lua table \
                 (representing named arguments).");
        }
        [name, callback] => positional(lua, name, callback)?,
        _ => return Err("wrong number of arguments to redis.register_function"),
    };
    let mut registering = shared.registering.borrow_mut();
    let Some(registered) = registering.as_mut() else {
        return Err("redis.register_function can only be called on FUNCTION LOAD command");
    };
    if !is_valid_name(&new.name) {
        return Err(BAD_NAME);
    }
    if registered.iter().any(|other| other.name.eq_ignore_ascii_case(&new.name)) {
        return Err("Function already exists in the library");
    }
    registered.push(new);
    Ok(())
}

fn positional(lua: &Lua, name: &Value, callback: &Value) -> std::result::Result<Registered, Refused> {
    let Some(name) = text(name) else { return Err("first argument to redis.register_function must be a string") };
    let Value::Function(callback) = callback else {
        return Err("second argument to redis.register_function must be a function");
    };
    let chunk = chunk(lua, callback)?;
    Ok(Registered { name, description: None, flags: ScriptFlags::default(), chunk })
}

fn chunk(lua: &Lua, function: &Function) -> std::result::Result<Chunk, Refused> {
    Chunk::keep(lua, function).map_err(|_| "not enough memory")
}

fn text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        Value::Number(number) => Some(super::libs::general(*number, 14).into_bytes()),
        _ => None,
    }
}

fn named(lua: &Lua, table: &Table) -> std::result::Result<Registered, Refused> {
    let (mut name, mut callback, mut description, mut flags) = (None, None, None, ScriptFlags::default());
    for pair in table.pairs::<Value, Value>() {
        let Ok((key, value)) = pair else { break };
        let Some(key) = text(&key) else {
            return Err("named argument key given to redis.register_function is not a string");
        };
        match (&key[..], value) {
            (b"function_name", value) => {
                let value = text(&value);
                name = Some(value.ok_or("function_name argument given to redis.register_function must be a string")?);
            }
            (b"description", value) => {
                let value = text(&value);
                description =
                    Some(value.ok_or("description argument given to redis.register_function must be a string")?);
            }
            (b"callback", Value::Function(function)) => callback = Some(chunk(lua, &function)?),
            (b"callback", _) => return Err("callback argument given to redis.register_function must be a function"),
            (b"flags", Value::Table(list)) => flags = read_flags(&list)?,
            (b"flags", _) => {
                return Err("flags argument to redis.register_function must be a table representing function flags");
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let chunk = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok(Registered { name, description, flags, chunk })
}

fn read_flags(list: &Table) -> std::result::Result<ScriptFlags, Refused> {
    let mut flags = ScriptFlags::default();
    for index in 1.. {
        match list.raw_get::<Value>(index) {
            Ok(Value::String(name)) if flags.add(&name.as_bytes()) => {}
            Ok(Value::Nil) | Err(_) => break,
            Ok(_) => return Err("unknown flag given"),
        }
    }
    Ok(flags)
}
