//! Sorted sets: members with a score each, in the order of scores and, among equal ones, of names.
//!
//! Small ones are `listpack`s ([`packed`]), large ones are called `skiplist` for OBJECT ENCODING's sake and are a tree and
//! an index over blocks ([`sorted`]). A set becomes large when it has more than `zset-max-listpack-entries` members or
//! one longer than `zset-max-listpack-value`, and stays so.
//!
//! Everything that is a range (by rank, by score, by name) becomes a range of ranks first, found in O(log n); then it is
//! walked over ([`Zset::elements`]) or removed ([`Zset::remove_range`]).
//!
//! No score is NaN: callers check that.

mod index;
mod members;
mod packed;
mod range;
mod sorted;
#[cfg(test)]
mod tests;
mod tree;
mod update;

use std::ops::Range;

use crate::base::number::format_f64;
use crate::data::listpack::{Item, Listpack};
use crate::data::string::IntText;
use crate::data::{Collection, Encoding, Limits, TypeName, Value, ValueMut, ValueRef};
use packed::{Packed, PackedWalk};
pub use range::{End, LexEnd, LexRange, ScoreRange};
use sorted::{Gathered, Sorted, SortedWalk};
pub use update::{Rule, Updated};

/// A sorted set.
#[derive(Clone, Debug)]
pub struct Zset(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Packed),
    Sorted(Box<Sorted>),
}

/// Sets up to this size are laid out as fast as they are frozen.
const FROZEN_FROM: usize = 64;

/// A member, borrowed: from a listpack it may be an integer.
pub type Member<'a> = Item<'a>;

impl Default for Zset {
    fn default() -> Zset {
        Zset(Repr::Packed(Packed::default()))
    }
}

impl Zset {
    /// An empty set.
    pub fn new() -> Zset {
        Zset::default()
    }

    /// An empty set that is large from the beginning if `count` members, of which the longest has `longest` bytes, would
    /// make it so anyway.
    pub fn for_members(count: usize, longest: usize, limits: &Limits) -> Zset {
        match count as u64 <= limits.zset_max_listpack_entries && longest as u64 <= limits.zset_max_listpack_value {
            true => Zset::default(),
            false => Zset(Repr::Sorted(Box::new(Sorted::new()))),
        }
    }

    /// A small set from a listpack of member, score, member, score …; `None` unless they are pairs in strict order, all
    /// scores numbers. (Whether a name occurs twice is not looked at.)
    pub fn from_listpack(listpack: Listpack) -> Option<Zset> {
        Packed::is_sound(&listpack).then(|| Zset(Repr::Packed(Packed::of(listpack))))
    }

