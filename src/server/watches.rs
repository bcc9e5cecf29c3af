//! WATCH and the commands that change whole databases at once: which watched keys does a flush or a swap change?
//!
//! A key changes when it exists before or after. A watched key that is absent on both sides stays as it was, and so does
//! one whose time was already over when it was watched, if all that happens is that it goes away.

use crate::base::id::ClientId;
use crate::exec::Host;
use crate::keyspace::{Access, ExpiredKeys};
use crate::server::Turn;
use crate::session::Session;

impl Turn<'_> {
    /// To be called before a flush of one database, or of all (`None`).
    pub fn touch_watched_before_flush(&mut self, caller: &mut Session, db: Option<usize>) {
        let databases: Vec<usize> = match db {
            Some(db) => vec![db],
            None => self.server.engine.watch.databases().collect(),
        };
        for db in databases {
            let changed = self.watched_that_exist(db, db);
            self.break_watches(caller, changed);
        }
    }

    /// To be called before a snapshot of our master replaces everything.
    pub fn touch_all_watched(&mut self) {
        let databases: Vec<usize> = self.server.engine.watch.databases().collect();
        for db in databases {
            for client in self.watched_that_exist(db, db) {
                self.break_watch(client);
            }
        }
    }

    /// To be called before two databases are exchanged.
    pub fn touch_watched_before_swap(&mut self, caller: &mut Session, a: usize, b: usize) {
        if a != b {
            let mut changed = self.watched_that_exist(a, b);
            changed.extend(self.watched_that_exist(b, a));
            self.break_watches(caller, changed);
        }
    }

    /// The clients that watch a key of `db` which exists in `db` or in `other`.
    fn watched_that_exist(&mut self, db: usize, other: usize) -> Vec<ClientId> {
        let engine = &mut self.server.engine;
        let access = Access { now: engine.now.wall(), expired: ExpiredKeys::Hide, touch: false };
        let keyspace = &mut engine.keyspace;
        let mut found = Vec::new();
        for (key, clients) in engine.watch.of_db(db) {
            let exists = [db, other].into_iter().any(|db| keyspace.db(db as u32, access).contains(key));
            if exists {
                found.extend_from_slice(clients);
            }
        }
        found
    }

    fn break_watches(&mut self, caller: &mut Session, clients: Vec<ClientId>) {
        for client in clients {
            if client == caller.id {
                caller.is_watch_broken = true;
            } else {
                self.break_watch(client);
            }
        }
    }
}
