//! A map from ids to something small, in the order of the ids: what is pending in a group.
//!
//! A queue of short sorted lists, as the stream's own nodes are ([`super::nodes`]): ids mostly come in at the end and go at the
//! front, which touches one list; anywhere else at most one list moves. A copy of a map shares the lists until either is
//! altered there, so a snapshot of a million pending entries costs some thousand counters.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

use triomphe::Arc;

use super::id::Id;
use crate::data::rows::note_copy;

/// Most entries of a list.
const LIST_MAX: usize = 128;

/// The map.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    /// None of them is empty.
    lists: VecDeque<Arc<Vec<(Id, V)>>>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> IdMap<V> {
        IdMap { lists: VecDeque::new(), len: 0 }
    }
}

/// A place: an entry's, or behind the last one of a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    list: usize,
    index: usize,
}

impl<V: Clone> IdMap<V> {
    /// How many ids.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What belongs to an id.
    pub fn get(&self, id: Id) -> Option<&V> {
        let at = self.find(id).ok()?;
        Some(&self.lists[at.list][at.index].1)
    }

    /// The same, to be altered.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut V> {
        let at = self.find(id).ok()?;
        Some(&mut own(&mut self.lists[at.list])[at.index].1)
    }

    /// Puts an id in; gives what it had.
    pub fn insert(&mut self, id: Id, value: V) -> Option<V> {
        let at = match self.find(id) {
            Ok(at) => return Some(std::mem::replace(&mut own(&mut self.lists[at.list])[at.index].1, value)),
            Err(at) => at,
        };
        self.len += 1;
        let is_last = at.list + 1 == self.lists.len();
        let Some(list) = self.lists.get_mut(at.list) else {
            self.lists.push_back(Arc::new(vec![(id, value)]));
            return None;
        };
        if list.len() < LIST_MAX {
            own(list).insert(at.index, (id, value));
        } else if at.index == LIST_MAX && is_last {
            // Filled in order, lists stay full.
            self.lists.push_back(Arc::new(vec![(id, value)]));
        } else {
            let list = own(list);
            let mut tail = list.split_off(LIST_MAX / 2);
            match at.index.checked_sub(LIST_MAX / 2) {
                Some(index) => tail.insert(index, (id, value)),
                None => list.insert(at.index, (id, value)),
            }
            self.lists.insert(at.list + 1, Arc::new(tail));
        }
        None
    }

    /// Takes an id out; gives what it had.
    pub fn remove(&mut self, id: Id) -> Option<V> {
        let at = self.find(id).ok()?;
        self.len -= 1;
        let list = own(&mut self.lists[at.list]);
        let (_, value) = list.remove(at.index);
        let left = list.len();
        if left == 0 {
            self.lists.remove(at.list);
        } else if let Some(next) = self.lists.get(at.list + 1)
            && left + next.len() <= LIST_MAX / 2
        {
            let next = self.lists.remove(at.list + 1).expect("just seen");
            own(&mut self.lists[at.list]).extend(next.iter().cloned());
        }
        Some(value)
    }

    /// Ids of a range in order, with what belongs to them.
    pub fn range(&self, range: impl RangeBounds<Id>) -> impl DoubleEndedIterator<Item = (Id, &V)> {
        let start = match range.start_bound() {
            Bound::Unbounded => At { list: 0, index: 0 },
            Bound::Included(id) => self.find(*id).unwrap_or_else(|at| at),
            Bound::Excluded(id) => self.behind(*id),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => At { list: self.lists.len(), index: 0 },
            Bound::Included(id) => self.behind(*id),
            Bound::Excluded(id) => self.find(*id).unwrap_or_else(|at| at),
        };
        let end = end.max(start);
        (start.list..=end.list).flat_map(move |number| {
            let list = self.lists.get(number).map_or(&[][..], |list| &list[..]);
            let from = if number == start.list { start.index } else { 0 };
            let to = if number == end.list { end.index } else { list.len() };
            list[from..to].iter().map(|(id, value)| (*id, value))
        })
    }

    /// Ids of a range in order.
    pub fn ids(&self, range: impl RangeBounds<Id>) -> impl DoubleEndedIterator<Item = Id> {
        self.range(range).map(|(id, _)| id)
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        let list = size_of::<usize>() + size_of::<Vec<(Id, V)>>();
        let ends = [self.lists.front(), self.lists.back()];
        let slack: usize = ends.iter().flatten().map(|list| list.capacity() - list.len()).sum();
        self.lists.capacity() * size_of::<usize>() + self.lists.len() * list + (self.len + slack) * size_of::<(Id, V)>()
    }

    /// How many allocations it consists of.
    pub fn allocations(&self) -> usize {
        2 * self.lists.len()
    }

    /// Where an id is, or where it belongs: behind a list's last entry rather than before the next one's first.
    fn find(&self, id: Id) -> Result<At, At> {
        let list = self.lists.partition_point(|list| list[0].0 <= id).saturating_sub(1);
        let Some(entries) = self.lists.get(list) else { return Err(At { list, index: 0 }) };
        match entries.binary_search_by(|entry| entry.0.cmp(&id)) {
            Ok(index) => Ok(At { list, index }),
            Err(index) => Err(At { list, index }),
        }
    }

    /// The place behind an id.
    fn behind(&self, id: Id) -> At {
        match self.find(id) {
            Ok(at) => At { index: at.index + 1, ..at },
            Err(at) => at,
        }
    }
}

