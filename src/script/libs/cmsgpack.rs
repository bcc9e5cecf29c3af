//! `cmsgpack`: values as MessagePack. The bytes follow the library that Redis carries: an integral number is an integer of the
//! smallest width, another a float when that loses nothing; a table whose keys are 1..n is an array; what lies deeper than
//! sixteen tables, or has no counterpart, is nil.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value, Variadic};
use rmp::Marker;

/// Tables within tables that are packed.
const NESTING_MAX: usize = 16;

/// Tables within tables that are read: each takes a frame of the stack.
const UNPACK_NESTING_MAX: usize = 128;

fn error(text: impl Into<String>) -> Error {
    Error::RuntimeError(text.into())
}

fn truncated() -> Error {
    error("Missing bytes in input.")
}

// ---- packing ----------------------------------------------------------------------------------------------------------

fn write(result: std::result::Result<impl Sized, impl Sized>) -> Result<()> {
    // Writing to a vector does not fail.
    result.map(drop).map_err(|_| error("out of memory"))
}

fn pack_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<()> {
    match value {
        Value::String(text) => write(rmp::encode::write_str_len(out, text.as_bytes().len() as u32))
            .map(|()| out.extend_from_slice(&text.as_bytes())),
        Value::Boolean(value) => write(rmp::encode::write_bool(out, *value)),
        Value::Integer(value) => pack_int(out, *value),
        Value::Number(value) => pack_number(out, *value),
        Value::Table(table) if depth < NESTING_MAX => pack_table(out, table, depth),
        _ => write(rmp::encode::write_nil(out)),
    }
}

fn pack_int(out: &mut Vec<u8>, value: i64) -> Result<()> {
    match u64::try_from(value) {
        Ok(value) => write(rmp::encode::write_uint(out, value)),
        Err(_) => write(rmp::encode::write_sint(out, value)),
    }
}

fn pack_number(out: &mut Vec<u8>, value: f64) -> Result<()> {
    let is_int = value.fract() == 0.0 && value >= i64::MIN as f64 && value < i64::MAX as f64;
    if is_int {
        pack_int(out, value as i64)
    } else if f64::from(value as f32) == value {
        write(rmp::encode::write_f32(out, value as f32))
    } else {
        write(rmp::encode::write_f64(out, value))
    }
}

/// How many elements a table has if its keys are exactly 1..n.
fn array_len(table: &Table) -> Result<Option<usize>> {
    let (mut count, mut max) = (0usize, 0.0f64);
    for pair in table.pairs::<Value, Value>() {
        let key = match pair?.0 {
            Value::Integer(key) => key as f64,
            Value::Number(key) => key,
            _ => return Ok(None),
        };
        if key <= 0.0 || key.fract() != 0.0 {
            return Ok(None);
        }
        max = max.max(key);
        count += 1;
    }
    Ok((max == count as f64).then_some(count))
}

fn pack_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> Result<()> {
    if let Some(len) = array_len(table)? {
        write(rmp::encode::write_array_len(out, len as u32))?;
        for index in 1..=len {
            pack_value(out, &table.raw_get(index)?, depth + 1)?;
        }
        return Ok(());
    }
    // Counted first, not collected: the interpreter can lend out some thousand values at a time.
    let len = table.pairs::<Value, Value>().count();
    write(rmp::encode::write_map_len(out, len as u32))?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        pack_value(out, &key, depth + 1)?;
        pack_value(out, &value, depth + 1)?;
    }
    Ok(())
}

// ---- unpacking --------------------------------------------------------------------------------------------------------

fn take<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let (bytes, rest) = input.split_at_checked(len).ok_or_else(truncated)?;
    *input = rest;
    Ok(bytes)
}

