//! One failover, from candidacy to the new configuration.
//!
//! ```text
//!    +odown, or SENTINEL FAILOVER
//!        |
//!   WaitStart ----- not elected ---------------> abort
//!        | +elected-leader
//!   SelectSlave --- nobody fit -----------------> abort
//!        | +selected-slave
//!   SendNoOne ----- cannot be reached ----------> abort      (with a live master: hand writes over first)
//!        | +failover-state-wait-promotion
//!   WaitPromotion - refuses, dies, too late ----> abort
//!        | +promoted-slave: its INFO says master. The new configuration is told from here on.
//!   ReconfSlaves -- the others follow, or cannot be reached, or failover-timeout is over
//!        | +failover-end
//!        +switch-master
//! ```
//!
//! The stages, their events and the order of these are Redis's. The speed is not: a stage is left in the turn in which its
//! condition holds. REPLICAOF NO ONE leaves in the turn of the last vote, with an INFO right behind it in the same
//! connection; the answer to that INFO already tells `role:master`, where Redis sees it with the next periodic INFO, up to
//! a second later. The same holds for the replicas that follow. Hellos with the new configuration leave in the turn of
//! `+promoted-slave`.
//!
//! A chosen replica that goes down before it is a master ends the attempt at once, and so does one that answers the
//! transaction with an error; the next attempt, in a new epoch, will find another. A promoted replica that goes down while
//! the others follow ends the failover at once too: everybody else has been told, and the next failover starts from the
//! right address.
//!
//! **A master that is a replica.** Somebody may have told the master to follow another server. It counts as down after a while
//! then, as in Redis, and one of its replicas is promoted. When none is fit and the master follows one of them, Redis leaves the
//! group without a master for ever; here the leader tells the old one to be it again.
//!
//! **Handover.** SENTINEL FAILOVER of a live master loses, in Redis, what clients write between the promotion and the moment
//! the old master is reconfigured, about a second's worth. Here the old master is paused for writing first (`CLIENT PAUSE
//! … WRITE`), its offset is taken, and the replica is promoted once it has come so far; the old master is told to follow as
//! soon as the promotion is seen, and its pause lifted. When the server does not know or allow the pause, or the replica
//! does not catch up within half of the pause, the failover goes on as in Redis.

use std::fmt;

use super::events::About;
use super::instance::{Reconf, Role};
use super::io::{Level, Outputs, Tag};
use super::link::InstanceId;
use super::{Alarm, Sentinel};
use crate::base::time::Instant;
use crate::resp::value::Value;

/// A failover of ours, from the candidacy to the new configuration.
#[derive(Clone, Debug)]
pub struct Failover {
    /// The epoch it was started in, and which the new configuration will carry.
    pub epoch: u64,
    /// Asked for by a user: needs neither an objectively down master nor an election.
    pub is_forced: bool,
    /// Whether the disk has our candidacy.
    pub is_durable: bool,
    pub started: Instant,
    /// When the present stage began.
    pub since: Instant,
    pub stage: Stage,
    /// How far a live master has handed over.
    pub handover: Handover,
}

/// Where a failover stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Collecting votes.
    WaitStart,
    /// Choosing a replica.
    SelectSlave,
    /// About to tell it; with a live master, after writes have been handed over.
    SendNoOne { candidate: InstanceId },
    /// Told; waiting until it reports to be a master.
    WaitPromotion { candidate: InstanceId },
    /// It is the master; the other replicas follow.
    ReconfSlaves { promoted: InstanceId },
}

/// How a live master hands over to its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// Not begun.
    None,
    /// CLIENT PAUSE is on its way.
    Pausing { since: Instant },
    /// Writes stand still; the successor must reach this offset of the master, once known.
    Paused { since: Instant, offset: Option<u64> },
    /// Nothing to wait for any more. `was_paused` when the old master must be released.
    Over { was_paused: bool },
}

/// Longest pause of a live master, in milliseconds. Other Sentinels' links wait behind their hellos meanwhile, so it also
/// stays below down-after.
const PAUSE_MAX: u64 = 2000;
/// How long the freshest INFO of the replicas is waited for before one is chosen.
const FRESH_INFO_WAIT: u64 = 100;
/// How long a replica may be without a connection before it no longer holds up the end of a failover.
const UNREACHABLE_AFTER: u64 = 250;

