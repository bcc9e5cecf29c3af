//! A node: up to some hundred entries in one listpack, laid out as Redis does, because nodes travel in RDB files as they are.
//!
//! ```text
//! head:   count | deleted | number of fields | field … | 0
//! entry:  flags | ms | seq | value …                              | items      flags & 2: the fields of the head
//!         flags | ms | seq | number of fields | field | value …   | items
//! ```
//!
//! `ms` and `seq` are differences (with wrapping) to the id at which the node begins, which is that of its first entry and
//! is kept beside it. The head holds the fields of that first entry; entries with the same ones, which is nearly all of
//! them, do without. `items` says how many items the entry has before it, so that entries can be walked backwards; the
//! zero that ends the head stops that walk. An entry that was deleted stays where it is with `flags & 1`: `count` are the
//! entries that are there, `deleted` those that are not.
//!
//! [`Node::parse`] walks all of a foreign node, so everything else here relies on the layout and panics where it is broken.

use smallvec::SmallVec;

use crate::data::listpack::{self, Item, Listpack, Pos};

use super::id::Id;

/// The entry is deleted.
const DELETED: i64 = 1;
/// The entry has the fields of the head.
const SAME_FIELDS: i64 = 2;
/// Bytes of the flags.
const FLAGS_BYTES: u32 = 2;
/// Items of an entry besides fields and values: flags and the two parts of the id.
const FIXED_ITEMS: usize = 3;
/// Items of a head besides the fields, and of an entry with fields of its own besides those and the values, for bounds.
const OTHER_ITEMS: usize = 5;

/// A field and its value.
pub type Pair<'a> = (Item<'a>, Item<'a>);

/// The node is not laid out as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    first_id: Id,
    pack: Listpack,
}

/// What a node begins with.
#[derive(Clone)]
struct Head<'a> {
    count: u64,
    deleted: u64,
    fields_len: usize,
    fields: listpack::Iter<'a>,
    /// What follows the head.
    entries: listpack::Iter<'a>,
}

fn int(item: Option<Item<'_>>) -> Option<i64> {
    item?.as_int()
}

fn natural(item: Option<Item<'_>>) -> Option<u64> {
    u64::try_from(int(item)?).ok()
}

/// Reads the head without believing anything.
fn head(pack: &Listpack) -> Option<Head<'_>> {
    let mut items = pack.iter();
    let count = natural(items.next())?;
    let deleted = natural(items.next())?;
    let fields_len = natural(items.next())?;
    let fields = items.clone();
    for _ in 0..fields_len {
        items.next()?;
    }
    (int(items.next())? == 0).then_some(())?;
    Some(Head { count, deleted, fields_len: fields_len as usize, fields, entries: items })
}

/// What an entry begins with.
struct Start {
    id: Id,
    is_deleted: bool,
    is_same: bool,
    len: usize,
}

impl Start {
    /// `None` at the end of the node, or when it makes no sense.
    #[inline]
    fn read(first_id: Id, fields_len: usize, items: &mut listpack::Iter<'_>) -> Option<Start> {
        let flags = int(items.next())?;
        let (ms, seq) = (int(items.next())?, int(items.next())?);
        let is_same = flags & SAME_FIELDS != 0;
        Some(Start {
            id: Id { ms: first_id.ms.wrapping_add(ms as u64), seq: first_id.seq.wrapping_add(seq as u64) },
            is_deleted: flags & DELETED != 0,
            is_same,
            len: if is_same { fields_len } else { usize::try_from(int(items.next())?).ok()? },
        })
    }

    /// How many items follow, without the one that ends the entry.
    #[inline]
    fn rest_len(&self) -> usize {
        if self.is_same { self.len } else { self.len.saturating_mul(2) }
    }

    /// What the entry ends with.
    fn items_len(&self) -> usize {
        FIXED_ITEMS + self.rest_len() + usize::from(!self.is_same)
    }
}

/// An entry as the node has it.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// How many fields it has.
    pub len: usize,
    /// Where it begins.
    pos: Pos,
    /// The fields of the head, when it has no own.
    same: Option<listpack::Iter<'a>>,
    /// What follows the fixed part.
    rest: listpack::Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Its fields and values.
    pub fn pairs(self) -> impl Iterator<Item = Pair<'a>> {
        let Entry { len, mut same, mut rest, .. } = self;
        (0..len).map(move |_| {
            let field = match &mut same {
                Some(fields) => fields.next(),
                None => rest.next(),
            };
            (field.expect("the node was checked"), rest.next().expect("the node was checked"))
        })
    }

    fn new(start: Start, pos: Pos, head: &Head<'a>, rest: listpack::Iter<'a>) -> Entry<'a> {
        let same = start.is_same.then(|| head.fields.clone());
        Entry { id: start.id, is_deleted: start.is_deleted, len: start.len, pos, same, rest }
    }
}

/// What [`Node::delete_from_front`] did.
pub struct Deleted {
    /// How many entries.
    pub count: u64,
    /// The first that is there now, and how many bytes of the node's entries lie before it.
    pub first: Option<(Id, u32)>,
}

