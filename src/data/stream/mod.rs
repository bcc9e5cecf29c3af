//! Streams: entries that are only ever added at the end, each a list of fields and values with an id that grows; and groups
//! of consumers who share the work of reading them.
//!
//! ```text
//! Stream ──► log.rs: entries ──► nodes.rs: nodes in order ──► node.rs: a listpack of some hundred entries
//!        └─► groups.rs: who has read how far, what is pending with whom ──► idmap.rs
//! ```
//!
//! A copy of a stream shares nearly everything with it until either is altered, so copies cost little.
//!
//! A stream stays when its last entry goes, since its ids must not repeat and its groups wait for more.

mod groups;
mod id;
mod idmap;
mod log;
mod node;
mod nodes;
mod radix;
#[cfg(test)]
mod tests;

use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

pub use groups::{Consumer, ConsumerId, Group, Groups, Pending};
pub use id::{BadId, GivenId, Id, IdText};
pub use idmap::IdMap;
pub use log::{AddError, ENTRY_BYTES_MAX, History, Keep, Log, NodeLimits, Range, RangeRev, Trim, WantedId};
pub use node::{Corrupt, Entry, Node, Pair};

/// A stream. One word: the rest is on the heap.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Parts>);

/// What a stream consists of. Both parts are needed at once when a group reads.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The entries.
    pub log: Log,
    /// The groups.
    pub groups: Groups,
}

impl Stream {
    /// From its parts.
    pub fn new(log: Log, groups: Groups) -> Stream {
        Stream(Box::new(Parts { log, groups }))
    }

    /// The entries.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The groups.
    pub fn groups(&self) -> &Groups {
        &self.0.groups
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// Both, to be altered.
    pub fn parts_mut(&mut self) -> &mut Parts {
        &mut self.0
    }

    /// The entries, to be altered.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.0.log
    }

    /// The groups, to be altered.
    pub fn groups_mut(&mut self) -> &mut Groups {
        &mut self.0.groups
    }

    /// How many entries `group` has not read yet, where that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let log = self.log();
        let added = log.history().entries_added as i64;
        match group.entries_read {
            _ if added == 0 => Some(0),
            Some(read) if !log.has_gap_from(group.last_id) => Some(added.wrapping_sub(read)),
            _ => log.entries_up_to(group.last_id).map(|read| added.wrapping_sub(read as i64)),
        }
    }

    /// How many nodes the radix tree has in which Redis would keep this stream's nodes, for XINFO.
    pub fn radix_tree_nodes(&self) -> usize {
        radix::tree_nodes(self.log().nodes().map(|node| node.first_id().to_bytes()))
    }
}

impl Collection for Stream {
    const TYPE: TypeName = TypeName::Stream;
    const STAYS_WHEN_EMPTY: bool = true;
    const IS_ORDERED: bool = true;

    fn is_empty(&self) -> bool {
        self.log().is_empty()
    }

    fn freeze(&mut self) -> Option<Stream> {
        (self.log().nodes_len() > 1 || !self.groups().is_empty()).then(|| self.clone())
    }

    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]])) {
        for entry in self.log().range(Id::MIN, Id::MAX) {
            let id = entry.id.text();
            let pairs: Vec<Vec<u8>> =
                entry.pairs().flat_map(|(field, value)| [field.to_vec(), value.to_vec()]).collect();
            let parts: Vec<&[u8]> = std::iter::once(&id[..]).chain(pairs.iter().map(Vec::as_slice)).collect();
            visit(&parts);
        }
    }

    fn encoding(&self) -> Encoding {
        Encoding::Stream
    }

    #[inline]
    fn heap(&self) -> *const u8 {
        (&raw const *self.0).cast()
    }

    fn memory(&self) -> usize {
        let groups = self.groups().iter();
        let groups: usize = groups.map(|(name, group)| name.len() + size_of::<Group>() + group.memory()).sum();
        size_of::<Parts>() + self.log().memory() + groups
    }

    fn free_effort(&self) -> usize {
        let groups: usize = self.groups().values().map(Group::free_effort).sum();
        self.log().nodes_len() + groups + 1
    }

    fn into_value(self) -> Value {
        Value::Stream(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&Stream> {
        match value {
            ValueRef::Stream(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut Stream> {
        match value {
            ValueMut::Stream(value) => Some(value),
            _ => None,
        }
    }
}
