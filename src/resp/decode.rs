//! Replies read from a peer, in both versions of the protocol.
//!
//! A reply may stop at any byte. What was understood of an aggregate stays on a stack in the [`Decoder`]; only an
//! incomplete line or string stays in the buffer. Nothing is read twice, except the beginning of a line.
//!
//! A peer can lie. Nesting is bounded, so is the length of a string, and so is the whole reply: each value is charged for
//! the memory it takes, so that a million empty arrays count for more than their five bytes each. A count alone, however
//! large, allocates nothing.
//!
//! Not understood: the streamed forms of RESP3 (`$?`, `*?`), which Redis never sends. Attributes are read and dropped.

use bytes::Bytes;
use memchr::memchr;
use thiserror::Error;

use crate::base::limits::INLINE_MAX;
use crate::base::number::parse_i64;
use crate::resp::inbuf::InBuf;
use crate::resp::value::Value;

/// What a peer may send.
#[derive(Clone, Copy, Debug)]
pub struct ReplyLimits {
    /// Aggregates inside each other.
    pub depth_max: usize,
    /// The longest string.
    pub bulk_max: usize,
    /// Memory of one whole reply.
    pub reply_max: usize,
}

impl ReplyLimits {
    /// For the links between servers: INFO, ROLE and hello messages are far smaller.
    pub const PEER: ReplyLimits = ReplyLimits { depth_max: 8, bulk_max: 16 << 20, reply_max: 64 << 20 };
}

/// Why what a peer sent is not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A reply begins with a character that begins none.
    #[error("a reply cannot begin with '{}'", .0.escape_ascii())]
    UnknownType(u8),
    /// A line without end.
    #[error("too long a line")]
    LineTooLong,
    /// A length or count that is no number, or negative.
    #[error("invalid length")]
    InvalidLength,
    /// An integer, a boolean or a verbatim string that is none.
    #[error("invalid value")]
    InvalidValue,
    /// A string beyond the limit.
    #[error("too long a string")]
    StringTooLong,
    /// A reply beyond the limit.
    #[error("too large a reply")]
    ReplyTooLarge,
    /// Nested beyond the limit.
    #[error("too deeply nested a reply")]
    TooDeep,
}

/// A reader of replies from one peer.
#[derive(Debug)]
pub struct Decoder {
    limits: ReplyLimits,
    stack: Vec<Aggregate>,
    /// The type and length of a string whose header was consumed.
    string: Option<(u8, usize)>,
    /// Memory the reply under way has been charged for.
    charged: usize,
    saw_empty_line: bool,
}

