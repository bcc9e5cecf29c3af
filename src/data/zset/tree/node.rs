//! The nodes of the tree: arrays that are searched, split and joined. All leaves are at the same depth, no node below the
//! root is empty, and an inner node's table repeats what is true of its children.
//!
//! Nodes are counted references: a copy of a tree shares all of them, and whichever of both alters a node first takes a copy of
//! it ([`own`]). Without copies that is a look at a count that lies beside what is altered anyway.

use triomphe::Arc;

use super::super::members::MemberId;
use super::{Edge, Point};
use crate::base::alloc::rounded;
use crate::data::rows::note_copy;

/// Elements of a leaf: as many as make it 760 bytes, just below a size of the allocator.
pub(super) const LEAF: usize = 63;
/// Children of an inner node.
pub(super) const INNER: usize = 64;
/// How far nodes are filled that are built in order.
pub(super) const LEAF_FILLED: usize = 58;
pub(super) const INNER_FILLED: usize = 58;
/// Neighbours with together at most this many elements are joined.
const JOINED_MAX: usize = 48;

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

/// A node to be altered: itself, or a copy in its place when somebody else holds it.
#[inline]
fn own<T: Clone>(node: &mut Arc<T>) -> &mut T {
    if !node.is_unique() {
        note_copy(size_of::<T>());
    }
    Arc::make_mut(node)
}

/// Elements in order.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    scores: [f64; LEAF],
    ids: [MemberId; LEAF],
    length: u16,
}

/// Children in order, and what one must know of them without looking.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    scores: [f64; INNER],
    firsts: [MemberId; INNER],
    counts: [u32; INNER],
    children: Vec<Node>,
}

impl Node {
    /// How many elements, or children, it has.
    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.len(),
        }
    }

    /// How many elements are below.
    fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.count_before(inner.len()),
        }
    }

    fn first(&self) -> (f64, MemberId) {
        match self {
            Node::Leaf(leaf) => leaf.element(0),
            Node::Inner(inner) => (inner.scores[0], inner.firsts[0]),
        }
    }

    /// Inserts and returns the right half if the node had to be split.
    pub fn insert(&mut self, score: f64, id: MemberId, point: &impl Point, edge: Edge) -> Option<Node> {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.count_before(point);
                own(leaf).insert_or_split(at, score, id, edge).map(|right| Node::Leaf(Arc::new(right)))
            }
            Node::Inner(inner) => {
                let inner = own(inner);
                let child = inner.count_before_point(point).saturating_sub(1);
                let below = Edge { first: edge.first && child == 0, last: edge.last && child + 1 == inner.len() };
                let split = inner.children[child].insert(score, id, point, below);
                match split {
                    None => {
                        inner.counts[child] += 1;
                        inner.note_first(child);
                        None
                    }
                    Some(right) => {
                        inner.note(child);
                        inner.insert_or_split(child + 1, right, edge).map(|right| Node::Inner(Arc::new(right)))
                    }
                }
            }
        }
    }

    /// See [`super::Tree::rescore_before`]; without a score, the element is taken out in any case.
    pub fn rescore_or_remove(&mut self, score: Option<f64>, point: &impl Point) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.count_before(point).checked_sub(1).expect("the element is there");
                let leaf = own(leaf);
                let stays = score.is_some_and(|score| leaf.rescore(at, score));
                if !stays {
                    leaf.remove(at, 1);
                }
                stays
            }
            Node::Inner(inner) => {
                let inner = own(inner);
                let child = inner.count_before_point(point).saturating_sub(1);
                let stays = inner.children[child].rescore_or_remove(score, point);
                if !stays {
                    inner.shrunk(child, 1);
                }
                stays
            }
        }
    }

    /// See [`super::Tree::renumber_before`].
    pub fn renumber_before(&mut self, id: MemberId, point: &impl Point) {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.count_before(point).checked_sub(1).expect("the element is there");
                own(leaf).ids[at] = id;
            }
            Node::Inner(inner) => {
                let inner = own(inner);
                let child = inner.count_before_point(point).saturating_sub(1);
                inner.children[child].renumber_before(id, point);
                inner.note_first(child);
            }
        }
    }

    /// See [`super::Tree::remove_run`].
    pub fn remove_run(&mut self, rank: usize, most: usize, taken: &mut impl FnMut(f64, MemberId)) -> usize {
        match self {
            Node::Leaf(leaf) => {
                let count = most.min(leaf.len() - rank);
                for at in rank..rank + count {
                    let (score, id) = leaf.element(at);
                    taken(score, id);
                }
                own(leaf).remove(rank, count);
                count
            }
            Node::Inner(inner) => {
                let inner = own(inner);
                let (child, before) = inner.child_with(rank);
                let count = inner.children[child].remove_run(rank - before, most, taken);
                inner.shrunk(child, count);
                count
            }
        }
    }

    /// Takes in the elements of its right neighbour.
    fn join(&mut self, right: Node) {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                let left = own(left);
                let (start, end) = (left.len(), left.len() + right.len());
                left.scores[start..end].copy_from_slice(&right.scores[..right.len()]);
                left.ids[start..end].copy_from_slice(&right.ids[..right.len()]);
                left.length = end as u16;
            }
            (Node::Inner(left), Node::Inner(right)) => {
                let left = own(left);
                let (start, end) = (left.len(), left.len() + right.len());
                left.scores[start..end].copy_from_slice(&right.scores[..right.len()]);
                left.firsts[start..end].copy_from_slice(&right.firsts[..right.len()]);
                left.counts[start..end].copy_from_slice(&right.counts[..right.len()]);
                left.children.extend(right.children.iter().cloned());
            }
            _ => unreachable!("neighbours are at the same depth"),
        }
    }

    /// Verifies what the head of the file promises and returns how many elements are below.
    #[cfg(test)]
    pub fn check(&self) -> usize {
        fn depth(node: &Node) -> usize {
            match node {
                Node::Leaf(_) => 0,
                Node::Inner(inner) => 1 + depth(&inner.children[0]),
            }
        }
        if let Node::Inner(inner) = self {
            assert!(inner.len() > 0 && inner.len() <= INNER);
            for (child, node) in inner.children.iter().enumerate() {
                assert!(node.len() > 0);
                assert_eq!(depth(node), depth(&inner.children[0]));
                assert_eq!(node.check(), inner.counts[child] as usize);
                assert_eq!(node.first(), (inner.scores[child], inner.firsts[child]));
            }
        }
        self.count()
    }
}

