//! Quicklist: a long list as a row of listpacks.
//!
//! A linked list of single elements would cost two pointers and an allocation for each, one listpack would have to move
//! everything behind an edit. So elements are packed by some kilobytes ([`Packing::fill`]) and the packs are chained. With
//! short elements that costs some two bytes each, and an edit moves at most one pack.
//!
//! ```text
//!  nodes   [ listpack | compressed | compressed | one large element | compressed | listpack ]
//!             depth 1                                                               depth 1
//! ```
//!
//! The chain ([`chain`]) is a queue of short runs of nodes of two words, not a linked list: both ends take and give in constant
//! time, the walk to an index reads counts that lie side by side (some hundred for a million short elements), and there are no
//! pointers to keep right. A copy of a list shares its runs until either is altered there.
//!
//! The middle of a long queue is seldom looked at: with `depth` above zero, all but so many nodes at each end are
//! compressed. The invariant, which [`Quicklist::settle`] restores after every edit: the outer `depth` nodes at each end
//! are open; an inner node is compressed unless that saves nothing. So both ends can always be lent out as they are.
//!
//! Limits, thresholds, and where an element goes that has no room are those of Redis 7.2, as far as they show (OBJECT ENCODING,
//! DEBUG OBJECT, RDB files). A list keeps the limits it was created with.

mod chain;
mod edit;
mod node;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

pub use edit::remove_matching_in;

use crate::base::limits::LISTPACK_MAX;
use crate::data::Limits;
use crate::data::listpack::{ENTRY_OVERHEAD_MAX, Item, Listpack};
use chain::Chain;
use node::{Elements, Node};

/// What an entry adds to its text, as Redis estimates it when it looks for room.
const ENTRY_ESTIMATE: usize = 8;

/// Header and end of a listpack, of which two have one too many when they become one.
const LISTPACK_FRAME: usize = 7;

/// Largest node when the limit counts elements.
const COUNTED_BYTES_MAX: usize = 8 * 1024;

/// How lists are packed; the settings of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// `list-max-listpack-size`: so many elements in a node, or, from -1 to -5, 4 to 64 KiB.
    pub fill: i16,
    /// `list-compress-depth`: nodes at each end that are not compressed; 0 compresses none.
    pub depth: u16,
    /// Elements of at least this size get a node of their own and no listpack. Redis knows this only for its tests.
    pub plain_from: usize,
}

impl From<&Limits> for Packing {
    fn from(limits: &Limits) -> Packing {
        let plain_from = usize::try_from(limits.list_plain_from).unwrap_or(usize::MAX);
        Packing::new(i64::from(limits.list_max_listpack_size), i64::from(limits.list_compress_depth), plain_from)
    }
}

impl Default for Packing {
    fn default() -> Packing {
        Packing::from(&Limits::DEFAULT)
    }
}

impl Packing {
    /// Elements from this size on do not go into a listpack. Redis has 1 GiB; ours must leave room for the frame.
    pub const PLAIN_FROM: usize = LISTPACK_MAX - LISTPACK_FRAME - ENTRY_OVERHEAD_MAX;

    /// From the directives' values, whatever they are. `plain_from` of zero stands for the default.
    pub fn new(fill: i64, depth: i64, plain_from: usize) -> Packing {
        Packing {
            fill: fill.clamp(-5, i64::from(i16::MAX)) as i16,
            depth: depth.clamp(0, i64::from(u16::MAX)) as u16,
            plain_from: if plain_from == 0 { Packing::PLAIN_FROM } else { plain_from.min(Packing::PLAIN_FROM) },
        }
    }

    /// Whether a listpack of this size is beyond the limit of a node.
    pub fn is_too_much(&self, bytes: usize, count: usize) -> bool {
        match self.limit() {
            Limit::Bytes(max) => bytes > max,
            Limit::Count(max) => bytes > COUNTED_BYTES_MAX || count > max,
        }
    }

    /// Whether a listpack of this size is well within the limit: at most half of it when the list has been `shrinking`, so that
    /// it does not go to and fro between two encodings.
    pub fn fits_in_one(&self, bytes: usize, count: usize, shrinking: bool) -> bool {
        let part = 1 + usize::from(shrinking);
        match self.limit() {
            Limit::Bytes(max) => bytes <= max / part,
            Limit::Count(max) => count <= max / part,
        }
    }

    fn limit(&self) -> Limit {
        match self.fill {
            0 => Limit::Count(1),
            fill @ 1.. => Limit::Count(fill as usize),
            fill => Limit::Bytes(2048 << fill.unsigned_abs().min(5)),
        }
    }
}

enum Limit {
    Bytes(usize),
    Count(usize),
}

/// An end of a list, or the end from which something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

