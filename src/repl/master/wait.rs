//! Counting acknowledgements: for WAIT, and for `min-replicas-to-write`.
//!
//! A replica is *good* when it is online and acknowledged something within `min-replicas-max-lag` seconds, counted in
//! whole seconds: with a limit of 10 it turns bad once 11 seconds have passed.

use crate::repl::Turn;
use crate::repl::io::{Output, Settings};
use crate::repl::master::{Master, Replica};

/// Whether good replicas matter at all.
pub fn counts_good(settings: &Settings) -> bool {
    settings.min_replicas > 0 && settings.min_replicas_max_lag > 0
}

impl Master {
    /// Online replicas that have executed everything up to `offset`.
    pub fn acked_by(&self, offset: u64) -> usize {
        self.replicas.iter().filter(|replica| replica.is_online() && replica.acked >= offset).count()
    }

    /// Online replicas whose AOF is on disk up to `offset`.
    pub fn fsynced_by(&self, offset: u64) -> usize {
        self.replicas.iter().filter(|replica| replica.is_online() && replica.fsynced >= offset).count()
    }

    /// Replicas that follow the stream, or will, and have not executed everything up to `offset`.
    pub fn lagging(&self, offset: u64) -> usize {
        self.replicas.iter().filter(|replica| !replica.intro.rdb_only && replica.acked < offset).count()
    }

    /// Whether writes must be refused for want of good replicas.
    pub fn lacks_good(&self, settings: &Settings) -> bool {
        counts_good(settings) && self.good < settings.min_replicas as usize
    }

    pub(super) fn recount(&mut self, turn: &mut Turn<'_>) {
        let lag_max = u64::from(turn.settings.min_replicas_max_lag);
        for replica in &mut self.replicas {
            replica.good = replica.is_online() && !replica.closing && replica.lag_secs(turn.now) <= lag_max;
        }
        let good = self.replicas.iter().filter(|replica: &&Replica| replica.good).count();
        if std::mem::replace(&mut self.good, good) != good {
            turn.out.push(Output::Acknowledged);
        }
    }
}
