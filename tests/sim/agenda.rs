//! What will happen, in order of time; what is due together happens in the order in which it was put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

struct Entry<T> {
    key: (u64, u64),
    what: T,
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

pub struct Agenda<T> {
    entries: BinaryHeap<Entry<T>>,
    sequence: u64,
}

impl<T> Agenda<T> {
    pub fn new() -> Agenda<T> {
        Agenda { entries: BinaryHeap::new(), sequence: 0 }
    }

    pub fn put(&mut self, time: u64, what: T) {
        self.sequence += 1;
        self.entries.push(Entry { key: (time, self.sequence), what });
    }

    /// The next that is due at `end` at the latest, and when.
    pub fn take(&mut self, end: u64) -> Option<(u64, T)> {
        if self.entries.peek()?.key.0 > end {
            return None;
        }
        self.entries.pop().map(|entry| (entry.key.0, entry.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_happens_in_the_order_of_coming() {
        let mut agenda = Agenda::new();
        for (time, what) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b'), (9, 'e')] {
            agenda.put(time, what);
        }
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(8)).collect();
        assert_eq!(taken, [(3, 'a'), (3, 'b'), (5, 'c'), (5, 'd')]);
        assert_eq!(agenda.take(9), Some((9, 'e')));
    }
}
