//! Listpack: a row of short texts and integers in one piece of memory, byte for byte as Redis has it.
//!
//! Small lists, hashes, sets, sorted sets and the nodes of large lists and streams are kept so. The point is size: an element
//! costs its bytes and two more, there are no pointers, and it goes into an RDB file as it stands. The price is that
//! finding something means walking, and an edit moves what is behind it, which is why the types limit how many entries and
//! how long ones they keep in this form.
//!
//! ```text
//! | bytes in all: 4, little endian | entries: 2, little endian | entry | entry | … | 0xff |
//! | entry:   encoding and length | content | back length |       (entry.rs)
//!
//! ["a", 1000]      0d 00 00 00  02 00  81 61 02  c3 e8 02  ff       13 = 0x0d bytes
//! ```
//!
//! The count of entries is 65535 when there are too many to say; then [`Listpack::len`] has to count them.
//!
//! A text that is the canonical form of a 64-bit integer is stored as integer. A listpack that comes from a file need not
//! keep to that, so comparing ([`Item::eq_bytes`], [`Listpack::find`]) goes by text.
//!
//! A position ([`Pos`]) is a byte offset and good until the listpack changes. A stale one makes a method panic or name
//! another entry, nothing worse.
//!
//! No listpack is larger than [`LISTPACK_MAX`]. Who adds texts whose size is not limited otherwise asks
//! [`Listpack::has_room`] first; the editing methods panic beyond it.
//!
//! Source: the format as described by its author (github.com/antirez/listpack) and observed output of Redis 7.

mod block;
mod edit;
mod entry;
#[cfg(test)]
mod tests;

pub use edit::entry_len;
pub use entry::{ENTRY_OVERHEAD_MAX, Item};

use crate::base::limits::LISTPACK_MAX;
use block::Block;
use entry::{END, back_len, is_back, measure, read, read_back, step};

/// Length of the header.
const HEADER: usize = 6;

/// The count that says: too many to say.
const UNCOUNTED: usize = u16::MAX as usize;

const EMPTY: [u8; HEADER + 1] = [HEADER as u8 + 1, 0, 0, 0, 0, 0, END];

/// An owned listpack, one word.
#[derive(Clone)]
pub struct Listpack(Block);

/// Where an entry begins, in bytes from the start of the listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(u32);

impl Pos {
    /// The position so many bytes behind this one. Where no entry begins it is as good as a stale one.
    pub fn after(self, bytes: u32) -> Pos {
        Pos(self.0 + bytes)
    }

    /// How many bytes it lies behind `earlier`.
    pub fn since(self, earlier: Pos) -> u32 {
        self.0 - earlier.0
    }
}

/// The bytes are not a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Equal when the entries are the same texts.
impl PartialEq for Listpack {
    fn eq(&self, other: &Listpack) -> bool {
        self.as_bytes() == other.as_bytes()
            || self.iter().map(|item| item.to_vec()).eq(other.iter().map(|i| i.to_vec()))
    }
}

impl Listpack {
    /// An empty one.
    pub fn new() -> Listpack {
        Listpack(Block::new(&EMPTY))
    }

    /// One with these texts.
    pub fn with<T: AsRef<[u8]>>(texts: &[T]) -> Listpack {
        let mut listpack = Listpack::new();
        for text in texts {
            listpack.push_back(text.as_ref());
        }
        listpack
    }

    /// Takes over foreign bytes after walking all of them: the header, each entry forwards and by its back length, the
    /// count, the end.
    pub fn parse(bytes: &[u8]) -> Result<Listpack, Corrupt> {
        if bytes.len() < EMPTY.len() || bytes.len() > block::BLOCK_MAX {
            return Err(Corrupt);
        }
        let total = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if total != bytes.len() || bytes[total - 1] != END {
            return Err(Corrupt);
        }
        let (mut at, mut count) = (HEADER, 0);
        while at < total - 1 {
            // Short of the last byte, which is the end and no part of an entry.
            let len = measure(&bytes[at..total - 1]).ok_or(Corrupt)?;
            let end = at + len + back_len(len);
            // Reading it backwards would not do: it must not reach over bytes that only happen to be right.
            if end > total - 1 || !is_back(&bytes[at + len..end], len) {
                return Err(Corrupt);
            }
            at = end;
            count += 1;
        }
        let stated = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        if stated != count && stated != UNCOUNTED {
            return Err(Corrupt);
        }
        Ok(Listpack(Block::new(bytes)))
    }

