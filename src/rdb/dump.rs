//! The payload of DUMP and RESTORE: one value outside any file.
//!
//! ```text
//! type:1  value  version:2 (little endian)  crc:8 of all before it
//! ```
//!
//! `00 01 78 | 0b 00 | 4b 5f 3b 2c 40 77 a1 59` is the string "x" as Redis 7.2 dumps it. We write the version of our RDB
//! files, so that RESTORE of Redis 7.0 takes it too.

use tracing::warn;

use super::decode::{DecodeErrorKind, whole_value};
use super::encode::Chunk;
use super::format::{self, VERSION_MAX, VERSION_WRITTEN};
use super::pack::Packer;
use crate::base::hash::crc64;
use crate::data::{Limits, NewValue, TypeName, ValueRef};

/// Bytes after the value.
const FOOTER: usize = 10;

/// Why a payload was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// Too short, of a newer version, or damaged: `DUMP payload version or checksum are wrong`.
    VersionOrChecksum,
    /// The footer is right but the content makes no sense: `Bad data format`.
    BadData,
    /// A type we know of but do not support.
    UnsupportedType(&'static str),
}

/// The payload for a value.
pub fn dump<'v>(value: impl Into<ValueRef<'v>>) -> Vec<u8> {
    let mut chunk = Chunk::new(0, true);
    chunk.typed_value(value.into());
    let mut payload = Vec::new();
    Packer::new(true).pack(chunk, |piece| payload.extend_from_slice(&piece));
    payload.extend_from_slice(&(VERSION_WRITTEN as u16).to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    payload
}

/// The value in a payload; `limits` say which encoding a collection gets. It is never an empty collection of a type that does
/// not stay when empty.
pub fn restore(payload: &[u8], limits: &Limits) -> Result<NewValue<'static>, RestoreError> {
    restore_checked(payload, limits, true)
}

/// The same, without a look at the checksum if `is_sum_checked` is false: for tests with payloads that are damaged on purpose.
pub fn restore_checked(
    payload: &[u8],
    limits: &Limits,
    is_sum_checked: bool,
) -> Result<NewValue<'static>, RestoreError> {
    let Some((body, crc)) = payload.split_last_chunk::<8>() else { return Err(RestoreError::VersionOrChecksum) };
    if payload.len() < FOOTER {
        return Err(RestoreError::VersionOrChecksum);
    }
    let (content, version) = body.split_at(payload.len() - FOOTER);
    let version = u32::from(u16::from_le_bytes([version[0], version[1]]));
    // A checksum of zero means that none was computed, as in files.
    let crc = u64::from_le_bytes(*crc);
    if version > VERSION_MAX || (is_sum_checked && crc != 0 && crc != crc64(body)) {
        return Err(RestoreError::VersionOrChecksum);
    }
    let Some((&id, value)) = content.split_first() else { return Err(RestoreError::BadData) };
    match whole_value(id, value, limits) {
        Ok(NewValue::Other(value)) if value.is_empty() && value.type_name() != TypeName::Stream => {
            Err(RestoreError::BadData)
        }
        Ok(value) => Ok(value),
        Err(DecodeErrorKind::UnknownOpcode(_)) => {
            Err(format::type_name(id).map_or(RestoreError::BadData, RestoreError::UnsupportedType))
        }
        Err(DecodeErrorKind::Corrupt(why)) => {
            warn!("Internal error in RDB reading: {why}");
            Err(RestoreError::BadData)
        }
        Err(_) => Err(RestoreError::BadData),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    use crate::data::string::{NewStr, StrView};

    fn restore(payload: &[u8]) -> Result<NewValue<'static>, RestoreError> {
        super::restore(payload, &Limits::default())
    }

    fn text_of(value: NewValue<'_>) -> Vec<u8> {
        let NewValue::Str(value) = value else { panic!("a string, not {value:?}") };
        match value {
            NewStr::Int(number) => number.to_string().into_bytes(),
            NewStr::Text(bytes) | NewStr::Raw(bytes) => bytes.to_vec(),
            NewStr::Shared(bytes) => bytes.to_vec(),
        }
    }

    fn content(value: StrView<'_>) -> Vec<u8> {
        let mut payload = dump(value);
        assert_eq!(text_of(restore(&payload).unwrap()), value.to_vec());
        payload.truncate(payload.len() - FOOTER);
        payload
    }

    #[test]
    fn payloads_are_those_of_redis() {
        assert_eq!(content(StrView::Int(-129)), [0x00, 0xc1, 0x7f, 0xff]);
        assert_eq!(content(StrView::Bytes(b"-129")), [0x00, 0xc1, 0x7f, 0xff]);
        assert_eq!(content(StrView::Bytes(&[b'a'; 40])), b"\x00\xc3\x09\x28\x01\x61\x61\xe0\x1b\x00\x01\x61\x61");
        assert_eq!(content(StrView::Bytes(b"")), [0, 0]);
        let large = Bytes::from(vec![7; 100_000]);
        assert!(content(StrView::Shared(&large)).len() < 2000);
    }

    #[test]
    fn a_payload_of_redis_7_2_is_restored() {
        let payload = [0x00, 0x01, 0x78, 0x0b, 0x00, 0x4b, 0x5f, 0x3b, 0x2c, 0x40, 0x77, 0xa1, 0x59];
        assert_eq!(text_of(restore(&payload).unwrap()), b"x");
        let mut unsummed = payload;
        unsummed[5..].fill(0);
        assert_eq!(text_of(restore(&unsummed).unwrap()), b"x");
    }

    #[test]
    fn any_damaged_bit_and_any_cut_is_noticed() {
        let payload = dump(StrView::Bytes(b"some value that is long enough to compress, compress, compress"));
        for cut in 0..payload.len() {
            assert_eq!(restore(&payload[..cut]).unwrap_err(), RestoreError::VersionOrChecksum, "cut at {cut}");
        }
        for bit in 0..payload.len() * 8 {
            let mut damaged = payload.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(restore(&damaged).unwrap_err(), RestoreError::VersionOrChecksum, "bit {bit}");
        }
    }

    fn sealed(content: &[u8], version: u16) -> Vec<u8> {
        let mut payload = content.to_vec();
        payload.extend_from_slice(&version.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        payload
    }

    #[test]
    fn well_sealed_nonsense_is_refused_by_name() {
        assert_eq!(restore(&sealed(b"\x00\x01x", 13)).unwrap_err(), RestoreError::VersionOrChecksum);
        assert_eq!(restore(&sealed(b"\x00\x02x", 10)).unwrap_err(), RestoreError::BadData);
        assert_eq!(restore(&sealed(b"\x00\x01xy", 10)).unwrap_err(), RestoreError::BadData);
        assert_eq!(restore(&sealed(b"", 10)).unwrap_err(), RestoreError::BadData);
        assert_eq!(restore(&sealed(b"\x08", 10)).unwrap_err(), RestoreError::BadData);
        assert_eq!(restore(&sealed(b"\x00\xc3\x02\x28\xe0\x1b", 10)).unwrap_err(), RestoreError::BadData);
        let module = restore(&sealed(b"\x07\x01", 10)).unwrap_err();
        assert_eq!(module, RestoreError::UnsupportedType("module value"));
    }
}
