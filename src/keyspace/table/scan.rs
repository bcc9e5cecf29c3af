//! Going through a table that changes meanwhile: SCAN, random keys, and the sweep for keys whose time is over.
//!
//! A SCAN cursor says how far the iteration is in an order that growing, splitting and merging leave alone:
//!
//! ```text
//! cursor = prefix << 22 | tag << 6 | depth
//! ```
//!
//! Everything before region `prefix` (of all regions of `depth` leading hash bits) has been visited, and of that region
//! all keys with a tag below `tag`. Regions are gone through in order, within a region tags are. If the region is one
//! segment, which is usual, its keys are in the order of tags already. If it has been split since, all parts are visited
//! for the same range of tags, before the next range. If it has been merged since, the segment has keys of a neighbour
//! as well, which are told apart by their hashes.
//!
//! So a key that is there all the time is visited at least once, and more than once only if it was removed and added.
//! Cursors are small for small tables, and any number is a harmless cursor.
//!
//! The sweep goes by due times: each segment knows when it has to be looked at next, and the table knows the earliest of
//! all. Segments that are not due are passed after a look at the header, so finding the few expired keys among ten million
//! takes a pass over some 25,000 headers, and none at all while nothing is due. A segment is due at the earliest expiry
//! that was set since it was last looked at. A look costs a few microseconds, for every entry with an expiry must be
//! visited; if keys expire all the time it should find several. So after a look a segment is due when the next
//! [`WORTH_A_LOOK`] of its keys are over, or [`LATE_MS`] after the first of them. Nobody sees the difference, as a key that
//! is over is not found by commands anyway. A due time may be too early (the key it came from was removed or
//! prolonged); looking then corrects it.

use super::segment::{ELEMENTS, EXPIRES, SLOTS, Segment, Slot};
use super::{EntryRef, Loc, Table};
use crate::base::prefetch::prefetch;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

const TAGS: u64 = 1 << 16;
const DEPTH_BITS: u32 = 6;
const PREFIX_AT: u32 = 22;
/// Cursors have room for this many bits of prefix.
pub(super) const CURSOR_DEPTH: u32 = 64 - PREFIX_AT;

/// How often a random slot is drawn before the search goes on in order.
const RANDOM_DRAWS: u32 = 64;

/// A portion of the sweep stops when it has gathered this many bytes of keys.
const PORTION_BYTES: usize = 64 * 1024;

/// A look at a segment should find this many keys that are over,
const WORTH_A_LOOK: usize = 8;

/// unless the first of them would have to wait longer than this.
pub(super) const LATE_MS: i64 = 250;

/// Headers asked for ahead of the sweep.
const HEADERS_AHEAD: usize = 16;

/// How far the sweep is, and what it knows.
pub(super) struct Sweep {
    /// Where in the hash space it goes on.
    position: u64,
    /// No segment is due earlier, except perhaps behind `position` if a sweep is under way.
    due: i64,
    /// The earliest due time met so far in this sweep.
    met: i64,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep { position: 0, due: i64::MAX, met: i64::MAX }
    }
}

impl Sweep {
    /// An expiry was set somewhere.
    #[inline]
    pub fn expiry_set(&mut self, when: i64) {
        self.due = self.due.min(when);
        self.met = self.met.min(when);
    }
}

/// Whether the sweep has gone round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keyspace) enum Swept {
    /// There may be more.
    More,
    /// Nothing in the table had been over for [`LATE_MS`] at `now`, beyond what has been given out.
    All,
}

