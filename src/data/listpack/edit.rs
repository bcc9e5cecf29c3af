//! Changing a listpack: each edit is one move of what stands behind it.

use super::entry::Encoded;
use super::{Block, EMPTY, HEADER, Item, Listpack, Pos, UNCOUNTED};

impl Listpack {
    /// Adds a text at the end.
    #[inline]
    pub fn push_back(&mut self, text: &[u8]) {
        self.push_back_item(Item::of(text));
    }

    /// Adds an item at the end. Saves the detour by way of the text when it comes from another listpack or is a number.
    pub fn push_back_item(&mut self, item: Item<'_>) {
        self.put(self.byte_len() - 1, 0, item);
        self.add_to_len(1);
    }

    /// Adds several items at the end with one edit.
    pub fn extend_back<'a>(&mut self, items: impl Iterator<Item = Item<'a>> + Clone) {
        const SMALL: usize = 256;
        let most: usize = items.clone().map(|item| item.encoded_len_max()).sum();
        let (mut small, mut large);
        let room: &mut [u8] = match most <= SMALL {
            true => {
                small = [0; SMALL];
                &mut small
            }
            false => {
                large = vec![0; most];
                &mut large
            }
        };
        let (mut end, mut count) = (0, 0);
        for item in items {
            end += item.encode(&mut room[end..]);
            count += 1;
        }
        self.0.splice(self.byte_len() - 1, 0, [&room[..end], &[], &[]]);
        self.add_to_len(count);
    }

    /// Adds a text at the front.
    pub fn push_front(&mut self, text: &[u8]) {
        self.push_front_item(Item::of(text));
    }

    /// Adds an item at the front.
    pub fn push_front_item(&mut self, item: Item<'_>) {
        self.put(HEADER, 0, item);
        self.add_to_len(1);
    }

    /// Inserts a text before `pos` and returns where it is.
    pub fn insert_before(&mut self, pos: Pos, text: &[u8]) -> Pos {
        self.put(pos.0 as usize, 0, Item::of(text));
        self.add_to_len(1);
        pos
    }

    /// Inserts a text after `pos` and returns where it is.
    pub fn insert_after(&mut self, pos: Pos, text: &[u8]) -> Pos {
        let at = self.end_of(pos);
        self.put(at, 0, Item::of(text));
        self.add_to_len(1);
        Pos(at as u32)
    }

    /// Puts a text in the place of the entry at `pos`, which stays its position.
    pub fn replace(&mut self, pos: Pos, text: &[u8]) -> Pos {
        self.replace_item(pos, Item::of(text))
    }

    /// Puts an item in the place of the entry at `pos`, which stays its position.
    pub fn replace_item(&mut self, pos: Pos, item: Item<'_>) -> Pos {
        let at = pos.0 as usize;
        if let Item::Int(value @ 0..=127) = item
            && self.as_bytes()[at] <= 127
        {
            // One small number for another: a single byte.
            self.0.write(at, &[value as u8]);
            return pos;
        }
        let old = self.end_of(pos) - at;
        let encoded = Encoded::of(item);
        if encoded.len() == old {
            // Counters mostly keep their width: nothing moves.
            let mut to = at;
            for part in encoded.parts() {
                self.0.write(to, part);
                to += part.len();
            }
        } else {
            self.0.splice(at, old, encoded.parts());
        }
        pos
    }

    /// Removes up to `count` entries from `pos` on and returns where the one that followed them now is.
    pub fn remove(&mut self, pos: Pos, count: usize) -> Option<Pos> {
        let mut end = pos.0 as usize;
        let mut removed = 0;
        while removed < count && self.pos(end).is_some() {
            end = self.end_of(Pos(end as u32));
            removed += 1;
        }
        self.cut(pos.0 as usize, end, removed)
    }

    /// Removes all entries before `pos`, which may be the end (`None`); returns how many there were.
    pub fn remove_before(&mut self, pos: Option<Pos>) -> usize {
        let end = pos.map_or(self.byte_len() - 1, |pos| pos.0 as usize);
        let mut removed = 0;
        let mut at = HEADER;
        while at < end {
            at = self.end_of(Pos(at as u32));
            removed += 1;
        }
        self.cut(HEADER, at, removed);
        removed
    }

    /// Takes `pos` and all that follows it out, into a listpack of their own.
    pub fn split_off(&mut self, pos: Pos) -> Listpack {
        let (at, end) = (pos.0 as usize, self.byte_len() - 1);
        let mut tail = Listpack::from_entries(&self.as_bytes()[at..end]);
        let moved = tail.count();
        tail.set_len(moved);
        self.cut(at, end, moved);
        tail
    }

    /// Adds all entries of `other` at the end.
    pub fn append(&mut self, other: &Listpack) {
        let added = other.len();
        let entries = &other.as_bytes()[HEADER..other.byte_len() - 1];
        self.0.splice(self.byte_len() - 1, 0, [entries, &[], &[]]);
        self.add_to_len(added);
    }

    /// A listpack of entries as they stand, whose count is still to be set.
    fn from_entries(entries: &[u8]) -> Listpack {
        let mut block = Block::new(&EMPTY);
        block.splice(HEADER, 0, [entries, &[], &[]]);
        Listpack(block)
    }

    /// Replaces `old` bytes at `at` by an entry. The count is the caller's.
    fn put(&mut self, at: usize, old: usize, item: Item<'_>) {
        self.0.splice(at, old, Encoded::of(item).parts());
    }

    fn cut(&mut self, at: usize, end: usize, count: usize) -> Option<Pos> {
        self.0.splice(at, end - at, [&[]; 3]);
        match self.stated_len() {
            Some(len) => self.set_len(len - count),
            // Two bytes is the least an entry takes: from this size on there are few enough to say, so count once.
            None if self.byte_len() < UNCOUNTED * 2 => self.set_len(self.count()),
            None => {}
        }
        self.pos(at)
    }

    fn add_to_len(&mut self, count: usize) {
        if let Some(len) = self.stated_len() {
            self.set_len(len + count);
        }
    }

    fn set_len(&mut self, len: usize) {
        self.0.write(4, &(len.min(UNCOUNTED) as u16).to_le_bytes());
    }
}

/// Bytes that a text takes as an entry.
pub fn entry_len(text: &[u8]) -> usize {
    Encoded::of(Item::of(text)).len()
}
