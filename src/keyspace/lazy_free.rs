//! Freeing what takes long to free, elsewhere.
//!
//! A flushed table or a value of many megabytes can take milliseconds to give back. It is sent to one background thread
//! that does nothing but drop things. The thread starts with the first such thing and ends with the keyspace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::base::cpus::{self, Work};
use crossbeam_channel::{Sender, unbounded};

use super::entry::Outside;
use super::table::Table;

/// Values of at least this size are freed in the background: unmapping a megabyte takes about as long as a command.
const LARGE_VALUE: usize = 1024 * 1024;

/// Collections of more allocations than this are freed in the background: giving back some tens takes as long as a command.
const LARGE_EFFORT: usize = 64;

enum Garbage {
    Table(Box<Table>),
    Value(Outside),
    Other(Box<dyn Send>),
}

/// Garbage, with the number of objects and bytes that it is.
type Parcel = (u64, u64, Garbage);

/// The way to the background thread.
#[derive(Default)]
pub(super) struct LazyFree {
    thread: Option<Sender<Parcel>>,
    pending: Arc<AtomicU64>,
    pending_bytes: Arc<AtomicU64>,
    sent: u64,
    /// How many were freed when the figure was last reset.
    forgotten: u64,
}

impl LazyFree {
    /// Drops `table` in the background.
    pub fn table(&mut self, table: Table) {
        if table.len() == 0 {
            return;
        }
        self.send(table.len() as u64, table.arena_bytes() as u64, Garbage::Table(Box::new(table)));
    }

    /// Drops a value, in the background if that takes long and nobody else holds it.
    pub fn value(&mut self, value: Option<Outside>) {
        self.sized_value(value, 0);
    }

    /// The same for a value of about this size, which counts as free from now on.
    pub fn sized_value(&mut self, value: Option<Outside>, bytes: usize) {
        let Some(value) = value else { return };
        let is_large = match &value {
            Outside::Bytes(bytes) => bytes.len() >= LARGE_VALUE && bytes.is_unique(),
            Outside::Value(value) => value.free_effort() > LARGE_EFFORT,
        };
        if is_large {
            self.send(1, bytes as u64, Garbage::Value(value));
        }
    }

    /// Drops what is none of the keyspace's own and takes long to drop, in the background.
    pub fn other(&mut self, objects: u64, garbage: Box<dyn Send>) {
        self.send(objects, 0, Garbage::Other(garbage));
    }

    /// Objects not yet freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Their bytes, as far as known.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    /// Objects freed since the start or the last reset.
    pub fn freed(&self) -> u64 {
        self.sent - self.pending() - self.forgotten
    }

    /// Counts what is freed from zero again.
    pub fn reset(&mut self) {
        self.forgotten = self.sent - self.pending();
    }

    fn send(&mut self, objects: u64, bytes: u64, garbage: Garbage) {
        if self.thread.is_none() {
            self.thread = start(self.pending.clone(), self.pending_bytes.clone());
        }
        self.pending.fetch_add(objects, Ordering::Relaxed);
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.sent += objects;
        // Without a thread (none could be started) the garbage is dropped here, with what the failed send returns.
        let refused = match &self.thread {
            Some(thread) => thread.send((objects, bytes, garbage)).is_err(),
            None => true,
        };
        if refused {
            self.pending.fetch_sub(objects, Ordering::Relaxed);
            self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

fn start(pending: Arc<AtomicU64>, pending_bytes: Arc<AtomicU64>) -> Option<Sender<Parcel>> {
    let (sender, receiver) = unbounded::<Parcel>();
    let run = move || {
        cpus::enter(Work::Background);
        for (objects, bytes, garbage) in receiver {
            match garbage {
                Garbage::Table(table) => drop(table),
                Garbage::Value(value) => drop(value),
                Garbage::Other(other) => drop(other),
            }
            pending.fetch_sub(objects, Ordering::Relaxed);
            pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    };
    thread::Builder::new().name("lazy_free".into()).spawn(run).ok()?;
    Some(sender)
}
