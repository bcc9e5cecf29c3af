//! Changing a quicklist.

use super::{ENTRY_ESTIMATE, Elements, End, LISTPACK_FRAME, Node, Packing, Quicklist};
use crate::base::limits::LISTPACK_MAX;
use crate::data::listpack::{ENTRY_OVERHEAD_MAX, Listpack};

/// Most nodes that one edit puts in: the second half of a split one and a new one before it.
const INSERTED_MAX: usize = 2;

impl Quicklist {
    /// Adds an element at one end. Elements from `plain_from` bytes on get a node of their own.
    pub fn push(&mut self, end: End, text: &[u8], plain_from: usize) {
        let outermost = match end {
            End::Left => 0,
            End::Right => self.nodes.len().wrapping_sub(1),
        };
        self.len += 1;
        if self.has_room(outermost, text, plain_from) {
            self.edit(outermost, |entries| match end {
                End::Left => (1, entries.push_front(text)),
                End::Right => (1, entries.push_back(text)),
            });
            return;
        }
        let node = Node::single(text, plain_from);
        match end {
            End::Left => self.nodes.push_front(node),
            End::Right => self.nodes.push_back(node),
        }
        self.settle(0, 0);
    }

    /// Adds a whole listpack as the last node, as it comes from a file. Empty ones are left out.
    pub fn push_listpack(&mut self, entries: Listpack) {
        if !entries.is_empty() {
            self.push_node(Node::packed(entries));
        }
    }

    /// Adds an element as a node of its own.
    pub fn push_plain(&mut self, text: &[u8]) {
        self.push_node(Node::single(text, 0));
    }

    fn push_node(&mut self, node: Node) {
        self.len += node.len();
        self.nodes.push_back(node);
        self.settle(0, 0);
    }

    /// Size and count of the listpack that would do instead: when there is a single node, and it is not a plain one.
    pub fn only_listpack(&self) -> Option<(usize, usize)> {
        let node = self.nodes.front().filter(|node| self.nodes.len() == 1 && !node.is_plain())?;
        Some((node.byte_len(), node.len()))
    }

    /// Gives away what [`Quicklist::only_listpack`] speaks of. The quicklist is empty afterwards.
    pub fn take_listpack(&mut self) -> Option<Listpack> {
        self.only_listpack()?;
        match self.nodes.pop_front() {
            Some(Node::Packed { entries, .. }) => {
                self.len = 0;
                Some(entries)
            }
            _ => unreachable!("a single node is open"),
        }
    }

    /// Puts an element before the one at `index`, or after it; nothing happens when there is none.
    pub fn insert(&mut self, index: usize, after: bool, text: &[u8], plain_from: usize) {
        let Some((at, offset)) = self.locate(index) else { return };
        self.len += 1;
        // From here on: text goes between the entries `offset - 1` and `offset` of node `at`.
        let (offset, count) = (offset + usize::from(after), self.node(at).len());
        if self.has_room(at, text, plain_from) {
            self.edit(at, |entries| {
                match entries.seek(offset as isize) {
                    Some(pos) => drop(entries.insert_before(pos, text)),
                    None => entries.push_back(text),
                }
                (1, ())
            });
            self.settle(at, at);
        } else if offset == count && self.has_room(at + 1, text, plain_from) {
            self.edit(at + 1, |entries| (1, entries.push_front(text)));
            self.settle(at + 1, at + 1);
        } else if offset == 0 && at > 0 && self.has_room(at - 1, text, plain_from) {
            self.edit(at - 1, |entries| (1, entries.push_back(text)));
            self.settle(at - 1, at - 1);
        } else if offset == 0 || offset == count {
            let at = at + usize::from(offset == count);
            self.nodes.insert(at, Node::single(text, plain_from));
            self.settle(at, at);
        } else {
            let tail = self.split(at, offset);
            if text.len() >= plain_from {
                self.nodes.insert(at + 1, tail);
                self.nodes.insert(at + 1, Node::single(text, plain_from));
                self.settle(at, at + 2);
                return;
            }
            // The part that is new in Redis's eyes takes the element, and the other is where merging begins.
            self.nodes.insert(at + 1, tail);
            if after {
                self.edit(at + 1, |entries| (1, entries.push_front(text)));
                self.merge_around(at);
            } else {
                self.edit(at, |entries| (1, entries.push_back(text)));
                self.merge_around(at + 1);
            }
        }
    }

