//! The layout of a sorted set.
//!
//! | number | a sorted set as | since |
//! |---|---|---|
//! | 3 | count, then member and score as text | 1.2; read only |
//! | 5 | count, then member and score as 8 bytes, the highest first | 4.0 |
//! | 12 | a string that holds a ziplist: member, score, member, score … | 2.6; read only |
//! | 17 | a string that holds a listpack of the same | 7.0 |
//!
//! A score as text is a length of one byte and so many characters; the lengths 253, 254 and 255 stand for nan, inf and -inf.
//!
//! What is read is not believed: members must differ, packed ones must come in order, and no score may be NaN.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::base::number::parse_f64;
use crate::data::listpack::Listpack;
use crate::data::string::IntText;
use crate::data::zset::{Draft, Zset};
use crate::data::{Limits, Value};
use crate::rdb::build::Build;
use crate::rdb::encode::Out;
use crate::rdb::format;
use crate::rdb::read::{Stop, take_array, take_byte, take_length, take_string, text};
use crate::rdb::ziplist::Ziplist;

const NAN: u8 = 253;
const INFINITE: u8 = 254;
const MINUS_INFINITE: u8 = 255;

/// The number before the key.
pub fn type_id(value: &Zset) -> u8 {
    match value.as_listpack() {
        Some(_) => format::TYPE_ZSET_LISTPACK,
        None => format::TYPE_ZSET_2,
    }
}

/// Lays out a value.
pub fn encode(value: &Zset, out: &mut impl Out) -> ControlFlow<()> {
    if let Some(listpack) = value.as_listpack() {
        out.chunk().string(listpack.as_bytes());
        return ControlFlow::Continue(());
    }
    out.chunk().length(value.len() as u64);
    let mut room = IntText::new();
    for (member, score) in value.elements_backwards(0..value.len()) {
        let chunk = out.chunk();
        chunk.string(member.as_bytes(&mut room));
        chunk.raw(&score.to_le_bytes());
        out.between()?;
    }
    ControlFlow::Continue(())
}

/// A reader, if the number is one of this type.
pub fn builder(id: u8, limits: &Limits) -> Option<Box<dyn Build>> {
    let limits = *limits;
    Some(match id {
        format::TYPE_ZSET | format::TYPE_ZSET_2 => Box::new(ByMember {
            is_text: id == format::TYPE_ZSET,
            left: None,
            zset: Making::Small(Box::default()),
            limits,
            scratch: Vec::new(),
        }),
        format::TYPE_ZSET_ZIPLIST | format::TYPE_ZSET_LISTPACK => {
            Box::new(Packed { is_ziplist: id == format::TYPE_ZSET_ZIPLIST, limits })
        }
        _ => return None,
    })
}

/// A set in the making. A small one is packed at the end, if no member is too long: packed earlier, it would have lost the sign
/// of -0 on the way to its larger encoding.
#[derive(Debug)]
enum Making {
    Small(Box<Draft>),
    Large(Zset),
}

impl Making {
    /// Adds a member. False if it is there already.
    fn add(&mut self, member: &[u8], score: f64, limits: &Limits) -> bool {
        match self {
            Making::Small(draft) => {
                let mut is_new = true;
                draft.add(member, score, |old| {
                    is_new = false;
                    old
                });
                is_new
            }
            Making::Large(zset) => zset.put(member, score, limits).is_none(),
        }
    }

    fn finish(self, limits: &Limits) -> Zset {
        match self {
            Making::Small(draft) => draft.into_zset(limits),
            Making::Large(zset) => zset,
        }
    }
}

/// Reads member by member.
#[derive(Debug)]
struct ByMember {
    /// Scores are text.
    is_text: bool,
    /// How many are still to come; `None` before the count was read.
    left: Option<u64>,
    zset: Making,
    limits: Limits,
    scratch: Vec<u8>,
}

impl Build for ByMember {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        let mut left = match self.left {
            Some(left) => left,
            None => {
                let count = take_length(input)?;
                if count > self.limits.zset_max_listpack_entries {
                    self.zset = Making::Large(Zset::for_members(usize::MAX, 0, &self.limits));
                }
                count
            }
        };
        self.left = Some(left);
        while left > 0 {
            let mut rest = *input;
            let raw = take_string(&mut rest)?;
            let score = match self.is_text {
                true => take_text_score(&mut rest)?,
                false => f64::from_le_bytes(take_array(&mut rest)?),
            };
            if score.is_nan() {
                return Err(Stop::corrupt("Zset with NAN score detected"));
            }
            let member = text(raw, &mut self.scratch).map_err(Stop::Bad)?;
            if !self.zset.add(member, score, &self.limits) {
                return Err(Stop::corrupt("Duplicate zset fields detected"));
            }
            *input = rest;
            left -= 1;
            self.left = Some(left);
        }
        Ok(std::mem::replace(&mut self.zset, Making::Small(Box::default())).finish(&self.limits).into())
    }
}

