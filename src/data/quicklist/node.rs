//! One node of a quicklist: a listpack, the same compressed, or one element too large for a listpack.

use std::cell::RefCell;

use crate::base::lzf::{self, Compressor};
use crate::data::listpack::{Item, Listpack};

/// Listpacks below this size are not worth compressing.
const SQUEEZE_FROM: usize = 48;

/// Compression has to save more than this.
const SAVING_MIN: usize = 8;

thread_local! {
    // A table of 64 KiB that need not be cleared between uses; nothing that is remembered in it has a meaning.
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new());
}

/// A node. Two words: a list of a million elements has some thousand of them, and finding an index walks over all before it.
#[derive(Clone)]
pub(super) enum Node {
    /// Several elements. The count is beside it so that skipping the node does not touch the listpack.
    Packed { entries: Listpack, count: u32 },
    /// The same, compressed.
    Squeezed { data: Box<Squeezed>, count: u32 },
    /// One large element as it is.
    Plain(Box<Box<[u8]>>),
}

/// A compressed listpack.
#[derive(Clone)]
pub(super) struct Squeezed {
    pub(super) lzf: Box<[u8]>,
    /// Size of the listpack.
    pub(super) byte_len: usize,
}

impl Squeezed {
    fn open(&self) -> Listpack {
        let mut bytes = Vec::new();
        lzf::decompress(&self.lzf, self.byte_len, &mut bytes).expect("what was compressed here can be decompressed");
        Listpack::parse(&bytes).expect("it was a listpack before")
    }
}

impl Node {
    /// A node around a listpack.
    pub(super) fn packed(entries: Listpack) -> Node {
        let count =
            u32::try_from(entries.len()).expect("entries take at least two bytes each, and there are 4 GiB at most");
        Node::Packed { entries, count }
    }

    /// A node with one element of any size.
    pub(super) fn single(text: &[u8], plain_from: usize) -> Node {
        if text.len() >= plain_from {
            return Node::Plain(Box::new(text.into()));
        }
        Node::packed(Listpack::with(&[text]))
    }

    /// How many elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Packed { count, .. } | Node::Squeezed { count, .. } => *count as usize,
            Node::Plain(_) => 1,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Node::Plain(_))
    }

    pub(super) fn is_squeezed(&self) -> bool {
        matches!(self, Node::Squeezed { .. })
    }

    /// Bytes that the limits are about: of the listpack, or of the element.
    pub(super) fn byte_len(&self) -> usize {
        match self {
            Node::Packed { entries, .. } => entries.byte_len(),
            Node::Squeezed { data, .. } => data.byte_len,
            Node::Plain(text) => text.len(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        match self {
            Node::Packed { entries, .. } => entries.memory(),
            Node::Squeezed { data, .. } => size_of::<Squeezed>() + data.lzf.len(),
            Node::Plain(text) => size_of::<Box<[u8]>>() + text.len(),
        }
    }

    /// Undoes compression.
    #[inline]
    pub(super) fn open(&mut self) {
        if let Node::Squeezed { data, count } = self {
            *self = Node::Packed { entries: data.open(), count: *count };
        }
    }

    /// Compresses it if that is worth it.
    pub(super) fn squeeze(&mut self) {
        let Node::Packed { entries, count } = self else { return };
        if entries.byte_len() < SQUEEZE_FROM {
            return;
        }
        let mut lzf = Vec::new();
        let max = entries.byte_len() - SAVING_MIN - 1;
        if COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(entries.as_bytes(), &mut lzf, max)) {
            let data = Squeezed { lzf: lzf.into_boxed_slice(), byte_len: entries.byte_len() };
            *self = Node::Squeezed { data: Box::new(data), count: *count };
        }
    }

    /// Changes the listpack, after undoing compression, and counts anew by what `f` says the count grew. Panics for a plain
    /// node.
    pub(super) fn edit<R>(&mut self, f: impl FnOnce(&mut Listpack) -> (isize, R)) -> R {
        self.open();
        let Node::Packed { entries, count } = self else { panic!("a plain node has no listpack") };
        let (grown, result) = f(entries);
        *count = count.checked_add_signed(grown as i32).expect("a count follows its listpack");
        debug_assert_eq!(*count as usize, entries.len());
        result
    }

    /// Looks at the elements, wherever they are.
    pub(super) fn look<R>(&self, f: impl FnOnce(Elements<'_>) -> R) -> R {
        match self {
            Node::Packed { entries, .. } => f(Elements::Packed(entries)),
            Node::Squeezed { data, .. } => f(Elements::Packed(&data.open())),
            Node::Plain(text) => f(Elements::Plain(text)),
        }
    }
}

/// The elements of a node.
pub(super) enum Elements<'a> {
    Packed(&'a Listpack),
    Plain(&'a [u8]),
}

impl Elements<'_> {
    /// The element at an index within the node, which must exist.
    pub(super) fn at(&self, index: usize) -> Item<'_> {
        match self {
            Elements::Packed(entries) => entries.get(entries.seek(index as isize).expect("an index within the node")),
            Elements::Plain(text) => Item::Bytes(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_two_words() {
        assert_eq!(size_of::<Node>(), 16);
    }

    #[test]
    fn compression_is_undone_without_a_trace() {
        let entries = Listpack::with(&[[b'a'; 100], [b'b'; 100]]);
        let mut node = Node::packed(entries.clone());
        node.squeeze();
        assert!(matches!(node, Node::Squeezed { count: 2, .. }) && node.memory() < 100);
        assert_eq!((node.len(), node.byte_len()), (2, entries.byte_len()));
        node.look(|elements| assert_eq!(elements.at(1), Item::Bytes(&[b'b'; 100])));
        node.open();
        assert!(matches!(node, Node::Packed { entries: opened, count: 2 } if opened == entries));
    }

    #[test]
    fn what_does_not_shrink_enough_stays_as_it_is() {
        let mut small = Node::packed(Listpack::with(&[[b'a'; 30]]));
        small.squeeze();
        assert!(matches!(small, Node::Packed { .. }));
        let noise: Vec<u8> = (0..=255).collect();
        let mut noise = Node::packed(Listpack::with(&[noise]));
        noise.squeeze();
        assert!(matches!(noise, Node::Packed { .. }));
    }
}