    /// Puts another element in the place of the one at `index`; false when there is none.
    pub fn replace(&mut self, index: usize, text: &[u8], plain_from: usize) -> bool {
        let Some((at, offset)) = self.locate(index) else { return false };
        let is_large = text.len() >= plain_from;
        let node = self.node(at);
        if node.is_plain() {
            if is_large {
                self.nodes.alter(at, |node| *node = Node::single(text, plain_from));
            } else {
                self.insert(index, true, text, plain_from);
                // The insertion went into a node behind this one.
                self.len -= 1;
                self.nodes.remove(at);
                self.settle(at, at);
            }
        } else if !is_large && node.byte_len() + text.len() + ENTRY_OVERHEAD_MAX <= LISTPACK_MAX {
            self.edit(at, |entries| {
                let pos = entries.seek(offset as isize).expect("an index within the node");
                (0, entries.replace(pos, text))
            });
            self.settle(at, at);
        } else {
            let mut new = at;
            if offset + 1 < node.len() {
                let tail = self.split(at, offset + 1);
                self.nodes.insert(at + 1, tail);
            }
            if offset == 0 {
                self.nodes.alter(at, |node| *node = Node::single(text, plain_from));
            } else {
                new += 1;
                self.edit(at, |entries| {
                    entries.remove(entries.last().expect("it has the element"), 1);
                    (-1, ())
                });
                self.nodes.insert(new, Node::single(text, plain_from));
            }
            self.merge_around(new);
        }
        true
    }

    /// Removes `count` elements from `start` on, or as many as there are.
    pub fn remove_range(&mut self, start: usize, count: usize) {
        let Some((mut at, offset)) = self.locate(start) else { return };
        let mut left = count.min(self.len - start);
        self.len -= left;
        let first = at;
        if offset > 0 {
            let here = left.min(self.node(at).len() - offset);
            self.edit(at, |entries| {
                entries.remove(entries.seek(offset as isize).expect("an index within the node"), here);
                (-(here as isize), ())
            });
            left -= here;
            at += 1;
        }
        let mut end = at;
        while end < self.nodes.len() && left >= self.node(end).len() {
            left -= self.node(end).len();
            end += 1;
        }
        self.nodes.drain(at, end);
        if left > 0 {
            self.edit(at, |entries| (-(entries.remove_before(entries.seek(left as isize)) as isize), ()));
        }
        self.settle(first, at);
    }

    /// Removes up to `max` elements with this text, counted from an end; returns how many.
    pub fn remove_matching(&mut self, text: &[u8], max: usize, from: End) -> usize {
        let (mut removed, mut steps) = (0, self.nodes.len());
        let mut at = if from == End::Left { 0 } else { steps.wrapping_sub(1) };
        while steps > 0 && removed < max {
            steps -= 1;
            let found = self.node(at).look(|elements| match elements {
                Elements::Plain(plain) => plain == text,
                Elements::Packed(entries) => entries.first().and_then(|pos| entries.find(pos, text, 0)).is_some(),
            });
            if found {
                let here = match self.node(at) {
                    Node::Plain(_) => 1,
                    _ => self.edit(at, |entries| {
                        let here = remove_matching_in(entries, text, max - removed, from);
                        (-(here as isize), here)
                    }),
                };
                removed += here;
                self.len -= here;
                if self.node(at).is_plain() || self.node(at).len() == 0 {
                    self.nodes.remove(at);
                    // What followed has moved here; going left, the next one is where it was.
                    if from == End::Left {
                        at = at.wrapping_sub(1);
                    }
                    self.settle(0, 0);
                } else {
                    self.settle(at, at);
                }
            }
            at = if from == End::Left { at.wrapping_add(1) } else { at.wrapping_sub(1) };
        }
        removed
    }

    /// Whether node `at` exists and takes one more element of this text within the limits.
    fn has_room(&self, at: usize, text: &[u8], plain_from: usize) -> bool {
        let Some(node) = self.nodes.get(at) else { return false };
        !node.is_plain()
            && text.len() < plain_from
            && !self.packing().is_too_much(node.byte_len() + text.len() + ENTRY_ESTIMATE, node.len() + 1)
    }

    /// The node at `at`, which exists.
    fn node(&self, at: usize) -> &Node {
        self.nodes.get(at).expect("the node exists")
    }

    /// See [`Node::edit`].
    fn edit<R>(&mut self, at: usize, f: impl FnOnce(&mut Listpack) -> (isize, R)) -> R {
        self.nodes.alter(at, |node| node.edit(f))
    }