fn take_text_score(input: &mut &[u8]) -> Result<f64, Stop> {
    match take_byte(input)? {
        NAN => Ok(f64::NAN),
        INFINITE => Ok(f64::INFINITY),
        MINUS_INFINITE => Ok(f64::NEG_INFINITY),
        length => {
            let (text, rest) = input.split_at_checked(length.into()).ok_or(Stop::Short)?;
            *input = rest;
            parse_f64(text).ok_or(Stop::corrupt("Zset with NAN score detected"))
        }
    }
}

/// Reads a small set that is one string.
#[derive(Debug)]
struct Packed {
    is_ziplist: bool,
    limits: Limits,
}

impl Build for Packed {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        let mut scratch = Vec::new();
        let bytes = text(take_string(input)?, &mut scratch).map_err(Stop::Bad)?;
        let listpack = match self.is_ziplist {
            true => Ziplist::parse(bytes).ok().and_then(|ziplist| ziplist.to_listpack()),
            false => Listpack::parse(bytes).ok(),
        };
        let listpack = listpack.ok_or(Stop::corrupt(match self.is_ziplist {
            true => "Zset ziplist integrity check failed.",
            false => "Zset listpack integrity check failed.",
        }))?;
        if listpack.is_empty() {
            return Ok(Zset::default().into());
        }
        let mut members = HashSet::new();
        if !listpack.iter().step_by(2).all(|member| members.insert(member.to_vec())) {
            return Err(Stop::corrupt("Duplicate zset fields detected"));
        }
        let longest = members.iter().map(Vec::len).max().unwrap_or(0) as u64;
        drop(members);
        let packed = Zset::from_listpack(listpack).ok_or(Stop::corrupt("a packed sorted set is out of order"))?;
        let is_small = packed.len() as u64 <= self.limits.zset_max_listpack_entries
            && longest <= self.limits.zset_max_listpack_value;
        if is_small {
            return Ok(packed.into());
        }
        // Written under other settings.
        let mut zset = Zset::for_members(packed.len(), longest as usize, &self.limits);
        let mut room = IntText::new();
        for (member, score) in packed.iter() {
            zset.put(member.as_bytes(&mut room), score, &self.limits);
        }
        Ok(zset.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Collection, Encoding, ValueRef};
    use crate::rdb::dump;
    use crate::rdb::encode::Chunk;

    /// What is read from a payload of this type; `limits` as given.
    fn read(id: u8, mut input: &[u8], limits: &Limits) -> Result<Zset, Stop> {
        let value = builder(id, limits).unwrap().step(&mut input)?;
        assert!(input.is_empty());
        match value {
            Value::Zset(zset) => Ok(zset),
            other => panic!("{other:?}"),
        }
    }

    fn sample(count: usize, limits: &Limits) -> Zset {
        let mut zset = Zset::new();
        for n in 0..count {
            zset.put(format!("member:{n}").as_bytes(), n as f64 / 3.0, limits);
        }
        zset.put(b"17", f64::INFINITY, limits);
        zset.put(b"", f64::NEG_INFINITY, limits);
        zset
    }

    #[test]
    fn a_dump_comes_back() {
        let limits = Limits::default();
        for count in [0, 10, 1000] {
            let zset = sample(count, &limits);
            let payload = dump::dump(ValueRef::Zset(&zset));
            let back = dump::restore(&payload, &limits).unwrap();
            let crate::data::NewValue::Other(Value::Zset(back)) = back else { panic!("another type") };
            assert_eq!(back.encoding(), zset.encoding());
            assert!(back.iter().map(|(m, s)| (m.to_vec(), s)).eq(zset.iter().map(|(m, s)| (m.to_vec(), s))));
        }
    }

