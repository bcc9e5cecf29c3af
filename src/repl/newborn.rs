//! A newborn master does not wipe its replicas.
//!
//! A master without files is killed and started again, sooner than anybody takes it for dead. It is empty, it is the master, and
//! its replicas ask it for its data: in Redis that is the end of all copies. Two doors are closed instead:
//!
//! 1. *At the master.* It knows that it started with nothing. Whoever asks it to continue another history than its own has more
//!    than it, and is told `-NOMASTERLINK`, which every replica, stock ones too, takes for "later" and keeps what it has.
//! 2. *At the replica.* A snapshot without a single key, under a new replication id, from the master that it has followed all
//!    along, is not put in the place of its data. That protects replicas of stock masters.
//!
//! INFO tells of either (`newborn_master_refused`), and a Sentinel of ours takes the master for down and has a replica with the data
//! take over.
//!
//! *What is meant to be empty* stays possible. A new cluster: replicas without a history are served. FLUSHALL on a living master:
//! it did not start with nothing, and its id is the one that the replica knows. REPLICAOF by hand: a replica that was just told
//! whom to follow does not close its door and says so to the other (`REPLCONF capa replace`). For everything else there is
//! `newborn-master-protection no`.

use crate::base::time::Instant;

/// What a replica that was told to give up its data says of itself, as a `REPLCONF capa`.
pub const REPLACE: &[u8] = b"replace";

/// What a replica is told that would lose its data here.
pub const REFUSAL: &str = "NOMASTERLINK This master started without data, and you have some: a full resync would remove them. \
                           See newborn-master-protection";

/// For so long somebody refused is counted, in milliseconds; they come back each second.
const REMEMBERED: u64 = 30_000;

/// Milliseconds between two lines about it in the log.
const LOG_PERIOD: u64 = 60_000;

/// More need not be told apart.
const REFUSED_MAX: usize = 1000;

/// Whether we are such a master, and who was refused.
#[derive(Debug, Default)]
pub struct Newborn {
    is_newborn: bool,
    refused: Vec<(String, Instant)>,
    logged: Option<Instant>,
    /// When we last refused the data of our own master.
    refused_master: Option<Instant>,
}

impl Newborn {
    /// The process has started as a master, and had nothing to load.
    pub fn begin(&mut self) {
        self.is_newborn = true;
    }

    /// Our data are those of a history, or somebody decided that we are the master.
    pub fn end(&mut self) {
        self.is_newborn = false;
        self.forget_refused();
    }

    /// Whether we started with nothing.
    pub fn is_newborn(&self) -> bool {
        self.is_newborn
    }

    /// A replica was refused. Whether the log should say so.
    pub fn refuse(&mut self, now: Instant, replica: String) -> bool {
        self.refused.retain(|(name, at)| *name != replica && now.since(*at) < REMEMBERED);
        if self.refused.len() < REFUSED_MAX {
            self.refused.push((replica, now));
        }
        let is_due = self.logged.is_none_or(|at| now.since(at) >= LOG_PERIOD);
        if is_due {
            self.logged = Some(now);
        }
        is_due
    }

    /// We refused the data of our master.
    pub fn refuse_master(&mut self, now: Instant) {
        self.refused_master = Some(now);
    }

    /// Our role or our master changed, or its data were taken in: what was refused before says nothing any more.
    pub fn forget_refused(&mut self) {
        self.refused.clear();
        self.refused_master = None;
    }

    /// How many were refused lately: replicas of ours, or our master.
    pub fn refused(&self, now: Instant) -> usize {
        let is_recent = |at: &Instant| now.since(*at) < REMEMBERED;
        let replicas = self.refused.iter().filter(|(_, at)| is_recent(at)).count();
        replicas + usize::from(self.refused_master.as_ref().is_some_and(is_recent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_replica_counts_once_and_is_forgotten() {
        let mut newborn = Newborn::default();
        newborn.begin();
        let at = Instant::from_millis;
        assert!(newborn.refuse(at(0), "a".into()));
        assert!(!newborn.refuse(at(1000), "a".into()), "the log is not filled");
        assert!(!newborn.refuse(at(1000), "b".into()));
        assert_eq!(newborn.refused(at(1000)), 2);
        assert_eq!(newborn.refused(at(31_000)), 0);
        assert!(newborn.refuse(at(70_000), "a".into()));
        newborn.end();
        assert_eq!((newborn.is_newborn(), newborn.refused(at(70_000))), (false, 0));
        newborn.refuse_master(at(70_000));
        assert_eq!(newborn.refused(at(70_001)), 1);
        newborn.forget_refused();
        assert_eq!(newborn.refused(at(70_001)), 0);
    }
}
