//! Keys to which clients of a writable replica gave an expiry.
//!
//! A replica leaves expiring to its master, which says when a key goes. Of keys that were written here the master knows
//! nothing, so nobody would ever remove them. They are remembered by name while the server is a writable replica, and looked
//! at now and then. A name is all that is kept: the key may be gone, or may have been overwritten by the master meanwhile;
//! then the name is forgotten, and if the master gave it an expiry that is over, it goes a moment early, as in Redis.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use super::db::is_over;
use super::{ExpireStep, Keyspace};
use crate::base::time::UnixMillis;

/// Names looked at between two questions for time.
const NAMES: usize = 64;

/// The names, and where looking stopped.
#[derive(Default)]
pub(super) struct OwnExpires {
    names: BTreeSet<(u32, Box<[u8]>)>,
    next: Option<(u32, Box<[u8]>)>,
    is_kept: bool,
}

impl OwnExpires {
    /// A client gave this key an expiry.
    pub fn note(&mut self, db: u32, key: &[u8]) {
        if self.is_kept {
            self.names.insert((db, key.into()));
        }
    }

    /// The next names to look at, from where the last look stopped.
    fn some(&mut self) -> Vec<(u32, Box<[u8]>)> {
        let from = self.next.take();
        let begin = from.as_ref().map_or(Unbounded, Excluded);
        let names: Vec<_> = self.names.range((begin, Unbounded)).take(NAMES).cloned().collect();
        if names.len() == NAMES {
            self.next = names.last().cloned();
        }
        names
    }
}

impl Keyspace {
    /// Whether names are to be kept: on a replica that takes writes. Otherwise they are forgotten.
    pub fn keep_own_expires(&mut self, is_kept: bool) {
        if self.own_expires.is_kept != is_kept {
            self.own_expires = OwnExpires { is_kept, ..Default::default() };
        }
    }

    /// How many names are kept.
    pub fn own_expires(&self) -> usize {
        self.own_expires.names.len()
    }

    /// Removes those of the named keys whose time is over at `now`, as long as `more` says so.
    pub fn expire_own_step(&mut self, now: UnixMillis, more: &mut dyn FnMut() -> bool) -> ExpireStep {
        let mut step = ExpireStep::default();
        loop {
            let names = self.own_expires.some();
            for (db, key) in names {
                let hash = self.hash(&key);
                let table = self.dbs.peek(db).map(|db| &db.table);
                let expiry = table.and_then(|table| table.expiry(table.find(hash, &key)?));
                if is_over(expiry, now) {
                    self.remove_expired(db, &key);
                    step.removed += 1;
                } else if expiry.is_some() {
                    continue;
                }
                self.own_expires.names.remove(&(db, key));
            }
            if self.own_expires.next.is_none() {
                step.finished = true;
                return step;
            }
            if !more() {
                return step;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::data::string::NewStr;
    use crate::keyspace::{Access, Event, Expiry};

    const NOW: UnixMillis = UnixMillis(1000);

    fn set(keyspace: &mut Keyspace, access: Access, key: &[u8], until: i64) {
        let expiry = Expiry::At(UnixMillis(until));
        keyspace.db(1, access).put(key, NewStr::Text(b"v"), expiry, Event::SET);
    }

    #[test]
    fn only_what_a_client_wrote_is_removed_and_only_when_its_time_is_over() {
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        keyspace.keep_own_expires(true);
        let client = Access::replica(NOW);
        set(&mut keyspace, Access::history(NOW), b"of the master", 2000);
        set(&mut keyspace, client, b"later", 9000);
        set(&mut keyspace, client, b"gone", 2000);
        keyspace.db(1, client).remove(b"gone", Event::DEL);
        keyspace.db(1, client).put(b"persistent", NewStr::Text(b"v"), Expiry::Clear, Event::SET);
        (0..300u32).for_each(|n| set(&mut keyspace, client, &n.to_be_bytes(), 2000));
        assert_eq!(keyspace.own_expires(), 302);

        assert_eq!(keyspace.expire_own_step(UnixMillis(2000), &mut || true).removed, 0);
        let first = keyspace.expire_own_step(UnixMillis(2001), &mut || false);
        assert_eq!((first.removed, first.finished), (NAMES, false));
        while !keyspace.expire_own_step(UnixMillis(2001), &mut || false).finished {}
        assert_eq!((keyspace.len(), keyspace.own_expires()), (3, 1));
        keyspace.keep_own_expires(false);
        assert_eq!(keyspace.own_expires(), 0);
        set(&mut keyspace, client, b"as a master", 2000);
        assert_eq!(keyspace.own_expires(), 0);
    }
}
