//! A second keyspace, filled beside the one that is served, which then takes its place or is thrown away.
//!
//! For `repl-diskless-load swapdb`: the old data stay as they are until the new ones are whole. Keys hash alike in both, and
//! tables get ids that the other will not use, so that what follows the exchange (a cut, a look-up) finds nothing strange.

use super::{Databases, FlushMode, Keyspace};
use crate::base::rng::Rng;

impl Keyspace {
    /// An empty keyspace like this one.
    pub fn beside(&mut self) -> Keyspace {
        let mut other = Keyspace::new(self.databases, Rng::seeded(self.rng.next_u64()));
        let Databases { hasher, pager, epoch, next_id, .. } = &self.dbs;
        other.dbs =
            Databases { pager: pager.clone(), epoch: *epoch, next_id: *next_id, ..Databases::new(hasher.clone()) };
        other.recency = self.recency;
        other
    }

    /// Puts the data of `other`, made by [`Keyspace::beside`], in the place of ours, which are freed as `mode` says. Adds
    /// what is removed to `dirty` as a flush does, and notes no change.
    pub fn take_over(&mut self, other: Keyspace, mode: FlushMode) {
        self.flush_all(mode);
        let Databases { low, high, next_id, .. } = other.dbs;
        let low = low.into_iter().zip(0u32..).filter_map(|(db, index)| Some((index, db?)));
        for (index, db) in low.chain(high) {
            self.dbs.place(index, Some(db));
        }
        self.dbs.next_id = self.dbs.next_id.max(next_id);
    }

    /// Frees the data of `other` in the background.
    pub fn discard(&mut self, mut other: Keyspace) {
        let indexes: Vec<u32> = other.dbs.iter().map(|(index, _)| index).collect();
        for db in indexes.into_iter().filter_map(|index| other.dbs.take(index)) {
            self.lazy.table(db.table);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixMillis;
    use crate::data::string::{NewStr, Str};
    use crate::keyspace::{Access, Event, Expiry};

    fn set(keyspace: &mut Keyspace, db: u32, key: &[u8], value: &[u8]) {
        keyspace.db(db, Access::master(UnixMillis(0))).put(key, NewStr::Text(value), Expiry::Clear, Event::SET);
    }

    fn get(keyspace: &mut Keyspace, db: u32, key: &[u8]) -> Option<Vec<u8>> {
        keyspace.db(db, Access::master(UnixMillis(0))).read::<Str>(key).unwrap().map(|view| view.to_vec())
    }

    #[test]
    fn what_was_filled_aside_replaces_everything_or_nothing() {
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        set(&mut keyspace, 0, b"a", b"old");
        set(&mut keyspace, 300 % 16, b"b", b"old");
        let mut other = keyspace.beside();
        assert_eq!(other.hash(b"a"), keyspace.hash(b"a"));
        set(&mut other, 0, b"a", b"never");
        keyspace.discard(other);
        assert_eq!(get(&mut keyspace, 0, b"a").unwrap(), b"old");

        let mut other = keyspace.beside();
        (0..1000).for_each(|n: u32| set(&mut other, n % 3, &n.to_be_bytes(), b"new"));
        // Meanwhile the old one goes on: a new table, and a new epoch.
        set(&mut keyspace, 7, b"c", b"old");
        keyspace.take_over(other, FlushMode::Async);
        assert_eq!(keyspace.len(), 1000);
        assert_eq!((get(&mut keyspace, 0, b"a"), get(&mut keyspace, 7, b"c")), (None, None));
        assert_eq!(get(&mut keyspace, 2, &5u32.to_be_bytes()).unwrap(), b"new");
        set(&mut keyspace, 9, b"d", b"later");
        let mut ids: Vec<u64> = keyspace.dbs.iter().map(|(_, db)| db.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), keyspace.dbs.iter().count(), "an id names one table");
    }
}
