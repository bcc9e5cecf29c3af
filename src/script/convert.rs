//! Replies become Lua values, and Lua values become replies.
//!
//! ```text
//! reply                     Lua                                        Lua                       reply
//! :1                        number                                     number                    :integer, cut towards zero
//! $text                     string                                     string                    $text
//! *n                        table 1..n                                 table 1..n up to a nil    *n
//! +text                     {ok = text}                                {ok = text}               +text
//! -text                     {err = text}                               {err = text}              -text
//! nil (RESP2)               false                                      false, nil                nil
//! _  #t  (RESP3)            nil  true                                  true                      :1, or #t in RESP3
//! %  ~  (RESP3)             {map = {}}  {set = {[x] = true}}           the same                  % ~
//! ,  (  =  (RESP3)          {double =} {big_number =} {verbatim_string = {format =, string =}}   , ( =
//! ```

use mlua::{Lua, Result, Table, Value};

use crate::base::limits::SCRIPT_REPLY_DEPTH;
use crate::base::number::{parse_f64, parse_i64};
use crate::resp::reply::{Proto, Reply};

/// Takes one reply off `input` and makes a Lua value of it; also whether it is an error. Replies come from our own commands and
/// are complete.
pub(super) fn read_reply(lua: &Lua, input: &mut &[u8]) -> Result<(Value, bool)> {
    let (kind, line) = take_line(input);
    let text = |bytes: &[u8]| -> Result<Value> { Ok(Value::String(lua.create_string(bytes)?)) };
    let field = |name: &str, value: Value| -> Result<Value> {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    let count = || parse_i64(line).unwrap_or(-1);
    let value = match kind {
        b'+' => field("ok", text(line)?)?,
        b'-' => {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("err", lua.create_string(line)?)?;
            table.raw_set("ignore_error_stats_update", true)?;
            return Ok((Value::Table(table), true));
        }
        b':' => Value::Number(parse_i64(line).unwrap_or(0) as f64),
        b'$' | b'*' if count() < 0 => Value::Boolean(false),
        b'$' => text(take_bulk(input, count()))?,
        b'*' | b'>' => Value::Table(read_items(lua, input, count())?),
        b'_' => Value::Nil,
        b'#' => Value::Boolean(line == b"t"),
        b',' => field("double", Value::Number(parse_f64(line).unwrap_or(f64::NAN)))?,
        b'(' => field("big_number", text(line)?)?,
        b'=' => {
            let bytes = take_bulk(input, count());
            let (format, string) = bytes.split_at(bytes.len().min(4));
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("format", lua.create_string(&format[..format.len().min(3)])?)?;
            table.raw_set("string", lua.create_string(string)?)?;
            field("verbatim_string", Value::Table(table))?
        }
        b'%' => {
            let table = lua.create_table()?;
            for _ in 0..count() {
                let key = read_reply(lua, input)?.0;
                let value = read_reply(lua, input)?.0;
                if !key.is_nil() {
                    table.raw_set(key, value)?;
                }
            }
            field("map", Value::Table(table))?
        }
        b'~' => {
            let table = lua.create_table()?;
            for _ in 0..count() {
                let member = read_reply(lua, input)?.0;
                if !member.is_nil() {
                    table.raw_set(member, true)?;
                }
            }
            field("set", Value::Table(table))?
        }
        b'|' => {
            for _ in 0..2 * count() {
                read_reply(lua, input)?;
            }
            return read_reply(lua, input);
        }
        _ => Value::Nil,
    };
    Ok((value, false))
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

fn read_items(lua: &Lua, input: &mut &[u8], count: i64) -> Result<Table> {
    let table = lua.create_table_with_capacity(count.clamp(0, 1024) as usize, 0)?;
    for index in 1..=count {
        table.raw_set(index, read_reply(lua, input)?.0)?;
    }
    Ok(table)
}

/// Writes what a script returned as the reply to its client. `script` is the protocol that the script asked for, which decides
/// about booleans. Gives the text of an error at the top, and whether it was counted when it arose.
pub fn write_reply(value: &Value, script: Proto, reply: &mut Reply<'_>) -> Option<(Vec<u8>, bool)> {
    write(value, script, reply, 0)
}

fn write(value: &Value, script: Proto, reply: &mut Reply<'_>, depth: usize) -> Option<(Vec<u8>, bool)> {
    if depth > SCRIPT_REPLY_DEPTH {
        reply.error("ERR reached lua stack limit");
        return None;
    }
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(number) => reply.int(*number),
        Value::Number(number) => reply.int(*number as i64),
        Value::Boolean(value) if script == Proto::Resp3 => reply.boolean(*value),
        Value::Boolean(true) => reply.int(1),
        Value::Table(table) => return write_table(table, script, reply, depth),
        _ => reply.null(),
    }
    None
}

fn write_table(table: &Table, script: Proto, reply: &mut Reply<'_>, depth: usize) -> Option<(Vec<u8>, bool)> {
    let field = |name: &str| table.raw_get::<Value>(name).unwrap_or(Value::Nil);
    let text = |name: &str| match field(name) {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    };
    if let Some(text) = text("err") {
        let is_counted = field("ignore_error_stats_update") == Value::Boolean(true);
        let text = one_line(&text);
        reply.error_bytes(&text);
        return Some((text, is_counted));
    }
    if let Some(text) = text("ok") {
        reply.simple(&String::from_utf8_lossy(&one_line(&text)));
        return None;
    }
    if let Some(number) = field("double").as_f64() {
        reply.double(number);
        return None;
    }
    if let Value::Table(map) = field("map") {
        write_map(&map, script, reply, depth);
        return None;
    }
    if let Value::Table(set) = field("set") {
        write_set(&set, script, reply, depth);
        return None;
    }
    if let Some(digits) = text("big_number") {
        reply.big_number(&String::from_utf8_lossy(&one_line(&digits)));
        return None;
    }
    if let Value::Table(verbatim) = field("verbatim_string")
        && let (Ok(Value::String(format)), Ok(Value::String(string))) =
            (verbatim.raw_get("format"), verbatim.raw_get("string"))
    {
        let format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
        reply.verbatim(&format, &string.as_bytes());
        return None;
    }
    let deferred = reply.array_deferred();
    let mut count = 0;
    loop {
        match table.raw_get(count + 1) {
            Ok(Value::Nil) | Err(_) => break,
            Ok(item) => drop(write(&item, script, reply, depth + 1)),
        }
        count += 1;
    }
    reply.finish(deferred, count);
    None
}

fn write_set(set: &Table, script: Proto, reply: &mut Reply<'_>, depth: usize) {
    reply.set(set.pairs::<Value, Value>().count());
    for (member, _) in set.pairs::<Value, Value>().flatten() {
        drop(write(&member, script, reply, depth + 1));
    }
}

fn write_map(map: &Table, script: Proto, reply: &mut Reply<'_>, depth: usize) {
    // Counted first, not collected: the interpreter can lend out some thousand values at a time.
    reply.map(map.pairs::<Value, Value>().count());
    for (key, value) in map.pairs::<Value, Value>().flatten() {
        drop(write(&key, script, reply, depth + 1));
        drop(write(&value, script, reply, depth + 1));
    }
}

/// Line ends would end the reply.
fn one_line(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect();
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    text[..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::out::Out;

    fn read(reply: &[u8], code: &str) -> bool {
        let lua = Lua::new();
        let mut input = reply;
        let (value, _) = read_reply(&lua, &mut input).unwrap();
        assert!(input.is_empty());
        lua.globals().set("r", value).unwrap();
        lua.load(format!("return {code}")).eval().unwrap()
    }

    fn written(code: &str, script: Proto, client: Proto) -> String {
        let lua = Lua::new();
        let value: Value = lua.load(format!("return {code}")).eval().unwrap();
        let mut out = Out::new();
        write_reply(&value, script, &mut Reply::new(&mut out, client));
        String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn replies_become_values() {
        assert!(read(b":7\r\n", "r == 7"));
        assert!(read(b"$-1\r\n", "r == false") && read(b"*-1\r\n", "r == false"));
        assert!(read(b"+OK\r\n", "r.ok == 'OK'") && read(b"-ERR x\r\n", "r.err == 'ERR x'"));
        assert!(read(b"*3\r\n$1\r\na\r\n:2\r\n*1\r\n$0\r\n\r\n", "r[1] == 'a' and r[2] == 2 and r[3][1] == ''"));
        assert!(read(b"%1\r\n+k\r\n~1\r\n:1\r\n", "next(r.map) ~= nil"));
        assert!(read(b",1.5\r\n", "r.double == 1.5") && read(b"_\r\n", "r == nil") && read(b"#t\r\n", "r == true"));
        assert!(read(b"=7\r\ntxt:abc\r\n", "r.verbatim_string.string == 'abc' and r.verbatim_string.format == 'txt'"));
    }

    #[test]
    fn values_become_replies() {
        let two = |code| written(code, Proto::Resp2, Proto::Resp2);
        assert_eq!(two("100.9"), ":100 ");
        assert_eq!(two("-1.5"), ":-1 ");
        assert_eq!(two("{1, 'a', nil, 3}"), "*2 :1 $1 a ");
        assert_eq!(two("{ok = 'fine', 1}"), "+fine ");
        assert_eq!(two("{err = 'MY\\r\\nERR'}"), "-MY  ERR ");
        assert_eq!((two("true"), two("false"), two("nil")), (":1 ".into(), "$-1 ".into(), "$-1 ".into()));
        assert_eq!(two("{double = 3.5}"), "$3 3.5 ");
        assert_eq!(two("{map = {a = 1}}"), "*2 $1 a :1 ");
        assert_eq!(written("{map = {a = true}}", Proto::Resp3, Proto::Resp3), "%1 $1 a #t ");
        assert_eq!(written("true", Proto::Resp2, Proto::Resp3), ":1 ");
        assert_eq!(written("setmetatable({}, {__index = function() error() end})", Proto::Resp2, Proto::Resp2), "*0 ");
    }

    #[test]
    fn a_table_within_itself_ends_with_an_error() {
        let text = written("(function() local t = {} t[1] = t return t end)()", Proto::Resp2, Proto::Resp2);
        assert!(text.ends_with("-ERR reached lua stack limit "));
    }
}
