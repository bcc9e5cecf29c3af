//! How a cluster is built.

use crate::network::Host;

/// The name of the master every Sentinel watches, and of the others if there are any.
pub const MASTER: &str = "mymaster";
const OTHER_MASTERS: [&str; 3] = ["second", "third", "fourth"];

pub const DATA_PORT: u16 = 6379;
pub const SENTINEL_PORT: u16 = 26379;

#[derive(Clone, Debug)]
pub struct Shape {
    /// Masters that are watched, each with its replicas.
    pub masters: usize,
    /// Servers of each master, itself included.
    pub servers: usize,
    pub sentinels: usize,
    pub quorum: u32,
    pub down_after: u64,
    pub failover_timeout: u64,
    pub parallel_syncs: u32,
    pub latency: (u64, u64),
    /// Time a write to the disk takes.
    pub disk: (u64, u64),
    /// Whether server n and Sentinel n share a machine.
    pub is_shared_host: bool,
    /// Chance in percent that a Sentinel crashes just when it has asked the disk to keep something.
    pub crash_at_persist: u64,
    /// How far the speed of a Sentinel's clock may be off, in thousandths.
    pub drift: u64,
    /// Whether the Sentinels start with files that name all others, as after an earlier life.
    pub is_acquainted: bool,
    /// How long TILT lasts.
    pub tilt: u64,
    /// What does not do what it should, for tests of the checks.
    pub sabotage: Sabotage,
}

/// Something that is built wrong. No check is worth anything that does not notice it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    #[default]
    None,
    /// A Sentinel votes for whoever asks, as often as it is asked.
    VotesForEverybody,
    /// Disks keep the first state they are given, and say that they keep the others.
    DisksForget,
    /// Every hundredth command of the stream is not executed by a replica, although it counts it.
    ReplicasSkip,
    /// A replica whose link broke asks for the stream from a command earlier than it should.
    ReplicasRepeat,
    /// INFO of a replica says the less the more it has got.
    OffsetsLie,
    /// Servers say OK when they are told to follow another, and do nothing.
    ServersStay,
    /// One Sentinel starts a failover by hand once all is well again.
    OneTooMany,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            masters: 1,
            servers: 3,
            sentinels: 3,
            quorum: 2,
            down_after: 1000,
            failover_timeout: 10_000,
            parallel_syncs: 1,
            latency: (0, 1),
            disk: (2, 10),
            is_shared_host: true,
            crash_at_persist: 0,
            drift: 2,
            is_acquainted: false,
            tilt: 30_000,
            sabotage: Sabotage::None,
        }
    }
}

impl Shape {
    pub fn all_servers(&self) -> usize {
        self.masters * self.servers
    }

    pub fn hosts(&self) -> usize {
        let (servers, sentinels) = (self.all_servers(), self.sentinels);
        if self.is_shared_host { servers.max(sentinels) } else { servers + sentinels }
    }

    pub fn host_of_sentinel(&self, index: usize) -> Host {
        if self.is_shared_host { index } else { self.all_servers() + index }
    }

    /// Which master's server this is.
    pub fn group_of(&self, server: usize) -> usize {
        server / self.servers
    }

    /// The server that is master of a group in the beginning.
    pub fn first_of(&self, group: usize) -> usize {
        group * self.servers
    }
}

pub fn name_of(group: usize) -> &'static str {
    group.checked_sub(1).map_or(MASTER, |other| OTHER_MASTERS[other])
}

pub fn ip_of(host: Host) -> String {
    format!("10.0.0.{}", host + 1)
}

/// The machine with this address.
pub fn host_at(ip: &str) -> Option<Host> {
    ip.strip_prefix("10.0.0.")?.parse::<Host>().ok()?.checked_sub(1)
}
