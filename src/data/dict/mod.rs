//! `Dict`: a hash table of byte strings, the large encoding of sets (keys) and hashes (keys with values).
//!
//! # How to use it
//!
//! ```text
//! let mut set: KeyDict = Dict::new();           let mut map: MapDict = Dict::new();
//! set.insert(b"a") -> bool: was it new          map.set(b"f", Fresh::Copied(b"v"), None) -> bool
//! set.contains(b"a")                            map.get(b"f") -> Option<Entry { key, value, expiry, .. }>
//! ```
//!
//! and for both: `len`, `remove(key) -> bool`, `iter()`, `scan(cursor, count, visit) -> next cursor`, `reserve(n)` before
//! filling an empty one, `memory()` and `allocations()` (both O(1)), `Clone` (a deep copy), and places:
//! `random(rng) -> Option<Spot>`, `find(key) -> Option<Spot>`, `entry(spot)`, `remove_at(spot)`. A `Spot` is good until
//! the table is altered.
//!
//! # How it is built
//!
//! The elements are not allocated one by one: about [`PER_SEGMENT`] of them share a [`segment`], one block of memory with
//! one tag byte and a two-byte offset per element. A set of 16-byte strings takes some 24 bytes per element that way, and a
//! hash of 16-byte fields and values some 43. Look-ups touch the directory, the segment's tags and offsets, the element.
//!
//! Segments are numbered, and the table grows by one segment at a time (linear hashing). With n segments, b bits of the
//! hash being enough to number them, an element is in segment `hash mod 2^b`, or if there is no such segment yet, in
//! `hash mod 2^(b-1)`:
//!
//! ```text
//! n = 6, b = 3:   segments  000 001 010 011 100 101        110 is missing: its elements are in 010
//! segment 7 is added (110): the elements of 010 whose third bit is 1 move there, and nothing else changes
//! ```
//!
//! So whichever segment is full is not the one that splits, but on average each has as much as it should, and a fuller one
//! is just a longer block. An insert moves at most the elements of one segment; nothing ever rehashes the whole. The same
//! backwards when elements go.
//!
//! # Iterating while the table changes
//!
//! A SCAN cursor is a position in the order of the *reversed* hash, in which the elements of a segment and of the one it
//! is split into are neighbours. [`scan`] has the details: an element that is there all the time is visited at least
//! once, whatever grows or shrinks meanwhile.
//!
//! With a bad hash segments get long and slow, never wrong.

mod expire;
mod scan;
mod segment;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use foldhash::quality::RandomState;

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::rows::Rows;
pub use segment::Fresh;
use segment::{Figures, New, Segment};

/// A set of byte strings.
pub type KeyDict = Dict<false>;
/// A map from byte strings to byte strings, each with an expiry if need be.
pub type MapDict = Dict<true>;

/// Elements per segment, on average, when the table is as full as it gets. Segments not split yet in the present round have
/// up to twice as many. More of them would take less memory and more time.
const PER_SEGMENT: usize = 48;
/// The same for bytes, so that few long elements do not make blocks whose copying is felt.
const BYTES_PER_SEGMENT: usize = 6 * 1024;
/// Two fifths of that, and segments are merged again.
const SPARSE: (usize, usize) = (2, 5);

/// Random draws before the search goes on in order.
const RANDOM_DRAWS: usize = 256;

/// The table. `MAP` says whether elements have values.
#[derive(Clone, Debug)]
pub struct Dict<const MAP: bool> {
    segments: Rows<Segment<MAP>>,
    len: usize,
    figures: Figures,
    seed: Seed,
    sweep: expire::Sweep,
    /// No segment has more elements than this; and the same as it will be once all present segments are split.
    widest: [usize; 2],
}

/// Turns keys into hashes.
#[derive(Clone, Debug)]
struct Seed {
    state: RandomState,
    /// Bits of the hash that tests leave in place.
    #[cfg(test)]
    keep: u64,
}