/// An aggregate that still misses elements.
#[derive(Debug)]
struct Aggregate {
    kind: u8,
    missing: usize,
    items: Vec<Value>,
}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new(limits: ReplyLimits) -> Decoder {
        Decoder { limits, stack: Vec::new(), string: None, charged: 0, saw_empty_line: false }
    }

    /// Whether the beginning of a reply was consumed, but not its end.
    pub fn is_inside_reply(&self) -> bool {
        !self.stack.is_empty() || self.string.is_some()
    }

    /// Whether an empty line was skipped since this was last asked: a master sends one to show that it lives while it
    /// prepares an answer.
    pub fn take_empty_line(&mut self) -> bool {
        std::mem::take(&mut self.saw_empty_line)
    }

    /// The next whole reply, consumed from `input`; `None` until more bytes arrive. After an error the stream is of no
    /// more use.
    pub fn decode(&mut self, input: &mut InBuf) -> Result<Option<Value>, DecodeError> {
        loop {
            let Some(value) = self.next_value(input)? else { return Ok(None) };
            if let Some(reply) = self.place(value) {
                self.charged = 0;
                return Ok(Some(reply));
            }
        }
    }

    /// The next value that is complete in itself: no aggregate, or an empty one.
    fn next_value(&mut self, input: &mut InBuf) -> Result<Option<Value>, DecodeError> {
        loop {
            if let Some((kind, len)) = self.string {
                let bytes = input.bytes();
                if bytes.len() < len + 2 {
                    return Ok(None);
                }
                let value = string(kind, &bytes[..len])?;
                input.consume(len + 2);
                self.string = None;
                return Ok(Some(value));
            }
            let bytes = input.bytes();
            let Some(end) = memchr(b'\n', bytes) else {
                return if bytes.len() > INLINE_MAX { Err(DecodeError::LineTooLong) } else { Ok(None) };
            };
            let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
            let Some((&kind, rest)) = line.split_first() else {
                if self.stack.is_empty() {
                    self.saw_empty_line = true;
                    input.consume(end + 1);
                    continue;
                }
                return Err(DecodeError::UnknownType(b'\r'));
            };
            self.charged += size_of::<Value>() + rest.len();
            let value = match kind {
                b'+' => Some(Value::Simple(Bytes::copy_from_slice(rest))),
                b'-' => Some(Value::Error(Bytes::copy_from_slice(rest))),
                b',' => Some(Value::Double(Bytes::copy_from_slice(rest))),
                b'(' => Some(Value::BigNumber(Bytes::copy_from_slice(rest))),
                b':' => Some(Value::Int(parse_i64(rest).ok_or(DecodeError::InvalidValue)?)),
                b'_' => Some(Value::Null),
                b'#' => match rest {
                    b"t" => Some(Value::Bool(true)),
                    b"f" => Some(Value::Bool(false)),
                    _ => return Err(DecodeError::InvalidValue),
                },
                b'$' | b'=' | b'!' => self.open_string(kind, rest)?,
                b'*' | b'%' | b'~' | b'>' | b'|' => self.open_aggregate(kind, rest)?,
                other => return Err(DecodeError::UnknownType(other)),
            };
            if self.charged > self.limits.reply_max {
                return Err(DecodeError::ReplyTooLarge);
            }
            input.consume(end + 1);
            if value.is_some() {
                return Ok(value);
            }
        }
    }

    fn open_string(&mut self, kind: u8, len: &[u8]) -> Result<Option<Value>, DecodeError> {
        let Some(len) = length(len)? else { return Ok(Some(Value::Null)) };
        if len > self.limits.bulk_max {
            return Err(DecodeError::StringTooLong);
        }
        self.charged += len;
        self.string = Some((kind, len));
        Ok(None)
    }

    fn open_aggregate(&mut self, kind: u8, count: &[u8]) -> Result<Option<Value>, DecodeError> {
        let Some(count) = length(count)? else { return Ok(Some(Value::Null)) };
        if self.stack.len() >= self.limits.depth_max {
            return Err(DecodeError::TooDeep);
        }
        let per_item = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
        let missing = count.checked_mul(per_item).ok_or(DecodeError::InvalidLength)?;
        match (missing, kind) {
            // Empty attributes: what follows is the value.
            (0, b'|') => Ok(None),
            (0, _) => Ok(Some(aggregate(kind, Vec::new()))),
            _ => {
                self.stack.push(Aggregate { kind, missing, items: Vec::new() });
                Ok(None)
            }
        }
    }

    /// Puts a value where it belongs; gives it back when it is a whole reply.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(top) = self.stack.last_mut() else { return Some(value) };
            top.items.push(value);
            top.missing -= 1;
            if top.missing > 0 {
                return None;
            }
            let done = self.stack.pop().expect("the aggregate just filled");
            if done.kind == b'|' {
                return None;
            }
            value = aggregate(done.kind, done.items);
        }
    }
}

/// A length or a count; `None` for minus one, which stands for null.
fn length(text: &[u8]) -> Result<Option<usize>, DecodeError> {
    match parse_i64(text) {
        Some(-1) => Ok(None),
        Some(number) => usize::try_from(number).map(Some).map_err(|_| DecodeError::InvalidLength),
        None => Err(DecodeError::InvalidLength),
    }
}

fn string(kind: u8, bytes: &[u8]) -> Result<Value, DecodeError> {
    Ok(match kind {
        b'$' => Value::Bulk(Bytes::copy_from_slice(bytes)),
        b'!' => Value::Error(Bytes::copy_from_slice(bytes)),
        _ => match bytes.split_first_chunk::<4>() {
            Some((&[a, b, c, b':'], text)) => Value::Verbatim([a, b, c], Bytes::copy_from_slice(text)),
            _ => return Err(DecodeError::InvalidValue),
        },
    })
}