impl Leaf {
    /// An empty leaf.
    pub const fn new() -> Leaf {
        Leaf { scores: [0.0; LEAF], ids: [MemberId(0); LEAF], length: 0 }
    }

    /// How many elements it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// One of them.
    #[inline]
    pub fn element(&self, at: usize) -> (f64, MemberId) {
        (self.scores[at], self.ids[at])
    }

    /// How many come before a point.
    #[inline]
    pub fn count_before(&self, point: &impl Point) -> usize {
        point.count_before(&self.scores[..self.len()], &self.ids[..self.len()])
    }

    /// Puts an element in. There must be room.
    pub fn insert(&mut self, at: usize, score: f64, id: MemberId) {
        let length = self.len();
        self.scores.copy_within(at..length, at + 1);
        self.ids.copy_within(at..length, at + 1);
        (self.scores[at], self.ids[at]) = (score, id);
        self.length += 1;
    }

    fn insert_or_split(&mut self, at: usize, score: f64, id: MemberId, edge: Edge) -> Option<Leaf> {
        if self.len() < LEAF {
            self.insert(at, score, id);
            return None;
        }
        let middle = split_at(LEAF, at, edge);
        let mut right = Leaf::new();
        let moved = LEAF - middle;
        right.scores[..moved].copy_from_slice(&self.scores[middle..]);
        right.ids[..moved].copy_from_slice(&self.ids[middle..]);
        right.length = moved as u16;
        self.length = middle as u16;
        if at < middle || (at == middle && moved > 0) {
            self.insert(at, score, id);
        } else {
            right.insert(at - middle, score, id);
        }
        Some(right)
    }

    fn remove(&mut self, at: usize, count: usize) {
        let length = self.len();
        self.scores.copy_within(at + count..length, at);
        self.ids.copy_within(at + count..length, at);
        self.length -= count as u16;
    }

    /// Changes a score if the element keeps its place. The first and the last element are left to others, as their
    /// neighbours are elsewhere; equal scores would need a look at the members.
    fn rescore(&mut self, at: usize, score: f64) -> bool {
        let stays = at > 0 && at + 1 < self.len() && self.scores[at - 1] < score && score < self.scores[at + 1];
        if stays {
            self.scores[at] = score;
        }
        stays
    }
}

/// Where a full node is cut when something comes in at `at`: in the middle, but at the ends of the tree so that a set
/// filled in order leaves full nodes behind. What comes in at the cut goes to the left unless the right is empty.
fn split_at(length: usize, at: usize, edge: Edge) -> usize {
    if edge.last && at == length {
        length
    } else if edge.first && at == 0 {
        0
    } else {
        length / 2
    }
}

