//! The entries of a stream: nodes in order, and the few numbers that say what has ever been there.
//!
//! `entries_added` counts all entries there ever were, `max_deleted_id` is the largest that XDEL took. From these and the
//! first and last id it can often be told how many entries lie before an id ([`Log::entries_up_to`]), which is what
//! consumer groups report as their lag. Where a deletion in the middle makes that a guess, the answer is none.

use super::id::{GivenId, Id};
use super::node::{Entries, EntriesRev, Entry, Node};
use super::nodes::{At, Nodes};

/// Most bytes of field and value texts in one entry, and of a node: Redis's bound.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// When a node is full; zero means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// `stream-node-max-bytes`
    pub bytes: u64,
    /// `stream-node-max-entries`
    pub entries: u64,
}

impl Default for NodeLimits {
    fn default() -> NodeLimits {
        NodeLimits { bytes: 4096, entries: 100 }
    }
}

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// There is no id after the last.
    Exhausted,
    /// The id is not larger than the last.
    NotLarger,
    /// More bytes than an entry can have.
    TooLarge,
}

/// The id that a new entry is asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedId {
    /// The time, or whatever comes after the last one.
    Auto {
        /// Milliseconds since 1970.
        now: u64,
    },
    /// What was given.
    Given(GivenId),
}

/// What trimming leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// At most so many entries.
    MaxLen(u64),
    /// Entries from this id on.
    MinId(Id),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is left.
    pub keep: Keep,
    /// Only whole nodes go, so more may stay.
    pub is_approximate: bool,
    /// At most so many entries go; zero means no limit.
    pub limit: u64,
}

/// What a stream knows about its past, besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The largest id there ever was.
    pub last_id: Id,
    /// The largest id that was deleted.
    pub max_deleted_id: Id,
    /// How many entries there ever were.
    pub entries_added: u64,
}

/// The entries.
#[derive(Clone, Debug, Default)]
pub struct Log {
    nodes: Nodes,
    len: u64,
    /// The first entry there is, 0-0 when there is none.
    first_id: Id,
    /// In so many bytes of the first node's entries there are none but deleted ones, so that a stream kept at one length
    /// does not look at them each time.
    first_skip: u32,
    history: History,
    /// Bytes of memory of all nodes.
    node_bytes: usize,
}

impl Log {
    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first entry there is; 0-0 when there is none.
    pub fn first_id(&self) -> Id {
        self.first_id
    }

    /// The largest id there ever was.
    pub fn last_id(&self) -> Id {
        self.history.last_id
    }

    /// What is known about the past.
    pub fn history(&self) -> History {
        self.history
    }

    /// For XSETID, which checks that it makes sense.
    pub fn set_history(&mut self, history: History) {
        self.history = history;
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.iter()
    }

    /// How many nodes.
    pub fn nodes_len(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.node_bytes + self.nodes.memory()
    }

    /// Bytes of memory of the nodes, their index left out.
    #[cfg(test)]
    pub(super) fn node_bytes(&self) -> usize {
        self.node_bytes
    }

    // ---- adding -----------------------------------------------------------------------------------------------------

    /// The id that a new entry gets.
    pub fn next_id(&self, wanted: WantedId) -> Result<Id, AddError> {
        let last = self.history.last_id;
        if last == Id::MAX {
            return Err(AddError::Exhausted);
        }
        let id = match wanted {
            WantedId::Auto { now } if now > last.ms => Id::new(now, 0),
            WantedId::Auto { .. } => last.next().expect("it is not the largest"),
            WantedId::Given(GivenId::Whole(id)) => id,
            WantedId::Given(GivenId::Millis(ms)) if ms == last.ms => {
                Id::new(ms, last.seq.checked_add(1).ok_or(AddError::NotLarger)?)
            }
            WantedId::Given(GivenId::Millis(ms)) => Id::new(ms, 0),
        };
        if id > last { Ok(id) } else { Err(AddError::NotLarger) }
    }

    /// Whether an entry with these fields and values is possible.
    pub fn check_size<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<(), AddError> {
        let (fields, bytes) =
            pairs.fold((0, 0), |(fields, bytes), (field, value)| (fields + 1, bytes + field.len() + value.len()));
        match bytes <= ENTRY_BYTES_MAX && Node::fits(fields, bytes) {
            true => Ok(()),
            false => Err(AddError::TooLarge),
        }
    }

