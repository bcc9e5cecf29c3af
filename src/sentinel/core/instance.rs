//! What a Sentinel knows of the processes it watches: each master, with its replicas and the other Sentinels.
//!
//! Data only. What all have in common is [`Instance`]; what INFO tells of masters and replicas is [`Observed`]. Facts that
//! mean something only during a failover live in its state (`failover.rs`), not in flags here.

use bytes::Bytes;

use super::address::Address;
use super::contest::Contest;
use super::failover::{Failover, Holdup};
use super::io::{MasterId, Ticket};
use super::link::{InstanceId, LinkId};
use super::settings::MasterSettings;
use crate::base::id::HexId;
use crate::base::time::Instant;

/// Role a server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `role:master`
    Master,
    /// `role:slave`
    Replica,
}

impl Role {
    /// The word Redis uses.
    pub fn word(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Replica => "slave",
        }
    }
}

/// What every watched process has.
#[derive(Clone, Debug)]
pub struct Instance {
    /// A master's configured name, a replica's `host:port`, a Sentinel's id.
    pub name: String,
    pub address: Address,
    /// Of a data server as INFO tells it, of a Sentinel its id.
    pub run_id: Option<String>,
    pub link: LinkId,
    /// Subjectively down.
    pub is_down: bool,
    /// When it last went down, kept after it came back.
    pub went_down: Option<Instant>,
    /// Last hello sent there.
    pub hello_sent: Option<Instant>,
    /// No hello is sent before, unless there is news.
    pub hello_due: Instant,
    /// Whether SCRIPT KILL was tried since it went down.
    pub is_script_kill_sent: bool,
}

impl Instance {
    /// A process nobody has talked to yet.
    pub fn new(name: String, address: Address, link: LinkId, now: Instant) -> Instance {
        Instance {
            name,
            address,
            run_id: None,
            link,
            is_down: false,
            went_down: None,
            hello_sent: None,
            hello_due: now,
            is_script_kill_sent: false,
        }
    }

    /// Whether it did not go down within the last `ms` milliseconds.
    pub fn is_steady_for(&self, ms: u64, now: Instant) -> bool {
        self.went_down.is_none_or(|at| now.since(at) > ms)
    }
}

/// What a data server's INFO last said.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The whole text.
    pub text: Option<Bytes>,
    /// When it came.
    pub refreshed: Option<Instant>,
    /// When INFO was last sent; `None` asks for one at once.
    pub asked: Option<Instant>,
    /// Whether that INFO has no answer yet.
    pub is_asked: bool,
    /// `master_repl_offset`: how far the replication stream it produces or follows has come.
    pub stream_offset: u64,
    pub role: Role,
    pub role_since: Instant,
    /// Since when it says that a master started without data, and that somebody who has some refused it or was refused.
    pub newborn_since: Option<Instant>,
}

impl Observed {
    /// Nothing said yet: it is taken for what we were told it is.
    pub fn new(role: Role, now: Instant) -> Observed {
        Observed {
            text: None,
            refreshed: None,
            asked: None,
            is_asked: false,
            stream_offset: 0,
            role,
            role_since: now,
            newborn_since: None,
        }
    }

    /// Whether INFO came at `moment` or later.
    pub fn is_newer_than(&self, moment: Instant) -> bool {
        self.refreshed.is_some_and(|at| at >= moment)
    }

    /// Whether INFO came within the last `ms` milliseconds.
    pub fn is_fresh(&self, ms: u64, now: Instant) -> bool {
        self.refreshed.is_some_and(|at| now.since(at) <= ms)
    }
}

/// How far a replica has followed to the new master during a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconf {
    /// Not told yet.
    None,
    /// Told, at this moment.
    Sent(Instant),
    /// It reports the new master's address.
    InProgress,
    /// Its link to the new master is up, or we gave up waiting.
    Done,
}

/// A replica.
#[derive(Clone, Debug)]
pub struct Replica {
    pub id: InstanceId,
    pub instance: Instance,
    pub observed: Observed,
    /// Milliseconds its link to the master had been down, at the last INFO.
    pub link_down_ms: u64,
    /// It had not once been connected to the master it follows, at the last INFO.
    pub is_never_linked: bool,
    pub master_host: Option<String>,
    pub master_port: u16,
    pub is_link_up: bool,
    pub priority: i64,
    pub offset: u64,
    /// `replica-announced`: whether listings show it.
    pub is_announced: bool,
    /// When the master it reports, or its role, last changed.
    pub conf_changed: Instant,
    pub reconf: Reconf,
    /// Whether it has reported being a replica since we know it under its present run id. What has, and then is a master,
    /// was promoted by somebody; what has not came up as a master by itself.
    pub was_replica: bool,
    /// The same under any earlier run id.
    pub was_replica_before: bool,
    /// Since when its configuration is seen to contradict ours, on the present connection.
    pub conflict_since: Option<Instant>,
    /// When we last told it whom to follow outside of a failover.
    pub corrected: Option<Instant>,
    /// When it last refused to become a master.
    pub refused: Option<Instant>,
}

/// Priority of a replica that has not reported one.
pub const DEFAULT_PRIORITY: i64 = 100;

impl Replica {
    /// A replica nobody has talked to yet.
    pub fn new(id: InstanceId, instance: Instance, now: Instant) -> Replica {
        Replica {
            id,
            instance,
            observed: Observed::new(Role::Replica, now),
            link_down_ms: 0,
            is_never_linked: false,
            master_host: None,
            master_port: 0,
            is_link_up: false,
            priority: DEFAULT_PRIORITY,
            offset: 0,
            is_announced: true,
            conf_changed: now,
            reconf: Reconf::None,
            was_replica: false,
            was_replica_before: false,
            conflict_since: None,
            corrected: None,
            refused: None,
        }
    }
}