    /// The listpack of a small set.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(packed) => Some(packed.as_listpack()),
            Repr::Sorted(_) => None,
        }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len(),
            Repr::Sorted(sorted) => sorted.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Packed(packed) => packed.score(member),
            Repr::Sorted(sorted) => sorted.score(member),
        }
    }

    /// How many members are before this one, and its score. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Repr::Packed(packed) => packed.rank(member),
            Repr::Sorted(sorted) => sorted.rank(member),
        }
    }

    /// Gives a member a score and returns the one it had, if it was there. O(log n).
    pub fn put(&mut self, member: &[u8], score: f64, limits: &Limits) -> Option<f64> {
        assert!(!score.is_nan(), "NaN is no score");
        match &mut self.0 {
            Repr::Packed(packed) => {
                if let Some(old) = packed.rescore(member, score) {
                    return Some(old);
                }
                let stays_small = (packed.len() as u64) < limits.zset_max_listpack_entries
                    && member.len() as u64 <= limits.zset_max_listpack_value
                    && packed.has_room(member.len());
                if stays_small {
                    packed.insert(member, score);
                    return None;
                }
                self.enlarge().put(member, score)
            }
            Repr::Sorted(sorted) => sorted.put(member, score),
        }
    }

    /// Takes a member out and returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Repr::Packed(packed) => packed.remove(member),
            Repr::Sorted(sorted) => sorted.remove(member),
        }
    }

    /// Takes the members of these ranks out and shows each, in order. O(log n) and O(1) for each.
    pub fn remove_range(&mut self, range: Range<usize>, mut show: impl FnMut(Member<'_>, f64)) {
        match &mut self.0 {
            Repr::Packed(packed) => packed.remove_range(range, show),
            Repr::Sorted(sorted) => sorted.remove_range(range, |member, score| show(Item::Bytes(member), score)),
        }
    }

    /// The ranks of the members whose scores are in a range. O(log n).
    pub fn range_by_score(&self, range: &ScoreRange) -> Range<usize> {
        match &self.0 {
            Repr::Packed(packed) => packed.range(|score, _| range.is_below(score), |score, _| range.is_above(score)),
            Repr::Sorted(sorted) => {
                let start = match range.min {
                    End::With(min) => sorted.count_by_score(min, false),
                    End::Without(min) => sorted.count_by_score(min, true),
                };
                let end = match range.max {
                    End::With(max) => sorted.count_by_score(max, true),
                    End::Without(max) => sorted.count_by_score(max, false),
                };
                start..end.max(start)
            }
        }
    }

    /// The ranks of the members whose names are in a range, all scores being equal. O(log n).
    pub fn range_by_name(&self, range: &LexRange<'_>) -> Range<usize> {
        match &self.0 {
            Repr::Packed(packed) => packed.range(
                |_, member| range.is_below(member.as_bytes(&mut IntText::new())),
                |_, member| range.is_above(member.as_bytes(&mut IntText::new())),
            ),
            Repr::Sorted(sorted) => {
                let start = sorted.count_by_name(|member| range.is_below(member));
                let end = sorted.count_by_name(|member| !range.is_above(member));
                start..end.max(start)
            }
        }
    }

    /// The members of these ranks in order.
    pub fn elements(&self, range: Range<usize>) -> Elements<'_> {
        self.walk_over(range, false)
    }

    /// The members of these ranks, the last one first.
    pub fn elements_backwards(&self, range: Range<usize>) -> Elements<'_> {
        self.walk_over(range, true)
    }

    /// All members in order.
    pub fn iter(&self) -> Elements<'_> {
        self.elements(0..self.len())
    }

    fn walk_over(&self, range: Range<usize>, is_backwards: bool) -> Elements<'_> {
        let end = range.end.min(self.len());
        let left = end.saturating_sub(range.start);
        let from = if is_backwards { end } else { range.start };
        let walk = match &self.0 {
            Repr::Packed(packed) => ReprWalk::Packed(packed.walk(from)),
            Repr::Sorted(sorted) => ReprWalk::Sorted(sorted.walk(from)),
        };
        Elements { walk, is_backwards, left }
    }

    /// One step of a walk in an order of its own: shows at least `count` members or all that are left, a small set at
    /// once. Returns where to go on, 0 at the end. A member that is there from the first step to the last is shown at
    /// least once.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Member<'_>, f64)) -> u64 {
        match &self.0 {
            Repr::Packed(_) => {
                self.iter().for_each(|(member, score)| show(member, score));
                0
            }
            Repr::Sorted(sorted) => match u32::try_from(cursor) {
                Ok(cursor) => sorted.scan(cursor, count, |member, score| show(Item::Bytes(member), score)).into(),
                Err(_) => 0,
            },
        }
    }

    /// Turns a small set into a large one.
    fn enlarge(&mut self) -> &mut Sorted {
        if let Repr::Packed(packed) = &self.0 {
            let mut sorted = Sorted::new();
            let (mut walk, mut room) = (packed.walk(0), IntText::new());
            while let Some((member, score)) = walk.next() {
                sorted.put(member.as_bytes(&mut room), score);
            }
            self.0 = Repr::Sorted(Box::new(sorted));
        }
        match &mut self.0 {
            Repr::Sorted(sorted) => sorted,
            Repr::Packed(_) => unreachable!("it was just replaced"),
        }
    }
}