/// A list as a row of listpacks.
#[derive(Clone)]
pub struct Quicklist {
    nodes: Chain,
    /// Elements in all nodes.
    len: usize,
    fill: i16,
    depth: u16,
}

/// A node as it is saved.
pub enum NodeView<'a> {
    /// A listpack.
    Packed(&'a Listpack),
    /// A listpack, compressed.
    Squeezed {
        /// The compressed bytes.
        lzf: &'a [u8],
        /// Size of the listpack.
        byte_len: usize,
    },
    /// One element.
    Plain(&'a [u8]),
}

/// Figures for DEBUG OBJECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many nodes.
    pub nodes: usize,
    /// How many elements.
    pub len: usize,
    /// The limit it was created with.
    pub fill: i16,
    /// Whether nodes may be compressed.
    pub is_compressed: bool,
    /// Bytes of all nodes before compression.
    pub byte_len: usize,
}

impl std::fmt::Debug for Quicklist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quicklist of {} in {} nodes", self.len, self.nodes.len())
    }
}

impl Quicklist {
    /// An empty one that keeps to these limits.
    pub fn new(packing: Packing) -> Quicklist {
        Quicklist { nodes: Chain::default(), len: 0, fill: packing.fill, depth: packing.depth }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes in order, as they are saved.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView<'_>> {
        self.nodes.iter().map(|node| match node {
            Node::Packed { entries, .. } => NodeView::Packed(entries),
            Node::Squeezed { data, .. } => NodeView::Squeezed { lzf: &data.lzf, byte_len: data.byte_len },
            Node::Plain(text) => NodeView::Plain(text),
        })
    }

    /// Figures for DEBUG OBJECT. Walks over all nodes.
    pub fn figures(&self) -> Figures {
        Figures {
            nodes: self.nodes.len(),
            len: self.len,
            fill: self.fill,
            is_compressed: self.depth > 0,
            byte_len: self.nodes.iter().map(Node::byte_len).sum(),
        }
    }

    /// Bytes on the heap. Beyond a thousand nodes it is estimated from the first thousand.
    pub fn memory(&self) -> usize {
        const LOOKED_AT: usize = 1000;
        let sum: usize = self.nodes.iter().take(LOOKED_AT).map(Node::memory).sum();
        let elements = match self.nodes.len() {
            0..=LOOKED_AT => sum,
            all => (sum as u128 * all as u128 / LOOKED_AT as u128) as usize,
        };
        size_of::<Quicklist>() + self.nodes.memory() + elements
    }

    /// The element at one end, which is never compressed.
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        let (node, pos) = match end {
            End::Left => (self.nodes.front()?, Listpack::first as fn(&Listpack) -> _),
            End::Right => (self.nodes.back()?, Listpack::last as fn(&Listpack) -> _),
        };
        match node {
            Node::Packed { entries, .. } => Some(entries.get(pos(entries)?)),
            Node::Plain(text) => Some(Item::Bytes(text)),
            Node::Squeezed { .. } => unreachable!("the ends are open"),
        }
    }

    /// What `f` makes of the element at `index`; `None` when there is none.
    pub fn at<R>(&self, index: usize, f: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let (node, offset) = self.locate(index)?;
        Some(self.nodes.get(node)?.look(|elements| f(elements.at(offset))))
    }

    /// Shows `f` the elements from `index` on, towards the end that is not `from`, until it breaks or they end. Compressed
    /// nodes are decompressed aside, one at a time.
    pub fn scan(&self, index: usize, from: End, mut f: impl FnMut(Item<'_>) -> ControlFlow<()>) {
        let Some((first, offset)) = self.locate(index) else { return };
        let mut start = Some(offset as isize);
        let mut show = |node: &Node| {
            // Only in the first node the walk does not begin at its end.
            let offset = start.take();
            node.look(|elements| match (elements, from) {
                (Elements::Plain(text), _) => f(Item::Bytes(text)),
                (Elements::Packed(entries), End::Left) => {
                    let pos = entries.seek(offset.unwrap_or(0)).expect("an index within the node");
                    entries.iter_from(pos).try_for_each(&mut f)
                }
                (Elements::Packed(entries), End::Right) => {
                    let pos = entries.seek(offset.unwrap_or(-1)).expect("an index within the node");
                    entries.iter_to(pos).rev().try_for_each(&mut f)
                }
            })
        };
        let _ = match from {
            End::Left => self.nodes.iter_from(first).try_for_each(&mut show),
            End::Right => self.nodes.iter_back_from(first).try_for_each(&mut show),
        };
    }

    /// The node that holds the element at `index`, and its index in there. Walks from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        Some(match index <= self.len / 2 {
            true => self.nodes.locate(index),
            false => self.nodes.locate_from_end(self.len - index),
        })
    }
}
