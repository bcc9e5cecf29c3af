//! The layout of a hash.
//!
//! | number | layout | written by |
//! |---|---|---|
//! | 4 | count; field, value | every Redis, and us for large ones |
//! | 9 | a string that is a zipmap | Redis up to 2.4 |
//! | 13 | a string that is a ziplist | Redis 2.6 to 6.2 |
//! | 16 | a string that is a listpack of field, value | Redis 7, and us for small ones |
//! | 22 | count; expiry (0 for none), field, value | candidates of Redis 7.4 |
//! | 23 | a string that is a listpack of field, value, expiry | candidates of Redis 7.4 |
//! | 24 | earliest expiry: 8, count; expiry, field, value | Redis 7.4, and us for large ones with expiries |
//! | 25 | earliest expiry: 8, a string that is a listpack of field, value, expiry | Redis 7.4, and us for small ones |
//!
//! The expiries of 24 count from the earliest one, which is 1 itself: 0 means none. So the numbers that 7.0 does not know are
//! written only where it could not hold the data.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::base::time::UnixMillis;
use crate::data::hash::{Fresh, Hash, Ttl};
use crate::data::listpack::Listpack;
use crate::data::string::IntText;
use crate::data::{Collection, Encoding, Limits, Value};
use crate::rdb::build::Build;
use crate::rdb::encode::Out;
use crate::rdb::format;
use crate::rdb::read::{Stop, take_array, take_length, take_string, text};
use crate::rdb::ziplist::Ziplist;
use crate::rdb::zipmap::Zipmap;

/// Latest expiry that is believed: Redis keeps them in 48 bits.
const EXPIRY_MAX: i64 = (1 << 48) - 1;

/// Memory is set aside for so many fields before they have arrived.
const AHEAD_MAX: u64 = 1 << 20;

/// Up to this many fields are compared with each other to find one that is there twice.
const COMPARED_MAX: usize = 16;

/// The number before the key.
pub fn type_id(value: &Hash) -> u8 {
    match (value.encoding(), value.has_expiries()) {
        (Encoding::Hashtable, false) => format::TYPE_HASH,
        (Encoding::Hashtable, true) => format::TYPE_HASH_METADATA,
        (_, false) => format::TYPE_HASH_LISTPACK,
        (_, true) => format::TYPE_HASH_LISTPACK_EX,
    }
}

/// Lays out a value.
pub fn encode(value: &Hash, out: &mut impl Out) -> ControlFlow<()> {
    let earliest = value.has_expiries().then(|| value.iter().filter_map(|field| field.expiry).min()).flatten();
    let chunk = out.chunk();
    if let Some(when) = earliest {
        chunk.raw(&when.0.to_le_bytes());
    }
    match (value.pairs(), value.triplets()) {
        (Some(pairs), _) => chunk.string(pairs.as_bytes()),
        (_, Some(triplets)) if earliest.is_some() => chunk.string(triplets.as_bytes()),
        (_, Some(triplets)) => chunk.string(without_expiries(triplets).as_bytes()),
        (None, None) => {
            chunk.length(value.len() as u64);
            for field in value.iter() {
                let chunk = out.chunk();
                if let Some(earliest) = earliest {
                    chunk.length(field.expiry.map_or(0, |when| (when.0 - earliest.0) as u64 + 1));
                }
                chunk.value(field.name);
                chunk.value(field.value);
                out.between()?;
            }
        }
    }
    ControlFlow::Continue(())
}

fn without_expiries(triplets: &Listpack) -> Listpack {
    let mut pairs = Listpack::new();
    let items = triplets.iter().enumerate().filter(|(at, _)| at % 3 != 2);
    items.for_each(|(_, item)| pairs.push_back_item(item));
    pairs
}