/// A list to be altered: itself, or a copy in its place when somebody else holds it.
fn own<V: Clone>(list: &mut Arc<Vec<(Id, V)>>) -> &mut Vec<(Id, V)> {
    if !list.is_unique() {
        note_copy(list.len() * size_of::<(Id, V)>());
    }
    Arc::make_mut(list)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;
    use crate::data::rows::copied_bytes;

    fn content(map: &IdMap<u64>) -> Vec<(Id, u64)> {
        map.range(..).map(|(id, value)| (id, *value)).collect()
    }

    fn expected(model: &BTreeMap<Id, u64>) -> Vec<(Id, u64)> {
        model.iter().map(|(id, value)| (*id, *value)).collect()
    }

    #[test]
    fn it_behaves_like_a_plain_map_and_copies_stay_as_they_were() {
        for seed in 0..20 {
            let mut rng = Rng::seeded(seed);
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut copies = Vec::new();
            let range = [50, 3000][rng.below(2) as usize];
            for step in 0..6000u64 {
                let id = Id::new(rng.below(range), rng.below(2));
                match rng.below(if step < 3000 { 12 } else { 20 }) {
                    0..6 => assert_eq!(map.insert(id, step), model.insert(id, step)),
                    6 => {
                        let id = Id::new(range + step, 0);
                        assert_eq!(map.insert(id, step), model.insert(id, step));
                    }
                    7 => {
                        let value = map.get_mut(id).map(|value| (*value = step, ()).1);
                        assert_eq!(value, model.get_mut(&id).map(|value| (*value = step, ()).1));
                    }
                    8 => {
                        let to = Id::new(id.ms + rng.below(100), rng.below(2));
                        let some: Vec<Id> = model.range(id.min(to)..=to.max(id)).map(|(id, _)| *id).collect();
                        assert_eq!(map.ids(id.min(to)..=to.max(id)).collect::<Vec<_>>(), some);
                        let back: Vec<Id> = model.range(..to).rev().map(|(id, _)| *id).collect();
                        assert_eq!(map.ids(..to).rev().collect::<Vec<_>>(), back);
                        let behind = (Bound::Excluded(id), Bound::Unbounded);
                        assert_eq!(map.ids(behind).next(), model.range(behind).next().map(|(id, _)| *id));
                        assert_eq!(map.ids(to..id.min(to)).count(), 0, "a range that ends before it begins");
                    }
                    9 if copies.len() < 4 => copies.push((map.clone(), model.clone())),
                    10 if rng.percent(5) => drop(copies.pop()),
                    _ => assert_eq!(map.remove(id), model.remove(&id)),
                }
                assert_eq!((map.len(), map.get(id)), (model.len(), model.get(&id)), "seed {seed}");
            }
            copies.push((map, model));
            for (map, model) in copies {
                assert_eq!(content(&map), expected(&model), "seed {seed}");
                assert!(map.lists.iter().all(|list| !list.is_empty() && list.len() <= LIST_MAX));
            }
        }
    }

    #[test]
    fn altering_a_shared_map_copies_one_list() {
        let mut map = IdMap::default();
        (0..10_000).for_each(|ms| assert!(map.insert(Id::new(ms, 0), ms).is_none()));
        assert!(map.memory() < 10_000 * 26, "{}", map.memory());
        let before = copied_bytes();
        let copy = map.clone();
        assert_eq!(map.remove(Id::new(5000, 0)), Some(5000));
        assert_eq!(map.remove(Id::new(5001, 0)), Some(5001));
        assert_eq!(copied_bytes() - before, (LIST_MAX * size_of::<(Id, u64)>()) as u64);
        assert_eq!((map.len(), copy.len(), copy.get(Id::new(5000, 0))), (9998, 10_000, Some(&5000)));
    }
}
