//! From a member's name to its block: a hash table that grows a little at a time.
//!
//! ```text
//! hash (32 bits)  | depth bits: index into the directory | the rest: place in the segment |
//! slot (64 bits)  | hash | MemberId |
//! ```
//!
//! A segment is a table with linear probing. It grows in small steps, and when it is [`SEGMENT_SLOTS_MAX`] long it splits
//! in two by the next bit of the hash. So no insert moves more than one segment, and slots are 56 to 80 % full at any
//! size. Slots hold the hash, so growing looks at no member, and a look-up compares names once.
//!
//! Places follow the order of hashes: those of a segment by its prefix, those within it by multiplying what remains with
//! the segment's length. Growth changes no order. Therefore a cursor that is simply the next hash to look at visits every
//! member that stays from the first call of a walk to the last, whatever happens in between.

use super::members::MemberId;
use crate::base::alloc::rounded;

/// Longest segment, in slots. Splitting one moves about 1,200 words.
const SEGMENT_SLOTS_MAX: usize = 1536;
const SEGMENT_SLOTS_MIN: usize = 8;
/// More than 2^20 segments are not made: with fewer bits left, places would repeat. Segments then grow on.
const DEPTH_MAX: u32 = 20;
/// An empty slot. Its lower half is no block's number: a block has at least two units.
const EMPTY: u64 = u64::MAX;

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Numbers of segments, by the first `depth` bits of the hash.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
struct Segment {
    slots: Box<[u64]>,
    used: u32,
    /// How many bits of the hash all its members share.
    depth: u32,
}

impl Index {
    /// An empty table.
    pub fn new() -> Index {
        Index { directory: vec![0], depth: 0, segments: vec![Segment::new(0, 0)] }
    }

