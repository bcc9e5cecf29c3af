//! Waking the loop from other threads, and handing it something.
//!
//! A [`Mailbox`] is a bounded queue into the loop. Its sender wakes the loop, but only when nobody did since the loop last
//! emptied the box: a thousand messages in one turn cost one system call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError};

/// Wakes the loop; may be used from any thread.
#[derive(Clone, Debug)]
pub struct WakeHandle {
    waker: Arc<mio::Waker>,
}

impl WakeHandle {
    pub(super) fn new(registry: &mio::Registry, token: mio::Token) -> io::Result<WakeHandle> {
        Ok(WakeHandle { waker: Arc::new(mio::Waker::new(registry, token)?) })
    }

    /// Ends the loop's sleep, or its next one. The application then sees `woken`.
    pub fn wake(&self) {
        // The only failure is that the loop is gone, and then nobody is left to be told.
        let _ = self.waker.wake();
    }
}

/// The end that other threads hold.
#[derive(Debug)]
pub struct MailSender<T> {
    queue: Sender<T>,
    announced: Arc<AtomicBool>,
    wake: WakeHandle,
}

/// The loop's end.
#[derive(Debug)]
pub struct Mailbox<T> {
    queue: Receiver<T>,
    announced: Arc<AtomicBool>,
}

/// A queue of at most `capacity` messages into the loop that `wake` wakes.
pub fn mailbox<T>(wake: WakeHandle, capacity: usize) -> (MailSender<T>, Mailbox<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    let announced = Arc::new(AtomicBool::new(false));
    let sender = MailSender { queue: sender, announced: Arc::clone(&announced), wake };
    (sender, Mailbox { queue: receiver, announced })
}

impl<T> MailSender<T> {
    /// Sends, waiting while the box is full. False when the loop is gone.
    pub fn send(&self, message: T) -> bool {
        self.announce(self.queue.send(message).is_ok())
    }

    /// Sends without waiting; gives the message back when the box is full or the loop is gone.
    pub fn try_send(&self, message: T) -> Result<(), T> {
        match self.queue.try_send(message) {
            Ok(()) => {
                self.announce(true);
                Ok(())
            }
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => Err(message),
        }
    }

    fn announce(&self, sent: bool) -> bool {
        if sent && !self.announced.swap(true, Ordering::AcqRel) {
            self.wake.wake();
        }
        sent
    }
}

impl<T> Clone for MailSender<T> {
    fn clone(&self) -> MailSender<T> {
        MailSender { queue: self.queue.clone(), announced: Arc::clone(&self.announced), wake: self.wake.clone() }
    }
}

impl<T> Mailbox<T> {
    /// Takes what is there now. Called in `woken`.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        // First the flag, then the queue: what is sent in between is announced again.
        self.announced.store(false, Ordering::Release);
        self.queue.try_iter()
    }
}
