//! A sorted array of integers in one block of memory: what a small set of integers is kept as.
//!
//! ```text
//!  4 bytes        4 bytes      width bytes each, ascending, no value twice
//! | width 2|4|8 | count      | smallest | ... | largest |          everything little-endian
//!
//!  02 00 00 00    03 00 00 00  fb ff       05 00   e8 03            {-5, 5, 1000}, 14 bytes
//! ```
//!
//! The bytes are those of Redis's intset, so they go into RDB files and DUMP payloads as they are. All values have the
//! width of the widest value that was ever in the set: a value that does not fit widens all of them, and belongs at one of
//! the two ends then; removing it narrows nothing.
//!
//! Looking up is a binary search, changing moves what lies behind. Both are fast because sets are turned into tables
//! when they grow (`set-max-intset-entries`).
//!
//! An [`Intset`] is one word, the address of the block. The block's length follows from its header, so none is kept.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::fmt;
use std::ptr::NonNull;

/// Width and count.
const HEADER: usize = 8;

/// Most values in one set: Redis's bound, whatever `set-max-intset-entries` says. It keeps blocks below 8 GiB.
pub const INTSET_LEN_MAX: usize = 1 << 30;

/// Bytes that are not an intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnIntset;

/// Sorted integers.
pub struct Intset {
    block: NonNull<u8>,
}

// SAFETY: the block is owned by this value alone, like that of a `Box<[u8]>`.
unsafe impl Send for Intset {}
// SAFETY: as above; a shared reference only reads.
unsafe impl Sync for Intset {}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("an intset is shorter than memory")
}