impl Inner {
    /// A node with these children.
    pub fn of(children: impl Iterator<Item = Node>) -> Inner {
        let mut inner = Inner {
            scores: [0.0; INNER],
            firsts: [MemberId(0); INNER],
            counts: [0; INNER],
            children: Vec::with_capacity(INNER),
        };
        for child in children {
            inner.children.push(child);
            inner.note(inner.children.len() - 1);
        }
        inner
    }

    /// How many children it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// One of them.
    #[inline]
    pub fn child(&self, child: usize) -> &Node {
        &self.children[child]
    }

    /// How many children begin before a point.
    #[inline]
    pub fn count_before_point(&self, point: &impl Point) -> usize {
        point.count_before(&self.scores[..self.len()], &self.firsts[..self.len()])
    }

    /// How many elements are in the first `child` children.
    #[inline]
    pub fn count_before(&self, child: usize) -> usize {
        self.counts[..child].iter().map(|count| *count as usize).sum()
    }

    /// The child that holds the element of this rank (or, behind the last, the last child), and how many are before it.
    #[inline]
    pub fn child_with(&self, rank: usize) -> (usize, usize) {
        let mut before = 0;
        for (child, count) in self.counts[..self.len()].iter().enumerate() {
            if rank < before + *count as usize || child + 1 == self.len() {
                return (child, before);
            }
            before += *count as usize;
        }
        (0, 0)
    }

    /// What can stand in its place if it has a single child or none.
    pub fn only_child(&self) -> Option<Node> {
        match &self.children[..] {
            [] => Some(Node::Leaf(Arc::new(Leaf::new()))),
            [child] => Some(child.clone()),
            _ => None,
        }
    }

    /// About how many leaves are below: exact for two levels, by the first children for more.
    pub fn count_leaves_about(&self) -> usize {
        match &self.children[0] {
            Node::Leaf(_) => self.len(),
            Node::Inner(_) => self
                .children
                .iter()
                .map(|child| match child {
                    Node::Leaf(_) => 1,
                    Node::Inner(inner) => inner.count_leaves_about(),
                })
                .sum(),
        }
    }

    /// Bytes of one node with its table of children.
    pub fn memory() -> usize {
        rounded(size_of::<Inner>()) + rounded(INNER * size_of::<Node>())
    }

    fn note(&mut self, child: usize) {
        self.counts[child] = self.children[child].count() as u32;
        self.note_first(child);
    }

    fn note_first(&mut self, child: usize) {
        (self.scores[child], self.firsts[child]) = self.children[child].first();
    }

    fn insert(&mut self, at: usize, node: Node) {
        let length = self.len();
        self.scores.copy_within(at..length, at + 1);
        self.firsts.copy_within(at..length, at + 1);
        self.counts.copy_within(at..length, at + 1);
        self.children.insert(at, node);
        self.note(at);
    }

    fn insert_or_split(&mut self, at: usize, node: Node, edge: Edge) -> Option<Inner> {
        if self.len() < INNER {
            self.insert(at, node);
            return None;
        }
        // The new child stands behind the one that was split, so a split of the very first comes in at 1.
        let middle = if edge.first && at == 1 { 1 } else { split_at(INNER, at, edge) };
        let mut right = Inner::of(self.children.drain(middle..));
        if at <= middle && right.len() > 0 {
            self.insert(at, node);
        } else {
            right.insert(at - middle, node);
        }
        Some(right)
    }

    fn remove(&mut self, at: usize) -> Node {
        let length = self.len();
        self.scores.copy_within(at + 1..length, at);
        self.firsts.copy_within(at + 1..length, at);
        self.counts.copy_within(at + 1..length, at);
        self.children.remove(at)
    }

    /// A child has lost `count` elements: corrects the table, drops the child if it is empty, joins it with a neighbour if
    /// both are small.
    fn shrunk(&mut self, child: usize, count: usize) {
        let length = self.children[child].len();
        if length == 0 {
            self.remove(child);
            return;
        }
        self.counts[child] -= count as u32;
        self.note_first(child);
        if length > JOINED_MAX {
            return;
        }
        let fits = |other: usize| self.size_of_child(other) + length <= JOINED_MAX;
        let left = if child > 0 && fits(child - 1) {
            child - 1
        } else if child + 1 < self.len() && fits(child + 1) {
            child
        } else {
            return;
        };
        let right = self.remove(left + 1);
        self.children[left].join(right);
        self.note(left);
    }

    /// Elements or children of a child; of leaves they are in the table.
    fn size_of_child(&self, child: usize) -> usize {
        match &self.children[child] {
            Node::Leaf(_) => self.counts[child] as usize,
            Node::Inner(inner) => inner.len(),
        }
    }
}