impl Failover {
    /// At its very beginning.
    pub fn new(epoch: u64, is_forced: bool, now: Instant) -> Failover {
        Failover {
            epoch,
            is_forced,
            is_durable: false,
            started: now,
            since: now,
            stage: Stage::WaitStart,
            handover: Handover::None,
        }
    }

    /// The word SENTINEL MASTER shows.
    pub fn state_name(&self) -> &'static str {
        match self.stage {
            Stage::WaitStart => "wait_start",
            Stage::SelectSlave => "select_slave",
            Stage::SendNoOne { .. } => "send_slaveof_noone",
            Stage::WaitPromotion { .. } => "wait_promotion",
            Stage::ReconfSlaves { .. } => "reconf_slaves",
        }
    }

    /// The replica chosen to be the next master.
    pub fn chosen(&self) -> Option<InstanceId> {
        match self.stage {
            Stage::WaitStart | Stage::SelectSlave => None,
            Stage::SendNoOne { candidate } | Stage::WaitPromotion { candidate } => Some(candidate),
            Stage::ReconfSlaves { promoted } => Some(promoted),
        }
    }

    /// The replica known to have become the master.
    pub fn installed(&self) -> Option<InstanceId> {
        match self.stage {
            Stage::ReconfSlaves { promoted } => Some(promoted),
            _ => None,
        }
    }
}

/// Why no failover may start yet, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdup {
    pub reason: Reason,
    /// Never before.
    pub earliest: Instant,
    /// In any case from then on; between the two, when the reason has been gone for a while.
    pub latest: Instant,
    /// Since when the reason has been gone.
    pub gone_since: Option<Instant>,
    /// Whether the log has told.
    pub is_logged: bool,
}

impl Holdup {
    /// For a reason that still holds.
    pub fn new(reason: Reason, earliest: Instant, latest: Instant) -> Holdup {
        Holdup { reason, earliest, latest, gone_since: None, is_logged: false }
    }
}

/// Why a failover has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another Sentinel that sees the master down goes first.
    Stagger,
    /// We have seen no replica that is fit; another Sentinel may have.
    NoReplicaYet,
    /// Another Sentinel has our vote, and is to lead.
    Voted,
    /// Nobody got enough votes.
    SplitVote,
    /// Too few Sentinels can be reached to elect anybody.
    NoMajority,
    /// No replica was fit to be promoted.
    NoGoodSlave,
    /// The chosen replica did not become a master.
    SlaveTimeout,
    /// The disk refused our candidacy.
    Disk,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Stagger => "another Sentinel goes first",
            Reason::NoReplicaYet => "no replica is fit to be promoted yet",
            Reason::Voted => "the Sentinel we voted for is to lead",
            Reason::SplitVote => "the votes were split",
            Reason::NoMajority => "too few Sentinels can be reached",
            Reason::NoGoodSlave => "no replica is fit to be promoted",
            Reason::SlaveTimeout => "the chosen replica did not become a master",
            Reason::Disk => "the configuration could not be saved",
        })
    }
}

impl Sentinel {
    /// Advances our failover of this master as far as it goes now.
    pub(super) fn advance_failover(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        // Each round leaves a stage; there are five.
        for _ in 0..6 {
            let Some(failover) = self.masters[m].failover.clone() else { return };
            match failover.stage {
                Stage::WaitStart => self.wait_start(m, &failover, now, alarm, out),
                Stage::SelectSlave => self.select_slave(m, &failover, now, alarm, out),
                Stage::SendNoOne { candidate } => self.send_no_one(m, &failover, candidate, now, alarm, out),
                Stage::WaitPromotion { candidate } => self.wait_promotion(m, &failover, candidate, now, alarm, out),
                Stage::ReconfSlaves { promoted } => self.reconfigure_next(m, promoted, now, alarm, out),
            }
            if self.masters[m].failover.as_ref().is_none_or(|after| after.stage == failover.stage) {
                return;
            }
        }
    }

    pub(super) fn set_stage(&mut self, m: usize, stage: Stage, now: Instant) {
        if let Some(failover) = &mut self.masters[m].failover {
            failover.stage = stage;
            failover.since = now;
        }
    }