    #[test]
    fn the_sign_of_zero_stays_in_a_large_set() {
        let long = [b'x'; 100];
        for (limits, last) in
            [(Limits::default(), &long[..]), (Limits { zset_max_listpack_entries: 1, ..Limits::default() }, b"b")]
        {
            let mut zset = Zset::for_members(usize::MAX, 0, &limits);
            zset.put(b"a", -0.0, &limits);
            zset.put(last, 1.0, &limits);
            let payload = dump::dump(ValueRef::Zset(&zset));
            let back = dump::restore(&payload, &limits).unwrap();
            let crate::data::NewValue::Other(Value::Zset(back)) = back else { panic!("another type") };
            assert_eq!(back.encoding(), Encoding::Skiplist);
            assert!(back.score(b"a").is_some_and(f64::is_sign_negative));
        }
    }

    #[test]
    fn old_layouts_are_read() {
        let limits = Limits::default();
        let text = b"\x03\x01a\x031.5\x01b\xfe\x01c\xff";
        let zset = read(format::TYPE_ZSET, text, &limits).unwrap();
        assert_eq!((zset.score(b"a"), zset.score(b"b")), (Some(1.5), Some(f64::INFINITY)));
        assert_eq!((zset.score(b"c"), zset.encoding()), (Some(f64::NEG_INFINITY), Encoding::Listpack));
        let ziplist = crate::rdb::ziplist::tests::ziplist(&[b"2", b"1", b"a", b"1", b"b", b"2.5"]);
        let payload = [&[ziplist.len() as u8], &ziplist[..]].concat();
        let zset = read(format::TYPE_ZSET_ZIPLIST, &payload, &limits).unwrap();
        assert_eq!((zset.len(), zset.score(b"2"), zset.score(b"b")), (3, Some(1.0), Some(2.5)));
    }

    #[test]
    fn the_encoding_follows_the_limits_of_the_reader() {
        let listpack = Listpack::with(&["a", "1", "b", "2"]);
        let payload = [&[listpack.byte_len() as u8], listpack.as_bytes()].concat();
        for (limits, encoding) in [
            (Limits::default(), Encoding::Listpack),
            (Limits { zset_max_listpack_entries: 1, ..Limits::default() }, Encoding::Skiplist),
            (Limits { zset_max_listpack_value: 0, ..Limits::default() }, Encoding::Skiplist),
        ] {
            let zset = read(format::TYPE_ZSET_LISTPACK, &payload, &limits).unwrap();
            assert_eq!((zset.len(), zset.encoding()), (2, encoding));
        }
    }

    #[test]
    fn input_in_pieces_is_read_all_the_same() {
        let limits = Limits::default();
        let zset = sample(1000, &limits);
        let mut chunk = Chunk::new(0, false);
        assert!(encode(&zset, &mut chunk).is_continue());
        let bytes = &chunk.bytes;
        let mut build = builder(format::TYPE_ZSET_2, &limits).unwrap();
        let (mut start, mut end) = (0, 0);
        let value = loop {
            end = (end + 7).min(bytes.len());
            let mut input = &bytes[start..end];
            match build.step(&mut input) {
                Ok(value) => break value,
                Err(Stop::Short) => start = end - input.len(),
                Err(other) => panic!("{other:?}"),
            }
        };
        let Value::Zset(back) = value else { panic!("another type") };
        assert!(back.iter().map(|(m, s)| (m.to_vec(), s)).eq(zset.iter().map(|(m, s)| (m.to_vec(), s))));
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        let limits = Limits::default();
        let refused =
            |id, payload: &[u8]| assert!(matches!(read(id, payload, &limits), Err(Stop::Bad(_))), "{payload:?}");
        // Old servers wrote empty ones, and who loads leaves them out.
        let empty = [&[Listpack::new().byte_len() as u8], Listpack::new().as_bytes()].concat();
        for (id, payload) in [(format::TYPE_ZSET_2, &b"\0"[..]), (format::TYPE_ZSET_LISTPACK, &empty)] {
            assert!(read(id, payload, &limits).is_ok_and(|value| value.is_empty()));
        }
        refused(format::TYPE_ZSET, b"\x01\x01a\xfd");
        refused(format::TYPE_ZSET, b"\x01\x01a\x01x");
        refused(format::TYPE_ZSET, b"\x02\x01a\x011\x01a\x012");
        refused(format::TYPE_ZSET_2, &[&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat());
        for entries in [&["a"][..], &["a", "x"], &["b", "2", "a", "1"], &["a", "1", "a", "2"]] {
            let listpack = Listpack::with(entries);
            refused(format::TYPE_ZSET_LISTPACK, &[&[listpack.byte_len() as u8], listpack.as_bytes()].concat());
        }
        refused(format::TYPE_ZSET_LISTPACK, b"\x03abc");
        refused(format::TYPE_ZSET_ZIPLIST, b"\x03abc");
    }
}