    /// The whole of it, as it goes into a file.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Bytes of the whole, header and end included.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        block::capacity(self.byte_len())
    }

    /// Where its memory begins.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// How many entries. Constant time up to 65534 of them, beyond that they are counted.
    pub fn len(&self) -> usize {
        self.stated_len().unwrap_or_else(|| self.count())
    }

    /// The header's count, if it tells.
    fn stated_len(&self) -> Option<usize> {
        let bytes = self.as_bytes();
        let stated = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        (stated != UNCOUNTED).then_some(stated)
    }

    fn count(&self) -> usize {
        std::iter::successors(self.first(), |pos| self.next(*pos)).count()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.byte_len() == EMPTY.len()
    }

    /// Whether `count` more texts of `bytes` bytes altogether are sure to fit below [`LISTPACK_MAX`].
    pub fn has_room(&self, count: usize, bytes: usize) -> bool {
        let needed = count.saturating_mul(ENTRY_OVERHEAD_MAX).saturating_add(bytes);
        needed.saturating_add(self.byte_len()) <= LISTPACK_MAX
    }

    /// The first entry.
    #[inline]
    pub fn first(&self) -> Option<Pos> {
        self.pos(HEADER)
    }

    /// The last entry.
    #[inline]
    pub fn last(&self) -> Option<Pos> {
        self.before(self.byte_len() - 1)
    }

    /// The entry after `pos`.
    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        self.pos(self.end_of(pos))
    }

    /// The entry before `pos`.
    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        self.before(pos.0 as usize)
    }

    /// The entry at `index`; negative ones count from the end, -1 being the last. Walks from the nearer end.
    pub fn seek(&self, index: isize) -> Option<Pos> {
        let mut forward = index >= 0;
        let mut steps = if forward { index.unsigned_abs() } else { index.unsigned_abs() - 1 };
        if let Some(len) = self.stated_len() {
            if steps >= len {
                return None;
            }
            if steps > len / 2 {
                forward = !forward;
                steps = len - 1 - steps;
            }
        }
        let mut pos = if forward { self.first() } else { self.last() }?;
        for _ in 0..steps {
            pos = if forward { self.next(pos) } else { self.prev(pos) }?;
        }
        Some(pos)
    }

    /// The content of an entry.
    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        read(self.rest(pos)).0
    }

    /// The first entry with the text `needle` from `from` on, looking only at every `skip + 1`th: with 1, at the fields of a
    /// hash and not at its values.
    pub fn find(&self, from: Pos, needle: &[u8], skip: usize) -> Option<Pos> {
        let number = Item::of(needle);
        let bytes = self.as_bytes();
        let mut at = from.0 as usize;
        while bytes[at] != END {
            let (item, size) = read(&bytes[at..]);
            let is_it = match item {
                Item::Bytes(text) => text == needle,
                value => value == number,
            };
            if is_it {
                return Some(Pos(at as u32));
            }
            at += size;
            for _ in 0..skip {
                if bytes[at] == END {
                    return None;
                }
                at += step(&bytes[at..]);
            }
        }
        None
    }

    /// The entries in order; it can be walked from both ends.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { listpack: self, front: HEADER, back: self.byte_len() - 1 }
    }

    /// The entries from `from` to the end.
    pub fn iter_from(&self, from: Pos) -> Iter<'_> {
        Iter { listpack: self, front: from.0 as usize, back: self.byte_len() - 1 }
    }

    /// The entries from the first up to and including `to`.
    pub fn iter_to(&self, to: Pos) -> Iter<'_> {
        Iter { listpack: self, front: HEADER, back: self.end_of(to) }
    }

    /// Whatever begins at `at`, unless that is the end.
    #[inline]
    fn pos(&self, at: usize) -> Option<Pos> {
        (self.as_bytes()[at] != END).then_some(Pos(at as u32))
    }

    /// The entry that ends at `at`, unless that is the header.
    #[inline]
    fn before(&self, at: usize) -> Option<Pos> {
        if at <= HEADER {
            return None;
        }
        let len = read_back(self.as_bytes(), at).expect("a position of this listpack");
        Some(Pos((at - back_len(len) - len) as u32))
    }

    #[inline]
    fn rest(&self, pos: Pos) -> &[u8] {
        &self.as_bytes()[pos.0 as usize..]
    }

    /// Where the entry after `pos` begins.
    #[inline]
    fn end_of(&self, pos: Pos) -> usize {
        pos.0 as usize + step(self.rest(pos))
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The entries of a listpack, see [`Listpack::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    listpack: &'a Listpack,
    /// What is still to come lies between these offsets.
    front: usize,
    back: usize,
}

impl Iter<'_> {
    /// Where the entry is that comes next, or the end.
    #[inline]
    pub fn pos(&self) -> Pos {
        Pos(self.front as u32)
    }

    /// Leaves out `count` entries without looking at them; gives whether there were so many.
    #[inline]
    pub fn advance(&mut self, count: usize) -> bool {
        let bytes = self.listpack.as_bytes();
        for _ in 0..count {
            if self.front >= self.back {
                return false;
            }
            let len = measure(&bytes[self.front..]).expect("an entry of this listpack");
            self.front += len + back_len(len);
        }
        true
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, size) = read(&self.listpack.as_bytes()[self.front..]);
        self.front += size;
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let pos = self.listpack.before(self.back)?;
        self.back = pos.0 as usize;
        Some(self.listpack.get(pos))
    }
}