    /// Ends an attempt. Only before the promotion is seen; from then on the failover goes to its end.
    pub(super) fn abort_failover(
        &mut self,
        m: usize,
        event: &'static str,
        reason: Reason,
        now: Instant,
        out: &mut Outputs,
    ) {
        self.event(out, now, Level::Warning, event, About::Master(m), "");
        self.release_paused_master(m, out);
        self.masters[m].failover = None;
        self.masters[m].failures += 1;
        // A vote for somebody else has set a limit of its own.
        let voted = matches!(&self.masters[m].holdup, Some(holdup) if holdup.reason == Reason::Voted);
        if !voted {
            self.masters[m].holdup = Some(self.holdup_after(m, reason, now));
        }
        self.touch(m);
    }

    /// This process stood still for so long that another Sentinel may lead by now.
    pub(super) fn give_up_leading(&mut self, now: Instant, out: &mut Outputs) {
        for m in 0..self.masters.len() {
            let stage = self.masters[m].failover.as_ref().map(|failover| &failover.stage);
            if let Some(Stage::WaitStart | Stage::SelectSlave | Stage::SendNoOne { .. }) = stage {
                self.abort_failover(m, "-failover-abort-not-elected", Reason::SplitVote, now, out);
            }
        }
    }

    fn select_slave(&mut self, m: usize, failover: &Failover, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        if self.awaits_fresh_info(m, failover.started) && !alarm.is_due(failover.since + FRESH_INFO_WAIT, now) {
            return;
        }
        let Some(candidate) = self.choose_replica(m, now) else {
            self.tell_unfit(m, now, out);
            self.reinstate_master(m, now, out);
            self.abort_failover(m, "-failover-abort-no-good-slave", Reason::NoGoodSlave, now, out);
            return;
        };
        let about = self.about_replica(m, candidate);
        self.event(out, now, Level::Warning, "+selected-slave", about, "");
        self.event(out, now, Level::Notice, "+failover-state-send-slaveof-noone", about, "");
        self.set_stage(m, Stage::SendNoOne { candidate }, now);
    }

    fn send_no_one(
        &mut self,
        m: usize,
        failover: &Failover,
        candidate: InstanceId,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) {
        let about = self.about_replica(m, candidate);
        if self.gives_up_on(m, candidate, failover, now, alarm) {
            self.abort_failover(m, "-failover-abort-slave-timeout", Reason::SlaveTimeout, now, out);
            return;
        }
        if !self.hand_over(m, failover, candidate, now, alarm, out) {
            return;
        }
        let (id, era) = (self.masters[m].id, self.masters[m].era);
        if self.send_slaveof(about, None, Tag::Promote { master: id, era }, now, out) {
            self.event(out, now, Level::Notice, "+failover-state-wait-promotion", about, "");
            self.set_stage(m, Stage::WaitPromotion { candidate }, now);
        }
    }

    fn wait_promotion(
        &mut self,
        m: usize,
        failover: &Failover,
        candidate: InstanceId,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) {
        if self.gives_up_on(m, candidate, failover, now, alarm) {
            self.abort_failover(m, "-failover-abort-slave-timeout", Reason::SlaveTimeout, now, out);
        }
    }

    fn gives_up_on(
        &self,
        m: usize,
        candidate: InstanceId,
        failover: &Failover,
        now: Instant,
        alarm: &mut Alarm,
    ) -> bool {
        let limit = failover.since + self.masters[m].settings.failover_timeout + 1;
        alarm.is_due(limit, now) || self.masters[m].replica(candidate).is_none_or(|replica| replica.instance.is_down)
    }

    /// EXEC of the promotion was answered. Only a refusal tells something here; success is told by the INFO behind it.
    pub(super) fn promotion_answered(&mut self, m: usize, value: &Value, now: Instant, out: &mut Outputs) {
        let Some(Failover { stage: Stage::WaitPromotion { candidate }, .. }) = &self.masters[m].failover else {
            return;
        };
        let candidate = *candidate;
        let slaveof = value.items().and_then(<[Value]>::first);
        if value.is_error() || slaveof.is_some_and(Value::is_error) {
            let text = slaveof.unwrap_or(value).text().unwrap_or_default();
            let text = String::from_utf8_lossy(text).into_owned();
            if let Some(replica) = self.masters[m].replica_mut(candidate) {
                replica.refused = Some(now);
                let name = replica.instance.name.clone();
                out.log(Level::Warning, format!("Replica {name} refused to become a master: {text}"));
            }
            self.abort_failover(m, "-failover-abort-slave-timeout", Reason::SlaveTimeout, now, out);
        }
    }