fn aggregate(kind: u8, items: Vec<Value>) -> Value {
    match kind {
        b'%' => {
            let mut items = items.into_iter();
            Value::Map(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
        }
        b'~' => Value::Set(items),
        b'>' => Value::Push(items),
        _ => Value::Array(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::resp::out::Out;
    use crate::resp::reply::{Proto, Reply};

    const LIMITS: ReplyLimits = ReplyLimits { depth_max: 4, bulk_max: 1000, reply_max: 20_000 };

    fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Value>, DecodeError> {
        let (mut decoder, mut input, mut found) = (Decoder::new(LIMITS), InBuf::new(), Vec::new());
        for piece in pieces {
            input.extend(piece);
            while let Some(value) = decoder.decode(&mut input)? {
                assert!(!decoder.is_inside_reply());
                found.push(value);
            }
        }
        Ok(found)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<Value>, DecodeError> {
        decode_pieces([bytes])
    }

    fn text(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn every_shape() {
        let cases: &[(&[u8], Value)] = &[
            (b"+OK\r\n", Value::ok()),
            (b"-ERR no\r\n", Value::Error(text("ERR no"))),
            (b":-5\r\n", Value::Int(-5)),
            (b"$2\r\nab\r\n", Value::bulk("ab")),
            (b"$0\r\n\r\n", Value::bulk("")),
            (b"$-1\r\n", Value::Null),
            (b"*-1\r\n", Value::Null),
            (b"_\r\n", Value::Null),
            (b"*0\r\n", Value::Array(vec![])),
            (b"*2\r\n:1\r\n*1\r\n:2\r\n", Value::Array(vec![Value::Int(1), Value::Array(vec![Value::Int(2)])])),
            (b"%1\r\n+k\r\n:1\r\n", Value::Map(vec![(Value::Simple(text("k")), Value::Int(1))])),
            (b"~1\r\n#t\r\n", Value::Set(vec![Value::Bool(true)])),
            (b">1\r\n#f\r\n", Value::Push(vec![Value::Bool(false)])),
            (b",1.5\r\n", Value::Double(text("1.5"))),
            (b"(123\r\n", Value::BigNumber(text("123"))),
            (b"=8\r\ntxt:some\r\n", Value::Verbatim(*b"txt", text("some"))),
            (b"!5\r\nERR x\r\n", Value::Error(text("ERR x"))),
            (b"|1\r\n+ttl\r\n:3\r\n*1\r\n|0\r\n:1\r\n", Value::Array(vec![Value::Int(1)])),
        ];
        for (bytes, value) in cases {
            assert_eq!(decode(bytes).as_deref(), Ok(&[value.clone()][..]), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_stream_may_be_cut_at_any_byte() {
        let mut out = Out::new();
        for proto in [Proto::Resp2, Proto::Resp3] {
            let mut reply = Reply::new(&mut out, proto);
            reply.map(2);
            reply.bulk(b"a\r\nb");
            reply.array(2);
            reply.double(2.5);
            reply.null();
            reply.boolean(true);
            reply.verbatim("txt", b"hello");
            reply.set(1);
            reply.big_number("123456789012345678901234567890");
            reply.null_array();
            reply.error("ERR no");
            reply.push(1);
            reply.int(7);
        }
        out.append(b"\r\n\n+PONG\r\n");
        let stream = out.to_vec();
        let whole = decode(&stream);
        assert_eq!(whole.as_ref().map(Vec::len), Ok(11));
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(decode_pieces([head, tail]), whole, "cut at {cut}");
        }
        for size in 1..20 {
            assert_eq!(decode_pieces(stream.chunks(size)), whole, "pieces of {size}");
        }
    }

    #[test]
    fn lies_are_refused() {
        let deep = b"*1\r\n".repeat(5);
        let wide = [b"*100000\r\n".to_vec(), b"*0\r\n".repeat(1000)].concat();
        let long = vec![b'+'; INLINE_MAX + 1];
        let cases: &[(&[u8], DecodeError)] = &[
            (b"hello\r\n", DecodeError::UnknownType(b'h')),
            (b"*1\r\n\r\n", DecodeError::UnknownType(b'\r')),
            (b"$-2\r\n", DecodeError::InvalidLength),
            (b"$?\r\n", DecodeError::InvalidLength),
            (b"*9223372036854775808\r\n", DecodeError::InvalidLength),
            (b"$1001\r\n", DecodeError::StringTooLong),
            (b":1x\r\n", DecodeError::InvalidValue),
            (b"#x\r\n", DecodeError::InvalidValue),
            (b"=3\r\ntxt\r\n", DecodeError::InvalidValue),
            (&deep, DecodeError::TooDeep),
            (&wide, DecodeError::ReplyTooLarge),
            (&long, DecodeError::LineTooLong),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(bytes), Err(*error), "{}", bytes[..bytes.len().min(40)].escape_ascii());
        }
        assert_eq!(decode(b"*9223372036854775807\r\n:1\r\n"), Ok(vec![]));
    }

    #[test]
    fn empty_lines_between_replies_are_signs_of_life() {
        let (mut decoder, mut input) = (Decoder::new(LIMITS), InBuf::new());
        input.extend(b"\n\n");
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert!(decoder.take_empty_line() && !decoder.take_empty_line() && input.is_empty());
    }

    #[test]
    fn what_follows_a_reply_is_left_alone() {
        let (mut decoder, mut input) = (Decoder::new(LIMITS), InBuf::new());
        input.extend(b"+FULLRESYNC id 1\r\n$5\r\nREDIS");
        assert!(decoder.decode(&mut input).is_ok_and(|value| value.is_some()));
        assert_eq!(input.bytes(), b"$5\r\nREDIS");
    }

    #[test]
    fn garbage_never_panics_and_pieces_do_not_matter() {
        let alphabet = b"*$%~>|+-:_#,(=!0123456789\r\ntfx";
        for seed in 0..5000 {
            let mut rng = Rng::seeded(seed);
            let mut stream: Vec<u8> = Vec::new();
            for _ in 0..rng.below(40) {
                match rng.below(3) {
                    0 => stream.extend_from_slice(b"\r\n"),
                    1 => stream.extend_from_slice(format!("*{}\r\n:1\r\n", rng.below(4)).as_bytes()),
                    _ => stream.push(alphabet[rng.below(alphabet.len() as u64) as usize]),
                }
            }
            let size = 1 + rng.below(6) as usize;
            assert_eq!(decode_pieces(stream.chunks(size)), decode(&stream), "seed {seed}");
        }
    }
}
