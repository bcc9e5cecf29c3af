//! The nodes of a quicklist in order: short runs of them in a queue.
//!
//! Runs can be shared: a copy of a chain for a snapshot costs one counter per run, and whichever of both alters a run first
//! makes a copy of that run alone. That is why runs are short.
//!
//! The queue has beside each run how many nodes and elements it holds, so finding an index steps over a run at a time. Both
//! ends take and give in constant time; in the middle a run of at most [`RUN_MAX`] nodes moves, and the shorter side of the queue.

use std::collections::VecDeque;

use triomphe::Arc;

use super::node::Node;
use crate::data::rows::note_copy;

/// Nodes in a run. With 8 KiB each, copying one takes some twenty microseconds.
const RUN_MAX: usize = 16;

/// A node beyond this size has a run of its own.
const LARGE: usize = 64 * 1024;

/// The nodes.
#[derive(Clone, Default)]
pub(super) struct Chain {
    /// None of them is empty.
    runs: VecDeque<Run>,
    len: usize,
}

#[derive(Clone)]
struct Run {
    nodes: Arc<Vec<Node>>,
    /// As many as `nodes` has.
    len: usize,
    /// Of all its nodes.
    elements: usize,
}

/// Where a node is.
#[derive(Clone, Copy)]
struct At {
    run: usize,
    node: usize,
}

impl Run {
    fn of(node: Node) -> Run {
        let elements = node.len();
        Run { nodes: Arc::new(vec![node]), len: 1, elements }
    }

    /// The nodes to be altered. Whoever calls keeps the numbers right.
    #[inline]
    fn own(&mut self) -> &mut Vec<Node> {
        if !self.nodes.is_unique() {
            note_copy(self.nodes.iter().map(Node::memory).sum());
        }
        Arc::make_mut(&mut self.nodes)
    }

    fn insert(&mut self, at: usize, node: Node) {
        self.elements += node.len();
        self.len += 1;
        self.own().insert(at, node);
    }

    /// Whether `node` may come in beside a node that is there.
    fn has_room(&self, neighbour: usize, node: &Node) -> bool {
        self.len < RUN_MAX && node.byte_len() <= LARGE && self.nodes[neighbour].byte_len() <= LARGE
    }

    /// Takes these nodes out.
    fn drain(&mut self, from: usize, to: usize) {
        let gone: usize = self.own().drain(from..to).map(|node| node.len()).sum();
        self.elements -= gone;
        self.len -= to - from;
    }
}

impl Chain {
    /// How many nodes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap besides what the nodes own.
    pub fn memory(&self) -> usize {
        let run = size_of::<Vec<Node>>() + size_of::<usize>();
        self.runs.capacity() * size_of::<Run>() + self.runs.len() * run + self.len * size_of::<Node>()
    }

