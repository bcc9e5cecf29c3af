//! Replication: the shell around `repl`.

use std::io;
use std::net::IpAddr;

use crate::base::time::Instant;
use crate::net::{Closed, ConnId};
use crate::server::{Server, Turn};

/// How often replicas were synchronised.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncFigures {
    /// Full resyncs.
    pub full: u64,
    /// Partial resyncs.
    pub partial_ok: u64,
    /// Requests for one that were refused.
    pub partial_err: u64,
}

impl Server {
    /// Bytes that the backlog and the replicas' buffers occupy.
    pub fn replication_memory(&self) -> u64 {
        0
    }

    /// For INFO stats.
    pub fn sync_figures(&self) -> SyncFigures {
        SyncFigures::default()
    }

    /// Replicas that have not confirmed everything.
    pub fn lagging_replicas(&self) -> usize {
        0
    }

    /// Logs who lags, before leaving.
    pub fn report_lagging_replicas(&self) {}

    /// How many replicas have confirmed this offset.
    pub fn replicas_at(&self, _offset: u64) -> usize {
        0
    }
}

impl Turn<'_> {
    /// Bytes from our master.
    pub fn master_received(&mut self, _conn: ConnId) {}

    /// An attempt to connect ended.
    pub fn link_connected(&mut self, _conn: ConnId, _result: io::Result<()>) {}

    /// A connection that may have been a link is gone.
    pub fn link_closed(&mut self, _conn: ConnId, _reason: &Closed) {}

    /// A connection's output is short again.
    pub fn link_drained(&mut self, _conn: ConnId) {}

    /// A name was looked up.
    pub fn link_resolved(&mut self, _tag: u64, _result: io::Result<Vec<IpAddr>>) {}

    /// Replication's part of the end of a turn; when it needs the next.
    pub fn end_turn_of_replication(&mut self) -> Instant {
        Instant::from_millis(u64::MAX)
    }
}
