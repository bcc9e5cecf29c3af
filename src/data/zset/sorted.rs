//! The encoding of a large sorted set: the members in blocks, an index of them by name, a tree of them by order.
//!
//! With a million members of 16 bytes this takes about 60 bytes per member: 32 for the block, 11 for the slots of the
//! index, 17 for the place in the tree.

use std::ops::Range;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use std::hash::Hasher;

use super::index::Index;
use super::members::{MemberId, Members};
use super::tree::{AtName, AtScore, Point, Tree, Walk};
use crate::base::alloc::rounded;

/// A large sorted set.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    members: Members,
    index: Index,
    tree: Tree,
}

/// Half of a good hash. The seed is this process's own, so that nobody can prepare members that collide.
fn hash(member: &[u8]) -> u32 {
    let mut state = FoldHasher::with_seed(0, SharedSeed::global_random());
    state.write(member);
    (state.finish() >> 32) as u32
}

/// Just before (score, member).
fn before<'a>(members: &'a Members, score: f64, member: &'a [u8]) -> impl Point + 'a {
    AtScore { score, is_before: move |id| members.bytes(id) < member }
}

/// Just behind (score, member).
fn behind<'a>(members: &'a Members, score: f64, member: &'a [u8]) -> impl Point + 'a {
    AtScore { score, is_before: move |id| members.bytes(id) <= member }
}

impl Sorted {
    /// An empty set.
    pub fn new() -> Sorted {
        Sorted { members: Members::default(), index: Index::new(), tree: Tree::new() }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(hash(member), member).map(|id| self.members.score(id))
    }

    /// How many members are before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.count_before(&before(&self.members, score, member)), score))
    }

    /// Gives a member a score and returns the one it had.
    pub fn put(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let hash = hash(member);
        if let Some(id) = self.find(hash, member) {
            let old = self.members.score(id);
            if old != score {
                self.rescore(id, member, old, score);
            }
            return Some(old);
        }
        let id = self.members.add(score, member);
        self.index.insert(hash, id);
        self.tree.insert(score, id, &before(&self.members, score, member));
        None
    }

    fn rescore(&mut self, id: MemberId, member: &[u8], old: f64, new: f64) {
        if !self.tree.rescore_before(new, &behind(&self.members, old, member)) {
            self.tree.insert(new, id, &before(&self.members, new, member));
        }
        self.members.set_score(id, new);
    }

    /// Takes a member out and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = hash(member);
        let id = self.find(hash, member)?;
        let score = self.members.score(id);
        self.tree.remove_before(&behind(&self.members, score, member));
        self.index.remove(hash, id);
        self.members.remove(id);
        self.give_back();
        Some(score)
    }

    /// Takes the members of these ranks out, showing each.
    pub fn remove_range(&mut self, range: Range<usize>, mut show: impl FnMut(&[u8], f64)) {
        let mut left = range.end.min(self.len()).saturating_sub(range.start);
        let (members, index) = (&mut self.members, &mut self.index);
        while left > 0 {
            left -= self.tree.remove_run(range.start, left, &mut |score, id| {
                let member = members.bytes(id);
                show(member, score);
                index.remove(hash(member), id);
                members.remove(id);
            });
        }
        self.give_back();
    }

    /// A copy that costs next to nothing, since both share their parts until this one is altered. It can be walked over; by
    /// name it finds nothing.
    pub fn freeze(&mut self) -> Sorted {
        Sorted { members: self.members.freeze(), index: Index::new(), tree: self.tree.clone() }
    }

    /// Gives memory back that was freed, where that is worth it.
    fn give_back(&mut self) {
        let (index, tree) = (&mut self.index, &mut self.tree);
        while self.members.give_back_page(|members, old, new| {
            let (member, score) = (members.bytes(new), members.score(new));
            index.replace(hash(member), old, new);
            tree.renumber_before(new, &behind(members, score, member));
        }) {}
    }

    /// How many elements have a lower score; with `and_equal`, those with this score are counted too.
    pub fn count_by_score(&self, score: f64, and_equal: bool) -> usize {
        self.tree.count_before(&AtScore { score, is_before: |_| and_equal })
    }

    /// How many elements there are before the first name for which `is_before` is false.
    pub fn count_by_name(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        self.tree.count_before(&AtName { is_before: |id| is_before(self.members.bytes(id)) })
    }

    /// A walk that stands before the element of this rank.
    pub fn walk(&self, rank: usize) -> SortedWalk<'_> {
        SortedWalk { members: &self.members, walk: self.tree.walk(rank) }
    }

    /// Shows members in the order of the index from `cursor` on, at least `count` of them or all that are left. Returns
    /// where to go on, 0 at the end.
    pub fn scan(&self, cursor: u32, count: usize, mut show: impl FnMut(&[u8], f64)) -> u32 {
        self.index.scan(cursor, count, |id| show(self.members.bytes(id), self.members.score(id)))
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        rounded(size_of::<Sorted>()) + self.members.memory() + self.index.memory() + self.tree.memory()
    }

    /// About how many allocations dropping this gives back.
    pub fn allocations(&self) -> usize {
        self.members.allocations() + self.index.allocations() + self.tree.allocations()
    }

    fn find(&self, hash: u32, member: &[u8]) -> Option<MemberId> {
        self.index.find(hash, |id| self.members.bytes(id) == member)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.tree.check();
        let mut walk = self.tree.walk(0);
        let mut last: Option<(f64, &[u8])> = None;
        while let Some((score, id)) = walk.next() {
            let member = self.members.bytes(id);
            assert_eq!(self.members.score(id).to_bits(), score.to_bits());
            assert_eq!(self.find(hash(member), member), Some(id));
            assert!(last.is_none_or(|last| last < (score, member)));
            last = Some((score, member));
        }
    }
}

