//! The verbs: the only way for a command to touch a key.
//!
//! | verb | does | besides |
//! |---|---|---|
//! | `read`, `peek` | looks at a value | expiry, recency; `read` also counts hits and misses |
//! | `put` | stores a value | expiry, image for a running cut, one change |
//! | `edit_bytes`, `append` | alters a string in place | the same |
//! | `edit`, `edit_or_create` | alters a collection in place | the same; an empty one is removed |
//! | `remove`, `expire_at` | | the same |
//! | `rename`, `copy_to`, `move_to` | | the same for both keys |
//!
//! Every verb first applies the rule for keys whose time is over ([`ExpiredKeys`]): on a master such a key is removed
//! and the removal noted before anything else happens, so that the log reads in the order in which it came to be.

use smallvec::SmallVec;

use super::carried::Carried;
use super::table::Loc;
use super::{Access, Effect, EntryRef, Event, ExpiredKeys, Keyspace, Lookup, Recency};
use crate::base::limits::BATCH_COMMANDS;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::hash::Hash;
use crate::data::string::{NewStr, Str, StrView, encoding_of};
use crate::data::{Collection, Encoding, NewValue, TypeName, ValueRef};

/// The key holds a value of another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A type that values are read as.
pub trait ReadAs {
    /// What a reader sees.
    type View<'a>;
    /// The value of `entry`, if it is of this type.
    fn view(entry: EntryRef<'_>) -> Result<Self::View<'_>, WrongType>;
}

impl ReadAs for Str {
    type View<'a> = StrView<'a>;
    #[inline]
    fn view(entry: EntryRef<'_>) -> Result<StrView<'_>, WrongType> {
        entry.string().ok_or(WrongType)
    }
}

impl<T: Collection> ReadAs for T {
    type View<'a> = &'a T;
    #[inline]
    fn view(entry: EntryRef<'_>) -> Result<&T, WrongType> {
        T::of(entry.value()).ok_or(WrongType)
    }
}

/// A value of any type, as a type parameter: `db.read::<AnyValue>(key)` never finds a wrong type.
#[derive(Clone, Copy, Debug)]
pub struct AnyValue;

impl ReadAs for AnyValue {
    type View<'a> = ValueRef<'a>;
    #[inline]
    fn view(entry: EntryRef<'_>) -> Result<ValueRef<'_>, WrongType> {
        Ok(entry.value())
    }
}

/// What an edit of a collection did, for the change log.
///
/// Whoever alters a collection says so here, in the order in which subscribers shall hear of it. An edit that says nothing
/// has changed nothing.
#[derive(Debug, Default)]
pub struct Notes {
    list: SmallVec<[Noted; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Noted {
    event: Event,
    amount: u64,
    effect: Effect,
}

impl Notes {
    /// The value has changed, in `amount` ways (elements added, removed or replaced).
    pub fn changed(&mut self, event: Event, amount: u64) {
        self.list.push(Noted { event, amount, effect: Effect::Written });
    }

    /// Something that belongs to the value has changed, but not what it holds: WATCH and caches of clients are not concerned.
    pub fn changed_inside(&mut self, event: Event, amount: u64) {
        self.list.push(Noted { event, amount, effect: Effect::Inside });
    }

    /// One more event about a change already noted.
    pub fn event(&mut self, event: Event) {
        self.list.push(Noted { event, amount: 0, effect: Effect::Note });
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// What a write does to the key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Stays as it is.
    Keep,
    /// The key lives for ever.
    Clear,
    /// The key's time is over after this moment.
    At(UnixMillis),
}

/// Facts about a key, for OBJECT and DEBUG OBJECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The type.
    pub kind: TypeName,
    /// The encoding.
    pub encoding: Encoding,
    /// Seconds since the last use; meaningful under an LRU policy.
    pub idle_secs: u64,
    /// Counter of uses; meaningful under an LFU policy.
    pub frequency: u32,
    /// The recency bits as they are.
    pub recency: u32,
    /// Bytes of memory.
    pub memory: usize,
}

/// Why a copy or move did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyError {
    /// The source does not exist.
    NoSource,
    /// The target exists and may not be replaced.
    TargetExists,
}

/// One database under the conditions of one command.
pub struct DbHandle<'a> {
    ks: &'a mut Keyspace,
    index: u32,
    access: Access,
    hint: Option<(&'a [u8], u64)>,
}

impl<'a> DbHandle<'a> {
    #[inline]
    pub(super) fn new(ks: &'a mut Keyspace, index: u32, access: Access) -> DbHandle<'a> {
        debug_assert!(index < ks.databases, "database {index} of {}", ks.databases);
        DbHandle { ks, index, access, hint: None }
    }

    /// Says that `key` has hash `hash`, so that verbs given this very slice need not compute it again.
    #[inline]
    pub fn hinted(mut self, key: &'a [u8], hash: u64) -> DbHandle<'a> {
        self.hint = Some((key, hash));
        self
    }

    /// Brings what verbs on these keys will touch closer; with each may come how long it and its value are. Worth calling for two or more,
    /// and for a few dozen at a time.
    pub fn prefetch<'k>(&self, keys: impl Iterator<Item = (&'k [u8], Option<usize>)>) {
        let lookup = |(key, size): (&[u8], Option<usize>)| {
            let size = size.map(|size| u32::try_from(size).unwrap_or(u32::MAX));
            Lookup { db: self.index, hash: self.ks.hash(key), size }
        };
        let lookups: SmallVec<[Lookup; BATCH_COMMANDS]> = keys.map(lookup).collect();
        self.ks.prefetch(&lookups);
    }

