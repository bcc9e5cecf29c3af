//! One entry of a listpack: encoding, content, and the length once more at the end, for the way back.
//!
//! | first byte | what follows | content |
//! |---|---|---|
//! | `0xxxxxxx` | | integer 0 to 127 |
//! | `10xxxxxx` | bytes | string of up to 63 bytes |
//! | `110xxxxx` | 1 byte | 13-bit signed integer, high bits first |
//! | `1110xxxx` | 1 byte, bytes | string of up to 4095 bytes, high bits of the length first |
//! | `0xf0` | 4 bytes, bytes | string, length little endian |
//! | `0xf1` `0xf2` `0xf3` `0xf4` | 2, 3, 4, 8 bytes | signed integer, little endian |
//! | `0xff` | | the end of the listpack |
//!
//! The back length is the number of bytes before it in groups of seven bits, the lowest group last: the reader comes from
//! behind, and the top bit says that another group stands before this one. Groups are not dropped exactly where they
//! would be empty: 16383 takes three bytes, not two, and likewise at the next sizes. Redis has it so, and skips forward by
//! that rule, so it is part of the format.
//!
//! ```text
//! "hello"  85 68 65 6c 6c 6f 06        1000  c3 e8 02        -1  df ff 02
//! ```

use std::cmp::Ordering;

use crate::data::string::{IntText, canonical_int, int_text_len};

/// What ends a listpack.
pub(super) const END: u8 = 0xff;

/// Most bytes that an entry adds to its text: five in front, five behind.
pub const ENTRY_OVERHEAD_MAX: usize = 10;

/// Most bytes of an entry that is an integer: a code, eight bytes, the back length.
const INT_LEN_MAX: usize = 10;

/// The content of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Kept as an integer; its text is the canonical decimal form.
    Int(i64),
    /// Kept as bytes. In a listpack of foreign origin this may be the text of an integer all the same.
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The item that `text` is stored as.
    #[inline]
    pub fn of(text: &'a [u8]) -> Item<'a> {
        match canonical_int(text) {
            Some(value) => Item::Int(value),
            None => Item::Bytes(text),
        }
    }

    /// The text. Integers are written into `room`.
    #[inline]
    pub fn as_bytes<'r>(&self, room: &'r mut IntText) -> &'r [u8]
    where
        'a: 'r,
    {
        match *self {
            Item::Int(value) => room.format(value).as_bytes(),
            Item::Bytes(bytes) => bytes,
        }
    }

    /// The integer whose canonical text this is, however it is kept.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Item::Int(value) => Some(value),
            Item::Bytes(bytes) => canonical_int(bytes),
        }
    }

    /// Whether the text is `other`.
    #[inline]
    pub fn eq_bytes(&self, other: &[u8]) -> bool {
        match *self {
            Item::Int(value) => canonical_int(other) == Some(value),
            Item::Bytes(bytes) => bytes == other,
        }
    }

    /// How the text compares with `other`, byte by byte.
    pub fn cmp_bytes(&self, other: &[u8]) -> Ordering {
        self.as_bytes(&mut IntText::new()).cmp(other)
    }

    /// The text, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut IntText::new()).to_vec()
    }

    /// The most bytes that it may take as an entry.
    #[inline]
    pub(super) fn encoded_len_max(&self) -> usize {
        match *self {
            Item::Int(_) => INT_LEN_MAX,
            Item::Bytes(bytes) => bytes.len() + ENTRY_OVERHEAD_MAX,
        }
    }

    /// Writes the entry to the front of `room`, which is large enough; gives how many bytes it took.
    #[inline]
    pub(super) fn encode(&self, room: &mut [u8]) -> usize {
        match *self {
            Item::Int(value @ 0..=127) => {
                room[..2].copy_from_slice(&[value as u8, 1]);
                2
            }
            Item::Bytes(bytes) if bytes.len() < 64 => {
                let (len, room) = (bytes.len(), &mut room[..bytes.len() + 2]);
                room[0] = 0x80 | len as u8;
                room[1..=len].copy_from_slice(bytes);
                room[len + 1] = len as u8 + 1;
                len + 2
            }
            item => {
                let mut end = 0;
                for part in Encoded::of(item).parts() {
                    room[end..end + part.len()].copy_from_slice(part);
                    end += part.len();
                }
                end
            }
        }
    }

    /// Length of the text.
    pub fn len(&self) -> usize {
        match *self {
            Item::Int(value) => int_text_len(value),
            Item::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An entry ready to be written: what stands before the bytes of a string (or the whole integer), the bytes, what
/// stands behind.
pub(super) struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    body: &'a [u8],
    back: [u8; 5],
    back_len: usize,
}

impl<'a> Encoded<'a> {
    pub(super) fn of(item: Item<'a>) -> Encoded<'a> {
        let (head, head_len, body) = match item {
            Item::Int(value) => {
                let (head, len) = int_head(value);
                (head, len, &[][..])
            }
            Item::Bytes(bytes) => {
                let (head, len) = string_head(bytes.len());
                (head, len, bytes)
            }
        };
        let (back, back_len) = back_bytes(head_len + body.len());
        Encoded { head, head_len, body, back, back_len }
    }

    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.head[..self.head_len], self.body, &self.back[..self.back_len]]
    }

    pub(super) fn len(&self) -> usize {
        self.head_len + self.body.len() + self.back_len
    }
}

