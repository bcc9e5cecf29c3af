//! The members of a sorted set and their scores, in blocks of a few bytes that are named by 32-bit numbers.
//!
//! Both indexes of a large sorted set (by order and by name) point at the same block, so what a pointer costs is paid
//! twice per member. A number of 32 bits into memory of our own halves that, and copying or dropping a whole set is a
//! matter of pages, not of members.
//!
//! ```text
//! MemberId  | 23 bits: page | 9 bits: unit of 8 bytes within the page |
//!
//! block     | score, 8 bytes | length, 1 byte | the member | padding to 8 |
//!           length 0..=252: that many bytes follow
//!           254: the length is in the next 2 bytes
//!           255: the next 4 bytes are an index into `large`, for members longer than `INSIDE_MAX`
//!
//! free      | next, 4 | previous, 4 | 253 | units, 2 |         in the list of its size
//! ```
//!
//! A member of 16 bytes takes 32 bytes in all. The first page is small and grows, so that a set of a few members is not
//! charged for a whole one. Freed blocks wait in a list per size, linked through themselves, for the next member of that
//! size; a larger one is cut before a new page is begun. When half of the memory is free, whoever owns the blocks moves
//! those of the last page elsewhere, page by page ([`Members::give_back_page`]).
//!
//! 2^32 units are 32 GiB of members in one set, long members not counted.

use smallvec::SmallVec;

use crate::base::alloc::rounded;
use crate::data::rows::Rows;

/// Names a block. Good until that block is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberId(pub u32);

/// Bytes of a unit, in which blocks are measured.
const UNIT: usize = 8;
/// Units of a page.
const PAGE_UNITS: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 9;
/// Units of the first page in the beginning.
const FIRST_UNITS: usize = 32;
/// Members up to this length lie in their block.
const INSIDE_MAX: usize = 1000;
/// Units of the largest block: score, three bytes of length, the longest member inside.
const BLOCK_UNITS_MAX: usize = (8 + 3 + INSIDE_MAX).div_ceil(UNIT);
/// Units of the smallest block. A smaller piece of a page is of no use.
const BLOCK_UNITS_MIN: usize = 2;

/// Where the length byte stands in a block.
const LENGTH_AT: usize = 8;
const FREE: u8 = 253;
const LENGTH_IN_TWO: u8 = 254;
const OUTSIDE: u8 = 255;

/// The end of a free list.
const NONE: u32 = u32::MAX;

/// The blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pages: Rows<Box<[u8]>>,
    /// Units of the last page that have been handed out.
    used: usize,
    /// Heads of the lists of free blocks, by size in units; empty until something is freed.
    free: Vec<u32>,
    /// Bit n: the list of blocks of n units is not empty.
    free_sizes: u128,
    /// Units in these lists.
    free_units: usize,
    /// With less free than this, no page can be emptied.
    retry_above: usize,
    large: Rows<Box<[u8]>>,
    large_free: Vec<u32>,
    large_bytes: usize,
}

impl Members {
    /// A copy that costs next to nothing: both share their pages until either alters them.
    pub fn freeze(&mut self) -> Members {
        Members {
            pages: self.pages.freeze(),
            large: self.large.freeze(),
            free: Vec::new(),
            large_free: Vec::new(),
            ..*self
        }
    }

    /// Stores a member.
    pub fn add(&mut self, score: f64, member: &[u8]) -> MemberId {
        let mut head = [0u8; 16];
        head[..LENGTH_AT].copy_from_slice(&score.to_le_bytes());
        let (head_len, inside): (usize, &[u8]) = match member.len() {
            length @ 0..253 => {
                head[LENGTH_AT] = length as u8;
                (9, member)
            }
            length @ 253..=INSIDE_MAX => {
                head[LENGTH_AT] = LENGTH_IN_TWO;
                head[9..11].copy_from_slice(&(length as u16).to_le_bytes());
                (11, member)
            }
            _ => {
                head[LENGTH_AT] = OUTSIDE;
                head[9..13].copy_from_slice(&self.add_large(member).to_le_bytes());
                (13, &[])
            }
        };
        let id = self.take((head_len + inside.len()).div_ceil(UNIT));
        let block = self.block_mut(id);
        block[..head_len].copy_from_slice(&head[..head_len]);
        block[head_len..head_len + inside.len()].copy_from_slice(inside);
        id
    }

