//! Writing records.
//!
//! The thread that owns the data should spend as little as possible on a snapshot, so encoding comes in two parts. Here,
//! on that thread, a record is laid out in a [`Chunk`]: opcodes, lengths, integers, and the bytes of strings. Two things
//! are only noted, as *open* places of the chunk:
//!
//! * a string longer than 20 bytes, when compression is on: its raw bytes lie in the chunk without a length, because
//!   whether it becomes smaller takes a while to find out;
//! * a large string that the keyspace shares: its handle is kept, nothing is copied;
//! * a large collection, of which the keyspace gave a copy that stays as it is ([`Collection::freeze`](crate::data::Collection::freeze)):
//!   laying out millions of elements is left to whoever packs the chunk, who does it in slices.
//!
//! [`crate::rdb::pack`] turns a chunk into the final bytes, on whatever thread, in the same order.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::format::{self, EOF, MAGIC_LEN};
use super::{length, types};
use crate::base::time::UnixMillis;
use crate::data::string::StrView;
use crate::data::{Value, ValueRef};

/// Strings up to this length that are the canonical text of a small integer are stored as one: "-2147483648" has eleven
/// characters.
const INT_TEXT_MAX: usize = 11;

/// The two bits that say that a string is in a special form.
const SPECIAL: u8 = 0xc0;

/// Strings must be longer than this to be worth compressing.
pub const COMPRESS_ABOVE: usize = 20;

/// A run of encoded records with places left open.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) open: Vec<Open>,
    shared_bytes: usize,
    compress: bool,
}

/// A place left open: `at` in the chunk's own bytes.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) at: usize,
    pub(super) what: OpenString,
}

#[derive(Clone, Debug)]
pub(super) enum OpenString {
    /// The next so many bytes of the chunk are a string still without its length.
    Raw(usize),
    /// A whole string belongs here.
    Shared(Bytes),
    /// A whole value belongs here, without its type.
    Value(Box<Value>),
    /// The payload of DUMP for a value belongs here, in the form of a word of a command.
    Dump(Box<Value>),
}

/// Where a value is laid out.
pub trait Out {
    /// The chunk for what comes next.
    fn chunk(&mut self) -> &mut Chunk;
    /// To be called between elements: here what was laid out may be passed on. `Break`: nobody wants the rest.
    fn between(&mut self) -> ControlFlow<()>;
}

impl Out for Chunk {
    #[inline]
    fn chunk(&mut self) -> &mut Chunk {
        self
    }

    #[inline]
    fn between(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// What is said about a key besides its name and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// When it expires.
    pub expiry: Option<UnixMillis>,
    /// Seconds since it was used; written under an LRU policy.
    pub idle: Option<u64>,
    /// Its counter; written under an LFU policy.
    pub freq: Option<u8>,
}

impl Chunk {
    /// An empty chunk with room for `capacity` bytes; `compress` is `rdbcompression`.
    pub fn new(capacity: usize, compress: bool) -> Chunk {
        Chunk { bytes: Vec::with_capacity(capacity), open: Vec::new(), shared_bytes: 0, compress }
    }

    /// An empty chunk in the memory of `bytes`.
    pub fn in_buffer(mut bytes: Vec<u8>) -> Chunk {
        bytes.clear();
        Chunk { bytes, ..Chunk::default() }
    }

    /// Makes it an empty chunk in the memory it has.
    pub fn reset(&mut self, compress: bool) {
        self.bytes.clear();
        self.open.clear();
        self.shared_bytes = 0;
        self.compress = compress;
    }

    /// How many bytes it has memory for.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes that the chunk holds or refers to; close to the size before compression.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.open.is_empty()
    }

