//! Reading an RDB stream that arrives in pieces of any size.
//!
//! [`Decoder::next`] is given the bytes that are there and takes the next [`Event`] off their front. `None` means that
//! what is left is only the beginning of something: the caller presents it again with more behind it. So the decoder
//! never waits, and a socket, a file read in blocks and a test that gives one byte at a time are the same to it.
//!
//! What is hard about it:
//!
//! * *Nothing may be believed.* A length is checked against its limit before anything is done with it, and memory is only
//!   allocated for bytes that have arrived, or that LZF data which have arrived can produce. Any byte sequence gives
//!   events and then an error with its offset; none gives a panic.
//! * *Large values.* A value from [`LARGE`] bytes on is taken off the input piece by piece into a buffer of its own, which
//!   becomes the value itself, so the caller's buffer stays small. Everything else has to be complete in one view.
//! * *Speed.* A small key and value are slices of the input. Integers stay integers. Only compressed strings and keys
//!   stored as integers pass through a scratch buffer.
//!
//! The checksum at the end is reported, not checked: whoever feeds the decoder has the bytes, and may have summed them
//! up on another thread. What comes after the end is left in the input (an AOF continues there).

use std::fmt;

use bytes::Bytes;

use super::build::Build;
use super::encode::KeyFacts;
use super::format::{self, MAGIC_LEN};
use super::length::{self, Length};
use super::read::{Raw, Stop, decompress, take_array, take_byte, take_length, take_string, text};
use super::types;
use crate::base::limits;
use crate::base::lzf;
use crate::base::time::UnixMillis;
use crate::data::string::NewStr;
use crate::data::{Limits, NewValue, Value};

/// Values from this size on are collected in a buffer of their own.
pub const LARGE: u64 = 64 * 1024;

/// Something read.
#[derive(Debug)]
pub enum Event<'a> {
    /// A fact about the file.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// What it says.
        value: &'a [u8],
    },
    /// The text of a library of functions.
    Library(&'a [u8]),
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// So many keys follow in this database. A hint that may lie.
    ResizeDb {
        /// All keys.
        keys: u64,
        /// Those that expire.
        expires: u64,
    },
    /// A key. A collection may be empty: old servers wrote such keys; who loads leaves them out.
    Key {
        /// Its name.
        key: &'a [u8],
        /// Its value.
        value: NewValue<'a>,
        /// Expiry and use.
        facts: KeyFacts,
    },
    /// The end. Later calls return `None`.
    End {
        /// What the file says the CRC-64 of everything before the checksum is; `None` when it has none (old version, or
        /// written with `rdbchecksum no`).
        checksum: Option<u64>,
        /// How many bytes the checksum covers.
        covered: u64,
    },
}

/// Why a stream cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Bytes from the start of the stream to what cannot be read.
    pub offset: u64,
    /// Why.
    pub kind: DecodeErrorKind,
}