    /// The chosen replica reports to be a master: the new configuration exists from here on.
    pub(super) fn promoted(&mut self, m: usize, r: usize, now: Instant, out: &mut Outputs) {
        let Some(failover) = &self.masters[m].failover else { return };
        let (epoch, handover) = (failover.epoch, failover.handover);
        let promoted = self.masters[m].replicas[r].id;
        self.masters[m].config_epoch = epoch;
        self.masters[m].is_configuration_ours = true;
        self.masters[m].contest = None;
        self.set_stage(m, Stage::ReconfSlaves { promoted }, now);
        self.disk.changed();
        self.event(out, now, Level::Warning, "+promoted-slave", About::Replica(m, r), "");
        if self.simulated.after_promotion {
            self.crash(out);
            return;
        }
        self.event(out, now, Level::Warning, "+failover-state-reconf-slaves", About::Master(m), "");
        self.call_reconfig_script(m, "leader", r, now);
        if handover == (Handover::Over { was_paused: true }) {
            // Before the hellos: one of them would wait for the end of the pause, and everything behind it.
            let address = self.masters[m].replicas[r].instance.address.clone();
            self.send_slaveof(About::Master(m), Some(&address), Tag::Ignored, now, out);
            self.release_paused_master(m, out);
        }
        self.push_hellos(m, now, out);
    }

    /// Whether all replicas that can be reached have followed, and what to do if the time for that is over.
    pub(super) fn detect_end(
        &mut self,
        m: usize,
        promoted: InstanceId,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) {
        let Some(failover) = &self.masters[m].failover else { return };
        let limit = failover.since + self.masters[m].settings.failover_timeout + 1;
        let is_timeout = alarm.is_due(limit, now);
        let is_promoted_down = self.masters[m].replica(promoted).is_none_or(|replica| replica.instance.is_down);
        let mut is_awaited = false;
        for replica in &self.masters[m].replicas {
            if replica.id == promoted || replica.reconf == Reconf::Done || replica.instance.is_down {
                continue;
            }
            let link = self.links.get(replica.instance.link);
            let gone = failover.since.max(link.last_reply) + UNREACHABLE_AFTER;
            is_awaited |= link.can_send() || !alarm.is_due(gone, now);
        }
        if is_timeout {
            self.event(out, now, Level::Warning, "+failover-end-for-timeout", About::Master(m), "");
        } else if is_awaited && !is_promoted_down {
            return;
        }
        self.event(out, now, Level::Warning, "+failover-end", About::Master(m), "");
        if is_timeout {
            self.reconfigure_best_effort(m, promoted, now, out);
        }
        self.switch_to_promoted(m, promoted, now, out);
    }

    fn switch_to_promoted(&mut self, m: usize, promoted: InstanceId, now: Instant, out: &mut Outputs) {
        if let Some(replica) = self.masters[m].replica(promoted) {
            let address = replica.instance.address.clone();
            self.announce_switch(m, &address, now, out);
            self.change_address(m, address, now, out);
        }
    }

    /// `+switch-master`, in the words it has always had.
    pub(super) fn announce_switch(&mut self, m: usize, to: &super::address::Address, now: Instant, out: &mut Outputs) {
        let hostnames = self.settings.announce_hostnames;
        let master = &self.masters[m].instance;
        let (from, name) = (&master.address, &master.name);
        let payload =
            format!("{name} {} {} {} {}", from.announced(hostnames), from.port, to.announced(hostnames), to.port);
        self.event_text(out, now, Level::Warning, "+switch-master", Some(m), payload);
    }

    pub(super) fn about_replica(&self, m: usize, id: InstanceId) -> About {
        let r = self.masters[m].replicas.iter().position(|replica| replica.id == id);
        About::Replica(m, r.expect("a chosen replica stays until the failover ends"))
    }

