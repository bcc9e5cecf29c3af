//! The layout of a set.
//!
//! ```text
//!  2   count | member | member | ...        each a string
//! 11   a string: the bytes of an intset
//! 20   a string: the bytes of a listpack     since Redis 7.2, only read: 7.0 does not know it
//! ```

use std::ops::ControlFlow;

use crate::data::intset::Intset;
use crate::data::listpack::Listpack;
use crate::data::set::Set;
use crate::data::string::IntText;
use crate::data::{Limits, Value};
use crate::rdb::build::Build;
use crate::rdb::encode::Out;
use crate::rdb::format;
use crate::rdb::read::{Stop, take_length, take_string, text};

/// The number before the key.
pub fn type_id(value: &Set) -> u8 {
    if value.as_ints().is_some() { format::TYPE_SET_INTSET } else { format::TYPE_SET }
}

/// Lays out a value.
pub fn encode(value: &Set, out: &mut impl Out) -> ControlFlow<()> {
    if let Some(ints) = value.as_ints() {
        out.chunk().string(ints.as_bytes());
        return ControlFlow::Continue(());
    }
    out.chunk().length(value.len() as u64);
    for member in value.iter() {
        out.chunk().string(member.as_bytes(&mut IntText::new()));
        out.between()?;
    }
    ControlFlow::Continue(())
}

/// A reader, if the number is one of this type.
pub fn builder(id: u8, limits: &Limits) -> Option<Box<dyn Build>> {
    match id {
        format::TYPE_SET => Some(Box::new(Members { limits: *limits, left: None, set: Set::default() })),
        format::TYPE_SET_INTSET => Some(Box::new(Blob { limits: *limits, read: ints })),
        format::TYPE_SET_LISTPACK => Some(Box::new(Blob { limits: *limits, read: packed })),
        _ => None,
    }
}

/// Reads one member after the other.
#[derive(Debug)]
struct Members {
    limits: Limits,
    /// How many are to come; `None` until that was read.
    left: Option<u64>,
    set: Set,
}

impl Build for Members {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        let mut left = match self.left {
            Some(left) => left,
            None => {
                let count = take_length(input)?;
                self.set = Set::expecting(count, &self.limits);
                count
            }
        };
        let mut scratch = Vec::new();
        while left > 0 {
            self.left = Some(left);
            let raw = take_string(input)?;
            let member = text(raw, &mut scratch).map_err(Stop::Bad)?;
            if !self.set.insert(member, &self.limits) {
                return Err(Stop::corrupt("Duplicate set members detected"));
            }
            left -= 1;
        }
        Ok(std::mem::take(&mut self.set).into())
    }
}

/// Reads a set that is one string.
#[derive(Debug)]
struct Blob {
    limits: Limits,
    read: fn(&[u8], &Limits) -> Option<Set>,
}

impl Build for Blob {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        let mut scratch = Vec::new();
        let raw = take_string(input)?;
        let bytes = text(raw, &mut scratch).map_err(Stop::Bad)?;
        let set =
            (self.read)(bytes, &self.limits).ok_or(Stop::corrupt("Set listpack or intset integrity check failed."))?;
        Ok(set.into())
    }
}

fn ints(bytes: &[u8], limits: &Limits) -> Option<Set> {
    Intset::parse(bytes).ok().map(|ints| Set::from_ints(ints, limits))
}

