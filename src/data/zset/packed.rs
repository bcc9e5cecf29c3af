//! The encoding of a small sorted set: a listpack of member, score, member, score … in order.
//!
//! Scores are texts as Redis prints them, integral ones integers. Everything is a walk from the nearer end, so the limits
//! on entries and on their length are what makes this fast.

use std::cmp::Ordering;
use std::ops::Range;

use crate::base::number::{format_f64, parse_f64};
use crate::data::listpack::{Item, Listpack, Pos};
use crate::data::string::IntText;

/// Integral scores up to here are stored as integers; larger ones as texts.
const INTEGRAL_MAX: f64 = (1u64 << 62) as f64;

/// A small sorted set.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed(Listpack);

impl Packed {
    /// Takes over a listpack that [`Packed::is_sound`] was found.
    pub fn of(listpack: Listpack) -> Packed {
        Packed(listpack)
    }

    /// Whether a listpack consists of pairs of a member and a score in order.
    pub fn is_sound(listpack: &Listpack) -> bool {
        let mut last: Option<(f64, Item<'_>)> = None;
        let mut items = listpack.iter();
        while let Some(member) = items.next() {
            let Some(score) = items.next().and_then(|score| read_score(&score)) else {
                return false;
            };
            let mut room = IntText::new();
            let is_after = last.is_none_or(|(last_score, last_member)| {
                last_score < score
                    || (last_score == score && last_member.cmp_bytes(member.as_bytes(&mut room)) == Ordering::Less)
            });
            if !is_after {
                return false;
            }
            last = Some((score, member));
        }
        true
    }

    /// The listpack.
    pub fn as_listpack(&self) -> &Listpack {
        &self.0
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|pos| self.score_of(pos))
    }

    /// How many members are before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let mut walk = self.walk(0);
        let mut rank = 0;
        while let Some((other, score)) = walk.next() {
            if other.eq_bytes(member) {
                return Some((rank, score));
            }
            rank += 1;
        }
        None
    }

    /// Gives a member that is there a score and returns the one it had.
    pub fn rescore(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let pos = self.find(member)?;
        let old = self.score_of(pos);
        if old != score {
            self.0.remove(pos, 2);
            self.insert(member, score);
        }
        Some(old)
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64) {
        let place = self.pairs().find(|pos| {
            let other = self.score_of(*pos);
            other > score || (other == score && self.0.get(*pos).cmp_bytes(member) == Ordering::Greater)
        });
        match place {
            Some(pos) => {
                let pos = self.0.insert_before(pos, member);
                self.insert_score_after(pos, score);
            }
            None => self.push(member, score),
        }
    }

    /// Adds a member that comes after all others.
    pub fn push(&mut self, member: &[u8], score: f64) {
        self.0.push_back(member);
        let last = self.0.last().expect("just added");
        self.insert_score_after(last, score);
    }

    /// Whether a member of this length could be added without the whole becoming too large.
    pub fn has_room(&self, member: usize) -> bool {
        self.0.has_room(2, member + 32)
    }

    /// Takes a member out and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let pos = self.find(member)?;
        let score = self.score_of(pos);
        self.0.remove(pos, 2);
        Some(score)
    }

    /// Takes the members of these ranks out, showing each.
    pub fn remove_range(&mut self, range: Range<usize>, mut show: impl FnMut(Item<'_>, f64)) {
        let count = range.end.min(self.len()).saturating_sub(range.start);
        if count == 0 {
            return;
        }
        let mut walk = self.walk(range.start);
        for _ in 0..count {
            let (member, score) = walk.next().expect("the range is within");
            show(member, score);
        }
        let pos = self.0.seek(range.start as isize * 2).expect("the range is within");
        self.0.remove(pos, count * 2);
    }

    /// The ranks from the first element that is not below to the first after it that is above.
    pub fn range(
        &self,
        mut is_below: impl FnMut(f64, Item<'_>) -> bool,
        mut is_above: impl FnMut(f64, Item<'_>) -> bool,
    ) -> Range<usize> {
        let mut walk = self.walk(0);
        let (mut start, mut end) = (0, 0);
        while let Some((member, score)) = walk.next() {
            if start == end && is_below(score, member) {
                start += 1;
            } else if is_above(score, member) {
                break;
            }
            end += 1;
        }
        start..end
    }

    /// A walk that stands before the element of this rank.
    pub fn walk(&self, rank: usize) -> PackedWalk<'_> {
        PackedWalk { listpack: &self.0, at: self.0.seek(rank as isize * 2) }
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }

    /// Where its memory begins.
    pub fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// Where the members are.
    fn pairs(&self) -> impl Iterator<Item = Pos> + '_ {
        std::iter::successors(self.0.first(), |pos| self.0.next(*pos).and_then(|score| self.0.next(score)))
    }

    fn find(&self, member: &[u8]) -> Option<Pos> {
        self.0.find(self.0.first()?, member, 1)
    }

    /// The score that stands behind a member.
    fn score_of(&self, member: Pos) -> f64 {
        score_behind(&self.0, member)
    }

    fn insert_score_after(&mut self, member: Pos, score: f64) {
        if score.trunc() == score && score.abs() <= INTEGRAL_MAX {
            // Also for -0, which has no text of its own here.
            self.0.insert_after(member, IntText::new().format(score as i64).as_bytes());
        } else {
            self.0.insert_after(member, &format_f64(score));
        }
    }
}

fn score_behind(listpack: &Listpack, member: Pos) -> f64 {
    let pos = listpack.next(member).expect("a score follows each member");
    read_score(&listpack.get(pos)).expect("scores were checked when they were stored")
}

/// The score that an entry denotes, `None` if it is no number.
pub(super) fn read_score(item: &Item<'_>) -> Option<f64> {
    match item {
        Item::Int(value) => Some(*value as f64),
        Item::Bytes(text) => parse_f64(text),
    }
}

/// A place between two elements, from which one can walk both ways.
#[derive(Clone, Debug)]
pub(super) struct PackedWalk<'a> {
    listpack: &'a Listpack,
    /// The member behind the place; `None` at the end.
    at: Option<Pos>,
}

impl<'a> PackedWalk<'a> {
    /// Steps over the element behind the place, and shows it.
    pub fn next(&mut self) -> Option<(Item<'a>, f64)> {
        let pos = self.at?;
        let score = self.listpack.next(pos).expect("a score follows each member");
        self.at = self.listpack.next(score);
        Some((self.listpack.get(pos), score_behind(self.listpack, pos)))
    }

    /// Steps back over the element before the place, and shows it.
    pub fn previous(&mut self) -> Option<(Item<'a>, f64)> {
        let score = match self.at {
            Some(pos) => self.listpack.prev(pos)?,
            None => self.listpack.last()?,
        };
        let pos = self.listpack.prev(score).expect("a member stands before each score");
        self.at = Some(pos);
        Some((self.listpack.get(pos), score_behind(self.listpack, pos)))
    }
}