    /// The nodes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.runs.iter().flat_map(|run| run.nodes.iter())
    }

    /// The nodes from `at` on.
    pub fn iter_from(&self, at: usize) -> impl Iterator<Item = &Node> {
        let At { run, node } = self.place(at);
        let later = self.runs.range((run + 1).min(self.runs.len())..).flat_map(|run| run.nodes.iter());
        self.runs[run].nodes[node..].iter().chain(later)
    }

    /// The nodes from `at` back to the first.
    pub fn iter_back_from(&self, at: usize) -> impl Iterator<Item = &Node> {
        let At { run, node } = self.place(at);
        let earlier = self.runs.range(..run).rev().flat_map(|run| run.nodes.iter().rev());
        self.runs[run].nodes[..=node].iter().rev().chain(earlier)
    }

    /// The node at `at`.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&Node> {
        (at < self.len).then(|| {
            let At { run, node } = self.place(at);
            &self.runs[run].nodes[node]
        })
    }

    /// The first.
    pub fn front(&self) -> Option<&Node> {
        self.runs.front()?.nodes.first()
    }

    /// The last.
    pub fn back(&self) -> Option<&Node> {
        self.runs.back()?.nodes.last()
    }

    /// Where the element `index` is: its node, and how many elements are before it there. There are more elements than `index`.
    pub fn locate(&self, index: usize) -> (usize, usize) {
        let (mut left, mut at) = (index, 0);
        for run in &self.runs {
            if left >= run.elements {
                left -= run.elements;
                at += run.len;
                continue;
            }
            for node in run.nodes.iter() {
                if left < node.len() {
                    return (at, left);
                }
                left -= node.len();
                at += 1;
            }
        }
        unreachable!("there is no element {index}")
    }

    /// Where the element is that has so many behind it, itself counted; as [`Chain::locate`].
    pub fn locate_from_end(&self, behind: usize) -> (usize, usize) {
        let (mut left, mut end) = (behind, self.len);
        for run in self.runs.iter().rev() {
            if left > run.elements {
                left -= run.elements;
                end -= run.len;
                continue;
            }
            for node in run.nodes.iter().rev() {
                end -= 1;
                if left <= node.len() {
                    return (end, node.len() - left);
                }
                left -= node.len();
            }
        }
        unreachable!("there are no {behind} elements")
    }

    /// Lets `f` alter the node at `at`.
    #[inline]
    pub fn alter<R>(&mut self, at: usize, f: impl FnOnce(&mut Node) -> R) -> R {
        let At { run, node } = self.place(at);
        let run = &mut self.runs[run];
        let node = &mut run.own()[node];
        let before = node.len();
        let result = f(node);
        let after = node.len();
        run.elements = run.elements - before + after;
        result
    }

    /// Adds a node before all others.
    pub fn push_front(&mut self, node: Node) {
        self.len += 1;
        match self.runs.front_mut() {
            Some(run) if run.has_room(0, &node) => run.insert(0, node),
            _ => self.runs.push_front(Run::of(node)),
        }
    }

    /// Adds a node behind all others.
    pub fn push_back(&mut self, node: Node) {
        self.len += 1;
        match self.runs.back_mut() {
            Some(run) if run.has_room(run.len - 1, &node) => run.insert(run.len, node),
            _ => self.runs.push_back(Run::of(node)),
        }
    }

    /// Puts a node in before the one at `at`, or behind all others.
    pub fn insert(&mut self, at: usize, node: Node) {
        if at >= self.len {
            return self.push_back(node);
        }
        let At { run, node: before } = self.place(at);
        self.len += 1;
        if self.runs[run].has_room(before, &node) {
            return self.runs[run].insert(before, node);
        }
        if before == 0 {
            return self.runs.insert(run, Run::of(node));
        }
        let first = &mut self.runs[run];
        let tail = first.own().split_off(before);
        let moved: usize = tail.iter().map(Node::len).sum();
        first.len -= tail.len();
        first.elements -= moved;
        let tail = Run { len: tail.len(), elements: moved, nodes: Arc::new(tail) };
        self.runs.insert(run + 1, tail);
        self.runs.insert(run + 1, Run::of(node));
        self.join(run + 1);
        self.join(run);
    }

    /// Takes a node out.
    pub fn remove(&mut self, at: usize) -> Node {
        let At { run, node } = self.place(at);
        self.len -= 1;
        let place = &mut self.runs[run];
        let node = place.own().remove(node);
        place.len -= 1;
        place.elements -= node.len();
        if place.len == 0 {
            self.runs.remove(run);
        } else {
            self.join(run);
        }
        node
    }

    /// Takes the first node out.
    pub fn pop_front(&mut self) -> Option<Node> {
        (self.len > 0).then(|| self.remove(0))
    }

    /// Takes the nodes from `from` to before `to` out.
    pub fn drain(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let At { mut run, node } = self.place(from);
        let mut left = to - from;
        self.len -= left;
        if node > 0 {
            let here = left.min(self.runs[run].len - node);
            self.runs[run].drain(node, node + here);
            left -= here;
            run += 1;
        }
        let mut end = run;
        while end < self.runs.len() && left >= self.runs[end].len {
            left -= self.runs[end].len;
            end += 1;
        }
        self.runs.drain(run..end);
        if left > 0 {
            self.runs[run].drain(0, left);
        }
        self.join(run.saturating_sub(1));
    }

    /// Makes one run of two that have become short.
    fn join(&mut self, run: usize) {
        let (Some(first), Some(second)) = (self.runs.get(run), self.runs.get(run + 1)) else { return };
        let is_large = |run: &Run| run.nodes.iter().any(|node| node.byte_len() > LARGE);
        if first.len + second.len > RUN_MAX / 2 || is_large(first) || is_large(second) {
            return;
        }
        let mut second = self.runs.remove(run + 1).expect("just seen");
        let first = &mut self.runs[run];
        first.len += second.len;
        first.elements += second.elements;
        let nodes = std::mem::take(second.own());
        first.own().extend(nodes);
    }

    /// Where the node at `at` is, which exists.
    #[inline]
    fn place(&self, at: usize) -> At {
        debug_assert!(at < self.len, "node {at} of {}", self.len);
        // Mostly it is at an end.
        if let Some(first) = self.runs.front()
            && at < first.len
        {
            return At { run: 0, node: at };
        }
        if let Some(last) = self.runs.back()
            && let Some(node) = (at + last.len).checked_sub(self.len)
        {
            return At { run: self.runs.len() - 1, node };
        }
        self.place_inside(at)
    }

    /// The same, looking from the nearer end.
    fn place_inside(&self, at: usize) -> At {
        if at <= self.len / 2 {
            let mut node = at;
            for (run, of) in self.runs.iter().enumerate() {
                if node < of.len {
                    return At { run, node };
                }
                node -= of.len;
            }
        } else {
            let mut behind = self.len - at;
            for (run, of) in self.runs.iter().enumerate().rev() {
                if behind <= of.len {
                    return At { run, node: of.len - behind };
                }
                behind -= of.len;
            }
        }
        unreachable!("node {at} of {}", self.len)
    }

    /// Checks what must always hold.
    #[cfg(test)]
    pub fn check(&self) {
        for run in &self.runs {
            assert!(run.len > 0 && run.len <= RUN_MAX);
            assert_eq!(run.len, run.nodes.len());
            assert_eq!(run.elements, run.nodes.iter().map(Node::len).sum::<usize>());
            assert!(run.len == 1 || run.nodes.iter().all(|node| node.byte_len() <= 2 * LARGE));
        }
        assert_eq!(self.len, self.runs.iter().map(|run| run.len).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::data::listpack::Listpack;
    use crate::data::rows::copied_bytes;

    fn node(number: u64) -> Node {
        Node::packed(Listpack::with(&vec![number.to_string(); 1 + (number % 3) as usize]))
    }

    fn texts<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<String> {
        nodes.map(|node| node.look(|elements| String::from_utf8(elements.at(0).to_vec()).unwrap())).collect()
    }

    #[test]
    fn a_chain_behaves_like_a_plain_queue_and_its_copies_stay_as_they_were() {
        for seed in 0..30 {
            let mut rng = Rng::seeded(seed);
            let (mut chain, mut model) = (Chain::default(), VecDeque::new());
            let mut copies: Vec<(Chain, VecDeque<u64>)> = Vec::new();
            for step in 0..1500u64 {
                let at = rng.below(model.len() as u64 + 1) as usize;
                match rng.below(20) {
                    0..5 => (chain.push_back(node(step)), model.push_back(step)),
                    5..8 => (chain.push_front(node(step)), model.push_front(step)),
                    8..12 => (chain.insert(at, node(step)), model.insert(at, step)),
                    12..15 if at < model.len() => {
                        let (removed, expected) = (chain.remove(at).len(), model.remove(at));
                        (assert_eq!(Some(removed), expected.map(|number| 1 + (number % 3) as usize)), ())
                    }
                    15 if at < model.len() && rng.percent(20) => {
                        let to = at + rng.below((model.len() - at) as u64 + 1) as usize;
                        (chain.drain(at, to), drop(model.drain(at..to)))
                    }
                    16 if at < model.len() => (chain.alter(at, |place| *place = node(step)), model[at] = step),
                    17 => (assert_eq!(chain.pop_front().is_some(), model.pop_front().is_some()), ()),
                    18 if copies.len() < 4 => ((), copies.push((chain.clone(), model.clone()))),
                    19 if !copies.is_empty() && rng.percent(10) => ((), drop(copies.swap_remove(0))),
                    _ => ((), ()),
                };
            }
            copies.push((chain, model));
            for (chain, model) in &copies {
                chain.check();
                let expected: Vec<String> = model.iter().map(u64::to_string).collect();
                assert_eq!(texts(chain.iter()), expected, "seed {seed}");
                for at in 0..model.len() {
                    assert_eq!(texts(chain.iter_from(at)), expected[at..], "seed {seed}");
                    let back: Vec<String> = expected[..=at].iter().rev().cloned().collect();
                    assert_eq!(texts(chain.iter_back_from(at)), back, "seed {seed}");
                    assert_eq!(texts(chain.get(at).into_iter()), expected[at..=at]);
                }
                let sizes = model.iter().enumerate().map(|(at, number)| (at, 1 + (number % 3) as usize));
                let places: Vec<_> = sizes.flat_map(|(at, size)| (0..size).map(move |offset| (at, offset))).collect();
                for (index, place) in places.iter().enumerate() {
                    assert_eq!(chain.locate(index), *place);
                    assert_eq!(chain.locate_from_end(places.len() - index), *place);
                }
            }
        }
    }

    #[test]
    fn altering_a_shared_chain_copies_one_run() {
        let mut chain = Chain::default();
        (0..1000).for_each(|number| chain.push_back(node(number)));
        let before = copied_bytes();
        let copy = chain.clone();
        assert_eq!(copied_bytes(), before);
        chain.alter(500, |node| node.edit(|entries| (1, entries.push_back(b"x"))));
        chain.alter(500, |node| node.edit(|entries| (1, entries.push_back(b"x"))));
        let copied = copied_bytes() - before;
        assert!(copied > 0 && copied <= (RUN_MAX * 40) as u64, "{copied}");
        assert_eq!((copy.get(500).unwrap().len(), chain.get(500).unwrap().len()), (3, 5));
    }

    #[test]
    fn a_large_node_shares_its_run_with_nobody() {
        let large = || Node::single(&vec![b'x'; LARGE + 1], usize::MAX);
        let mut chain = Chain::default();
        for number in 0..4 {
            chain.push_back(node(number));
            chain.push_back(large());
            chain.push_front(large());
            chain.insert(1, node(9));
        }
        chain.insert(3, large());
        chain.check();
        let alone = chain.runs.iter().filter(|run| run.nodes.iter().any(|node| node.byte_len() > LARGE));
        assert!(alone.clone().all(|run| run.len == 1) && alone.count() == 9);
    }
}
