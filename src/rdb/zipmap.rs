//! Zipmaps: how small hashes were packed before Redis 2.6. Only read.
//!
//! ```text
//! | pairs: 1 | length | field | length | free: 1 | value | free bytes | … | 0xff |
//!
//! length   one byte below 254, or 254 and four bytes, little endian
//! pairs    254 and more: too many to say
//!
//! {"foo": "bar", "a": "bc"}      02  03 f o o  03 00 b a r   01 a  02 00 b c   ff
//! ```
//!
//! A value that had become shorter left up to 255 bytes free behind it.
//!
//! Source: the zipmap format in the RDB documentation of Redis 2.4.

use crate::data::listpack::Corrupt;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// A zipmap all of whose pairs were checked.
#[derive(Clone, Copy, Debug)]
pub struct Zipmap<'a> {
    pairs: &'a [u8],
    len: usize,
}

impl<'a> Zipmap<'a> {
    /// Checks foreign bytes completely: each pair, their number, the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Zipmap<'a>, Corrupt> {
        let (&stated, pairs) = bytes.split_first().ok_or(Corrupt)?;
        let (mut rest, mut len) = (pairs, 0);
        while rest != [END] {
            pair(&mut rest).ok_or(Corrupt)?;
            len += 1;
        }
        if stated < LONG && usize::from(stated) != len {
            return Err(Corrupt);
        }
        Ok(Zipmap { pairs, len })
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.pairs;
        std::iter::from_fn(move || pair(&mut rest))
    }
}

/// Takes a pair off the front; `None` at the end mark and when it is not whole.
fn pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut input = *rest;
    let len = length(&mut input)?;
    let field = input.split_off(..len)?;
    let len = length(&mut input)?;
    let free = usize::from(*input.split_off_first()?);
    let value = input.split_off(..len)?;
    input.split_off(..free)?;
    *rest = input;
    Some((field, value))
}

fn length(input: &mut &[u8]) -> Option<usize> {
    match *input.split_off_first()? {
        END => None,
        LONG => {
            let (bytes, rest) = input.split_first_chunk::<4>()?;
            *input = rest;
            Some(u32::from_le_bytes(*bytes) as usize)
        }
        short => Some(usize::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let zipmap = Zipmap::parse(bytes).ok()?;
        let pairs: Vec<_> = zipmap.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        assert_eq!((zipmap.len(), zipmap.is_empty()), (pairs.len(), pairs.is_empty()));
        Some(pairs)
    }

    #[test]
    fn pairs_come_with_free_bytes_and_long_lengths() {
        let small = b"\x02\x03foo\x03\x00bar\x01a\x02\x03bc...\xff";
        let wanted = vec![(b"foo".to_vec(), b"bar".to_vec()), (b"a".to_vec(), b"bc".to_vec())];
        assert_eq!(pairs(small), Some(wanted));
        assert_eq!(pairs(b"\x00\xff"), Some(vec![]));
        let long = [&b"\xfe\x01k\xfe\x2c\x01\x00\x00\x00"[..], &[b'x'; 300], b"\xff"].concat();
        assert_eq!(pairs(&long), Some(vec![(b"k".to_vec(), vec![b'x'; 300])]));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = b"\x02\x03foo\x03\x00bar\x01a\x02\x03bc...\xff";
        for cut in 0..good.len() {
            assert_eq!(pairs(&good[..cut]), None, "cut at {cut}");
        }
        for bad in [
            &b"\x01\xff"[..],
            b"\x01\x03foo\x03\x00bar\x01a\x02\x03bc...\xff",
            b"\x00\xff\xff",
            b"\x01\x01a\xff",
            b"\x01\x01a\x01\xffb\xff",
            b"\x01\xfe\xff\xff\xff\xffa\xff",
            b"\x01\x01a\x01\x00b",
        ] {
            assert_eq!(pairs(bad), None, "{bad:?}");
        }
    }
}