    /// Undoes the compression of a node.
    fn open(&mut self, at: usize) {
        if self.node(at).is_squeezed() {
            self.nodes.alter(at, Node::open);
        }
    }

    fn packing(&self) -> Packing {
        Packing { fill: self.fill, depth: self.depth, plain_from: 0 }
    }

    /// Takes the entries from `offset` on out of node `at`.
    fn split(&mut self, at: usize, offset: usize) -> Node {
        self.edit(at, |entries| {
            let tail = entries.split_off(entries.seek(offset as isize).expect("an index within the node"));
            let tail = Node::packed(tail);
            (-(tail.len() as isize), tail)
        })
    }

    /// Merges nodes that have become small, around one of them: the two before it, the two behind it, then with it.
    fn merge_around(&mut self, mut center: usize) {
        if center >= 2 && self.merge(center - 2) {
            center -= 1;
        }
        self.merge(center + 1);
        if center >= 1 && self.merge(center - 1) {
            center -= 1;
        }
        self.merge(center);
        self.settle(center.saturating_sub(2), center + 2);
    }

    /// Merges node `at` and the next one, if there are both and the limits allow it.
    fn merge(&mut self, at: usize) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(at), self.nodes.get(at + 1)) else { return false };
        let bytes = (a.byte_len() + b.byte_len()).saturating_sub(LISTPACK_FRAME);
        if a.is_plain() || b.is_plain() || self.packing().is_too_much(bytes, a.len() + b.len()) {
            return false;
        }
        let second = self.nodes.remove(at + 1);
        let added = second.len() as isize;
        self.edit(at, |entries| {
            second.look(|elements| {
                if let Elements::Packed(more) = elements {
                    entries.append(more);
                }
            });
            (added, ())
        });
        true
    }

    /// Restores the rule about compression after an edit of the nodes `first` to `last`, which put in at most
    /// [`INSERTED_MAX`] nodes and removed any number.
    fn settle(&mut self, first: usize, last: usize) {
        let (depth, len) = (usize::from(self.depth), self.nodes.len());
        if depth == 0 {
            return;
        }
        for at in 0..depth.min(len) {
            self.open(at);
            self.open(len - 1 - at);
        }
        if len <= 2 * depth {
            return;
        }
        let inner = depth..len - depth;
        // Nodes that came in at an end have moved others from the open to the compressed part.
        for at in 0..INSERTED_MAX.min(inner.len()) {
            self.nodes.alter(inner.start + at, Node::squeeze);
            self.nodes.alter(inner.end - 1 - at, Node::squeeze);
        }
        for at in first.max(inner.start)..=last.min(inner.end - 1) {
            self.nodes.alter(at, Node::squeeze);
        }
    }

    /// Checks all that is promised about the structure.
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.nodes.check();
        assert_eq!(self.len, self.nodes.iter().map(Node::len).sum::<usize>());
        let (depth, count) = (usize::from(self.depth), self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            assert!(node.len() > 0, "node {at} is empty");
            let is_inner = depth > 0 && at >= depth && at < count - depth;
            match node {
                Node::Packed { entries, count } => {
                    assert_eq!(entries.len(), *count as usize);
                    let mut again = node.clone();
                    again.squeeze();
                    assert!(!is_inner || matches!(again, Node::Packed { .. }), "node {at} should be compressed");
                }
                Node::Squeezed { .. } => assert!(is_inner, "node {at} of {count} must not be compressed"),
                Node::Plain(_) => {}
            }
        }
    }
}

/// Removes up to `max` entries with this text from a listpack, counted from an end; returns how many.
pub fn remove_matching_in(entries: &mut Listpack, text: &[u8], max: usize, from: End) -> usize {
    let mut removed = 0;
    match from {
        End::Left => {
            let mut next = entries.first();
            while removed < max
                && let Some(pos) = next.and_then(|pos| entries.find(pos, text, 0))
            {
                next = entries.remove(pos, 1);
                removed += 1;
            }
        }
        End::Right => {
            let mut next = entries.last();
            while removed < max
                && let Some(pos) = next
            {
                next = entries.prev(pos);
                if entries.get(pos).eq_bytes(text) {
                    // What is before `pos` stays where it is.
                    entries.remove(pos, 1);
                    removed += 1;
                }
            }
        }
    }
    removed
}
