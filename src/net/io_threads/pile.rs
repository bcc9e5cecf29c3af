//! A pile of work that several threads take off together, while the one that put it there waits.
//!
//! ```text
//!  owner    round: puts loads ─▶ takes some itself ─▶ waits for those in others' hands ─▶ has them all back, in their places
//!  helper   help:  sleeps ─▶ takes loads until none is left ─▶ sleeps
//! ```
//!
//! A load moves: out of the pile into the hands of whoever works on it, and back. So nobody else can touch it meanwhile, and there
//! is nothing to lock but the pile itself, twice per load. The owner never waits for somebody to *begin*: what no helper has taken
//! it does itself. On a machine whose processors are busy it does everything, and has lost a few wake-ups.
//!
//! `stress/` runs this very file under a scheduler that tries the orders in which threads can meet.

use std::mem;

use super::primitives::{Condvar, Mutex, MutexGuard};

/// The pile.
#[derive(Debug)]
pub struct Pile<T> {
    state: Mutex<State<T>>,
    /// Loads were put there, or it is over.
    more: Condvar,
    /// Nothing is in anybody's hands, or somebody has failed.
    done: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// All loads of the round. Those in somebody's hands have left an empty place.
    loads: Vec<Vec<T>>,
    /// The first that nobody has taken.
    next: usize,
    /// How many are in somebody's hands.
    in_hand: usize,
    /// Helpers that sleep.
    asleep: usize,
    is_over: bool,
    /// A helper has panicked with a load in its hands.
    is_broken: bool,
}

impl<T> Pile<T> {
    /// Nothing to do.
    pub fn new() -> Pile<T> {
        let state = State { loads: Vec::new(), next: 0, in_hand: 0, asleep: 0, is_over: false, is_broken: false };
        Pile { state: Mutex::new(state), more: Condvar::new(), done: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nobody panics with the pile locked")
    }

    /// Has `work` done on every item of every load, and returns when that is so. For the owner only.
    pub fn round(&self, loads: &mut Vec<Vec<T>>, work: fn(&mut T)) {
        let mut state = self.lock();
        assert!(state.loads.is_empty() && state.in_hand == 0, "one round at a time");
        mem::swap(&mut state.loads, loads);
        state.next = 0;
        let wanted = state.asleep.min(state.loads.len().saturating_sub(1));
        // Who wakes finds the pile unlocked.
        drop(state);
        (0..wanted).for_each(|_| self.more.notify_one());
        let mut state = self.take_part(self.lock(), work);
        while state.in_hand > 0 {
            assert!(!state.is_broken, "a thread has failed with a connection in its hands");
            state = self.done.wait(state).expect("nobody panics with the pile locked");
        }
        mem::swap(&mut state.loads, loads);
    }

    /// Works until no load is left to take.
    fn take_part<'a>(&'a self, mut state: MutexGuard<'a, State<T>>, work: fn(&mut T)) -> MutexGuard<'a, State<T>> {
        while state.next < state.loads.len() {
            let place = state.next;
            state.next += 1;
            state.in_hand += 1;
            let mut load = mem::take(&mut state.loads[place]);
            drop(state);
            load.iter_mut().for_each(work);
            state = self.lock();
            state.loads[place] = load;
            state.in_hand -= 1;
        }
        state
    }

    /// The life of a helper: returns when it is over.
    pub fn help(&self, work: fn(&mut T)) {
        let _alarm = Alarm(self);
        let mut state = self.lock();
        loop {
            state = self.take_part(state, work);
            if state.in_hand == 0 {
                self.done.notify_one();
            }
            if state.is_over {
                return;
            }
            state.asleep += 1;
            state = self.more.wait(state).expect("nobody panics with the pile locked");
            state.asleep -= 1;
        }
    }

    /// Lets the helpers go.
    pub fn end(&self) {
        self.lock().is_over = true;
        self.more.notify_all();
    }
}

/// Tells the owner when a helper panics: it would wait for ever.
struct Alarm<'a, T>(&'a Pile<T>);

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().is_broken = true;
            self.0.done.notify_one();
        }
    }
}