impl Seed {
    fn new() -> Seed {
        Seed {
            state: RandomState::default(),
            #[cfg(test)]
            keep: u64::MAX,
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut state = self.state.build_hasher();
        state.write(key);
        let hash = state.finish();
        #[cfg(test)]
        let hash = hash & self.keep;
        hash
    }
}

/// One element, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The element of a set, the field of a hash.
    pub key: &'a [u8],
    /// Empty in a set.
    pub value: &'a [u8],
    /// The value once more, if it is long enough to be in memory of its own: clone this to keep it without a copy.
    pub shared: Option<&'a Bytes>,
    /// When the element is over. The table only keeps this.
    pub expiry: Option<UnixMillis>,
}

/// Where an element is. Good until the table is altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spot {
    segment: u32,
    slot: u32,
}

impl<const MAP: bool> Default for Dict<MAP> {
    fn default() -> Dict<MAP> {
        Dict::new()
    }
}

impl<const MAP: bool> Dict<MAP> {
    /// An empty table, with a seed of its own: filling one table in the order of another does not crowd its segments.
    pub fn new() -> Dict<MAP> {
        let mut segments = Rows::default();
        segments.push(Segment::default());
        Dict {
            segments,
            len: 0,
            figures: Figures::default(),
            seed: Seed::new(),
            sweep: expire::Sweep::default(),
            widest: [0; 2],
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap, without rounding of the allocator.
    pub fn memory(&self) -> usize {
        self.segments.memory() + self.figures.memory
    }

    /// How many allocations dropping the table gives back.
    pub fn allocations(&self) -> usize {
        self.segments.len() + 2 * self.figures.large
    }

    // ---- places -----------------------------------------------------------------------------------------------------

    /// The number of the segment for `hash`.
    fn segment_of(&self, hash: u64) -> usize {
        let mask = self.segments.len().next_power_of_two() - 1;
        let index = hash as usize & mask;
        if index < self.segments.len() { index } else { index & (mask >> 1) }
    }

    /// How many low bits of their hashes the elements of a segment share.
    fn depth(&self, index: usize) -> u32 {
        let bits = self.segments.len().next_power_of_two().trailing_zeros();
        let half = 1usize << bits >> 1;
        if index >= half || index + half < self.segments.len() { bits } else { bits - 1 }
    }

    fn segment(&self, index: usize) -> &Segment<MAP> {
        self.segments.get(index)
    }

    /// Lets `f` alter one segment, and keeps the sums right.
    fn alter<R>(&mut self, index: usize, f: impl FnOnce(&mut Segment<MAP>) -> R) -> R {
        let segment = self.segments.get_mut(index);
        let before = segment.figures();
        let result = f(segment);
        let after = segment.figures();
        self.figures.live = self.figures.live + after.live - before.live;
        self.figures.memory = self.figures.memory + after.memory - before.memory;
        self.figures.large = self.figures.large + after.large - before.large;
        result
    }

    /// Where `key` is.
    pub fn find(&self, key: &[u8]) -> Option<Spot> {
        let hash = self.seed.hash(key);
        let segment = self.segment_of(hash);
        let slot = self.segment(segment).find(tag(hash), key)?;
        Some(Spot { segment: segment as u32, slot: slot as u32 })
    }

    /// The element at `spot`.
    pub fn entry(&self, spot: Spot) -> Entry<'_> {
        self.segment(spot.segment as usize).entry(spot.slot as usize)
    }

    /// The element with `key`.
    pub fn get(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.find(key).map(|spot| self.entry(spot))
    }

    /// Whether there is an element with `key`.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// An element chosen at random, all with the same chance.
    pub fn random(&self, rng: &mut Rng) -> Option<Spot> {
        if self.len == 0 {
            return None;
        }
        let widest = self.widest[0] as u64;
        for _ in 0..RANDOM_DRAWS {
            let segment = rng.below(self.segments.len() as u64) as usize;
            // As if every segment were as wide as the widest, else elements in narrow ones would be favoured.
            let slot = rng.below(widest) as usize;
            if slot < self.segment(segment).len() {
                return Some(Spot { segment: segment as u32, slot: slot as u32 });
            }
        }
        // Hardly ever: very uneven segments. Nearly the same chance will do.
        let start = rng.below(self.segments.len() as u64) as usize;
        let segment = (start..self.segments.len()).chain(0..start).find(|&index| self.segment(index).len() > 0)?;
        let slot = rng.below(self.segment(segment).len() as u64);
        Some(Spot { segment: segment as u32, slot: slot as u32 })
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    /// Makes room for about `elements` elements in a table that has none yet. The caller bounds their number.
    pub fn reserve(&mut self, elements: usize) {
        if self.len == 0 {
            while self.segments.len() * PER_SEGMENT < elements {
                self.push_segment(Segment::default());
            }
        }
    }

    /// Removes the element with `key`; says whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        match self.find(key) {
            Some(spot) => {
                self.remove_at(spot);
                true
            }
            None => false,
        }
    }

