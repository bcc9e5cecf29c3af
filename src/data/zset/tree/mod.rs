//! The members of a sorted set in their order: a B+ tree that knows how many members are below each node.
//!
//! ```text
//! Inner    per child: its first score, its first member, how many members are below it
//! Leaf     up to 63 scores | 63 block numbers                      760 bytes
//! ```
//!
//! Scores lie in the leaves, so a search touches members only where scores are equal. A million members make a tree of
//! four levels, of which all but the leaves stay in the cache. With the counts, a rank is found on the way down and a
//! member by its rank likewise, so every range (by rank, score or name) is two descents and a walk.
//!
//! Order is by score, then by the bytes of the member. The tree does not know members: whoever searches brings a [`Point`],
//! which says which elements come before it.
//!
//! A copy of a tree shares its nodes until either is altered there, so it costs nothing to take one for a snapshot.
//!
//! A leaf that overflows at the end of the tree (or at its beginning) splits off only the new element, so that sets
//! filled in order have full leaves. Neighbours that fit into three quarters of a node are joined when one shrinks.

mod node;
mod point;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;
use triomphe::Arc;

use super::members::MemberId;
use crate::base::alloc::rounded;
use node::{Inner, Leaf, Node};
pub(super) use point::{AtName, AtScore, Point};

/// The tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: Node,
    length: usize,
}

/// Which ends of the tree a node stands at.
#[derive(Clone, Copy)]
struct Edge {
    first: bool,
    last: bool,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Tree {
        Tree { root: Node::Leaf(Arc::new(Leaf::new())), length: 0 }
    }

    /// A tree of elements that come in order. Its nodes are filled to nine tenths.
    pub fn from_sorted(elements: impl Iterator<Item = (f64, MemberId)>) -> Tree {
        let mut leaves: Vec<Node> = Vec::new();
        let mut leaf = Leaf::new();
        let mut length = 0;
        for (score, id) in elements {
            if leaf.len() == node::LEAF_FILLED {
                leaves.push(Node::Leaf(Arc::new(std::mem::replace(&mut leaf, Leaf::new()))));
            }
            leaf.insert(leaf.len(), score, id);
            length += 1;
        }
        if leaf.len() > 0 || leaves.is_empty() {
            leaves.push(Node::Leaf(Arc::new(leaf)));
        }
        let mut level = leaves;
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(node::INNER_FILLED));
            let mut children = level.into_iter().peekable();
            while children.peek().is_some() {
                above.push(Node::Inner(Arc::new(Inner::of(children.by_ref().take(node::INNER_FILLED)))));
            }
            level = above;
        }
        Tree { root: level.pop().expect("one node is left"), length }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// How many elements there are before a point.
    pub fn count_before(&self, point: &impl Point) -> usize {
        let mut node = &self.root;
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.count_before(point),
                Node::Inner(inner) => {
                    // The child before the first one that begins behind the point.
                    let child = inner.count_before_point(point).saturating_sub(1);
                    rank += inner.count_before(child);
                    node = inner.child(child);
                }
            }
        }
    }

    /// Puts an element at a point.
    pub fn insert(&mut self, score: f64, id: MemberId, point: &impl Point) {
        let edge = Edge { first: true, last: true };
        self.length += 1;
        if let Some(right) = self.root.insert(score, id, point, edge) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Arc::new(Leaf::new())));
            self.root = Node::Inner(Arc::new(Inner::of([left, right].into_iter())));
        }
    }

    /// Takes out the last element before a point. There must be one.
    pub fn remove_before(&mut self, point: &impl Point) {
        self.rescore_or_remove(None, point);
    }

    /// Gives the last element before a point a new score if that keeps it in its place, as far as can be seen without
    /// leaving its node. Otherwise takes it out and returns false.
    pub fn rescore_before(&mut self, score: f64, point: &impl Point) -> bool {
        self.rescore_or_remove(Some(score), point)
    }

    fn rescore_or_remove(&mut self, score: Option<f64>, point: &impl Point) -> bool {
        let stays = self.root.rescore_or_remove(score, point);
        if !stays {
            self.length -= 1;
            self.lower();
        }
        stays
    }

    /// Gives the last element before a point another number.
    pub fn renumber_before(&mut self, id: MemberId, point: &impl Point) {
        self.root.renumber_before(id, point);
    }

    /// Takes out elements from `rank` on: at least one if there is one there, at most `most`. Returns how many.
    pub fn remove_run(&mut self, rank: usize, most: usize, taken: &mut impl FnMut(f64, MemberId)) -> usize {
        if rank >= self.length || most == 0 {
            return 0;
        }
        let count = self.root.remove_run(rank, most, taken);
        self.length -= count;
        self.lower();
        count
    }

    /// A walk that stands between the elements `rank - 1` and `rank`.
    pub fn walk(&self, rank: usize) -> Walk<'_> {
        let mut walk = Walk { path: SmallVec::new(), leaf: Walk::NO_LEAF, at: 0 };
        let mut node = &self.root;
        let mut rank = rank.min(self.length);
        loop {
            match node {
                Node::Leaf(leaf) => {
                    (walk.leaf, walk.at) = (leaf, rank);
                    return walk;
                }
                Node::Inner(inner) => {
                    let (child, before) = inner.child_with(rank);
                    rank -= before;
                    walk.path.push((inner, child));
                    node = inner.child(child);
                }
            }
        }
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        // Counting nodes exactly would walk over all of them; leaves have this size and are rarely less than two thirds
        // full. A tree of one leaf is exact.
        let leaves = match &self.root {
            Node::Leaf(_) => 1,
            Node::Inner(root) => root.count_leaves_about(),
        };
        leaves * rounded(size_of::<Leaf>()) + leaves.div_ceil(40) * Inner::memory() * usize::from(leaves > 1)
    }

    /// About how many allocations dropping this gives back.
    pub fn allocations(&self) -> usize {
        self.length / 40 + 1
    }

    /// Removes levels that have a single node.
    fn lower(&mut self) {
        while let Node::Inner(inner) = &self.root {
            match inner.only_child() {
                Some(child) => self.root = child,
                None => break,
            }
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.root.check(), self.length);
    }
}

