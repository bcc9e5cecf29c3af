//! The nodes of a stream in the order of their ids: a queue of short lists, so that adding at one end and trimming at the
//! other touch one list, a search halves its way twice, and an index full to the brim costs a node's own 24 bytes and two more.
//!
//! A copy shares the lists until either is altered there, and then one list is copied. Therefore they are short.

use std::collections::VecDeque;

use triomphe::Arc;

use super::id::Id;
use super::node::Node;
use crate::data::rows::note_copy;

/// Nodes in one list. The lists between the first and the last only become shorter when XDEL empties a node.
const LIST_MAX: usize = 16;

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    list: usize,
    index: usize,
}

/// Nodes, by the ids at which they begin.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    /// None of them is empty.
    lists: VecDeque<Arc<Vec<Node>>>,
    len: usize,
}

impl Nodes {
    /// How many nodes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The node at a place.
    pub fn get(&self, at: At) -> &Node {
        &self.lists[at.list][at.index]
    }

    /// The node at a place, to be altered. Where it begins must stay.
    pub fn get_mut(&mut self, at: At) -> &mut Node {
        &mut own(&mut self.lists[at.list])[at.index]
    }

    /// The first.
    pub fn first(&self) -> Option<At> {
        (self.len > 0).then_some(At { list: 0, index: 0 })
    }

    /// The last.
    pub fn last(&self) -> Option<At> {
        let list = self.lists.len().checked_sub(1)?;
        Some(At { list, index: self.lists[list].len() - 1 })
    }

    /// The one after.
    pub fn next(&self, at: At) -> Option<At> {
        if at.index + 1 < self.lists[at.list].len() {
            return Some(At { index: at.index + 1, ..at });
        }
        (at.list + 1 < self.lists.len()).then_some(At { list: at.list + 1, index: 0 })
    }

    /// The one before.
    pub fn prev(&self, at: At) -> Option<At> {
        if let Some(index) = at.index.checked_sub(1) {
            return Some(At { index, ..at });
        }
        let list = at.list.checked_sub(1)?;
        Some(At { list, index: self.lists[list].len() - 1 })
    }

    /// The last that begins at or before `id`: the only one that can have it.
    pub fn find(&self, id: Id) -> Option<At> {
        let list = self.lists.partition_point(|list| list[0].first_id() <= id).checked_sub(1)?;
        let index = self.lists[list].partition_point(|node| node.first_id() <= id) - 1;
        Some(At { list, index })
    }

    /// Adds a node behind all others.
    pub fn push(&mut self, node: Node) {
        self.len += 1;
        match self.lists.back_mut() {
            Some(list) if list.len() < LIST_MAX => {
                let list = own(list);
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().min(LIST_MAX - list.len()));
                }
                list.push(node);
            }
            _ => self.lists.push_back(Arc::new(vec![node])),
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, at: At) -> Node {
        self.len -= 1;
        let list = own(&mut self.lists[at.list]);
        let node = list.remove(at.index);
        if list.is_empty() {
            self.lists.remove(at.list);
        }
        node
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.lists.iter().flat_map(|list| list.iter())
    }

    /// Bytes of memory of the index itself.
    pub fn memory(&self) -> usize {
        let full = self.lists.len().saturating_sub(1) * LIST_MAX + self.lists.back().map_or(0, |list| list.capacity());
        let list = size_of::<usize>() + size_of::<Vec<Node>>();
        full * size_of::<Node>() + self.lists.len() * list + self.lists.capacity() * size_of::<usize>()
    }
}

/// A list to be altered: itself, or a copy in its place when somebody else holds it.
#[inline]
fn own(list: &mut Arc<Vec<Node>>) -> &mut Vec<Node> {
    if !list.is_unique() {
        note_copy(list.iter().map(Node::memory).sum());
    }
    Arc::make_mut(list)
}