    /// Number of this database.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many databases there are.
    pub fn databases(&self) -> u32 {
        self.ks.databases
    }

    /// The conditions this handle was made with.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The wall clock of this command.
    pub fn now(&self) -> UnixMillis {
        self.access.now
    }

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// The value of `key`, for a command that only reads: counts a hit or a miss.
    #[inline]
    pub fn read<T: ReadAs>(&mut self, key: &[u8]) -> Result<Option<T::View<'_>>, WrongType> {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        self.look::<T>(loc)
    }

    /// The value of `key`, for a command that is going to write: counts nothing.
    #[inline]
    pub fn peek<T: ReadAs>(&mut self, key: &[u8]) -> Result<Option<T::View<'_>>, WrongType> {
        let (_, loc) = self.locate(key);
        self.look::<T>(loc)
    }

    #[inline]
    fn look<T: ReadAs>(&mut self, loc: Option<Loc>) -> Result<Option<T::View<'_>>, WrongType> {
        let Some(loc) = loc else { return Ok(None) };
        if self.access.touch {
            self.mark_used(loc);
        }
        T::view(self.ks.dbs.get(self.index).table.entry(loc)).map(Some)
    }

    /// The values of several keys at once, for a command that only reads; in the order of `keys`.
    ///
    /// The first wrong type ends it.
    pub fn read_all<'k, T: ReadAs>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Result<Vec<Option<T::View<'_>>>, WrongType> {
        // Looking for a key may remove another whose time is over, which moves entries: first all are looked for, then read.
        let mut found = Vec::new();
        for key in keys {
            let (hash, loc) = self.locate(key);
            self.count(key, loc.is_some());
            if let Some(loc) = loc
                && self.access.touch
            {
                self.mark_used(loc);
            }
            found.push((key, loc.is_some().then_some(hash)));
        }
        let table = &self.ks.dbs.get(self.index).table;
        let view = |(key, hash): (&[u8], Option<u64>)| {
            let loc = hash.and_then(|hash| table.find(hash, key));
            loc.map(|loc| T::view(table.entry(loc))).transpose()
        };
        found.into_iter().map(view).collect()
    }

    /// Whether `key` exists. Counts a hit or a miss; does not count as a use.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        loc.is_some()
    }

