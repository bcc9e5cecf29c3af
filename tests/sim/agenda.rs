//! What will happen, in order of time; what is due together happens in the order in which it was put in.
//!
//! Time is in milliseconds and nearly everything is due within seconds: the next milliseconds have a queue each, in a ring, and what is due
//! later waits in a map until its millisecond comes into sight.

use std::collections::{BTreeMap, VecDeque};

/// How many milliseconds are in sight; a power of two.
const SIGHT: u64 = 4096;

pub struct Agenda<T> {
    /// What is due in each of the milliseconds in sight, the place being the time modulo their number.
    near: Vec<VecDeque<T>>,
    /// No queue of an earlier time holds anything.
    now: u64,
    /// How many the queues hold.
    near_count: usize,
    far: BTreeMap<u64, VecDeque<T>>,
}

impl<T> Agenda<T> {
    pub fn new() -> Agenda<T> {
        let near = (0..SIGHT).map(|_| VecDeque::new()).collect();
        Agenda { near, now: 0, near_count: 0, far: BTreeMap::new() }
    }

    fn queue(&mut self, time: u64) -> &mut VecDeque<T> {
        &mut self.near[(time % SIGHT) as usize]
    }

    /// What was due in the past is due now.
    pub fn put(&mut self, time: u64, what: T) {
        let time = time.max(self.now);
        if time < self.now + SIGHT {
            self.near_count += 1;
            self.queue(time).push_back(what);
        } else {
            self.far.entry(time).or_default().push_back(what);
        }
    }

    /// The next that is due at `end` at the latest, and when.
    pub fn take(&mut self, end: u64) -> Option<(u64, T)> {
        loop {
            if self.near_count == 0 {
                // Nothing is in sight, so nothing is skipped.
                let (&first, _) = self.far.first_key_value()?;
                self.look_from(first.min(end.max(self.now)));
            }
            let now = self.now;
            if now > end {
                return None;
            }
            if let Some(what) = self.queue(now).pop_front() {
                self.near_count -= 1;
                return Some((now, what));
            }
            if now == end {
                return None;
            }
            self.look_from(now + 1);
        }
    }

    /// Time has come so far: what is in sight from there is queued, before anything else can be put there.
    fn look_from(&mut self, now: u64) {
        self.now = now;
        while let Some(entry) = self.far.first_entry()
            && *entry.key() < now + SIGHT
        {
            let (time, mut due) = entry.remove_entry();
            self.near_count += due.len();
            self.queue(time).append(&mut due);
        }
    }
}

#[cfg(test)]
mod tests {
    use rredis::base::rng::Rng;

    use super::*;

    #[test]
    fn what_is_due_together_happens_in_the_order_of_coming() {
        let mut agenda = Agenda::new();
        for (time, what) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b'), (9, 'e'), (90_000, 'f')] {
            agenda.put(time, what);
        }
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(8)).collect();
        assert_eq!(taken, [(3, 'a'), (3, 'b'), (5, 'c'), (5, 'd')]);
        assert_eq!(agenda.take(9), Some((9, 'e')));
        assert_eq!(agenda.take(89_999), None);
        agenda.put(90_000, 'g');
        assert_eq!([agenda.take(90_000), agenda.take(u64::MAX)], [Some((90_000, 'f')), Some((90_000, 'g'))]);
        assert_eq!(agenda.take(u64::MAX), None);
    }

    #[test]
    fn it_agrees_with_a_sorted_list() {
        let mut rng = Rng::seeded(1);
        let (mut agenda, mut model, mut now) = (Agenda::new(), Vec::new(), 0);
        for number in 0..20_000 {
            if rng.percent(55) {
                let within = if rng.percent(20) { 20_000 } else { 300 };
                let time = now + rng.below(within);
                agenda.put(time, number);
                model.push((time, number));
            } else {
                let end = now + rng.below(400);
                let first = model.iter().copied().min().filter(|(time, _)| *time <= end);
                assert_eq!(agenda.take(end), first);
                model.retain(|entry| Some(*entry) != first);
                now = first.map_or(end, |(time, _)| time);
            }
        }
    }
}