fn packed(bytes: &[u8], limits: &Limits) -> Option<Set> {
    Listpack::parse(bytes).ok().and_then(|packed| Set::from_packed(packed, limits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::hash::crc64;
    use crate::data::{Collection, Encoding, NewValue, ValueRef};
    use crate::rdb::dump::{RestoreError, dump, restore};
    use crate::rdb::encode::Chunk;
    use crate::rdb::pack::Packer;

    const LIMITS: Limits = Limits { set_max_intset_entries: 5, set_max_listpack_entries: 3, ..Limits::DEFAULT };

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        members.iter().for_each(|member| assert!(set.insert(member.as_bytes(), &LIMITS)));
        set
    }

    fn members(set: &Set) -> Vec<Vec<u8>> {
        let mut members: Vec<_> = set.iter().map(|member| member.to_vec()).collect();
        members.sort();
        members
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut payload = content.to_vec();
        payload.extend_from_slice(&[10, 0]);
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        payload
    }

    fn restored(payload: &[u8]) -> Result<Set, RestoreError> {
        match restore(payload, &LIMITS)? {
            NewValue::Other(Value::Set(set)) => Ok(set),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_dumped_is_restored() {
        for texts in
            [&["1", "-2", "70000"][..], &["1", "2", "3", "4", "5", "6"], &["a", "1", "bb"], &["a", "b", "c", "d"]]
        {
            let set = set(texts);
            let back = restored(&dump(ValueRef::Set(&set))).unwrap();
            assert_eq!((members(&back), back.encoding()), (members(&set), set.encoding()));
        }
    }

    #[test]
    fn payloads_of_redis_are_restored_and_ours_are_the_same() {
        let ints = [b"\x0b\x14".as_slice(), Intset::from_ascending(&[1, 2, 70000]).as_bytes()].concat();
        assert_eq!(members(&restored(&sealed(&ints)).unwrap()), [&b"1"[..], b"2", b"70000"]);
        assert_eq!(dump(ValueRef::Set(&set(&["1", "2", "70000"]))), sealed(&ints));
        let table = b"\x02\x03\x02bb\xc0\x01\x01a";
        assert_eq!(members(&restored(&sealed(table)).unwrap()), [&b"1"[..], b"a", b"bb"]);
        let packed = [b"\x14\x0c".as_slice(), Listpack::with(&["a", "12"]).as_bytes()].concat();
        let packed = restored(&sealed(&packed)).unwrap();
        assert_eq!((members(&packed), packed.encoding()), (vec![b"12".to_vec(), b"a".to_vec()], Encoding::Listpack));
    }

    #[test]
    fn damage_that_a_checksum_hides_is_found() {
        let listpack = |texts: &[&str]| {
            let packed = Listpack::with(texts);
            [&[format::TYPE_SET_LISTPACK, packed.byte_len() as u8], packed.as_bytes()].concat()
        };
        let bad: &[&[u8]] = &[
            b"\x02\x00",
            b"\x02\x02\x01a\x01a",
            b"\x02\x02\xc0\x01\xc0\x01",
            b"\x02\x02\x01a",
            b"\x02\x80\xff\xff\xff\xff\x01a",
            b"\x0b\x08\x02\0\0\0\0\0\0\0",
            b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0",
            b"\x0b\x00",
            b"\x14\x01a",
            &listpack(&[]),
            &listpack(&["a", "b", "a"]),
        ];
        for content in bad {
            assert_eq!(restored(&sealed(content)).err(), Some(RestoreError::BadData), "{content:x?}");
        }
    }

    proptest! {
        #[test]
        fn a_set_is_read_in_pieces_of_any_size(
            texts in prop::collection::btree_set("[a-z0-9]{0,30}|[0-9]{1,9}", 1..40), piece in 1..50usize,
        ) {
            let mut original = Set::default();
            texts.iter().for_each(|text| { original.insert(text.as_bytes(), &LIMITS); });
            let mut chunk = Chunk::new(0, true);
            assert!(encode(&original, &mut chunk).is_continue());
            let mut bytes = Vec::new();
            Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));

            let mut builder = builder(type_id(&original), &LIMITS).unwrap();
            let (mut start, mut end) = (0, 0);
            let value = loop {
                let mut input = &bytes[start..end];
                match builder.step(&mut input) {
                    Ok(value) => break value,
                    Err(Stop::Bad(why)) => panic!("{why:?}"),
                    Err(Stop::Short) => {
                        start = end - input.len();
                        prop_assert!(end < bytes.len());
                        end = (end + piece).min(bytes.len());
                    }
                }
            };
            let Value::Set(back) = value else { panic!("{value:?}") };
            prop_assert_eq!(members(&back), members(&original));
        }
    }
}
