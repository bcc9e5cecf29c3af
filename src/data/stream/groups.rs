//! Consumer groups: how far a group has read, what was delivered and not yet acknowledged, and to whom.
//!
//! A pending entry is found by its id in the group, which says who has it, and by the same id in its consumer's own list,
//! so that a consumer's history is read without looking at the others'. Only the methods here change either, and they
//! change both. Consumers are named by a number inside the group, so a pending entry costs no pointer and a group is
//! copied by copying its parts.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use super::id::Id;
use super::idmap::IdMap;

/// The groups of a stream by name, in the order of their bytes.
pub type Groups = BTreeMap<Box<[u8]>, Group>;

/// A consumer of a group: valid as long as it is not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last, in milliseconds since 1970.
    pub delivered_at: i64,
    /// How often.
    pub deliveries: u64,
    /// Who has it.
    pub consumer: ConsumerId,
}

/// One who reads on behalf of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to read, in milliseconds since 1970.
    pub seen_at: i64,
    /// When it last got something, if ever.
    pub active_at: Option<i64>,
    pending: IdMap<()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ids of what it has not acknowledged, in order.
    pub fn pending(&self) -> &IdMap<()> {
        &self.pending
    }
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered to anybody.
    pub last_id: Id,
    /// How many entries of the stream were delivered, if that is known.
    pub entries_read: Option<i64>,
    pending: IdMap<Pending>,
    names: BTreeMap<Box<[u8]>, ConsumerId>,
    /// By number.
    consumers: Vec<Option<Consumer>>,
    /// Numbers of removed consumers, to be used again.
    free: Vec<ConsumerId>,
}

impl Group {
    /// A group without consumers.
    pub fn new(last_id: Id, entries_read: Option<i64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: IdMap::default(),
            names: BTreeMap::new(),
            consumers: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// A consumer of this name, which must be new.
    pub fn add_consumer(&mut self, name: &[u8], now: i64) -> ConsumerId {
        let number = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            ConsumerId(u32::try_from(self.consumers.len() - 1).expect("memory for fewer consumers than that"))
        });
        let consumer = Consumer { name: name.into(), seen_at: now, active_at: None, pending: IdMap::default() };
        self.consumers[number.0 as usize] = Some(consumer);
        let earlier = self.names.insert(name.into(), number);
        assert!(earlier.is_none(), "the name of a new consumer was free");
        number
    }

    /// Takes a consumer away with everything it has not acknowledged; gives how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        let consumer = self.consumers[number.0 as usize].take().expect("a name leads to a consumer");
        for id in consumer.pending.ids(..) {
            self.pending.remove(id);
        }
        self.free.push(number);
        if self.names.is_empty() {
            self.free.clear();
            self.consumers.clear();
        }
        Some(consumer.pending.len())
    }

    /// A consumer.
    pub fn consumer(&self, number: ConsumerId) -> &Consumer {
        self.consumers[number.0 as usize].as_ref().expect("the consumer was not removed")
    }

    /// A consumer, to note when it was seen.
    pub fn consumer_mut(&mut self, number: ConsumerId) -> &mut Consumer {
        self.consumers[number.0 as usize].as_mut().expect("the consumer was not removed")
    }

    /// The consumers, in the order of their names' bytes.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.names.values().map(|number| self.consumer(*number))
    }

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// A pending entry.
    pub fn pending(&self, id: Id) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// Pending entries by id.
    pub fn pending_in(&self, range: impl RangeBounds<Id>) -> impl DoubleEndedIterator<Item = (Id, &Pending)> {
        self.pending.range(range)
    }

    /// Makes an entry pending with `consumer`, whoever had it before.
    pub fn assign(&mut self, id: Id, consumer: ConsumerId, delivered_at: i64, deliveries: u64) {
        let earlier = self.pending.insert(id, Pending { delivered_at, deliveries, consumer });
        match earlier {
            Some(earlier) if earlier.consumer == consumer => return,
            Some(earlier) => {
                self.consumer_mut(earlier.consumer).pending.remove(id);
            }
            None => {}
        }
        self.consumer_mut(consumer).pending.insert(id, ());
    }

    /// Counts one more delivery of a pending entry to the consumer who has it.
    pub fn delivered_again(&mut self, id: Id, now: i64) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.delivered_at = now;
            pending.deliveries = pending.deliveries.wrapping_add(1);
        }
    }

    /// Takes an entry off the lists; gives whether it was pending.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.consumer_mut(pending.consumer).pending.remove(id);
        true
    }

    /// About how many bytes of memory it occupies.
    pub fn memory(&self) -> usize {
        // A leaf of a tree has room for eleven and is filled to about two thirds.
        const NAMED: usize = size_of::<(Box<[u8]>, ConsumerId)>() * 3 / 2;
        let names: usize = self.names.keys().map(|name| 2 * name.len() + NAMED).sum();
        let lists: usize = self.consumers.iter().flatten().map(|consumer| consumer.pending.memory()).sum();
        self.pending.memory() + lists + names + self.consumers.capacity() * size_of::<Option<Consumer>>()
    }

    /// About how many allocations it consists of.
    pub fn free_effort(&self) -> usize {
        2 * self.pending.allocations() + 4 * self.consumers.len() + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(consumer: &Consumer) -> Vec<u64> {
        consumer.pending().ids(..).map(|id| id.ms).collect()
    }

    #[test]
    fn an_entry_is_pending_with_one_consumer_at_a_time() {
        let mut group = Group::new(Id::MIN, None);
        let (a, b) = (group.add_consumer(b"a", 1), group.add_consumer(b"b", 1));
        group.assign(Id::new(1, 0), a, 10, 1);
        group.assign(Id::new(2, 0), a, 10, 1);
        group.assign(Id::new(1, 0), b, 20, 2);
        assert_eq!((ids(group.consumer(a)), ids(group.consumer(b))), (vec![2], vec![1]));
        assert_eq!(group.pending(Id::new(1, 0)), Some(&Pending { delivered_at: 20, deliveries: 2, consumer: b }));
        group.delivered_again(Id::new(1, 0), 30);
        assert_eq!(group.pending(Id::new(1, 0)).unwrap().deliveries, 3);
        assert!(group.acknowledge(Id::new(1, 0)) && !group.acknowledge(Id::new(1, 0)));
        assert!(ids(group.consumer(b)).is_empty());
    }

    #[test]
    fn a_consumer_takes_what_it_has_with_it_and_its_number_is_used_again() {
        let mut group = Group::new(Id::MIN, None);
        let (a, b) = (group.add_consumer(b"a", 1), group.add_consumer(b"b", 1));
        group.assign(Id::new(1, 0), a, 10, 1);
        group.assign(Id::new(2, 0), b, 10, 1);
        assert_eq!((group.remove_consumer(b"a"), group.remove_consumer(b"a")), (Some(1), None));
        assert_eq!(group.pending_len(), 1);
        let c = group.add_consumer(b"c", 2);
        assert_eq!(c, a);
        assert_eq!(group.consumers().map(|consumer| consumer.name().to_vec()).collect::<Vec<_>>(), [b"b", b"c"]);
        assert_eq!(group.find_consumer(b"b"), Some(b));
    }
}