/// A place between two elements, from which one can walk both ways.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    path: SmallVec<[(&'a Inner, usize); 6]>,
    leaf: &'a Leaf,
    at: usize,
}

impl<'a> Walk<'a> {
    const NO_LEAF: &'static Leaf = &Leaf::new();

    /// Steps over the element behind the place, and shows it.
    #[inline]
    pub fn next(&mut self) -> Option<(f64, MemberId)> {
        if self.at == self.leaf.len() && !self.turn(|inner, child| (child + 1 < inner.len()).then_some(child + 1)) {
            return None;
        }
        let element = self.leaf.element(self.at);
        self.at += 1;
        Some(element)
    }

    /// Steps back over the element before the place, and shows it.
    #[inline]
    pub fn previous(&mut self) -> Option<(f64, MemberId)> {
        if self.at == 0 {
            if !self.turn(|_, child| child.checked_sub(1)) {
                return None;
            }
            self.at = self.leaf.len();
        }
        self.at -= 1;
        Some(self.leaf.element(self.at))
    }

    /// Goes on to the neighbouring leaf and stands at its beginning.
    fn turn(&mut self, neighbour: impl Fn(&Inner, usize) -> Option<usize>) -> bool {
        let Some(level) = self.path.iter().rposition(|(inner, child)| neighbour(inner, *child).is_some()) else {
            return false;
        };
        let depth = self.path.len();
        let (inner, child) = self.path[level];
        let child = neighbour(inner, child).expect("just seen");
        let is_forward = child > self.path[level].1;
        self.path.truncate(level);
        self.path.push((inner, child));
        let mut node = inner.child(child);
        while let Node::Inner(inner) = node {
            let child = if is_forward { 0 } else { inner.len() - 1 };
            self.path.push((inner, child));
            node = inner.child(child);
        }
        let Node::Leaf(leaf) = node else { unreachable!("an inner node was just excluded") };
        debug_assert_eq!(self.path.len(), depth, "all leaves are at the same depth");
        (self.leaf, self.at) = (leaf, 0);
        true
    }
}