    /// Gives a member's block back.
    pub fn remove(&mut self, id: MemberId) {
        let block = self.block(id);
        let units = units_of(block);
        if block[LENGTH_AT] == OUTSIDE {
            let index = four_bytes(block);
            self.large_bytes -= rounded(self.large.get(index as usize).len());
            self.large.set(index as usize, Box::default());
            self.large_free.push(index);
        }
        self.push(id, units);
    }

    /// Gives the last page back if half of the memory is free: copies its blocks elsewhere and tells `relocate` of each, with
    /// its old number and its new one. Both are good until this returns. False if there was nothing to do. About a
    /// hundred blocks at most, so that nobody waits.
    pub fn give_back_page(&mut self, mut relocate: impl FnMut(&Members, MemberId, MemberId)) -> bool {
        let is_sparse = self.pages.len() > 2 && self.free_units * 2 >= self.pages.len() * PAGE_UNITS;
        if !is_sparse || self.free_units < self.retry_above {
            return false;
        }
        // Nothing may be put into this page while it is emptied.
        let (mut at, mut blocks, mut gaps) = (0, Vec::new(), Vec::new());
        while at + BLOCK_UNITS_MIN <= self.used {
            let id = MemberId(((self.pages.len() - 1) << PAGE_BITS | at) as u32);
            let (units, is_free) = (units_of(self.block(id)), self.block(id)[LENGTH_AT] == FREE);
            if is_free {
                self.unlink(id, units);
                gaps.push((id, units));
            } else {
                blocks.push((id, units));
            }
            at += units;
        }
        for (id, units) in blocks {
            let Some(new) = self.take_freed(units) else {
                // Only smaller pieces are free. Not to be tried again before there is more. The last comes first, as
                // each looks at what is behind it.
                gaps.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(id.0));
                gaps.into_iter().for_each(|(id, units)| self.push(id, units));
                self.retry_above = self.free_units + PAGE_UNITS;
                return false;
            };
            let copy: SmallVec<[u8; 64]> = self.block(id)[..units * UNIT].into();
            self.block_mut(new)[..copy.len()].copy_from_slice(&copy);
            relocate(self, id, new);
            gaps.push((id, units));
        }
        self.pages.pop();
        self.used = PAGE_UNITS;
        self.retry_above = 0;
        true
    }

    /// The member.
    #[inline]
    pub fn bytes(&self, id: MemberId) -> &[u8] {
        let block = self.block(id);
        match block[LENGTH_AT] {
            LENGTH_IN_TWO => &block[11..11 + two_bytes(block)],
            OUTSIDE => self.large.get(four_bytes(block) as usize),
            length => &block[9..9 + length as usize],
        }
    }

    /// Its score.
    #[inline]
    pub fn score(&self, id: MemberId) -> f64 {
        f64::from_le_bytes(self.block(id)[..LENGTH_AT].try_into().expect("eight bytes"))
    }

    /// Changes its score.
    pub fn set_score(&mut self, id: MemberId, score: f64) {
        self.block_mut(id)[..LENGTH_AT].copy_from_slice(&score.to_le_bytes());
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        let first = if self.pages.is_empty() { 0 } else { rounded(self.pages.get(0).len()) };
        let others = self.pages.len().saturating_sub(1) * rounded(PAGE_UNITS * UNIT);
        let tables =
            self.pages.memory() + self.large.memory() + (self.large_free.capacity() + self.free.capacity()) * 4;
        first + others + tables + self.large_bytes
    }

    /// How many allocations dropping this gives back.
    pub fn allocations(&self) -> usize {
        self.pages.len() + self.large.len() - self.large_free.len()
    }

    /// From the start of a block to the end of its page.
    #[inline]
    fn block(&self, id: MemberId) -> &[u8] {
        &self.pages.get((id.0 >> PAGE_BITS) as usize)[(id.0 as usize % PAGE_UNITS) * UNIT..]
    }

    fn block_mut(&mut self, id: MemberId) -> &mut [u8] {
        &mut self.pages.get_mut((id.0 >> PAGE_BITS) as usize)[(id.0 as usize % PAGE_UNITS) * UNIT..]
    }

    fn add_large(&mut self, member: &[u8]) -> u32 {
        self.large_bytes += rounded(member.len());
        if let Some(index) = self.large_free.pop() {
            self.large.set(index as usize, member.into());
            return index;
        }
        self.large.push(member.into());
        (self.large.len() - 1) as u32
    }

    /// Takes a block: one of exactly this size that was freed, else from the end of the last page, else a piece of a
    /// larger one that was freed, else from a new page.
    fn take(&mut self, units: usize) -> MemberId {
        if self.free_sizes & (1 << units) != 0 {
            return self.pop(units);
        }
        if let Some(id) = self.take_unused(units).or_else(|| self.take_freed(units)) {
            return id;
        }
        self.begin_page(units);
        self.take_unused(units).expect("a new page has room for any block")
    }

    /// Takes a block that was freed, or a piece of one.
    fn take_freed(&mut self, units: usize) -> Option<MemberId> {
        if self.free_sizes & (1 << units) != 0 {
            return Some(self.pop(units));
        }
        // What is left must be a block itself.
        let large_enough = self.free_sizes.checked_shr((units + BLOCK_UNITS_MIN) as u32).unwrap_or(0);
        if large_enough == 0 {
            return None;
        }
        let size = units + BLOCK_UNITS_MIN + large_enough.trailing_zeros() as usize;
        let id = self.pop(size);
        self.push(MemberId(id.0 + units as u32), size - units);
        Some(id)
    }

    fn take_unused(&mut self, units: usize) -> Option<MemberId> {
        let number = self.pages.len().checked_sub(1)?;
        let has = self.pages.get(number).len() / UNIT;
        if self.used + units > has {
            if number > 0 || self.used + units > PAGE_UNITS {
                return None;
            }
            // Only the first page is smaller than the others, for a while.
            let mut larger =
                vec![0; (self.used + units).next_power_of_two().max(FIRST_UNITS) * UNIT].into_boxed_slice();
            larger[..has * UNIT].copy_from_slice(self.pages.get(0));
            self.pages.set(0, larger);
        }
        let id = MemberId(((number << PAGE_BITS) + self.used) as u32);
        self.used += units;
        Some(id)
    }

    fn begin_page(&mut self, units: usize) {
        if let Some(number) = self.pages.len().checked_sub(1) {
            // The rest of the last page, in pieces that the lists can hold.
            while PAGE_UNITS - self.used >= BLOCK_UNITS_MIN {
                let piece = (PAGE_UNITS - self.used).min(BLOCK_UNITS_MAX);
                self.push(MemberId(((number << PAGE_BITS) + self.used) as u32), piece);
                self.used += piece;
            }
        }
        assert!(self.pages.len() < 1 << (32 - PAGE_BITS), "more than 32 GiB of members in one sorted set");
        let size = if self.pages.is_empty() { units.next_power_of_two().max(FIRST_UNITS) } else { PAGE_UNITS };
        self.pages.push(vec![0; size * UNIT].into_boxed_slice());
        self.used = 0;
    }

    /// Enters a block into the list of its size, together with free ones right behind it.
    fn push(&mut self, id: MemberId, mut units: usize) {
        if self.free.is_empty() {
            self.free = vec![NONE; BLOCK_UNITS_MAX + 1];
        }
        let is_last = (id.0 >> PAGE_BITS) as usize + 1 == self.pages.len();
        let end = if is_last { self.used } else { PAGE_UNITS };
        while id.0 as usize % PAGE_UNITS + units + BLOCK_UNITS_MIN <= end {
            let behind = MemberId(id.0 + units as u32);
            let block = self.block(behind);
            let more = units_of(block);
            if block[LENGTH_AT] != FREE || units + more > BLOCK_UNITS_MAX {
                break;
            }
            self.unlink(behind, more);
            units += more;
        }
        let next = std::mem::replace(&mut self.free[units], id.0);
        if next != NONE {
            self.block_mut(MemberId(next))[4..8].copy_from_slice(&id.0.to_le_bytes());
        }
        let block = self.block_mut(id);
        block[..4].copy_from_slice(&next.to_le_bytes());
        block[4..8].copy_from_slice(&NONE.to_le_bytes());
        block[LENGTH_AT] = FREE;
        block[9..11].copy_from_slice(&(units as u16).to_le_bytes());
        self.free_sizes |= 1 << units;
        self.free_units += units;
    }

    fn pop(&mut self, units: usize) -> MemberId {
        let id = MemberId(self.free[units]);
        self.unlink(id, units);
        id
    }

    /// Takes a free block out of its list.
    fn unlink(&mut self, id: MemberId, units: usize) {
        let block = self.block(id);
        let link = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let (next, previous) = (link(0), link(4));
        if next != NONE {
            self.block_mut(MemberId(next))[4..8].copy_from_slice(&previous.to_le_bytes());
        }
        match previous {
            NONE => self.free[units] = next,
            previous => self.block_mut(MemberId(previous))[..4].copy_from_slice(&next.to_le_bytes()),
        }
        if self.free[units] == NONE {
            self.free_sizes &= !(1 << units);
        }
        self.free_units -= units;
    }
}