    /// Whether `key` exists, for a command that is going to write: counts nothing.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.locate(key).1.is_some()
    }

    /// The type of the value of `key`. Counts a hit or a miss; does not count as a use.
    pub fn type_of(&mut self, key: &[u8]) -> Option<TypeName> {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        loc.map(|loc| self.ks.dbs.get(self.index).table.entry(loc).type_name())
    }

    /// When the time of `key` is over: outer `None` when there is no such key, inner `None` when it lives for ever.
    /// Counts a hit or a miss; does not count as a use.
    pub fn expiry(&mut self, key: &[u8]) -> Option<Option<UnixMillis>> {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        loc.map(|loc| self.ks.dbs.get(self.index).table.expiry(loc))
    }

    /// The same for a command that is going to write: counts nothing.
    pub fn peek_expiry(&mut self, key: &[u8]) -> Option<Option<UnixMillis>> {
        let (_, loc) = self.locate(key);
        loc.map(|loc| self.ks.dbs.get(self.index).table.expiry(loc))
    }

    /// Counts as a use of `key` whatever [`Access::touch`] says; gives whether it exists. Counts a hit or a miss.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        if let Some(loc) = loc {
            self.mark_used(loc);
        }
        loc.is_some()
    }

    /// What OBJECT and DEBUG OBJECT say about `key`. Counts a hit or a miss; does not count as a use.
    pub fn facts(&mut self, key: &[u8]) -> Option<Facts> {
        let (_, loc) = self.locate(key);
        self.count(key, loc.is_some());
        let entry = self.ks.dbs.get(self.index).table.entry(loc?);
        Some(facts_of(entry, self.ks.recency, self.access.now))
    }

    /// Bytes of memory that `key` and its value occupy, for MEMORY USAGE. Counts neither as a look-up nor as a use.
    pub fn memory_of(&mut self, key: &[u8]) -> Option<usize> {
        let (_, loc) = self.locate(key);
        Some(self.ks.dbs.get(self.index).table.entry(loc?).memory())
    }

    /// Keys in this database, those whose time is over but which nobody noticed yet included.
    pub fn len(&mut self) -> usize {
        self.ks.dbs.get(self.index).table.len()
    }

    /// Whether this database has no key.
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Keys with an expiry.
    pub fn expires_len(&mut self) -> usize {
        self.ks.dbs.get(self.index).table.expires_len()
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    /// Stores `value` at `key`, whatever was there. Gives whether the key is new. [`Expiry::Keep`] on a key that is new,
    /// or whose time was over, means no expiry.
    ///
    /// A collection to be stored is not empty, unless it is of a type that may be.
    #[inline]
    pub fn put<'v>(&mut self, key: &[u8], value: impl Into<NewValue<'v>>, expiry: Expiry, event: Event) -> bool {
        let (hash, live) = self.locate(key);
        self.store(key, hash, live, value.into(), expiry, event)
    }

    /// Stores at `key` the integer that `f` makes of its present value, with one look-up; gives that integer. The expiry
    /// stays. When `f` refuses, nothing happens.
    #[inline]
    pub fn update_int<E: From<WrongType>>(
        &mut self,
        key: &[u8],
        event: Event,
        f: impl FnOnce(Option<StrView<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        let (hash, live) = self.locate(key);
        let present = match live {
            Some(loc) => Some(Str::view(self.ks.dbs.get(self.index).table.entry(loc))?),
            None => None,
        };
        let value = f(present)?;
        self.store(key, hash, live, NewStr::Int(value).into(), Expiry::Keep, event);
        Ok(value)
    }

    /// Stores `value` at `key`, which [`DbHandle::locate`] has just looked for.
    #[inline]
    fn store(
        &mut self,
        key: &[u8],
        hash: u64,
        live: Option<Loc>,
        value: NewValue<'_>,
        expiry: Expiry,
        event: Event,
    ) -> bool {
        self.before_write(hash);
        let db = self.ks.dbs.get(self.index);
        // A key that is only hidden is still there to be overwritten.
        let found =
            live.or_else(|| if self.access.expired == ExpiredKeys::Hide { db.table.find(hash, key) } else { None });
        let expiry = match (expiry, live) {
            (Expiry::At(when), _) => Some(when),
            (Expiry::Keep, Some(loc)) => db.table.expiry(loc),
            _ => None,
        };
        if expiry.is_some() && self.access.expired == ExpiredKeys::Hide {
            self.ks.own_expires.note(self.index, key);
        }
        match found {
            Some(loc) => {
                let old = db.table.entry(loc).recency();
                let recency = match self.ks.recency {
                    Recency::Lru => self.ks.recency.fresh(self.access.now),
                    lfu => lfu.used(old, self.access.now, &mut self.ks.rng),
                };
                self.ks.lazy.value(db.table.replace(loc, value, expiry, recency));
            }
            None => db.table.insert(hash, key, value, expiry, self.ks.recency.fresh(self.access.now)),
        }
        let effect = if live.is_some() { Effect::Written } else { Effect::Created };
        self.ks.changes.changed(self.index, key, event, effect);
        live.is_none()
    }

    /// Alters the text of `key` in place: `f` gets all of it, extended with zero bytes to at least `min_len`. A key
    /// that does not exist begins empty. The value reports encoding `raw` from then on. The expiry stays.
    ///
    /// The caller has checked `min_len` against `proto-max-bulk-len`, and that an empty result is intended.
    pub fn edit_bytes<R>(
        &mut self,
        key: &[u8],
        min_len: usize,
        event: Event,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, WrongType> {
        let (hash, live) = self.locate(key);
        if let Some(loc) = live {
            Str::view(self.ks.dbs.get(self.index).table.entry(loc))?;
        }
        self.before_write(hash);
        let mut effect = Effect::Written;
        let loc = match live {
            Some(loc) => {
                self.mark_used(loc);
                loc
            }
            None => {
                effect = Effect::Created;
                self.remove_hidden(hash, key);
                let recency = self.ks.recency.fresh(self.access.now);
                let table = &mut self.ks.dbs.get(self.index).table;
                table.insert(hash, key, NewStr::Raw(b"").into(), None, recency);
                table.find(hash, key).expect("just inserted")
            }
        };
        let result = self.ks.dbs.get(self.index).table.edit_bytes(loc, min_len, f);
        self.ks.changes.changed(self.index, key, event, effect);
        Ok(result)
    }

    /// Appends `more` to the text of `key`, which begins empty if it does not exist; gives the new length. A new key
    /// takes `more` as SET would, so that a number is kept as one.
    pub fn append(&mut self, key: &[u8], more: &[u8], event: Event) -> Result<usize, WrongType> {
        let old = self.peek::<Str>(key)?.map(|value| value.len());
        match old {
            None => {
                self.put(key, NewStr::Text(more), Expiry::Clear, event);
                Ok(more.len())
            }
            Some(old) => {
                let new = old + more.len();
                self.edit_bytes(key, new, event, |text| text[old..].copy_from_slice(more))?;
                Ok(new)
            }
        }
    }

    /// Alters the collection at `key`; `None`, and nothing happens, when there is no such key. The expiry stays.
    ///
    /// What `f` notes goes into the change log. A collection that is empty afterwards is removed, with the event `del`.
    pub fn edit<T: Collection, R>(
        &mut self,
        key: &[u8],
        f: impl FnOnce(&mut T, &mut Notes) -> R,
    ) -> Result<Option<R>, WrongType> {
        let (hash, Some(loc)) = self.locate(key) else { return Ok(None) };
        T::view(self.ks.dbs.get(self.index).table.entry(loc))?;
        self.before_write(hash);
        if self.access.touch {
            self.mark_used(loc);
        }
        let mut notes = Notes::default();
        let table = &mut self.ks.dbs.get(self.index).table;
        let value = table.collection_mut::<T>(loc).ok_or(WrongType)?;
        let result = f(value, &mut notes);
        let is_gone = value.is_empty() && !T::STAYS_WHEN_EMPTY;
        if T::HAS_EXPIRIES && !is_gone {
            table.elements_changed(loc);
        }
        self.log(key, notes, Effect::Written);
        if is_gone {
            let value = self.ks.dbs.get(self.index).table.remove(loc);
            self.ks.lazy.value(value);
            self.ks.changes.changed_by(self.index, key, Event::DEL, Effect::Removed, 0);
        }
        Ok(Some(result))
    }

    /// The same, with an empty collection for a key that does not exist. It is stored unless it stays empty, or `f` notes
    /// nothing.
    pub fn edit_or_create<T: Collection, R>(
        &mut self,
        key: &[u8],
        f: impl FnOnce(&mut T, &mut Notes) -> R,
    ) -> Result<R, WrongType> {
        let (hash, live) = self.locate(key);
        if live.is_some() {
            return Ok(self.edit(key, f)?.expect("the key was just found"));
        }
        let (mut value, mut notes) = (T::default(), Notes::default());
        let result = f(&mut value, &mut notes);
        if !notes.is_empty() && (T::STAYS_WHEN_EMPTY || !value.is_empty()) {
            self.before_write(hash);
            self.remove_hidden(hash, key);
            let recency = self.ks.recency.fresh(self.access.now);
            self.ks.dbs.get(self.index).table.insert(hash, key, value.into_value().into(), None, recency);
            self.log(key, notes, Effect::Created);
        }
        Ok(result)
    }

    /// The first note is the change of the key, also when it adds nothing to the figures; what follows without adding is only told.
    fn log(&mut self, key: &[u8], notes: Notes, first: Effect) {
        let mut first = Some(first);
        for Noted { event, amount, effect } in notes.list {
            match (first.take(), effect) {
                (None, Effect::Note) => self.ks.changes.note(self.index, key, event),
                (Some(Effect::Written) | None, Effect::Inside) => {
                    self.ks.changes.changed_by(self.index, key, event, Effect::Inside, amount);
                }
                (first, _) => {
                    let effect = first.unwrap_or(Effect::Written);
                    self.ks.changes.changed_by(self.index, key, event, effect, amount);
                }
            }
        }
    }

    /// Lets `f` take fields that are over out of the hash at `key`, see [`Keyspace::take_fields`].
    pub(super) fn take_fields(&mut self, key: &[u8], f: impl FnOnce(&mut Hash, &mut dyn FnMut(&[u8]))) {
        if let (hash, Some(loc)) = self.locate(key) {
            self.ks.take_fields(self.index, hash, key, loc, f);
        }
    }

    /// Removes `key`; gives whether it existed.
    pub fn remove(&mut self, key: &[u8], event: Event) -> bool {
        let (hash, Some(loc)) = self.locate(key) else { return false };
        self.before_write(hash);
        let value = self.ks.dbs.get(self.index).table.remove(loc);
        self.ks.lazy.value(value);
        self.ks.changes.changed(self.index, key, event, Effect::Removed);
        true
    }

    /// Sets when the time of `key` is over, or that it lives for ever; gives whether it exists. A moment in the past is
    /// stored as it is: who wants the key removed then says so with [`DbHandle::remove`].
    pub fn expire_at(&mut self, key: &[u8], when: Option<UnixMillis>, event: Event) -> bool {
        let (hash, Some(loc)) = self.locate(key) else { return false };
        self.before_write(hash);
        if when.is_some() && self.access.expired == ExpiredKeys::Hide {
            self.ks.own_expires.note(self.index, key);
        }
        self.ks.dbs.get(self.index).table.set_expiry(loc, when);
        self.ks.changes.changed(self.index, key, event, Effect::Written);
        true
    }

    /// Sets the recency of `key` to bits from [`Recency::from_idle`] or [`Recency::from_frequency`], if it exists.
    pub fn set_recency(&mut self, key: &[u8], recency: u32) {
        if let (_, Some(loc)) = self.locate(key) {
            self.ks.dbs.get(self.index).table.set_recency(loc, recency);
        }
    }

    /// Notes one more event about `key`, such as `expire` after `set`. Changes nothing and does not count as a change.
    pub fn note(&mut self, key: &[u8], event: Event) {
        self.ks.changes.note(self.index, key, event);
    }

    // ---- from key to key --------------------------------------------------------------------------------------------

    /// Gives the value and expiry of `from` to `to`, whatever was there, and removes `from`. False when `from` does not
    /// exist. The two may not be the same. Notes `rename_from` and `rename_to`.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        debug_assert_ne!(from, to);
        let (hash, Some(loc)) = self.locate(from) else { return false };
        // The target's time may be over: that is noted before the rename is.
        self.locate(to);
        let loc = self.refind(hash, from, loc);
        self.before_write(hash);
        let carried = Carried::take(&mut self.ks.dbs.get(self.index).table, loc);
        let existed = self.carry(self.index, to, carried);
        self.ks.changes.changed(self.index, from, Event::RENAME_FROM, Effect::Removed);
        let effect = if existed { Effect::Written } else { Effect::Created };
        self.ks.changes.changed(self.index, to, Event::RENAME_TO, effect);
        true
    }

    /// Copies value and expiry of `from` to `to` in database `target`. Source and target may not be the same key of the
    /// same database. Notes `copy_to`.
    pub fn copy_to(&mut self, from: &[u8], target: u32, to: &[u8], replace: bool) -> Result<(), CopyError> {
        debug_assert!(from != to || target != self.index);
        let (hash, Some(loc)) = self.locate(from) else { return Err(CopyError::NoSource) };
        if DbHandle::new(self.ks, target, self.access).contains(to) && !replace {
            return Err(CopyError::TargetExists);
        }
        let loc = self.refind(hash, from, loc);
        let carried = Carried::copy_of(self.ks.dbs.get(self.index).table.entry(loc));
        let fresh = self.ks.recency.fresh(self.access.now);
        let existed = self.carry(target, to, Carried { recency: fresh, ..carried });
        let effect = if existed { Effect::Written } else { Effect::Created };
        self.ks.changes.changed(target, to, Event::COPY_TO, effect);
        Ok(())
    }

    /// Moves `key` to database `target`, another one than this, unless it exists there. Notes `move_from`, `move_to`.
    pub fn move_to(&mut self, key: &[u8], target: u32) -> Result<(), CopyError> {
        debug_assert_ne!(target, self.index);
        let (hash, Some(loc)) = self.locate(key) else { return Err(CopyError::NoSource) };
        if DbHandle::new(self.ks, target, self.access).contains(key) {
            return Err(CopyError::TargetExists);
        }
        self.before_write(hash);
        let carried = Carried::take(&mut self.ks.dbs.get(self.index).table, loc);
        self.carry(target, key, carried);
        self.ks.changes.changed(self.index, key, Event::MOVE_FROM, Effect::Removed);
        self.ks.changes.changed(target, key, Event::MOVE_TO, Effect::Created);
        Ok(())
    }

    /// Stores what was carried at `to` of database `index`, hidden or not; gives whether there was a live key.
    fn carry(&mut self, index: u32, to: &[u8], carried: Carried) -> bool {
        let mut target = DbHandle::new(self.ks, index, self.access);
        let (hash, live) = target.locate(to);
        target.before_write(hash);
        if live.is_none() {
            target.remove_hidden(hash, to);
        }
        let Carried { value, expiry, recency } = carried;
        if expiry.is_some() && target.access.expired == ExpiredKeys::Hide {
            target.ks.own_expires.note(index, to);
        }
        let table = &mut target.ks.dbs.get(index).table;
        let old = value.into_new(|value| match live {
            Some(loc) => table.replace(loc, value, expiry, recency),
            None => {
                table.insert(hash, to, value, expiry, recency);
                None
            }
        });
        target.ks.lazy.value(old);
        live.is_some()
    }

    // ---- many keys --------------------------------------------------------------------------------------------------

    /// Visits about `count` keys from `cursor` on and gives the cursor for the next call, 0 at the end. A key that
    /// exists during the whole iteration is visited at least once, however the table grows or shrinks meanwhile. Keys
    /// whose time is over are not visited; a master removes those it comes across if they are wanted.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        is_wanted: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(&[u8], TypeName),
    ) -> u64 {
        let (now, rule) = (self.access.now, self.access.expired);
        let mut over: Vec<Box<[u8]>> = Vec::new();
        let next = self.ks.dbs.get(self.index).table.scan(cursor, count, &mut |entry| {
            if !is_wanted(entry.key()) {
                return;
            }
            if rule != ExpiredKeys::Ignore && is_over(entry.expiry(), now) {
                if rule == ExpiredKeys::Delete {
                    over.push(entry.key().into());
                }
            } else {
                visit(entry.key(), entry.type_name());
            }
        });
        for key in over {
            self.ks.remove_expired(self.index, &key);
        }
        next
    }

    /// Visits every key once, in no order. Keys whose time is over are left out, but stay. For KEYS.
    pub fn for_each_key(&self, mut visit: impl FnMut(&[u8], TypeName)) {
        let (now, rule) = (self.access.now, self.access.expired);
        self.ks.for_each(self.index, &mut |entry| {
            if rule == ExpiredKeys::Ignore || !is_over(entry.expiry(), now) {
                visit(entry.key(), entry.type_name());
            }
        });
    }

    /// A key chosen at random, all with about the same chance.
    pub fn random_key(&mut self, rng: &mut Rng) -> Option<Vec<u8>> {
        // On a replica every key may be over and none may be removed; then one of them has to do.
        for attempt in 0.. {
            let table = &self.ks.dbs.get(self.index).table;
            let entry = table.entry(table.random(rng)?);
            let key = entry.key().to_vec();
            if !is_over(entry.expiry(), self.access.now) || self.access.expired == ExpiredKeys::Ignore {
                return Some(key);
            }
            if self.access.expired == ExpiredKeys::Delete {
                self.ks.remove_expired(self.index, &key);
            } else if attempt >= RANDOM_ATTEMPTS {
                return Some(key);
            }
        }
        None
    }

    // ---- what every verb does ---------------------------------------------------------------------------------------

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        match self.hint {
            // The hinted bytes are borrowed for as long as this handle lives, so the same slice has the same content.
            Some((hinted, hash)) if std::ptr::eq(hinted, key) => hash,
            _ => self.ks.dbs.hasher.hash(key),
        }
    }

    /// Where `key` is, if it exists and its time is not over.
    #[inline]
    fn locate(&mut self, key: &[u8]) -> (u64, Option<Loc>) {
        let hash = self.hash(key);
        let db = self.ks.dbs.get(self.index);
        let Some(loc) = db.table.find(hash, key) else { return (hash, None) };
        if is_over(db.table.expiry(loc), self.access.now) {
            match self.access.expired {
                ExpiredKeys::Delete => self.ks.remove_expired(self.index, key),
                ExpiredKeys::Hide => {}
                ExpiredKeys::Ignore => return (hash, Some(loc)),
            }
            return (hash, None);
        }
        (hash, Some(loc))
    }

    /// Where `key` is now, after something else may have been removed; it was at `loc`.
    fn refind(&mut self, hash: u64, key: &[u8], loc: Loc) -> Loc {
        let table = &self.ks.dbs.get(self.index).table;
        let found = table.find(hash, key);
        debug_assert!(found.is_some());
        found.unwrap_or(loc)
    }

    /// Removes a key that is there but hidden, to make place for one of the same name.
    fn remove_hidden(&mut self, hash: u64, key: &[u8]) {
        if self.access.expired == ExpiredKeys::Hide {
            let table = &mut self.ks.dbs.get(self.index).table;
            if let Some(loc) = table.find(hash, key) {
                self.ks.lazy.value(table.remove(loc));
            }
        }
    }

    #[inline]
    fn before_write(&mut self, hash: u64) {
        if self.ks.cut.is_some() {
            self.ks.pre_image(self.index, hash);
        }
    }

    #[inline]
    fn mark_used(&mut self, loc: Loc) {
        let table = &mut self.ks.dbs.get(self.index).table;
        let old = table.entry(loc).recency();
        let new = self.ks.recency.used(old, self.access.now, &mut self.ks.rng);
        // Not writing keeps the cache line clean, and most uses fall into the same second.
        if new != old {
            table.set_recency(loc, new);
        }
    }

    #[inline]
    fn count(&mut self, key: &[u8], found: bool) {
        if found {
            self.ks.stats.hits += 1;
        } else {
            self.ks.stats.misses += 1;
            self.ks.changes.missed(self.index, key);
        }
    }
}

