//! One image of all databases, taken a slice at a time while writing goes on.
//!
//! ```text
//! begin ── header and database sizes laid out, the keyspace starts a cut
//!   │
//!   ├── step, again and again ── walk old segments until the slice is over or the consumer is full
//!   │        ▲                   meanwhile every write hands its segment over first (keyspace/cut.rs)
//!   │        └── take: filled chunks go to the writer thread
//!   ▼
//! done ── every segment was handed over; the end mark is laid out
//! ```
//!
//! The machine reads no clock and writes nowhere. [`Snapshot`] is what its owner holds; the [`sink::Recorder`] that takes
//! the segments lives inside the keyspace while the cut lasts, because writes reach it there. One snapshot at a time.
//!
//! *Large values.* A collection of many elements is not laid out here. The keyspace gives a copy of it that stays as it is and
//! costs next to nothing ([`Collection::freeze`](crate::data::Collection::freeze)), and who packs the chunk lays it out, slice by
//! slice. So no slice here is longer for a set of five million members, and a write to it copies the few parts that it alters.
//!
//! *Pressure.* A slow consumer stops the walk (`is_full` of [`Snapshot::step`]), never a write: what writes add is bounded
//! by the rate of writing and by the size of the data, and shown as [`Figures::waiting_bytes`].
//!
//! *`rdb-key-save-delay`* makes a snapshot slow on purpose, for tests. Redis's child sleeps after each key; here the walk
//! only goes on, and the end is only reached, once as much time has passed as those pauses would have taken. A delay that is
//! changed on the way holds for the keys from there on.

pub mod commands;
mod sink;

use std::any::Any;

use super::pace;
use crate::base::limits::SLICE_MAX_US;
use crate::keyspace::{CutDb, Keyspace, Walk};
use crate::rdb::encode::Chunk;
use crate::rdb::header::Header;
use sink::{KEYS_PER_BUFFER, Recorder};

pub use sink::{BUFFER, BUFFERS, WriteRecency};

/// How a snapshot is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `rdbcompression`.
    pub compress: bool,
    /// `rdb-key-save-delay`: microseconds per key; -n means one microsecond per n keys.
    pub key_delay: i32,
    /// What is written of each key's recency.
    pub write_recency: WriteRecency,
    /// Leave the keys out: a replica asked for the rest only.
    pub skip_keys: bool,
    /// What the image looks like.
    pub form: Form,
}

/// What an image looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// RDB.
    #[default]
    Rdb,
    /// Commands that make the data, for an AOF without RDB (`aof-use-rdb-preamble no`).
    Commands {
        /// Begin with a time stamp.
        stamp: bool,
    },
}

/// Where a snapshot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do at once.
    More,
    /// The consumer is full: go on when it has room.
    Waiting,
    /// Nothing to do before this moment, in microseconds of the caller's clock.
    Until(u64),
    /// Everything is laid out. Take the last chunks.
    Done,
}

/// Figures of a running snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Keys handed over so far.
    pub keys_done: u64,
    /// Keys there were at the beginning.
    pub keys_total: u64,
    /// Keys that writes handed over ahead of the walk.
    pub keys_by_writes: u64,
    /// Longest slice of the walk in microseconds.
    pub slice_max_us: u64,
    /// Memory of the records that wait to be taken.
    pub waiting_bytes: u64,
}

/// A snapshot being taken.
#[derive(Debug)]
pub struct Snapshot {
    settings: Settings,
    /// The moment, and the keys then done, from which the delay per key counts.
    paced_from: (u64, u64),
    keys_total: u64,
    /// How many buffers the walk has use for at a time.
    buffers: usize,
    slice_max_us: u64,
    is_done: bool,
}

impl Snapshot {
    /// Begins: the image is the data as they are now. Panics when a cut is running already.
    pub fn begin(keyspace: &mut Keyspace, header: &Header, settings: Settings, now_us: u64) -> Snapshot {
        let recency = keyspace.recency();
        let recorder = Recorder::new(&settings, recency, header.created);
        let dbs = keyspace.begin_cut(Box::new(recorder));
        let recorder = keyspace.cut_sink::<Recorder>().expect("just given");
        recorder.open(header);
        let mut snapshot =
            Snapshot { settings, paced_from: (now_us, 0), keys_total: 0, buffers: 0, slice_max_us: 0, is_done: false };
        if settings.skip_keys {
            recorder.close();
            snapshot.is_done = true;
            return snapshot;
        }
        for CutDb { db, keys, expires } in dbs {
            recorder.announce(db, keys as u64, expires as u64);
            snapshot.keys_total += keys as u64;
        }
        snapshot.buffers = BUFFERS.min((snapshot.keys_total / KEYS_PER_BUFFER) as usize);
        recorder.keep_for_writes(snapshot.buffers / 2);
        snapshot
    }

