//! WATCH and the commands that change whole databases at once: which watched keys does a flush or a swap change?
//!
//! A key changes when it exists before or after, with two exceptions, both about keys whose time is over and which
//! therefore do not exist for anybody: one that was already so when it was watched may go away or stay so, and a key that
//! did not exist may be exchanged for one that is so.

use crate::base::id::ClientId;
use crate::exec::tracking;
use crate::keyspace::{Access, ExpiredKeys};
use crate::server::Turn;
use crate::session::Session;

/// What a key of a database is before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    /// There, but its time is over.
    Stale,
    Alive,
}

/// One watched key about to be changed with its whole database.
struct Fate {
    client: ClientId,
    db: usize,
    key: Box<[u8]>,
    before: State,
    after: State,
}

impl Turn<'_> {
    /// To be called before a flush of one database, or of all (`None`).
    pub fn touch_watched_before_flush(&mut self, caller: &mut Session, db: Option<usize>) {
        let databases: Vec<usize> = match db {
            Some(db) => vec![db],
            None => self.server.engine.watch.databases().collect(),
        };
        for db in databases {
            let fates = self.fates(db, None);
            self.meet(Some(&mut *caller), fates);
        }
    }

    /// To be called before a snapshot of our master replaces everything. Clients with caches are told as well.
    pub fn touch_all_watched(&mut self) {
        tracking::all_changed(self, None);
        let databases: Vec<usize> = self.server.engine.watch.databases().collect();
        for db in databases {
            let fates = self.fates(db, None);
            self.meet(None, fates);
        }
    }

    /// To be called before two databases are exchanged.
    pub fn touch_watched_before_swap(&mut self, caller: &mut Session, a: usize, b: usize) {
        if a != b {
            let mut fates = self.fates(a, Some(b));
            fates.extend(self.fates(b, Some(a)));
            self.meet(Some(&mut *caller), fates);
        }
    }

    /// The watched keys of `db`, which is about to become what `other` is, or empty.
    fn fates(&mut self, db: usize, other: Option<usize>) -> Vec<Fate> {
        let engine = &mut self.server.engine;
        let now = engine.now.wall();
        let access = Access { now, expired: ExpiredKeys::Ignore, touch: false };
        let keyspace = &mut engine.keyspace;
        let mut state = |db: usize, key: &[u8]| match keyspace.db(db as u32, access).peek_expiry(key) {
            None => State::Absent,
            Some(Some(at)) if at <= now => State::Stale,
            Some(_) => State::Alive,
        };
        let mut fates = Vec::new();
        for (key, clients) in engine.watch.of_db(db) {
            let before = state(db, key);
            let after = other.map_or(State::Absent, |other| state(other, key));
            fates.extend(clients.iter().map(|client| Fate { client: *client, db, key: key.into(), before, after }));
        }
        fates
    }

    fn meet(&mut self, mut caller: Option<&mut Session>, fates: Vec<Fate>) {
        for fate in fates {
            match caller.as_deref_mut() {
                Some(session) if session.id == fate.client => fate.meet(session),
                _ => {
                    if let Some(session) = self.server.clients.session_mut(fate.client) {
                        fate.meet(session);
                    }
                }
            }
        }
    }
}

impl Fate {
    fn meet(self, session: &mut Session) {
        let own = session.watched.iter_mut().find(|watched| watched.db == self.db && watched.key == self.key);
        let Some(watched) = own else { return };
        match (self.before, self.after) {
            (State::Absent, State::Absent) => {}
            (State::Absent, State::Stale) => watched.was_expired = true,
            (_, State::Absent) if watched.was_expired => watched.was_expired = false,
            (_, State::Stale) if watched.was_expired => {}
            _ => session.is_watch_broken = true,
        }
    }
}
