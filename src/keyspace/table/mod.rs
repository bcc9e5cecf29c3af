//! The hash table of one database: a directory of segments.
//!
//! ```text
//! hash  | depth bits: index into the directory | ... | 16 bits: tag |
//!
//! directory (2^depth words)     segment (up to 62 buckets of 8 slots)     entry (one block)
//!   [0] --------------------->  header | bucket | bucket | ...  -------->  form, expiry, key, value
//!   [1] ----^                   (several words may name one segment: it is shallower than the directory)
//!   [2] --------------------->  ...
//! ```
//!
//! A look-up reads a directory word (with a million keys, 32 KB of them: in the first-level cache), one bucket and the
//! entry. A full segment first grows in small steps, which needs no look at any key; at 62 buckets it splits in two by
//! the next bit of the hash. Nothing ever rehashes more than one segment, so no insert takes long. The average slot is
//! filled to about 80 %, which makes 10 bytes per key at any number of keys.
//!
//! Segments and entries lie in the table's own [`arena::Arena`]; a dropped table gives it all back in a few calls.
//!
//! Not done here: expiry rules, recency, logging, cuts. This is a map that also keeps figures (how many keys have an
//! expiry, their sum, the earliest) and versions of its segments.
//!
//! If the hash were bad (or an attacker knew the seed), segments could not be split evenly. Then the directory stops
//! doubling, so memory stays proportional to the keys, and segments get longer instead: slower, never wrong.

#![allow(unsafe_code)]

mod arena;
mod defrag;
mod scan;
mod segment;
mod split;
#[cfg(test)]
mod tests;

use std::hash::Hasher;
use std::marker::PhantomData;

use bytes::Bytes;
use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use super::entry::{self, EntryRef, Outside, Shape, Value};
use crate::base::limits::INLINE_VALUE_MAX;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::{self, Collection, NewValue, ValueMut};
use arena::Arena;
pub(super) use arena::Pager;
pub use defrag::Moves;
use defrag::Round;
pub(super) use scan::Swept;
use segment::{ELEMENTS, EXPIRES, OUTSIDE, Segment, Slot};

/// Bytes that a block of `size` bytes really takes.
pub(super) fn block_size(size: usize) -> usize {
    arena::rounded(size)
}

/// Turns keys into hashes, with seeds of this process.
#[derive(Clone)]
pub(super) struct KeyHasher {
    seed: u64,
    shared: SharedSeed,
    /// Bits of the hash that tests leave in place.
    #[cfg(test)]
    pub keep: u64,
}

impl KeyHasher {
    pub fn new(rng: &mut Rng) -> KeyHasher {
        KeyHasher {
            seed: rng.next_u64(),
            shared: SharedSeed::from_u64(rng.next_u64()),
            #[cfg(test)]
            keep: u64::MAX,
        }
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut state = FoldHasher::with_seed(self.seed, &self.shared);
        state.write(key);
        let hash = state.finish();
        #[cfg(test)]
        let hash = hash & self.keep;
        hash
    }
}

/// Where an entry is. Good until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loc {
    /// Index into the directory.
    word: usize,
    /// Bucket times eight plus slot.
    at: usize,
}

/// The entries of one segment.
#[derive(Clone, Copy)]
pub struct SegmentView<'a> {
    segment: Segment,
    borrowed: PhantomData<&'a Table>,
}

impl<'a> SegmentView<'a> {
    /// The entries, in no order.
    pub fn iter(self) -> impl Iterator<Item = EntryRef<'a>> {
        slots_ahead(self.segment).map(Slot::entry)
    }
}

/// The entries of one segment as a snapshot gets them: before they are altered.
pub struct Sealed<'a> {
    segment: Segment,
    borrowed: PhantomData<&'a mut Table>,
}