/// A place between two elements, from which one can walk both ways.
#[derive(Clone, Debug)]
pub(super) struct SortedWalk<'a> {
    members: &'a Members,
    walk: Walk<'a>,
}

impl<'a> SortedWalk<'a> {
    /// Steps over the element behind the place, and shows it.
    #[inline]
    pub fn next(&mut self) -> Option<(&'a [u8], f64)> {
        self.walk.next().map(|(score, id)| (self.members.bytes(id), score))
    }

    /// Steps back over the element before the place, and shows it.
    #[inline]
    pub fn previous(&mut self) -> Option<(&'a [u8], f64)> {
        self.walk.previous().map(|(score, id)| (self.members.bytes(id), score))
    }
}

/// Members that are gathered in no order, for a set to be made of at the end: no tree is kept up meanwhile.
#[derive(Debug)]
pub(super) struct Gathered {
    members: Members,
    index: Index,
    ids: Vec<MemberId>,
    longest: usize,
    bytes: usize,
}

impl Gathered {
    /// Nothing yet.
    pub fn new() -> Gathered {
        Gathered { members: Members::default(), index: Index::new(), ids: Vec::new(), longest: 0, bytes: 0 }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The longest of them, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// All of them, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a member, or gives the one that is there the score that `merge` makes of the one it has.
    pub fn add(&mut self, member: &[u8], score: f64, merge: impl FnOnce(f64) -> f64) {
        let hash = hash(member);
        match self.index.find(hash, |id| self.members.bytes(id) == member) {
            Some(id) => {
                let merged = merge(self.members.score(id));
                self.members.set_score(id, merged);
            }
            None => {
                let id = self.members.add(score, member);
                self.index.insert(hash, id);
                self.ids.push(id);
                self.longest = self.longest.max(member.len());
                self.bytes += member.len();
            }
        }
    }

    /// The set.
    pub fn into_sorted(self) -> Sorted {
        let members = self.members;
        let mut elements: Vec<(f64, MemberId)> = self.ids.into_iter().map(|id| (members.score(id), id)).collect();
        elements.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| members.bytes(a.1).cmp(members.bytes(b.1))));
        // That put -0 before 0, which are equal as scores.
        if elements.iter().any(|(score, _)| score.to_bits() == (-0.0f64).to_bits()) {
            elements.sort_by(|a, b| {
                let by_score = a.0.partial_cmp(&b.0).expect("no score is NaN");
                by_score.then_with(|| members.bytes(a.1).cmp(members.bytes(b.1)))
            });
        }
        let tree = Tree::from_sorted(elements.into_iter());
        Sorted { members, index: self.index, tree }
    }
}
