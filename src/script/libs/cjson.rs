//! `cjson`: JSON as the library that Redis carries reads and writes it. Differences from other JSON libraries that scripts
//! rely on: numbers have 14 significant digits, `/` is escaped, an empty table is an object, a table with keys 1..n an array
//! (with nulls for holes, unless most of it would be holes), `null` is a value of its own (`cjson.null`), and numbers are read
//! as C reads them (hexadecimal, `inf` and `nan` included).

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Error, Lua, LuaString, Result, Table, Value};

use super::number::general;

/// Deepest nesting that may be asked for: each level takes a frame of the stack.
const DEPTH_MAX: usize = 1000;

/// Bytes that one text may have: more than any bulk string.
const TEXT_MAX: usize = 1 << 30;

/// What the functions `encode_*` and `decode_*` set.
#[derive(Clone, Copy)]
struct Settings {
    sparse_convert: bool,
    sparse_ratio: u64,
    sparse_safe: u64,
    encode_depth: usize,
    decode_depth: usize,
    precision: usize,
    keep_buffer: bool,
    encode_invalid: Invalid,
    decode_invalid: bool,
}

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, PartialEq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            precision: 14,
            keep_buffer: true,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
        }
    }
}

fn error(text: impl Into<String>) -> Error {
    Error::RuntimeError(text.into())
}

// ---- writing ----------------------------------------------------------------------------------------------------------

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(other),
        }
    }
    out.push(b'"');
}

fn put_number(out: &mut Vec<u8>, value: f64, settings: &Settings) -> Result<()> {
    if value.is_finite() {
        out.extend_from_slice(general(value, settings.precision).as_bytes());
        return Ok(());
    }
    match settings.encode_invalid {
        Invalid::Refused => Err(error("Cannot serialise number: must not be NaN or Inf")),
        Invalid::Null => {
            out.extend_from_slice(b"null");
            Ok(())
        }
        Invalid::Written => {
            let text: &[u8] = if value.is_nan() {
                b"nan"
            } else if value > 0.0 {
                b"inf"
            } else {
                b"-inf"
            };
            out.extend_from_slice(text);
            Ok(())
        }
    }
}

/// The length of a table that is to be an array; 0 for an object.
fn array_len(table: &Table, settings: &Settings) -> Result<u64> {
    let (mut items, mut max) = (0u64, 0u64);
    for pair in table.pairs::<Value, Value>() {
        let key = match pair?.0 {
            Value::Integer(key) => key as f64,
            Value::Number(key) => key,
            _ => return Ok(0),
        };
        if key < 1.0 || key.fract() != 0.0 || key > u32::MAX.into() {
            return Ok(0);
        }
        max = max.max(key as u64);
        items += 1;
    }
    let is_sparse = settings.sparse_ratio > 0 && max > items * settings.sparse_ratio && max > settings.sparse_safe;
    match (is_sparse, settings.sparse_convert) {
        (true, false) => Err(error("Cannot serialise table: excessively sparse array")),
        (true, true) => Ok(0),
        _ => Ok(max),
    }
}

fn put(out: &mut Vec<u8>, value: &Value, depth: usize, settings: &Settings) -> Result<()> {
    if out.len() > TEXT_MAX {
        return Err(error("Cannot serialise, the text is too long"));
    }
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(value) => put_number(out, *value as f64, settings)?,
        Value::Number(value) => put_number(out, *value, settings)?,
        Value::String(text) => put_string(out, &text.as_bytes()),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(table) => {
            let depth = depth + 1;
            if depth > settings.encode_depth {
                return Err(error(format!("Cannot serialise, excessive depth ({depth})")));
            }
            match array_len(table, settings)? {
                0 => put_object(out, table, depth, settings)?,
                len => {
                    out.push(b'[');
                    for index in 1..=len {
                        if index > 1 {
                            out.push(b',');
                        }
                        put(out, &table.raw_get(index as f64)?, depth, settings)?;
                    }
                    out.push(b']');
                }
            }
        }
        other => return Err(error(format!("Cannot serialise {}: type not supported", other.type_name()))),
    }
    Ok(())
}

