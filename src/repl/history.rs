//! What a server knows of the stream: whose history it is, how far it goes, and the last part of it.
//!
//! Both halves of replication work on this one value. A master appends what it executes; a replica appends, byte for
//! byte, what its master sent and it has executed. Either may then serve replicas of its own from the same place.
//!
//! Without a backlog nobody reads the stream, but its bytes are counted: the offset also says how far the append only file
//! is on disk.

use bytes::Bytes;

use crate::base::id::HexId;
use crate::base::rng::Rng;
use crate::repl::backlog::{Backlog, Chunk};
use crate::repl::identity::Identity;

/// Identity, offset and backlog.
#[derive(Debug)]
pub struct History {
    identity: Identity,
    end: u64,
    backlog: Option<Backlog>,
    backlog_limit: u64,
}

impl History {
    /// An empty history under a new id.
    pub fn new(rng: &mut Rng, backlog_limit: u64) -> History {
        History { identity: Identity::random(rng), end: 0, backlog: None, backlog_limit }
    }

    /// The two ids.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// `master_repl_offset`: number of the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Number of the byte that comes next.
    pub fn next(&self) -> u64 {
        self.end + 1
    }

    /// The kept part, when there is one.
    pub fn backlog(&self) -> Option<&Backlog> {
        self.backlog.as_ref()
    }

    /// `repl-backlog-size`, whether or not a backlog exists.
    pub fn backlog_limit(&self) -> u64 {
        self.backlog_limit
    }

    /// Sets `repl-backlog-size`.
    pub fn resize_backlog(&mut self, limit: u64) {
        self.backlog_limit = limit;
        if let Some(backlog) = &mut self.backlog {
            backlog.resize(limit);
        }
    }