    /// The block whose slot has this hash and for which `is_it` says yes.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(MemberId) -> bool) -> Option<MemberId> {
        let segment = &self.segments[self.segment_of(hash)];
        let mut at = segment.place(hash);
        loop {
            let slot = segment.slots[at];
            if slot == EMPTY {
                return None;
            }
            if hash_of(slot) == hash && is_it(id_of(slot)) {
                return Some(id_of(slot));
            }
            at = segment.after(at);
        }
    }

    /// Enters a block that is not there yet.
    pub fn insert(&mut self, hash: u32, id: MemberId) {
        let mut number = self.segment_of(hash);
        while self.segments[number].is_full() {
            let segment = &self.segments[number];
            if segment.slots.len() < SEGMENT_SLOTS_MAX || segment.depth >= DEPTH_MAX {
                let slots = slots_for(segment.used as usize + 1);
                self.segments[number].resize(slots);
            } else {
                self.split(number, hash);
                number = self.segment_of(hash);
            }
        }
        self.segments[number].put(slot_of(hash, id));
        self.segments[number].used += 1;
    }

    /// Takes a block out. It must be there.
    pub fn remove(&mut self, hash: u32, id: MemberId) {
        let number = self.segment_of(hash);
        let segment = &mut self.segments[number];
        segment.take(slot_of(hash, id));
        segment.used -= 1;
        if segment.slots.len() > SEGMENT_SLOTS_MIN && (segment.used as usize) * 4 < segment.slots.len() {
            segment.resize(slots_for(segment.used as usize));
        }
    }

    /// Puts another block in the place of one that is there.
    pub fn replace(&mut self, hash: u32, old: MemberId, new: MemberId) {
        let number = self.segment_of(hash);
        let segment = &mut self.segments[number];
        let at = segment.find(slot_of(hash, old));
        segment.slots[at] = slot_of(hash, new);
    }

    /// Shows blocks in the order of their hashes from `cursor` on, at least `count` of them or all that are left.
    /// Returns where to go on, 0 at the end.
    pub fn scan(&self, cursor: u32, count: usize, mut show: impl FnMut(MemberId)) -> u32 {
        let mut from = cursor;
        let mut shown = 0;
        loop {
            let segment = &self.segments[self.segment_of(from)];
            // About as many as are still wanted; always a whole number of places.
            let per_place = (1u64 << (32 - segment.depth)) / segment.slots.len() as u64 + 1;
            let wanted = (count.saturating_sub(shown) as u64).clamp(1, SEGMENT_SLOTS_MAX as u64);
            let prefix_end = (from as u64 | ((1u64 << (32 - segment.depth)) - 1)) + 1;
            let end = (from as u64 + per_place * wanted).min(prefix_end);
            let (mut at, last) = (segment.place(from), segment.place((end - 1) as u32));
            let mut is_past = false;
            for _ in 0..segment.slots.len() {
                let slot = segment.slots[at];
                if slot == EMPTY && is_past {
                    break;
                }
                if slot != EMPTY && (from as u64..end).contains(&(hash_of(slot) as u64)) {
                    show(id_of(slot));
                    shown += 1;
                }
                is_past |= at == last;
                at = segment.after(at);
            }
            if end > u32::MAX as u64 {
                return 0;
            }
            from = end as u32;
            if shown >= count {
                return from;
            }
        }
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        let slots: usize = self.segments.iter().map(|segment| rounded(segment.slots.len() * 8)).sum();
        slots + self.directory.capacity() * 4 + self.segments.capacity() * size_of::<Segment>()
    }

    /// How many allocations dropping this gives back.
    pub fn allocations(&self) -> usize {
        self.segments.len() + 2
    }

    #[inline]
    fn segment_of(&self, hash: u32) -> usize {
        self.directory[(hash as u64 >> (32 - self.depth)) as usize] as usize
    }

    /// Splits the segment in two; `hash` is one that belongs to it.
    fn split(&mut self, number: usize, hash: u32) {
        let segment = &mut self.segments[number];
        let depth = segment.depth + 1;
        let bit = 1u32 << (32 - depth);
        let slots: Vec<u64> = segment.slots.iter().copied().filter(|slot| *slot != EMPTY).collect();
        let upper = slots.iter().filter(|slot| hash_of(**slot) & bit != 0).count();
        let mut halves = [Segment::new(depth, slots.len() - upper), Segment::new(depth, upper)];
        for slot in slots {
            halves[usize::from(hash_of(slot) & bit != 0)].put(slot);
        }
        let [lower, upper] = halves;
        *segment = lower;
        let new = self.segments.len() as u32;
        self.segments.push(upper);
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|number| [*number, *number]).collect();
            self.depth = depth;
        }
        // All words whose first `depth` bits are those of the upper half.
        let span = 1usize << (self.depth - depth);
        let first = ((hash | bit) as u64 >> (32 - depth)) as usize * span;
        self.directory[first..first + span].fill(new);
    }
}

impl Segment {
    /// A segment that will hold `used` members, to be put in at once.
    fn new(depth: u32, used: usize) -> Segment {
        Segment { slots: vec![EMPTY; slots_for(used)].into_boxed_slice(), used: used as u32, depth }
    }

    fn is_full(&self) -> bool {
        (self.used as usize + 1) * 5 > self.slots.len() * 4
    }

