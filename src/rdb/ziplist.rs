//! Ziplists: how small lists, hashes and sorted sets were packed before Redis 7 had listpacks. Only read; what is in one is
//! taken over into our own encodings.
//!
//! ```text
//! | bytes in all: 4 | offset of the last entry: 4 | entries: 2 | entry | entry | … | 0xff |      little endian
//! | entry:  length of the entry before: 1, or 0xfe and 4 | encoding and length | content |
//!
//! ["2", "Hi"]      11 00 00 00  0c 00 00 00  02 00  00 f3  02 02 48 69  ff
//! ```
//!
//! | encoding byte | what follows | content |
//! |---|---|---|
//! | `00xxxxxx` | bytes | string of up to 63 bytes |
//! | `01xxxxxx` | 1 byte, bytes | string of up to 16383 bytes, length big endian |
//! | `10......` | 4 bytes, bytes | string, length big endian |
//! | `0xfe` `0xc0` `0xf0` `0xd0` `0xe0` | 1, 2, 3, 4, 8 bytes | signed integer, little endian |
//! | `0xf1` … `0xfd` | | integer 0 to 12 |
//!
//! The count of entries is 65535 when there are too many to say. A length of the entry before may take the long form
//! without need: ziplists grew so and did not shrink back.
//!
//! Source: the ziplist format in the RDB documentation of Redis 2.6 to 6.2, and payloads that these servers wrote.

use crate::data::listpack::{Corrupt, Item, Listpack};

const HEADER: usize = 10;
const END: u8 = 0xff;
const UNCOUNTED: usize = u16::MAX as usize;

/// A ziplist all of whose entries were checked.
#[derive(Clone, Copy, Debug)]
pub struct Ziplist<'a> {
    /// From the first entry up to, without, the end mark.
    entries: &'a [u8],
    len: usize,
}

impl<'a> Ziplist<'a> {
    /// Checks foreign bytes completely: the header's three numbers, each entry, each length of the entry before, the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Ziplist<'a>, Corrupt> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(Corrupt)?;
        let (&end, entries) = rest.split_last().ok_or(Corrupt)?;
        let number =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
        let (total, last) = (number(0), number(4));
        if total != bytes.len() || end != END || last > total - 1 {
            return Err(Corrupt);
        }
        let (mut at, mut before, mut len) = (0, 0, 0);
        while at < entries.len() {
            let entry = Entry::read(&entries[at..]).ok_or(Corrupt)?;
            if entry.before != before {
                return Err(Corrupt);
            }
            before = entry.size;
            at += entry.size;
            len += 1;
        }
        let stated = usize::from(u16::from_le_bytes([header[8], header[9]]));
        let is_last_right = len == 0 || last == HEADER + at - before;
        if !is_last_right || (stated != UNCOUNTED && stated != len) {
            return Err(Corrupt);
        }
        Ok(Ziplist { entries, len })
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries in order. A string may be the text of an integer.
    pub fn iter(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut rest = self.entries;
        std::iter::from_fn(move || {
            let entry = Entry::read(rest)?;
            rest = &rest[entry.size..];
            Some(entry.item)
        })
    }

    /// The same entries as a listpack, integers as integers; `None` in the odd case that it would be larger than a
    /// listpack may be.
    pub fn to_listpack(&self) -> Option<Listpack> {
        let mut listpack = Listpack::new();
        for item in self.iter() {
            if !listpack.has_room(1, item.len()) {
                return None;
            }
            match item {
                Item::Bytes(text) => listpack.push_back(text),
                number => listpack.push_back_item(number),
            }
        }
        Some(listpack)
    }
}

struct Entry<'a> {
    /// What it says about the size of the entry before it.
    before: usize,
    item: Item<'a>,
    /// Bytes of it all.
    size: usize,
}

