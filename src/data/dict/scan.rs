//! Visiting all elements of a table that changes meanwhile.
//!
//! Positions are reversed hashes. In their order a segment is a region: all positions with the same leading bits; when it
//! splits, the region is halved. A cursor says
//!
//! ```text
//! prefix << 14 | tag << 6 | depth
//! ```
//!
//! Everything before the region `prefix` of `depth` leading bits has been visited, and of that region all elements with a
//! tag below `tag`. If the region has been split since, all parts are visited for the same range of tags before the next
//! range; if it has been merged, its neighbour's elements are told apart by their hashes. So an element that is there all
//! the time is visited, and twice only if it was removed and added. Any number is a harmless cursor, and 0 is the
//! beginning and the end.

use super::{Dict, Entry};

const TAGS: u64 = 1 << 8;
const TAG_AT: u32 = 6;
const PREFIX_AT: u32 = 14;
/// Cursors have room for this many bits of prefix.
const DEPTH_MAX: u32 = 64 - PREFIX_AT;

impl<const MAP: bool> Dict<MAP> {
    /// Visits about `count` elements from `cursor` on; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Entry<'_>)) -> u64 {
        let mut depth = ((cursor & 63) as u32).min(DEPTH_MAX);
        let mut low = cursor >> TAG_AT & (TAGS - 1);
        let mut position = if depth == 0 { 0 } else { cursor >> PREFIX_AT << (64 - depth) };
        let (mut seen, count) = (0, count.max(1));
        loop {
            // At its beginning a region may be taken as finely as the table has it now; within it, only as begun.
            if low == 0 {
                depth = self.depth_at(position).max(least_depth(position));
            }
            while low < TAGS {
                if seen >= count {
                    return leading(position, depth) << PREFIX_AT | low << TAG_AT | u64::from(depth);
                }
                let elements = self.elements_in(position, depth).max(1);
                let high = low + (TAGS * (count - seen) as u64 / elements).clamp(1, TAGS - low);
                self.visit(position, depth, low..high, &mut |entry| {
                    seen += 1;
                    visit(entry);
                });
                low = high;
            }
            low = 0;
            match next_region(position, depth) {
                Some(next) => position = next,
                None => return 0,
            }
        }
    }

    fn depth_at(&self, position: u64) -> u32 {
        self.depth(self.segment_of(position.reverse_bits()))
    }

    /// About how many elements a region has.
    fn elements_in(&self, position: u64, depth: u32) -> u64 {
        let segment = self.segment(self.segment_of(position.reverse_bits()));
        // Parts of it: so many of about that size.
        (segment.len() as u64) << self.depth_at(position).saturating_sub(depth).min(32)
    }

    /// Visits the elements of a region with tags in a range.
    fn visit(&self, position: u64, depth: u32, tags: std::ops::Range<u64>, visit: &mut dyn FnMut(Entry<'_>)) {
        let is_within = |other: u64| leading(other, depth) == leading(position, depth);
        let mut at = position;
        loop {
            let segment = self.segment(self.segment_of(at.reverse_bits()));
            let part = self.depth_at(at);
            for (slot, &of_slot) in segment.tags().iter().enumerate() {
                let is_wanted = tags.contains(&u64::from(of_slot));
                if is_wanted && (part >= depth || is_within(self.seed.hash(segment.key(slot)).reverse_bits())) {
                    visit(segment.entry(slot));
                }
            }
            match next_region(at, part) {
                Some(next) if part > depth && is_within(next) => at = next,
                _ => return,
            }
        }
    }
}

/// The first `depth` bits.
fn leading(position: u64, depth: u32) -> u64 {
    if depth == 0 { 0 } else { position >> (64 - depth) }
}

/// The least depth at which `position` begins a region.
fn least_depth(position: u64) -> u32 {
    64 - position.trailing_zeros()
}

fn next_region(position: u64, depth: u32) -> Option<u64> {
    if depth == 0 {
        return None;
    }
    let next = leading(position, depth) + 1;
    (next >> depth == 0).then(|| next << (64 - depth))
}

// The tag of a hash is the end of its position, which no prefix reaches.
const _: () = assert!(DEPTH_MAX <= 56);
