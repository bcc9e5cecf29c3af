//! How the table grows and shrinks: one segment at a time.
//!
//! A segment is full at seven eighths. It then gets more buckets, in steps whose sizes are classes of the arena, until
//! it has [`SPLIT_AT`] buckets (434 keys); after that it splits by one more bit of the hash, which takes a hash of each
//! of its keys, some ten microseconds. The directory doubles when a segment as deep as itself splits: a copy of eight
//! bytes per 200 to 400 keys.
//!
//! A segment that has become three eighths full loses buckets; if it and its sibling together are small, they become one
//! again. When no segment is as deep as the directory any more, the directory is halved.
//!
//! Under a cut a sibling may have another version than the segment, and one version cannot speak for both: then they
//! are not merged this time.

use super::segment::{EXPIRES, MAX_BUCKETS, SLOTS, Segment, Slot};
use super::{AHEAD, MAX_DEPTH, Table};
use crate::base::prefetch::prefetch;

/// Numbers of buckets in normal operation. With the header, each is a size that the arena has.
const STEPS: [usize; 17] = [1, 2, 3, 4, 5, 6, 8, 11, 15, 19, 24, 30, 36, 41, 47, 55, SPLIT_AT];

/// A segment of this many buckets splits rather than grows.
const SPLIT_AT: usize = 62;

/// Two siblings with at most this many keys become one, which then has far to go until it splits.
const MERGE_MAX: u32 = 160;

/// The directory may have this many words however few keys there are, else one word per `KEYS_PER_WORD`.
const DIRECTORY_FREE: usize = 64;
const KEYS_PER_WORD: usize = 16;

/// A table made for an announced number of keys is given at most this many keys per segment.
const RESERVED_KEYS: usize = 360;

/// How many keys fit: one bucket in eight stays empty, so that searches end soon.
fn capacity(buckets: usize) -> u32 {
    (buckets * (SLOTS - 1)) as u32
}

/// The fewest buckets for `count` keys that leave some room to grow.
fn fitting(count: u32) -> usize {
    let wanted = count + count / 16;
    STEPS.into_iter().find(|&n| capacity(n) > wanted).unwrap_or_else(|| oversize(count))
}

/// Beyond the normal steps: a fifth more than needed.
fn oversize(count: u32) -> usize {
    (count as usize / (SLOTS - 1) * 6 / 5).clamp(SPLIT_AT, MAX_BUCKETS)
}

