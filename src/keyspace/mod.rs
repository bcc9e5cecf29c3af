//! The data: numbered databases of keys, and everything that must happen whenever a key is touched.
//!
//! [`Keyspace`] owns it all. Commands reach keys through a [`DbHandle`] only (`db.rs`), whose verbs do what must never
//! be forgotten: expiry, recency, statistics, the image for a running snapshot, and the change log. Acts on whole
//! databases (flush, swap, cuts, active expiry) are methods of [`Keyspace`].
//!
//! What lies where: `entry.rs` one key in memory; `table/` the hash table; `db.rs` the verbs; `change.rs` the log;
//! `access.rs` the conditions of a command and recency; `expire.rs` active expiry; `evict.rs` which key goes when memory is short; `cut.rs` point-in-time images;
//! `lazy_free.rs` freeing in the background; `aside.rs` a second set of data that takes the place of this one;
//! `defrag.rs` closing gaps in their memory;
//! `own_expires.rs` what clients of a writable replica let expire.

mod access;
mod aside;
mod carried;
mod change;
mod cut;
mod db;
mod defrag;
mod entry;
mod evict;
mod expire;
mod fields;
mod lazy_free;
mod own_expires;
mod table;
#[cfg(test)]
mod tests;

pub use access::{Access, ExpiredKeys, Recency};
pub use change::{Change, ChangeLog, Effect, Event, EventClass};
pub use cut::{CutDb, CutSink, Walk};
pub use db::{AnyValue, CopyError, DbHandle, Expiry, Facts, Notes, ReadAs, WrongType};
pub use defrag::Fragmentation;
pub use entry::EntryRef;
pub use evict::{EvictBy, EvictionRule};
pub use expire::ExpireStep;
pub use table::Sealed;

use std::collections::BTreeMap;

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::NewValue;
use cut::Cut;
use evict::Evictor;
use lazy_free::LazyFree;
use own_expires::OwnExpires;
use table::{KeyHasher, Pager, Table};

/// Databases below this number are found by index, those above by search.
const LOW_DBS: u32 = 256;

/// Keys for which files may have room made before they bring them: announcements may lie.
const RESERVE_MAX: u64 = 8 << 20;

/// How far the first wave of prefetching is ahead of the second.
const WAVE: usize = 16;

/// One database.
struct Db {
    /// Names the table for ever; SWAPDB moves it to another number.
    id: u64,
    table: Table,
}

/// The databases that were ever used; the others cost nothing.
struct Databases {
    low: Vec<Option<Box<Db>>>,
    high: BTreeMap<u32, Box<Db>>,
    next_id: u64,
    /// Version of tables made from now on.
    epoch: u64,
    hasher: KeyHasher,
    pager: Pager,
}

impl Databases {
    fn new(hasher: KeyHasher) -> Databases {
        Databases { low: Vec::new(), high: BTreeMap::new(), next_id: 0, epoch: 0, hasher, pager: Pager::default() }
    }

    #[inline]
    fn get(&mut self, index: u32) -> &mut Db {
        if !matches!(self.low.get(index as usize), Some(Some(_))) {
            return self.get_slow(index);
        }
        self.low[index as usize].as_mut().expect("just matched")
    }

    #[cold]
    #[inline(never)]
    fn get_slow(&mut self, index: u32) -> &mut Db {
        let (next_id, epoch, hasher, pager) = (&mut self.next_id, self.epoch, &self.hasher, &self.pager);
        let make = || {
            *next_id += 1;
            Box::new(Db { id: *next_id, table: Table::new(epoch, hasher.clone(), pager.clone()) })
        };
        if index >= LOW_DBS {
            return self.high.entry(index).or_insert_with(make);
        }
        if self.low.len() <= index as usize {
            self.low.resize_with(index as usize + 1, || None);
        }
        self.low[index as usize].get_or_insert_with(make)
    }

    fn peek(&self, index: u32) -> Option<&Db> {
        match self.low.get(index as usize) {
            Some(db) => db.as_deref(),
            None => self.high.get(&index).map(|db| &**db),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &Db)> {
        let low = self.low.iter().zip(0u32..).filter_map(|(db, index)| Some((index, db.as_deref()?)));
        low.chain(self.high.iter().map(|(index, db)| (*index, &**db)))
    }

    fn by_id(&mut self, id: u64) -> Option<&mut Db> {
        let low = self.low.iter_mut().filter_map(|db| db.as_deref_mut());
        low.chain(self.high.values_mut().map(|db| &mut **db)).find(|db| db.id == id)
    }

    fn take(&mut self, index: u32) -> Option<Box<Db>> {
        match self.low.get_mut(index as usize) {
            Some(db) => db.take(),
            None => self.high.remove(&index),
        }
    }

    fn place(&mut self, index: u32, db: Option<Box<Db>>) {
        let Some(db) = db else { return };
        if index >= LOW_DBS {
            self.high.insert(index, db);
            return;
        }
        if self.low.len() <= index as usize {
            self.low.resize_with(index as usize + 1, || None);
        }
        self.low[index as usize] = Some(db);
    }
}

/// Figures for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed because their time was over, lazily or actively.
    pub expired: u64,
    /// Fields of hashes removed because their time was over, lazily or actively.
    pub expired_fields: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// Keys moved by defragmentation.
    pub defrag_moved: u64,
    /// Keys that it looked at and left.
    pub defrag_left: u64,
}