/// Why a stream cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// It is not RDB.
    Signature,
    /// It is RDB of a version we do not know.
    Version(u32),
    /// A key has a type that is known but not supported.
    UnsupportedType {
        /// The number in the file.
        id: u8,
        /// What that is.
        name: &'static str,
        /// The key, cut to 128 bytes and made printable.
        key: String,
    },
    /// A part other than a key is known but not supported.
    UnsupportedPart(&'static str),
    /// No type and no part of a file has this number.
    UnknownOpcode(u8),
    /// A length has no known form.
    Length(u8),
    /// A string is in a special form that does not exist.
    StringForm(u8),
    /// A string is longer than any can be.
    TooLong(u64),
    /// Compressed data do not give what they promise.
    Compression,
    /// A value is not what its type promises.
    Corrupt(&'static str),
    /// The stream ends in the middle.
    Truncated,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DecodeErrorKind::Signature => f.write_str("Wrong signature trying to load DB from file"),
            DecodeErrorKind::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            DecodeErrorKind::UnsupportedType { id, name, key } => {
                write!(
                    f,
                    "key '{key}' at offset {} holds a {name} (type {id}), which is not supported yet",
                    self.offset
                )
            }
            DecodeErrorKind::UnsupportedPart(name) => {
                write!(f, "there is {name} at offset {}, which is not supported yet", self.offset)
            }
            DecodeErrorKind::UnknownOpcode(opcode) => {
                write!(f, "unknown type or opcode {opcode} at offset {}", self.offset)
            }
            DecodeErrorKind::Length(byte) => {
                write!(f, "no length starts with byte 0x{byte:02x}, found at offset {}", self.offset)
            }
            DecodeErrorKind::StringForm(form) => {
                write!(f, "unknown string encoding {form} at offset {}", self.offset)
            }
            DecodeErrorKind::TooLong(len) => {
                write!(f, "a string of {len} bytes at offset {} is longer than any can be", self.offset)
            }
            DecodeErrorKind::Compression => write!(f, "corrupt compressed string at offset {}", self.offset),
            DecodeErrorKind::Corrupt(why) => write!(f, "corrupt value at offset {}: {why}", self.offset),
            DecodeErrorKind::Truncated => {
                write!(f, "unexpected end: what begins at offset {} is not complete", self.offset)
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value whose bytes are still arriving.
#[derive(Debug)]
struct Growing {
    bytes: Vec<u8>,
    /// Bytes of the stream that belong to it.
    total: usize,
    /// Decompressed size, when it is compressed.
    lzf_len: Option<usize>,
    /// Where its data began, for errors.
    offset: u64,
}

#[derive(Debug)]
enum State {
    Magic,
    Body,
    LargeValue(Growing),
    Collection(Box<dyn Build>),
    Done,
}

/// What a step found, before it is made into an event that borrows from the decoder.
enum Found<'a> {
    Nothing,
    Aux(Raw<'a>, Raw<'a>),
    Library(Raw<'a>),
    SelectDb(u64),
    ResizeDb(u64, u64),
    Key(Raw<'a>, Raw<'a>),
    ValueBegins,
    LargeValue(Bytes),
    Collection(Value),
    End(Option<u64>),
}

/// Reads one stream.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    version: u32,
    offset: u64,
    limits: Limits,
    facts: KeyFacts,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new(Limits::default())
    }
}

impl Decoder {
    /// Before the magic; `limits` say which encodings collections get.
    pub fn new(limits: Limits) -> Decoder {
        Decoder {
            state: State::Magic,
            version: 0,
            offset: 0,
            limits,
            facts: KeyFacts::default(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// How many bytes were taken so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the end was read.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// What to report when the source has no more bytes although the end was not reached.
    pub fn truncated(&self) -> DecodeError {
        DecodeError { offset: self.offset, kind: DecodeErrorKind::Truncated }
    }

    /// Takes the next event off the front of `input`; `None` when that needs more bytes than there are, or after the end.
    /// After an error the decoder must not be used again.
    #[inline]
    pub fn next<'e, 'i: 'e>(&'e mut self, input: &mut &'i [u8]) -> Result<Option<Event<'e>>, DecodeError> {
        loop {
            let before = *input;
            let found = match self.step(input) {
                Ok(found) => found,
                Err(Stop::Short) => {
                    self.offset += (before.len() - input.len()) as u64;
                    return Ok(None);
                }
                Err(Stop::Bad(kind)) => return Err(DecodeError { offset: self.offset, kind }),
            };
            let start = self.offset;
            self.offset += (before.len() - input.len()) as u64;
            let at = |kind| DecodeError { offset: start, kind };
            let event = match found {
                Found::Nothing | Found::ValueBegins => continue,
                Found::Aux(name, value) => Event::Aux {
                    name: text(name, &mut self.key).map_err(at)?,
                    value: text(value, &mut self.value).map_err(at)?,
                },
                Found::Library(text_raw) => Event::Library(text(text_raw, &mut self.value).map_err(at)?),
                Found::SelectDb(db) => Event::SelectDb(db),
                Found::ResizeDb(keys, expires) => Event::ResizeDb { keys, expires },
                Found::Key(key, value) => Event::Key {
                    key: text(key, &mut self.key).map_err(at)?,
                    value: contents(value, &mut self.value).map_err(at)?.into(),
                    facts: std::mem::take(&mut self.facts),
                },
                Found::LargeValue(value) => {
                    let value = NewStr::Shared(value).into();
                    Event::Key { key: &self.key, value, facts: std::mem::take(&mut self.facts) }
                }
                Found::Collection(value) => {
                    Event::Key { key: &self.key, value: value.into(), facts: std::mem::take(&mut self.facts) }
                }
                Found::End(checksum) => {
                    let footer = if self.version >= format::VERSION_WITH_CHECKSUM { 8 } else { 0 };
                    Event::End { checksum, covered: self.offset - footer }
                }
            };
            return Ok(Some(event));
        }
    }

    /// Takes one thing off the input. When it stops, everything of that thing is still in the input, except for the bytes
    /// of a large value, which are taken as they come.
    #[inline]
    fn step<'a>(&mut self, input: &mut &'a [u8]) -> Result<Found<'a>, Stop> {
        match &mut self.state {
            State::Body => {}
            State::Magic => return self.magic(input),
            State::LargeValue(_) => return self.large_value(input),
            State::Collection(builder) => {
                let value = builder.step(input)?;
                self.state = State::Body;
                return Ok(Found::Collection(value));
            }
            State::Done => return Err(Stop::Short),
        }
        let mut rest = *input;
        let opcode = take_byte(&mut rest)?;
        let found = match opcode {
            format::TYPE_STRING => self.string_key(&mut rest)?,
            format::EXPIRETIME_MS => {
                self.facts.expiry = Some(UnixMillis(i64::from_le_bytes(take_array(&mut rest)?)));
                Found::Nothing
            }
            format::EXPIRETIME => {
                let seconds = i32::from_le_bytes(take_array(&mut rest)?);
                self.facts.expiry = Some(UnixMillis(i64::from(seconds) * 1000));
                Found::Nothing
            }
            format::IDLE => {
                self.facts.idle = Some(take_length(&mut rest)?);
                Found::Nothing
            }
            format::FREQ => {
                self.facts.freq = Some(take_byte(&mut rest)?);
                Found::Nothing
            }
            format::AUX => Found::Aux(take_string(&mut rest)?, take_string(&mut rest)?),
            format::SELECTDB => Found::SelectDb(take_length(&mut rest)?),
            format::RESIZEDB => Found::ResizeDb(take_length(&mut rest)?, take_length(&mut rest)?),
            format::SLOT_INFO => {
                for _ in 0..3 {
                    take_length(&mut rest)?;
                }
                Found::Nothing
            }
            format::EOF => {
                let mut checksum = 0;
                if self.version >= format::VERSION_WITH_CHECKSUM {
                    checksum = u64::from_le_bytes(take_array(&mut rest)?);
                }
                self.state = State::Done;
                Found::End((checksum != 0).then_some(checksum))
            }
            format::FUNCTION2 => Found::Library(take_string(&mut rest)?),
            format::FUNCTION_PRE_GA => {
                return Err(Stop::Bad(DecodeErrorKind::UnsupportedPart("a function library of a release candidate")));
            }
            format::MODULE_AUX => return Err(Stop::Bad(DecodeErrorKind::UnsupportedPart("data of a module"))),
            id => match types::builder(id, &self.limits) {
                Some(builder) => {
                    self.key_of_value(take_string(&mut rest)?)?;
                    self.state = State::Collection(builder);
                    Found::ValueBegins
                }
                None => return Err(unsupported_type(id, rest)),
            },
        };
        *input = rest;
        Ok(found)
    }

    fn magic<'a>(&mut self, input: &mut &'a [u8]) -> Result<Found<'a>, Stop> {
        // A wrong start is reported even when it is shorter than the magic: it will not get better.
        let is_redis = prefix_matches(input, b"REDIS");
        let is_valkey = prefix_matches(input, b"VALKEY");
        if !is_redis && !is_valkey {
            return Err(Stop::Bad(DecodeErrorKind::Signature));
        }
        let Some((magic, rest)) = input.split_first_chunk::<MAGIC_LEN>() else { return Err(Stop::Short) };
        let digits = if is_redis { &magic[5..] } else { &magic[6..] };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Stop::Bad(DecodeErrorKind::Signature));
        }
        self.version = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let is_known = match is_redis {
            true => (1..=format::VERSION_MAX).contains(&self.version),
            false => self.version == format::VALKEY_VERSION,
        };
        if !is_known {
            return Err(Stop::Bad(DecodeErrorKind::Version(self.version)));
        }
        self.state = State::Body;
        *input = rest;
        Ok(Found::Nothing)
    }

    #[inline]
    fn string_key<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Found<'a>, Stop> {
        let key = take_string(rest)?;
        let before_value = *rest;
        match take_string(rest) {
            Ok(value) => Ok(Found::Key(key, value)),
            Err(Stop::Short) => {
                let mut after = before_value;
                let (total, lzf_len) = match length::take(&mut after)? {
                    Length::Plain(len) => (len, None),
                    Length::Special(format::ENC_LZF) => {
                        let packed = take_length(&mut after)?;
                        (packed, Some(take_length(&mut after)? as usize))
                    }
                    Length::Special(_) => return Err(Stop::Short),
                };
                if total < LARGE {
                    return Err(Stop::Short);
                }
                let header = (before_value.len() - after.len()) as u64;
                self.key_of_value(key)?;
                self.state = State::LargeValue(Growing {
                    bytes: Vec::new(),
                    total: total as usize,
                    lzf_len,
                    offset: self.offset + header,
                });
                *rest = after;
                Ok(Found::ValueBegins)
            }
            Err(bad) => Err(bad),
        }
    }

    /// Keeps the key while its value arrives.
    fn key_of_value(&mut self, key: Raw<'_>) -> Result<(), Stop> {
        let mut scratch = Vec::new();
        let key = text(key, &mut scratch).map_err(Stop::Bad)?;
        self.key.clear();
        self.key.extend_from_slice(key);
        Ok(())
    }

    fn large_value<'a>(&mut self, input: &mut &'a [u8]) -> Result<Found<'a>, Stop> {
        let State::LargeValue(growing) = &mut self.state else { return Err(Stop::Short) };
        let missing = growing.total - growing.bytes.len();
        let (piece, rest) = input.split_at(missing.min(input.len()));
        if growing.bytes.capacity() - growing.bytes.len() < piece.len() {
            // Doubling, but never beyond the end: a complete value has no slack.
            let more = growing.bytes.len().max(piece.len()).max(LARGE as usize).min(missing);
            growing.bytes.reserve_exact(more);
        }
        growing.bytes.extend_from_slice(piece);
        *input = rest;
        if growing.bytes.len() < growing.total {
            return Err(Stop::Short);
        }
        let mut value = std::mem::take(&mut growing.bytes);
        if let Some(len) = growing.lzf_len {
            let mut whole = Vec::new();
            if lzf::decompress(&value, len, &mut whole).is_err() {
                self.offset = growing.offset;
                return Err(Stop::Bad(DecodeErrorKind::Compression));
            }
            value = whole;
        }
        self.state = State::Body;
        Ok(Found::LargeValue(Bytes::from(value)))
    }
}