    /// Adds an entry. `id` comes from [`Log::next_id`], and [`Log::check_size`] had no objection.
    pub fn add<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: NodeLimits,
    ) {
        assert!(id > self.history.last_id, "{id} after {}", self.history.last_id);
        // Where XSETID has turned the last id back, deleted entries may be left behind it.
        while let Some(at) = self.nodes.last().filter(|at| self.nodes.get(*at).first_id() >= id) {
            self.remove_node(at);
        }
        let bytes: usize = pairs.clone().map(|(field, value)| field.len() + value.len()).sum();
        let is_added = match self.nodes.last().filter(|at| self.nodes.get(*at).has_room(pairs.len(), bytes)) {
            Some(at) => {
                self.edit_node(at, |node| node.push(id, pairs.clone(), |all, len| is_full(all, len + bytes, limits)))
            }
            None => false,
        };
        if !is_added {
            let node = Node::new(id, pairs);
            self.node_bytes += node.memory();
            self.nodes.push(node);
        }
        self.len += 1;
        self.history.entries_added = self.history.entries_added.wrapping_add(1);
        self.history.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
    }

    /// Adds a node from a file behind all others; `false` when its ids do not follow.
    pub fn add_node(&mut self, node: Node) -> bool {
        if let Some(at) = self.nodes.last() {
            let last = self.nodes.get(at);
            let end = last.entries_rev().find(|entry| !entry.is_deleted).map_or(last.first_id(), |entry| entry.id);
            if node.first_id() <= end.max(last.first_id()) {
                return false;
            }
        }
        self.len += node.counts().0;
        self.node_bytes += node.memory();
        self.nodes.push(node);
        true
    }

    /// What remains to be said of a stream whose nodes came from a file; `false` when it contradicts them.
    pub fn complete(&mut self, len: u64, history: History) -> bool {
        self.history = history;
        self.find_first();
        len == self.len && self.last_entry_id().is_none_or(|last| last <= history.last_id)
    }

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// Entries from `start` to `end`, both included.
    pub fn range(&self, start: Id, end: Id) -> Range<'_> {
        let at = self.nodes.find(start).or(self.nodes.first());
        let mut entries = at.map(|at| self.nodes.get(at).entries());
        if let Some(entries) = &mut entries {
            entries.skip_to(start);
        }
        Range { nodes: &self.nodes, at, entries, start, end }
    }

    /// The same from the last to the first.
    pub fn range_rev(&self, start: Id, end: Id) -> RangeRev<'_> {
        let at = self.nodes.find(end);
        RangeRev { nodes: &self.nodes, at, entries: at.map(|at| self.nodes.get(at).entries_rev()), start, end }
    }

    /// The entry of this id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry there is.
    pub fn last_entry_id(&self) -> Option<Id> {
        self.range_rev(Id::MIN, Id::MAX).next().map(|entry| entry.id)
    }

    /// The first entry, deleted or not, that is still kept.
    pub fn first_kept_id(&self) -> Option<Id> {
        self.nodes().flat_map(Node::entries).next().map(|entry| entry.id)
    }

    /// Whether XDEL took an entry at or after `start` that counts in what follows: without that, `entries_added` tells how
    /// many there are.
    pub fn has_gap_from(&self, start: Id) -> bool {
        let deleted = self.history.max_deleted_id;
        self.len > 0 && !deleted.is_zero() && self.first_id <= deleted && start <= deleted
    }

    /// How many entries there ever were up to and including `id`, where that can be told.
    pub fn entries_up_to(&self, id: Id) -> Option<u64> {
        let History { last_id, max_deleted_id, entries_added } = self.history;
        if entries_added == 0 {
            return Some(0);
        }
        if id == last_id || (self.len == 0 && id < last_id) {
            return Some(entries_added);
        }
        if id > last_id || (!max_deleted_id.is_zero() && max_deleted_id >= self.first_id) {
            return None;
        }
        let gone = entries_added.wrapping_sub(self.len);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(gone),
            std::cmp::Ordering::Equal => Some(gone.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    // ---- taking away ------------------------------------------------------------------------------------------------

    /// Deletes entries; gives how many of them there were.
    pub fn delete(&mut self, ids: &[Id]) -> u64 {
        let mut deleted = 0;
        let mut is_first_gone = false;
        for &id in ids {
            let Some(at) = self.nodes.find(id) else { continue };
            if !self.edit_node(at, |node| node.delete(id)) {
                continue;
            }
            self.len -= 1;
            deleted += 1;
            is_first_gone |= id == self.first_id;
            self.history.max_deleted_id = self.history.max_deleted_id.max(id);
            if self.nodes.get(at).counts().0 == 0 {
                self.remove_node(at);
            }
        }
        if is_first_gone {
            self.find_first();
        }
        deleted
    }

    /// Takes entries away from the front; gives how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut trimmed = 0u64;
        while let Some(at) = self.nodes.first() {
            if matches!(trim.keep, Keep::MaxLen(max) if self.len <= max) {
                break;
            }
            let node = self.nodes.get(at);
            let (count, _) = node.counts();
            if trim.limit > 0 && trimmed.saturating_add(count) > trim.limit {
                break;
            }
            let is_all = match trim.keep {
                Keep::MaxLen(max) => self.len - count >= max,
                Keep::MinId(min) => node.entries_rev().next().is_none_or(|last| last.id < min),
            };
            if is_all {
                self.remove_node(at);
                self.len -= count;
                trimmed += count;
                continue;
            }
            if !trim.is_approximate {
                let (len, skip) = (self.len, self.first_skip);
                let part = self.edit_node(at, |node| {
                    node.delete_from_front(skip, |id, so_far| match trim.keep {
                        Keep::MaxLen(max) => len - so_far <= max,
                        Keep::MinId(min) => id >= min,
                    })
                });
                self.len -= part.count;
                trimmed += part.count;
                if let Some((id, skip)) = part.first {
                    (self.first_id, self.first_skip) = (id, skip);
                    return trimmed;
                }
            }
            break;
        }
        if trimmed > 0 {
            self.find_first();
        }
        trimmed
    }

    fn find_first(&mut self) {
        let first = self.nodes.first();
        let mut at = first;
        while let Some(place) = at {
            let skip = if at == first { self.first_skip } else { 0 };
            let mut entries = self.nodes.get(place).entries_behind(skip);
            if let Some(found) = entries.find(|entry| !entry.is_deleted) {
                self.first_id = found.id;
                return;
            }
            at = self.nodes.next(place);
        }
        self.first_id = Id::MIN;
    }

    fn edit_node<R>(&mut self, at: At, edit: impl FnOnce(&mut Node) -> R) -> R {
        let node = self.nodes.get_mut(at);
        let before = node.memory();
        let result = edit(node);
        self.node_bytes = self.node_bytes - before + node.memory();
        result
    }

    fn remove_node(&mut self, at: At) {
        if self.nodes.first() == Some(at) {
            self.first_skip = 0;
        }
        self.node_bytes -= self.nodes.remove(at).memory();
    }
}