/// A reader, if the number is one of this type.
pub fn builder(id: u8, limits: &Limits) -> Option<Box<dyn Build>> {
    let (layout, has_earliest) = match id {
        format::TYPE_HASH => (Layout::Fields { has_expiries: false }, false),
        format::TYPE_HASH_METADATA_PRE_GA => (Layout::Fields { has_expiries: true }, false),
        format::TYPE_HASH_METADATA => (Layout::Fields { has_expiries: true }, true),
        format::TYPE_HASH_ZIPMAP => (Layout::Zipmap, false),
        format::TYPE_HASH_ZIPLIST => (Layout::Ziplist, false),
        format::TYPE_HASH_LISTPACK => (Layout::Pairs, false),
        format::TYPE_HASH_LISTPACK_EX_PRE_GA => (Layout::Triplets, false),
        format::TYPE_HASH_LISTPACK_EX => (Layout::Triplets, true),
        _ => return None,
    };
    Some(Box::new(Reader { layout, has_earliest, earliest: None, left: None, hash: Hash::default(), limits: *limits }))
}

#[derive(Clone, Copy, Debug)]
enum Layout {
    Fields { has_expiries: bool },
    Zipmap,
    Ziplist,
    Pairs,
    Triplets,
}

#[derive(Debug)]
struct Reader {
    layout: Layout,
    /// The earliest expiry comes first.
    has_earliest: bool,
    earliest: Option<i64>,
    /// How many fields are still to come; `None` as long as that has not been read.
    left: Option<u64>,
    hash: Hash,
    limits: Limits,
}

impl Build for Reader {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        if self.has_earliest && self.earliest.is_none() {
            let earliest = i64::from_le_bytes(take_array(input)?);
            if !(0..=EXPIRY_MAX + 1).contains(&earliest) {
                return Err(Stop::corrupt("an expiry of fields that cannot be"));
            }
            self.earliest = Some(earliest);
        }
        match self.layout {
            Layout::Fields { has_expiries } => self.fields(has_expiries, input)?,
            layout => self.hash = packed(layout, input, &self.limits)?,
        }
        Ok(std::mem::take(&mut self.hash).into_value())
    }
}

impl Reader {
    fn fields(&mut self, has_expiries: bool, input: &mut &[u8]) -> Result<(), Stop> {
        let mut left = match self.left {
            Some(left) => left,
            None => {
                let count = take_length(input)?;
                if count > self.limits.hash_max_listpack_entries {
                    self.hash = Hash::large(count.min(AHEAD_MAX) as usize);
                }
                count
            }
        };
        while left > 0 {
            self.left = Some(left);
            let mut rest = *input;
            self.field(has_expiries, &mut rest)?;
            *input = rest;
            left -= 1;
        }
        self.left = Some(0);
        Ok(())
    }

    fn field(&mut self, has_expiries: bool, input: &mut &[u8]) -> Result<(), Stop> {
        let mut expiry = None;
        if has_expiries {
            let number = take_length(input)?;
            // Relative to the earliest, which is 1 itself.
            let base = self.earliest.map_or(0, |earliest| earliest - 1);
            let when = i64::try_from(number).ok().and_then(|number| number.checked_add(base));
            let when = when.filter(|when| *when <= EXPIRY_MAX).ok_or(Stop::corrupt("an expiry that cannot be"))?;
            expiry = (number > 0).then_some(UnixMillis(when));
        }
        let (mut name, mut value) = (Vec::new(), Vec::new());
        let name = text(take_string(input)?, &mut name).map_err(Stop::Bad)?;
        let value = text(take_string(input)?, &mut value).map_err(Stop::Bad)?;
        add(&mut self.hash, name, value, expiry, &self.limits)
    }
}

/// Adds a field, which may not be there yet.
fn add(hash: &mut Hash, name: &[u8], value: &[u8], expiry: Option<UnixMillis>, limits: &Limits) -> Result<(), Stop> {
    let ttl = expiry.map_or(Ttl::Clear, Ttl::At);
    if hash.set(name, Fresh::Copied(value), ttl, limits) { Ok(()) } else { Err(TWICE) }
}

const TWICE: Stop = Stop::corrupt("Duplicate hash fields detected");