fn prefix_matches(input: &[u8], word: &[u8]) -> bool {
    input.iter().zip(word).all(|(a, b)| a == b)
}

fn unsupported_type(id: u8, mut rest: &[u8]) -> Stop {
    let Some(name) = format::type_name(id) else { return Stop::Bad(DecodeErrorKind::UnknownOpcode(id)) };
    // The key is wanted for the message; if it has not arrived yet, wait for it.
    match take_string(&mut rest) {
        Ok(raw) => {
            let mut scratch = Vec::new();
            let key = text(raw, &mut scratch).unwrap_or_default();
            let key = key[..key.len().min(128)].escape_ascii().to_string();
            Stop::Bad(DecodeErrorKind::UnsupportedType { id, name, key })
        }
        Err(stop) => stop,
    }
}

#[inline]
fn contents<'a>(raw: Raw<'a>, scratch: &'a mut Vec<u8>) -> Result<NewStr<'a>, DecodeErrorKind> {
    match raw {
        Raw::Bytes(bytes) => Ok(NewStr::Text(bytes)),
        Raw::Int(number) => Ok(NewStr::Int(number)),
        Raw::Lzf { data, len } if len > limits::INLINE_VALUE_MAX => {
            let mut whole = Vec::new();
            decompress(data, len, &mut whole)?;
            Ok(NewStr::Shared(Bytes::from(whole)))
        }
        Raw::Lzf { data, len } => {
            decompress(data, len, scratch)?;
            Ok(NewStr::Text(scratch))
        }
    }
}