/// Size of one database, for INFO keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbSize {
    /// Its number.
    pub db: u32,
    /// Keys.
    pub keys: usize,
    /// Keys with an expiry.
    pub expires: usize,
    /// Hashes whose fields have an expiry.
    pub field_expires: usize,
    /// Average time to live in milliseconds of those with an expiry; 0 without any.
    pub avg_ttl_ms: u64,
}

/// A key about to be looked up, for [`Keyspace::prefetch`].
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// Number of the database.
    pub db: u32,
    /// From [`Keyspace::hash`].
    pub hash: u64,
    /// How long the key and its value may be together, if the command gives a hint.
    pub size: Option<u32>,
}

/// Whether freeing may happen in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// Before the call returns.
    Sync,
    /// In the background.
    Async,
}

/// All databases.
pub struct Keyspace {
    dbs: Databases,
    databases: u32,
    rng: Rng,
    recency: Recency,
    changes: ChangeLog,
    stats: KeyspaceStats,
    cut: Option<Cut>,
    lazy: LazyFree,
    own_expires: OwnExpires,
    evictor: Evictor,
    /// The database at which active expiry goes on.
    expire_at_db: u32,
    /// The database at which defragmentation goes on.
    defrag_at_db: u32,
    /// Announced keys that will still be believed.
    reserve_left: u64,
}

impl Keyspace {
    /// An empty keyspace of `databases` databases; nothing is allocated for them until they are used.
    pub fn new(databases: u32, mut rng: Rng) -> Keyspace {
        Keyspace {
            dbs: Databases::new(KeyHasher::new(&mut rng)),
            databases: databases.max(1),
            rng,
            recency: Recency::Lru,
            changes: ChangeLog::default(),
            stats: KeyspaceStats::default(),
            cut: None,
            lazy: LazyFree::default(),
            own_expires: OwnExpires::default(),
            evictor: Evictor::default(),
            expire_at_db: 0,
            defrag_at_db: 0,
            reserve_left: RESERVE_MAX,
        }
    }

