//! Deadlines by key: set, moved, cancelled, and handed out when they are due.
//!
//! A heap orders the deadlines; a map knows which entry of a key is the valid one. Moving a timer pushes a new entry and
//! leaves the old one to be skipped when it surfaces. When skipped entries outnumber valid ones the heap is rebuilt, so a
//! timer that is moved at each turn costs no memory. No system call is made: the loop sleeps until the next deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use crate::base::time::Instant;

/// The name of a timer, chosen by the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey(pub u64);

/// Pending timers.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, TimerKey)>>,
    valid: HashMap<TimerKey, u64>,
    serial: u64,
}

impl Timers {
    /// None pending.
    pub fn new() -> Timers {
        Timers::default()
    }

    /// Sets the timer `key`, or moves it.
    pub fn set(&mut self, key: TimerKey, at: Instant) {
        self.serial += 1;
        self.valid.insert(key, self.serial);
        self.heap.push(Reverse((at, self.serial, key)));
        if self.heap.len() > 2 * self.valid.len() + 64 {
            let valid = &self.valid;
            self.heap.retain(|Reverse((_, serial, key))| valid.get(key) == Some(serial));
        }
    }

    /// Forgets the timer `key`; nothing happens when there is none.
    pub fn cancel(&mut self, key: TimerKey) {
        self.valid.remove(&key);
    }

    /// The next deadline.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.skip_invalid();
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out a timer that is due. Timers come in the order of their deadlines, equal ones as they were set.
    pub fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        if self.next_deadline()? > now {
            return None;
        }
        let Reverse((.., key)) = self.heap.pop()?;
        self.valid.remove(&key);
        Some(key)
    }

    fn skip_invalid(&mut self) {
        while let Some(Reverse((_, serial, key))) = self.heap.peek() {
            if self.valid.get(key) == Some(serial) {
                return;
            }
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn due(timers: &mut Timers, ms: u64) -> Vec<u64> {
        std::iter::from_fn(|| timers.pop_due(at(ms))).map(|key| key.0).collect()
    }

    #[test]
    fn due_timers_come_in_order_and_once() {
        let mut timers = Timers::new();
        for (key, ms) in [(1, 30), (2, 10), (3, 20), (4, 20)] {
            timers.set(TimerKey(key), at(ms));
        }
        assert_eq!(timers.next_deadline(), Some(at(10)));
        assert_eq!(due(&mut timers, 9), []);
        assert_eq!(due(&mut timers, 20), [2, 3, 4]);
        assert_eq!(due(&mut timers, 99), [1]);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn a_timer_is_moved_and_cancelled() {
        let mut timers = Timers::new();
        timers.set(TimerKey(1), at(10));
        timers.set(TimerKey(1), at(50));
        timers.set(TimerKey(2), at(20));
        timers.cancel(TimerKey(2));
        timers.cancel(TimerKey(3));
        assert_eq!((due(&mut timers, 49), timers.next_deadline()), (vec![], Some(at(50))));
        assert_eq!(due(&mut timers, 50), [1]);
    }

    #[test]
    fn moving_a_timer_for_ever_takes_no_memory() {
        let mut timers = Timers::new();
        (0..10_000).for_each(|ms| timers.set(TimerKey(1), at(ms)));
        assert!(timers.heap.len() < 100);
    }
}