impl Node {
    /// A node with its first entry. The caller has checked that it fits ([`Node::fits`]).
    pub fn new<'a>(id: Id, pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Node {
        let mut pack = Listpack::new();
        let counts = [1, 0, pairs.len() as i64].map(Item::Int);
        let fields = pairs.clone().map(|(field, _)| Item::of(field));
        pack.extend_back(counts.into_iter().chain(fields).chain([Item::Int(0)]));
        let mut node = Node { first_id: id, pack };
        node.push_entry(id, pairs, true);
        node
    }

    /// Whether a node of one entry with so many fields, all texts of which have `bytes` bytes, is possible. The first entry has
    /// the fields of the head, so each text is there once.
    pub fn fits(fields: usize, bytes: usize) -> bool {
        Listpack::new().has_room(2 * fields + 2 * OTHER_ITEMS, bytes)
    }

    /// Whether one more such entry is possible.
    pub fn has_room(&self, fields: usize, bytes: usize) -> bool {
        self.pack.has_room(2 * fields + OTHER_ITEMS, bytes)
    }

    /// Adds an entry with a larger id than all others, unless `is_full` says so of the entries there are and were, and of the
    /// bytes; gives whether it was added. The caller has checked that it fits ([`Node::has_room`]).
    pub fn push<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        is_full: impl FnOnce(u64, usize) -> bool,
    ) -> bool {
        let head = self.head();
        let count = head.count;
        if is_full(count + head.deleted, self.byte_len()) {
            return false;
        }
        let is_same = head.fields_len == pairs.len()
            && head.fields.clone().zip(pairs.clone()).all(|(field, (new, _))| field.eq_bytes(new));
        self.set_count(count + 1, None);
        self.push_entry(id, pairs, is_same);
        true
    }

    fn push_entry<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        is_same: bool,
    ) {
        let len = pairs.len();
        let ms = id.ms.wrapping_sub(self.first_id.ms) as i64;
        let seq = id.seq.wrapping_sub(self.first_id.seq) as i64;
        if is_same {
            let fixed = [SAME_FIELDS, ms, seq].map(Item::Int);
            let values = pairs.map(|(_, value)| Item::of(value));
            let end = Item::Int((FIXED_ITEMS + len) as i64);
            self.pack.extend_back(fixed.into_iter().chain(values).chain([end]));
        } else {
            let fixed = [0, ms, seq, len as i64].map(Item::Int);
            let texts = pairs.flat_map(|(field, value)| [Item::of(field), Item::of(value)]);
            let end = Item::Int((FIXED_ITEMS + 1 + 2 * len) as i64);
            self.pack.extend_back(fixed.into_iter().chain(texts).chain([end]));
        }
    }

    /// Where the node begins.
    pub fn first_id(&self) -> Id {
        self.first_id
    }

    /// The listpack, as it goes into a file.
    pub fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    /// Bytes of the listpack.
    pub fn byte_len(&self) -> usize {
        self.pack.byte_len()
    }

    /// Bytes of memory, the node's own place in the index left out.
    pub fn memory(&self) -> usize {
        self.pack.memory()
    }

    /// How many entries there are, and how many there were that are deleted.
    pub fn counts(&self) -> (u64, u64) {
        let mut items = self.pack.iter();
        let mut next = || natural(items.next()).expect("the node was checked");
        (next(), next())
    }

    /// Entries in order, the deleted ones as well.
    pub fn entries(&self) -> Entries<'_> {
        let head = self.head();
        Entries { first_id: self.first_id, items: head.entries.clone(), head }
    }

    /// The same, without those in the first `skip` bytes of them, at whose end an entry begins.
    pub fn entries_behind(&self, skip: u32) -> Entries<'_> {
        let mut entries = self.entries();
        entries.items = self.pack.iter_from(entries.items.pos().after(skip));
        entries
    }

    /// Entries from the last to the first, the deleted ones as well.
    pub fn entries_rev(&self) -> EntriesRev<'_> {
        EntriesRev { node: self, head: self.head(), end: self.pack.last() }
    }

    /// Marks entries as deleted, from the first on, until `stop` says so of an entry's id; it is told how many that were
    /// before. In the first `skip` bytes of the entries there are none.
    pub fn delete_from_front(&mut self, skip: u32, mut stop: impl FnMut(Id, u64) -> bool) -> Deleted {
        let begin = self.entries().items.pos();
        let mut entries = self.entries_behind(skip);
        let mut places: SmallVec<[(Pos, bool); 16]> = SmallVec::new();
        let mut first = None;
        let mut is_stopped = false;
        for entry in entries.by_ref() {
            is_stopped = is_stopped || stop(entry.id, places.len() as u64);
            if entry.is_deleted {
                continue;
            }
            if is_stopped {
                first = Some((entry.id, entry.pos.since(begin)));
                break;
            }
            places.push((entry.pos, entry.same.is_some()));
        }
        let count = places.len() as u64;
        places.into_iter().for_each(|(pos, is_same)| self.mark(pos, is_same));
        let (before, deleted) = self.counts();
        self.set_count(before - count, Some(deleted + count));
        Deleted { count, first }
    }

    /// Marks one entry as deleted; gives whether it was there.
    pub fn delete(&mut self, id: Id) -> bool {
        let mut entries = self.entries();
        entries.skip_to(id);
        let found = entries.find(|entry| !entry.is_deleted && entry.id >= id).filter(|entry| entry.id == id);
        let Some((pos, is_same)) = found.map(|entry| (entry.pos, entry.same.is_some())) else { return false };
        self.mark(pos, is_same);
        let (count, deleted) = self.counts();
        self.set_count(count - 1, Some(deleted + 1));
        true
    }

    /// Sets the flags at `pos`. All flags have the same width, so nothing moves.
    fn mark(&mut self, pos: Pos, is_same: bool) {
        let flags = DELETED | if is_same { SAME_FIELDS } else { 0 };
        self.pack.replace_item(pos, Item::Int(flags));
    }

    fn set_count(&mut self, count: u64, deleted: Option<u64>) {
        let pos = self.pack.first().expect("a node has a head");
        self.pack.replace_item(pos, Item::Int(count as i64));
        if let Some(deleted) = deleted {
            let pos = self.pack.next(pos).expect("a head has two counts");
            self.pack.replace_item(pos, Item::Int(deleted as i64));
        }
    }

    fn head(&self) -> Head<'_> {
        head(&self.pack).expect("the node was checked")
    }

    /// Takes over a node from a file, after looking at all of it: the listpack, the head, every entry with its closing
    /// number, both counts, and that the ids of what is there only grow.
    pub fn parse(first_id: Id, bytes: &[u8]) -> Result<Node, Corrupt> {
        let node = Node { first_id, pack: Listpack::parse(bytes).map_err(|_| Corrupt)? };
        node.check().ok_or(Corrupt)?;
        Ok(node)
    }

    fn check(&self) -> Option<()> {
        let head = head(&self.pack)?;
        let mut items = head.entries.clone();
        let (mut count, mut deleted) = (0u64, 0u64);
        let mut before: Option<Id> = None;
        while items.clone().next().is_some() {
            // Flags are marked where they are, so they must be such as we write: in two bytes with the back length.
            let mut flags = items.clone();
            (0..=DELETED | SAME_FIELDS).contains(&int(flags.next())?).then_some(())?;
            (flags.pos().since(items.pos()) == FLAGS_BYTES).then_some(())?;
            let entry = Start::read(self.first_id, head.fields_len, &mut items)?;
            // Every item is at least two bytes, so the walk ends soon whatever the numbers say.
            items.advance(entry.rest_len()).then_some(())?;
            (int(items.next())? == entry.items_len() as i64).then_some(())?;
            // Deleted entries do not matter, and XSETID may leave some behind the last id.
            if !entry.is_deleted {
                let is_later = before.map_or(entry.id >= self.first_id, |before| entry.id > before);
                is_later.then_some(())?;
                before = Some(entry.id);
            }
            *if entry.is_deleted { &mut deleted } else { &mut count } += 1;
        }
        (count + deleted > 0 && count == head.count && deleted == head.deleted).then_some(())
    }
}