    /// Whether writes to this master stand still on our request.
    pub(super) fn is_handing_over(&self, m: usize) -> bool {
        self.masters[m].failover.as_ref().is_some_and(|failover| match failover.handover {
            Handover::None => false,
            Handover::Pausing { .. } | Handover::Paused { .. } => true,
            Handover::Over { was_paused } => was_paused && failover.installed().is_none(),
        })
    }

    fn pause_ms(&self, m: usize) -> u64 {
        (self.masters[m].settings.down_after * 3 / 4).min(PAUSE_MAX)
    }

    /// Hands the writes of a live master over. True when the successor may be promoted.
    fn hand_over(
        &mut self,
        m: usize,
        failover: &Failover,
        candidate: InstanceId,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) -> bool {
        let limit = self.pause_ms(m) / 2;
        let next = match failover.handover {
            Handover::Over { .. } => return true,
            Handover::None => {
                if !failover.is_forced || !self.pause_master(m, out) {
                    Handover::Over { was_paused: false }
                } else {
                    self.send_info(About::Master(m), now, out);
                    alarm.at(now + limit);
                    Handover::Pausing { since: now }
                }
            }
            Handover::Pausing { since } => {
                if !alarm.is_due(since + limit, now) {
                    return false;
                }
                // The pause may yet arrive; whatever happens then, it ends by itself.
                Handover::Over { was_paused: true }
            }
            Handover::Paused { since, offset } => {
                let reached = self.masters[m].replica(candidate).map_or(0, |replica| replica.offset);
                let has_all = offset.is_some_and(|offset| reached >= offset);
                if !has_all && !alarm.is_due(since + limit, now) {
                    return false;
                }
                if !has_all {
                    let name = &self.masters[m].instance.name;
                    let text =
                        format!("Failover of '{name}': the replica did not catch up in time, promoting it anyway");
                    out.log(Level::Warning, text);
                }
                Handover::Over { was_paused: true }
            }
        };
        let is_over = matches!(next, Handover::Over { .. });
        self.masters[m].failover.as_mut().expect("the failover that is advanced").handover = next;
        is_over
    }

    fn pause_master(&mut self, m: usize, out: &mut Outputs) -> bool {
        let ms = self.pause_ms(m).to_string();
        let master = &self.masters[m];
        let is_live = !master.instance.is_down && master.observed.role == Role::Master;
        let client = master.settings.name_of("CLIENT").as_bytes();
        let tag = Tag::Pause { master: master.id, era: master.era };
        is_live && self.links.send(master.instance.link, &[client, b"PAUSE", ms.as_bytes(), b"WRITE"], tag, out)
    }

    /// The live master answered CLIENT PAUSE.
    pub(super) fn pause_answered(&mut self, m: usize, value: &Value, now: Instant) {
        let Some(failover) = &mut self.masters[m].failover else { return };
        if let Handover::Pausing { .. } = failover.handover {
            failover.handover = if value.is_error() {
                Handover::Over { was_paused: false }
            } else {
                Handover::Paused { since: now, offset: None }
            };
        }
    }

    /// INFO of the paused master came: the successor must reach this offset.
    pub(super) fn paused_master_observed(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        let stream_offset = self.masters[m].observed.stream_offset;
        let Some(failover) = &mut self.masters[m].failover else { return };
        if let (Handover::Paused { offset: offset @ None, .. }, Some(candidate)) =
            (&mut failover.handover, failover.stage.candidate())
        {
            *offset = Some(stream_offset);
            let about = self.about_replica(m, candidate);
            self.send_info(about, now, out);
        }
    }

    fn release_paused_master(&mut self, m: usize, out: &mut Outputs) {
        let Some(failover) = &self.masters[m].failover else { return };
        let was_paused = match failover.handover {
            Handover::None => false,
            Handover::Pausing { .. } | Handover::Paused { .. } => true,
            Handover::Over { was_paused } => was_paused,
        };
        if was_paused {
            let master = &self.masters[m];
            let client = master.settings.name_of("CLIENT").as_bytes();
            self.links.send(master.instance.link, &[client, b"UNPAUSE"], Tag::Ignored, out);
        }
    }
}

impl Stage {
    fn candidate(&self) -> Option<InstanceId> {
        match self {
            Stage::SendNoOne { candidate } => Some(*candidate),
            _ => None,
        }
    }
}