/// Reads a string that is a whole hash.
fn packed(layout: Layout, input: &mut &[u8], limits: &Limits) -> Result<Hash, Stop> {
    let mut scratch = Vec::new();
    let bytes = text(take_string(input)?, &mut scratch).map_err(Stop::Bad)?;
    match layout {
        Layout::Zipmap => {
            let zipmap = Zipmap::parse(bytes).map_err(|_| Stop::corrupt("Zipmap integrity check failed."))?;
            if zipmap.is_empty() {
                return Err(Stop::corrupt("Zipmap integrity check failed: no field"));
            }
            let mut hash = Hash::default();
            for (name, value) in zipmap.iter() {
                add(&mut hash, name, value, None, limits)?;
            }
            Ok(hash)
        }
        Layout::Ziplist => {
            let ziplist = Ziplist::parse(bytes).map_err(|_| Stop::corrupt("Hash ziplist integrity check failed."))?;
            // Larger than a listpack may be, so larger than it should ever have become.
            let listpack = ziplist.to_listpack().ok_or(Stop::corrupt("a ziplist that is too large"))?;
            check_names(
                &listpack,
                2,
                "Hash ziplist integrity check failed.",
                "Hash ziplist integrity check failed: ziplist with dup elements",
            )?;
            Ok(Hash::of_pairs(listpack, limits))
        }
        Layout::Pairs => {
            let listpack = Listpack::parse(bytes).map_err(|_| Stop::corrupt(BAD_LISTPACK))?;
            check_names(&listpack, 2, BAD_LISTPACK, TWICE_IN_LISTPACK)?;
            Ok(Hash::of_pairs(listpack, limits))
        }
        _ => triplets(Listpack::parse(bytes).map_err(|_| Stop::corrupt(BAD_LISTPACK))?, limits),
    }
}

const BAD_LISTPACK: &str = "Hash listpack integrity check failed.";
const TWICE_IN_LISTPACK: &str = "Hash listpack integrity check failed: listpack with dup elements";

fn triplets(listpack: Listpack, limits: &Limits) -> Result<Hash, Stop> {
    check_names(&listpack, 3, BAD_LISTPACK, TWICE_IN_LISTPACK)?;
    let expiries = || listpack.iter().skip(2).step_by(3).map(|item| item.as_int());
    if !expiries().all(|when| when.is_some_and(|when| (0..=EXPIRY_MAX).contains(&when))) {
        return Err(Stop::corrupt("an expiry that cannot be"));
    }
    // Those without an expiry have 0 and come last.
    let order = expiries().map(|when| when.filter(|when| *when != 0).unwrap_or(i64::MAX));
    if order.is_sorted() {
        return Ok(Hash::of_triplets(listpack, limits));
    }
    let (mut hash, mut items) = (Hash::default(), listpack.iter());
    while let (Some(name), Some(value), Some(when)) = (items.next(), items.next(), items.next()) {
        let (mut name_room, mut value_room) = (IntText::new(), IntText::new());
        let (name, value) = (name.as_bytes(&mut name_room), value.as_bytes(&mut value_room));
        add(&mut hash, name, value, when.as_int().filter(|when| *when != 0).map(UnixMillis), limits)?;
    }
    Ok(hash)
}