    /// The way to the keys of database `index`, which must be below [`Keyspace::databases`].
    #[inline]
    pub fn db(&mut self, index: u32, access: Access) -> DbHandle<'_> {
        DbHandle::new(self, index, access)
    }

    /// How many databases there are.
    pub fn databases(&self) -> u32 {
        self.databases
    }

    /// How recency is kept from now on.
    pub fn set_recency(&mut self, recency: Recency) {
        self.recency = recency;
    }

    /// How recency is kept.
    pub fn recency(&self) -> Recency {
        self.recency
    }

    /// What happened since the log was last cleared.
    pub fn changes(&self) -> &ChangeLog {
        &self.changes
    }

    /// The log, to clear it or to say who observes.
    pub fn changes_mut(&mut self) -> &mut ChangeLog {
        &mut self.changes
    }

    /// Figures since the start or the last reset.
    pub fn stats(&self) -> KeyspaceStats {
        self.stats
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&mut self) {
        self.lazy.reset();
        self.stats = KeyspaceStats::default();
    }

    /// The hash of a key, for [`Lookup`] and [`DbHandle::hinted`].
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.dbs.hasher.hash(key)
    }

    /// Brings what these look-ups will touch nearer, all of them at once. Worth calling for two or more.
    ///
    /// Three waves, one following the other at some distance: the bucket must have come before it can tell which entry to ask for, and
    /// the entry before it can tell what belongs to it elsewhere; and a core can only wait for a dozen or two lines at a time. Of an
    /// entry all lines are asked for, up to a bound: those to be written, too, for what is written to a line that is far away keeps
    /// everything behind it waiting.
    pub fn prefetch(&self, lookups: &[Lookup]) {
        let lookup = |at: usize| {
            let lookup = lookups.get(at)?;
            Some((lookup, &self.dbs.peek(lookup.db)?.table))
        };
        let wave = WAVE.min(lookups.len());
        let mut average = (u32::MAX, 0);
        for at in 0..lookups.len() + 2 * wave {
            if let Some((first, table)) = lookup(at) {
                table.prefetch_bucket(first.hash);
            }
            if let Some((second, table)) = lookup(at.wrapping_sub(wave)) {
                if average.0 != second.db {
                    average = (second.db, table.average_entry());
                }
                let size = second.size.map_or(average.1, |size| entry::USUAL_HEADER + size as usize);
                table.prefetch_entry(second.hash, size);
            }
            if let Some((third, table)) = lookup(at.wrapping_sub(2 * wave)) {
                table.prefetch_outside(third.hash);
            }
        }
    }

    /// Sizes of the databases that have keys, in order of their numbers.
    pub fn sizes(&self, now: UnixMillis) -> Vec<DbSize> {
        let used = self.dbs.iter().filter(|(_, db)| db.table.len() > 0);
        used.map(|(index, db)| {
            let expires = db.table.expires_len();
            let average = db.table.expiry_sum().checked_div(expires as i128).map_or(0, |t| t - i128::from(now.0));
            DbSize {
                db: index,
                keys: db.table.len(),
                expires,
                field_expires: db.table.elements_len(),
                avg_ttl_ms: average.clamp(0, i64::MAX.into()) as u64,
            }
        })
        .collect()
    }

    /// Bytes that the tables take besides the entries.
    pub fn index_memory(&self) -> usize {
        self.dbs.iter().map(|(_, db)| db.table.index_memory()).sum()
    }

    /// The same of one database.
    pub fn index_memory_of(&self, db: u32) -> usize {
        self.dbs.iter().filter(|(index, _)| *index == db).map(|(_, db)| db.table.index_memory()).sum()
    }

    /// Keys in all databases.
    pub fn len(&self) -> usize {
        self.dbs.iter().map(|(_, db)| db.table.len()).sum()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives `visit` every entry of database `index`, those whose time is over included. For DEBUG DIGEST and the like.
    pub fn for_each(&self, index: u32, visit: &mut dyn FnMut(EntryRef<'_>)) {
        let Some(db) = self.dbs.peek(index) else { return };
        let mut position = Some(0);
        while let Some(at) = position {
            let (segment, next) = db.table.segment_at(at);
            segment.iter().for_each(&mut *visit);
            position = next;
        }
    }

    /// Removes every key of database `index`; gives how many there were. Adds them to `dirty`, notes no change: who
    /// calls this tells watchers and trackers.
    pub fn flush_db(&mut self, index: u32, mode: FlushMode) -> usize {
        let Some(db) = self.dbs.take(index) else { return 0 };
        let removed = db.table.len();
        let Db { id, table } = *db;
        let table = match &mut self.cut {
            Some(cut) => cut.take(id, table),
            None => Some(table),
        };
        match (table, mode) {
            (Some(table), FlushMode::Async) => self.lazy.table(table),
            (table, _) => drop(table),
        }
        self.changes.add_dirty(removed as u64);
        removed
    }

    /// Removes every key; as [`Keyspace::flush_db`].
    pub fn flush_all(&mut self, mode: FlushMode) -> usize {
        self.reserve_left = RESERVE_MAX;
        let indexes: Vec<u32> = self.dbs.iter().map(|(index, _)| index).collect();
        indexes.into_iter().map(|index| self.flush_db(index, mode)).sum()
    }

    /// Exchanges the contents of two databases. Counts as one change; who calls this tells watchers and trackers.
    pub fn swap(&mut self, a: u32, b: u32) {
        if a != b {
            let (at_a, at_b) = (self.dbs.take(a), self.dbs.take(b));
            self.dbs.place(a, at_b);
            self.dbs.place(b, at_a);
        }
        self.changes.add_dirty(1);
    }

    /// Makes room for about `keys` keys in database `index`, which a file announced. A hint: all of them together are
    /// believed up to [`RESERVE_MAX`] keys, some 80 MB, until the next flush of everything.
    pub fn reserve(&mut self, index: u32, keys: u64) {
        let keys = keys.min(self.reserve_left);
        self.reserve_left -= keys;
        self.dbs.get(index).table.reserve(keys as usize);
    }

    /// Brings what [`Keyspace::insert_loaded`] will touch nearer. Worth calling a while before, for many keys.
    #[inline]
    pub fn prefetch_insert(&self, index: u32, hash: u64) {
        if let Some(db) = self.dbs.peek(index) {
            db.table.prefetch_insert(hash);
        }
    }

    /// Adds a key read from a file: no change is noted, nothing expires, nothing is counted. False, and nothing
    /// happens, when the key exists already. `hash` is [`Keyspace::hash`] of the key; `recency` comes from `Recency::from_idle` or `from_frequency`.
    pub fn insert_loaded(
        &mut self,
        index: u32,
        hash: u64,
        key: &[u8],
        value: NewValue<'_>,
        expiry: Option<UnixMillis>,
        recency: u32,
    ) -> bool {
        debug_assert_eq!(hash, self.hash(key));
        let db = self.dbs.get(index);
        if db.table.find(hash, key).is_some() {
            return false;
        }
        if self.cut.is_some() {
            self.pre_image(index, hash);
        }
        let db = self.dbs.get(index);
        db.table.insert(hash, key, value, expiry, recency);
        true
    }

    /// Frees something large of somebody else's in the background; it counts as so many objects.
    pub fn free_elsewhere(&mut self, objects: u64, garbage: impl Send + 'static) {
        self.lazy.other(objects, Box::new(garbage));
    }

    /// Objects waiting to be freed in the background.
    pub fn lazyfree_pending(&self) -> u64 {
        self.lazy.pending()
    }

    /// Bytes that objects waiting to be freed take: still in use, and as good as free.
    pub fn lazyfree_pending_bytes(&self) -> u64 {
        self.lazy.pending_bytes()
    }

    /// Objects freed in the background so far.
    pub fn lazyfreed(&self) -> u64 {
        self.lazy.freed()
    }
}