    /// Bytes that exist only because of this chunk (what it refers to exists anyway).
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.open.capacity() * size_of::<Open>()
    }

    /// Magic and version.
    pub fn magic(&mut self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(format!("REDIS{:04}", format::VERSION_WRITTEN).as_bytes());
        debug_assert_eq!(self.bytes.len() - start, MAGIC_LEN);
    }

    /// A fact about the file.
    pub fn aux(&mut self, name: &str, value: &[u8]) {
        self.bytes.push(format::AUX);
        self.string(name.as_bytes());
        self.string(value);
    }

    /// The text of a library of functions.
    pub fn library(&mut self, text: &[u8]) {
        self.bytes.push(format::FUNCTION2);
        self.string(text);
    }

    /// The keys that follow are in database `db`.
    pub fn select_db(&mut self, db: u64) {
        self.bytes.push(format::SELECTDB);
        length::put(&mut self.bytes, db);
    }

    /// How many keys follow in this database, and how many of them expire.
    pub fn resize_db(&mut self, keys: u64, expires: u64) {
        self.bytes.push(format::RESIZEDB);
        length::put(&mut self.bytes, keys);
        length::put(&mut self.bytes, expires);
    }

    /// A key and its value.
    #[inline]
    pub fn key<'v>(&mut self, key: &[u8], value: impl Into<ValueRef<'v>>, facts: KeyFacts) {
        let value = value.into();
        self.before_value(key, types::type_id(value), facts);
        let _ = types::encode(value, self);
    }

    /// A key and its value, which is laid out when the chunk is packed.
    pub fn key_with_frozen(&mut self, key: &[u8], value: Value, facts: KeyFacts) {
        self.before_value(key, types::type_id(value.as_ref()), facts);
        self.open_for(value, OpenString::Value);
    }

    /// The payload of DUMP for a value, as a word of a command (`$length`, payload), made when the chunk is packed.
    pub fn dump_of_frozen(&mut self, value: Value) {
        self.open_for(value, OpenString::Dump);
    }

    fn open_for(&mut self, value: Value, what: impl FnOnce(Box<Value>) -> OpenString) {
        self.shared_bytes += weight(value.as_ref());
        self.open.push(Open { at: self.bytes.len(), what: what(Box::new(value)) });
    }

    #[inline]
    fn before_value(&mut self, key: &[u8], type_id: u8, facts: KeyFacts) {
        if let Some(at) = facts.expiry {
            self.bytes.push(format::EXPIRETIME_MS);
            self.bytes.extend_from_slice(&at.0.to_le_bytes());
        }
        if let Some(seconds) = facts.idle {
            self.bytes.push(format::IDLE);
            length::put(&mut self.bytes, seconds);
        }
        if let Some(counter) = facts.freq {
            self.bytes.extend_from_slice(&[format::FREQ, counter]);
        }
        self.bytes.push(type_id);
        self.string(key);
    }

    /// A value of any type with its type byte, as DUMP wants it.
    pub fn typed_value(&mut self, value: ValueRef<'_>) {
        self.bytes.push(types::type_id(value));
        let _ = types::encode(value, self);
    }

    /// A number of things, or any other unsigned number.
    #[inline]
    pub fn length(&mut self, number: u64) {
        length::put(&mut self.bytes, number);
    }

    /// Bytes as they are, without a length.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A string value without its type byte.
    #[inline]
    pub fn value(&mut self, value: StrView<'_>) {
        match value {
            StrView::Int(number) => self.int(number),
            StrView::Bytes(bytes) => self.string(bytes),
            StrView::Shared(bytes) => self.shared(bytes.clone()),
        }
    }

    /// The end of the file; the checksum is whoever packs the chunk's to add.
    pub fn eof(&mut self) {
        self.bytes.push(EOF);
    }

    /// A string: as an integer if it is the text of a small one, to be compressed if it is long.
    #[inline]
    pub fn string(&mut self, bytes: &[u8]) {
        if let Some(number) = small_int(bytes) {
            self.int(number);
        } else if self.compress && bytes.len() > COMPRESS_ABOVE {
            self.open.push(Open { at: self.bytes.len(), what: OpenString::Raw(bytes.len()) });
            self.bytes.extend_from_slice(bytes);
        } else {
            length::put(&mut self.bytes, bytes.len() as u64);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// A string that is there in compressed form already; `len` is its real length.
    pub fn compressed(&mut self, lzf: &[u8], len: usize) {
        self.bytes.push(SPECIAL | format::ENC_LZF);
        length::put(&mut self.bytes, lzf.len() as u64);
        length::put(&mut self.bytes, len as u64);
        self.bytes.extend_from_slice(lzf);
    }

    fn shared(&mut self, bytes: Bytes) {
        if bytes.len() <= COMPRESS_ABOVE {
            return self.string(&bytes);
        }
        self.shared_bytes += bytes.len();
        self.open.push(Open { at: self.bytes.len(), what: OpenString::Shared(bytes) });
    }

    /// A string that is the text of `number`.
    pub fn int(&mut self, number: i64) {
        if let Ok(number) = i8::try_from(number) {
            self.bytes.extend_from_slice(&[SPECIAL | format::ENC_INT8, number as u8]);
        } else if let Ok(number) = i16::try_from(number) {
            self.bytes.push(SPECIAL | format::ENC_INT16);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.bytes.push(SPECIAL | format::ENC_INT32);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else {
            let mut text = itoa::Buffer::new();
            let text = text.format(number).as_bytes();
            length::put(&mut self.bytes, text.len() as u64);
            self.bytes.extend_from_slice(text);
        }
    }
}

/// About how many bytes a large value will be laid out as: known at once, however large it is.
fn weight(value: ValueRef<'_>) -> usize {
    const NODE: usize = 8 * 1024;
    const MEMBER: usize = 32;
    match value {
        ValueRef::List(list) => list.node_count() * NODE,
        ValueRef::Zset(zset) => zset.len() * MEMBER,
        value => value.memory(),
    }
}

/// The number whose canonical text `bytes` is, when it fits 32 bits: the strings that RDB stores as integers.
#[inline]
pub fn small_int(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > INT_TEXT_MAX {
        return None;
    }
    let (is_negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !is_negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut number = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    let number = if is_negative { -number } else { number };
    i32::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Chunk)) -> Vec<u8> {
        let mut chunk = Chunk::new(0, false);
        write(&mut chunk);
        assert!(chunk.open.is_empty());
        chunk.bytes
    }

    #[test]
    fn records_look_as_redis_writes_them() {
        assert_eq!(written(Chunk::magic), b"REDIS0010");
        assert_eq!(written(|c| c.aux("redis-bits", b"64")), b"\xfa\x0aredis-bits\xc0\x40");
        assert_eq!(written(|c| c.select_db(3)), b"\xfe\x03");
        assert_eq!(written(|c| c.resize_db(4, 1)), b"\xfb\x04\x01");
        let facts = KeyFacts { expiry: Some(UnixMillis(0x0102)), ..KeyFacts::default() };
        let key = written(|c| c.key(b"b", StrView::Bytes(b"hello"), facts));
        assert_eq!(key, b"\xfc\x02\x01\0\0\0\0\0\0\x00\x01b\x05hello");
        let facts = KeyFacts { idle: Some(70), freq: Some(9), ..KeyFacts::default() };
        assert_eq!(written(|c| c.key(b"7", StrView::Int(1), facts)), b"\xf8\x40\x46\xf9\x09\x00\xc0\x07\xc0\x01");
    }

    #[test]
    fn integers_take_the_smallest_form() {
        for (number, bytes) in [
            (0, &b"\xc0\x00"[..]),
            (-128, b"\xc0\x80"),
            (-129, b"\xc1\x7f\xff"),
            (32767, b"\xc1\xff\x7f"),
            (-70000, b"\xc2\x90\xee\xfe\xff"),
            (i64::from(i32::MIN), b"\xc2\x00\x00\x00\x80"),
            (2_147_483_648, b"\x0a2147483648"),
        ] {
            assert_eq!(written(|c| c.value(StrView::Int(number))), bytes);
            let text = number.to_string();
            assert_eq!(written(|c| c.value(StrView::Bytes(text.as_bytes()))), bytes, "as text");
        }
    }

    #[test]
    fn only_canonical_text_becomes_an_integer() {
        for text in ["", "-", "-0", "01", "+1", " 1", "1 ", "1a", "2147483648", "-2147483649", "99999999999"] {
            assert_eq!(small_int(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(small_int(b"-2147483648"), Some(i64::from(i32::MIN)));
    }

    #[test]
    fn long_and_shared_strings_are_left_open() {
        let mut chunk = Chunk::new(0, true);
        chunk.value(StrView::Bytes(&[b'a'; 20]));
        assert!(chunk.open.is_empty());
        chunk.value(StrView::Bytes(&[b'a'; 21]));
        chunk.value(StrView::Shared(&Bytes::from(vec![b'b'; 1000])));
        assert_eq!(chunk.open.len(), 2);
        assert_eq!(chunk.len(), 21 + 21 + 1000);
    }
}