impl<'a> Entry<'a> {
    /// The entry that `input` begins with; `None` when it is cut off or is not one.
    fn read(input: &'a [u8]) -> Option<Entry<'a>> {
        let (&first, rest) = input.split_first()?;
        let (before, rest) = match first {
            0xff => return None,
            0xfe => {
                let (len, rest) = rest.split_first_chunk()?;
                (u32::from_le_bytes(*len) as usize, rest)
            }
            short => (usize::from(short), rest),
        };
        let (&code, rest) = rest.split_first()?;
        let (item, rest) = match code {
            0x00..=0x3f => text(rest, usize::from(code))?,
            0x40..=0x7f => {
                let (&low, rest) = rest.split_first()?;
                text(rest, usize::from(code & 0x3f) << 8 | usize::from(low))?
            }
            0x80..=0xbf => {
                let (len, rest) = rest.split_first_chunk()?;
                text(rest, u32::from_be_bytes(*len) as usize)?
            }
            0xfe => int::<1>(rest)?,
            0xc0 => int::<2>(rest)?,
            0xf0 => int::<3>(rest)?,
            0xd0 => int::<4>(rest)?,
            0xe0 => int::<8>(rest)?,
            0xf1..=0xfd => (Item::Int(i64::from(code & 0x0f) - 1), rest),
            _ => return None,
        };
        Some(Entry { before, item, size: input.len() - rest.len() })
    }
}

fn text(rest: &[u8], len: usize) -> Option<(Item<'_>, &[u8])> {
    let (text, rest) = rest.split_at_checked(len)?;
    Some((Item::Bytes(text), rest))
}

fn int<const WIDTH: usize>(rest: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (number, rest) = rest.split_first_chunk::<WIDTH>()?;
    let mut bytes = [0; 8];
    bytes[8 - WIDTH..].copy_from_slice(number);
    Some((Item::Int(i64::from_le_bytes(bytes) >> (64 - 8 * WIDTH)), rest))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ziplist with these texts, as Redis 6.2 would build it by appending.
    pub(crate) fn ziplist(texts: &[&[u8]]) -> Vec<u8> {
        let mut entries: Vec<u8> = Vec::new();
        let (mut before, mut last) = (0, HEADER);
        for text in texts {
            let start = entries.len();
            last = HEADER + start;
            if before < 254 {
                entries.push(before as u8);
            } else {
                entries.push(0xfe);
                entries.extend_from_slice(&(before as u32).to_le_bytes());
            }
            let bytes = |value: i64, width: usize| value.to_le_bytes()[..width].to_vec();
            let (code, body) = match Item::of(text) {
                Item::Int(value @ 0..=12) => (vec![0xf1 + value as u8], vec![]),
                Item::Int(value @ -128..=127) => (vec![0xfe], bytes(value, 1)),
                Item::Int(value @ -0x8000..=0x7fff) => (vec![0xc0], bytes(value, 2)),
                Item::Int(value @ -0x80_0000..=0x7f_ffff) => (vec![0xf0], bytes(value, 3)),
                Item::Int(value @ -0x8000_0000..=0x7fff_ffff) => (vec![0xd0], bytes(value, 4)),
                Item::Int(value) => (vec![0xe0], bytes(value, 8)),
                Item::Bytes(text) => match text.len() {
                    len @ 0..=63 => (vec![len as u8], text.to_vec()),
                    len @ 64..=16383 => ((0x4000 | len as u16).to_be_bytes().to_vec(), text.to_vec()),
                    len => ([&[0x80][..], &(len as u32).to_be_bytes()].concat(), text.to_vec()),
                },
            };
            entries.extend_from_slice(&code);
            entries.extend_from_slice(&body);
            before = entries.len() - start;
        }
        let total = HEADER + entries.len() + 1;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(total as u32).to_le_bytes());
        bytes.extend_from_slice(&(last as u32).to_le_bytes());
        bytes.extend_from_slice(&(texts.len().min(UNCOUNTED) as u16).to_le_bytes());
        bytes.extend_from_slice(&entries);
        bytes.push(END);
        bytes
    }

    fn texts(ziplist: Ziplist<'_>) -> Vec<Vec<u8>> {
        ziplist.iter().map(|item| item.to_vec()).collect()
    }

    #[test]
    fn the_documented_example_is_read() {
        let bytes = b"\x11\0\0\0\x0c\0\0\0\x02\0\x00\xf3\x02\x02Hi\xff";
        let read = Ziplist::parse(bytes).unwrap();
        assert_eq!((read.len(), texts(read)), (2, vec![b"2".to_vec(), b"Hi".to_vec()]));
        assert_eq!(ziplist(&[b"2", b"Hi"]), bytes);
        assert_eq!(read.to_listpack(), Some(Listpack::with(&["2", "Hi"])));
        assert!(Ziplist::parse(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff").unwrap().is_empty());
    }

    #[test]
    fn every_width_of_integer_and_string_is_read() {
        let numbers: Vec<String> = [0, 12, 13, -1, -128, 128, -32768, 40000, -8_388_608, 1 << 30, i64::MIN, i64::MAX]
            .iter()
            .map(i64::to_string)
            .collect();
        let long: Vec<Vec<u8>> = [63, 64, 253, 254, 16383, 16384, 70_000].iter().map(|len| vec![b'x'; *len]).collect();
        let all: Vec<&[u8]> = numbers.iter().map(|n| n.as_bytes()).chain(long.iter().map(|t| &t[..])).collect();
        assert_eq!(texts(Ziplist::parse(&ziplist(&all)).unwrap()), all);
    }

    #[test]
    fn a_long_form_without_need_is_accepted() {
        let bytes = b"\x15\0\0\0\x0c\0\0\0\x02\0\x00\xf3\xfe\x02\0\0\0\x02Hi\xff";
        assert_eq!(texts(Ziplist::parse(bytes).unwrap()), [b"2".to_vec(), b"Hi".to_vec()]);
    }

    #[test]
    fn lies_are_refused() {
        let good = ziplist(&[b"2", b"Hi"]);
        for (at, byte, what) in [
            (0, 0x10, "the total is too small"),
            (4, 0x0a, "the offset of the last entry is that of another"),
            (4, 0x20, "the offset of the last entry is outside"),
            (8, 1, "fewer entries are stated than there are"),
            (8, 3, "more entries are stated than there are"),
            (10, 1, "the first entry has one before it"),
            (11, 0xff, "no entry begins so"),
            (12, 3, "the entry before has another size"),
            (12, 0xff, "the end comes early"),
            (13, 3, "a string goes beyond the end"),
            (16, 0, "there is no end"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(Ziplist::parse(&bytes).err(), Some(Corrupt), "{what}");
        }
        for cut in 0..good.len() {
            assert!(Ziplist::parse(&good[..cut]).is_err());
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(texts_in in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let all: Vec<&[u8]> = texts_in.iter().map(|text| &text[..]).collect();
            prop_assert_eq!(texts(Ziplist::parse(&ziplist(&all)).unwrap()), texts_in);
        }

        #[test]
        fn damage_gives_an_error_or_entries(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = ziplist(&[b"some", b"-300", b"", b"12", &[b'x'; 300]]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Ziplist::parse(&bytes) {
                prop_assert_eq!(read.iter().count(), read.len());
                prop_assert!(read.to_listpack().is_some());
            }
        }
    }
}