    /// Removes the element at `spot`; another may move there.
    pub fn remove_at(&mut self, spot: Spot) {
        if MAP && self.entry(spot).expiry.is_some() {
            self.sweep.timed -= 1;
        }
        self.alter(spot.segment as usize, |segment| {
            segment.take(spot.slot as usize);
            segment.maybe_shrink();
        });
        self.len -= 1;
        let rest = (self.segments.len() - 1) * SPARSE.0 / SPARSE.1;
        if self.len < rest * PER_SEGMENT && self.figures.live < rest * BYTES_PER_SEGMENT {
            self.merge();
        }
    }

    /// Adds or replaces an element; says whether its key is new.
    fn put(&mut self, new: New<'_>) -> bool {
        let hash = self.seed.hash(new.key);
        let (index, tag) = (self.segment_of(hash), tag(hash));
        if let Some(slot) = self.segment(index).find(tag, new.key) {
            if MAP {
                self.replace(Spot { segment: index as u32, slot: slot as u32 }, new);
            }
            return false;
        }
        self.count_expiry(new.expiry);
        self.alter(index, |segment| segment.push(tag, new));
        self.len += 1;
        self.count_width(self.segment(index).len());
        if self.len > self.segments.len() * PER_SEGMENT || self.figures.live > self.segments.len() * BYTES_PER_SEGMENT {
            self.split();
        }
        true
    }

    /// Replaces the element at `spot` by one with the same key.
    fn replace(&mut self, spot: Spot, new: New<'_>) {
        if self.entry(spot).expiry.is_some() {
            self.sweep.timed -= 1;
        }
        self.count_expiry(new.expiry);
        self.alter(spot.segment as usize, |segment| {
            segment.replace(spot.slot as usize, new);
            segment.maybe_shrink();
        });
    }

    fn count_width(&mut self, width: usize) {
        self.widest = self.widest.map(|widest| widest.max(width));
    }

    fn push_segment(&mut self, segment: Segment<MAP>) {
        let figures = segment.figures();
        self.figures.live += figures.live;
        self.figures.memory += figures.memory;
        self.figures.large += figures.large;
        self.segments.push(segment);
    }

    /// Adds a segment, with its elements out of the one that had them so far.
    fn split(&mut self) {
        let new = self.segments.len();
        let high = 1usize << new.ilog2();
        let (old, seed) = (new - high, self.seed.clone());
        let moved = self.alter(old, |segment| segment.split_off(|key| seed.hash(key) as usize & high != 0));
        let width = moved.len().max(self.segment(old).len());
        self.push_segment(moved);
        self.widest[1] = self.widest[1].max(width);
        if self.segments.len().is_power_of_two() {
            // Each present segment comes out of a split of this round.
            self.widest = [self.widest[1], 0];
        }
    }