fn int_head(value: i64) -> ([u8; 9], usize) {
    let mut head = [0; 9];
    let bytes = value.to_le_bytes();
    let (code, width) = match value {
        0..=127 => {
            head[0] = value as u8;
            return (head, 1);
        }
        -4096..=4095 => {
            head[0] = 0xc0 | (value >> 8) as u8 & 0x1f;
            head[1] = value as u8;
            return (head, 2);
        }
        -0x8000..=0x7fff => (0xf1, 2),
        -0x80_0000..=0x7f_ffff => (0xf2, 3),
        -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
        _ => (0xf4, 8),
    };
    head[0] = code;
    head[1..=width].copy_from_slice(&bytes[..width]);
    (head, width + 1)
}

fn string_head(len: usize) -> ([u8; 9], usize) {
    let mut head = [0; 9];
    let head_len = match len {
        0..=63 => {
            head[0] = 0x80 | len as u8;
            1
        }
        64..=4095 => {
            head[0] = 0xe0 | (len >> 8) as u8;
            head[1] = len as u8;
            2
        }
        _ => {
            head[0] = 0xf0;
            // Longer ones do not pass the bound of the listpack, which is checked before anything is written.
            head[1..5].copy_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
            5
        }
    };
    (head, head_len)
}

/// How many bytes the back length of an entry takes whose other bytes are `len`.
#[inline]
pub(super) fn back_len(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16382 => 2,
        16383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

fn back_bytes(len: usize) -> ([u8; 5], usize) {
    let count = back_len(len);
    let mut back = [0; 5];
    for (group, byte) in back[..count].iter_mut().rev().enumerate() {
        *byte = (len >> (7 * group)) as u8 & 0x7f;
    }
    for byte in &mut back[1..count] {
        *byte |= 0x80;
    }
    (back, count)
}

/// Whether `bytes`, [`back_len`] of them, are the back length for `len`.
#[inline]
pub(super) fn is_back(bytes: &[u8], len: usize) -> bool {
    match *bytes {
        [byte] => usize::from(byte) == len,
        _ => bytes == &back_bytes(len).0[..bytes.len()],
    }
}

/// The number that a back length ending right before `end` gives; `None` when it has more than five bytes.
pub(super) fn read_back(bytes: &[u8], end: usize) -> Option<usize> {
    let mut len = 0;
    for group in 0..5 {
        let byte = *bytes.get(end.checked_sub(group + 1)?)?;
        len |= usize::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}

/// Length of the entry that `rest` begins with, without its back length; `None` when the head is cut off or is not one.
#[inline]
pub(super) fn measure(rest: &[u8]) -> Option<usize> {
    Some(match *rest.first()? {
        0x00..=0x7f => 1,
        head @ 0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        head @ 0xe0..=0xef => 2 + (usize::from(head & 0x0f) << 8 | usize::from(*rest.get(1)?)),
        0xf0 => 5 + u32::from_le_bytes(rest.get(1..5)?.try_into().ok()?) as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => return None,
    })
}

/// Bytes from the entry that `rest` begins with to the next one. Panics when there is none.
#[inline]
pub(super) fn step(rest: &[u8]) -> usize {
    match rest[0] {
        // Nearly all entries are of these two kinds, whose back length takes one byte.
        0x00..=0x7f => 2,
        head @ 0x80..=0xbf => usize::from(head & 0x3f) + 2,
        _ => step_long(rest),
    }
}

#[inline(never)]
fn step_long(rest: &[u8]) -> usize {
    let len = measure(rest).expect("an entry");
    len + back_len(len)
}

/// The content of the entry that `rest` begins with, and how far it is to the next one. Panics when there is none.
#[inline]
pub(super) fn read(rest: &[u8]) -> (Item<'_>, usize) {
    match rest[0] {
        head @ 0x00..=0x7f => (Item::Int(i64::from(head)), 2),
        head @ 0x80..=0xbf => {
            let len = usize::from(head & 0x3f);
            (Item::Bytes(&rest[1..=len]), len + 2)
        }
        _ => read_long(rest),
    }
}

#[inline(never)]
fn read_long(rest: &[u8]) -> (Item<'_>, usize) {
    fn int<const WIDTH: usize>(entry: &[u8]) -> Item<'_> {
        let mut bytes = [0; 8];
        bytes[8 - WIDTH..].copy_from_slice(&entry[1..=WIDTH]);
        Item::Int(i64::from_le_bytes(bytes) >> (64 - 8 * WIDTH))
    }
    let len = measure(rest).expect("an entry");
    let entry = &rest[..len];
    let item = match entry[0] {
        head @ 0xc0..=0xdf => {
            let value = u16::from_be_bytes([head << 3, 0]) | u16::from(entry[1]) << 3;
            Item::Int(i64::from(value as i16 >> 3))
        }
        0xe0..=0xef => Item::Bytes(&entry[2..]),
        0xf0 => Item::Bytes(&entry[5..]),
        0xf1 => int::<2>(entry),
        0xf2 => int::<3>(entry),
        0xf3 => int::<4>(entry),
        _ => int::<8>(entry),
    };
    (item, len + back_len(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(item: Item<'_>) -> Vec<u8> {
        Encoded::of(item).parts().concat()
    }

    #[test]
    fn entries_are_those_of_redis() {
        assert_eq!(bytes(Item::of(b"hello")), b"\x85hello\x06");
        assert_eq!(bytes(Item::of(b"")), b"\x80\x01");
        assert_eq!(bytes(Item::of(b"127")), b"\x7f\x01");
        assert_eq!(bytes(Item::of(b"1000")), b"\xc3\xe8\x02");
        assert_eq!(bytes(Item::of(b"-1")), b"\xdf\xff\x02");
        assert_eq!(bytes(Item::of(b"-4096")), b"\xd0\x00\x02");
        assert_eq!(bytes(Item::of(b"4096")), b"\xf1\x00\x10\x03");
        assert_eq!(bytes(Item::of(b"-32769")), b"\xf2\xff\x7f\xff\x04");
        assert_eq!(bytes(Item::of(b"8388608")), b"\xf3\x00\x00\x80\x00\x05");
        assert_eq!(bytes(Item::of(b"-9223372036854775808")), b"\xf4\0\0\0\0\0\0\0\x80\x09");
        assert_eq!(bytes(Item::Bytes(&[b'x'; 64]))[..3], *b"\xe0\x40x");
        assert_eq!(bytes(Item::Bytes(&[b'x'; 4096]))[..6], *b"\xf0\x00\x10\x00\x00x");
    }

    #[test]
    fn the_short_way_of_writing_gives_the_same_bytes() {
        let texts = [0, 1, 63, 64, 127, 128, 4095, 4096, 20_000].map(|len| vec![b'x'; len]);
        let numbers = [0, 127, 128, -1, 4095, -4096, 4096, i64::MAX, i64::MIN].map(Item::Int);
        for item in texts.iter().map(|text| Item::Bytes(text)).chain(numbers) {
            let mut room = vec![0xee; item.encoded_len_max()];
            let len = item.encode(&mut room);
            assert_eq!(room[..len], bytes(item));
        }
    }

    #[test]
    fn integers_at_every_boundary_come_back() {
        let mut values = vec![0, i64::MAX, i64::MIN];
        for bits in 1..63 {
            for near in -2..=2 {
                values.push((1i64 << bits) + near);
                values.push(-(1i64 << bits) + near);
            }
        }
        for value in values {
            let entry = bytes(Item::Int(value));
            let len = measure(&entry).unwrap();
            assert_eq!(read(&entry), (Item::Int(value), entry.len()));
            assert_eq!(step(&entry), entry.len());
            assert_eq!(read_back(&entry, entry.len()), Some(len));
        }
    }

    #[test]
    fn back_lengths_change_size_where_redis_changes_them() {
        for (len, size) in
            [(1, 1), (127, 1), (128, 2), (16382, 2), (16383, 3), (2_097_150, 3), (2_097_151, 4), (268_435_455, 5)]
        {
            let (back, count) = back_bytes(len);
            assert_eq!(count, size, "{len}");
            assert_eq!(read_back(&back[..count], count), Some(len));
        }
        assert_eq!(back_bytes(16383).0[..3], [0, 0xff, 0xff]);
        assert_eq!(read_back(&[0xff; 6], 6), None);
    }

    #[test]
    fn texts_compare_whatever_their_form() {
        assert!(Item::Int(5).eq_bytes(b"5") && Item::Bytes(b"5").eq_bytes(b"5"));
        assert!(!Item::Int(5).eq_bytes(b"05"));
        assert_eq!(Item::Int(10).cmp_bytes(b"9"), Ordering::Less);
        assert_eq!((Item::Int(-10).len(), Item::Bytes(b"12").as_int()), (3, Some(12)));
    }
}
