//! One segment: a small open-addressing table that never looks at keys when it grows.
//!
//! ```text
//! | header 64 B | bucket 0 | bucket 1 | ... | bucket n-1 |      a bucket is one cache line: 8 slots of 8 bytes
//!
//! slot   bits 48-63  tag: the low 16 bits of the key's hash
//!        bits  3-47  address of the entry (a multiple of 8)
//!        bit   2     elements of the value have expiries of their own
//!        bit   1     the entry owns memory outside the table's arena
//!        bit   0     the entry has an expiry
//!        all zero    empty
//! ```
//!
//! The home bucket of a tag is `tag * n / 65536`. It depends on the tag alone, so a segment can be rebuilt with another
//! number of buckets from its slots, without a look at the entries. The order of homes is the order of tags, which is
//! what makes SCAN cursors survive growth.
//!
//! Slots of a bucket are kept without gaps. An entry lies in its home bucket, or, if that was full, in the next one that
//! was not, around the end. Hence the rule of look-ups: *a bucket with an empty slot ends the search*. Removing a slot
//! from a full bucket restores the rule by pulling back a later entry that had to pass this bucket.
//!
//! A directory word names a segment by everything that a look-up needs: address (a multiple of 64), number of buckets
//! in bits 48-63, and in the low six bits its depth, the number of leading hash bits its keys share.

use std::ptr::NonNull;

use super::EntryRef;
use crate::base::prefetch::{LINE, prefetch};

/// Slots of a bucket.
pub(super) const SLOTS: usize = 8;
/// The address within a slot or a directory word.
const ADDRESS: u64 = (1 << 48) - 1;
const SLOT_ADDRESS: u64 = ADDRESS & !7;

/// The entry has an expiry.
pub(super) const EXPIRES: u64 = 1;
/// The entry owns memory outside the arena.
pub(super) const OUTSIDE: u64 = 2;
/// Elements of the value have expiries.
pub(super) const ELEMENTS: u64 = 4;

/// What writers and sweeps need to know of a segment; look-ups do not touch it.
#[repr(C, align(64))]
pub(super) struct Header {
    /// The epoch of the last cut that has this segment, or in which it was made.
    pub version: u64,
    /// After this moment the sweep has to look for keys that are over, see `scan.rs`.
    pub due: i64,
    pub count: u32,
    pub expires: u32,
}

pub(super) type Bucket = [u64; SLOTS];

/// A live segment, as its directory word. Whoever holds one has taken it from the directory of a table and has not let
/// the table replace it since; all methods rely on that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment(u64);

/// A slot's content: where an entry is, its tag, and the marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(pub u64);

impl Slot {
    /// The slot of the entry at `block`.
    #[inline]
    pub fn new(block: NonNull<u8>, hash: u64, marks: u64) -> Slot {
        let address = block.as_ptr() as u64;
        debug_assert_eq!(address & !SLOT_ADDRESS, 0, "blocks lie in the lower half and are aligned to 8");
        Slot(hash << 48 | address | marks)
    }

    /// Where the entry is.
    #[inline]
    pub fn block(self) -> NonNull<u8> {
        debug_assert_ne!(self.0 & SLOT_ADDRESS, 0);
        // SAFETY: slots are made from the addresses of blocks, which are not null.
        unsafe { NonNull::new_unchecked((self.0 & SLOT_ADDRESS) as *mut u8) }
    }

    /// The same slot when the entry has moved to `block`.
    pub fn at(self, block: NonNull<u8>) -> Slot {
        Slot(self.0 & !SLOT_ADDRESS | block.as_ptr() as u64)
    }

    /// Asks for the entry. Most are shorter than a line but may lie across two.
    #[inline]
    pub fn prefetch(self) {
        let address = self.block().as_ptr();
        prefetch(address);
        prefetch(address.wrapping_add(40));
    }

    /// The low 16 bits of the key's hash.
    #[inline]
    pub fn tag(self) -> u64 {
        self.0 >> 48
    }

    /// Whether the entry is marked so.
    #[inline]
    pub fn has(self, mark: u64) -> bool {
        self.0 & mark != 0
    }

    /// The entry in this slot.
    #[inline]
    pub fn entry<'a>(self) -> EntryRef<'a> {
        // SAFETY: a slot in a segment names the block of a live entry. Lifetimes are bounded again by the table's methods,
        // which are the only ones to hand entries out.
        unsafe { EntryRef::new(self.block()) }
    }
}

/// The home bucket of `tag` among `n`.
#[inline]
fn home(tag: u64, n: usize) -> usize {
    (tag as usize * n) >> 16
}

/// How much of an entry is asked for ahead: four or five lines, with which the largest batch still fits a first-level cache.
const PREFETCH_MAX: usize = 256;