    /// Appends stream bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.backlog {
            backlog.append(bytes);
        }
        self.end += bytes.len() as u64;
    }

    /// Appends stream bytes, sharing them when they are long.
    pub fn append_shared(&mut self, bytes: Bytes) {
        self.end += bytes.len() as u64;
        if let Some(backlog) = &mut self.backlog {
            backlog.append_shared(bytes);
        }
    }

    /// The run of bytes at `position`, `None` when there are none yet.
    pub fn read(&self, position: u64) -> Option<Chunk<'_>> {
        self.backlog.as_ref().and_then(|backlog| backlog.read(position))
    }

    /// Whether a reader may start at `position`.
    pub fn holds(&self, position: u64) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.holds(position))
    }

    /// Frees what neither the limit nor a reader at `needed` wants. Says whether there is more to free.
    pub fn trim(&mut self, needed: Option<u64>) -> bool {
        self.backlog.as_mut().is_some_and(|backlog| backlog.trim(needed))
    }

    /// Makes sure that there is a backlog.
    pub fn keep_backlog(&mut self) {
        if self.backlog.is_none() {
            self.backlog = Some(Backlog::new(self.next(), self.backlog_limit));
        }
    }

    /// A first replica on a master without a backlog: nobody can know this history up to here, as what was written
    /// before has no bytes. So it gets a new name.
    pub fn begin(&mut self, rng: &mut Rng) {
        self.identity = Identity::random(rng);
        self.keep_backlog();
    }

    /// Frees the backlog; what is written from now on is not counted, so the old name must not be used for it.
    pub fn forget(&mut self, rng: &mut Rng) {
        self.backlog = None;
        self.identity = Identity::random(rng);
    }

    /// Frees the backlog only: the data set it belongs to is about to be replaced.
    pub fn drop_backlog(&mut self) {
        self.backlog = None;
    }

    /// A new name for the same data, unrelated to the old one.
    pub fn rename(&mut self, rng: &mut Rng) {
        self.identity = Identity::random(rng);
    }

    /// This replica is master now: its own history starts where the old one ends.
    pub fn promote(&mut self, rng: &mut Rng) {
        self.identity.continue_as(HexId::random(rng), self.end);
    }

    /// The master goes on under another id.
    pub fn follow(&mut self, id: HexId) {
        self.identity.continue_as(id, self.end);
    }

    /// A full resync has been loaded: we are at byte `end` of the master's history.
    pub fn adopt(&mut self, id: HexId, end: u64) {
        self.identity = Identity::of(id);
        self.end = end;
        self.backlog = None;
        self.keep_backlog();
    }

    /// A replica starts again from a file that says where in its master's history the data stands.
    pub fn restore_replica(&mut self, id: HexId, end: u64) {
        self.adopt(id, end);
    }

    /// These are the last bytes of the stream, up to the present end: whoever lacks only them may go on from here.
    pub fn recall(&mut self, bytes: &[u8]) {
        if let Some(backlog) = self.backlog.as_mut().filter(|backlog| backlog.history_len() == 0)
            && bytes.len() as u64 <= self.end
        {
            *backlog = Backlog::new(self.end + 1 - bytes.len() as u64, self.backlog_limit);
            backlog.append(bytes);
        }
    }

    /// Nothing was written since [`History::restore_master`], and somebody else goes on with the history that was saved: it has
    /// its old name again.
    pub fn resume(&mut self, id: HexId) {
        self.identity = Identity::of(id);
    }

    /// A master starts again from such a file: new name, but whoever was at that point may go on from here.
    pub fn restore_master(&mut self, id: HexId, end: u64) {
        self.identity.succeed(id, end);
        self.end = end;
        self.backlog = None;
        self.keep_backlog();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_backlog_bytes_are_counted_and_not_kept() {
        let mut rng = Rng::seeded(1);
        let mut history = History::new(&mut rng, 16 * 1024);
        let first = history.identity().id();
        history.append(b"not kept");
        assert_eq!((history.end(), history.holds(1)), (8, false));
        history.begin(&mut rng);
        assert_ne!(history.identity().id(), first);
        history.append(b"kept");
        history.append_shared(Bytes::from_static(b"!"));
        assert_eq!((history.end(), history.holds(8), history.holds(9), history.holds(14)), (13, false, true, true));
        assert_eq!(history.read(14), None);
    }

    #[test]
    fn a_restarted_master_serves_its_old_replicas_from_the_saved_offset() {
        let mut rng = Rng::seeded(1);
        let saved = HexId::random(&mut rng);
        let mut history = History::new(&mut rng, 16 * 1024);
        history.restore_master(saved, 500);
        assert_eq!((history.end(), history.backlog().map(Backlog::first)), (500, Some(501)));
        assert!(history.identity().covers(saved.as_bytes(), 501) && history.holds(501));
        assert!(!history.holds(500));
    }

    #[test]
    fn a_restarted_master_has_the_bytes_that_its_file_had() {
        let mut rng = Rng::seeded(1);
        let saved = HexId::random(&mut rng);
        let mut history = History::new(&mut rng, 16 * 1024);
        history.restore_master(saved, 500);
        history.recall(b"0123456789");
        assert_eq!((history.end(), history.backlog().map(Backlog::first)), (500, Some(491)));
        assert!(history.identity().covers(saved.as_bytes(), 495) && history.holds(495));
        assert_eq!(history.read(491).unwrap().as_bytes(), b"0123456789");
        history.append(b"more");
        history.recall(b"too late");
        assert_eq!((history.end(), history.backlog().map(Backlog::first)), (504, Some(491)));
    }

    #[test]
    fn a_promoted_replica_keeps_its_bytes() {
        let mut rng = Rng::seeded(1);
        let mut history = History::new(&mut rng, 16 * 1024);
        let master = HexId::random(&mut rng);
        history.adopt(master, 1000);
        history.append(b"0123456789");
        history.promote(&mut rng);
        assert!(history.identity().covers(master.as_bytes(), 1003) && history.holds(1003));
        assert_eq!(history.identity().second_offset(), 1011);
    }
}
