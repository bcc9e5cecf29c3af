//! The id of a stream entry: milliseconds and a sequence number, `1526919030474-55`. Ids order entries and never repeat.
//!
//! Reading follows C as Redis does, because both numbers are read with its library: after the strict form, blanks, a sign
//! and leading zeros are accepted too, and the text ends at a zero byte.

use std::fmt;

use crate::base::number::parse_u64;

/// Longest text that is looked at.
const TEXT_MAX: usize = 127;

/// An id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Usually the time at which the entry was added, in milliseconds since 1970.
    pub ms: u64,
    /// Tells entries of the same millisecond apart.
    pub seq: u64,
}

/// The id that XADD is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenId {
    /// Both parts.
    Whole(Id),
    /// `ms-*`: the sequence number follows from what is there.
    Millis(u64),
}

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl Id {
    /// The smallest, which no entry can have.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The largest.
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// From its parts.
    pub const fn new(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    /// The id after this one; `None` after the last.
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| Id { ms, seq: 0 }),
        }
    }

    /// The id before this one; `None` before the first.
    pub fn prev(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| Id { ms, seq: u64::MAX }),
        }
    }

    /// Whether it is 0-0, which stands for "none".
    pub fn is_zero(self) -> bool {
        self == Id::MIN
    }

    /// Reads `ms` or `ms-seq`; a missing sequence number is `missing_seq`.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<Id, BadId> {
        match split(text)? {
            (ms, Some(seq)) => Ok(Id { ms, seq: part(seq)? }),
            (ms, None) => Ok(Id { ms, seq: missing_seq }),
        }
    }

    /// The same, where `-` and `+` are the smallest and the largest id.
    pub fn parse_bound(text: &[u8], missing_seq: u64) -> Result<Id, BadId> {
        match text {
            b"-" => Ok(Id::MIN),
            b"+" => Ok(Id::MAX),
            text => Id::parse(text, missing_seq),
        }
    }

    /// Reads what XADD may be given instead of `*`.
    pub fn parse_given(text: &[u8]) -> Result<GivenId, BadId> {
        match split(text)? {
            (ms, Some(b"*")) => Ok(GivenId::Millis(ms)),
            (ms, Some(seq)) => Ok(GivenId::Whole(Id { ms, seq: part(seq)? })),
            (ms, None) => Ok(GivenId::Whole(Id { ms, seq: 0 })),
        }
    }

    /// Its text.
    pub fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; IdText::MAX], len: 0 };
        text.push(itoa::Buffer::new().format(self.ms).as_bytes());
        text.push(b"-");
        text.push(itoa::Buffer::new().format(self.seq).as_bytes());
        text
    }

    /// Both numbers in sixteen bytes that order as ids do: the form of RDB.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// From those sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        let both = u128::from_be_bytes(bytes);
        Id { ms: (both >> 64) as u64, seq: both as u64 }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The first number, and the text after the dash.
fn split(text: &[u8]) -> Result<(u64, Option<&[u8]>), BadId> {
    if text.len() > TEXT_MAX {
        return Err(BadId);
    }
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let text = &text[..end];
    match text.iter().position(|&byte| byte == b'-') {
        Some(dash) => Ok((part(&text[..dash])?, Some(&text[dash + 1..]))),
        None => Ok((part(text)?, None)),
    }
}

/// One of the two numbers.
fn part(text: &[u8]) -> Result<u64, BadId> {
    match parse_u64(text) {
        Some(number) => Ok(number),
        None => loosely(text).ok_or(BadId),
    }
}

/// What C's `strtoull` makes of a text that it uses up. A strict negative number was refused by then.
#[cold]
fn loosely(text: &[u8]) -> Option<u64> {
    if crate::base::number::parse_i64(text).is_some() {
        return None;
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (is_negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(if is_negative { number.wrapping_neg() } else { number })
}

/// The text of an id, without an allocation.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; IdText::MAX],
    len: u8,
}

impl IdText {
    /// Two numbers of at most twenty digits and a dash.
    const MAX: usize = 41;

    fn push(&mut self, more: &[u8]) {
        let start = self.len as usize;
        self.bytes[start..start + more.len()].copy_from_slice(more);
        self.len += more.len() as u8;
    }
}

impl std::ops::Deref for IdText {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_neighbours_except_at_the_ends() {
        assert_eq!(Id::new(1, u64::MAX).next(), Some(Id::new(2, 0)));
        assert_eq!(Id::new(2, 0).prev(), Some(Id::new(1, u64::MAX)));
        assert_eq!(Id::new(2, 7).next().and_then(Id::prev), Some(Id::new(2, 7)));
        assert_eq!((Id::MAX.next(), Id::MIN.prev()), (None, None));
    }

    #[test]
    fn text_and_bytes_read_back() {
        for id in [Id::MIN, Id::MAX, Id::new(1526919030474, 55), Id::new(0, 1), Id::new(u64::MAX, 0)] {
            assert_eq!(Id::parse(&id.text(), 9), Ok(id));
            assert_eq!(id.text().to_vec(), id.to_string().into_bytes());
            assert_eq!(Id::from_bytes(id.to_bytes()), id);
        }
        assert!(Id::new(1, 2).to_bytes() < Id::new(1, 3).to_bytes());
        assert!(Id::new(1, u64::MAX).to_bytes() < Id::new(2, 0).to_bytes());
    }

    #[test]
    fn parts_are_read_as_redis_reads_them() {
        assert_eq!(Id::parse(b"5", 7), Ok(Id::new(5, 7)));
        assert_eq!(Id::parse(b"5-0", 7), Ok(Id::new(5, 0)));
        assert_eq!(Id::parse_bound(b"-", 0), Ok(Id::MIN));
        assert_eq!(Id::parse_bound(b"+", 0), Ok(Id::MAX));
        assert_eq!(Id::parse_given(b"5-*"), Ok(GivenId::Millis(5)));
        assert_eq!(Id::parse_given(b"5"), Ok(GivenId::Whole(Id::new(5, 0))));
        // What C's library lets through.
        assert_eq!(Id::parse(b"005-+1", 0), Ok(Id::new(5, 1)));
        assert_eq!(Id::parse(b" 5- 01", 0), Ok(Id::new(5, 1)));
        assert_eq!(Id::parse(b"5-1\0junk", 0), Ok(Id::new(5, 1)));
        assert_eq!(Id::parse(b"5--01", 0), Ok(Id::new(5, u64::MAX)));
        for bad in [
            &b""[..],
            b"-",
            b"+",
            b"5-",
            b"-5",
            b"5-x",
            b"x-5",
            b"5-1-1",
            b"5--1",
            b"*",
            b"5-*",
            b"5-1 ",
            b"18446744073709551616-0",
            b"1-99999999999999999999",
            &[b'1'; 128],
        ] {
            assert_eq!(Id::parse(bad, 0), Err(BadId), "{}", String::from_utf8_lossy(bad));
        }
    }
}
