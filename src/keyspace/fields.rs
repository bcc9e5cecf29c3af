//! Fields of hashes whose time is over.
//!
//! A field has the same fate as a key: on a master it is removed by whoever comes across it, and by the active cycle; a
//! replica only pretends that it is gone until its master says `HDEL`. Reading a hash does not tell whether a field is over,
//! since that is the reader's question ([`DbHandle::fields_at`]); what a command then finds to be over it hands to
//! [`DbHandle::expire_fields`].
//!
//! Each field that goes is noted by itself, as it is propagated by itself. Subscribers hear `hexpired` once, and `del` if the
//! hash is gone with its last field.

use super::db::DbHandle;
use super::table::Loc;
use super::{Effect, Event, ExpiredKeys, Keyspace};
use crate::base::time::UnixMillis;
use crate::data::hash::Hash;

impl DbHandle<'_> {
    /// The moment at which fields are judged to be over or not. For the stream of our master it lies before all others: there
    /// every field is alive until the master says otherwise.
    pub fn fields_at(&self) -> UnixMillis {
        match self.access().expired {
            ExpiredKeys::Ignore => UnixMillis(i64::MIN),
            _ => self.access().now,
        }
    }

    /// Removes these fields of the hash at `key`, which the caller has found to be over, if that is ours to do.
    pub fn expire_fields<'f>(&mut self, key: &[u8], fields: impl Iterator<Item = &'f [u8]>) {
        if self.access().expired != ExpiredKeys::Delete {
            return;
        }
        self.take_fields(key, |hash, gone| {
            for field in fields {
                if hash.remove(field) {
                    gone(field);
                }
            }
        });
    }

    /// Removes all fields of the hash at `key` that are over, if that is ours to do, but no more than about `max` of them.
    pub fn expire_all_fields(&mut self, key: &[u8], max: usize) {
        if self.access().expired != ExpiredKeys::Delete {
            return;
        }
        let now = self.access().now;
        self.take_fields(key, |hash, gone| {
            let mut removed = 0;
            while removed < max {
                let is_done = hash.expire(now, max - removed, &mut |field| {
                    removed += 1;
                    gone(field);
                });
                if is_done {
                    break;
                }
            }
        });
    }
}

impl Keyspace {
    /// Removes the key if its time is over, else fields of its hash that are over at `now`, about `max` of them. Gives how many
    /// keys and fields are gone, and whether none is left that is over.
    pub(super) fn expire_key_or_fields(
        &mut self,
        index: u32,
        key: &[u8],
        now: UnixMillis,
        max: usize,
    ) -> (usize, bool) {
        let hash = self.hash(key);
        let table = &self.dbs.get(index).table;
        let Some(loc) = table.find(hash, key) else { return (0, true) };
        if super::db::is_over(table.expiry(loc), now) {
            self.remove_expired(index, key);
            return (1, true);
        }
        let (mut count, mut is_done) = (0, true);
        self.take_fields(index, hash, key, loc, |hash, gone| {
            is_done = hash.expire(now, max, &mut |field| {
                count += 1;
                gone(field);
            });
        });
        (count, is_done)
    }

    /// Lets `f` take fields out of the hash at `loc`, of which it tells; notes them, and removes a hash that is empty then.
    pub(super) fn take_fields(
        &mut self,
        index: u32,
        hash: u64,
        key: &[u8],
        loc: Loc,
        f: impl FnOnce(&mut Hash, &mut dyn FnMut(&[u8])),
    ) {
        if self.cut.is_some() {
            self.pre_image(index, hash);
        }
        let table = &mut self.dbs.get(index).table;
        let Some(value) = table.collection_mut::<Hash>(loc) else { return };
        let (changes, mut count) = (&mut self.changes, 0);
        f(value, &mut |field| {
            count += 1;
            changes.field_expired(index, key, field);
        });
        let is_gone = value.is_empty();
        table.elements_changed(loc);
        self.stats.expired_fields += count;
        if count > 0 {
            self.changes.note(index, key, Event::HEXPIRED);
        }
        if is_gone {
            let value = self.dbs.get(index).table.remove(loc);
            self.lazy.value(value);
            self.changes.changed_by(index, key, Event::DEL, Effect::Removed, 0);
        }
    }
}
