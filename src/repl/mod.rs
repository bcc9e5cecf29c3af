//! Replication as machines without sockets: bytes, offsets and time go in, requests come out.
//!
//! ```text
//!                      +--------------------- Node ----------------------+
//!   our master  ~~~~>  |  Link            History              Master    |  ~~~~>  our replicas
//!                      |  (replica/)      ids, offset,         (master/) |
//!                      |                  backlog                        |
//!                      +-------------------------------------------------+
//! ```
//!
//! Every server has a [`History`] and a [`Master`] half, as anybody may become its replica; a server that follows
//! another has a [`Link`] as well. The halves know nothing of each other. [`Node`] holds them together and is what the
//! shell talks to: it says what promotion, a change of master or a new data set mean for each.
//!
//! Not here: sockets, files, the keyspace, how commands are executed or encoded. The stream is bytes.

pub mod backlog;
pub mod failover;
pub mod history;
pub mod identity;
pub mod io;
pub mod master;
pub mod newborn;
pub mod node;
pub mod replica;
pub mod wire;

#[cfg(test)]
mod simulation;

pub use failover::Plan;
pub use history::History;
pub use io::{HostPort, Input, Output, Settings};
pub use master::Master;
pub use node::Node;
pub use replica::Link;

use crate::base::rng::Rng;
use crate::base::time::Instant;

/// What a step of a machine works with: the moment, the settings, what both halves share, and where requests go.
pub struct Turn<'a> {
    /// The moment.
    pub now: Instant,
    /// The configuration.
    pub settings: &'a Settings,
    /// The stream.
    pub history: &'a mut History,
    /// Chance, for ids.
    pub rng: &'a mut Rng,
    /// How far our AOF is on disk, when there is one.
    pub fsynced: Option<u64>,
    /// What the shell shall do, in order.
    pub out: &'a mut Vec<Output>,
}
