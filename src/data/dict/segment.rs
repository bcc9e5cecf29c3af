//! One segment of a [`Dict`](super::Dict): some fifty elements in one block of memory.
//!
//! ```text
//! block:  tags (1 byte a slot) | offsets (2 bytes a slot, 4 in a block beyond 64 KiB) | elements, appended | free
//!
//! element:     key length | key | [ value length | [ expiry, 8 bytes ] | value ]        the bracket only in maps
//! large one:   0xff | index in `large`, 4 bytes
//! ```
//!
//! A key length below 0xf0 is one byte; else it is two, the first with its high nibble set. A value length is the same in
//! seven bits (below 0x70 one byte); the top bit says that an expiry follows.
//!
//! Slots are in no order. A look-up searches the tags, one byte of each key's hash, for its own: one vector comparison or
//! two; then it compares the keys of the slots found, rarely more than one. Removing moves the last slot into the hole and
//! leaves the element's bytes behind as `dead`. When an element finds no room, the segment is laid out anew: in a block of
//! the same size if an eighth is free or dead, else in the next larger one. Blocks have the sizes of the allocator's
//! classes, a quarter apart, so about a tenth is free on average.

use std::mem;

use bytes::Bytes;
use smallvec::SmallVec;
use triomphe::Arc;

use super::Entry;
use crate::base::time::UnixMillis;
use crate::data::rows::Part;

/// Keys and values that together are longer than this lie in memory of their own.
const INSIDE_MAX: usize = 1024;

/// First byte of an element that lies elsewhere.
const LARGE: u8 = 0xff;
const LARGE_SIZE: usize = 5;

/// Key lengths from here on take two bytes; `INSIDE_MAX` fits into the twelve bits that these have.
const KEY_SHORT: usize = 0xf0;
const VALUE_SHORT: usize = 0x70;
const EXPIRES: u8 = 0x80;

/// Largest block whose offsets fit two bytes.
const NARROW_MAX: usize = 1 << 16;

/// An element on its way in.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub key: &'a [u8],
    pub value: Fresh<'a>,
    pub expiry: Option<UnixMillis>,
}

/// A value on its way in.
#[derive(Clone, Copy, Debug)]
pub enum Fresh<'a> {
    /// Bytes to copy.
    Copied(&'a [u8]),
    /// Memory that may be kept as it is, if the value is long enough for that.
    Shared(&'a Bytes),
}

impl Fresh<'_> {
    /// The value itself.
    pub fn bytes(&self) -> &[u8] {
        match *self {
            Fresh::Copied(bytes) => bytes,
            Fresh::Shared(bytes) => bytes,
        }
    }
}

/// An element that is too long for the block; it is never altered.
#[derive(Debug)]
struct Large {
    key: Box<[u8]>,
    value: Bytes,
    expiry: Option<UnixMillis>,
}

impl Large {
    fn memory(&self) -> usize {
        size_of::<Large>() + self.key.len() + self.value.len()
    }
}

/// The large elements of one segment; a place that is free is used again.
#[derive(Clone, Debug, Default)]
struct Larges {
    places: Vec<Option<Arc<Large>>>,
    memory: usize,
    count: usize,
}

/// What the owner adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Bytes of live elements and their slots.
    pub live: usize,
    /// Bytes on the heap.
    pub memory: usize,
    /// Large elements.
    pub large: usize,
}

/// See above. An empty segment owns no memory.
#[derive(Clone, Debug)]
pub(super) struct Segment<const MAP: bool> {
    block: Box<[u8]>,
    large: Option<Box<Larges>>,
    /// Slots in use.
    count: u32,
    /// Slots there is room for.
    slots: u32,
    /// Where free space begins.
    used: u32,
    /// Bytes of elements that are no more.
    dead: u32,
    /// No element is over earlier than this.
    pub due: i64,
}

impl<const MAP: bool> Default for Segment<MAP> {
    fn default() -> Segment<MAP> {
        Segment { block: Box::default(), large: None, count: 0, slots: 0, used: 0, dead: 0, due: i64::MAX }
    }
}

/// Sizes that blocks have: those of the allocator, a quarter apart.
fn block_class(size: usize) -> usize {
    if size <= 64 {
        return size.next_multiple_of(16);
    }
    let step = 1 << (usize::ilog2(size - 1) - 2);
    size.next_multiple_of(step)
}

/// Bytes per slot in a block of `size` bytes.
fn slot_size(size: usize) -> usize {
    if size <= NARROW_MAX { 3 } else { 5 }
}

fn length_size(len: usize, short: usize) -> usize {
    if len < short { 1 } else { 2 }
}

