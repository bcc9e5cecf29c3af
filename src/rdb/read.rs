//! The small pieces that every reader of RDB bytes is made of: lengths, strings, numbers, taken off the front of what has arrived.
//!
//! Each `take_*` either takes its piece whole or leaves `input` as it was and says [`Stop::Short`]. No length is believed
//! before it was compared with its limit, and nothing is allocated for bytes that have not arrived.

use super::decode::DecodeErrorKind;
use super::format;
use super::length::{self, Length, LengthError};
use crate::base::limits;
use crate::base::lzf;

/// Why a step stopped before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// More bytes are needed.
    Short,
    /// The bytes make no sense.
    Bad(DecodeErrorKind),
}

impl From<LengthError> for Stop {
    fn from(error: LengthError) -> Stop {
        match error {
            LengthError::Short => Stop::Short,
            LengthError::Unknown(byte) => Stop::Bad(DecodeErrorKind::Length(byte)),
        }
    }
}

impl Stop {
    /// Bytes that make no sense for the type they are said to be.
    pub const fn corrupt(why: &'static str) -> Stop {
        Stop::Bad(DecodeErrorKind::Corrupt(why))
    }
}

/// A string as it lies in the input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Lzf { data: &'a [u8], len: usize },
}

#[inline]
pub(super) fn take_byte(input: &mut &[u8]) -> Result<u8, Stop> {
    let (&byte, rest) = input.split_first().ok_or(Stop::Short)?;
    *input = rest;
    Ok(byte)
}

#[inline]
pub(super) fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], Stop> {
    let (bytes, rest) = input.split_first_chunk::<N>().ok_or(Stop::Short)?;
    *input = rest;
    Ok(*bytes)
}

#[inline]
pub(super) fn take_length(input: &mut &[u8]) -> Result<u64, Stop> {
    match length::take(input)? {
        Length::Plain(len) => Ok(len),
        Length::Special(form) => Err(Stop::Bad(DecodeErrorKind::Length(0xc0 | form))),
    }
}

/// A length that bytes are to follow, within the limit for strings.
#[inline]
pub(super) fn check_string_length(len: u64) -> Result<usize, Stop> {
    if len > limits::RDB_STRING_MAX { Err(Stop::Bad(DecodeErrorKind::TooLong(len))) } else { Ok(len as usize) }
}

#[inline]
pub(super) fn take_string<'a>(input: &mut &'a [u8]) -> Result<Raw<'a>, Stop> {
    // What comes after the length may be missing: only a whole string moves the caller's place.
    let mut rest = *input;
    let raw = match length::take(&mut rest)? {
        Length::Plain(len) => Raw::Bytes(take_bytes(&mut rest, check_string_length(len)?)?),
        Length::Special(format::ENC_INT8) => Raw::Int(i64::from(i8::from_le_bytes(take_array(&mut rest)?))),
        Length::Special(format::ENC_INT16) => Raw::Int(i64::from(i16::from_le_bytes(take_array(&mut rest)?))),
        Length::Special(format::ENC_INT32) => Raw::Int(i64::from(i32::from_le_bytes(take_array(&mut rest)?))),
        Length::Special(format::ENC_LZF) => {
            let packed = check_string_length(take_length(&mut rest)?)?;
            let len = check_string_length(take_length(&mut rest)?)?;
            Raw::Lzf { data: take_bytes(&mut rest, packed)?, len }
        }
        Length::Special(form) => return Err(Stop::Bad(DecodeErrorKind::StringForm(form))),
    };
    *input = rest;
    Ok(raw)
}

#[inline]
fn take_bytes<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Stop> {
    let (bytes, rest) = input.split_at_checked(len).ok_or(Stop::Short)?;
    *input = rest;
    Ok(bytes)
}

/// The bytes of a string, written to `scratch` when they are not in the input as such.
#[inline]
pub(super) fn text<'a>(raw: Raw<'a>, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], DecodeErrorKind> {
    match raw {
        Raw::Bytes(bytes) => return Ok(bytes),
        Raw::Int(number) => {
            scratch.clear();
            scratch.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        Raw::Lzf { data, len } => decompress(data, len, scratch)?,
    }
    Ok(scratch)
}

/// Writes what compressed data stand for to `out`.
pub(super) fn decompress(data: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), DecodeErrorKind> {
    out.clear();
    lzf::decompress(data, len, out).map_err(|_| DecodeErrorKind::Compression)
}
