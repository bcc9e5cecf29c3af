//! FAILOVER: a master hands over to one of its replicas, and nothing that it acknowledged is lost.
//!
//! ```text
//!            FAILOVER                   a replica has everything            PSYNC … FAILOVER granted
//!   (none) ───────────► WaitForSync ──────────────────────────► InProgress ───────────────────────► (none), a replica
//!     ▲                   │   │         TIMEOUT, with FORCE         │
//!     └── ABORT, TIMEOUT ─┘   └─────────────────────────────────────┤
//!     └───────────────── ABORT, refused: a master again ◄───────────┘
//! ```
//!
//! From the first step to the last the writes of clients are paused (`Output::PauseWrites`), and so is what a master adds
//! to the stream by itself. So there is a last byte, and a replica that has executed it has everything. We become its
//! replica *before* it becomes a master: at no moment there are two masters, at the price of a moment without one.
//!
//! *Who has everything.* Replicas acknowledge once a second, and at once when asked with GETACK. It is asked with the end
//! of the turn in which the pause began, so a failover takes two round trips instead of a second. The question itself is
//! part of the stream; a stock replica answers it with the position before it, one of ours with the position after it.
//! Both say that the data are there.
//!
//! Not here: the pause (the shell's), the demotion and promotion (`node.rs`), the words of PSYNC (`replica/handshake.rs`).

use tracing::info;

use crate::base::time::Instant;
use crate::repl::history::History;
use crate::repl::io::{HostPort, Output};
use crate::repl::master::Master;
use crate::repl::wire::command;

/// What FAILOVER was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To whom; `None`: to whoever has everything first.
    pub target: Option<HostPort>,
    /// Go on when the time is over, whether or not the target has everything.
    pub force: bool,
    /// How long to wait for a replica that has everything; `None`: for ever.
    pub timeout_ms: Option<u64>,
}

/// A failover under way.
#[derive(Debug)]
pub struct Failover {
    stage: Stage,
    target: Option<HostPort>,
    force: bool,
    until: Option<Instant>,
    /// The last byte of data, once acknowledgements have been asked for.
    asked_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    WaitForSync,
    InProgress,
}

/// What a failover wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// Become the replica of this one, asking it to be the master.
    Follow(HostPort),
    /// Give up, for this reason.
    Abort(&'static str),
}

impl Failover {
    /// A failover that [`refuse`] has let pass.
    pub(super) fn begin(now: Instant, plan: Plan) -> Failover {
        match &plan.target {
            Some(target) => info!("FAILOVER requested to {}:{}.", target.host, target.port),
            None => info!("FAILOVER requested to any replica."),
        }
        Failover {
            stage: Stage::WaitForSync,
            until: plan.timeout_ms.map(|timeout| now + timeout),
            target: plan.target,
            force: plan.force,
            asked_at: None,
        }
    }

    /// `master_failover_state`.
    pub fn state_name(&self) -> &'static str {
        match self.stage {
            Stage::WaitForSync => "waiting-for-sync",
            Stage::InProgress => "failover-in-progress",
        }
    }

    /// Whether we follow the target already.
    pub(super) fn is_in_progress(&self) -> bool {
        self.stage == Stage::InProgress
    }

    /// The first moment at which time changes something.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.until.filter(|_| !self.is_in_progress())
    }

    /// The end of a turn of the loop: nothing more will be written, so what there is can be asked for.
    pub(super) fn end_turn(&mut self, history: &History, out: &mut Vec<Output>) {
        if !self.is_in_progress() && self.asked_at.is_none() {
            self.asked_at = Some(history.end());
            out.push(Output::Append(question()));
        }
    }

    /// Looks whether it is time for the next step.
    pub(super) fn step(&mut self, now: Instant, master: &Master, history: &History) -> Step {
        if self.is_in_progress() {
            return Step::Wait;
        }
        if self.until.is_some_and(|until| now >= until) {
            return match (&self.target, self.force) {
                (Some(target), true) => {
                    info!("FAILOVER to {}:{} time out exceeded, failing over.", target.host, target.port);
                    self.stage = Stage::InProgress;
                    Step::Follow(target.clone())
                }
                _ => Step::Abort("Replica never caught up before timeout"),
            };
        }
        let end = history.end();
        let data_end = self.asked_at.filter(|asked_at| asked_at + question().len() as u64 == end).unwrap_or(end);
        let replica = match &self.target {
            Some(target) => master.find(target).filter(|replica| replica.has_stream_up_to(data_end)),
            None => master.replicas().iter().find(|replica| replica.port() != 0 && replica.has_stream_up_to(data_end)),
        };
        let Some(replica) = replica else { return Step::Wait };
        let target = HostPort { host: replica.ip().to_owned(), port: replica.port() };
        info!("Failover target {}:{} is synced, failing over.", target.host, target.port);
        self.stage = Stage::InProgress;
        self.target = Some(target.clone());
        Step::Follow(target)
    }

    /// Says in the log that it was given up.
    pub(super) fn log_abort(&self, reason: &str) {
        match &self.target {
            Some(target) => info!("FAILOVER to {}:{} aborted: {reason}", target.host, target.port),
            None => info!("FAILOVER to any replica aborted: {reason}"),
        }
    }
}

fn question() -> Vec<u8> {
    command(&[b"REPLCONF", b"GETACK", b"*"])
}

/// Why FAILOVER is refused, in the order in which Redis looks. The text is without `-ERR`.
pub(super) fn refuse(plan: &Plan, is_failing_over: bool, is_replica: bool, master: &Master) -> Option<&'static str> {
    if is_failing_over {
        return Some("FAILOVER already in progress.");
    }
    if is_replica {
        return Some("FAILOVER is not valid when server is a replica.");
    }
    if master.is_empty() {
        return Some("FAILOVER requires connected replicas.");
    }
    if plan.force && (plan.timeout_ms.is_none() || plan.target.is_none()) {
        return Some("FAILOVER with force option requires both a timeout and target HOST and IP.");
    }
    let target = plan.target.as_ref()?;
    match master.find(target) {
        None => Some("FAILOVER target HOST and PORT is not a replica."),
        Some(replica) if !replica.is_online() => Some("FAILOVER target replica is not online."),
        Some(_) => None,
    }
}