impl Sealed<'_> {
    /// Shows `take` each entry, in no order. With a value that is large comes a copy of it that may be kept
    /// ([`Collection::freeze`]), so that nobody need lay out millions of elements at once.
    pub fn each(self, mut take: impl FnMut(EntryRef<'_>, Option<data::Value>)) {
        for slot in slots_ahead(self.segment) {
            let frozen = match slot.has(OUTSIDE) {
                // SAFETY: a live entry, and the table is borrowed mutably.
                true => unsafe { entry::collection_mut(slot.block()) }.and_then(ValueMut::freeze),
                false => None,
            };
            take(slot.entry(), frozen);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.segment.header().count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The slots of a segment. Entries are far apart in memory: each one is asked for some steps before it is needed.
fn slots_ahead(segment: Segment) -> impl Iterator<Item = Slot> {
    let mut ahead = segment.slots();
    ahead.by_ref().take(AHEAD).for_each(Slot::prefetch);
    segment.slots().inspect(move |_| {
        if let Some(later) = ahead.next() {
            later.prefetch();
        }
    })
}

/// How many entries are prefetched ahead when walking a segment: enough to cover a miss at some 20 ns of work each.
const AHEAD: usize = 12;

/// More bits of depth than any table can need.
const MAX_DEPTH: usize = scan::CURSOR_DEPTH as usize;

/// The map.
pub(super) struct Table {
    directory: Vec<Segment>,
    /// `hash >> 1 >> shift` is the index into the directory.
    shift: u32,
    hasher: KeyHasher,
    arena: Arena,
    /// Segments by depth, to know when the directory can be halved.
    at_depth: [u32; MAX_DEPTH],
    len: usize,
    expires: usize,
    /// Sum of all expiry times, for their average.
    expiry_sum: i128,
    /// Entries marked `ELEMENTS`.
    elements: usize,
    /// Entries marked `OUTSIDE`: without any, dropping the table needs no look at entries.
    outside: usize,
    sweep: scan::Sweep,
    /// Where defragmentation is.
    round: Round,
}

// SAFETY: a table owns its segments and entries alone, and `Bytes` and collections may be sent between threads.
unsafe impl Send for Table {}

impl Table {
    /// An empty table whose first segment has version `version`.
    pub fn new(version: u64, hasher: KeyHasher, pager: Pager) -> Table {
        let mut arena = Arena::new(pager);
        let first = Segment::new(arena.alloc(Segment::size(1)), 1, 0);
        first.clear(version, i64::MAX);
        let mut at_depth = [0; MAX_DEPTH];
        at_depth[0] = 1;
        Table {
            directory: vec![first],
            shift: 63,
            hasher,
            arena,
            at_depth,
            len: 0,
            expires: 0,
            expiry_sum: 0,
            elements: 0,
            outside: 0,
            sweep: scan::Sweep::default(),
            round: Round::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn expires_len(&self) -> usize {
        self.expires
    }

    /// Whether the sweep can ever find anything.
    pub fn has_expiries(&self) -> bool {
        self.expires + self.elements > 0
    }

    /// Keys whose values have elements with an expiry.
    pub fn elements_len(&self) -> usize {
        self.elements
    }

    /// Sum of all expiry times, for the average time to live.
    pub fn expiry_sum(&self) -> i128 {
        self.expiry_sum
    }

    /// Bytes of index: directory and segments.
    pub fn index_memory(&self) -> usize {
        let mut segments = 0;
        let mut position = Some(0);
        while let Some(at) = position {
            segments += arena::rounded(Segment::size(self.segment(at).buckets()));
            position = self.after_segment(at);
        }
        segments + self.directory.capacity() * size_of::<Segment>()
    }

    /// Bytes of entries and segments, without what values own elsewhere.
    pub fn arena_bytes(&self) -> usize {
        self.arena.used()
    }

    fn depth(&self) -> u32 {
        63 - self.shift
    }

    #[inline]
    fn word_of(&self, hash: u64) -> usize {
        (hash >> 1 >> self.shift) as usize
    }

    #[inline]
    fn segment(&self, hash: u64) -> Segment {
        self.directory[self.word_of(hash)]
    }

    /// Where in the hash space the segment behind that of `position` begins; `None` at the end.
    fn after_segment(&self, position: u64) -> Option<u64> {
        let depth = self.segment(position).depth();
        if depth == 0 {
            return None;
        }
        let next = (position >> (64 - depth)) + 1;
        (next >> depth == 0).then(|| next << (64 - depth))
    }

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// First wave of a batch of look-ups.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.segment(hash).prefetch_bucket(hash);
    }

    /// For keys about to be added.
    #[inline]
    pub fn prefetch_insert(&self, hash: u64) {
        self.segment(hash).prefetch_insert(hash);
    }

    /// How long an entry is here, on average: a hint, its share of the segments included.
    pub fn average_entry(&self) -> usize {
        self.arena.used() / self.len.max(1)
    }

    /// Second wave: an entry of about this size, header included.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64, size: usize) {
        self.segment(hash).prefetch_entry(hash, size);
    }

    /// Third wave.
    #[inline]
    pub fn prefetch_outside(&self, hash: u64) {
        if self.outside > 0 {
            self.segment(hash).prefetch_outside(hash);
        }
    }

    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Loc> {
        let word = self.word_of(hash);
        let at = self.directory[word].find(hash, key)?;
        Some(Loc { word, at })
    }

    /// The key with this hash.
    pub fn find_hash(&self, hash: u64) -> Option<Loc> {
        let word = self.word_of(hash);
        let at = self.directory[word].find_by(hash, |entry| self.hasher.hash(entry.key()) == hash)?;
        Some(Loc { word, at })
    }

    #[inline]
    fn slot(&self, loc: Loc) -> Slot {
        self.directory[loc.word].slot(loc.at)
    }

    #[inline]
    pub fn entry(&self, loc: Loc) -> EntryRef<'_> {
        self.slot(loc).entry()
    }

    /// When the time of the entry at `loc` is over; does not look at the entry if it has none.
    #[inline]
    pub fn expiry(&self, loc: Loc) -> Option<UnixMillis> {
        let slot = self.slot(loc);
        if slot.has(EXPIRES) { slot.entry().expiry() } else { None }
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    #[inline]
    pub fn set_recency(&mut self, loc: Loc, recency: u32) {
        // SAFETY: a live entry, and the table is borrowed mutably.
        unsafe { entry::set_recency(self.slot(loc).block(), recency) }
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, hash: u64, key: &[u8], new: NewValue<'_>, expiry: Option<UnixMillis>, recency: u32) {
        let segment = self.make_room(hash);
        Value::choose(new, |value| {
            let due = value.due();
            let shape = Shape::plan(key.len(), &value, expiry.is_some());
            let block = self.arena.alloc(shape.size());
            // SAFETY: a fresh block of the planned size, aligned to 8.
            unsafe { entry::write(block, shape, key, value, expiry, recency) };
            let marks = marks(shape, expiry, due);
            segment.place(Slot::new(block, hash, marks));
            self.outside += usize::from(marks & OUTSIDE != 0);
            self.elements += usize::from(due.is_some());
            self.count_due(segment, due);
        });
        segment.header_mut().count += 1;
        self.len += 1;
        self.count_expiry(segment, None, expiry);
    }

    /// Gives the entry at `loc` another value and expiry; gives back what the old one owned outside.
    pub fn replace(
        &mut self,
        loc: Loc,
        new: NewValue<'_>,
        expiry: Option<UnixMillis>,
        recency: u32,
    ) -> Option<Outside> {
        Value::choose(new, |value| self.replace_value(loc, value, expiry, recency))
    }

    fn replace_value(
        &mut self,
        loc: Loc,
        value: Value<'_>,
        expiry: Option<UnixMillis>,
        recency: u32,
    ) -> Option<Outside> {
        let slot = self.slot(loc);
        // SAFETY: a live entry, whose value is overwritten next.
        let outside = unsafe { entry::take_outside(slot.block(), slot.entry().shape()) };
        self.lay(loc, value, expiry, recency);
        outside
    }

    /// Writes another value and expiry over those of the entry at `loc`, whose value may have been moved out.
    fn lay(&mut self, loc: Loc, value: Value<'_>, expiry: Option<UnixMillis>, recency: u32) {
        let slot = self.slot(loc);
        let old = slot.entry();
        let (old_shape, old_expiry) = (old.shape(), old.expiry());
        let shape = Shape::plan(old.key().len(), &value, expiry.is_some());
        let due = value.due();
        let marks = marks(shape, expiry, due);
        let block = if arena::rounded(shape.size()) == arena::rounded(old_shape.size()) {
            // SAFETY: the block holds the old entry and is as large as the new one needs; the value is not in it, for
            // values come from outside the table.
            unsafe { entry::rewrite(slot.block(), old_shape, shape, value, expiry, recency) };
            slot.block()
        } else {
            let block = self.arena.alloc(shape.size());
            // SAFETY: a fresh block of the planned size; then the old one is given back, its slot below overwritten.
            unsafe {
                entry::write(block, shape, old.key(), value, expiry, recency);
                self.arena.free(slot.block(), old_shape.size());
            }
            block
        };
        self.update_slot(loc, slot, Slot::new(block, slot.tag(), marks));
        self.count_expiry(self.directory[loc.word], old_expiry, expiry);
        self.count_due(self.directory[loc.word], due);
    }

    /// The elements of the collection at `loc` may have got other expiries.
    pub fn elements_changed(&mut self, loc: Loc) {
        let slot = self.slot(loc);
        let due = slot.entry().value().due();
        let mark = if due.is_some() { ELEMENTS } else { 0 };
        self.update_slot(loc, slot, Slot(slot.0 & !ELEMENTS | mark));
        self.count_due(self.directory[loc.word], due);
    }

    /// The collection at `loc`, to be altered, if it is a `T`.
    pub fn collection_mut<T: Collection>(&mut self, loc: Loc) -> Option<&mut T> {
        // SAFETY: a live entry, and the table is borrowed mutably for as long as what is returned.
        T::of_mut(unsafe { entry::collection_mut(self.slot(loc).block()) }?)
    }

    pub fn set_expiry(&mut self, loc: Loc, expiry: Option<UnixMillis>) {
        let old = self.expiry(loc);
        match (old, expiry) {
            (None, None) => {}
            (Some(_), Some(when)) => {
                // SAFETY: a live entry with an expiry, and the table is borrowed mutably.
                unsafe { entry::overwrite_expiry(self.slot(loc).block(), when) };
                self.count_expiry(self.directory[loc.word], old, expiry);
            }
            _ => self.relay(loc, expiry),
        }
    }

    /// Lays the entry out anew, with or without room for an expiry.
    fn relay(&mut self, loc: Loc, expiry: Option<UnixMillis>) {
        let slot = self.slot(loc);
        let (recency, shape) = (slot.entry().recency(), slot.entry().shape());
        // SAFETY: the table is borrowed mutably, the entry has this shape, and what is taken out goes back in.
        match unsafe { entry::take_outside(slot.block(), shape) } {
            Some(Outside::Bytes(bytes)) => return self.lay(loc, Value::Shared(bytes), expiry, recency),
            Some(Outside::Value(value)) => return self.lay(loc, Value::Collection(value), expiry, recency),
            None => {}
        }
        let old_expiry = slot.entry().expiry();
        let new = shape.with_expiry(expiry.is_some());
        let in_place = arena::rounded(new.size()) == arena::rounded(shape.size());
        let block = if in_place { slot.block() } else { self.arena.alloc(new.size()) };
        // SAFETY: the new block is the same or a fresh one, large enough; the old one is given back only if it is another,
        // and its slot is overwritten.
        unsafe {
            entry::relay(slot.block(), shape, block, new, expiry);
            if !in_place {
                self.arena.free(slot.block(), shape.size());
            }
        }
        self.update_slot(loc, slot, Slot::new(block, slot.tag(), marks(new, expiry, None)));
        self.count_expiry(self.directory[loc.word], old_expiry, expiry);
    }

    /// The entry at `loc` has moved, or has other marks. Usually neither, and then the bucket's cache line stays clean.
    #[inline]
    fn update_slot(&mut self, loc: Loc, old: Slot, new: Slot) {
        if new != old {
            self.directory[loc.word].set_slot(loc.at, new);
            self.outside = self.outside + usize::from(new.has(OUTSIDE)) - usize::from(old.has(OUTSIDE));
            self.elements = self.elements + usize::from(new.has(ELEMENTS)) - usize::from(old.has(ELEMENTS));
        }
    }

    /// Gives `f` the bytes of the string at `loc`, at least `min_len` of them, to alter.
    pub fn edit_bytes<R>(&mut self, loc: Loc, min_len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let slot = self.slot(loc);
        let old = slot.entry();
        let shape = old.shape();
        let room = arena::rounded(shape.size());
        // SAFETY: the table is borrowed mutably, the block has that much room and holds an entry of this shape.
        if let Some(text) = unsafe { entry::stretch(slot.block(), shape, room, min_len) } {
            return f(text);
        }
        // SAFETY: as above.
        if let Some(bytes) = unsafe { entry::shared_mut(slot.block(), shape) } {
            let grows = min_len > bytes.len();
            // If nobody else holds the memory, this is no copy.
            let mut text = Vec::from(std::mem::take(bytes));
            if grows {
                // A quarter more than asked for, so that appending again and again copies each byte a few times only.
                text.reserve_exact(min_len - text.len() + min_len / 4);
                text.resize(min_len, 0);
            }
            let result = f(&mut text);
            *bytes = Bytes::from(text);
            return result;
        }
        let mut text = old.string().expect("the value is a string").to_vec();
        text.resize(text.len().max(min_len), 0);
        let result = f(&mut text);
        let (expiry, recency) = (old.expiry(), old.recency());
        let value = if text.len() <= INLINE_VALUE_MAX {
            Value::Inline { text: &text, edited: true }
        } else {
            Value::Shared(Bytes::from(text))
        };
        self.replace_value(loc, value, expiry, recency);
        result
    }

    /// Removes the entry at `loc`; gives back what it owned outside.
    pub fn remove(&mut self, loc: Loc) -> Option<Outside> {
        let segment = self.directory[loc.word];
        let expiry = self.expiry(loc);
        let slot = segment.take(loc.at);
        let shape = slot.entry().shape();
        // SAFETY: the slot is out of the segment, so nothing refers to the entry any more.
        let outside = unsafe {
            let outside = entry::take_outside(slot.block(), shape);
            self.arena.free(slot.block(), shape.size());
            outside
        };
        self.outside -= usize::from(slot.has(OUTSIDE));
        self.elements -= usize::from(slot.has(ELEMENTS));
        self.len -= 1;
        segment.header_mut().count -= 1;
        self.count_expiry(segment, expiry, None);
        self.maybe_shrink(loc.word);
        outside
    }

    /// Keeps the figures about expiries.
    #[inline]
    fn count_expiry(&mut self, segment: Segment, old: Option<UnixMillis>, new: Option<UnixMillis>) {
        if old.is_none() && new.is_none() {
            return;
        }
        let header = segment.header_mut();
        if let Some(old) = old {
            header.expires -= 1;
            self.expires -= 1;
            self.expiry_sum -= i128::from(old.0);
        }
        if let Some(new) = new {
            header.expires += 1;
            header.due = header.due.min(new.0);
            self.expires += 1;
            self.expiry_sum += i128::from(new.0);
            self.sweep.expiry_set(new.0);
        }
    }

    /// The sweep has to look at the segment after `due`.
    #[inline]
    fn count_due(&mut self, segment: Segment, due: Option<UnixMillis>) {
        if let Some(due) = due {
            let header = segment.header_mut();
            header.due = header.due.min(due.0);
            self.sweep.expiry_set(due.0);
        }
    }

    // ---- versions ---------------------------------------------------------------------------------------------------

    /// The segment that a write to `hash` will alter, if it is older than `epoch`. It is then stamped.
    pub fn seal(&mut self, hash: u64, epoch: u64) -> Option<Sealed<'_>> {
        let segment = self.segment(hash);
        if segment.header().version >= epoch {
            return None;
        }
        segment.header_mut().version = epoch;
        Some(Sealed { segment, borrowed: PhantomData })
    }

    /// The segment at `position` of the hash space, and the position after it (`None` at the end).
    pub fn segment_at(&self, position: u64) -> (SegmentView<'_>, Option<u64>) {
        let segment = self.segment(position);
        (SegmentView { segment, borrowed: PhantomData }, self.after_segment(position))
    }
}

/// The marks of an entry's slot.
#[inline]
fn marks(shape: Shape, expiry: Option<UnixMillis>, due: Option<UnixMillis>) -> u64 {
    let outside = shape.has_outside() || shape.size() > arena::MAX_CLASS;
    let elements = if due.is_some() { ELEMENTS } else { 0 };
    (if outside { OUTSIDE } else { 0 }) | (if expiry.is_some() { EXPIRES } else { 0 }) | elements
}

impl Drop for Table {
    fn drop(&mut self) {
        // What lies in the arena goes with it. Entries with memory elsewhere must be visited, large segments given back.
        let mut position = Some(0);
        while let Some(at) = position {
            let segment = self.segment(at);
            position = self.after_segment(at);
            let mut outside = if self.outside > 0 { Some(segment.slots()) } else { None };
            for slot in outside.iter_mut().flatten().filter(|slot| slot.has(OUTSIDE)) {
                let shape = slot.entry().shape();
                // SAFETY: a live entry that nobody will look at again.
                unsafe {
                    drop(entry::take_outside(slot.block(), shape));
                    self.arena.free(slot.block(), shape.size());
                }
            }
            if Segment::size(segment.buckets()) > arena::MAX_CLASS {
                // SAFETY: a live segment that nobody will look at again; its word is not read after this.
                unsafe { self.arena.free(segment.block(), Segment::size(segment.buckets())) };
            }
        }
    }
}