    /// Where the search for a hash begins.
    #[inline]
    fn place(&self, hash: u32) -> usize {
        // DEPTH_MAX is below 32.
        (((hash << self.depth) as u64 * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    fn put(&mut self, slot: u64) {
        let mut at = self.place(hash_of(slot));
        while self.slots[at] != EMPTY {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    /// Where a slot is that was entered.
    fn find(&self, slot: u64) -> usize {
        let mut at = self.place(hash_of(slot));
        while self.slots[at] != slot {
            assert!(self.slots[at] != EMPTY, "only what was entered is looked for");
            at = self.after(at);
        }
        at
    }

    /// Empties a slot and closes the gap: what stands behind it moves up as long as that brings it nearer to its place.
    fn take(&mut self, slot: u64) {
        let length = self.slots.len();
        let mut gap = self.find(slot);
        let mut at = gap;
        loop {
            at = self.after(at);
            let later = self.slots[at];
            if later == EMPTY {
                break;
            }
            let from_place = (at + length - self.place(hash_of(later))) % length;
            if from_place >= (at + length - gap) % length {
                self.slots[gap] = later;
                gap = at;
            }
        }
        self.slots[gap] = EMPTY;
    }

    fn resize(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots].into_boxed_slice());
        for slot in old {
            if slot != EMPTY {
                self.put(slot);
            }
        }
    }
}

/// A length at which `used` members fill at most seven tenths: four lengths per doubling, like the allocator's.
fn slots_for(used: usize) -> usize {
    let least = (used * 10).div_ceil(7).max(SEGMENT_SLOTS_MIN);
    let step = (1usize << least.ilog2()) / 4;
    least.next_multiple_of(step)
}

fn slot_of(hash: u32, id: MemberId) -> u64 {
    (hash as u64) << 32 | id.0 as u64
}

fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

fn id_of(slot: u64) -> MemberId {
    MemberId(slot as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use std::collections::HashMap;

    /// Drives the table beside a map; `keep` leaves only some bits of the hash, to make collisions.
    fn drive(seed: u64, steps: u32, keep: u32) {
        let mut rng = Rng::seeded(seed);
        let mut index = Index::new();
        let mut model: HashMap<u32, u32> = HashMap::new();
        let mut ids: Vec<u32> = Vec::new();
        for step in 0..steps {
            let grows = step < steps / 2;
            if rng.percent(if grows { 75 } else { 30 }) {
                let hash = rng.next_u64() as u32 & keep;
                index.insert(hash, MemberId(step));
                model.insert(step, hash);
                ids.push(step);
            } else if !ids.is_empty() {
                let id = ids.swap_remove(rng.below(ids.len() as u64) as usize);
                index.remove(model.remove(&id).unwrap(), MemberId(id));
            }
        }
        for (id, hash) in &model {
            assert_eq!(index.find(*hash, |found| found.0 == *id), Some(MemberId(*id)));
        }
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = index.scan(cursor, 10, |id| seen.push(id.0));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        ids.sort_unstable();
        assert_eq!(seen, ids, "a walk without changes shows each once");
    }

    #[test]
    fn what_was_entered_is_found_and_walked_over() {
        drive(1, 200, u32::MAX);
        drive(2, 5_000, u32::MAX);
        drive(3, 100_000, u32::MAX);
    }

    #[test]
    fn bad_hashes_are_slow_but_right() {
        drive(4, 3_000, 0xffff_0000);
        drive(5, 3_000, 0x0000_00ff);
        drive(6, 600, 0);
    }

    #[test]
    fn a_walk_shows_what_stays_however_the_table_grows() {
        let mut rng = Rng::seeded(9);
        let mut index = Index::new();
        let stay: Vec<u32> = (0..2_000).map(|_| rng.next_u64() as u32).collect();
        for (id, hash) in stay.iter().enumerate() {
            index.insert(*hash, MemberId(id as u32));
        }
        let mut seen = vec![false; stay.len()];
        let (mut cursor, mut more) = (0, 10_000);
        loop {
            cursor = index.scan(cursor, 10, |id| {
                if let Some(seen) = seen.get_mut(id.0 as usize) {
                    *seen = true;
                }
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..50 {
                index.insert(rng.next_u64() as u32, MemberId(more));
                more += 1;
            }
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn slots_are_more_than_half_full_at_any_size() {
        let mut index = Index::new();
        let mut rng = Rng::seeded(3);
        for count in 1..=200_000usize {
            index.insert(rng.next_u64() as u32, MemberId(count as u32));
            if count % 10_000 == 0 {
                assert!(index.memory() <= count * 16, "{} bytes for {count}", index.memory());
            }
        }
    }
}