fn be(input: &mut &[u8], len: usize) -> Result<u64> {
    Ok(take(input, len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn unpack_value(lua: &Lua, input: &mut &[u8], depth: usize) -> Result<Value> {
    if depth > UNPACK_NESTING_MAX {
        return Err(error("Bad data format in input."));
    }
    let number = |value: f64| Ok(Value::Number(value));
    let marker = Marker::from_u8(take(input, 1)?[0]);
    match marker {
        Marker::FixPos(value) => number(f64::from(value)),
        Marker::FixNeg(value) => number(f64::from(value)),
        Marker::U8 => number(be(input, 1)? as f64),
        Marker::U16 => number(be(input, 2)? as f64),
        Marker::U32 => number(be(input, 4)? as f64),
        Marker::U64 => number(be(input, 8)? as f64),
        Marker::I8 => number(f64::from(be(input, 1)? as i8)),
        Marker::I16 => number(f64::from(be(input, 2)? as i16)),
        Marker::I32 => number(f64::from(be(input, 4)? as i32)),
        Marker::I64 => number(be(input, 8)? as i64 as f64),
        Marker::F32 => number(f64::from(f32::from_bits(be(input, 4)? as u32))),
        Marker::F64 => number(f64::from_bits(be(input, 8)?)),
        Marker::Null => Ok(Value::Nil),
        Marker::True => Ok(Value::Boolean(true)),
        Marker::False => Ok(Value::Boolean(false)),
        Marker::FixStr(len) => text(lua, input, usize::from(len)),
        Marker::Str8 | Marker::Bin8 => be(input, 1).and_then(|len| text(lua, input, len as usize)),
        Marker::Str16 | Marker::Bin16 => be(input, 2).and_then(|len| text(lua, input, len as usize)),
        Marker::Str32 | Marker::Bin32 => be(input, 4).and_then(|len| text(lua, input, len as usize)),
        Marker::FixArray(len) => array(lua, input, usize::from(len), depth),
        Marker::Array16 => be(input, 2).and_then(|len| array(lua, input, len as usize, depth)),
        Marker::Array32 => be(input, 4).and_then(|len| array(lua, input, len as usize, depth)),
        Marker::FixMap(len) => map(lua, input, usize::from(len), depth),
        Marker::Map16 => be(input, 2).and_then(|len| map(lua, input, len as usize, depth)),
        Marker::Map32 => be(input, 4).and_then(|len| map(lua, input, len as usize, depth)),
        _ => Err(error("Bad data format in input.")),
    }
}

fn text(lua: &Lua, input: &mut &[u8], len: usize) -> Result<Value> {
    Ok(Value::String(lua.create_string(take(input, len)?)?))
}

fn array(lua: &Lua, input: &mut &[u8], len: usize, depth: usize) -> Result<Value> {
    let table = lua.create_table()?;
    for index in 1..=len {
        table.raw_set(index, unpack_value(lua, input, depth + 1)?)?;
    }
    Ok(Value::Table(table))
}

fn map(lua: &Lua, input: &mut &[u8], len: usize, depth: usize) -> Result<Value> {
    let table = lua.create_table()?;
    for _ in 0..len {
        let key = unpack_value(lua, input, depth + 1)?;
        let value = unpack_value(lua, input, depth + 1)?;
        match key {
            Value::Nil => return Err(error("Bad data format in input.")),
            Value::Number(key) if key.is_nan() => return Err(error("Bad data format in input.")),
            key => table.raw_set(key, value)?,
        }
    }
    Ok(Value::Table(table))
}

/// At most `limit` values (0: all) from `offset` on; when `limit` is set, the offset of the next one comes first, -1 at the end.
fn unpack(lua: &Lua, data: &[u8], limit: i64, offset: i64) -> Result<MultiValue> {
    if offset < 0 || limit < 0 {
        return Err(error(format!("Invalid request to unpack with offset of {offset} and limit of {}.", data.len())));
    }
    if offset > data.len() as i64 {
        return Err(error(format!("Start offset {offset} greater than input length {}.", data.len())));
    }
    let mut input = &data[offset as usize..];
    let mut values = Vec::new();
    while !input.is_empty() && (limit == 0 || (values.len() as i64) < limit) {
        values.push(unpack_value(lua, &mut input, 0)?);
    }
    if limit > 0 {
        let next = if input.is_empty() { -1.0 } else { (data.len() - input.len()) as f64 };
        values.insert(0, Value::Number(next));
    }
    Ok(MultiValue::from_iter(values))
}

/// The table.
pub fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let pack = |lua: &Lua, values: Variadic<Value>| {
        if values.is_empty() {
            return Err(error("bad argument #0 to 'pack' (MessagePack pack needs input.)"));
        }
        let mut out = Vec::new();
        values.iter().try_for_each(|value| pack_value(&mut out, value, 0))?;
        lua.create_string(&out)
    };
    table.set("pack", lua.create_function(pack)?)?;
    table.set("unpack", lua.create_function(|lua, data: LuaString| unpack(lua, &data.as_bytes(), 0, 0))?)?;
    let one =
        |lua: &Lua, (data, offset): (LuaString, Option<i64>)| unpack(lua, &data.as_bytes(), 1, offset.unwrap_or(0));
    table.set("unpack_one", lua.create_function(one)?)?;
    let limit = |lua: &Lua, (data, limit, offset): (LuaString, i64, Option<i64>)| {
        unpack(lua, &data.as_bytes(), limit, offset.unwrap_or(0))
    };
    table.set("unpack_limit", lua.create_function(limit)?)?;
    table.set("_NAME", "cmsgpack")?;
    table.set("_VERSION", "lua-cmsgpack 0.4.0")?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str) -> Result<Value> {
        let lua = Lua::new();
        lua.globals().set("cmsgpack", table(&lua)?)?;
        lua.load(code).eval()
    }

    #[test]
    fn bytes_are_those_of_messagepack() {
        for (code, bytes) in [
            ("1", &b"\x01"[..]),
            ("-1", b"\xff"),
            ("200", b"\xcc\xc8"),
            ("-1099511627776", b"\xd3\xff\xff\xff\x00\x00\x00\x00\x00"),
            ("0.1", b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
            ("0.5", b"\xca\x3f\x00\x00\x00"),
            ("'abc', nil, true", b"\xa3abc\xc0\xc3"),
            ("{1, 2}", b"\x92\x01\x02"),
            ("{a = 1}", b"\x81\xa1a\x01"),
            ("{[5] = 1}", b"\x81\x05\x01"),
            ("{}", b"\x90"),
        ] {
            let lua = Lua::new();
            lua.globals().set("cmsgpack", table(&lua).unwrap()).unwrap();
            let packed: mlua::BString = lua.load(format!("return cmsgpack.pack({code})")).eval().unwrap();
            assert_eq!(packed, bytes, "{code}");
        }
    }

    #[test]
    fn what_is_packed_comes_back_and_garbage_does_not() {
        let code = "local a, b, c = cmsgpack.unpack(cmsgpack.pack({x = {1, {2}}}, 'y', -70000)) \
            local next, v = cmsgpack.unpack_one(cmsgpack.pack(1, 2)) \
            return a.x[2][1] == 2 and b == 'y' and c == -70000 and next == 1 and v == 1";
        assert_eq!(run(code).unwrap(), Value::Boolean(true));
        let deep = "local t = {} for i = 1, 1000 do t = {t} end return #cmsgpack.pack(t) < 40";
        assert_eq!(run(deep).unwrap(), Value::Boolean(true));
        for code in ["'\\200'", "'\\161'", "'\\193'", "string.rep('\\145', 100000)", "'\\221\\255\\255\\255\\255'"] {
            let outcome = run(&format!("local t = cmsgpack.unpack({code}) return 1"));
            assert!(outcome.is_err(), "{code}: {outcome:?}");
        }
        assert!(run("return cmsgpack.unpack_limit('abc', -1)").is_err());
        assert!(run("return cmsgpack.unpack_one('abc', 9)").is_err());
    }
}
