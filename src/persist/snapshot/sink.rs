//! The end of a snapshot that lives inside the keyspace: lays out segments as RDB records, whoever hands them over.

use std::collections::VecDeque;

use crate::base::time::UnixMillis;
use crate::data::Value;
use crate::keyspace::{CutSink, EntryRef, Recency, Sealed};
use crate::rdb::encode::{Chunk, KeyFacts};
use crate::rdb::header::Header;

use super::commands::Writer;
use super::{Form, Settings};

/// A chunk is passed on when it holds this much: large enough that handing it over costs nothing per key, small enough
/// that the writer always has something to do.
const CHUNK: usize = 128 * 1024;

/// Size of the buffers that chunks are laid out in.
pub const BUFFER: usize = CHUNK + CHUNK / 4;

/// More buffers than a slice fills, with room for what writes add in between.
pub const BUFFERS: usize = 8;

/// So many keys are worth a buffer; fewer fit the chunk that there is from the beginning, or a few small ones.
pub(super) const KEYS_PER_BUFFER: u64 = 1024;

/// A chunk without a buffer is passed on when it holds this much. Fresh memory is cleared when it is first touched, in a virtual machine
/// by the host as well: that can take longer than a slice. So whoever takes the chunks gives buffers that have been
/// touched, and the walk goes no further than they last, leaving some for what writes add. That cannot wait, and makes small chunks
/// when there is no buffer.
const SMALL: usize = 16 * 1024;

/// What of a key's recency is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteRecency {
    /// Nothing: no eviction policy looks at it.
    #[default]
    No,
    /// Seconds without use, under an LRU policy.
    Idle,
    /// The counter of uses, under an LFU policy.
    Frequency,
}

/// Takes segments, gives chunks.
pub(super) struct Recorder {
    compress: bool,
    form: Form,
    write_recency: WriteRecency,
    recency: Recency,
    now: UnixMillis,
    current: Chunk,
    /// The current chunk is passed on when it holds this much.
    room: usize,
    /// Empty, with memory.
    spare: Vec<Chunk>,
    /// Whether whoever takes the chunks gives buffers for them.
    is_given_buffers: bool,
    /// So many of them are for writes.
    for_writes: usize,
    filled: VecDeque<Chunk>,
    memory: u64,
    db: Option<u32>,
    is_closed: bool,
    /// While the snapshot walks; whatever comes otherwise comes from writes.
    is_walking: bool,
    pub keys_done: u64,
    pub keys_by_writes: u64,
}

impl Recorder {
    /// A recorder that has seen nothing. `now` is the moment of the image, from which idle times are counted.
    pub fn new(settings: &Settings, recency: Recency, now: UnixMillis) -> Recorder {
        Recorder {
            compress: settings.compress,
            form: settings.form,
            write_recency: settings.write_recency,
            recency,
            now,
            current: Chunk::new(2 * SMALL, settings.compress),
            room: SMALL,
            spare: Vec::new(),
            is_given_buffers: false,
            for_writes: 0,
            filled: VecDeque::new(),
            memory: 0,
            db: None,
            is_closed: false,
            is_walking: false,
            keys_done: 0,
            keys_by_writes: 0,
        }
    }

    /// Lays out the beginning of the file.
    pub fn open(&mut self, header: &Header) {
        match self.form {
            Form::Rdb => header.write(&mut self.current),
            Form::Commands { stamp } => {
                let mut writer = Writer(&mut self.current);
                if stamp {
                    writer.stamp(header.created);
                }
                header.libraries.iter().for_each(|text| writer.library(text));
            }
        }
    }

    /// Says how many keys will come for a database. Segments of databases come in any order, so all of this is said at
    /// the beginning.
    pub fn announce(&mut self, db: u32, keys: u64, expires: u64) {
        if self.form != Form::Rdb {
            return;
        }
        self.current.select_db(u64::from(db));
        self.current.resize_db(keys, expires);
        self.db = Some(db);
    }