/// Members in order, with their scores. See [`Zset::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    walk: ReprWalk<'a>,
    is_backwards: bool,
    left: usize,
}

#[derive(Clone, Debug)]
enum ReprWalk<'a> {
    Packed(PackedWalk<'a>),
    Sorted(SortedWalk<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = (Member<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Member<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        match (&mut self.walk, self.is_backwards) {
            (ReprWalk::Packed(walk), false) => walk.next(),
            (ReprWalk::Packed(walk), true) => walk.previous(),
            (ReprWalk::Sorted(walk), false) => walk.next().map(|(member, score)| (Item::Bytes(member), score)),
            (ReprWalk::Sorted(walk), true) => walk.previous().map(|(member, score)| (Item::Bytes(member), score)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// A set in the making, from members in no order and with scores that may still change.
#[derive(Debug)]
pub struct Draft(Gathered);

impl Default for Draft {
    fn default() -> Draft {
        Draft::new()
    }
}

impl Draft {
    /// Nothing yet.
    pub fn new() -> Draft {
        Draft(Gathered::new())
    }

    /// Adds a member, or gives the one that is there the score that `merge` makes of the one it has. No score may be NaN.
    pub fn add(&mut self, member: &[u8], score: f64, merge: impl FnOnce(f64) -> f64) {
        self.0.add(member, score, merge);
    }

    /// The set, for a short life: packing a small one would not pay (and would lose the sign of -0).
    pub fn into_large(self) -> Zset {
        Zset(Repr::Sorted(Box::new(self.0.into_sorted())))
    }

    /// The set: a small one if the limits allow it.
    pub fn into_zset(self, limits: &Limits) -> Zset {
        let is_small = self.0.len() as u64 <= limits.zset_max_listpack_entries
            && self.0.longest() as u64 <= limits.zset_max_listpack_value
            && Listpack::new().has_room(self.0.len() * 2, self.0.bytes() + self.0.len() * 32);
        let sorted = self.0.into_sorted();
        if !is_small {
            return Zset(Repr::Sorted(Box::new(sorted)));
        }
        let (mut packed, mut walk) = (Packed::default(), sorted.walk(0));
        while let Some((member, score)) = walk.next() {
            packed.push(member, score);
        }
        Zset(Repr::Packed(packed))
    }
}

impl Collection for Zset {
    const TYPE: TypeName = TypeName::Zset;
    const IS_ORDERED: bool = false;

    fn is_empty(&self) -> bool {
        Zset::is_empty(self)
    }

    fn freeze(&mut self) -> Option<Zset> {
        match &mut self.0 {
            Repr::Sorted(sorted) if sorted.len() > FROZEN_FROM => Some(Zset(Repr::Sorted(Box::new(sorted.freeze())))),
            _ => None,
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]])) {
        let mut room = IntText::new();
        for (member, score) in self.iter() {
            visit(&[member.as_bytes(&mut room), &format_f64(score)]);
        }
    }

    fn encoding(&self) -> Encoding {
        match &self.0 {
            Repr::Packed(_) => Encoding::Listpack,
            Repr::Sorted(_) => Encoding::Skiplist,
        }
    }

    #[inline]
    fn heap(&self) -> *const u8 {
        match &self.0 {
            Repr::Packed(packed) => packed.address(),
            Repr::Sorted(sorted) => (&raw const **sorted).cast(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.memory(),
            Repr::Sorted(sorted) => sorted.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 1,
            Repr::Sorted(sorted) => sorted.allocations(),
        }
    }

    fn into_value(self) -> Value {
        Value::Zset(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&Zset> {
        match value {
            ValueRef::Zset(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut Zset> {
        match value {
            ValueMut::Zset(value) => Some(value),
            _ => None,
        }
    }
}