/// Another Sentinel watching the same master.
#[derive(Clone, Debug)]
pub struct Peer {
    pub id: InstanceId,
    pub instance: Instance,
    /// Last hello from it.
    pub hello_received: Instant,
    /// Whether it said that the master is down.
    pub says_down: bool,
    /// When it last said anything about that.
    pub answered: Instant,
    /// When it was last asked about the master, and whether that is still without an answer.
    pub asked: Option<Instant>,
    pub is_ask_on_wire: bool,
    /// The epoch of our last candidacy it has answered, with its vote or without.
    pub answered_epoch: u64,
    /// The epoch of the last candidacy it was asked to vote for.
    pub asked_epoch: u64,
    /// Its vote, as it told us.
    pub leader: Option<HexId>,
    pub leader_epoch: u64,
    /// When the last question was asked to which it named the same master address as we do.
    pub confirmed: Option<Instant>,
    /// Whether it last named another master than we do.
    pub dissents: bool,
    /// When a confirmation was last asked for.
    pub confirm_asked: Option<Instant>,
}

impl Peer {
    /// A Sentinel nobody has talked to yet.
    pub fn new(id: InstanceId, instance: Instance, now: Instant) -> Peer {
        Peer {
            id,
            instance,
            hello_received: now,
            says_down: false,
            answered: now,
            asked: None,
            is_ask_on_wire: false,
            answered_epoch: 0,
            asked_epoch: 0,
            leader: None,
            leader_epoch: 0,
            confirmed: None,
            dissents: false,
            confirm_asked: None,
        }
    }
}

/// A monitored master and everybody around it.
#[derive(Clone, Debug)]
pub struct Master {
    pub id: MasterId,
    /// Grows with each reset and address change.
    pub era: u32,
    /// When that was last.
    pub era_since: Instant,
    pub instance: Instance,
    pub observed: Observed,
    pub settings: MasterSettings,
    /// Epoch of the failover that made this the master.
    pub config_epoch: u64,
    /// Whether it was a failover of ours, in this life, that made this configuration.
    pub is_configuration_ours: bool,
    /// Another configuration of the same epoch exists: ours may have to move to a new one.
    pub contest: Option<Contest>,
    /// Whom we voted for in `leader_epoch`. Forgotten by a restart, while the epoch is not.
    pub leader: Option<HexId>,
    pub leader_epoch: u64,
    /// What made that vote durable, or will.
    pub vote_ticket: Ticket,
    /// Since when it is objectively down.
    pub odown: Option<Instant>,
    /// Whether the log has told that too few see it down.
    pub is_lack_told: bool,
    /// Since when we watch it, or watch it anew after a RESET: long enough to have heard of newer configurations?
    pub watched_since: Instant,
    /// Since when it is known to have restarted, under `master-reboot-down-after-period`.
    pub rebooted: Option<Instant>,
    /// Ours, while one is under way.
    pub failover: Option<Failover>,
    /// Why no failover may start yet.
    pub holdup: Option<Holdup>,
    /// Failovers of ours in a row that came to nothing.
    pub failures: u32,
    pub replicas: Vec<Replica>,
    pub sentinels: Vec<Peer>,
    /// Next moment this master needs attention.
    pub deadline: Option<Instant>,
    pub(super) next_instance: u32,
}

impl Master {
    /// A master nobody has talked to yet.
    pub fn new(id: MasterId, instance: Instance, settings: MasterSettings, now: Instant) -> Master {
        Master {
            id,
            era: 0,
            era_since: now,
            instance,
            observed: Observed::new(Role::Master, now),
            settings,
            config_epoch: 0,
            is_configuration_ours: false,
            contest: None,
            leader: None,
            leader_epoch: 0,
            vote_ticket: Ticket(0),
            odown: None,
            is_lack_told: false,
            watched_since: now,
            rebooted: None,
            failover: None,
            holdup: None,
            failures: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
            deadline: None,
            next_instance: 0,
        }
    }

    /// Replica by number.
    pub fn replica(&self, id: InstanceId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.id == id)
    }

    /// Replica by number, to change it.
    pub fn replica_mut(&mut self, id: InstanceId) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.id == id)
    }

    /// A number for the next replica or Sentinel.
    pub fn new_instance_id(&mut self) -> InstanceId {
        self.next_instance += 1;
        InstanceId(self.next_instance)
    }

    /// The address others should use: the promoted replica's as soon as it is known to be a master.
    pub fn current_address(&self) -> &Address {
        self.failover
            .as_ref()
            .and_then(Failover::installed)
            .and_then(|id| self.replica(id))
            .map_or(&self.instance.address, |replica| &replica.instance.address)
    }

    /// All who vote: the other Sentinels known, reachable or not, and we.
    pub fn voters(&self) -> usize {
        self.sentinels.len() + 1
    }

    /// How many votes make a leader.
    pub fn votes_needed(&self) -> usize {
        (self.voters() / 2 + 1).max(self.settings.quorum as usize)
    }

    /// Whether it can be trusted to be what others should follow: up, and itself reporting to be a master.
    pub fn looks_sane(&self, info_period: u64, now: Instant) -> bool {
        self.observed.role == Role::Master
            && !self.instance.is_down
            && self.odown.is_none()
            && self.observed.is_fresh(info_period.saturating_mul(2), now)
    }
}
