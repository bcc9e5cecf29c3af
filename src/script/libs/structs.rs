//! `struct`: values packed into strings by a format, and back.
//!
//! ```text
//! <  >  =      little, big, native (little) byte order          !n   align to at most n bytes (8 without a number)
//! b B  h H  l L  i In I In   integers of 1, 2, 8, n (4) bytes, signed and unsigned          T   size_t (8 bytes)
//! f d          float, double          x   one byte of padding          (blank)   nothing
//! s            a string up to a zero byte          cn   n bytes; c0 the whole string, or as many as the number before says
//! ```

use mlua::{Error, Lua, MultiValue, Result, Table, Value};

/// Largest integer that a format may ask for, in bytes.
const INT_MAX: usize = 32;

/// Bytes that one call may make: more than any bulk string may have.
const PACKED_MAX: usize = 512 * 1024 * 1024;

#[derive(Clone, Copy)]
struct Layout {
    is_big: bool,
    align: usize,
}

enum Item {
    Int { size: usize, is_signed: bool },
    Float,
    Double,
    Pad,
    Zero,
    Chars(usize),
    Control,
}

fn error(text: impl Into<String>) -> Error {
    Error::RuntimeError(text.into())
}

fn number(format: &mut &[u8], default: usize) -> Result<usize> {
    let digits = format.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Ok(default);
    }
    let (text, rest) = format.split_at(digits);
    *format = rest;
    let value = text.iter().try_fold(0usize, |sum, digit| sum.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
    value.filter(|value| *value <= i32::MAX as usize).ok_or_else(|| error("integral size overflow"))
}

/// Takes the next option off the format.
fn next(format: &mut &[u8], layout: &mut Layout) -> Result<Item> {
    let (&option, rest) = format.split_first().expect("not called at the end");
    *format = rest;
    let int = |size, is_signed| Ok(Item::Int { size, is_signed });
    match option {
        b'b' | b'B' => int(1, option == b'b'),
        b'h' | b'H' => int(2, option == b'h'),
        b'l' | b'L' => int(8, option == b'l'),
        b'T' => int(8, false),
        b'i' | b'I' => {
            let size = number(format, 4)?;
            if size == 0 || size > INT_MAX {
                return Err(error(format!("integral size {size} is larger than limit of {INT_MAX}")));
            }
            int(size, option == b'i')
        }
        b'f' => Ok(Item::Float),
        b'd' => Ok(Item::Double),
        b'x' => Ok(Item::Pad),
        b's' => Ok(Item::Zero),
        b'c' => Ok(Item::Chars(number(format, 1)?)),
        b' ' => Ok(Item::Control),
        b'<' | b'=' => {
            layout.is_big = false;
            Ok(Item::Control)
        }
        b'>' => {
            layout.is_big = true;
            Ok(Item::Control)
        }
        b'!' => {
            let align = number(format, 8)?;
            if !align.is_power_of_two() {
                return Err(error("alignment is not a power of 2"));
            }
            layout.align = align;
            Ok(Item::Control)
        }
        other => Err(error(format!("invalid format option '{}'", char::from(other)))),
    }
}

/// Bytes an item takes by itself, for its alignment. Strings are not aligned.
fn aligned_size(item: &Item) -> usize {
    match item {
        Item::Int { size, .. } => *size,
        Item::Float => 4,
        Item::Double => 8,
        _ => 0,
    }
}

/// Padding before an item at `at`.
fn padding(at: usize, size: usize, layout: Layout) -> Result<usize> {
    let align = size.min(layout.align);
    if align <= 1 {
        return Ok(0);
    }
    if !align.is_power_of_two() {
        return Err(error("alignment is not a power of 2"));
    }
    Ok((align - (at & (align - 1))) & (align - 1))
}

fn argument(lua: &Lua, values: &mut std::vec::IntoIter<Value>, at: &mut usize) -> Result<(usize, Value)> {
    let _ = lua;
    *at += 1;
    values.next().map(|value| (*at, value)).ok_or_else(|| error(format!("bad argument #{at} to 'pack' (no value)")))
}

