//! WATCH: which clients are to be told that a key changed before their EXEC.
//!
//! The table maps a key of a database to the clients that watch it. A change looks the key up once; when nobody watches
//! anything, that is one comparison. What a client watches is also kept with the client, so that UNWATCH, EXEC and a
//! closed connection clean up without a search.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::base::id::ClientId;
use crate::session::{Session, WatchedKey};

/// One database: key to the clients that watch it.
type Watchers = HashMap<Box<[u8]>, SmallVec<[ClientId; 2]>>;

/// All watched keys.
#[derive(Debug, Default)]
pub struct WatchTable {
    by_db: HashMap<usize, Watchers>,
    clients: usize,
    keys: usize,
}

impl WatchTable {
    /// Whether nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Number of clients that watch at least one key (INFO's `watching_clients`).
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Number of watched keys (INFO's `total_watched_keys`).
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// Adds a key to what `client` watches, whose list so far is `own`. Watching a key twice changes nothing.
    pub fn watch(&mut self, client: ClientId, own: &mut Vec<WatchedKey>, db: usize, key: &[u8], was_expired: bool) {
        if own.iter().any(|watched| watched.db == db && *watched.key == *key) {
            return;
        }
        if own.is_empty() {
            self.clients += 1;
        }
        own.push(WatchedKey { db, key: key.into(), was_expired });
        let watchers = self.by_db.entry(db).or_default().entry(key.into()).or_default();
        if watchers.is_empty() {
            self.keys += 1;
        }
        watchers.push(client);
    }

    /// Forgets everything `client` watches.
    pub fn unwatch_all(&mut self, client: ClientId, own: &mut Vec<WatchedKey>) {
        if own.is_empty() {
            return;
        }
        self.clients -= 1;
        for watched in own.drain(..) {
            let Some(keys) = self.by_db.get_mut(&watched.db) else { continue };
            let Some(watchers) = keys.get_mut(&watched.key) else { continue };
            watchers.retain(|id| *id != client);
            if watchers.is_empty() {
                keys.remove(&watched.key);
                self.keys -= 1;
                if keys.is_empty() {
                    self.by_db.remove(&watched.db);
                }
            }
        }
    }

    /// The clients that watch this key.
    pub fn watchers(&self, db: usize, key: &[u8]) -> &[ClientId] {
        self.by_db.get(&db).and_then(|keys| keys.get(key)).map_or(&[], |clients| clients)
    }

    /// Every watched key of a database, with its clients. For FLUSHDB and SWAPDB.
    pub fn of_db(&self, db: usize) -> impl Iterator<Item = (&[u8], &[ClientId])> {
        self.by_db.get(&db).into_iter().flatten().map(|(key, clients)| (&**key, clients.as_slice()))
    }

    /// The databases in which something is watched.
    pub fn databases(&self) -> impl Iterator<Item = usize> {
        self.by_db.keys().copied()
    }
}

/// Tells a client that a key it may watch has changed. `is_gone` says that the key does not exist any more. A key whose time
/// was already over when it was watched did not exist for anybody: that it goes away is no change.
pub fn note_change(session: &mut Session, db: usize, key: &[u8], is_gone: bool) {
    let own = session.watched.iter_mut().find(|watched| watched.db == db && *watched.key == *key);
    match own {
        Some(watched) if watched.was_expired && is_gone => watched.was_expired = false,
        _ => session.is_watch_broken = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_watched_twice_counts_once_and_unwatch_forgets_it() {
        let mut table = WatchTable::default();
        let (a, b) = (ClientId(1), ClientId(2));
        let (mut own_a, mut own_b) = (Vec::new(), Vec::new());
        table.watch(a, &mut own_a, 0, b"k", false);
        table.watch(a, &mut own_a, 0, b"k", false);
        table.watch(b, &mut own_b, 0, b"k", false);
        assert_eq!((table.keys(), table.clients()), (1, 2));
        assert_eq!(table.watchers(0, b"k"), [a, b]);
        assert!(table.watchers(1, b"k").is_empty());
        table.unwatch_all(a, &mut own_a);
        assert_eq!(table.watchers(0, b"k"), [b]);
        table.unwatch_all(b, &mut own_b);
        assert!(table.is_empty() && table.clients() == 0 && table.of_db(0).next().is_none());
    }
}