    /// Lays out the end. Nothing may follow.
    pub fn close(&mut self) {
        assert!(!self.is_closed, "a snapshot has one end");
        if self.form == Form::Rdb {
            self.current.eof();
        }
        self.is_closed = true;
        self.pass_on();
    }

    /// The next chunk to be written.
    pub fn take(&mut self) -> Option<Chunk> {
        let chunk = self.filled.pop_front()?;
        self.memory -= chunk.memory() as u64;
        Some(chunk)
    }

    /// Takes a buffer for a chunk to come.
    pub fn give_buffer(&mut self, mut buffer: Chunk) {
        self.is_given_buffers = true;
        buffer.reset(self.compress);
        self.spare.push(buffer);
    }

    /// How many buffers wait for chunks.
    pub fn buffers(&self) -> usize {
        self.spare.len()
    }

    /// Keeps so many buffers for what writes add.
    pub fn keep_for_writes(&mut self, buffers: usize) {
        self.for_writes = buffers;
    }

    /// Whether there is a buffer that is not kept for writes.
    pub fn has_buffer(&self) -> bool {
        self.spare.len() > self.for_writes
    }

    /// What comes from here on comes from the walk. It does not go on in a chunk that a write began without a buffer.
    pub fn begin_walk(&mut self) {
        self.is_walking = true;
        if self.room == SMALL && self.has_buffer() {
            self.pass_on();
        }
    }

    /// What comes from here on comes from writes.
    pub fn end_walk(&mut self) {
        self.is_walking = false;
    }

    /// Memory of what is laid out and not taken, and of buffers.
    pub fn memory(&self) -> u64 {
        self.memory + self.current.memory() as u64 + self.spare.iter().map(|buffer| buffer.memory() as u64).sum::<u64>()
    }

    /// Lays out a key, but of a large value only that it belongs here.
    fn entry(&mut self, entry: EntryRef<'_>, frozen: Option<Value>) {
        if self.form != Form::Rdb {
            let mut writer = Writer(&mut self.current);
            match frozen {
                Some(value) => writer.key_with_frozen(entry.key(), value, entry.expiry()),
                None => writer.key(entry.key(), entry.value(), entry.expiry()),
            }
            return;
        }
        let mut facts = KeyFacts { expiry: entry.expiry(), ..KeyFacts::default() };
        match self.write_recency {
            WriteRecency::No => {}
            WriteRecency::Idle => facts.idle = Some(self.recency.idle_secs(entry.recency(), self.now)),
            WriteRecency::Frequency => {
                facts.freq = Some(self.recency.frequency(entry.recency(), self.now).min(255) as u8);
            }
        }
        match frozen {
            Some(value) => self.current.key_with_frozen(entry.key(), value, facts),
            None => self.current.key(entry.key(), entry.value(), facts),
        }
    }

    fn pass_on(&mut self) {
        let next = match self.spare.pop() {
            _ if self.is_closed => Chunk::new(0, self.compress),
            Some(buffer) => {
                self.room = CHUNK;
                buffer
            }
            None => {
                self.room = SMALL;
                Chunk::new(2 * SMALL, self.compress)
            }
        };
        let chunk = std::mem::replace(&mut self.current, next);
        self.memory += chunk.memory() as u64;
        self.filled.push_back(chunk);
    }
}

impl CutSink for Recorder {
    fn segment(&mut self, db: u32, entries: Sealed<'_>) {
        if entries.is_empty() {
            return;
        }
        assert!(!self.is_closed, "the cut is over when the end is laid out");
        if self.db != Some(db) {
            match self.form {
                Form::Rdb => self.current.select_db(u64::from(db)),
                Form::Commands { .. } => Writer(&mut self.current).select(db),
            }
            self.db = Some(db);
        }
        let keys = entries.len() as u64;
        entries.each(|entry, frozen| self.entry(entry, frozen));
        self.keys_done += keys;
        if !self.is_walking {
            self.keys_by_writes += keys;
        }
        if self.current.len() >= self.room {
            self.pass_on();
        }
    }

    fn has_room(&self) -> bool {
        !self.is_given_buffers || self.has_buffer()
    }
}