impl Table {
    /// The segment for `hash`, with room for one more entry.
    #[inline]
    pub(super) fn make_room(&mut self, hash: u64) -> Segment {
        loop {
            let segment = self.segment(hash);
            if segment.header().count < capacity(segment.buckets()) {
                return segment;
            }
            self.grow(hash);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, hash: u64) {
        let word = self.word_of(hash);
        let segment = self.directory[word];
        let n = segment.buckets();
        if let Some(&next) = STEPS.iter().find(|&&step| step > n) {
            self.rebuild(word, next);
        } else if self.may_split(segment) {
            self.split(word);
        } else {
            let next = oversize(segment.header().count + segment.header().count / 4);
            assert!(next > n, "more than {} keys with one hash", segment.header().count);
            self.rebuild(word, next);
        }
    }

    /// Whether the directory stays proportional to the keys if `segment` splits. With a good hash it always does.
    fn may_split(&self, segment: Segment) -> bool {
        let doubled = if segment.depth() == self.depth() { self.directory.len() * 2 } else { 0 };
        segment.depth() as usize + 1 < MAX_DEPTH && doubled <= DIRECTORY_FREE.max(self.len / KEYS_PER_WORD)
    }

    /// A new segment in memory of its own, named by no word yet.
    fn make_segment(&mut self, buckets: usize, depth: u32, version: u64, due: i64) -> Segment {
        let segment = Segment::new(self.arena.alloc(Segment::size(buckets)), buckets, depth);
        segment.clear(version, due);
        self.at_depth[depth as usize] += 1;
        segment
    }

    fn free_segment(&mut self, segment: Segment) {
        self.at_depth[segment.depth() as usize] -= 1;
        // SAFETY: the segment came from `make_segment`, and its words have been given to others.
        unsafe { self.arena.free(segment.block(), Segment::size(segment.buckets())) };
    }

    /// Makes every word of the segment at `word` name `new`, which is as deep.
    fn point(&mut self, word: usize, new: Segment) {
        let span = 1usize << (self.depth() - new.depth());
        let first = word & !(span - 1);
        self.directory[first..first + span].fill(new);
    }

    /// Gives a segment another number of buckets.
    fn rebuild(&mut self, word: usize, buckets: usize) {
        let old = self.directory[word];
        let header = old.header();
        let new = self.make_segment(buckets, old.depth(), header.version, header.due);
        pour(old, new);
        self.point(word, new);
        self.free_segment(old);
    }

    /// Splits a segment by the next bit of its keys' hashes.
    fn split(&mut self, word: usize) {
        let old = self.directory[word];
        let mut word = word;
        if old.depth() == self.depth() {
            let mut doubled = Vec::with_capacity(self.directory.len() * 2);
            self.directory.iter().for_each(|&segment| doubled.extend([segment, segment]));
            self.directory = doubled;
            self.shift -= 1;
            word *= 2;
        }
        let mut sides: [Vec<Slot>; 2] = Default::default();
        sides.iter_mut().for_each(|side| side.reserve(old.header().count as usize));
        let mut ahead = old.slots();
        ahead.by_ref().take(AHEAD).for_each(|slot| prefetch(slot.block().as_ptr()));
        for slot in old.slots() {
            if let Some(later) = ahead.next() {
                prefetch(later.block().as_ptr());
            }
            let hash = self.hasher.hash(slot.entry().key());
            sides[(hash >> (63 - old.depth()) & 1) as usize].push(slot);
        }
        let depth = old.depth() + 1;
        let span = 1usize << (self.depth() - depth);
        let first = word & !(2 * span - 1);
        let (version, due) = (old.header().version, old.header().due);
        for (side, slots) in sides.iter().enumerate() {
            let new = self.make_segment(fitting(slots.len() as u32), depth, version, due);
            slots.iter().for_each(|&slot| add(new, slot));
            self.point(first + side * span, new);
        }
        self.free_segment(old);
    }

    /// After a removal from the segment at `word`: gives back memory if it has become rather empty.
    #[inline]
    pub(super) fn maybe_shrink(&mut self, word: usize) {
        let segment = self.directory[word];
        if segment.header().count < 3 * segment.buckets() as u32 && segment.buckets() > 1 {
            self.shrink(word);
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self, word: usize) {
        if self.merge(word) {
            return;
        }
        let segment = self.directory[word];
        let fitting = fitting(segment.header().count);
        if fitting < segment.buckets() {
            self.rebuild(word, fitting);
        }
    }

    /// Makes the segment at `word` and its sibling one, if together they are small.
    fn merge(&mut self, word: usize) -> bool {
        let segment = self.directory[word];
        if segment.depth() == 0 {
            return false;
        }
        let span = 1usize << (self.depth() - segment.depth());
        let sibling = self.directory[word ^ span];
        let (a, b) = (segment.header(), sibling.header());
        if sibling.depth() != segment.depth() || a.version != b.version || a.count + b.count > MERGE_MAX {
            return false;
        }
        let due = a.due.min(b.due);
        let new = self.make_segment(fitting(a.count + b.count), segment.depth() - 1, a.version, due);
        pour(segment, new);
        pour(sibling, new);
        self.point(word, new);
        self.free_segment(segment);
        self.free_segment(sibling);
        while self.depth() > 0 && self.at_depth[self.depth() as usize] == 0 {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.shift += 1;
        }
        true
    }

    /// Makes room for about `keys` keys in a table that has none yet, so that they come in without splits. The caller
    /// bounds their number.
    pub fn reserve(&mut self, keys: usize) {
        let depth = keys.div_ceil(RESERVED_KEYS).next_power_of_two().ilog2();
        if self.len > 0 || self.depth() > 0 || depth == 0 {
            return;
        }
        let buckets = fitting((keys >> depth) as u32);
        let old = self.directory[0];
        let version = old.header().version;
        self.free_segment(old);
        self.shift = 63 - depth;
        self.directory = (0..1 << depth).map(|_| self.make_segment(buckets, depth, version, i64::MAX)).collect();
    }
}

/// Copies all slots of one segment into another.
fn pour(from: Segment, to: Segment) {
    from.slots().for_each(|slot| add(to, slot));
}

fn add(segment: Segment, slot: Slot) {
    segment.place(slot);
    let header = segment.header_mut();
    header.count += 1;
    header.expires += u32::from(slot.has(EXPIRES));
}
