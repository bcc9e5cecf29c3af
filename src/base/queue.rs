//! A queue from one thread to another that runs at a lower priority, or the other way round.
//!
//! The usual channels have no lock. Who finds that the other end is in the middle of taking or putting something turns in circles until
//! it is done; and on a processor that both share, the other one, with its lower priority, does not get on meanwhile: the event loop
//! has been seen to turn for 100 ms. Here who comes second sleeps until the lock is free, and so lends its processor to who has it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

struct State<T> {
    items: VecDeque<T>,
    is_sender_gone: bool,
    is_receiver_gone: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Something has come, or nothing will come any more.
    changed: Condvar,
}

/// The end where things are put in.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end where they are taken out, in the same order.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A queue without bound.
pub fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), is_sender_gone: false, is_receiver_gone: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Puts something in. False when nobody is there to take it out; it is dropped then.
    pub fn send(&self, item: T) -> bool {
        let mut state = self.0.state.lock();
        if state.is_receiver_gone {
            return false;
        }
        state.items.push_back(item);
        drop(state);
        self.0.changed.notify_one();
        true
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.state.lock().items.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receiver<T> {
    /// Takes something out, if it is there.
    pub fn try_recv(&self) -> Option<T> {
        self.0.state.lock().items.pop_front()
    }

    /// Waits for something; `None` when nothing will come any more.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state.lock();
        loop {
            match state.items.pop_front() {
                Some(item) => return Some(item),
                None if state.is_sender_gone => return None,
                None => self.0.changed.wait(&mut state),
            }
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.state.lock().items.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender of {}", self.len())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver of {}", self.len())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().is_sender_gone = true;
        self.0.changed.notify_one();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.is_receiver_gone = true;
        // Outside of the lock: they may be large.
        let items = std::mem::take(&mut state.items);
        drop(state);
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn things_come_out_as_they_went_in_and_then_the_end() {
        let (sender, receiver) = queue();
        assert_eq!(receiver.try_recv(), None);
        let other = thread::spawn(move || (0..1000).for_each(|item| assert!(sender.send(item))));
        assert!((0..1000).all(|item| receiver.recv() == Some(item)));
        assert_eq!(receiver.recv(), None);
        other.join().unwrap();
    }

    #[test]
    fn what_nobody_will_take_is_dropped() {
        let (sender, receiver) = queue();
        let item = Arc::new(());
        sender.send(Arc::clone(&item));
        assert_eq!((sender.len(), receiver.len(), receiver.is_empty()), (1, 1, false));
        drop(receiver);
        assert_eq!(Arc::strong_count(&item), 1);
        sender.send(Arc::clone(&item));
        assert_eq!((Arc::strong_count(&item), sender.is_empty()), (1, true));
        assert!(!sender.send(item));
    }
}