/// Checks that the fields are complete, `width` entries each (else it says `incomplete`), and none is there twice (`twice`).
fn check_names(listpack: &Listpack, width: usize, incomplete: &'static str, twice: &'static str) -> Result<(), Stop> {
    let count = listpack.len();
    if !count.is_multiple_of(width) {
        return Err(Stop::corrupt(incomplete));
    }
    if count / width <= COMPARED_MAX {
        let mut at = listpack.first();
        while let Some(pos) = at {
            let next = (0..width).try_fold(pos, |pos, _| listpack.next(pos));
            let mut room = IntText::new();
            let name = listpack.get(pos);
            if next.is_some_and(|next| listpack.find(next, name.as_bytes(&mut room), width - 1).is_some()) {
                return Err(Stop::corrupt(twice));
            }
            at = next;
        }
        return Ok(());
    }
    let mut names = HashSet::with_capacity(count / width);
    let is_new = listpack.iter().step_by(width).all(|name| names.insert(name.to_vec()));
    if is_new { Ok(()) } else { Err(Stop::corrupt(twice)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::crc64;
    use crate::base::rng::Rng;
    use crate::data::NewValue;
    use crate::rdb::dump::{RestoreError, dump, restore};
    use crate::rdb::ziplist::tests::ziplist;

    fn content(hash: &Hash) -> Vec<u8> {
        let mut payload = dump(crate::data::ValueRef::Hash(hash));
        payload.truncate(payload.len() - 10);
        payload
    }

    fn read(content: &[u8], limits: &Limits) -> Result<Hash, RestoreError> {
        let mut payload = content.to_vec();
        payload.extend_from_slice(&10u16.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        match restore(&payload, limits)? {
            NewValue::Other(Value::Hash(hash)) => Ok(hash),
            other => panic!("{other:?}"),
        }
    }

    type Shown = Vec<(String, String, i64)>;

    fn shown(hash: &Hash) -> Shown {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut all: Shown = hash
            .iter()
            .map(|f| (text(f.name.to_vec()), text(f.value.to_vec()), f.expiry.map_or(0, |when| when.0)))
            .collect();
        all.sort();
        all
    }

    fn hash(fields: &[(&str, &str, i64)], limits: &Limits) -> Hash {
        let mut hash = Hash::default();
        for (name, value, when) in fields {
            let ttl = if *when == 0 { Ttl::Clear } else { Ttl::At(UnixMillis(*when)) };
            hash.set(name.as_bytes(), Fresh::Copied(value.as_bytes()), ttl, limits);
        }
        hash
    }

    fn expected(fields: &[(&str, &str, i64)]) -> Shown {
        let mut all: Shown = fields.iter().map(|(n, v, w)| (n.to_string(), v.to_string(), *w)).collect();
        all.sort();
        all
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::rdb::length::put(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
        out
    }

    const PACKED: Limits = Limits::DEFAULT;
    const TABLES: Limits = Limits { hash_max_listpack_entries: 0, ..Limits::DEFAULT };

    #[test]
    fn hashes_are_written_as_redis_writes_them() {
        let plain = [("f", "v", 0)];
        assert_eq!(content(&hash(&plain, &PACKED)), b"\x10\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff");
        assert_eq!(content(&hash(&plain, &TABLES)), b"\x04\x01\x01f\x01v");
        let timed = [("f", "v", 1000), ("g", "5", 0)];
        assert_eq!(
            content(&hash(&timed, &PACKED)),
            b"\x19\xe8\x03\0\0\0\0\0\0\x17\x17\0\0\0\x06\0\x81f\x02\x81v\x02\xc3\xe8\x02\x81g\x02\x05\x01\0\x01\xff"
        );
        let bytes = content(&hash(&timed, &TABLES));
        assert_eq!(bytes[..10], *b"\x18\xe8\x03\0\0\0\0\0\0\x02");
        // An expiry that was taken away again leaves nothing.
        let mut persisted = hash(&timed, &PACKED);
        persisted.set_expiry(b"f", None);
        assert_eq!((persisted.encoding(), type_id(&persisted)), (Encoding::ListpackEx, format::TYPE_HASH_LISTPACK));
        assert_eq!(shown(&read(&content(&persisted), &PACKED).unwrap()), expected(&[("f", "v", 0), ("g", "5", 0)]));
    }

    #[test]
    fn hashes_come_back_whatever_the_limits_are_there() {
        let mut rng = Rng::seeded(3);
        for count in [1, 5, 40, 700] {
            for is_timed in [false, true] {
                let fields: Vec<(String, String, i64)> = (0..count)
                    .map(|i| {
                        let value = "x".repeat(rng.below(80) as usize);
                        let when = if is_timed && rng.percent(50) { rng.between(1, 1 << 46) as i64 } else { 0 };
                        (format!("field{i}"), value, when)
                    })
                    .collect();
                let fields: Vec<(&str, &str, i64)> =
                    fields.iter().map(|(name, value, when)| (&name[..], &value[..], *when)).collect();
                for from in [PACKED, TABLES] {
                    let bytes = content(&hash(&fields, &from));
                    for to in [PACKED, TABLES] {
                        assert_eq!(shown(&read(&bytes, &to).unwrap()), expected(&fields));
                    }
                }
            }
        }
    }

    #[test]
    fn older_layouts_and_those_of_release_candidates_are_read() {
        let wanted = expected(&[("a", "1", 0), ("b", "xyz", 0)]);
        let zipmap = [&[9][..], &string(b"\x02\x01a\x01\x001\x01b\x03\x00xyz\xff")].concat();
        let ziplisted = [&[13][..], &string(&ziplist(&[b"a", b"1", b"b", b"xyz"]))].concat();
        for bytes in [zipmap, ziplisted] {
            for limits in [PACKED, TABLES] {
                let hash = read(&bytes, &limits).unwrap();
                assert_eq!(shown(&hash), wanted);
                assert_eq!(hash.encoding() == Encoding::Listpack, limits == PACKED);
            }
        }
        let absolute = [&[22, 2][..], b"\x00\x01a\x01\x31", b"\x43\xe8\x01b\x03xyz"].concat();
        let packed = [&[23][..], &string(Listpack::with(&["a", "1", "0", "b", "xyz", "1000"]).as_bytes())].concat();
        for bytes in [absolute, packed] {
            let hash = read(&bytes, &PACKED).unwrap();
            assert_eq!(shown(&hash), expected(&[("a", "1", 0), ("b", "xyz", 1000)]));
            assert_eq!(hash.iter().next().unwrap().name.to_vec(), b"b", "the earliest expiry comes first");
        }
    }

    #[test]
    fn a_value_arrives_byte_by_byte() {
        let fields = [("a", "1", 5000), ("b", "a longer value than those", 0), ("c", "", 4000)];
        for limits in [PACKED, TABLES] {
            let bytes = content(&hash(&fields, &limits));
            let mut reader = builder(bytes[0], &limits).unwrap();
            let (mut taken, mut value) = (1, None);
            for end in 1..=bytes.len() {
                let mut input = &bytes[taken..end];
                match reader.step(&mut input) {
                    Ok(done) => value = Some(done),
                    Err(Stop::Short) => {}
                    Err(bad) => panic!("{bad:?}"),
                }
                taken = end - input.len();
            }
            let Some(Value::Hash(again)) = value else { panic!("it did not become complete") };
            assert_eq!(shown(&again), expected(&fields));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |parts: &[&[u8]]| {
            for limits in [PACKED, TABLES] {
                assert_eq!(read(&parts.concat(), &limits).unwrap_err(), RestoreError::BadData, "{parts:?}");
            }
        };
        let listpack = |texts: &[&str]| string(Listpack::with(texts).as_bytes());
        refused(&[&[4, 0]]);
        refused(&[b"\x04\x02\x01f\x01v\x01f\x01w"]);
        refused(&[b"\x04\x02\x01f\x01v"]);
        refused(&[&[16], &string(b"nonsense")]);
        refused(&[&[16], &listpack(&[])]);
        refused(&[&[16], &listpack(&["f"])]);
        refused(&[&[16], &listpack(&["f", "v", "f", "w"])]);
        let many: Vec<String> = (0..100).map(|i| (i % 98).to_string()).collect();
        refused(&[&[16], &listpack(&many.iter().map(String::as_str).collect::<Vec<_>>())]);
        refused(&[&[9], &string(b"\x02\x01a\x01\x001\x01a\x01\x002\xff")]);
        refused(&[&[9], &string(b"\x01\x01a\xff")]);
        refused(&[&[13], &string(&ziplist(&[b"a", b"1", b"a", b"1"]))]);
        refused(&[&[13], &string(b"nonsense")]);
        let earliest = 1000i64.to_le_bytes();
        refused(&[&[25], &earliest, &listpack(&["f", "v"])]);
        refused(&[&[25], &earliest, &listpack(&["f", "v", "x"])]);
        refused(&[&[25], &earliest, &listpack(&["f", "v", "-5"])]);
        refused(&[&[25], &earliest, &listpack(&["f", "v", "5", "f", "w", "6"])]);
        refused(&[&[25], &(-1i64).to_le_bytes(), &listpack(&["f", "v", "5"])]);
        refused(&[&[24], &earliest, b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01f\x01v"]);
        refused(&[&[22], b"\x01\x81\x00\xff\xff\xff\xff\xff\xff\xff\x01f\x01v"]);
    }
}