    /// Takes the last segment away; its elements go back to where they came from.
    fn merge(&mut self) {
        let last = self.segments.len() - 1;
        let moved = self.segments.pop().expect("there are at least two");
        let figures = moved.figures();
        self.figures.live -= figures.live;
        self.figures.memory -= figures.memory;
        self.figures.large -= figures.large;
        let old = last - (1usize << last.ilog2());
        self.alter(old, |segment| segment.absorb(moved));
        self.sweep.met(self.segment(old).due);
        self.count_width(self.segment(old).len());
        self.widest[1] = self.widest[0];
    }

    /// A copy that costs next to nothing, since both share their segments until either alters them; `None` if the table is so
    /// small that a copy is not worth it.
    pub fn freeze(&mut self) -> Option<Dict<MAP>> {
        (self.segments.len() > 1).then(|| Dict {
            segments: self.segments.freeze(),
            len: self.len,
            figures: self.figures,
            seed: self.seed.clone(),
            sweep: self.sweep.clone(),
            widest: self.widest,
        })
    }

    /// All elements, in no order.
    pub fn iter(&self) -> Iter<'_, MAP> {
        Iter { dict: self, segment: 0, slot: 0 }
    }

    #[cfg(test)]
    fn check(&self) {
        let (mut len, mut timed, mut sum) = (0, 0, Figures::default());
        for index in 0..self.segments.len() {
            let segment = self.segment(index);
            segment.check();
            len += segment.len();
            let figures = segment.figures();
            sum.live += figures.live;
            sum.memory += figures.memory;
            sum.large += figures.large;
            assert!(segment.len() <= self.widest[0]);
            let expiries = (0..segment.len()).filter_map(|slot| segment.entry(slot).expiry);
            timed += expiries.clone().count();
            assert!(expiries.map(|when| when.0).min().unwrap_or(i64::MAX) >= segment.due);
            for slot in 0..segment.len() {
                let hash = self.seed.hash(segment.key(slot));
                assert_eq!((self.segment_of(hash), tag(hash)), (index, segment.tags()[slot]));
            }
        }
        assert_eq!((len, timed, sum), (self.len, self.sweep.timed, self.figures));
    }
}

/// See [`Dict::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a, const MAP: bool> {
    dict: &'a Dict<MAP>,
    segment: usize,
    slot: usize,
}

impl<'a, const MAP: bool> Iterator for Iter<'a, MAP> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while self.segment < self.dict.segments.len() {
            let segment = self.dict.segment(self.segment);
            if self.slot < segment.len() {
                self.slot += 1;
                return Some(segment.entry(self.slot - 1));
            }
            (self.segment, self.slot) = (self.segment + 1, 0);
        }
        None
    }
}

impl KeyDict {
    /// Adds `key`; says whether it is new.
    pub fn insert(&mut self, key: &[u8]) -> bool {
        self.put(New { key, value: Fresh::Copied(&[]), expiry: None })
    }
}

impl MapDict {
    /// Gives `key` this value and expiry, whatever it had; says whether it is new.
    pub fn set(&mut self, key: &[u8], value: Fresh<'_>, expiry: Option<UnixMillis>) -> bool {
        self.put(New { key, value, expiry })
    }

    /// Gives the element at `spot` another expiry.
    pub fn set_expiry(&mut self, spot: Spot, expiry: Option<UnixMillis>) {
        let entry = self.entry(spot);
        let (key, shared) = (entry.key.to_vec(), entry.shared.cloned());
        let copied = if shared.is_some() { Vec::new() } else { entry.value.to_vec() };
        let value = shared.as_ref().map_or(Fresh::Copied(&copied), Fresh::Shared);
        self.replace(spot, New { key: &key, value, expiry });
    }

    /// Gives the element at `spot` another value; its expiry stays.
    pub fn set_value(&mut self, spot: Spot, value: Fresh<'_>) {
        let entry = self.entry(spot);
        let (key, expiry) = (entry.key.to_vec(), entry.expiry);
        self.replace(spot, New { key: &key, value, expiry });
    }
}

/// Where in its segment an element is looked for: bits that never number segments.
fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}