/// Reads a length whose first byte, without marks, is `first`; gives it and its own size.
fn read_length(first: u8, bytes: &[u8], short: usize) -> (usize, usize) {
    if usize::from(first) < short {
        (usize::from(first), 1)
    } else {
        (usize::from(first & 0x0f) << 8 | usize::from(bytes[1]), 2)
    }
}

impl<const MAP: bool> Part for Segment<MAP> {
    fn heap_bytes(&self) -> usize {
        let large = self.large.as_ref();
        self.block.len() + large.map_or(0, |large| large.places.capacity() * size_of::<Option<Arc<Large>>>())
    }
}

impl<const MAP: bool> Segment<MAP> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// The tag of each slot.
    pub fn tags(&self) -> &[u8] {
        &self.block[..self.count as usize]
    }

    /// What the owner adds up.
    pub fn figures(&self) -> Figures {
        let slots = self.count as usize * slot_size(self.block.len());
        let (memory, large) = self.large.as_ref().map_or((0, 0), |large| (large.memory, large.count));
        Figures { live: self.live() + slots, memory: self.block.len() + memory, large }
    }

    /// Bytes of live elements.
    fn live(&self) -> usize {
        (self.used - self.dead) as usize - self.slots as usize * slot_size(self.block.len())
    }

    fn offset(&self, slot: usize) -> usize {
        let slots = self.slots as usize;
        if self.block.len() <= NARROW_MAX {
            let at = slots + slot * 2;
            usize::from(u16::from_le_bytes([self.block[at], self.block[at + 1]]))
        } else {
            let at = slots + slot * 4;
            u32::from_le_bytes(self.block[at..at + 4].try_into().expect("four bytes")) as usize
        }
    }

    fn set_offset(&mut self, slot: usize, offset: usize) {
        let slots = self.slots as usize;
        if self.block.len() <= NARROW_MAX {
            self.block[slots + slot * 2..][..2].copy_from_slice(&(offset as u16).to_le_bytes());
        } else {
            self.block[slots + slot * 4..][..4].copy_from_slice(&(offset as u32).to_le_bytes());
        }
    }

    /// The bytes from an element's first on.
    fn element(&self, slot: usize) -> &[u8] {
        &self.block[self.offset(slot)..]
    }

    fn large(&self, element: &[u8]) -> &Large {
        let index = large_index(element);
        let larges = self.large.as_ref().expect("an element says so");
        larges.places[index].as_ref().expect("an element says so")
    }

    /// Bytes of the element that begins here.
    fn size(element: &[u8]) -> usize {
        if element[0] == LARGE {
            return LARGE_SIZE;
        }
        let (len, size) = read_length(element[0], element, KEY_SHORT);
        if !MAP {
            return size + len;
        }
        let rest = &element[size + len..];
        let (value_len, value_size) = read_length(rest[0] & !EXPIRES, rest, VALUE_SHORT);
        let expiry = if rest[0] & EXPIRES != 0 { 8 } else { 0 };
        size + len + value_size + expiry + value_len
    }

    /// The key in a slot.
    pub fn key(&self, slot: usize) -> &[u8] {
        let element = self.element(slot);
        if element[0] == LARGE {
            return &self.large(element).key;
        }
        let (len, size) = read_length(element[0], element, KEY_SHORT);
        &element[size..size + len]
    }

    /// The element in a slot.
    pub fn entry(&self, slot: usize) -> Entry<'_> {
        let element = self.element(slot);
        if element[0] == LARGE {
            let large = self.large(element);
            return Entry { key: &large.key, value: &large.value, shared: Some(&large.value), expiry: large.expiry };
        }
        let (len, size) = read_length(element[0], element, KEY_SHORT);
        let (key, rest) = element[size..].split_at(len);
        if !MAP {
            return Entry { key, value: &[], shared: None, expiry: None };
        }
        let (len, size) = read_length(rest[0] & !EXPIRES, rest, VALUE_SHORT);
        let (expiry, value) = if rest[0] & EXPIRES != 0 {
            let when = i64::from_le_bytes(rest[size..size + 8].try_into().expect("eight bytes"));
            (Some(UnixMillis(when)), &rest[size + 8..])
        } else {
            (None, &rest[size..])
        };
        Entry { key, value: &value[..len], shared: None, expiry }
    }

    /// The slot of `key`, whose hash has the tag `tag`.
    pub fn find(&self, tag: u8, key: &[u8]) -> Option<usize> {
        memchr::memchr_iter(tag, self.tags()).find(|&slot| self.key(slot) == key)
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    /// Adds an element whose key is not there.
    pub fn push(&mut self, tag: u8, new: New<'_>) {
        self.lower_due(new.expiry);
        let mut element = Element::new();
        let value = new.value.bytes();
        if new.key.len() + value.len() > INSIDE_MAX {
            let value = match new.value {
                Fresh::Shared(bytes) => bytes.clone(),
                Fresh::Copied(bytes) => Bytes::copy_from_slice(bytes),
            };
            let index = self.keep(Arc::new(Large { key: new.key.into(), value, expiry: new.expiry }));
            element.extend_from_slice(&large_element(index));
        } else {
            write_length(&mut element, new.key.len(), KEY_SHORT, 0);
            element.extend_from_slice(new.key);
            if MAP {
                let mark = if new.expiry.is_some() { EXPIRES } else { 0 };
                write_length(&mut element, value.len(), VALUE_SHORT, mark);
                if let Some(when) = new.expiry {
                    element.extend_from_slice(&when.0.to_le_bytes());
                }
                element.extend_from_slice(value);
            }
        }
        self.make_room(element.len());
        self.append(tag, &element);
    }

    fn lower_due(&mut self, expiry: Option<UnixMillis>) {
        if let Some(when) = expiry {
            self.due = self.due.min(when.0);
        }
    }

    /// Replaces the element in `slot` by one with the same key.
    pub fn replace(&mut self, slot: usize, new: New<'_>) {
        self.lower_due(new.expiry);
        let tag = self.block[slot];
        let (at, old) = (self.offset(slot), Self::size(self.element(slot)));
        let value = new.value.bytes();
        let is_inside = self.block[at] != LARGE && new.key.len() + value.len() <= INSIDE_MAX;
        let expiry = if new.expiry.is_some() { 8 } else { 0 };
        let key = length_size(new.key.len(), KEY_SHORT) + new.key.len();
        let head = key + length_size(value.len(), VALUE_SHORT) + expiry;
        if !MAP || !is_inside || head + value.len() > old {
            self.take(slot);
            self.push(tag, new);
            return;
        }
        let mut length = Element::new();
        write_length(&mut length, value.len(), VALUE_SHORT, if new.expiry.is_some() { EXPIRES } else { 0 });
        if let Some(when) = new.expiry {
            length.extend_from_slice(&when.0.to_le_bytes());
        }
        let place = &mut self.block[at..at + head + value.len()];
        place[key..head].copy_from_slice(&length);
        place[head..].copy_from_slice(value);
        self.dead += (old - head - value.len()) as u32;
    }

    /// Removes the element in `slot`; another element may move there.
    pub fn take(&mut self, slot: usize) {
        let element = self.element(slot);
        let size = Self::size(element);
        if element[0] == LARGE {
            let index = large_index(element);
            self.let_go(index);
        }
        let last = self.count as usize - 1;
        self.block[slot] = self.block[last];
        let offset = self.offset(last);
        self.set_offset(slot, offset);
        self.count -= 1;
        self.dead += size as u32;
    }

    /// Gives memory back if most of the block is not needed any more.
    pub fn maybe_shrink(&mut self) {
        if self.count == 0 {
            *self = Segment::default();
        } else if self.figures().live < self.block.len() / 2 && self.block.len() > 64 {
            self.lay_out(Plan::new(self.len(), self.live()));
        }
    }

    /// Moves the elements whose keys `goes` names into a new segment.
    pub fn split_off(&mut self, goes: impl Fn(&[u8]) -> bool) -> Segment<MAP> {
        let going: SmallVec<[bool; 256]> = (0..self.len()).map(|slot| goes(self.key(slot))).collect();
        let (mut counts, mut sizes) = ([0; 2], [0; 2]);
        for (slot, &goes) in going.iter().enumerate() {
            counts[usize::from(goes)] += 1;
            sizes[usize::from(goes)] += Self::size(self.element(slot));
        }
        let mut moved = Segment::empty(Plan::new(counts[1], sizes[1]));
        let mut stays = Segment::empty(Plan::new(counts[0], sizes[0]));
        stays.large = self.large.take();
        (moved.due, stays.due) = (self.due, self.due);
        for (slot, &goes) in going.iter().enumerate() {
            let element = self.element(slot);
            let element = &element[..Self::size(element)];
            if goes {
                moved.receive(self.block[slot], element, &mut stays);
            } else {
                stays.append(self.block[slot], element);
            }
        }
        *self = stays;
        moved
    }

    /// Takes in all elements of another segment.
    pub fn absorb(&mut self, mut other: Segment<MAP>) {
        self.lay_out(Plan::new(self.len() + other.len(), self.live() + other.live()));
        self.due = self.due.min(other.due);
        let block = mem::take(&mut other.block);
        let (slots, count) = (other.slots, other.count);
        let from = Segment::<MAP> { block, count, slots, ..Segment::default() };
        for slot in 0..from.len() {
            let element = from.element(slot);
            self.receive(from.block[slot], &element[..Self::size(element)], &mut other);
        }
    }

    /// Appends an element of `from`, whose large elements are there still.
    fn receive(&mut self, tag: u8, element: &[u8], from: &mut Segment<MAP>) {
        if element[0] == LARGE {
            let large = from.let_go(large_index(element));
            let index = self.keep(large);
            self.append(tag, &large_element(index));
        } else {
            self.append(tag, element);
        }
    }

    /// Sees to it that one more element of `size` bytes can be appended.
    fn make_room(&mut self, size: usize) {
        if self.count < self.slots && self.used as usize + size <= self.block.len() {
            return;
        }
        self.lay_out(Plan::new(self.len() + 1, self.live() + size));
    }

    fn lay_out(&mut self, plan: Plan) {
        let mut new = Segment::empty(plan);
        new.large = self.large.take();
        new.due = self.due;
        for slot in 0..self.len() {
            let element = self.element(slot);
            new.append(self.block[slot], &element[..Self::size(element)]);
        }
        *self = new;
    }

    fn empty(plan: Plan) -> Segment<MAP> {
        let block = vec![0; plan.size].into_boxed_slice();
        let used = (plan.slots * slot_size(plan.size)) as u32;
        Segment { block, slots: plan.slots as u32, used, ..Segment::default() }
    }

    /// There must be room.
    fn append(&mut self, tag: u8, element: &[u8]) {
        let (slot, at) = (self.count as usize, self.used as usize);
        self.block[at..at + element.len()].copy_from_slice(element);
        self.block[slot] = tag;
        self.set_offset(slot, at);
        self.used += element.len() as u32;
        self.count += 1;
    }

    /// Puts a large element away; gives its index.
    fn keep(&mut self, large: Arc<Large>) -> usize {
        let larges = self.large.get_or_insert_default();
        larges.memory += large.memory();
        larges.count += 1;
        match larges.places.iter().position(Option::is_none) {
            Some(index) => {
                larges.places[index] = Some(large);
                index
            }
            None => {
                larges.places.push(Some(large));
                larges.places.len() - 1
            }
        }
    }

    /// Gives a large element back to the caller.
    fn let_go(&mut self, index: usize) -> Arc<Large> {
        let larges = self.large.as_mut().expect("an element says so");
        let large = larges.places[index].take().expect("an element says so");
        larges.memory -= large.memory();
        larges.count -= 1;
        if larges.count == 0 {
            self.large = None;
        }
        large
    }

    /// Checks what must always hold.
    #[cfg(test)]
    pub fn check(&self) {
        let size = self.block.len();
        assert!(self.count <= self.slots && self.used as usize <= size && self.dead <= self.used);
        let sum: usize = (0..self.len()).map(|slot| Self::size(self.element(slot))).sum();
        assert_eq!(sum, self.live());
        let larges = (0..self.len()).filter(|&slot| self.element(slot)[0] == LARGE).count();
        assert_eq!(larges, self.figures().large);
        assert!(size <= 64 || self.figures().live * 2 >= size, "a block is half full at least");
    }
}