/// See [`Node::entries`].
#[derive(Clone)]
pub struct Entries<'a> {
    first_id: Id,
    head: Head<'a>,
    items: listpack::Iter<'a>,
}

impl Entries<'_> {
    /// Leaves out entries up to the first whose id is not below `start`.
    pub fn skip_to(&mut self, start: Id) {
        let mut items = self.items.clone();
        while let Some(entry) = Start::read(self.first_id, self.head.fields_len, &mut items) {
            if entry.id >= start {
                return;
            }
            items.advance(entry.rest_len() + 1);
            self.items = items.clone();
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let pos = self.items.pos();
        let start = Start::read(self.first_id, self.head.fields_len, &mut self.items)?;
        let (rest, rest_len) = (self.items.clone(), start.rest_len());
        self.items.advance(rest_len + 1);
        Some(Entry::new(start, pos, &self.head, rest))
    }
}

/// See [`Node::entries_rev`].
#[derive(Clone)]
pub struct EntriesRev<'a> {
    node: &'a Node,
    head: Head<'a>,
    /// What the entry to come ends with.
    end: Option<Pos>,
}

impl<'a> Iterator for EntriesRev<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let pack = &self.node.pack;
        let mut pos = self.end?;
        let items = pack.get(pos).as_int().expect("the node was checked");
        if items == 0 {
            self.end = None;
            return None;
        }
        for _ in 0..items {
            pos = pack.prev(pos).expect("the node was checked");
        }
        self.end = pack.prev(pos);
        let mut items = pack.iter_from(pos);
        let start = Start::read(self.node.first_id, self.head.fields_len, &mut items)?;
        Some(Entry::new(start, pos, &self.head, items))
    }
}