/// How many bytes each value needs.
fn width_of(value: i64) -> usize {
    match value {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

/// The value at `index` of an array of values of this width.
#[inline]
fn value_at(values: &[u8], width: usize, index: usize) -> i64 {
    let at = index * width;
    match width {
        2 => i16::from_le_bytes(values[at..at + 2].try_into().expect("two bytes")).into(),
        4 => i32::from_le_bytes(values[at..at + 4].try_into().expect("four bytes")).into(),
        _ => i64::from_le_bytes(values[at..at + 8].try_into().expect("eight bytes")),
    }
}

impl Intset {
    /// No value yet.
    pub fn new() -> Intset {
        Intset::with_header(2, 0)
    }

    /// The values of `ascending`, which must be sorted and without repetition.
    pub fn from_ascending(ascending: &[i64]) -> Intset {
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]), "values are ascending");
        let ends = [ascending.first(), ascending.last()];
        let width = ends.into_iter().flatten().map(|value| width_of(*value)).max().unwrap_or(2);
        let mut set = Intset::with_header(width, ascending.len());
        for (index, value) in ascending.iter().enumerate() {
            set.write(index, *value);
        }
        set
    }

    /// Reads foreign bytes. Everything is checked: header, length, order. An empty set is not stored anywhere and is
    /// refused, as in Redis.
    pub fn parse(bytes: &[u8]) -> Result<Intset, NotAnIntset> {
        let (header, values) = bytes.split_at_checked(HEADER).ok_or(NotAnIntset)?;
        let width = u32::from_le_bytes(header[..4].try_into().expect("four bytes")) as usize;
        let count = u32::from_le_bytes(header[4..].try_into().expect("four bytes")) as usize;
        let is_sound = matches!(width, 2 | 4 | 8)
            && (1..=INTSET_LEN_MAX).contains(&count)
            && count.checked_mul(width) == Some(values.len())
            && (1..count).all(|index| value_at(values, width, index - 1) < value_at(values, width, index));
        if !is_sound {
            return Err(NotAnIntset);
        }
        let mut set = Intset::with_header(width, count);
        set.bytes_mut()[HEADER..].copy_from_slice(values);
        Ok(set)
    }

    /// How many values.
    #[inline]
    pub fn len(&self) -> usize {
        self.header()[1] as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, as RDB files hold them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block has the length that follows from its header, and all of it is initialised: `with_header` and
        // `resize` write zeros.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.byte_len()) }
    }

    /// Bytes of memory on the heap.
    pub fn memory(&self) -> usize {
        self.byte_len()
    }

    /// Where its memory begins.
    pub fn address(&self) -> *const u8 {
        self.block.as_ptr()
    }

    /// The value at `index` in ascending order. Panics when there is none.
    #[inline]
    pub fn get(&self, index: usize) -> i64 {
        value_at(self.values(), self.width(), index)
    }

    /// The values, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + '_ {
        let (values, width) = (self.values(), self.width());
        (0..self.len()).map(move |index| value_at(values, width, index))
    }

    /// Whether `value` is among them. O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// Adds `value`; gives whether it is new. O(n).
    pub fn insert(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            self.widen_with(value);
            return true;
        }
        let Err(index) = self.search(value) else { return false };
        let (width, count) = (self.width(), self.len());
        self.resize(width, count + 1);
        let values = &mut self.bytes_mut()[HEADER..];
        values.copy_within(index * width..count * width, (index + 1) * width);
        self.write(index, value);
        true
    }

    /// Takes `value` out; gives whether it was there. O(n).
    pub fn remove(&mut self, value: i64) -> bool {
        let found = self.search(value);
        if let Ok(index) = found {
            self.remove_at(index);
        }
        found.is_ok()
    }

    /// Takes out the value at `index` in ascending order. Panics when there is none. O(n).
    pub fn remove_at(&mut self, index: usize) -> i64 {
        let (width, count) = (self.width(), self.len());
        let value = self.get(index);
        let values = &mut self.bytes_mut()[HEADER..];
        values.copy_within((index + 1) * width..count * width, index * width);
        self.resize(width, count - 1);
        value
    }

    /// Where `value` is, or where it belongs.
    #[inline]
    fn search(&self, value: i64) -> Result<usize, usize> {
        match self.width() {
            2 => search::<2>(self.values(), value),
            4 => search::<4>(self.values(), value),
            _ => search::<8>(self.values(), value),
        }
    }

    /// Adds a value that is too wide, and therefore smaller or larger than all others.
    #[cold]
    fn widen_with(&mut self, value: i64) {
        let (count, is_first) = (self.len(), value < 0);
        let mut wider = Intset::with_header(width_of(value), count + 1);
        for (index, old) in self.iter().enumerate() {
            wider.write(index + usize::from(is_first), old);
        }
        wider.write(if is_first { 0 } else { count }, value);
        *self = wider;
    }

    /// Writes a value that fits the width.
    #[inline]
    fn write(&mut self, index: usize, value: i64) {
        let width = self.width();
        let at = HEADER + index * width;
        // Little-endian: the narrower form of a value that fits is the beginning of the wider one.
        self.bytes_mut()[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    #[inline]
    fn values(&self) -> &[u8] {
        &self.as_bytes()[HEADER..]
    }

    #[inline]
    fn width(&self) -> usize {
        self.header()[0] as usize
    }

    #[inline]
    fn byte_len(&self) -> usize {
        let [width, count] = self.header();
        HEADER + width as usize * count as usize
    }

    /// Width and count.
    #[inline]
    fn header(&self) -> [u32; 2] {
        // SAFETY: every block has a header, is aligned to 8, and is initialised.
        unsafe { self.block.cast::<[u32; 2]>().read() }.map(u32::from_le)
    }

    fn set_header(&mut self, width: usize, count: usize) {
        assert!(count <= u32::MAX as usize, "an intset of {count} values");
        // SAFETY: as for `header`; the block is owned.
        unsafe { self.block.cast::<[u32; 2]>().write([width as u32, count as u32].map(u32::to_le)) }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `as_bytes`; the set is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr(), self.byte_len()) }
    }

    /// A new block for `count` values of this width, all of them zero.
    fn with_header(width: usize, count: usize) -> Intset {
        let bytes = HEADER + width * count;
        // SAFETY: the layout is not empty. The whole block is initialised before anybody reads it.
        let block = unsafe {
            let block = alloc(layout(bytes));
            if block.is_null() {
                handle_alloc_error(layout(bytes));
            }
            block.write_bytes(0, bytes);
            NonNull::new_unchecked(block)
        };
        let mut set = Intset { block };
        set.set_header(width, count);
        set
    }

    /// Changes the count; values that come in addition are zero.
    fn resize(&mut self, width: usize, count: usize) {
        let (old, new) = (self.byte_len(), HEADER + width * count);
        // SAFETY: the block was allocated with the layout of `old` bytes, as `byte_len` follows from the header and both
        // change here only. What is added is initialised before anybody reads it.
        unsafe {
            let block = realloc(self.block.as_ptr(), layout(old), layout(new).size());
            if block.is_null() {
                handle_alloc_error(layout(new));
            }
            if new > old {
                block.add(old).write_bytes(0, new - old);
            }
            self.block = NonNull::new_unchecked(block);
        }
        self.set_header(width, count);
    }
}