/// Units of a block, free or not.
fn units_of(block: &[u8]) -> usize {
    match block[LENGTH_AT] {
        FREE => two_bytes(block),
        LENGTH_IN_TWO => (11 + two_bytes(block)).div_ceil(UNIT),
        OUTSIDE => 13usize.div_ceil(UNIT),
        length => (9 + length as usize).div_ceil(UNIT),
    }
}

fn two_bytes(block: &[u8]) -> usize {
    u16::from_le_bytes([block[9], block[10]]) as usize
}

fn four_bytes(block: &[u8]) -> u32 {
    u32::from_le_bytes([block[9], block[10], block[11], block[12]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn members_of_every_length_are_kept_and_their_room_is_used_again() {
        let mut rng = Rng::seeded(1);
        let mut members = Members::default();
        let mut model: Vec<(MemberId, f64, Vec<u8>)> = Vec::new();
        for step in 0..60_000u32 {
            if rng.percent(55 - 10 * (step / 30_000) as u64) {
                let length = match rng.below(20) {
                    0 => rng.below(5000),
                    1 => 250 + rng.below(8),
                    2 => INSIDE_MAX as u64 - 2 + rng.below(4),
                    _ => rng.below(40),
                };
                let member = vec![step as u8; length as usize];
                let score = f64::from(step);
                model.push((members.add(score, &member), score, member));
            } else if !model.is_empty() {
                let index = rng.below(model.len() as u64) as usize;
                let (id, score, member) = model.swap_remove(index);
                assert_eq!((members.score(id), members.bytes(id)), (score, &member[..]));
                members.remove(id);
            }
            if let Some((id, score, _)) = model.last_mut() {
                *score += 1.0;
                members.set_score(*id, *score);
            }
            if step == 30_000 {
                let needed: usize = model.iter().map(|(_, _, member)| member.len() + 16).sum();
                assert!(members.memory() < needed * 5 / 4, "{} for {needed}", members.memory());
            }
        }
        let copy = members.clone();
        for (id, score, member) in &model {
            assert_eq!((members.score(*id), members.bytes(*id)), (*score, &member[..]));
            assert_eq!(copy.bytes(*id), &member[..]);
        }
    }

    #[test]
    fn pages_are_given_back_when_half_is_free() {
        let mut rng = Rng::seeded(2);
        let mut members = Members::default();
        let mut model: Vec<(MemberId, Vec<u8>)> = (0..20_000u32)
            .map(|n| {
                let member = vec![n as u8; rng.below(if n % 5_000 == 0 { 2_000 } else { 60 }) as usize];
                (members.add(f64::from(n), &member), member)
            })
            .collect();
        let full = members.memory();
        while model.len() > 500 {
            let (id, _) = model.swap_remove(rng.below(model.len() as u64) as usize);
            members.remove(id);
            while members.give_back_page(|members, old, new| {
                let entry = model.iter_mut().find(|(id, _)| *id == old).expect("only blocks in use are moved");
                entry.0 = new;
                assert_eq!((members.bytes(old), members.score(old)), (members.bytes(new), members.score(new)));
            }) {}
        }
        for (id, member) in &model {
            assert_eq!(members.bytes(*id), &member[..]);
        }
        assert!(members.memory() < full / 10, "{} of {full}", members.memory());
        for n in 0..20_000u32 {
            members.add(f64::from(n), &[7; 20]);
        }
        assert!(model.iter().all(|(id, member)| members.bytes(*id) == &member[..]));
    }

    #[test]
    fn a_few_members_take_a_few_bytes() {
        let mut members = Members::default();
        members.add(1.0, b"one");
        assert!(members.memory() <= 256 + 64 + 4 * 16, "{}", members.memory());
        for _ in 0..127 {
            members.add(1.0, &[7; 16]);
        }
        assert_eq!(members.pages.len(), 1);
        assert!(members.memory() <= 4096 + 64 + 4 * 16);
    }
}