fn put_object(out: &mut Vec<u8>, table: &Table, depth: usize, settings: &Settings) -> Result<()> {
    out.push(b'{');
    let start = out.len();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if out.len() > start {
            out.push(b',');
        }
        match key {
            Value::String(text) => put_string(out, &text.as_bytes()),
            Value::Number(_) | Value::Integer(_) => {
                out.push(b'"');
                put(out, &key, depth, settings)?;
                out.push(b'"');
            }
            _ => return Err(error("Cannot serialise table: table key must be a number or string")),
        }
        out.push(b':');
        put(out, &value, depth, settings)?;
    }
    out.push(b'}');
    Ok(())
}

// ---- reading ----------------------------------------------------------------------------------------------------------

#[derive(Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

impl Token {
    /// How error messages name it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Bad(text) => text,
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the present token began.
    start: usize,
    depth: usize,
    settings: Settings,
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.start = self.at;
        let Some(&byte) = self.text.get(self.at) else { return Token::End };
        let single = match byte {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(),
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        for (word, token) in [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        let is_number_word = |word: &str| rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(word.as_bytes());
        if self.settings.decode_invalid && (is_number_word("inf") || is_number_word("nan")) {
            return self.number();
        }
        Token::Bad("invalid token")
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.text.get(self.at) {
                None => {
                    self.start = self.at;
                    return Token::Bad("unexpected end of string");
                }
                Some(b'"') => {
                    self.at += 1;
                    return Token::String(out);
                }
                Some(b'\\') => {
                    let escaped = self.text.get(self.at + 1).copied().unwrap_or(0);
                    let byte = match escaped {
                        b'"' | b'\\' | b'/' => escaped,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.unicode() {
                            Some((point, len)) => {
                                push_utf8(&mut out, point);
                                self.at += len;
                                continue;
                            }
                            None => {
                                self.start = self.at;
                                return Token::Bad("invalid unicode escape code");
                            }
                        },
                        _ => {
                            self.start = self.at;
                            return Token::Bad("invalid escape code");
                        }
                    };
                    out.push(byte);
                    self.at += 2;
                }
                Some(&byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
    }

    /// The code point of the escape that begins here, and how many bytes it takes. A pair of surrogates is one.
    fn unicode(&self) -> Option<(u32, usize)> {
        let high = self.hex4(self.at + 2)?;
        if !(0xd800..0xe000).contains(&high) {
            return Some((high, 6));
        }
        if high >= 0xdc00 || self.text.get(self.at + 6..self.at + 8)? != b"\\u" {
            return None;
        }
        let low = self.hex4(self.at + 8)?;
        (0xdc00..0xe000).contains(&low).then(|| (0x10000 + ((high & 0x3ff) << 10 | low & 0x3ff), 12))
    }

    fn number(&mut self) -> Token {
        if !self.settings.decode_invalid && self.is_invalid_number() {
            return Token::Bad("invalid number");
        }
        match float_prefix(&self.text[self.at..]) {
            Some((value, len)) => {
                self.at += len;
                Token::Number(value)
            }
            None => Token::Bad("invalid number"),
        }
    }

    /// Numbers that C reads and JSON does not have.
    fn is_invalid_number(&self) -> bool {
        let rest = &self.text[self.at..];
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        match digits {
            [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
            [first, ..] => !first.is_ascii_digit(),
            [] => true,
        }
    }

    fn expected(&self, what: &str, found: &Token) -> Error {
        error(format!("Expected {what} but found {} at character {}", found.name(), self.start + 1))
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth {
            return Err(error(format!(
                "Found too many nested data structures ({}) at character {}",
                self.depth, self.at
            )));
        }
        Ok(())
    }

    fn value(&mut self, lua: &Lua, token: Token) -> Result<Value> {
        match token {
            Token::String(text) => Ok(Value::String(lua.create_string(&text)?)),
            Token::Number(value) => Ok(Value::Number(value)),
            Token::Boolean(value) => Ok(Value::Boolean(value)),
            Token::Null => Ok(Value::NULL),
            Token::ObjectBegin => self.object(lua),
            Token::ArrayBegin => self.array(lua),
            other => Err(self.expected("value", &other)),
        }
    }

    fn object(&mut self, lua: &Lua) -> Result<Value> {
        self.deeper()?;
        let table = lua.create_table()?;
        let mut token = self.next();
        if token != Token::ObjectEnd {
            loop {
                let Token::String(key) = token else { return Err(self.expected("object key string", &token)) };
                let colon = self.next();
                if colon != Token::Colon {
                    return Err(self.expected("colon", &colon));
                }
                let token_of_value = self.next();
                let value = self.value(lua, token_of_value)?;
                table.raw_set(lua.create_string(&key)?, value)?;
                match self.next() {
                    Token::ObjectEnd => break,
                    Token::Comma => token = self.next(),
                    other => return Err(self.expected("comma or object end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self, lua: &Lua) -> Result<Value> {
        self.deeper()?;
        let table = lua.create_table()?;
        let mut token = self.next();
        if token != Token::ArrayEnd {
            for index in 1.. {
                let value = self.value(lua, token)?;
                table.raw_set(index, value)?;
                match self.next() {
                    Token::ArrayEnd => break,
                    Token::Comma => token = self.next(),
                    other => return Err(self.expected("comma or array end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

fn push_utf8(out: &mut Vec<u8>, point: u32) {
    // Surrogates never get here, and four hexadecimal digits or a pair stay within Unicode.
    let text = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(text.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The number at the beginning of `text` and how many bytes it takes, by the rules of C's `strtod`.
fn float_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let (is_negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let sign = text.len() - unsigned.len();
    let starts =
        |word: &str| unsigned.len() >= word.len() && unsigned[..word.len()].eq_ignore_ascii_case(word.as_bytes());
    let signed = |value: f64, len: usize| Some((if is_negative { -value } else { value }, sign + len));
    for word in ["infinity", "inf"] {
        if starts(word) {
            return signed(f64::INFINITY, word.len());
        }
    }
    if starts("nan") {
        return signed(f64::NAN, 3);
    }
    if starts("0x") {
        let digits = unsigned[2..].iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (value, len) = digits.fold((0.0, 0), |(value, len), digit| {
            (value * 16.0 + f64::from(char::from(*digit).to_digit(16).unwrap_or(0)), len + 1)
        });
        return if len > 0 { signed(value, 2 + len) } else { signed(0.0, 1) };
    }
    let digits = |from: usize| unsigned[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut len = whole;
    if unsigned.get(len) == Some(&b'.') {
        let fraction = digits(len + 1);
        if whole + fraction > 0 {
            len += 1 + fraction;
        }
    }
    if len == 0 {
        return None;
    }
    if matches!(unsigned.get(len), Some(b'e' | b'E')) {
        let after_sign = len + 1 + usize::from(matches!(unsigned.get(len + 1), Some(b'+' | b'-')));
        if after_sign <= unsigned.len() {
            let exponent = digits(after_sign);
            if exponent > 0 {
                len = after_sign + exponent;
            }
        }
    }
    let value = std::str::from_utf8(&unsigned[..len]).ok()?.parse().ok()?;
    signed(value, len)
}

fn decode(lua: &Lua, text: &[u8], settings: Settings) -> Result<Value> {
    // A zero among the first two bytes means that the text is not in the only encoding that is read.
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader { text, at: 0, start: 0, depth: 0, settings };
    let token = reader.next();
    let value = reader.value(lua, token)?;
    match reader.next() {
        Token::End => Ok(value),
        other => Err(reader.expected("the end", &other)),
    }
}

// ---- the table --------------------------------------------------------------------------------------------------------

type Shared = Rc<RefCell<Settings>>;

fn integer(value: Option<f64>, least: u64, most: u64, argument: u32) -> Result<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    if value < least as f64 || value > most as f64 || value.is_nan() {
        return Err(error(format!("bad argument #{argument} (expected integer between {least} and {most})")));
    }
    Ok(Some(value as u64))
}

fn switch(lua: &Lua, value: Value, argument: u32) -> Result<Option<Invalid>> {
    match value {
        Value::Nil => Ok(None),
        Value::Boolean(value) => Ok(Some(if value { Invalid::Written } else { Invalid::Refused })),
        other => match &*lua.coerce_string(other)?.map(|text| text.as_bytes().to_vec()).unwrap_or_default() {
            b"off" => Ok(Some(Invalid::Refused)),
            b"on" => Ok(Some(Invalid::Written)),
            b"null" => Ok(Some(Invalid::Null)),
            _ => Err(error(format!("bad argument #{argument} (invalid option)"))),
        },
    }
}

/// The table. Each has settings of its own.
pub fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let settings = Shared::default();

    let s = Rc::clone(&settings);
    let encode = move |lua: &Lua, value: Value| {
        let mut out = Vec::new();
        put(&mut out, &value, 0, &s.borrow())?;
        lua.create_string(&out)
    };
    table.set("encode", lua.create_function(encode)?)?;

    let s = Rc::clone(&settings);
    let decode = move |lua: &Lua, text: LuaString| decode(lua, &text.as_bytes(), *s.borrow());
    table.set("decode", lua.create_function(decode)?)?;

    let s = Rc::clone(&settings);
    let sparse = move |lua: &Lua, (convert, ratio, safe): (Value, Option<f64>, Option<f64>)| {
        let mut s = s.borrow_mut();
        if let Some(convert) = switch(lua, convert, 1)? {
            s.sparse_convert = convert == Invalid::Written;
        }
        s.sparse_ratio = integer(ratio, 0, i32::MAX as u64, 2)?.unwrap_or(s.sparse_ratio);
        s.sparse_safe = integer(safe, 0, i32::MAX as u64, 3)?.unwrap_or(s.sparse_safe);
        Ok((s.sparse_convert, s.sparse_ratio as f64, s.sparse_safe as f64))
    };
    table.set("encode_sparse_array", lua.create_function(sparse)?)?;

    type Field = fn(&mut Settings) -> &mut usize;
    let number = |name: &str, most: usize, field: Field| {
        let s = Rc::clone(&settings);
        let set = move |_: &Lua, value: Option<f64>| {
            let mut s = s.borrow_mut();
            let slot = field(&mut s);
            if let Some(value) = integer(value, 1, most as u64, 1)? {
                *slot = value as usize;
            }
            Ok(*slot as f64)
        };
        table.set(name, lua.create_function(set)?)
    };
    number("encode_max_depth", DEPTH_MAX, |s| &mut s.encode_depth)?;
    number("decode_max_depth", DEPTH_MAX, |s| &mut s.decode_depth)?;
    number("encode_number_precision", 17, |s| &mut s.precision)?;

    let s = Rc::clone(&settings);
    let keep = move |lua: &Lua, value: Value| {
        if let Some(value) = switch(lua, value, 1)? {
            s.borrow_mut().keep_buffer = value == Invalid::Written;
        }
        Ok(s.borrow().keep_buffer)
    };
    table.set("encode_keep_buffer", lua.create_function(keep)?)?;

    let s = Rc::clone(&settings);
    let invalid = move |lua: &Lua, value: Value| {
        if let Some(value) = switch(lua, value, 1)? {
            s.borrow_mut().encode_invalid = value;
        }
        Ok(match s.borrow().encode_invalid {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Written => Value::Boolean(true),
            Invalid::Null => Value::String(lua.create_string("null")?),
        })
    };
    table.set("encode_invalid_numbers", lua.create_function(invalid)?)?;

    let s = Rc::clone(&settings);
    let invalid = move |lua: &Lua, value: Value| {
        if let Some(value) = switch(lua, value, 1)? {
            s.borrow_mut().decode_invalid = value == Invalid::Written;
        }
        Ok(s.borrow().decode_invalid)
    };
    table.set("decode_invalid_numbers", lua.create_function(invalid)?)?;

    table.set("new", lua.create_function(|lua, ()| self::table(lua))?)?;
    table.set("null", Value::NULL)?;
    table.set("_NAME", "cjson")?;
    table.set("_VERSION", "2.1.0")?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread with the stack of a main thread: nesting takes frames, and unoptimised ones are large.
    fn run(code: &str) -> std::result::Result<String, String> {
        let code = code.to_owned();
        let eval = move || {
            let lua = Lua::new();
            lua.globals().set("cjson", table(&lua)?)?;
            lua.load(code).eval()
        };
        let thread =
            std::thread::Builder::new().stack_size(8 << 20).spawn(move || eval().map_err(|e: Error| e.to_string()));
        thread.unwrap().join().unwrap()
    }

    #[test]
    fn tables_become_arrays_or_objects() {
        for (code, text) in [
            ("{1, 2, 'x'}", r#"[1,2,"x"]"#),
            ("{}", "{}"),
            ("{a = 1}", r#"{"a":1}"#),
            ("{[1] = 1, [3] = 3}", "[1,null,3]"),
            ("{[1.5] = true}", r#"{"1.5":true}"#),
            ("'a/b\"\\n\\127\\1'", r#""a\/b\"\n\u007f\u0001""#),
            ("0.1", "0.1"),
            ("1e15", "1e+15"),
            ("cjson.null", "null"),
            ("cjson.decode('[1,[],{}]')", "[1,{},{}]"),
        ] {
            assert_eq!(run(&format!("return cjson.encode({code})")).unwrap(), text, "{code}");
        }
    }

    #[test]
    fn texts_are_read() {
        let code = r#"
            local t = cjson.decode('{"keys":[1.5, "\\u00e9\\ud83d\\ude00\\n", true, null, -0x10, 1e3], "o" : {} }')
            return t.keys[1] == 1.5 and t.keys[2] == '\195\169\240\159\152\128\n' and t.keys[3] == true
                and t.keys[4] == cjson.null and t.keys[5] == -16 and t.keys[6] == 1000 and 'yes' or 'no'"#;
        assert_eq!(run(code).unwrap(), "yes");
    }

    #[test]
    fn errors_say_what_was_found_and_where() {
        for (code, text) in [
            ("cjson.decode('')", "Expected value but found T_END at character 1"),
            ("cjson.decode('{\"a\":1')", "Expected comma or object end but found T_END at character 7"),
            ("cjson.decode('[1,]')", "Expected value but found T_ARR_END at character 4"),
            ("cjson.decode('hello')", "Expected value but found invalid token at character 1"),
            ("cjson.decode('{\"a\" 1}')", "Expected colon but found T_NUMBER at character 6"),
            ("cjson.decode('{1:1}')", "Expected object key string but found T_NUMBER at character 2"),
            ("cjson.decode('1 2')", "Expected the end but found T_NUMBER at character 3"),
            ("cjson.decode('\"a')", "Expected value but found unexpected end of string at character 3"),
            ("cjson.decode('\"\\\\q\"')", "Expected value but found invalid escape code at character 2"),
            ("cjson.decode('\"\\\\ud800\"')", "Expected value but found invalid unicode escape code at character 2"),
            ("cjson.decode('\\0a')", "JSON parser does not support UTF-16 or UTF-32"),
            ("cjson.encode({[100] = 1})", "Cannot serialise table: excessively sparse array"),
            ("cjson.encode(0/0)", "Cannot serialise number: must not be NaN or Inf"),
            ("cjson.encode(print)", "Cannot serialise function: type not supported"),
            ("cjson.encode({[{}] = 1})", "Cannot serialise table: table key must be a number or string"),
            ("cjson.decode(string.rep('[', 2000))", "Found too many nested data structures (1001) at character 1001"),
            (
                "cjson.encode((function() local t = {} t[1] = t return t end)())",
                "Cannot serialise, excessive depth (1001)",
            ),
        ] {
            let found = run(&format!("return {code}")).unwrap_err();
            assert!(found.contains(text), "{code}: {found}");
        }
    }

    #[test]
    fn settings_belong_to_their_table() {
        let code = "local mine = cjson.new() mine.encode_sparse_array(true) mine.encode_invalid_numbers('null') \
            return mine.encode({[100] = 1/0}) .. tostring(pcall(cjson.encode, {[100] = 1}))";
        assert_eq!(run(code).unwrap(), r#"{"100":null}false"#);
    }
}