impl Table {
    /// Visits about `count` keys from `cursor` on; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(EntryRef<'_>)) -> u64 {
        let mut depth = ((cursor & 63) as u32).min(CURSOR_DEPTH);
        let mut tag = cursor >> DEPTH_BITS & (TAGS - 1);
        let mut position = if depth == 0 { 0 } else { cursor >> PREFIX_AT << (64 - depth) };
        let mut seen = 0;
        let count = count.max(1);
        loop {
            // At its beginning a region may be taken as finely as the table has it now; within it, only as begun.
            if tag == 0 {
                depth = self.segment(position).depth().max(least_depth(position));
            }
            while tag < TAGS {
                let wanted = count.saturating_sub(seen);
                if wanted == 0 {
                    let prefix = if depth == 0 { 0 } else { position >> (64 - depth) };
                    return prefix << PREFIX_AT | tag << DEPTH_BITS | u64::from(depth);
                }
                let keys = self.keys_in(position, depth).max(1);
                let high = tag + (TAGS * wanted as u64 / keys).clamp(1, TAGS - tag);
                self.visit_tags(position, depth, tag, high, &mut |entry| {
                    seen += 1;
                    visit(entry);
                });
                tag = high;
            }
            tag = 0;
            match next_region(position, depth) {
                Some(next) => position = next,
                None => return 0,
            }
        }
    }

    /// About how many keys the region has.
    fn keys_in(&self, position: u64, depth: u32) -> u64 {
        let first = self.segment(position);
        // Deeper segments: so many parts of about that size.
        u64::from(first.header().count).max(1) << first.depth().saturating_sub(depth).min(32)
    }

    /// Visits the keys of a region with tags in `low..high`.
    fn visit_tags(&self, position: u64, depth: u32, low: u64, high: u64, visit: &mut dyn FnMut(EntryRef<'_>)) {
        let within = |hash: u64| depth == 0 || hash >> (64 - depth) == position >> (64 - depth);
        let mut at = position;
        loop {
            let segment = self.segment(at);
            let is_wider = segment.depth() < depth;
            segment.slots_of_tags(low, high, &mut |slot| {
                let entry = slot.entry();
                if !is_wider || within(self.hasher.hash(entry.key())) {
                    visit(entry);
                }
            });
            match self.after_segment(at) {
                Some(next) if !is_wider && within(next) => at = next,
                _ => return,
            }
        }
    }

    /// A place chosen at random, all with the same chance as long as there is a reasonable number of keys.
    pub fn random(&self, rng: &mut Rng) -> Option<Loc> {
        if self.len == 0 {
            return None;
        }
        let deepest = self.depth();
        for _ in 0..RANDOM_DRAWS {
            let word = rng.below(self.directory.len() as u64) as usize;
            let segment = self.directory[word];
            // A segment named by several words is drawn through its first one only, else its keys would be favoured.
            if word & ((1 << (deepest - segment.depth())) - 1) != 0 {
                continue;
            }
            // Likewise a segment of few buckets: draw among as many slots as a large one has.
            let at = rng.below((segment.buckets().max(RANDOM_SLOTS) * SLOTS) as u64) as usize;
            if at < segment.buckets() * SLOTS && segment.slot(at) != Slot(0) {
                return Some(Loc { word, at });
            }
        }
        let start = rng.below(self.directory.len() as u64) as usize;
        let words = (start..self.directory.len()).chain(0..start);
        words.filter(|&word| self.directory[word].header().count > 0).find_map(|word| {
            let segment = self.directory[word];
            let places = segment.buckets() * SLOTS;
            let first = rng.below(places as u64) as usize;
            let at = (first..places).chain(0..first).find(|&at| segment.slot(at) != Slot(0))?;
            Some(Loc { word, at })
        })
    }

    /// Visits at least `count` entries at random places, if there are as many: whole buckets from one chosen by `start` on.
    /// With `expiring`, only entries with an expiry are visited.
    ///
    /// A random hash chooses the bucket, and hashes of keys are random as well: so each key has about the same chance, however
    /// full its segment is.
    pub fn sample(&self, start: u64, count: usize, expiring: bool, visit: &mut dyn FnMut(EntryRef<'_>)) {
        let first = self.segment(start);
        let (mut position, mut seen) = (start, 0);
        loop {
            let segment = self.segment(position);
            let header = segment.header();
            if if expiring { header.expires } else { header.count } > 0 {
                let is_unsated = segment.buckets_from(start, &mut |bucket| {
                    let wanted = |slot: &&u64| **slot != 0 && (!expiring || Slot(**slot).has(EXPIRES));
                    let slots = || bucket.iter().filter(wanted).map(|&slot| Slot(slot));
                    slots().for_each(|slot| prefetch(slot.block().as_ptr()));
                    for slot in slots() {
                        seen += 1;
                        visit(slot.entry());
                    }
                    seen < count
                });
                if !is_unsated {
                    return;
                }
            }
            position = self.after_segment(position).unwrap_or(0);
            if self.segment(position) == first {
                return;
            }
        }
    }

    /// Goes on with the sweep: appends to `keys` (and their ends to `ends`) keys whose time is over at `now`, which the
    /// caller removes, and keys of values with elements that may be over, which the caller takes out. Returns after one segment that had some, or after `headers` that had none.
    pub fn sweep(&mut self, now: UnixMillis, headers: usize, keys: &mut Vec<u8>, ends: &mut Vec<usize>) -> Swept {
        if self.sweep.position == 0 {
            if self.sweep.due >= now.0 {
                return Swept::All;
            }
            self.sweep.met = i64::MAX;
        }
        for _ in 0..headers.max(1) {
            let position = self.sweep.position;
            let word = self.word_of(position);
            if let Some(later) = self.directory.get(word + HEADERS_AHEAD) {
                prefetch(later.block().as_ptr());
            }
            let segment = self.directory[word];
            if segment.header().due < now.0 {
                let Some(due) = gather(segment, now, keys, ends) else { return Swept::More };
                segment.header_mut().due = due;
            }
            self.sweep.met = self.sweep.met.min(segment.header().due);
            match self.after_segment(position) {
                Some(next) => self.sweep.position = next,
                None => {
                    self.sweep = Sweep { position: 0, due: self.sweep.met, met: i64::MAX };
                    return if self.sweep.due < now.0 { Swept::More } else { Swept::All };
                }
            }
            if !ends.is_empty() {
                break;
            }
        }
        Swept::More
    }
}

/// Copies the keys whose time is over, or that of some of their elements; gives when the segment is due next, or `None` if it stopped early because the
/// portion was large enough.
fn gather(segment: Segment, now: UnixMillis, keys: &mut Vec<u8>, ends: &mut Vec<usize>) -> Option<i64> {
    // The earliest expiries to come, in order.
    let mut coming = [i64::MAX; WORTH_A_LOOK];
    for slot in segment.slots().filter(|slot| slot.has(EXPIRES | ELEMENTS)) {
        prefetch(slot.block().as_ptr());
    }
    for slot in segment.slots().filter(|slot| slot.has(EXPIRES | ELEMENTS)) {
        let entry = slot.entry();
        let due = if slot.has(ELEMENTS) { entry.value().due() } else { None };
        let when = entry.expiry().into_iter().chain(due).map(|when| when.0).min().unwrap_or(i64::MAX);
        if when < now.0 {
            keys.extend_from_slice(entry.key());
            ends.push(keys.len());
            if keys.len() >= PORTION_BYTES {
                return None;
            }
        } else if when < coming[WORTH_A_LOOK - 1] {
            let place = coming.partition_point(|&other| other <= when);
            coming[place..].rotate_right(1);
            coming[place] = when;
        }
    }
    Some(coming[WORTH_A_LOOK - 1].min(coming[0].saturating_add(LATE_MS)))
}

/// Slots are drawn as if every segment had at least this many buckets.
const RANDOM_SLOTS: usize = 62;

/// The least depth at which `position` begins a region.
fn least_depth(position: u64) -> u32 {
    64 - position.trailing_zeros()
}

fn next_region(position: u64, depth: u32) -> Option<u64> {
    if depth == 0 {
        return None;
    }
    let next = (position >> (64 - depth)) + 1;
    (next >> depth == 0).then(|| next << (64 - depth))
}