/// A bit for each slot whose tag is `tag`: bit `4 * i + 3` for slot `i`. An empty slot looks like tag 0.
#[cfg(target_arch = "x86_64")]
#[inline]
fn match_tag(bucket: &Bucket, tag: u64) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is part of x86_64; a bucket is four aligned vectors.
    unsafe {
        let at = bucket.as_ptr().cast::<__m128i>();
        let wanted = _mm_set1_epi16(tag as i16);
        let same = |i: usize| _mm_cmpeq_epi16(_mm_load_si128(at.add(i)), wanted);
        let low = _mm_movemask_epi8(_mm_packs_epi16(same(0), same(1))) as u32;
        let high = _mm_movemask_epi8(_mm_packs_epi16(same(2), same(3))) as u32;
        (low | high << 16) & 0x8888_8888
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn match_tag(bucket: &Bucket, tag: u64) -> u32 {
    bucket.iter().enumerate().fold(0, |mask, (i, slot)| mask | u32::from(slot >> 48 == tag) << (4 * i + 3))
}

impl Segment {
    /// The word of a segment whose header is at `header`.
    pub fn new(header: NonNull<u8>, buckets: usize, depth: u32) -> Segment {
        let address = header.as_ptr() as u64;
        debug_assert!(address & !(ADDRESS & !63) == 0 && buckets <= MAX_BUCKETS && depth < 64);
        Segment((buckets as u64) << 48 | address | u64::from(depth))
    }

    /// Bytes that a segment of `buckets` buckets takes.
    pub const fn size(buckets: usize) -> usize {
        size_of::<Header>() + buckets * size_of::<Bucket>()
    }

    /// How many buckets there are.
    #[inline]
    pub fn buckets(self) -> usize {
        (self.0 >> 48) as usize
    }

    /// How many leading bits of their hashes the keys share.
    #[inline]
    pub fn depth(self) -> u32 {
        (self.0 & 63) as u32
    }

    /// Where the segment begins.
    #[inline]
    pub fn block(self) -> NonNull<u8> {
        // SAFETY: made from the address of a block.
        unsafe { NonNull::new_unchecked((self.0 & ADDRESS & !63) as *mut u8) }
    }

    /// The header, to read.
    #[inline]
    pub fn header<'a>(self) -> &'a Header {
        // SAFETY: a live segment begins with its header; one thread at a time uses a table, and its methods do not hold
        // this across `header_mut`.
        unsafe { self.block().cast::<Header>().as_ref() }
    }

    /// The header, to alter.
    #[inline]
    pub fn header_mut<'a>(self) -> &'a mut Header {
        // SAFETY: as for `header`; called with the table borrowed mutably, for one statement at a time.
        unsafe { self.block().cast::<Header>().as_mut() }
    }

    #[inline]
    fn line(self, bucket: usize) -> *mut Bucket {
        debug_assert!(bucket < self.buckets());
        // SAFETY: the buckets follow the header, and there are that many.
        unsafe { self.block().as_ptr().add(size_of::<Header>()).cast::<Bucket>().add(bucket) }
    }

    /// One bucket, to read.
    #[inline]
    pub fn bucket<'a>(self, bucket: usize) -> &'a Bucket {
        // SAFETY: as for `header`.
        unsafe { &*self.line(bucket) }
    }

    #[inline]
    fn bucket_mut<'a>(self, bucket: usize) -> &'a mut Bucket {
        // SAFETY: as for `header_mut`.
        unsafe { &mut *self.line(bucket) }
    }

    #[inline]
    fn after(self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets() { 0 } else { bucket + 1 }
    }

    /// Sets up a segment in fresh memory.
    pub fn clear(self, version: u64, due: i64) {
        // SAFETY: the block has room for this header and these buckets; nothing in it needs dropping.
        unsafe {
            let header = Header { version, due, count: 0, expires: 0 };
            self.block().cast::<Header>().write(header);
            self.line(0).write_bytes(0, self.buckets());
        }
    }

    /// Asks for the home bucket of `hash`.
    #[inline]
    pub fn prefetch_bucket(self, hash: u64) {
        prefetch(self.line(home(hash & 0xffff, self.buckets())).cast());
    }

    /// Asks for what adding a key of `hash` will touch: the header, which counts it, and its home bucket.
    #[inline]
    pub fn prefetch_insert(self, hash: u64) {
        prefetch(self.block().as_ptr());
        self.prefetch_bucket(hash);
    }

    /// Asks for the entries in the home bucket that `hash` may mean, of about `size` bytes.
    #[inline]
    pub fn prefetch_entry(self, hash: u64, size: usize) {
        let size = size.min(PREFETCH_MAX);
        for slot in self.at_home(hash) {
            let address = (slot.0 & SLOT_ADDRESS) as *const u8;
            prefetch(address);
            // Also the shortest may lie across two lines.
            prefetch(address.wrapping_add(40));
            for at in (104..size).step_by(LINE) {
                prefetch(address.wrapping_add(at));
            }
            if size > 40 + LINE / 2 {
                prefetch(address.wrapping_add(size - 1));
            }
        }
    }

    /// Asks for what the collections in the home bucket own that `hash` may mean. Their entries must have come before.
    #[inline]
    pub fn prefetch_outside(self, hash: u64) {
        for slot in self.at_home(hash).filter(|slot| slot.has(OUTSIDE)) {
            if let Some(address) = slot.entry().value().heap() {
                prefetch(address);
                prefetch(address.wrapping_add(LINE));
            }
        }
    }

    /// The slots of its home bucket that `hash` may be in; an empty one may be among them.
    #[inline]
    fn at_home(self, hash: u64) -> impl Iterator<Item = Slot> {
        let tag = hash & 0xffff;
        let bucket = self.bucket(home(tag, self.buckets()));
        let mut matches = match_tag(bucket, tag);
        std::iter::from_fn(move || {
            let slot = (matches != 0).then(|| Slot(bucket[matches.trailing_zeros() as usize / 4]))?;
            matches &= matches - 1;
            Some(slot)
        })
    }

    /// Where `key` is: bucket times eight plus slot.
    #[inline]
    pub fn find(self, hash: u64, key: &[u8]) -> Option<usize> {
        self.find_by(hash, |entry| entry.key() == key)
    }

    /// Where the entry is that has this hash and of which `is_it` says so.
    #[inline]
    pub fn find_by(self, hash: u64, is_it: impl Fn(EntryRef<'_>) -> bool) -> Option<usize> {
        let tag = hash & 0xffff;
        let start = home(tag, self.buckets());
        let mut at = start;
        loop {
            let bucket = self.bucket(at);
            let mut matches = match_tag(bucket, tag);
            while matches != 0 {
                let i = matches.trailing_zeros() as usize / 4;
                if bucket[i] != 0 && is_it(Slot(bucket[i]).entry()) {
                    return Some(at * SLOTS + i);
                }
                matches &= matches - 1;
            }
            if bucket[SLOTS - 1] == 0 {
                return None;
            }
            at = self.after(at);
            if at == start {
                return None;
            }
        }
    }

    /// The slot at `at`, as [`Segment::find`] gives it.
    #[inline]
    pub fn slot(self, at: usize) -> Slot {
        Slot(self.bucket(at / SLOTS)[at % SLOTS])
    }

    /// Overwrites the slot at `at` with one of the same tag.
    #[inline]
    pub fn set_slot(self, at: usize, slot: Slot) {
        self.bucket_mut(at / SLOTS)[at % SLOTS] = slot.0;
    }

    /// Puts a slot into the first bucket with room from its home on; gives where. There must be room.
    pub fn place(self, slot: Slot) -> usize {
        let mut at = home(slot.tag(), self.buckets());
        for _ in 0..self.buckets() {
            let bucket = self.bucket_mut(at);
            if bucket[SLOTS - 1] == 0 {
                let free = bucket.iter().position(|&s| s == 0).expect("the last one is");
                bucket[free] = slot.0;
                return at * SLOTS + free;
            }
            at = self.after(at);
        }
        panic!("a segment of {} buckets with {} entries is full", self.buckets(), self.header().count);
    }

    /// Takes the slot at `at` out, and pulls back what had to pass its bucket.
    pub fn take(self, at: usize) -> Slot {
        let taken = self.slot(at);
        let (mut hole, mut index) = (at / SLOTS, at % SLOTS);
        loop {
            let bucket = self.bucket_mut(hole);
            let was_full = bucket[SLOTS - 1] != 0;
            let last = bucket.iter().rposition(|&s| s != 0).expect("the slot to take is there");
            bucket[index] = bucket[last];
            bucket[last] = 0;
            if !was_full {
                return taken;
            }
            match self.find_passer(hole) {
                None => return taken,
                Some((from, i)) => {
                    bucket[SLOTS - 1] = self.bucket(from)[i];
                    (hole, index) = (from, i);
                }
            }
        }
    }

    /// An entry in a bucket behind `hole` that would rather be in `hole` or before it. A bucket with an empty slot ends
    /// the search: nothing passed it.
    fn find_passer(self, hole: usize) -> Option<(usize, usize)> {
        let n = self.buckets();
        let distance = |from: usize, to: usize| if to >= from { to - from } else { to + n - from };
        let mut at = self.after(hole);
        while at != hole {
            let bucket = self.bucket(at);
            let from_hole = distance(hole, at);
            let passes = |&s: &u64| s != 0 && distance(home(s >> 48, n), at) >= from_hole;
            if let Some(i) = bucket.iter().position(passes) {
                return Some((at, i));
            }
            if bucket[SLOTS - 1] == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// All slots that are not empty, in order of buckets.
    pub fn slots<'a>(self) -> impl Iterator<Item = Slot> + use<'a> {
        (0..self.buckets()).flat_map(move |b| self.bucket(b).iter().take_while(|&&s| s != 0).map(|&s| Slot(s)))
    }

    /// Gives `visit` bucket after bucket from the home of `hash` on, all around, until it has had enough.
    pub fn buckets_from<'a>(self, hash: u64, visit: &mut dyn FnMut(&'a Bucket) -> bool) -> bool {
        let start = home(hash & 0xffff, self.buckets());
        (start..self.buckets()).chain(0..start).all(|at| visit(self.bucket(at)))
    }

    /// Visits the slots whose tags are in `low..high`, wherever they had to go.
    pub fn slots_of_tags(self, low: u64, high: u64, visit: &mut dyn FnMut(Slot)) {
        let n = self.buckets();
        let (first, last) = (home(low, n), home(high - 1, n));
        let mut at = first;
        for step in 0..n {
            let bucket = self.bucket(at);
            for &slot in bucket.iter().take_while(|&&slot| slot != 0) {
                if (low..high).contains(&(slot >> 48)) {
                    visit(Slot(slot));
                }
            }
            if first + step >= last && bucket[SLOTS - 1] == 0 {
                return;
            }
            at = self.after(at);
        }
    }
}

/// Most buckets a directory word can say.
pub(super) const MAX_BUCKETS: usize = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Rng, steps};

    /// Slots that name no entry: `find` is not called on them.
    fn slot(tag: u64, id: u64) -> Slot {
        Slot(tag << 48 | id << 3)
    }

    fn check(segment: Segment, model: &[Slot]) {
        let n = segment.buckets();
        let mut got: Vec<u64> = segment.slots().map(|s| s.0).collect();
        let mut wanted: Vec<u64> = model.iter().map(|s| s.0).collect();
        got.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(got, wanted);
        for b in 0..n {
            for &s in segment.bucket(b).iter().take_while(|&&s| s != 0) {
                let mut at = home(s >> 48, n);
                while at != b {
                    assert_ne!(segment.bucket(at)[SLOTS - 1], 0, "a search for this slot would stop early");
                    at = segment.after(at);
                }
            }
            let gap = segment.bucket(b).iter().position(|&s| s == 0).unwrap_or(SLOTS);
            assert!(segment.bucket(b)[gap..].iter().all(|&s| s == 0), "no gaps");
        }
    }

    #[test]
    fn placing_and_taking_keep_every_slot_within_reach() {
        for seed in 0..u64::from(steps(60, 4)) {
            let mut rng = Rng::seeded(seed);
            let n = rng.between(1, 12) as usize;
            let mut memory = vec![[0u64; 8]; n + 2];
            let address = memory.as_mut_ptr() as usize;
            let header = NonNull::new(address.next_multiple_of(64) as *mut u8).unwrap();
            let segment = Segment::new(header, n, 0);
            segment.clear(0, 0);
            let mut model: Vec<Slot> = Vec::new();
            // Few tags, so that buckets overflow far.
            let spread = [4, 100, 65536][rng.below(3) as usize];
            for id in 1..u64::from(steps(2000, 60)) {
                if model.len() + 1 < n * SLOTS && rng.percent(55) {
                    let tag = if rng.percent(50) { rng.below(spread) } else { 65535 - rng.below(spread) };
                    let new = slot(tag, id);
                    let at = segment.place(new);
                    assert_eq!(segment.slot(at), new);
                    model.push(new);
                } else if !model.is_empty() {
                    let gone = model.swap_remove(rng.below(model.len() as u64) as usize);
                    let at = (0..n * SLOTS).find(|&at| segment.slot(at) == gone).expect("it is there");
                    assert_eq!(segment.take(at), gone);
                }
                check(segment, &model);
            }
            let (low, high) = (rng.below(65536), 65536);
            let mut seen = Vec::new();
            segment.slots_of_tags(low, high, &mut |s| seen.push(s.0));
            let mut wanted: Vec<u64> = model.iter().filter(|s| s.tag() >= low).map(|s| s.0).collect();
            seen.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn tags_are_matched_in_all_slots() {
        #[repr(align(64))]
        struct Line(Bucket);
        let mut rng = Rng::seeded(9);
        for _ in 0..steps(2000, 40) {
            let mut line = Line([0; SLOTS]);
            line.0.iter_mut().for_each(|s| *s = rng.below(3).wrapping_sub(1) << 48 | rng.next_u64() >> 16);
            for tag in [0, 1, 0xffff] {
                let plain = (0..SLOTS).filter(|&i| line.0[i] >> 48 == tag).fold(0, |m, i| m | 1u32 << (4 * i + 3));
                assert_eq!(match_tag(&line.0, tag), plain);
            }
        }
    }
}