    /// Does one slice of the walk: at most [`SLICE_MAX_US`] by `clock`, which gives microseconds. With `is_full` nothing
    /// is added.
    pub fn step(&mut self, keyspace: &mut Keyspace, is_full: bool, clock: &mut dyn FnMut() -> u64) -> Progress {
        if self.is_done {
            return Progress::Done;
        }
        if is_full {
            return Progress::Waiting;
        }
        let start = clock();
        let keys_done = recorder(keyspace).keys_done;
        if let Some(due) = self.due_us(keys_done).filter(|&due| due > start) {
            return Progress::Until(due);
        }
        let delay = self.settings.key_delay;
        // With a delay one segment at a time, or the walk would run ahead of it; without, until the slice is over.
        recorder(keyspace).begin_walk();
        let walk = keyspace.walk(&mut || delay == 0 && clock() - start < SLICE_MAX_US / 4);
        recorder(keyspace).end_walk();
        self.slice_max_us = self.slice_max_us.max(clock() - start);
        if walk == Walk::More {
            return Progress::More;
        }
        let keys_done = recorder(keyspace).keys_done;
        if let Some(due) = self.due_us(keys_done).filter(|&due| due > start) {
            return Progress::Until(due);
        }
        assert_eq!(keys_done, self.keys_total, "a snapshot holds each key of its moment once");
        recorder(keyspace).close();
        self.is_done = true;
        Progress::Done
    }

    /// Changes `rdb-key-save-delay` on the way; `now_us` is the caller's clock.
    pub fn set_key_delay(&mut self, keyspace: &mut Keyspace, delay: i32, now_us: u64) {
        if delay != self.settings.key_delay {
            self.settings.key_delay = delay;
            self.paced_from = (now_us, recorder(keyspace).keys_done);
        }
    }

    /// The next filled chunk, or any chunk when the snapshot is done.
    pub fn take(&mut self, keyspace: &mut Keyspace) -> Option<Chunk> {
        recorder(keyspace).take()
    }

    /// Takes buffers of [`BUFFER`] bytes from `next` for chunks to come, as many as it has use for: none for a few keys. Says whether
    /// it has what the walk needs: from the first one on, a slice ends when they do.
    pub fn give_buffers(&mut self, keyspace: &mut Keyspace, mut next: impl FnMut() -> Option<Chunk>) -> bool {
        let recorder = recorder(keyspace);
        while recorder.buffers() < self.buffers
            && let Some(buffer) = next()
        {
            recorder.give_buffer(buffer);
        }
        self.buffers == 0 || recorder.has_buffer()
    }

    /// Figures as of now.
    pub fn figures(&self, keyspace: &mut Keyspace) -> Figures {
        let recorder = recorder(keyspace);
        Figures {
            keys_done: recorder.keys_done,
            keys_total: self.keys_total,
            keys_by_writes: recorder.keys_by_writes,
            slice_max_us: self.slice_max_us,
            waiting_bytes: recorder.memory(),
        }
    }

    /// Ends the cut, after the last chunk was taken or to give up.
    pub fn end(self, keyspace: &mut Keyspace) {
        let sink: Option<Box<dyn Any>> = keyspace.end_cut().map(|sink| sink as Box<dyn Any>);
        debug_assert!(sink.is_some_and(|sink| sink.is::<Recorder>()));
    }

    fn due_us(&self, keys_done: u64) -> Option<u64> {
        let (since, keys_before) = self.paced_from;
        pace::due_us(since, keys_done - keys_before, self.settings.key_delay)
    }
}

fn recorder(keyspace: &mut Keyspace) -> &mut Recorder {
    keyspace.cut_sink::<Recorder>().expect("the cut belongs to this snapshot until it is ended")
}

#[cfg(test)]
mod tests;