/// Binary search in values of width `W`.
#[inline]
fn search<const W: usize>(values: &[u8], value: i64) -> Result<usize, usize> {
    let at = |index: usize| value_at(values, W, index);
    let (mut low, mut high) = (0, values.len() / W);
    // Values often come in order: what is larger than all is found out at once.
    if high > 0 && at(high - 1) < value {
        return Err(high);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let found = at(middle);
        if found == value {
            return Ok(middle);
        }
        if found < value { low = middle + 1 } else { high = middle }
    }
    Err(low)
}

impl Drop for Intset {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, see `resize`, and never used again.
        unsafe { dealloc(self.block.as_ptr(), layout(self.byte_len())) }
    }
}

impl Clone for Intset {
    fn clone(&self) -> Intset {
        let mut copy = Intset::with_header(self.width(), self.len());
        copy.bytes_mut().copy_from_slice(self.as_bytes());
        copy
    }
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

impl PartialEq for Intset {
    fn eq(&self, other: &Intset) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Intset {}

impl fmt::Debug for Intset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::base::rng::steps;

    fn set(values: &[i64]) -> Intset {
        let mut set = Intset::new();
        values.iter().for_each(|value| assert!(set.insert(*value), "{value} is new"));
        set
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        assert_eq!(set(&[1000, -5, 5]).as_bytes(), b"\x02\0\0\0\x03\0\0\0\xfb\xff\x05\0\xe8\x03");
        let wide = set(&[1, 65535, -1]);
        assert_eq!(wide.as_bytes(), b"\x04\0\0\0\x03\0\0\0\xff\xff\xff\xff\x01\0\0\0\xff\xff\0\0");
        let mut widest = set(&[1, i64::MIN]);
        assert_eq!(widest.as_bytes(), b"\x08\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\0");
        assert!(widest.remove(i64::MIN));
        assert_eq!(widest.as_bytes(), b"\x08\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0", "the width stays");
    }

    #[test]
    fn a_value_that_is_there_is_not_added_again() {
        let mut set = set(&[3, 1, 2]);
        assert!(!set.insert(2) && !set.remove(9) && set.len() == 3);
        assert!(set.remove(1) && set.remove(3) && set.remove(2) && set.is_empty());
        assert_eq!(set.as_bytes(), b"\x02\0\0\0\0\0\0\0");
    }

    #[test]
    fn foreign_bytes_are_checked() {
        let good = set(&[1, 2, 70000]);
        assert_eq!(Intset::parse(good.as_bytes()).unwrap().as_bytes(), good.as_bytes());
        let bad: &[&[u8]] = &[
            b"",
            b"\x02\0\0\0\0\0\0",
            b"\x02\0\0\0\0\0\0\0",
            b"\x03\0\0\0\x01\0\0\0\x01\0\0",
            b"\0\0\0\0\x01\0\0\0",
            b"\x02\0\0\0\x02\0\0\0\x01\0",
            b"\x02\0\0\0\x01\0\0\0\x01\0\x02\0",
            b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0",
            b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
            b"\x08\0\0\0\xff\xff\xff\xff",
            b"\x08\0\0\0\0\0\0\x20",
        ];
        for bytes in bad {
            assert_eq!(Intset::parse(bytes), Err(NotAnIntset), "{bytes:x?}");
        }
    }

    #[test]
    fn built_at_once_or_one_by_one_it_is_the_same() {
        for values in [&[][..], &[5], &[-1, 0, 40000], &[i64::MIN, 0, i64::MAX]] {
            let at_once = Intset::from_ascending(values);
            assert_eq!((at_once.as_bytes(), at_once.clone().len()), (set(values).as_bytes(), values.len()));
        }
    }

    /// Mostly small values, so that they meet again; every width.
    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![8 => -20..20i64, 2 => -40000..40000i64, 1 => any::<i32>().prop_map(i64::from), 1 => any::<i64>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(steps(256, 4)))]
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec((any::<bool>(), value()), 0..200)) {
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            for (is_insert, value) in steps {
                if is_insert {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), model.contains(&value));
                prop_assert_eq!(set.len(), model.len());
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert!(model.is_empty() || Intset::parse(set.as_bytes()).is_ok());
            prop_assert_eq!(&set.clone(), &set);
        }

        #[test]
        fn whatever_is_parsed_can_be_used(bytes in prop::collection::vec(any::<u8>(), 0..40), width in 0..10u8, n in 0..6u8) {
            let mut bytes = bytes;
            if bytes.len() >= 8 {
                bytes[..8].copy_from_slice(&[width, 0, 0, 0, n, 0, 0, 0]);
            }
            if let Ok(mut set) = Intset::parse(&bytes) {
                prop_assert_eq!(set.as_bytes(), &bytes[..]);
                set.insert(7);
                prop_assert!(set.contains(7));
            }
        }
    }
}