/// An element as it will lie in the block.
type Element = SmallVec<[u8; 160]>;

fn write_length(to: &mut Element, len: usize, short: usize, mark: u8) {
    if len < short {
        to.push(len as u8 | mark);
    } else {
        to.extend_from_slice(&[short as u8 | (len >> 8) as u8 | mark, len as u8]);
    }
}

fn large_element(index: usize) -> [u8; LARGE_SIZE] {
    let [a, b, c, d] = (index as u32).to_le_bytes();
    [LARGE, a, b, c, d]
}

fn large_index(element: &[u8]) -> usize {
    u32::from_le_bytes(element[1..LARGE_SIZE].try_into().expect("four bytes")) as usize
}

/// How a block is going to be laid out.
struct Plan {
    size: usize,
    slots: usize,
}

impl Plan {
    /// A block for `count` elements of `live` bytes together, and an eighth more of the same kind.
    fn new(count: usize, live: usize) -> Plan {
        if count == 0 {
            return Plan { size: 0, slots: 0 };
        }
        let mut slot = slot_size(0);
        loop {
            let need = live + count * slot;
            let size = block_class(need + need / 8);
            assert!(size <= u32::MAX as usize, "{count} elements in one segment");
            if slot_size(size) == slot {
                return Plan { size, slots: (size / (live.div_ceil(count) + slot)).max(count) };
            }
            slot = slot_size(size);
        }
    }
}