/// Reads a value of type `id` that must fill `input` exactly: the content of a DUMP payload.
pub(super) fn whole_value(id: u8, mut input: &[u8], limits: &Limits) -> Result<NewValue<'static>, DecodeErrorKind> {
    let value = if id == format::TYPE_STRING {
        whole_string(&mut input).map(NewValue::Str)
    } else {
        match types::builder(id, limits) {
            Some(mut builder) => builder.step(&mut input).map(NewValue::Other),
            None => Err(Stop::Bad(DecodeErrorKind::UnknownOpcode(id))),
        }
    };
    let value = match value {
        Ok(_) if !input.is_empty() => Err(Stop::corrupt("more bytes than the value has")),
        other => other,
    };
    value.map_err(|stop| match stop {
        Stop::Short => DecodeErrorKind::Truncated,
        Stop::Bad(kind) => kind,
    })
}

fn whole_string(input: &mut &[u8]) -> Result<NewStr<'static>, Stop> {
    Ok(match take_string(input)? {
        Raw::Bytes(bytes) => NewStr::Shared(Bytes::copy_from_slice(bytes)),
        Raw::Int(number) => NewStr::Int(number),
        Raw::Lzf { data, len } => {
            let mut whole = Vec::new();
            decompress(data, len, &mut whole).map_err(Stop::Bad)?;
            NewStr::Shared(Bytes::from(whole))
        }
    })
}

#[cfg(test)]
mod tests;