fn as_number(lua: &Lua, (at, value): (usize, Value)) -> Result<f64> {
    let kind = value.type_name();
    let number = lua.coerce_number(value)?;
    number.ok_or_else(|| error(format!("bad argument #{at} to 'pack' (number expected, got {kind})")))
}

fn put_int(out: &mut Vec<u8>, value: f64, size: usize, is_big: bool) {
    let value = if value < 0.0 { value as i64 as u64 } else { value as u64 };
    // What does not fit eight bytes is zero, also for negative numbers, as in the library that Redis carries.
    let start = out.len();
    out.extend((0..size).map(|i| if i < 8 { (value >> (8 * i)) as u8 } else { 0 }));
    if is_big {
        out[start..].reverse();
    }
}

fn pack(lua: &Lua, args: MultiValue) -> Result<Value> {
    let mut values = args.into_iter().collect::<Vec<_>>().into_iter();
    let mut at = 0;
    let (_, format) = argument(lua, &mut values, &mut at)?;
    let format = lua.coerce_string(format)?.ok_or_else(|| error("bad argument #1 to 'pack' (string expected)"))?;
    let format = format.as_bytes();
    let (mut rest, mut layout) = (&format[..], Layout { is_big: false, align: 1 });
    let mut out = Vec::new();
    while !rest.is_empty() {
        let item = next(&mut rest, &mut layout)?;
        out.resize(out.len() + padding(out.len(), aligned_size(&item), layout)?, 0);
        match item {
            Item::Control => {}
            Item::Pad => out.push(0),
            Item::Int { size, .. } => {
                let value = as_number(lua, argument(lua, &mut values, &mut at)?)?;
                put_int(&mut out, value, size, layout.is_big);
            }
            Item::Float => {
                let value = as_number(lua, argument(lua, &mut values, &mut at)?)? as f32;
                out.extend_from_slice(&if layout.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            Item::Double => {
                let value = as_number(lua, argument(lua, &mut values, &mut at)?)?;
                out.extend_from_slice(&if layout.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            Item::Zero | Item::Chars(_) => {
                let (at, value) = argument(lua, &mut values, &mut at)?;
                let kind = value.type_name();
                let text = lua.coerce_string(value)?;
                let text =
                    text.ok_or_else(|| error(format!("bad argument #{at} to 'pack' (string expected, got {kind})")))?;
                let text = text.as_bytes();
                match item {
                    Item::Chars(size) if size > text.len() => {
                        return Err(error(format!("bad argument #{at} to 'pack' (string too short)")));
                    }
                    Item::Chars(size) => out.extend_from_slice(&text[..if size == 0 { text.len() } else { size }]),
                    _ => {
                        out.extend_from_slice(&text);
                        out.push(0);
                    }
                }
            }
        }
        if out.len() > PACKED_MAX {
            return Err(error("too much data to pack"));
        }
    }
    Ok(Value::String(lua.create_string(&out)?))
}

fn read_int(bytes: &[u8], is_signed: bool, is_big: bool) -> f64 {
    let mut value = 0u64;
    for i in (0..bytes.len()).rev() {
        value = value << 8 | u64::from(bytes[if is_big { bytes.len() - 1 - i } else { i }]);
    }
    if !is_signed {
        return value as f64;
    }
    let unused = 64 - 8 * bytes.len().min(8);
    ((value << unused) as i64 >> unused) as f64
}

fn unpack(lua: &Lua, (format, data, start): (mlua::LuaString, mlua::LuaString, Option<f64>)) -> Result<MultiValue> {
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let (mut rest, mut layout) = (&format[..], Layout { is_big: false, align: 1 });
    let start = start.unwrap_or(1.0);
    if start < 1.0 {
        return Err(error("bad argument #3 to 'unpack' (offset must be 1 or greater)"));
    }
    let mut at = start as usize - 1;
    let mut values: Vec<Value> = Vec::new();
    let take = |at: &mut usize, size: usize| -> Result<&[u8]> {
        let end = at.checked_add(size).filter(|end| *end <= data.len());
        let end = end.ok_or_else(|| error("bad argument #2 to 'unpack' (data string too short)"))?;
        let bytes = &data[*at..end];
        *at = end;
        Ok(bytes)
    };
    while !rest.is_empty() {
        let item = next(&mut rest, &mut layout)?;
        let pad = padding(at, aligned_size(&item), layout)?;
        take(&mut at, pad)?;
        match item {
            Item::Control => {}
            Item::Pad => {
                take(&mut at, 1)?;
            }
            Item::Int { size, is_signed } => {
                values.push(Value::Number(read_int(take(&mut at, size)?, is_signed, layout.is_big)));
            }
            Item::Float => {
                let bytes = take(&mut at, 4)?.try_into().expect("four were taken");
                let value = if layout.is_big { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) };
                values.push(Value::Number(f64::from(value)));
            }
            Item::Double => {
                let bytes = take(&mut at, 8)?.try_into().expect("eight were taken");
                let value = if layout.is_big { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) };
                values.push(Value::Number(value));
            }
            Item::Zero => {
                let tail = data.get(at..).unwrap_or_default();
                let len = tail.iter().position(|byte| *byte == 0);
                let len = len.ok_or_else(|| error("unfinished string in data"))?;
                values.push(Value::String(lua.create_string(&tail[..len])?));
                at += len + 1;
            }
            Item::Chars(size) => {
                let mut size = size;
                if size == 0 {
                    let last = values.pop().and_then(|value| value.as_f64());
                    let last = last.ok_or_else(|| error("format 'c0' needs a previous size"))?;
                    if last < 0.0 {
                        return Err(error("bad argument #2 to 'unpack' (data string too short)"));
                    }
                    size = last as usize;
                }
                values.push(Value::String(lua.create_string(take(&mut at, size)?)?));
            }
        }
    }
    values.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_iter(values))
}

fn size(_: &Lua, format: mlua::LuaString) -> Result<f64> {
    let format = format.as_bytes();
    let (mut rest, mut layout, mut at) = (&format[..], Layout { is_big: false, align: 1 }, 0usize);
    while !rest.is_empty() {
        let item = next(&mut rest, &mut layout)?;
        at += padding(at, aligned_size(&item), layout)?;
        at += match item {
            Item::Zero => return Err(error("bad argument #1 to 'size' (variable-size format in 'size')")),
            Item::Chars(0) => return Err(error("bad argument #1 to 'size' (variable-length format)")),
            Item::Chars(size) => size,
            Item::Pad => 1,
            Item::Control => 0,
            other => aligned_size(&other),
        };
    }
    Ok(at as f64)
}

/// The table.
pub fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.set("pack", lua.create_function(pack)?)?;
    table.set("unpack", lua.create_function(unpack)?)?;
    table.set("size", lua.create_function(size)?)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str) -> Result<Value> {
        let lua = Lua::new();
        lua.globals().set("struct", table(&lua)?)?;
        lua.load(code).eval()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let code = "local s = struct.pack('>hIb<ld!4xs', -2, 70000, 200, -5, 1.5, 'abc') \
            local a, b, c, d, e, f, next = struct.unpack('>hIb<ld!4xs', s) \
            return a == -2 and b == 70000 and c == -56 and d == -5 and e == 1.5 and f == 'abc' and next == #s + 1";
        assert_eq!(run(code).unwrap(), Value::Boolean(true));
        let code = "return struct.unpack('Bc0', struct.pack('Bc0', 3, 'xyz')) == 'xyz' and struct.size('!4bi') == 8 \
            and struct.pack('c2', 'abc') == 'ab' and struct.pack('>I3', 66051) == '\\1\\2\\3'";
        assert_eq!(run(code).unwrap(), Value::Boolean(true));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for code in [
            "return struct.unpack('I', 'abc')",
            "return struct.unpack('s', 'abc')",
            "return struct.unpack('c0', 'abc')",
            "return struct.unpack('I33', 'abc')",
            "return struct.unpack('i', 'abcd', 99999999999999)",
            "return struct.unpack('i', 'abcd', 0)",
            "return struct.pack('c9', 'abc')",
            "return struct.pack('i')",
            "return struct.pack('i', {})",
            "return struct.pack('!3i', 1)",
            "return struct.size('s')",
            "return struct.pack('i99999999999999999999', 1)",
            "return struct.unpack('Bc0', '\\255abc')",
        ] {
            assert!(run(code).is_err(), "{code}");
        }
    }
}