/// How often RANDOMKEY tries again on a replica.
const RANDOM_ATTEMPTS: usize = 100;

/// Whether a key with this expiry is gone at `now`: after the moment, not at it.
#[inline]
pub(super) fn is_over(expiry: Option<UnixMillis>, now: UnixMillis) -> bool {
    expiry.is_some_and(|when| now > when)
}

pub(super) fn facts_of(entry: EntryRef<'_>, recency: Recency, now: UnixMillis) -> Facts {
    Facts {
        kind: entry.type_name(),
        encoding: match entry.value() {
            ValueRef::Str(value) => encoding_of(value, entry.is_edited()),
            other => other.collection_encoding().expect("not a string"),
        },
        idle_secs: recency.idle_secs(entry.recency(), now),
        frequency: recency.frequency(entry.recency(), now),
        recency: entry.recency(),
        memory: entry.memory(),
    }
}

impl Keyspace {
    /// Hands over the segment that a write to `hash` is about to alter, if the running cut does not have it yet.
    #[cold]
    #[inline(never)]
    pub(super) fn pre_image(&mut self, index: u32, hash: u64) {
        let epoch = self.dbs.epoch;
        let db = self.dbs.get(index);
        if let Some(cut) = &mut self.cut {
            cut.before_write(db.id, &mut db.table, hash, epoch);
        }
    }

    /// Removes a key whose time is over, and notes it.
    #[cold]
    #[inline(never)]
    pub(super) fn remove_expired(&mut self, index: u32, key: &[u8]) {
        let hash = self.hash(key);
        if self.cut.is_some() {
            self.pre_image(index, hash);
        }
        let table = &mut self.dbs.get(index).table;
        let Some(loc) = table.find(hash, key) else { return };
        self.lazy.value(table.remove(loc));
        self.stats.expired += 1;
        self.changes.always(index, key, Event::EXPIRED, Effect::Expired);
    }
}