/// Whether a node of so many entries, deleted ones included, is full, if its bytes with those of the texts of one more entry
/// are `bytes`.
fn is_full(entries: u64, bytes: usize, limits: NodeLimits) -> bool {
    let bytes_max = match limits.bytes {
        0 => ENTRY_BYTES_MAX as u64,
        max => max.min(ENTRY_BYTES_MAX as u64),
    };
    bytes as u64 >= bytes_max || (limits.entries > 0 && entries >= limits.entries)
}

/// See [`Log::range`].
#[derive(Clone)]
pub struct Range<'a> {
    nodes: &'a Nodes,
    at: Option<At>,
    entries: Option<Entries<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            match self.entries.as_mut()?.next() {
                Some(entry) if entry.id < self.start || entry.is_deleted => {}
                Some(entry) if entry.id > self.end => self.entries = None,
                Some(entry) => return Some(entry),
                None => {
                    self.at = self.at.and_then(|at| self.nodes.next(at));
                    self.entries = self.at.map(|at| self.nodes.get(at).entries());
                }
            }
        }
    }
}

/// See [`Log::range_rev`].
#[derive(Clone)]
pub struct RangeRev<'a> {
    nodes: &'a Nodes,
    at: Option<At>,
    entries: Option<EntriesRev<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for RangeRev<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            match self.entries.as_mut()?.next() {
                Some(entry) if entry.id > self.end || entry.is_deleted => {}
                Some(entry) if entry.id < self.start => self.entries = None,
                Some(entry) => return Some(entry),
                None => {
                    self.at = self.at.and_then(|at| self.nodes.prev(at));
                    self.entries = self.at.map(|at| self.nodes.get(at).entries_rev());
                }
            }
        }
    }
}
